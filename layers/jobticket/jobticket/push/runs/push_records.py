"""Push records: what became of a job in a run, and which worker has it. They make a push happen once a run.

A worker creates the record when it first takes the job::

    (absent) ──> pushing ──> pushed | skipped | failed
        └──> skipped └──> waiting ──> pushing …

Each step is a conditional write, so of two workers with the same message one goes on. ``pushing`` is leased:
when a worker dies, its lease expires, and the next one finds the mark of what was about to be written. The
sweep finds unfinished records in the index ``pushes_due``; people find outcomes in ``pushes_by_time``.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from jobticket import clock
from jobticket.dataclass import dataclass
from jobticket.history.records import Stamp, record
from jobticket.jobs.layout import job_pk
from jobticket.store.lease import LEASE_ATTRIBUTES, Lease, free
from jobticket.store.table import Delete, Item, Put, Table, Update
from jobticket.store.unit_of_work import (
    ABSENT,
    PRESENT,
    StaleError,
    UnitOfWork,
    discard,
    write,
    write_if_current,
)

DUE_INDEX = "pushes_due"
BY_TIME_INDEX = "pushes_by_time"
KEPT = timedelta(days=90)
#: How long a worker holds a job: longer than it may work on it.
HELD = timedelta(seconds=75)
#: A job that was queued again is due again after this, in case its message was lost.
QUEUED_AGAIN = timedelta(minutes=5)

Status = Literal["pushed", "skipped", "failed", "waiting"]
STATUSES: tuple[Status, ...] = ("pushed", "skipped", "failed", "waiting")
UNMARKED = Attr("mark").not_exists()
#: How many records are read to find the oldest run.
NEXT_ONES = 25
#: Where records wait whose site is not known.
NO_SITE = "-"


class TakenOverError(Exception):
    """Another worker has taken the job."""


class MarkedError(Exception):
    """An earlier try died when it may have written, and perhaps overwritten somebody's edit."""

    def __init__(self, ticket_key: str) -> None:
        super().__init__(f"the outcome of a write to {ticket_key} is not known")
        self.ticket_key = ticket_key


@dataclass(frozen=True, slots=True)
class Ref:
    """A job in a run, and who began the run. A push outside of any run has no run id."""

    job_id: str
    run_id: str
    by: str


