"""Getting tables into a ticket's description: write, then find out what became of the write.

Three things can go wrong besides a refusal, and a look at the ticket settles each. An answer is lost: the
write may have arrived. The process dies: the next try has its mark. A person edits the description between
the read and the write: the changelog shows what was replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal

from jobticket import clock
from jobticket.dataclass import dataclass, field, replace
from jobticket.jira.answers import may_still_arrive
from jobticket.jira.documents.limits import LONGEST_TEXT
from jobticket.jira.documents.model import Document, plain_text
from jobticket.jira.errors import JiraError, JiraStatusError
from jobticket.observability import count, logger
from jobticket.push.descriptions import Description, Markup, digest, limit_of
from jobticket.push.edits import (
    LostEdit,
    Mark,
    Snapshot,
    digest_of,
    first_of_each,
    has_arrived,
    keys_of,
    lost_edit,
)
from jobticket.push.status import PathStatus, packed, sections
from jobticket.push.tables import Content, table_of
from jobticket.push.ticket import PushedTicket

#: A first try, and others after a lost answer or a refusal that names a limit.
MOST_WRITES = 4
#: Jira may still be working on a write that took too long: pauses between looks for it.
LATE_SECONDS = (0.0, 1.0, 2.0)
#: A full description is emptied down to this share of the limit, so that not every later push moves a table.
ROOM = 0.75
#: A line of a kept edit is cut into pieces of this length, which fit into a comment however Jira counts.
LONGEST_LINE = 20_000

#: Names the comments with the new tables.
TABLES = "tables"
MOVED = "Older status tables, moved here from the description:"
REPLACED = (
    "Somebody edited the description while a status table was being added, and the edit was replaced. "
    "This is its text:"
)
EMPTIED = "(The description was emptied.)"
IN_COMMENT = "The description has no room left: the table was posted as a comment"
TABLES_MOVED = "The description had no room left: its oldest status tables were moved into a comment"
CLOSED = "The description ended inside a macro, which was closed so that the table below it is one"
KEPT_IN_COMMENT = (
    "Somebody edited the description at the same moment, and the edit could not be put back: its text was "
    "posted as a comment"
)
UNCHECKED = "Whether somebody edited the description at the same moment could not be found out"


class UnsettledWriteError(JiraError):
    """A write's answer was lost, and Jira does not say whether it arrived."""

    def __init__(self, lost: JiraError) -> None:
        unknown = "" if isinstance(lost, JiraStatusError) else ". Whether the table was written is not known"
        super().__init__(f"{lost}{unknown}", outcome_unknown=True)


class UnshownWriteError(JiraError):
    """The changelog does not show a write that has arrived."""

    lasts = True


@dataclass(frozen=True, slots=True)
class Appended:
    """How tables got onto a ticket, and what the caller should know of it."""

    notes: tuple[str, ...] = ()
    #: Why it could not be found out whether an edit was replaced; None if it was.
    unchecked: JiraError | None = None
    #: Whose write it was: this try's, an earlier one's that left its mark, or none at all.
    by: Literal["this", "earlier", "nobody"] = "this"

    @property
    def note(self) -> str | None:
        """The notes as one text, None if there is nothing to know."""
        return ". ".join((*self.notes, *((UNCHECKED,) if self.unchecked else ()))) or None


@dataclass(frozen=True, slots=True)
class Try:
    """A try of a push or comment.

    Its event is a stable name of what is done: of several tries, one posts its comment. Its memo is what an
    earlier try remembered before it wrote. ``done`` is called before another push to the ticket may begin.
    With ``only_settle``, nothing is written but what an earlier try may have replaced.
    """

    event: str
    memo: Mapping[str, Any] | None = None
    remember: Callable[[dict[str, Any]], None] = lambda _memo: None
    done: Callable[[Appended], None] = lambda _appended: None
    only_settle: bool = False


