"""The worker: takes messages of a run and pushes their jobs, each at most once.

A message only wakes a worker; what became of a job is in its record. So a message may come twice, late or
after a crash. A message fails only if its worker met a fault of ours. That fault is one job's: the other jobs
of the message are pushed.
"""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.dataclass import dataclass, field, replace
from jobticket.errors import NotFoundError
from jobticket.jira.client import Site
from jobticket.jobs.jobs import load_job
from jobticket.jobs.model import JobSettings
from jobticket.jobs.settings import pushes_are_wanted, read_settings
from jobticket.observability import logger
from jobticket.push.appending import Appended, Try
from jobticket.push.connection import FAILURES
from jobticket.push.pushing import NO_PATHS, Pusher, failed, log_failure, read_pushed, remember_pushed
from jobticket.push.runs.decisions import judge
from jobticket.push.runs.push_records import (
    NO_SITE,
    MarkedError,
    Outcome,
    PushClaim,
    Records,
    Ref,
    TakenOverError,
)
from jobticket.push.runs.queue import Jobs, PushQueue
from jobticket.push.runs.run import count_outcomes
from jobticket.push.runs.sites import Place, Sites, way_to
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
#: A message whose site is full comes again after this, then after twice as long; then its jobs wait.
HOLD_BACK_SECONDS = 3.0
MOST_HOLD_BACKS = 3
NOTHING_LEFT = "There is nothing to push any more"
NO_PLACE = "Other jobs are being pushed to the same site"

#: How many jobs were pushed, skipped, failed or dropped, wait, were held back, were left for later or to
#: other workers, or met a fault.
Tally = Counter[str]


def hold_back_seconds(times: int, chance: float) -> float:
    """Return after how long a message comes again whose site is full: each time later."""
    pause: float = HOLD_BACK_SECONDS * 2**times
    return pause * (0.5 + chance / 2)


