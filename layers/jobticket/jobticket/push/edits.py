"""People's edits that a push has replaced, recognised by the issue's changelog. Pure.

Jira has no conditional write. Between a push's read and its write somebody can edit the description, and the
write replaces the edit. Jira keeps it: the changelog has an entry for each change. The entry before our own
is the newest that was read, or it is somebody's edit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, Self

from jobticket.dataclass import asdict, dataclass, replace
from jobticket.push.descriptions import Description, digest
from jobticket.push.tables import Content, OwnTable, find_tables_in_markup

#: What stays the same of a table however Jira writes its names: the letters of the path, and the row.
Key = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class DescriptionChange:
    """One change of a description, as the changelog has it."""

    id: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A ticket as it was read, by its present key: a ticket that was moved is still found by its former one.

    The newest changes of the description come first; None if Jira did not show them.
    """

    key: str
    description: Description
    changes: tuple[DescriptionChange, ...] | None

    @property
    def newest(self) -> str | None:
        """The id of the newest change, '' without changes, None if it is unknown."""
        return None if self.changes is None else next((change.id for change in self.changes), "")


@dataclass(frozen=True, slots=True)
class Mark:
    """What a push is about to write, kept before: after a crash it tells whether the write arrived."""

    #: When the push was tried for the first time, as ISO 8601.
    began_at: str
    #: The newest change of the description that it is based on, as ``Snapshot.newest``.
    read: str | None
    #: The digest of the new description; '' if the tables go into a comment.
    sent: str
    #: The keys of the new tables, and how often these stood in the description already.
    tables: tuple[Key, ...]
    before: int
    #: The digest of all tables' keys, if older tables leave the description. They may say the same as the new
    #: ones, so that counting tells nothing.
    remaining: str = ""
    #: The older tables that leave the description for a comment.
    moved: tuple[Content, ...] = ()
    #: The digest of the description that puts a replaced edit back, and the newest change before that write.
    restored: str = ""
    restored_on: str | None = None

    def as_item(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Self:
        tables = tuple((path, tuple(row)) for path, row in item["tables"])
        moved = tuple(Content(of["path"], tuple(of["header"]), tuple(of["row"])) for of in item["moved"])
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
    return digest(repr(keys_of(tables)))


def first_of_each(tables: Sequence[OwnTable], wanted: Sequence[Content]) -> list[OwnTable]:
    """Return the first table of each content that is wanted."""
    left, chosen = list(wanted), []
    for table in tables:
        if table.content in left:
            left.remove(table.content)
            chosen.append(table)
    return chosen


def has_arrived(mark: Mark, now: Snapshot) -> bool:
    """Tell whether a write whose outcome was unknown has arrived."""
    return (
        now.description.digest == mark.sent
        or mark.stands_in(now.description.tables(), mark.before)
        or any(_made(mark, change) for change in _since(mark, now))
    )


@dataclass(frozen=True, slots=True)
class LostEdit:
    """A person's edit that a push has replaced: the changelog's texts before and after it.

    It is buried if the description was changed again since: to put it back would replace that change.
    """

    before: str
    after: str
    buried: bool


def lost_edit(mark: Mark, now: Snapshot) -> LostEdit | None:
    """Find the edit that an arrived write replaced; LookupError if the changelog does not show the write."""
    new = list(_since(mark, now))
    if new and (len(new) == 1 or now.description.digest == mark.sent):
        place: int | None = 0
    else:
        place = next((number for number, change in enumerate(new) if _made(mark, change)), None)
    if place is None:
        raise LookupError("the changelog does not show the write")
    replaced = new[place + 1 :]
    return LostEdit(replaced[-1].before, new[place].before, buried=place > 0) if replaced else None


def _made(mark: Mark, change: DescriptionChange) -> bool:
    """Tell whether a change has added the new tables."""
    before, after = find_tables_in_markup(change.before), find_tables_in_markup(change.after)
    return keys_of(before) != keys_of(after) and mark.stands_in(after, mark.times_in(before))


def _since(mark: Mark, now: Snapshot) -> Iterator[DescriptionChange]:
    """Yield the changes since the description was read, newest first."""
    if mark.read is None or now.changes is None:
        return iter(())
    return takewhile(lambda change: change.id != mark.read, now.changes)
