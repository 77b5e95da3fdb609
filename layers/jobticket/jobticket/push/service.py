"""Pushing a job to its Jira ticket: the status table into the description, the summary as a comment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.connections.access import JiraAccess
from jobticket.jira.errors import JiraError
from jobticket.jira.keys import MalformedKeyError
from jobticket.jobs.distribution import Counts
from jobticket.jobs.jobs import load_job
from jobticket.jobs.model import Job, JobSettings, Path
from jobticket.observability import logger
from jobticket.push.connection import FAILURES, explain, open_client
from jobticket.push.delivery import Delivered, UnsettledError, deliver
from jobticket.push.lease import PATIENCE_SECONDS, TicketBusyError, Tickets
from jobticket.push.pushed import fingerprint, remember_pushed
from jobticket.push.table import PathStatus, sections, summary
from jobticket.push.ticket import SETTLING_SECONDS, Before, Snapshot, Ticket
from jobticket.store.table import Table

#: A request is the same again for so long (contract: jobs.md, Common, ``Idempotency-Key``).
REPEATED_WITHIN = timedelta(hours=24)
IN_COMMENT = "The description has no room left: the table was posted as a comment"
KEPT_IN_COMMENT = (
    "Somebody edited the description at the same moment, and the edit could not be put back: both texts were "
    "posted as comments"
)
UNCHECKED = "Whether somebody edited the description at the same moment could not be found out"


@dataclass(frozen=True, slots=True)
class PushResult:
    """What became of a push or a comment.

    Attributes
    ----------
    error
        Why it failed; None if it succeeded.
    note
        What the caller should know of a success.
    ticket_key
        Where to, if the job is linked; no part of the answer.
    is_open
        Whether it failed and something of it may stand at Jira all the same; no part of the answer.
    """

    error: str | None = None
    note: str | None = None
    ticket_key: str | None = None
    is_open: bool = False

    @property
    def success(self) -> bool:
        return self.error is None

    def as_json(self) -> dict[str, Any]:
        """Return the answer's body."""
        shown = {"success": self.success, "error": self.error, "note": self.note}
        return {name: value for name, value in shown.items() if value is not None}


def _forget(_before: Before) -> None:
    """Remember nothing."""


