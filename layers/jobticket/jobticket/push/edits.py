"""People's edits that a push has replaced, told by the issue's changelog.

Jira has no conditional write. Between a push's read and its write somebody can edit the description, and the
write replaces the edit. Jira keeps it: the changelog has an entry for each change. The entry before our own
is the newest that was read, or it is somebody's edit. Nothing here reads or writes anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from typing import Any, Self

from jobticket.push.descriptions import Description
from jobticket.push.tables import Content, OwnTable, find_tables_in_markup

#: What stays the same of a table however Jira writes its names: the letters of the path, and the row.
Key = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class DescriptionChange:
    """One change of a description, from the changelog: its id, and the texts before and after it."""

    id: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A ticket as it was read.

    Attributes
    ----------
    key
        Its present key: a ticket that was moved is still found by its former one.
    changes
        The newest changes of the description, newest first; None if Jira did not show them.
    """

    key: str
    description: Description
    changes: tuple[DescriptionChange, ...] | None

    @property
    def newest(self) -> str | None:
        """The id of the newest change, '' if there is none, None if that is not known."""
        if self.changes is None:
            return None
        return self.changes[0].id if self.changes else ""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a push is about to write, kept before it is written: after a crash the write is recognised by it.

    Attributes
    ----------
    began_at
        When the push was tried for the first time, as ISO 8601.
    read
        The newest change of the description that it is based on, as ``Snapshot.newest``.
    sent
        The digest of the new description; '' if the tables are to be in a comment.
    tables
        The keys of the new tables.
    before
        How often these stood in the description already.
    remaining
        The digest of all tables' keys, if older ones leave the description: these may say the same as the new
        ones, and counting tells nothing then.
    moved
        The older tables that leave the description for a comment.
    restored, restored_on
        The digest of the description that puts a replaced edit back, and the newest change before that write.
    """

    began_at: str
    read: str | None
    sent: str
    tables: tuple[Key, ...]
    before: int
    remaining: str = ""
    moved: tuple[Content, ...] = ()
    restored: str = ""
    restored_on: str | None = None

    def as_item(self) -> dict[str, Any]:
        """Return it as the database keeps it."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Self:
        """Read it back."""
        tables = tuple((path, tuple(row)) for path, row in item["tables"])
        moved = tuple(
            Content(content["path"], tuple(content["header"]), tuple(content["row"]))
            for content in item["moved"]
        )
        return cls(**{"read": None, **item, "tables": tables, "moved": moved})

    def restoring(self) -> Self:
        """Return the mark of the write that puts an edit back."""
        later = self.before + 1
        return replace(self, read=self.restored_on, sent=self.restored, before=later, remaining="")

    def stands_in(self, now: Sequence[OwnTable], earlier: int) -> bool:
        """Tell whether tables are those that the write leaves, given how often the new ones stood before."""
        return self.times_in(now) > earlier or self.remaining == digest_of(now)

    def times_in(self, found: Sequence[OwnTable]) -> int:
        """Return how often the new tables stand among others, one below the other."""
        present, size = keys_of(found), len(self.tables)
        starts = range(len(present) - size + 1) if size else ()
        return sum(present[start : start + size] == self.tables for start in starts)


def keys_of(tables: Sequence[OwnTable]) -> tuple[Key, ...]:
    """Return by what tables are recognised in a text that Jira has rendered."""
    return tuple(("".join(filter(str.isalnum, table.content.path)), table.content.row) for table in tables)


def digest_of(tables: Sequence[OwnTable]) -> str:
    """Return the digest of tables' keys."""
    return hashlib.sha256(repr(keys_of(tables)).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def first_of_each(tables: Sequence[OwnTable], wanted: Sequence[Content]) -> list[OwnTable]:
    """Return the first table of each content that is wanted."""
    left = list(wanted)
    chosen = []
    for table in tables:
        if table.content in left:
            left.remove(table.content)
            chosen.append(table)
    return chosen


def has_arrived(mark: Mark, now: Snapshot) -> bool:
    """Tell whether a write whose outcome was unknown has arrived."""
    if now.description.digest == mark.sent:
        return True
    if mark.stands_in(now.description.tables(), mark.before):
        return True
    return any(_made(mark, change) for change in _since(mark, now))


@dataclass(frozen=True, slots=True)
class LostEdit:
    """A person's version of a description that a push has replaced.

    Attributes
    ----------
    before, after
        The changelog's texts of what the push had read, and of the person's version.
    buried
        Whether the description was changed again since: putting this version back would replace another.
    """

    before: str
    after: str
    buried: bool


def lost_edit(mark: Mark, now: Snapshot) -> LostEdit | None:
    """Find the edit that a write which has arrived replaced and nobody has put back.

    Raises
    ------
    LookupError
        If the changelog does not show the write.
    """
    new = list(_since(mark, now))
    place = _place_of_write(mark, now, new)
    replaced = new[place + 1 :]
    if not replaced:
        return None
    return LostEdit(replaced[-1].before, new[place].before, buried=place > 0)


def _place_of_write(mark: Mark, now: Snapshot, new: Sequence[DescriptionChange]) -> int:
    """Return which of the new changes is our own."""
    if new and (len(new) == 1 or now.description.digest == mark.sent):
        return 0
    for place, change in enumerate(new):
        if _made(mark, change):
            return place
    raise LookupError("the changelog does not show the write")


def _made(mark: Mark, change: DescriptionChange) -> bool:
    """Tell whether a change has added the new tables."""
    before, after = find_tables_in_markup(change.before), find_tables_in_markup(change.after)
    return keys_of(before) != keys_of(after) and mark.stands_in(after, mark.times_in(before))


def _since(mark: Mark, now: Snapshot) -> Iterator[DescriptionChange]:
    """Yield the changes since the description was read, newest first."""
    if mark.read is None or now.changes is None:
        return iter(())
    return takewhile(lambda change: change.id != mark.read, now.changes)