@dataclass(slots=True)
class Appending:
    """One try to append tables to a description, which begins with the ticket as it was read.

    The mark tells what this try, or an earlier one, was about to write. Of the older tables that were moved
    out of the description, those still leaving are not in a comment yet.
    """

    ticket: PushedTicket
    read: Snapshot
    statuses: Sequence[PathStatus]
    day: date
    attempt: Try
    mark: Mark | None = None
    sections: Sequence[Document] = ()
    moved: tuple[Content, ...] = ()
    leaving: tuple[Content, ...] = ()
    limit: int | None = None
    notes: list[str] = field(default_factory=list)
    has_restored: bool = False

    def run(self) -> Appended:
        """Append the tables.

        UnsettledWriteError if a write may have arrived; after another JiraError, nothing was appended.
        """
        if self.attempt.memo is not None:
            self.mark = Mark.of(self.attempt.memo)
        self.sections = self._render(LONGEST_TEXT)
        if self.mark is not None and (settled := self._settle(self.mark)):
            return replace(settled, by="earlier")
        if self.attempt.only_settle:
            return Appended(by="nobody")
        failure: JiraError | None = None
        for _ in range(MOST_WRITES):
            planned = self._plan()
            if planned is None:
                return self._post_sections()
            self._announce(planned)
            assert self.mark is not None
            try:
                after = self._send(planned, self.mark)
            except _NotArrivedError as lost:
                failure, self.read = lost.lost, lost.now
            except JiraStatusError as refusal:
                failure = refusal
                self._learn_limit(refusal, planned)
            else:
                return self._look_for_edits(after)
        assert failure is not None
        raise failure

    def _render(self, limit: int) -> list[Document]:
        return sections(self.statuses, self.day, self.ticket.measure, limit)

    def _settle(self, mark: Mark) -> Appended | None:
        """Find out whether an earlier try's tables have arrived; None if they have not."""
        if not mark.sent:
            first, event = self._comments(self.sections)[0], f"{self.attempt.event} {TABLES} 0"
            if self.ticket.has_comment(first, event, self._first_try()):
                return self._post_sections()
        elif has_arrived(mark, self.read):
            return self._look_for_edits(self.read)
        if mark.moved:
            self.leaving = self.moved = mark.moved
            self._post_leaving(tried=True)
        return None

    def _plan(self) -> Description | None:
        """Return the new description; None if the tables must go into a comment.

        To make room, the oldest own tables move into a comment. It is posted first: a table may stand twice
        for a moment, but it is never lost.
        """
        base = self._without_moved(self.read.description)
        whole = base.with_sections(self.sections)
        if self.limit is None or whole.size <= self.limit:
            return whole
        tables = base.tables()
        chosen: tuple[int, Description] | None = None
        for number in range(1, len(tables) + 1):
            shorter = base.without(tables[:number]).with_sections(self.sections)
            if shorter.size <= self.limit:
                chosen = (number, shorter)
            if shorter.size <= self.limit * ROOM:
                break
        if chosen is None:
            return None
        self.leaving = tuple(table.content for table in tables[: chosen[0]])
        self.moved = (*self.moved, *self.leaving)
        return chosen[1]

    def _without_moved(self, description: Description) -> Description:
        return description.without(first_of_each(description.tables(), self.moved))

    def _learn_limit(self, refusal: JiraStatusError, planned: Description) -> None:
        """Take the limit of a refusal; raise any other refusal."""
        self.limit = limit_of(refusal, self.read.description, planned, self.limit)
        if isinstance(planned, Markup):
            self.sections = self._render(min(self.limit, LONGEST_TEXT))

    def _first_try(self) -> datetime:
        return self.ticket.now() if self.mark is None else clock.parse_iso(self.mark.began_at)

    def _announce(self, planned: Description) -> None:
        """Store the mark of the coming write, and post the tables that leave."""
        tried = self.mark is not None
        mark = Mark(
            clock.iso_milliseconds(self._first_try()),
            self.read.newest,
            planned.digest,
            keys_of(planned.tables()[-len(self.sections) :]),
            before=0,
            remaining=digest_of(planned.tables()) if self.moved else "",
            moved=self.moved,
        )
        self._keep_mark(replace(mark, before=mark.times_in(self.read.description.tables())))
        self._post_leaving(tried=tried)

    def _keep_mark(self, mark: Mark) -> None:
        self.attempt.remember(mark.as_item())
        self.mark = mark

    def _send(self, planned: Description, mark: Mark) -> Snapshot | None:
        """Write a description; return the ticket after it, None where Jira does not show it.

        After a lost answer: _NotArrivedError if it has not arrived, UnsettledWriteError if Jira does not say.
        """
        try:
            return self.ticket.write(planned)
        except JiraError as error:
            if not error.outcome_unknown:
                raise
            lost = error
        late = may_still_arrive(lost)
        now = self.read
        for pause in LATE_SECONDS if late else (0.0,):
            self.ticket.wait(pause)
            try:
                now = self.ticket.read(again=True)
            except JiraError as error:
                raise UnsettledWriteError(lost) from error
            if has_arrived(mark, now):
                return now
        if late:
            raise UnsettledWriteError(lost)
        if isinstance(lost, JiraStatusError):
            raise lost  # Jira's answer did come, and it is a refusal
        raise _NotArrivedError(lost, now)

    def _look_for_edits(self, after: Snapshot | None) -> Appended:
        """Put back what the write may have replaced, or keep it in a comment."""
        assert self.mark is not None
        unchecked: JiraError | None = None
        try:
            self._save_edits(after or self.ticket.read(), self.mark)
        except LookupError:
            logger.warning("the changelog does not show a push's write", ticket=self.ticket.key)
            unchecked = UnshownWriteError("The ticket's changelog does not show the write")
        except JiraError as error:
            unchecked = error
        return Appended(self._all_notes(), unchecked)

    def _save_edits(self, after: Snapshot, mark: Mark) -> None:
        restoring = mark.restoring() if mark.restored else None
        if restoring and has_arrived(restoring, after):
            if another := lost_edit(restoring, after):
                self._keep_edit(another)
        elif lost := lost_edit(mark, after):
            self._save(lost, after, mark)

    def _all_notes(self) -> tuple[str, ...]:
        closed = self.read.description.closing and self.mark is not None and self.mark.sent
        return (*self.notes, *((CLOSED,) if closed else ()), *((TABLES_MOVED,) if self.moved else ()))

    def _save(self, lost: LostEdit, after: Snapshot, mark: Mark) -> None:
        """Put an edit back with the tables below it, or keep its text in a comment."""
        tables = after.description.tables()[-len(mark.tables) :]
        base = after.description.without(tables)
        edited = base.edited(lost.before, lost.after)
        if self.has_restored or lost.buried or edited is None or keys_of(tables) != mark.tables:
            self._keep_edit(lost)
            return
        sections = [table_of(table.content) for table in tables]
        restored = self._without_moved(edited).with_sections(sections)
        if restored.digest == after.description.digest:
            return  # markup shows no difference, and Jira would write nothing
        # For a try after a crash, the first write is the one to be recognised.
        mark = replace(mark, restored=restored.digest, restored_on=after.newest)
        self._keep_mark(mark)
        self.has_restored = True
        try:
            then = self._send(restored, mark.restoring())
        except (_NotArrivedError, JiraStatusError):
            self._keep_edit(lost)
            return
        self.read = replace(after, description=edited)  # the tables stand below this now
        logger.info("a push replaced an edit and has put it back", ticket=self.ticket.key)
        count("EditsRestored")
        self._save_edits(then or self.ticket.read(), mark)

    def _keep_edit(self, lost: LostEdit) -> None:
        logger.warning("a replaced edit is kept in a comment", ticket=self.ticket.key, buried=lost.buried)
        count("EditsKeptInComments")
        self._post(_lines_of(lost.after or EMPTIED), REPLACED, f"edit {digest(lost.after)}", tried=True)
        self.notes.append(KEPT_IN_COMMENT)

    def _post_leaving(self, *, tried: bool) -> None:
        """Post the tables that leave the description."""
        parts = [table_of(content) for content in self.leaving]
        self._post(parts, MOVED, f"moved {digest(repr(self.leaving))}", tried=tried)
        self.leaving = ()

    def _post_sections(self) -> Appended:
        """Post the new tables as comments, and leave the description as it is."""
        tried, began_at = self.mark is not None, clock.iso_milliseconds(self._first_try())
        self._keep_mark(Mark(began_at, self.read.newest, "", (), before=0, moved=self.moved))
        self._post(self.sections, "", TABLES, tried=tried)
        return Appended((IN_COMMENT,))

    def _post(self, parts: Sequence[Document], heading: str, what: str, *, tried: bool) -> None:
        """Post comments, each once."""
        for number, comment in enumerate(self._comments(parts, heading)):
            event = f"{self.attempt.event} {what} {number}"
            self.ticket.comment(comment, event, self._first_try(), tried=tried)

    def _comments(self, parts: Sequence[Document], heading: str = "") -> list[Document]:
        limit = min(self.limit or LONGEST_TEXT, LONGEST_TEXT)
        return packed(parts, self.ticket.measure, limit, plain_text(heading))


class _NotArrivedError(Exception):
    """A write's answer was lost, and the write has not arrived."""

    def __init__(self, lost: JiraError, now: Snapshot) -> None:
        super().__init__(str(lost))
        self.lost = lost
        self.now = now


def _lines_of(text: str) -> list[Document]:
    pieces = (
        line[start : start + LONGEST_LINE]
        for line in text.splitlines() or [""]
        for start in range(0, max(1, len(line)), LONGEST_LINE)
    )
    return [document for piece in pieces if (document := plain_text(piece))]
