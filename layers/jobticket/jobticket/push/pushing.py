"""Pushing a job to its Jira ticket: the status table into the description, the summary as a comment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from jobticket import clock
from jobticket.aws import AWS_FAULTS
from jobticket.clock import Deadline
from jobticket.connections.access import JiraAccess
from jobticket.jira.client import Pace
from jobticket.jira.documents.model import Document
from jobticket.jira.errors import JiraError, JiraStatusError
from jobticket.jira.keys import MalformedKeyError
from jobticket.jobs.jobs import load_job
from jobticket.jobs.model import Job, JobSettings
from jobticket.observability import logger
from jobticket.push.appending import Appended, Appending, UnsettledWriteError
from jobticket.push.connection import FAILURES, explain, open_client
from jobticket.push.edits import Mark, Snapshot
from jobticket.push.memory import remember_pushed
from jobticket.push.status import PathStatus, fingerprint, sections, statuses_of, summary
from jobticket.push.ticket import SETTLING_SECONDS, PushedTicket
from jobticket.store.lease import HeldError, hold
from jobticket.store.table import Table

#: For how long a repeated ``Idempotency-Key`` stands for the same request.
REPEATED_WITHIN = timedelta(hours=24)
#: Longer than any function works on a push, so that no push starts while an earlier one may still write.
LEASE = timedelta(seconds=45)
#: How long a push waits for an earlier one to the same ticket.
PATIENCE_SECONDS = 10.0
BUSY = "Another push to this ticket is under way"


@dataclass(frozen=True, slots=True)
class PushResult:
    """What became of a push or a comment.

    Attributes
    ----------
    error
        Why it failed; None if it succeeded.
    details
        Jira's own messages, if it refused.
    note
        What the caller should know of a success.
    ticket_key
        Where to, if the job is linked; not part of the answer.
    is_open
        Whether it failed and something of it may stand at Jira all the same; not part of the answer.
    """

    error: str | None = None
    details: dict[str, Any] | None = None
    note: str | None = None
    ticket_key: str | None = None
    is_open: bool = False

    @property
    def success(self) -> bool:
        return self.error is None

    def as_json(self) -> dict[str, Any]:
        """Return the answer's body."""
        shown = {"success": self.success, "error": self.error, "details": self.details, "note": self.note}
        return {name: value for name, value in shown.items() if value is not None}


def details_of(failure: BaseException) -> dict[str, Any] | None:
    """Return Jira's own messages, None if it said nothing."""
    return (failure.details or None) if isinstance(failure, JiraStatusError) else None


def _forget(_memo: dict[str, Any]) -> None:
    """Remember nothing."""


@dataclass(frozen=True, slots=True)
class Try:
    """A try of a push or comment, and what an earlier try of the same has left.

    Attributes
    ----------
    event
        A stable name of what is done: of several tries, one posts its comment.
    memo
        What an earlier try remembered before it wrote; None if there was none.
    remember
        Keeps such a memo.
    """

    event: str
    memo: Mapping[str, Any] | None = None
    remember: Callable[[dict[str, Any]], None] = _forget


