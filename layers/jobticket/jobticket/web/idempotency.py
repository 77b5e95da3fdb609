"""``Idempotency-Key``: a repeated POST gets the first answer.

A key is claimed, under a lease, before the work starts. The record of the answer is part of the unit of work
that has the effect, so a crash leaves either both or neither. If the holder dies, the next request takes the
claim over once the lease has expired.

An effect outside the database is remembered before it is tried (:meth:`Claim.begin`). While its outcome is
unknown the claim is handed on, never forgotten: the next request with the key finds out first.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from boto3.dynamodb.conditions import Attr, ConditionBase

from jobticket import clock
from jobticket.aws import AWS_FAULTS
from jobticket.dataclass import dataclass
from jobticket.errors import ConflictError, InvalidError, RefusalError, UnprocessableError
from jobticket.observability import logger
from jobticket.store.lease import Lease
from jobticket.store.table import Delete, Item, Put, Table, Update
from jobticket.store.unit_of_work import ABSENT, StaleError, UnitOfWork, discard, write, write_if_current
from jobticket.web.api import Answer, Request, to_json

#: How long the first answer is kept.
KEPT = timedelta(hours=24)
#: Longer than a request can take.
LEASE = timedelta(seconds=60)

SORT_KEY = "IDEMPOTENCY"
#: What is remembered of an outside effect until its outcome is known.
UNSETTLED = ("settles_at", "memo")


@dataclass(slots=True)
class Claim:
    """The right to do the work of one key. A request without a key has a claim that remembers nothing."""

    table: Table
    #: The record's partition key; None when the request came without a key.
    pk: str | None
    lease: Lease
    now: datetime
    #: The answer to the first request with the key; None if the work is still to do.
    answer: Answer | None = None
    #: Whether an earlier holder died during the work, so that its effect outside the database may exist.
    taken_over: bool = False
    #: Until when the effect of an earlier try may still appear; None if its outcome is known.
    settles_at: datetime | None = None
    #: What that try left to recognise its effect by, beside the mark.
    memo: Item | None = None
    #: Whether an answer was added to a unit of work.
    kept: bool = False

    @property
    def mark(self) -> str | None:
        """A stable name by which to recognise an effect of this work; None without a key."""
        return None if self.pk is None else self.pk.removeprefix("IDEMPOTENCY#")

    def keep(self, work: UnitOfWork, answer: Answer) -> None:
        """Add the record of an answer to the unit of work that has its effect, or that follows it."""
        self.kept = True
        if self.pk is None:
            return
        done = {
            "state": "done",
            "status": answer.status,
            "answer": gzip.compress(to_json(answer.body), mtime=0),
            "expires_at": clock.epoch(self.now + KEPT),
        }
        self._change(work, done, UNSETTLED, self.lease.held())

    def begin(self, settles_at: datetime, memo: Item | None = None) -> None:
        """Remember, before an effect outside the database is tried, until when it may appear.

        ``memo`` is what a repeat of the request needs to know.
        """
        self._note({"settles_at": clock.epoch(settles_at), **({"memo": memo} if memo else {})})

    def undone(self) -> None:
        """Remember that the effect does not exist."""
        self._note({}, UNSETTLED)

    def _note(self, changes: Item, remove: Sequence[str] = ()) -> None:
        work = UnitOfWork(self.table)
        self._change(work, changes, remove, self.unanswered())
        work.commit()

    def _change(
        self, work: UnitOfWork, changes: Item, remove: Sequence[str], condition: ConditionBase
    ) -> None:
        if self.pk is not None:
            change = Update(self.pk, SORT_KEY, set=changes, remove=remove, condition=condition)
            work.add(change, otherwise=_under_way(1))

    def unanswered(self) -> ConditionBase:
        """Return the condition that the claim is still ours and has no answer."""
        return self.lease.held() & Attr("state").eq("under way")


def _under_way(seconds: float) -> ConflictError:
    return ConflictError(
        "A request with this Idempotency-Key is under way", retry_after=max(1, math.ceil(seconds))
    )


@contextlib.contextmanager
def claimed(request: Request, table: Table, now: datetime, *, route: str | None = None) -> Iterator[Claim]:
    """Claim the request's key for a ``with`` block, which does the work unless there is a ``claim.answer``.

    The block commits ``claim.keep(work, answer)`` together with its effect. Without it (the answer tells of
    no effect), or after a refusal, the key is free again. After any other exception the outcome is unknown,
    and the claim stays until its lease expires. ``route`` is a name that routes with the same effect share.

    Raise ``ConflictError`` while the first request is under way, ``UnprocessableError`` if the key came with
    another body before.
    """
    key = request.headers.get("idempotency-key")
    lease = Lease.begin(now, LEASE)
    if key is None:
        yield Claim(table, None, lease, now)
        return
    if not 1 <= len(key) <= 255:
        raise InvalidError("Idempotency-Key must have 1 to 255 characters")
    pk = "IDEMPOTENCY#" + _digest(request.caller.name, request.method, route or request.route, key)
    claim = _claim(Claim(table, pk, lease, now), pk, _fingerprint(request))
    if claim.answer is not None:
        yield claim
        return
    try:
        yield claim
    except RefusalError:
        _release(claim, pk)
        raise
    if not claim.kept:
        _release(claim, pk)


def _claim(claim: Claim, pk: str, fingerprint: str) -> Claim:
    record: Item = {
        "pk": pk,
        "sk": SORT_KEY,
        "state": "under way",
        "fingerprint": fingerprint,
        "expires_at": clock.epoch(claim.now + KEPT),
        **claim.lease.attributes(),
    }
    try:
        write(claim.table, Put(record, ABSENT | Attr("expires_at").lte(clock.epoch(claim.now))))
    except StaleError as stale:
        earlier = stale.item or {}
    else:
        return claim
    if earlier.get("fingerprint") != fingerprint:
        raise UnprocessableError("Idempotency-Key was used with another request")
    if earlier.get("state") == "done":
        claim.answer = Answer(earlier["status"], json.loads(gzip.decompress(earlier["answer"])))
        return claim
    return _take_over(claim, record, earlier)


def _take_over(claim: Claim, record: Item, earlier: Item) -> Claim:
    holder = Lease.of(earlier)
    if holder is None or holder.left(claim.now) > 0:
        raise _under_way(1 if holder is None else holder.left(claim.now))
    kept: Item = {name: earlier[name] for name in UNSETTLED if name in earlier}
    unchanged = holder.held() & Attr("state").eq("under way")
    write(claim.table, Put({**record, **kept}, unchanged), otherwise=_under_way(1))
    claim.taken_over = True
    claim.settles_at = datetime.fromtimestamp(kept["settles_at"], UTC) if "settles_at" in kept else None
    claim.memo = kept.get("memo")
    return claim


def _release(claim: Claim, pk: str) -> None:
    """Free the key if no answer was recorded.

    If an outside effect has an unknown outcome, only the lease ends, and the next request finds out. A
    failure here does not change the outcome of the request: the lease expires.
    """
    forget = Delete(pk, SORT_KEY, claim.unanswered() & Attr("settles_at").not_exists())
    try:
        kept = discard(claim.table, forget)
        if kept is not None and "settles_at" in kept:
            ended = Lease(claim.lease.owner, claim.now).attributes()
            write_if_current(claim.table, Update(pk, SORT_KEY, set=ended, condition=claim.unanswered()))
    except AWS_FAULTS:
        logger.warning("an idempotency key stays claimed until its lease expires", exc_info=True)


def _fingerprint(request: Request) -> str:
    try:
        body = json.dumps(request.json, sort_keys=True)
    except RecursionError:  # nested too deeply to be written, though not to be read
        raise InvalidError("Invalid JSON body") from None
    return _digest(body, json.dumps(request.path_parameters))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