@dataclass(frozen=True, slots=True)
class PushClaim:
    """The right to push a job in a run, and the number of tries, this one included.

    Mark and fingerprint tell what an earlier try was about to write, and what that would have shown.
    """

    ref: Ref
    lease: Lease
    tries: int
    mark: Mapping[str, Any] | None
    fingerprint: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a push or comment; ``error`` tells what the caller should know, also of a success.

    The details are Jira's own messages, if it refused. A waiting push may be tried again at ``not_before``,
    and has used up a try if it ``costs_try``. Of a failure that ``is_open``, something may stand at Jira.
    """

    status: Status
    ticket_key: str
    error: str | None = None
    details: Mapping[str, Any] | None = None
    site: str = NO_SITE
    not_before: datetime | None = None
    costs_try: bool = True
    is_open: bool = False


def pushes_pk(job_id: str) -> str:
    return f"PUSHES#{job_id}"


def list_pk(status: str) -> str:
    return f"PUSHES#{status}"


def due_pk(site: str) -> str:
    return f"DUE#{site}"


@dataclass(frozen=True, slots=True)
class Records:
    """Stores the records in the table of jobs."""

    table: Table
    now: Callable[[], datetime] = clock.now

    def claim(self, ref: Ref, ticket_key: str, site: str) -> PushClaim | None:
        """Take a job; None if it is done, waits for its time, or another worker has it."""
        now = self.now()
        lease = Lease.begin(now, HELD)
        due = {"due_pk": due_pk(site), "due_at": clock.epoch_milliseconds(lease.until)}
        update = Update(
            pushes_pk(ref.job_id),
            ref.run_id,
            set=_constant(ref, ticket_key, now) | {"state": "pushing"} | due | lease.attributes(),
            remove=["not_before", "push_list", "push_at"],
            condition=_free(now),
        )
        item = write_if_current(self.table, update)
        if item is None:
            return None
        return PushClaim(ref, lease, item.get("tries", 0) + 1, item.get("mark"), item.get("fingerprint"))

    def remember(self, claim: PushClaim, mark: Mapping[str, Any], fingerprint: str) -> None:
        """Store the mark of the next write; TakenOverError if another worker has the job by now."""
        kept = {"mark": mark, "fingerprint": fingerprint}
        pk, run = pushes_pk(claim.ref.job_id), claim.ref.run_id
        write(self.table, Update(pk, run, set=kept, condition=claim.lease.held()), otherwise=TakenOverError())

    def conclude(self, ref: Ref, outcome: Outcome, claim: PushClaim | None = None) -> bool:
        """Write an outcome; tell whether it was ours to write.

        Without a claim, the outcome was clear without a try. MarkedError if such a push is to be skipped, and
        an earlier try may have written.
        """
        now = self.now()
        condition = _free(now) if claim is None else claim.lease.held()
        must_be_unmarked = claim is None and outcome.status == "skipped"
        if must_be_unmarked:
            condition &= UNMARKED
        set_, remove = _concluded(ref, outcome, now), [*LEASE_ATTRIBUTES]
        if "error" not in set_:
            remove.append("error")
        if claim is not None:
            set_["tries"] = claim.tries if outcome.costs_try else claim.tries - 1
        if outcome.status == "waiting":
            set_ |= _due(outcome.site, outcome.not_before or now)
        else:
            remove += ["due_pk", "due_at", "not_before", "mark", "fingerprint"]
        work = UnitOfWork(self.table)
        work.add(Update(pushes_pk(ref.job_id), ref.run_id, set=set_, remove=remove, condition=condition))
        _tell(work, ref, outcome, now)
        try:
            work.commit()
        except StaleError as stale:
            if must_be_unmarked:
                _require_unmarked(stale.item)
            return False
        return True

    def drop(self, ref: Ref) -> None:
        """Forget a waiting job that has nothing to push any more; MarkedError as ``conclude``."""
        condition = PRESENT & _free(self.now()) & UNMARKED
        _require_unmarked(discard(self.table, Delete(pushes_pk(ref.job_id), ref.run_id, condition)))

    def revive(self, job_id: str, run_id: str) -> Ref | None:
        """Let a failed job wait for a worker again, with all its tries; None if it has not failed."""
        now = self.now()
        waiting = _listed(job_id, run_id, "waiting", now) | _due(NO_SITE, now)
        failed = Attr("state").eq("failed")
        update = Update(pushes_pk(job_id), run_id, set=waiting, remove=["tries"], condition=failed)
        item = write_if_current(self.table, update)
        return None if item is None else Ref(job_id, run_id, item["by"])

    def record(self, ref: Ref, outcome: Outcome) -> None:
        """Write down a push that was made outside of any run."""
        now = self.now()
        item = _concluded(ref, outcome, now)
        item |= {"pk": pushes_pk(ref.job_id), "sk": f"{item['at']}#{secrets.token_urlsafe(6)}"}
        with UnitOfWork(self.table) as work:
            work.add(Put(item))
            _tell(work, ref, outcome, now)

    def due(self, site: str, limit: int) -> Iterator[Ref]:
        """Read what is due at a site, the oldest first."""
        now = clock.epoch_milliseconds(self.now())
        condition = Key("due_pk").eq(due_pk(site)) & Key("due_at").lte(now)
        page = self.table.query(condition, index=DUE_INDEX, limit=limit)
        for item in page.items:
            yield Ref(item["job_id"], item["sk"], item["by"])

    def oldest_run(self, site: str) -> str | None:
        """Return the earliest run of the next few jobs that wait at a site."""
        page = self.table.query(Key("due_pk").eq(due_pk(site)), index=DUE_INDEX, limit=NEXT_ONES)
        return min((item["sk"] for item in page.items), default=None)

    def queued_again(self, ref: Ref) -> None:
        """Put off when a job is due again, because it was queued."""
        now = self.now()
        later = clock.epoch_milliseconds(now + QUEUED_AGAIN)
        is_due = Attr("due_pk").exists() & Attr("due_at").lte(clock.epoch_milliseconds(now))
        update = Update(pushes_pk(ref.job_id), ref.run_id, set={"due_at": later}, condition=is_due)
        write_if_current(self.table, update)  # else a worker has it


def _constant(ref: Ref, ticket_key: str, now: datetime) -> Item:
    same = {"job_id": ref.job_id, "by": ref.by, "ticket_key": ticket_key}
    run = {"run_id": ref.run_id} if ref.run_id else {}
    return {**same, **run, "expires_at": clock.epoch(now + KEPT)}


def _listed(job_id: str, run_id: str, status: Status, now: datetime) -> Item:
    """Return a state, and its place in the list of the state."""
    moment = clock.iso_milliseconds(now)
    place = {"push_list": list_pk(status), "push_at": f"{moment}#{job_id}#{run_id}"}
    return {"state": status, "at": moment, **place}


def _due(site: str, not_before: datetime) -> Item:
    moment = clock.epoch_milliseconds(not_before)
    return {"not_before": moment, "due_pk": due_pk(site), "due_at": moment}


def _concluded(ref: Ref, outcome: Outcome, now: datetime) -> Item:
    """Return what every outcome has. The list's index holds ``error`` and nothing more of it."""
    item = _constant(ref, outcome.ticket_key, now) | _listed(ref.job_id, ref.run_id, outcome.status, now)
    if outcome.error:
        said = {"error": outcome.error, "details": outcome.details}
        item["error"] = said if outcome.details else outcome.error
    return item


def said_of(item: Item) -> Item:
    """Return an outcome's error, and Jira's own messages if there are any."""
    error = item.get("error")
    return error if isinstance(error, dict) else {"error": error}


def _free(now: datetime) -> ConditionBase:
    """Return the condition that a job is not leased, and due."""
    waiting = Attr("state").eq("waiting") & Attr("not_before").lte(clock.epoch_milliseconds(now))
    return ABSENT | waiting | (Attr("state").eq("pushing") & free(now))


def _tell(work: UnitOfWork, ref: Ref, outcome: Outcome, now: datetime) -> None:
    """Record in the job's history that a push has ended; one that was skipped changed nothing."""
    if outcome.status in ("pushed", "failed"):
        told = {"outcome": outcome.status, "ticket_key": outcome.ticket_key, "error": outcome.error}
        record(work, Stamp(now, ref.by), job_pk(ref.job_id), "pushed", run_id=ref.run_id or None, **told)


def _require_unmarked(item: Item | None) -> None:
    if item is not None and "mark" in item:
        raise MarkedError(item["ticket_key"])
