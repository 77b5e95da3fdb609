"""Pushing a job to its Jira ticket: the status table into the description, the summary as a comment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from boto3.dynamodb.conditions import Attr

from jobticket import clock
from jobticket.aws import AWS_FAULTS
from jobticket.clock import Deadline
from jobticket.connections.access import JiraAccess
from jobticket.dataclass import dataclass, field, replace
from jobticket.jira.client import Pace
from jobticket.jira.errors import JiraError, JiraStatusError
from jobticket.jira.keys import MalformedKeyError
from jobticket.jobs.jobs import load_job
from jobticket.jobs.layout import JOB_SORT, job_pk
from jobticket.jobs.model import JobSettings
from jobticket.observability import logger
from jobticket.push.appending import Appended, Appending, Try, UnsettledWriteError
from jobticket.push.connection import FAILURES, explain, open_client
from jobticket.push.runs.push_records import Outcome
from jobticket.push.status import PathStatus, fingerprint, statuses_of, summary
from jobticket.push.ticket import SETTLING_SECONDS, PushedTicket
from jobticket.store.lease import HeldError, hold
from jobticket.store.table import Table, Update
from jobticket.store.unit_of_work import write_if_current

#: For how long a repeated ``Idempotency-Key`` stands for the same request.
REPEATED_WITHIN = timedelta(hours=24)
#: Longer than any function works on a push, so that no push starts while an earlier one may still write.
LEASE = timedelta(seconds=45)
#: How long a push waits for an earlier one to the same ticket.
PATIENCE_SECONDS = 10.0
NOT_LINKED = "Job is not linked to a Jira ticket"
NO_PATHS = "Job has no paths"
#: What a job's own item remembers of its last pushed table: a table that says the same is not pushed again.
PUSHED_ATTRIBUTES = ("pushed_fingerprint", "pushed_run")
BUSY = "Another push to this ticket is under way"


def read_pushed(table: Table, job_id: str) -> tuple[str | None, str | None]:
    """Return the fingerprint of a job's last table, and the run that pushed it, None if a person did."""
    item = table.get(job_pk(job_id), JOB_SORT, attributes=PUSHED_ATTRIBUTES) or {}
    return item.get("pushed_fingerprint"), item.get("pushed_run")


def remember_pushed(table: Table, job_id: str, ticket_key: str, shown: str, run: str | None) -> None:
    """Remember a table by its fingerprint, unless the job was deleted or has another ticket by now."""
    known = {"pushed_fingerprint": shown} if run is None else {"pushed_fingerprint": shown, "pushed_run": run}
    gone = ["pushed_run"] if run is None else []
    same_ticket = Attr("jira_ticket_key").eq(ticket_key)
    write_if_current(table, Update(job_pk(job_id), JOB_SORT, set=known, remove=gone, condition=same_ticket))


def failed(failure: Exception, ticket_key: str, *, is_open: bool = False) -> Outcome:
    """Return the outcome of a push or comment that has failed."""
    match failure:
        case HeldError():
            error = BUSY
        case MalformedKeyError():
            error = f"{ticket_key} is not the key of a Jira ticket"
        case _:
            error = explain(failure)
    details = (failure.details or None) if isinstance(failure, JiraStatusError) else None
    return Outcome("failed", ticket_key, error, details, is_open=is_open)


def log_failure(job_id: str, outcome: Outcome) -> None:
    ticket, cause, details = outcome.ticket_key, outcome.error, outcome.details
    logger.warning("a push failed", job=job_id, ticket=ticket, cause=cause, details=details)


@dataclass(frozen=True, slots=True)
class Pusher:
    """Writes where jobs stand to their tickets. One per container."""

    table: Table
    access: JiraAccess
    now: Callable[[], datetime] = clock.now
    pace: Pace = field(default_factory=Pace)

    def push(self, job_id: str, settings: JobSettings, deadline: Deadline, attempt: Try) -> Outcome:
        """Append the status tables of a job's paths to its ticket's description."""
        job, paths = load_job(self.table, job_id)
        key = job.jira_ticket_key
        if key is None:
            return Outcome("failed", "", NOT_LINKED)
        if not paths:
            return Outcome("failed", key, NO_PATHS)
        statuses = statuses_of(paths)

        def done(_appended: Appended) -> None:
            shown = fingerprint(settings.external_id, key, statuses)
            try:
                remember_pushed(self.table, job.id, key, shown, None)
            except AWS_FAULTS:
                # The table stands; the next run pushes it again.
                logger.warning("a push is not remembered", job=job.id, exc_info=True)

        patience = deadline.sooner(PATIENCE_SECONDS)
        try:
            ticket = self.ticket(key, settings, deadline)
            appended = self.append(ticket, statuses, replace(attempt, done=done), patience)
        except HeldError as held:
            return failed(held, key)
        except FAILURES as failure:
            outcome = failed(failure, key, is_open=isinstance(failure, UnsettledWriteError))
            log_failure(job_id, outcome)
            return outcome
        return Outcome("pushed", key, appended.note)

    def append(
        self, ticket: PushedTicket, statuses: Sequence[PathStatus], attempt: Try, patience: Deadline
    ) -> Appended:
        """Append the tables to a ticket's description, while no other push touches it.

        HeldError if an earlier push to it outlasts the patience.
        """
        day = self.now().astimezone(UTC).date()
        held = partial(
            hold, self.table, now=self.now, patience=patience, sleep=self.pace.sleep, chance=self.pace.random
        )
        was_moved = False
        # A ticket that was moved is found by its former key, too; two jobs must not take it for two tickets.
        while True:
            with held(f"PUSH_LEASE#{ticket.identity}", "PUSH_LEASE", LEASE) as lease:
                read = ticket.read()
                if was_moved or read.key.upper() == ticket.key.upper():
                    appending = Appending(ticket, read, statuses, day, attempt)
                    try:
                        appended = appending.run()
                    except UnsettledWriteError:
                        lease.must_run_out = True
                        raise
                    attempt.done(appended)
                    return appended
            ticket.key, was_moved = read.key, True

    def ticket(self, key: str, settings: JobSettings, deadline: Deadline) -> PushedTicket:
        """Return a ticket to work on. Jira is not called yet. Some time is kept back to settle a write."""
        client = partial(open_client, self.access, settings)
        working = client(deadline.sooner(deadline.left() - SETTLING_SECONDS))
        return PushedTicket(key, working, partial(client, deadline), self.now, self.pace)

    def comment(self, job_id: str, settings: JobSettings, deadline: Deadline, attempt: Try) -> Outcome:
        """Post the status summary of a job as a comment on its ticket."""
        job, paths = load_job(self.table, job_id)
        key = job.jira_ticket_key
        if key is None:
            return Outcome("failed", "", NOT_LINKED)
        memo = attempt.memo
        first_try = self.now() if memo is None else clock.parse_iso(memo["at"])
        posted = 0
        try:
            ticket = self.ticket(key, settings, deadline)
            if memo is None:
                attempt.remember({"at": clock.iso_milliseconds(first_try)})
            for number, content in enumerate(summary(job.name, statuses_of(paths), ticket.measure)):
                ticket.comment(content, f"{attempt.event} {number}", first_try, tried=memo is not None)
                posted += 1
        except FAILURES as failure:
            lost = isinstance(failure, JiraError) and failure.outcome_unknown
            outcome = failed(failure, key, is_open=lost or posted > 0)
            log_failure(job_id, outcome)
            return outcome
        return Outcome("pushed", key)