@dataclass(frozen=True, slots=True)
class Pusher:
    """Writes where jobs stand to their tickets. One a container.

    Parameters
    ----------
    table
        Where jobs are.
    access
        The way to Jira.
    tickets
        Gives out the leases of tickets.
    """

    table: Table
    access: JiraAccess
    tickets: Tickets
    now: Callable[[], datetime] = clock.now

    def push(
        self, job_id: str, settings: JobSettings, deadline: Deadline, *, repeated: bool = False
    ) -> PushResult:
        """Append the status tables of a job's paths to its ticket's description.

        Parameters
        ----------
        repeated
            Whether an earlier try of the same request may have written: it died, or was told as not settled.

        Raises
        ------
        NotFoundError
            If there is no such job.
        """
        job, paths = load_job(self.table, job_id)
        if job.jira_ticket_key is None:
            return PushResult("Job is not linked to a Jira ticket")
        if not paths:
            return PushResult("Job has no paths", ticket_key=job.jira_ticket_key)
        key, statuses = job.jira_ticket_key, statuses_of(paths)

        def remember(_delivered: Delivered) -> None:
            shown = fingerprint(settings.external_id, key, statuses)
            remember_pushed(self.table, job.id, key, shown, None)

        try:
            ticket = self.ticket(key, settings, deadline)
            patience = deadline.sooner(PATIENCE_SECONDS)
            delivered = self.deliver(ticket, statuses, patience, remember, repeated=repeated)
        except TicketBusyError:
            return PushResult("Another push to this ticket is under way", ticket_key=key)
        except FAILURES as failure:
            return _failed(job, failure, is_open=isinstance(failure, UnsettledError))
        return PushResult(note=note_on(delivered), ticket_key=key)

    def deliver(
        self,
        ticket: Ticket,
        statuses: Sequence[PathStatus],
        patience: Deadline,
        done: Callable[[Delivered], None],
        **options: Any,
    ) -> Delivered:
        """Append the tables to a ticket's description, while no other push touches it.

        Parameters
        ----------
        patience
            Until when to wait for an earlier push to the same ticket.
        done
            Called before the next push to the ticket may begin.
        options
            As ``jobticket.push.delivery.deliver`` takes them.

        Raises
        ------
        TicketBusyError
            If another push holds the ticket.
        JiraError
            If Jira refuses or cannot be reached.
        """
        render = self._render(statuses)

        def push(ticket: Ticket, read: Snapshot) -> Delivered:
            delivered = deliver(ticket, read, render, **options)
            done(delivered)
            return delivered

        return self._alone(ticket, patience, push)

    def ticket(self, key: str, settings: JobSettings, deadline: Deadline) -> Ticket:
        """Return a ticket to work on, with time kept back to settle what becomes of a write.

        Raises
        ------
        NoConnectionError, RefusalError
            As ``open_client``; Jira is not called.
        """
        working = deadline.sooner(deadline.left() - SETTLING_SECONDS)
        return Ticket(
            key,
            open_client(self.access, settings, working),
            lambda: open_client(self.access, settings, deadline),
            self.now,
            self.tickets.pace,
        )

    def _alone(
        self, ticket: Ticket, patience: Deadline, push: Callable[[Ticket, Snapshot], Delivered]
    ) -> Delivered:
        """Push while no other push touches the ticket.

        A ticket that was moved is found by its former key, too; two jobs must not take it for two tickets.
        """
        was_moved = False
        while True:
            with self.tickets.hold(ticket.identity, patience) as lease:
                read = ticket.read()
                if was_moved or read.key.upper() == ticket.key.upper():
                    try:
                        return push(ticket, read)
                    except UnsettledError:
                        lease.must_run_out = True
                        raise
            ticket.key, was_moved = read.key, True

    def _render(self, statuses: Sequence[PathStatus]) -> Callable[[int], list[str]]:
        day = self.now().astimezone(UTC).date()
        return lambda limit: sections(statuses, day, limit=limit)

    def comment(
        self,
        job_id: str,
        settings: JobSettings,
        deadline: Deadline,
        *,
        earlier: Before | None = None,
        remember: Callable[[Before], None] = _forget,
    ) -> PushResult:
        """Post the status summary of a job as a comment on its ticket.

        Parameters
        ----------
        earlier
            What was there before an earlier try of the same request, which may have posted its comment.
        remember
            Takes what is there before this one, if it is the first.

        Raises
        ------
        NotFoundError
            If there is no such job.
        """
        job, paths = load_job(self.table, job_id)
        if job.jira_ticket_key is None:
            return PushResult("Job is not linked to a Jira ticket")
        posted = 0
        try:
            ticket = self.ticket(job.jira_ticket_key, settings, deadline)
            before = earlier or ticket.before()
            if earlier is None:
                remember(before)
            for text in summary(job.name, statuses_of(paths)):
                ticket.comment(text, before, unless_posted=earlier is not None)
                posted += 1
        except FAILURES as failure:
            lost = isinstance(failure, JiraError) and failure.outcome_unknown
            return _failed(job, failure, is_open=lost or posted > 0)
        return PushResult()


def _failed(job: Job, failure: BaseException, *, is_open: bool) -> PushResult:
    unreal = isinstance(failure, MalformedKeyError)
    error = f"{job.jira_ticket_key} is not the key of a Jira ticket" if unreal else explain(failure)
    logger.warning("a push failed", job=job.id, ticket=job.jira_ticket_key, cause=error)
    return PushResult(error, ticket_key=job.jira_ticket_key, is_open=is_open)


def note_on(delivered: Delivered) -> str | None:
    """Return what the caller should know of a push that succeeded."""
    if delivered.in_comment:
        return IN_COMMENT
    if delivered.kept_in_comment:
        return KEPT_IN_COMMENT
    return UNCHECKED if delivered.unchecked else None


def statuses_of(paths: Sequence[tuple[Path, Counts]]) -> list[PathStatus]:
    """Return where a job's serial numbers stand, as its tables show it."""
    return [
        PathStatus(
            path.name,
            tuple((step.name, count) for step, count in zip(path.steps, counts.steps, strict=True)),
            counts.completed,
        )
        for path, counts in paths
    ]
