"""The worker: takes messages of a run and pushes their jobs, each at most once.

Messages only wake. What has become of a job is in its record, so a message that comes twice, late or after a
crash does no harm, and one that fails is only one whose worker met a fault of ours. A fault is one job's: the
others of its message are pushed.
"""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.errors import NotFoundError
from jobticket.jira.client import Site
from jobticket.jira.errors import JiraError
from jobticket.jobs.jobs import load_job
from jobticket.jobs.model import JobSettings
from jobticket.jobs.settings import pushes_are_wanted, read_settings
from jobticket.observability import logger
from jobticket.push.appending import Appended
from jobticket.push.connection import FAILURES, explain
from jobticket.push.decisions import Verdict, judge
from jobticket.push.memory import read_pushed, remember_pushed
from jobticket.push.pushing import BUSY, Pusher, Try, details_of
from jobticket.push.queue import Jobs, PushQueue
from jobticket.push.records import NO_SITE, MarkedError, Outcome, PushClaim, Records, Ref, TakenOverError
from jobticket.push.sites import Place, Sites
from jobticket.push.status import PathStatus, fingerprint, statuses_of
from jobticket.push.ticket import PushedTicket
from jobticket.store.lease import HeldError
from jobticket.store.table import Table

#: What one push may take, with what it needs to settle a lost answer: less than a record is held for.
PUSH_SECONDS = 28.0
#: What is kept back to send the rest of a message again.
SPARE_SECONDS = 5.0
#: How long a push waits for another one to the same ticket before it lets others go first.
PATIENCE_SECONDS = 1.0
#: A message whose site has no place comes again after this, then after twice as long; then its jobs wait.
HOLD_BACK_SECONDS = 3.0
MOST_HOLD_BACKS = 3
NOTHING_LEFT = "There is nothing to push any more"
NO_PLACE = "Other jobs are being pushed to the same site"

#: How many jobs were pushed, skipped, failed; wait; were dropped, held back, left for later or to others; met
#: a fault.
Tally = Counter[str]


def hold_back_seconds(times: int, chance: float) -> float:
    """Return after how long a message comes again whose site has no place, each time later."""
    pause: float = HOLD_BACK_SECONDS * 2**times
    return pause * (0.5 + chance / 2)


