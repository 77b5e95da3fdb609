"""Getting sections into a ticket's description: plan, write, and find out what became of it.

Three things can go wrong besides a refusal, and each is settled by looking: an answer is lost (the write may
have arrived), the whole process ends (whoever comes next has its mark), a person edits the description
between the read and the write (the changelog shows what was overwritten).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from jobticket import clock
from jobticket.jira.errors import JiraError, JiraStatusError, JiraTimeoutError
from jobticket.observability import count, logger
from jobticket.push.description import Plan, ends_with, has_arrived, plan, replan
from jobticket.push.edits import LostEdit, Mark, lost_edit
from jobticket.push.limits import LIMIT, fits, length, packed
from jobticket.push.ticket import Before, Snapshot, Ticket

#: A first try, and others after a lost answer or an unforeseen limit.
MOST_WRITES = 3
#: Restoring an edit may itself meet another edit.
MOST_RESTORES = 3
#: Jira may still be at work on a write that took too long: pauses between looking for it.
LATE_SECONDS = (0.0, 1.0, 2.0)

OVERWRITTEN = (
    "Somebody edited the description while a status table was being added, and the edit could not be put "
    "back. This is the text that was overwritten:"
)
NOT_SHOWN = "The ticket's changelog does not show the write"
OVERWRITING = "This is the text that took its place:"

_NUMBER = re.compile(r"\d[\d.,'\s]*")


class UnsettledError(JiraError):
    """A write's answer was lost, and Jira does not say whether it arrived."""

    def __init__(self, lost: JiraError) -> None:
        unknown = "" if isinstance(lost, JiraStatusError) else ". Whether the table was written is not known"
        super().__init__(f"{lost}{unknown}", outcome_unknown=True)


@dataclass(frozen=True, slots=True)
class Delivered:
    """How a delivery was done.

    Attributes
    ----------
    in_comment
        The description had no room: the sections are in a comment.
    kept_in_comment
        A person's edit was overwritten and could not be restored: both texts are in comments.
    unchecked
        Why it could not be found out whether an edit was overwritten; None if it was.
    by
        Whose write it was: this try's, that of an earlier one which left its mark, or nobody's.
    """

    in_comment: bool = False
    kept_in_comment: bool = False
    unchecked: JiraError | None = None
    by: Literal["this", "earlier", "nobody"] = "this"


def _forget(_mark: Mark) -> None:
    """Remember nothing."""


def deliver(
    ticket: Ticket,
    read: Snapshot,
    render: Callable[[int], Sequence[str]],
    *,
    repeated: bool = False,
    mark: Mark | None = None,
    remember: Callable[[Mark], None] = _forget,
    only_settle: bool = False,
) -> Delivered:
    """Append sections to the description that was read, and return how it was done.

    A write whose answer was lost is settled by reading the description before anything else: it is written
    again only if it did not arrive.

    Parameters
    ----------
    render
        Returns the sections, none longer than the limit it is given.
    repeated
        Whether an earlier try may have died after its write: then tables that stand there are not written
        again.
    mark
        What an earlier try was about to write: exact where ``repeated`` has to guess.
    remember
        Takes the mark of what is about to be written, before it is.
    only_settle
        Whether to write nothing but what an earlier try may have overwritten.

    Raises
    ------
    UnsettledError
        If a write may have arrived and cannot be found out about.
    JiraError
        If Jira refuses or cannot be reached; nothing was appended.
    """
    sections = render(LIMIT)
    delivery = _Delivery(
        ticket, render, read.description, sections, plan(read.description, sections), remember, mark
    )
    if repeated and ends_with(read.description, sections):
        return delivery.has_been_done()
    if mark is not None and (settled := delivery.settle_earlier(mark)):
        return replace(settled, by="earlier")
    if only_settle:
        return Delivered(by="nobody")
    delivery.write()
    if delivery.plan.description is None:
        return Delivered(in_comment=True)
    return delivery.look_for_lost_edits()