class _KnownError(Exception):
    """Another run has pushed the job's table while this one waited for the ticket."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.error)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class _Task:
    """A job of a run; ``only_settle`` if all that is left is to find out what an earlier try has done."""

    ref: Ref
    settings: JobSettings
    ticket_key: str
    statuses: Sequence[PathStatus]
    only_settle: bool = False

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.settings.external_id, self.ticket_key, self.statuses)


@dataclass(slots=True)
class _Shift:
    """The work on one message."""

    deadline: Deadline
    may_hold_back: bool
    place: Place | None = None
    held_back: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Worker:
    """Pushes what messages name. Records and sites are what all workers know together. One per container."""

    table: Table
    pusher: Pusher
    records: Records
    sites: Sites
    queue: PushQueue
    now: Callable[[], datetime] = clock.now
    chance: Callable[[], float] = random.random

    def take(self, message: Jobs, deadline: Deadline) -> Tally:
        """Push the jobs of a message, one after the other.

        Jobs for which there is no time, or no place at their site, are queued again. If the tally has a
        fault, the message must come again.
        """
        settings = read_settings(self.table)
        if pushes_are_wanted(settings):
            shift = _Shift(deadline, message.held_back < MOST_HOLD_BACKS)
            try:
                tally = self._work(message, settings, shift)
            finally:
                self._leave(shift)
        else:
            tally = self._drop(message)
        count_outcomes(self.table, message.run_id, tally)
        return tally

    def _drop(self, message: Jobs) -> Tally:
        for job_id in message.job_ids:
            # What a dead worker may have overwritten is settled when pushes resume.
            with contextlib.suppress(MarkedError):
                self.records.drop(Ref(job_id, message.run_id, message.by))
        return Counter(dropped=len(message.job_ids))

    def _work(self, message: Jobs, settings: JobSettings, shift: _Shift) -> Tally:
        tally: Tally = Counter()
        for position, job_id in enumerate(message.job_ids):
            if shift.deadline.left() < PUSH_SECONDS + SPARE_SECONDS:
                rest = message.job_ids[position:]
                self.queue.send([message.rest(rest)])
                tally["left"] += len(rest)
                break
            ref = Ref(job_id, message.run_id, message.by)
            try:
                tally[self._push(ref, settings, shift)] += 1
            except Exception:
                # What was done is in the records: when the message comes again, the rest is.
                logger.exception("a push met a fault", job=job_id, run=ref.run_id)
                tally["fault"] += 1
        if shift.held_back:
            again = replace(message.rest(shift.held_back), held_back=message.held_back + 1)
            self.queue.send([again], delay=hold_back_seconds(message.held_back, self.chance()))
        return tally

    def _push(self, ref: Ref, settings: JobSettings, shift: _Shift) -> str:
        task = self._load(ref, settings)
        try:
            if task is None:
                self.records.drop(ref)
                return "dropped"
            if known := self._known(task):
                return self._conclude(task, known)
        except MarkedError as marked:
            statuses = () if task is None else task.statuses
            task = _Task(ref, settings, marked.ticket_key, statuses, only_settle=True)
        try:
            ticket = self.pusher.ticket(task.ticket_key, settings, shift.deadline.sooner(PUSH_SECONDS))
        except FAILURES as failure:
            claim = self.records.claim(ref, task.ticket_key, NO_SITE)
            return "left" if claim is None else self._failed(task, claim, failure, None)
        return self._at_site(task, ticket, shift)

    def _load(self, ref: Ref, settings: JobSettings) -> _Task | None:
        """Return the job, None if it is deleted or has no ticket any more."""
        try:
            job, paths = load_job(self.table, ref.job_id)
        except NotFoundError:
            return None
        key = job.jira_ticket_key
        return None if key is None else _Task(ref, settings, key, statuses_of(paths))

    def _known(self, task: _Task) -> Outcome | None:
        """Return the outcome if there is nothing to push, None if there is."""
        shown, last_run = read_pushed(self.table, task.ref.job_id)
        if not task.statuses:
            why = NO_PATHS
        elif last_run == task.ref.run_id:
            return Outcome("pushed", task.ticket_key)  # by a worker that died before it could say so
        elif last_run is not None and last_run > task.ref.run_id:
            why = "A later run has pushed the job"
        elif shown == task.fingerprint and task.settings.skip_unchanged:
            why = "Nothing has changed since the last push"
        else:
            return None
        return Outcome("skipped", task.ticket_key, why)

    def _at_site(self, task: _Task, ticket: PushedTicket, shift: _Shift) -> str:
        site = ticket.client.site = self.sites.resumed(ticket.client.site)
        # Due at once: while something is stopped there, the sweep queues nothing of it.
        wait = partial(Outcome, "waiting", task.ticket_key, site=way_to(site), not_before=self.now())
        if stopped := self.sites.stopped(site):
            self.sites.know(site)
            return self._conclude(task, wait(stopped.reason))
        if self._enter(shift, site):
            claim = self.records.claim(task.ref, task.ticket_key, way_to(site))
            return "left" if claim is None else self._try(task, ticket, claim, shift)
        if shift.may_hold_back:
            shift.held_back.append(task.ref.job_id)
            return "held_back"
        return self._conclude(task, wait(NO_PLACE))  # the sweep keeps the pace

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
        ref, site = task.ref, ticket.client.site
        remember, done = partial(self._remember, task, claim), partial(self._done, task, claim)
        attempt = Try(f"push {ref.run_id} {ref.job_id}", claim.mark, remember, done, task.only_settle)
        patience = shift.deadline.sooner(PATIENCE_SECONDS)
        try:
            appended = self.pusher.append(ticket, task.statuses, attempt, patience)
        except (HeldError, *FAILURES) as failure:
            return self._failed(task, claim, failure, site)
        except TakenOverError:
            return "left"
        except _KnownError as known:
            return self._conclude(task, known.outcome, claim)
        if appended.unchecked is not None and _may_look_again(appended, claim):
            return self._failed(task, claim, appended.unchecked, site)
        self.sites.succeeded(site)
        if appended.by == "nobody":
            return self._conclude(task, Outcome("skipped", task.ticket_key, NOTHING_LEFT), claim)
        return self._conclude(task, Outcome("pushed", task.ticket_key, appended.note), claim)

    def _remember(self, task: _Task, claim: PushClaim, mark: Mapping[str, Any]) -> None:
        # Two runs at the same time: the other one may have had the ticket until now.
        known = None if mark["restored"] else self._known(task)
        if known is not None:
            raise _KnownError(known)
        self.records.remember(claim, mark, task.fingerprint)

    def _done(self, task: _Task, claim: PushClaim, appended: Appended) -> None:
        """Remember what was pushed, before another run reads it."""
        if appended.by != "nobody" and not _may_look_again(appended, claim):
            shown = claim.fingerprint if appended.by == "earlier" else None
            ref = task.ref
            remember_pushed(self.table, ref.job_id, task.ticket_key, shown or task.fingerprint, ref.run_id)

    def _failed(self, task: _Task, claim: PushClaim, failure: Exception, site: Site | None) -> str:
        verdict = judge(failure, claim.tries, self.chance())
        if site is not None:
            self.sites.failed(site, verdict)
        outcome = failed(failure, task.ticket_key)
        if verdict.becomes == "waiting":
            pause = 0.0 if verdict.stop else verdict.seconds
            outcome = replace(
                outcome,
                status="waiting",
                site=NO_SITE if site is None else way_to(site),
                not_before=self.now() + timedelta(seconds=pause),
                costs_try=verdict.costs_try,
            )
        else:
            log_failure(task.ref.job_id, outcome)
        return self._conclude(task, outcome, claim)

    def _conclude(self, task: _Task, outcome: Outcome, claim: PushClaim | None = None) -> str:
        return outcome.status if self.records.conclude(task.ref, outcome, claim) else "left"


def _may_look_again(appended: Appended, claim: PushClaim) -> bool:
    """Tell whether to look again later for an edit that the push may have overwritten."""
    unchecked = appended.unchecked
    return unchecked is not None and judge(unchecked, claim.tries, 0.0).becomes == "waiting"