class _KnownError(Exception):
    """Somebody else has pushed the job's table in another run, while this one waited for the ticket."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.error)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class _Task:
    """A job of a run.

    Attributes
    ----------
    connection
        By which its ticket is reached.
    only_settle
        Whether all that is left to do is to find out what an earlier try has done.
    """

    ref: Ref
    connection: str | None
    ticket_key: str
    statuses: Sequence[PathStatus]
    only_settle: bool = False

    @property
    def event(self) -> str:
        return f"push {self.ref.run_id} {self.ref.job_id}"

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.connection, self.ticket_key, self.statuses)


@dataclass(slots=True)
class _Shift:
    """The work on one message."""

    settings: JobSettings
    deadline: Deadline
    may_hold_back: bool = True
    place: Place | None = None
    held_back: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Worker:
    """Pushes what messages name. One a container.

    Parameters
    ----------
    pusher
        Does a push.
    records, sites
        What all workers know together.
    queue
        Where messages go that must come again.
    """

    table: Table
    pusher: Pusher
    records: Records
    sites: Sites
    queue: PushQueue
    now: Callable[[], datetime] = clock.now
    chance: Callable[[], float] = random.random

    def take(self, message: Jobs, deadline: Deadline) -> Tally:
        """Push the jobs of a message, one after the other.

        Jobs for which there is no time, or no place at their site, are queued again. Where the tally has a
        fault, the message must come again.
        """
        settings = read_settings(self.table)
        if not pushes_are_wanted(settings):
            return self._drop(message)
        shift = _Shift(settings, deadline, message.held_back < MOST_HOLD_BACKS)
        try:
            return self._work(message, shift)
        finally:
            self._leave(shift)

    def _drop(self, message: Jobs) -> Tally:
        for job_id in message.job_ids:
            # What a worker that died may have overwritten is seen to when pushes go on.
            with contextlib.suppress(MarkedError):
                self.records.drop(Ref(job_id, message.run_id, message.by))
        return Counter(dropped=len(message.job_ids))

    def _work(self, message: Jobs, shift: _Shift) -> Tally:
        tally: Tally = Counter()
        for position, job_id in enumerate(message.job_ids):
            if shift.deadline.left() < PUSH_SECONDS + SPARE_SECONDS:
                rest = message.job_ids[position:]
                self.queue.send([message.rest(rest)])
                tally["left"] += len(rest)
                break
            tally[self._push_safely(Ref(job_id, message.run_id, message.by), shift)] += 1
        if shift.held_back:
            again = replace(message.rest(shift.held_back), held_back=message.held_back + 1)
            self.queue.send([again], delay=hold_back_seconds(message.held_back, self.chance()))
        return tally

    def _push_safely(self, ref: Ref, shift: _Shift) -> str:
        try:
            return self._push(ref, shift)
        except Exception:
            # Whatever was done is in the records: when the message comes again, the rest is.
            logger.exception("a push met a fault", job=ref.job_id, run=ref.run_id)
            return "fault"

    def _push(self, ref: Ref, shift: _Shift) -> str:
        task = self._load(ref, shift.settings)
        try:
            if task is None:
                self.records.drop(ref)
                return "dropped"
            known = self._known(task, shift.settings)
            if known is not None:
                return self._conclude(task, known)
        except MarkedError as marked:
            statuses = () if task is None else task.statuses
            connection = shift.settings.external_id
            task = _Task(ref, connection, marked.ticket_key, statuses, only_settle=True)
        return self._reach(task, shift)

    def _reach(self, task: _Task, shift: _Shift) -> str:
        try:
            deadline = shift.deadline.sooner(PUSH_SECONDS)
            ticket = self.pusher.ticket(task.ticket_key, shift.settings, deadline)
        except FAILURES as failure:
            claim = self.records.claim(task.ref, task.ticket_key, NO_SITE)
            return "left" if claim is None else self._failed(task, claim, failure, None)
        return self._at_site(task, ticket, shift)

    def _load(self, ref: Ref, settings: JobSettings) -> _Task | None:
        """Return the job, None if it is deleted or has no ticket any more."""
        try:
            job, paths = load_job(self.table, ref.job_id)
        except NotFoundError:
            return None
        if job.jira_ticket_key is None:
            return None
        return _Task(ref, settings.external_id, job.jira_ticket_key, statuses_of(paths))

    def _known(self, task: _Task, settings: JobSettings) -> Outcome | None:
        """Return the outcome if there is nothing to push, None if there is."""

        def skipped(why: str) -> Outcome:
            return Outcome("skipped", task.ticket_key, why)

        if not task.statuses:
            return skipped("Job has no paths")
        last = read_pushed(self.table, task.ref.job_id)
        if last.run == task.ref.run_id:
            return Outcome("pushed", task.ticket_key)  # by a worker that died before it could say so
        if last.run is not None and last.run > task.ref.run_id:
            return skipped("A later run has pushed the job")
        unchanged = last.fingerprint == task.fingerprint
        return (
            skipped("Nothing has changed since the last push")
            if unchanged and settings.skip_unchanged
            else None
        )

    def _at_site(self, task: _Task, ticket: PushedTicket, shift: _Shift) -> str:
        site = ticket.client.site
        stopped = self.sites.stopped(site)
        if stopped is not None:
            self.sites.know(site)
            return self._conclude(
                task, Outcome("waiting", task.ticket_key, stopped.reason, None, site.api_url, stopped.until)
            )
        if not self._enter(shift, site):
            return self._hold_back(task, site, shift)
        claim = self.records.claim(task.ref, task.ticket_key, site.api_url)
        return "left" if claim is None else self._try(task, ticket, claim, shift)

    def _hold_back(self, task: _Task, site: Site, shift: _Shift) -> str:
        """Let a job come again soon; after several times, let it wait for the sweep, which keeps the pace."""
        if shift.may_hold_back:
            shift.held_back.append(task.ref.job_id)
            return "held_back"
        outcome = Outcome("waiting", task.ticket_key, NO_PLACE, None, site.api_url, self.now())
        return self._conclude(task, outcome)

    def _enter(self, shift: _Shift, site: Site) -> bool:
        """Take a place at a site, giving back the one at another; tell whether there was one."""
        place = shift.place
        enough = self.now() + timedelta(seconds=PUSH_SECONDS)
        if place is None or place.site != site.api_url or place.lease.until < enough:
            self._leave(shift)
            shift.place = self.sites.enter(site)
        return shift.place is not None

    def _leave(self, shift: _Shift) -> None:
        if shift.place is not None:
            self.sites.leave(shift.place)
            shift.place = None

    def _try(self, task: _Task, ticket: PushedTicket, claim: PushClaim, shift: _Shift) -> str:
        site = ticket.client.site
        try:
            appended = self.pusher.append(
                ticket,
                task.statuses,
                Try(task.event, claim.mark, partial(self._remember, task, claim, shift.settings)),
                patience=shift.deadline.sooner(PATIENCE_SECONDS),
                done=partial(self._done, task, claim),
                only_settle=task.only_settle,
            )
        except (HeldError, *FAILURES) as failure:
            return self._failed(task, claim, failure, site)
        except TakenOverError:
            return "left"
        except _KnownError as known:
            return self._conclude(task, known.outcome, claim)
        if appended.unchecked is not None and _may_look_again(appended.unchecked, claim):
            verdict = judge(appended.unchecked, claim.tries, self.chance())
            return self._wait(task, claim, verdict, appended.unchecked, site)
        self.sites.succeeded(site)
        if appended.by == "nobody":
            return self._conclude(task, Outcome("skipped", task.ticket_key, NOTHING_LEFT), claim)
        return self._conclude(task, Outcome("pushed", task.ticket_key, appended.note), claim)

    def _done(self, task: _Task, claim: PushClaim, appended: Appended) -> None:
        """Remember what was pushed, before another run looks what was."""
        if appended.by == "nobody":
            return
        if appended.unchecked is not None and _may_look_again(appended.unchecked, claim):
            return
        shown = claim.fingerprint if appended.by == "earlier" else None
        remember_pushed(
            self.table, task.ref.job_id, task.ticket_key, shown or task.fingerprint, task.ref.run_id
        )

    def _remember(
        self, task: _Task, claim: PushClaim, settings: JobSettings, mark: Mapping[str, Any]
    ) -> None:
        # Two runs at the same time: the other one may have had the ticket until now.
        known = None if mark["restored"] else self._known(task, settings)
        if known is not None:
            raise _KnownError(known)
        self.records.remember(claim, mark, task.fingerprint)

    def _failed(self, task: _Task, claim: PushClaim, failure: Exception, site: Site | None) -> str:
        verdict = judge(failure, claim.tries, self.chance())
        if verdict.becomes == "waiting":
            return self._wait(task, claim, verdict, failure, site)
        if site is not None:
            self.sites.failed(site, verdict)
        reason, details = explain(failure), details_of(failure)
        logger.warning(
            "a push failed", job=task.ref.job_id, ticket=task.ticket_key, cause=reason, details=details
        )
        return self._conclude(task, Outcome("failed", task.ticket_key, reason, details), claim)

    def _wait(
        self, task: _Task, claim: PushClaim, verdict: Verdict, failure: Exception, site: Site | None
    ) -> str:
        stopped = self.sites.failed(site, verdict) if site is not None else None
        not_before = self.now() + timedelta(seconds=verdict.seconds)
        if stopped is not None:
            not_before = max(not_before, stopped.until)
        outcome = Outcome(
            "waiting",
            task.ticket_key,
            BUSY if isinstance(failure, HeldError) else explain(failure),
            details_of(failure),
            NO_SITE if site is None else site.api_url,
            not_before,
            verdict.costs_try,
        )
        return self._conclude(task, outcome, claim)

    def _conclude(self, task: _Task, outcome: Outcome, claim: PushClaim | None = None) -> str:
        return outcome.status if self.records.conclude(task.ref, outcome, claim) else "left"


def _may_look_again(unchecked: JiraError, claim: PushClaim) -> bool:
    """Tell whether to look again later for an edit that the push may have overwritten."""
    return judge(unchecked, claim.tries, 0.0).becomes == "waiting"