@dataclass(slots=True)
class _Delivery:
    """A delivery under way: what is to be written, and what it is based on."""

    ticket: Ticket
    render: Callable[[int], Sequence[str]]
    description: str | None
    sections: Sequence[str]
    plan: Plan
    remember: Callable[[Mark], None]
    mark: Mark | None = None
    limit: int = LIMIT
    #: What was there before the first try that was to post comments.
    before: Before | None = None
    #: Whether such a try may have posted them.
    commented: bool = False

    def has_been_done(self) -> Delivered:
        """Do what is left of an earlier try that wrote, and left no mark."""
        self.plan = Plan(self.description)
        began = clock.iso_milliseconds(self.ticket.now())
        self.mark = replace(Mark.of(None, self.sections, self.plan, began), moved=None)
        return self.look_for_lost_edits()

    def settle_earlier(self, mark: Mark) -> Delivered | None:
        """Find out whether an earlier try's tables have arrived; None if they have not."""
        if mark.has_arrived(self.description):
            self.plan = Plan(self.description)
            return self.look_for_lost_edits()
        if mark.comments is None:
            return None
        self.before, self.commented = _before(mark), True
        if not (mark.in_comment and any(map(mark.times_in, self.ticket.comments_since(self.before)))):
            return None
        self.plan = Plan(self.description, in_comment=True)
        return Delivered(in_comment=True) if mark.rest is None else self.look_for_lost_edits()

    def write(self) -> None:
        """Carry the plan out, planning anew as often as that helps."""
        failure: JiraError | None = None
        for _ in range(MOST_WRITES):
            failure = self._try_once()
            if failure is None:
                return
        assert failure is not None
        raise failure

    def _try_once(self) -> JiraError | None:
        """Carry the plan out. If that failed but can be tried again, plan anew and return the failure."""
        if self.plan.comments and self.before is None:
            self.before = self.ticket.before()
        if self.before is None:
            began, comments = self.ticket.now(), None
        else:
            began, comments = self.before.at, self.before.comments
        self.mark = Mark.of(
            self.description, self.sections, self.plan, clock.iso_milliseconds(began), comments
        )
        self.remember(self.mark)
        return self._carry_out()

    def _carry_out(self) -> JiraError | None:
        for comment in self.plan.comments:
            assert self.before is not None
            self.ticket.comment(comment, self.before, unless_posted=self.commented)
        if self.plan.description is None:
            return None
        try:
            self.ticket.write(self.plan.description)
        except JiraError as error:
            failure = error
        else:
            return None
        if not failure.outcome_unknown:
            self._shorten(failure, self.plan.description)
        elif self._has_arrived(failure, self.plan.description):
            return None
        self.plan = replan(self.description, self.sections, self.plan, limit=self.limit)
        return failure

    def look_for_lost_edits(self) -> Delivered:
        """Restore what the write may have overwritten, or keep it in a comment."""
        assert self.mark is not None
        try:
            for restores_left in range(MOST_RESTORES, -1, -1):
                lost = lost_edit(self.ticket.changes(), self.mark)
                if lost is None:
                    break
                if lost.buried or not restores_left or not self._restore(lost):
                    return self._keep(lost)
        except LookupError:
            logger.warning("the changelog does not show a push's write", ticket=self.ticket.key)
            return Delivered(in_comment=self.plan.in_comment, unchecked=JiraError(NOT_SHOWN))
        except JiraError as error:
            return Delivered(in_comment=self.plan.in_comment, unchecked=error)
        return Delivered(in_comment=self.plan.in_comment)

    def _restore(self, lost: LostEdit) -> bool:
        """Put a person's text back, with the tables below it; tell whether Jira took it."""
        logger.info("a push overwrote an edit and restores it", ticket=self.ticket.key)
        count("EditsRestored")
        self.plan = replan(lost.text, self.sections, self.plan, limit=self.limit)
        text = self.plan.description
        assert text is not None
        if self.plan.comments:
            before = self.ticket.before()
            for comment in self.plan.comments:
                self.ticket.comment(comment, before)
        # No new mark: for whoever comes after a crash, the first write is the one to be recognised.
        try:
            self.ticket.write(text)
        except JiraError as error:
            # If it arrived all the same, the next look at the changelog shows it.
            return error.outcome_unknown
        return True

    def _keep(self, lost: LostEdit) -> Delivered:
        logger.warning("an edit could not be restored", ticket=self.ticket.key, buried=lost.buried)
        count("EditsKeptInComments")
        assert self.mark is not None
        try:
            texts = [
                *packed([lost.text], self.limit, heading=OVERWRITTEN),
                *packed([self.ticket.read_again().description or ""], self.limit, heading=OVERWRITING),
            ]
            for text in texts:
                self.ticket.comment(text, _before(self.mark), unless_posted=True)
        except JiraError as error:
            return Delivered(in_comment=self.plan.in_comment, unchecked=error)
        return Delivered(in_comment=self.plan.in_comment, kept_in_comment=True)

    def _has_arrived(self, lost: JiraError, sent: str) -> bool:
        """Look for a write whose answer was lost, and learn what stands there if it is not to be found."""
        is_late = _is_late(lost)
        for pause in LATE_SECONDS if is_late else (0.0,):
            self.ticket.wait(pause)
            try:
                now = self.ticket.read_again().description
            except JiraError as error:
                raise UnsettledError(lost) from error
            if has_arrived(now, read=self.description, planned=sent, sections=self.sections):
                return True
        if is_late:
            raise UnsettledError(lost)
        if isinstance(lost, JiraStatusError):
            raise lost  # Jira's answer did come, and it is a refusal
        self.description = now
        return False

    def _shorten(self, refusal: JiraError, sent: str) -> None:
        self.limit = _stated_limit(refusal, sent)
        self.sections = self.render(self.limit)
        if not all(fits(section, self.limit) for section in self.sections):
            raise refusal


def _is_late(lost: JiraError) -> bool:
    """Tell whether Jira may still be at work on a write: we have stopped waiting, or a gateway has."""
    return isinstance(lost, JiraTimeoutError) or (isinstance(lost, JiraStatusError) and lost.status == 504)


def _before(mark: Mark) -> Before:
    return Before(clock.parse_iso(mark.began_at), frozenset(mark.comments or ()))


def _stated_limit(refusal: JiraError, sent: str) -> int:
    """Return the limit that Jira names when it finds a description too long; raise any other refusal.

    A Data Center's administrator can set another limit than the usual one, and a site might count otherwise
    than we do: then what it refused is the measure.
    """
    if not isinstance(refusal, JiraStatusError) or refusal.status != 400:
        raise refusal
    numbers = _NUMBER.findall(refusal.field_errors.get("description", ""))
    if not numbers:
        raise refusal
    return min(max(int(re.sub(r"\D", "", number)) for number in numbers), length(sent) * 9 // 10)
