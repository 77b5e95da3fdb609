"""A repeated POST gets the first answer (contract: jobs.md, Common, ``Idempotency-Key``).

A key is claimed, under a lease, before the work starts. The record of the answer is part of the unit of work
that has the effect, so that a crash leaves either both or neither. A claim whose holder died can be taken
over once its lease has ended.

An effect outside the database (:class:`OutsideEffect`) is remembered before it is tried. As long as its
outcome is unknown, the claim is handed on, never forgotten: the next request with the key finds out first.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase

from jobticket import clock
from jobticket.aws import AWS_FAULTS
from jobticket.errors import ConflictError, InvalidError, RefusalError, UnprocessableError
from jobticket.observability import logger
from jobticket.shown import Shown
from jobticket.store.lease import Lease
from jobticket.store.table import Delete, Item, Put, Table, Update
from jobticket.store.unit_of_work import ABSENT, StaleError, UnitOfWork, discard, write, write_if_current
from jobticket.web.api import Answer, Request

#: How long a first answer is given again.
KEPT = timedelta(hours=24)
#: Longer than any function runs: a claim this old has no living holder.
LEASE = timedelta(seconds=60)

SORT_KEY = "IDEMPOTENCY"


@dataclass(slots=True)
class Claim:
    """The right to do the work of one key. A request without a key has a claim that keeps nothing.

    Attributes
    ----------
    pk
        The record's partition key; None when the request came without a key.
    answer
        What the first request with the key was answered; None if the work is still to be done.
    taken_over
        Whether an earlier holder died at this work, so that its effect may exist outside the database.
    settles_at
        Until when the effect of an earlier try may still come to light, if its outcome is unknown.
    memo
        What that try left behind to recognise its effect by, besides the mark.
    kept
        Whether an answer was added to a unit of work.
    """

    pk: str | None
    lease: Lease
    now: datetime
    answer: Answer | None = None
    taken_over: bool = False
    settles_at: datetime | None = None
    memo: Item | None = None
    kept: bool = False

    def keep(self, work: UnitOfWork, answer: Answer) -> None:
        """Add the record of an answer to the unit of work that has its effect."""
        self.kept = True
        for record in self.record(answer):
            work.add(record, otherwise=_under_way(1))

    def record(self, answer: Answer) -> list[Update]:
        """Return the write that keeps the answer, in a list that is empty without a key."""
        if self.pk is None:
            return []
        return [
            Update(
                self.pk,
                SORT_KEY,
                set={
                    "state": "done",
                    "status": answer.status,
                    "answer": gzip.compress(_json(answer.body), mtime=0),
                    "expires_at": clock.epoch(self.now + KEPT),
                },
                remove=["settles_at", "memo"],
                condition=self.lease.held(),
            )
        ]

    @property
    def mark(self) -> str | None:
        """A stable name for this work, to recognise its effect at Jira by; None without a key."""
        return None if self.pk is None else self.pk.removeprefix("IDEMPOTENCY#")

    def unrecorded(self) -> ConditionBase:
        """Return the condition that the claim is still ours and no answer was kept."""
        return self.lease.held() & Attr("state").eq("under way")


def _under_way(seconds: float) -> ConflictError:
    return ConflictError(
        "A request with this Idempotency-Key is under way", retry_after=max(1, math.ceil(seconds))
    )


class OutsideEffect:
    """The memory of an effect that no transaction of the database covers.

    Parameters
    ----------
    table
        Where the claim is.
    claim
        The claim; one without a key has no memory, and every method does nothing.
    """

    def __init__(self, table: Table, claim: Claim) -> None:
        self._table = table
        self._claim = claim

    @property
    def mark(self) -> str | None:
        """A stable name to recognise the effect by; None without a key."""
        return self._claim.mark

    @property
    def settles_at(self) -> datetime | None:
        """Until when the effect of an earlier try may still come to light."""
        return self._claim.settles_at

    def begin(self, settles_at: datetime, memo: Item | None = None) -> None:
        """Remember, before it is tried, that the effect may exist, and until when it may come to light.

        Parameters
        ----------
        memo
            What whoever repeats the request is to know.

        Raises
        ------
        ConflictError
            If the claim was taken over meanwhile.
        """
        self._note(set_={"settles_at": clock.epoch(settles_at), **({"memo": memo} if memo else {})})

    def undone(self) -> None:
        """Remember that there is certainly no effect."""
        self._note(remove=["settles_at", "memo"])

    def _note(self, set_: dict[str, Any] | None = None, remove: Sequence[str] = ()) -> None:
        if self._claim.pk is None:
            return
        note = Update(
            self._claim.pk, SORT_KEY, set=set_ or {}, remove=remove, condition=self._claim.unrecorded()
        )
        write(self._table, note, otherwise=_under_way(1))


@contextlib.contextmanager
def claimed(request: Request, table: Table, now: datetime, *, route: str | None = None) -> Iterator[Claim]:
    """Claim the request's key for a ``with`` block, which does the work unless ``claim.answer`` is there.

    The block commits ``claim.keep(work, answer)`` together with its effect. It may leave that out (an answer
    without an effect, such as ``{success: false}``): then the key stays free, as after a refusal. Any other
    exception leaves the outcome open: the claim stays until its lease ends.

    Parameters
    ----------
    route
        What the key is for, where several routes do the same; else the request's own.

    Raises
    ------
    InvalidError
        If the key's length is not 1 to 255.
    ConflictError
        409, while the first request is under way.
    UnprocessableError
        422, if the key came with another body before.
    """
    key = request.headers.get("idempotency-key")
    lease = Lease.begin(now, LEASE)
    if key is None:
        yield Claim(None, lease, now)
        return
    if not 1 <= len(key) <= 255:
        raise InvalidError("Idempotency-Key must have 1 to 255 characters")
    pk = "IDEMPOTENCY#" + _digest(request.caller.name, request.method, route or request.route, key)
    claim = _claim(table, Claim(pk, lease, now), _fingerprint(request))
    if claim.answer is not None:
        yield claim
        return
    try:
        yield claim
    except RefusalError:
        _release(table, claim)
        raise
    if not claim.kept:
        _release(table, claim)


def once(
    request: Request,
    table: Table,
    now: datetime,
    work: Callable[[Claim], Answer],
    *,
    route: str | None = None,
) -> Answer:
    """Do the work unless this key's work was done before; then give the first answer again."""
    with claimed(request, table, now, route=route) as claim:
        return claim.answer or work(claim)


