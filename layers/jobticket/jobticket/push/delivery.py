"""Getting sections into a ticket's description: plan, write, and find out what became of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jobticket.jira.errors import JiraError, JiraStatusError, JiraTimeoutError
from jobticket.push.description import Plan, ends_with, has_arrived, plan, replan
from jobticket.push.limits import LIMIT, fits, length
from jobticket.push.ticket import Snapshot, Ticket

__all__ = ["UnsettledError", "deliver"]

#: A first try, and others after a lost answer or an unforeseen limit.
MOST_WRITES = 3
#: Jira may still be at work on a write that took too long: pauses between looking for it.
LATE_SECONDS = (0.0, 1.0, 2.0)

_NUMBER = re.compile(r"\d[\d.,'\s]*")


class UnsettledError(JiraError):
    """A write's answer was lost, and Jira does not say whether it arrived."""

    def __init__(self, lost: JiraError) -> None:
        super().__init__(f"{lost}. Whether the table was written is not known", outcome_unknown=True)


def deliver(
    ticket: Ticket, read: Snapshot, render: Callable[[int], Sequence[str]], *, repeated: bool = False
) -> Plan:
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

    Raises
    ------
    UnsettledError
        If a write may have arrived and cannot be found out about.
    JiraError
        If Jira refuses or cannot be reached; nothing was appended.
    """
    sections = render(LIMIT)
    if repeated and ends_with(read.description, sections):
        return Plan(read.description)
    delivery = _Delivery(ticket, render, read.description, sections, plan(read.description, sections))
    failure: JiraError | None = None
    for _ in range(MOST_WRITES):
        failure = delivery.try_once()
        if failure is None:
            return delivery.plan
    assert failure is not None
    raise failure


@dataclass(slots=True)
class _Delivery:
    """A delivery under way: what is to be written, and what it is based on."""

    ticket: Ticket
    render: Callable[[int], Sequence[str]]
    description: str | None
    sections: Sequence[str]
    plan: Plan
    limit: int = LIMIT

    def try_once(self) -> JiraError | None:
        """Carry the plan out. If that failed but can be tried again, plan anew and return the failure."""
        for comment in self.plan.comments:
            self.ticket.comment(comment)
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

    def _has_arrived(self, lost: JiraError, sent: str) -> bool:
        """Look for a write whose answer was lost, and learn what stands there if it is not to be found."""
        for pause in LATE_SECONDS if isinstance(lost, JiraTimeoutError) else (0.0,):
            self.ticket.wait(pause)
            try:
                now = self.ticket.read_again().description
            except JiraError as error:
                raise UnsettledError(lost) from error
            if has_arrived(now, read=self.description, planned=sent, sections=self.sections):
                return True
        if isinstance(lost, JiraTimeoutError):
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
