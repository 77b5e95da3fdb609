"""People's edits that a push has overwritten: found in the issue's changelog after the write.

Jira has no conditional write. Between a push's read and its write somebody can edit the description, and the
write replaces what they wrote. Jira keeps it: each entry of the changelog holds the text before and after a
change. A push never changes what people wrote, and leaves every table where it is but the oldest, which move
into comments. So a write of a push that did anything else has overwritten somebody. Nothing here reads or
writes anything.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from jobticket.push.description import Content, Plan, contents, own_tables, squeezed, without_own_tables


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a description, from the changelog."""

    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Mark:
    """What a push is about to write, so that whoever comes after a crash recognises it.

    Attributes
    ----------
    digest
        Of what the new tables say.
    tables
        How many there are.
    before
        How often they stood in the description already.
    began_at
        When the push began to write, as ISO 8601.
    in_comment
        Whether the new tables are to be in a comment.
    rest
        Of what all tables in the description are to say, if older ones leave it: these may say the same as
        the new ones, and counting those tells nothing then.
    comments
        The ids of the newest comments before, if there is one to be posted.
    moved
        How many of the oldest tables leave the description; None if that is not known.
    """

    digest: str
    tables: int
    before: int
    began_at: str
    in_comment: bool = False
    rest: str | None = None
    comments: Sequence[str] | None = None
    moved: int | None = None

    @classmethod
    def of(
        cls,
        read: str | None,
        sections: Sequence[str],
        planned: Plan,
        began_at: str,
        comments: Iterable[str] | None = None,
    ) -> Mark:
        """Make the mark of sections that a plan appends to a description."""
        ours = [content for section in sections for content in contents(section)]
        mark = cls(_digest(ours), len(ours), 0, began_at)
        old, new = _digest(contents(read)), _digest(contents(planned.description))
        shrinks = planned.description is not None and bool(planned.moved or planned.in_comment)
        return replace(
            mark,
            before=mark.times_in(read),
            in_comment=planned.in_comment,
            rest=new if shrinks and new != old else None,
            comments=None if comments is None else sorted(comments),
            moved=_moved(read, planned, len(ours)),
        )

    def times_in(self, text: str | None) -> int:
        """Return how often the tables stand in a text, one below the other."""
        found = contents(text)
        starts = range(len(found) - self.tables + 1) if self.tables else ()
        return sum(_digest(found[start : start + self.tables]) == self.digest for start in starts)

    def made(self, change: Change) -> bool:
        """Tell whether a change is the write that was marked."""
        if not self.in_comment and self.times_in(change.after) > self.times_in(change.before):
            return True
        before, after = _digest(contents(change.before)), _digest(contents(change.after))
        return self.rest is not None and after == self.rest != before

    def has_arrived(self, now: str | None) -> bool:
        """Tell whether the write has arrived in a description."""
        if self.times_in(now) > self.before:
            return True
        return not self.in_comment and self.rest is not None and _digest(contents(now)) == self.rest

    def added(self, after: str | None) -> list[Content]:
        """Return what the new tables say, if a description ends with them."""
        last = contents(after)[-self.tables :]
        return last if not self.in_comment and _digest(last) == self.digest else []

    def keeps_all(self, write: Change) -> bool:
        """Tell whether the write left everything where it was but the tables that it moved."""
        added = len(self.added(write.after))
        if self.moved is None or not (added or self.in_comment):
            # A person who has put the new tables elsewhere since has seen what stands there.
            return _same_text(write.before, write.after)
        return _order(write.before, moved=self.moved) == _order(write.after, added=added)


def _moved(read: str | None, planned: Plan, sections: int) -> int | None:
    """Return how many of the oldest tables a plan takes out of a description, None if it does otherwise."""
    if planned.description is None:
        return None
    added = 0 if planned.in_comment else sections
    moved = len(contents(read)) + added - len(contents(planned.description))
    as_planned = moved >= 0 and _order(read, moved=moved) == _order(planned.description, added=added)
    return moved if as_planned else None


def _order(text: str | None, *, moved: int = 0, added: int = 0) -> list[str | Content]:
    """Return what stands in a description, from top to bottom, without its first or its last tables."""
    text = text or ""
    tables = own_tables(text)
    parts: list[str | Content] = [""]
    position = 0
    for number, table in enumerate(tables):
        parts[-1] = f"{parts[-1]}{squeezed(text[position : table.start])}"
        position = table.end
        if moved <= number < len(tables) - added:
            parts += [table.content, ""]
    parts[-1] = f"{parts[-1]}{squeezed(text[position:])}"
    return parts


def _digest(found: Sequence[Content]) -> str:
    return hashlib.sha256(repr(list(found)).encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class LostEdit:
    """A person's text that a push has overwritten.

    Attributes
    ----------
    text
        The description as the person left it.
    buried
        Whether the description was changed again since, so that restoring this text would overwrite another.
    """

    text: str
    buried: bool


def lost_edit(changes: Sequence[Change], mark: Mark) -> LostEdit | None:
    """Find what the push that made the mark has overwritten and not restored.

    Parameters
    ----------
    changes
        The description's changes, newest first.

    Raises
    ------
    LookupError
        If the push's write is not among them.
    """
    position = next((n for n, change in enumerate(changes) if mark.made(change)), None)
    if position is None:
        raise LookupError("the changelog does not show the write")
    write, later = changes[position], changes[:position]
    if mark.keeps_all(write):
        return None
    restored = [change for change in later if _restores(change, write, mark)]
    if not restored:
        return LostEdit(write.before or "", buried=bool(later))
    # The restoring write may itself have overwritten somebody.
    if _same_text(restored[-1].before, write.after) or _same_text(restored[-1].before, write.before):
        return None
    return LostEdit(restored[-1].before or "", buried=True)


def _restores(change: Change, write: Change, mark: Mark) -> bool:
    """Tell whether a change put back what a write had overwritten."""
    own = Counter(mark.added(write.after))
    brought_back = Counter(contents(write.after)) - own - Counter(contents(write.before))
    # Other tables may have moved, or the new ones may say something else by now.
    still_there = Counter(contents(change.after)) - own - Counter(contents(write.before))
    return _same_text(change.after, write.before) and not brought_back & still_there


def _same_text(one: str | None, other: str | None) -> bool:
    """Tell whether two descriptions hold the same of what people wrote."""
    return squeezed(without_own_tables(one)) == squeezed(without_own_tables(other))