def _claim(table: Table, claim: Claim, fingerprint: str) -> Claim:
    assert claim.pk is not None
    record: Item = {
        "pk": claim.pk,
        "sk": SORT_KEY,
        "state": "under way",
        "fingerprint": fingerprint,
        "expires_at": clock.epoch(claim.now + KEPT),
        **claim.lease.attributes(),
    }
    try:
        write(table, Put(record, ABSENT | Attr("expires_at").lte(clock.epoch(claim.now))))
    except StaleError as stale:
        earlier = stale.item or {}
    else:
        return claim
    if earlier.get("fingerprint") != fingerprint:
        raise UnprocessableError("Idempotency-Key was used with another request")
    if earlier.get("state") == "done":
        claim.answer = Answer(earlier["status"], json.loads(gzip.decompress(earlier["answer"])))
        return claim
    return _take_over(table, claim, record, earlier)


def _take_over(table: Table, claim: Claim, record: Item, earlier: Item) -> Claim:
    holder = Lease.of(earlier)
    if holder is None or holder.left(claim.now) > 0:
        raise _under_way(1 if holder is None else holder.left(claim.now))
    kept: Item = {name: earlier[name] for name in ("settles_at", "memo") if name in earlier}
    unchanged = holder.held() & Attr("state").eq("under way")
    write(table, Put({**record, **kept}, unchanged), otherwise=_under_way(1))
    claim.taken_over = True
    claim.settles_at = datetime.fromtimestamp(kept["settles_at"], UTC) if "settles_at" in kept else None
    claim.memo = kept.get("memo")
    return claim


def _release(table: Table, claim: Claim) -> None:
    """Free the key if no answer was recorded: a refusal is not kept.

    An outside effect whose outcome is unknown is kept: only the lease ends, and the next request finds out.
    The outcome stands whether or not this succeeds: a claim that stays ends with its lease.
    """
    assert claim.pk is not None
    forget = Delete(claim.pk, SORT_KEY, claim.unrecorded() & Attr("settles_at").not_exists())
    try:
        kept = discard(table, forget)
        if kept is not None and "settles_at" in kept:
            _hand_on(table, claim)
    except AWS_FAULTS:
        logger.warning("an idempotency key stays claimed until its lease ends", exc_info=True)


def _hand_on(table: Table, claim: Claim) -> None:
    assert claim.pk is not None
    ended = Lease(claim.lease.owner, claim.now).attributes()
    write_if_current(table, Update(claim.pk, SORT_KEY, set=ended, condition=claim.unrecorded()))


def keep(table: Table, claim: Claim, answer: Answer) -> None:
    """Record an answer whose effect lies outside the database, after the effect."""
    work = UnitOfWork(table)
    claim.keep(work, answer)
    work.commit()


def _fingerprint(request: Request) -> str:
    try:
        body = json.dumps(request.json, sort_keys=True)
    except RecursionError:  # so deeply nested that it could just be read
        raise InvalidError("Invalid JSON body") from None
    return _digest(body, json.dumps(request.path_parameters))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _json(body: Any) -> bytes:
    def model(value: Any) -> Any:
        if isinstance(value, Shown):
            return value.as_json()
        raise TypeError(f"{type(value).__name__} cannot be kept")

    return json.dumps(body, separators=(",", ":"), default=model).encode()