@dataclass(frozen=True, slots=True)
class Pusher:
    """Writes where jobs stand to their tickets. One a container.

    Parameters
    ----------
    table
        Where jobs are, and the leases of tickets.
    access
        The way to Jira.
    """

    table: Table
    access: JiraAccess
    now: Callable[[], datetime] = clock.now
    pace: Pace = field(default_factory=Pace)

    def push(self, job_id: str, settings: JobSettings, deadline: Deadline, attempt: Try) -> PushResult:
        """Append the status tables of a job's paths to its ticket's description.

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

        def done(_appended: Appended) -> None:
            shown = fingerprint(settings.external_id, key, statuses)
            try:
                remember_pushed(self.table, job.id, key, shown, None)
            except AWS_FAULTS:
                # The table stands; the next run pushes it again.
                logger.warning("a push is not remembered", job=job.id, exc_info=True)

        try:
            appended = self.append(
                self.ticket(key, settings, deadline),
                statuses,
                attempt,
                patience=deadline.sooner(PATIENCE_SECONDS),
                done=done,
            )
        except HeldError:
            return PushResult(BUSY, ticket_key=key)
        except FAILURES as failure:
            return _failed(job, failure, is_open=isinstance(failure, UnsettledWriteError))
        return PushResult(note=appended.note, ticket_key=key)

    def append(
        self,
        ticket: PushedTicket,
        statuses: Sequence[PathStatus],
        attempt: Try,
        *,
        patience: Deadline,
        done: Callable[[Appended], None],
        only_settle: bool = False,
    ) -> Appended:
        """Append the tables to a ticket's description, while no other push touches it.

        Parameters
        ----------
        patience
            Until when to wait for an earlier push to the same ticket.
        done
            Called before the next push to the ticket may begin.
        only_settle
            Whether to write nothing but what an earlier try may have replaced.

        Raises
        ------
        HeldError
            If another push holds the ticket.
        JiraError
            If Jira refuses or cannot be reached.
        """
        day = self.now().astimezone(UTC).date()

        def render(limit: int) -> list[Document]:
            return sections(statuses, day, ticket.measure, limit)

        def push(read: Snapshot) -> Appended:
            mark = None if attempt.memo is None else Mark.of(attempt.memo)
            appending = Appending(
                ticket, read, render, attempt.event, lambda mark: attempt.remember(mark.as_item()), mark
            )
            appended = appending.run(only_settle=only_settle)
            done(appended)
            return appended

        return self._alone(ticket, patience, push)

    def ticket(self, key: str, settings: JobSettings, deadline: Deadline) -> PushedTicket:
        """Return a ticket to work on, with time kept back to settle what becomes of a write.

        Raises
        ------
        NoConnectionError, RefusalError
            As ``open_client``; Jira is not called.
        """
        working = deadline.sooner(deadline.left() - SETTLING_SECONDS)
        return PushedTicket(
            key,
            open_client(self.access, settings, working),
            lambda: open_client(self.access, settings, deadline),
            self.now,
            self.pace,
        )

    def _alone(
        self, ticket: PushedTicket, patience: Deadline, push: Callable[[Snapshot], Appended]
    ) -> Appended:
        """Push while no other push touches the ticket.

        A ticket that was moved is found by its former key, too; two jobs must not take it for two tickets.
        """
        was_moved = False
        while True:
            with hold(
                self.table,
                f"PUSH_LEASE#{ticket.identity}",
                "PUSH_LEASE",
                LEASE,
                now=self.now,
                patience=patience,
                waits=self.pace,
            ) as lease:
                read = ticket.read()
                if was_moved or read.key.upper() == ticket.key.upper():
                    try:
                        return push(read)
                    except UnsettledWriteError:
                        lease.must_run_out = True
                        raise
            ticket.key, was_moved = read.key, True

    def comment(self, job_id: str, settings: JobSettings, deadline: Deadline, attempt: Try) -> PushResult:
        """Post the status summary of a job as a comment on its ticket.

        Raises
        ------
        NotFoundError
            If there is no such job.
        """
        job, paths = load_job(self.table, job_id)
        if job.jira_ticket_key is None:
            return PushResult("Job is not linked to a Jira ticket")
        memo = attempt.memo
        first_try = self.now() if memo is None else clock.parse_iso(memo["at"])
        posted = 0
        try:
            ticket = self.ticket(job.jira_ticket_key, settings, deadline)
            if memo is None:
                attempt.remember({"at": clock.iso_milliseconds(first_try)})
            for number, content in enumerate(summary(job.name, statuses_of(paths), ticket.measure)):
                ticket.comment(content, f"{attempt.event} {number}", first_try, tried=memo is not None)
                posted += 1
        except FAILURES as failure:
            lost = isinstance(failure, JiraError) and failure.outcome_unknown
            return _failed(job, failure, is_open=lost or posted > 0)
        return PushResult()


def _failed(job: Job, failure: BaseException, *, is_open: bool) -> PushResult:
    malformed = isinstance(failure, MalformedKeyError)
    error = f"{job.jira_ticket_key} is not the key of a Jira ticket" if malformed else explain(failure)
    details = details_of(failure)
    logger.warning("a push failed", job=job.id, ticket=job.jira_ticket_key, cause=error, details=details)
    return PushResult(error, details, ticket_key=job.jira_ticket_key, is_open=is_open)
