"""A repeated POST gets the first answer (contract: jobs.md, Common, ``Idempotency-Key``).

A key is claimed before the work starts. The record of the answer commits together with the effect, in the
same transaction, so that a crash leaves either both or neither. A claim whose holder died can be taken over
once its lease has run out.

An effect outside the database (:class:`OutsideEffect`) is remembered before it is tried. As long as nobody
knows what became of it, the claim is handed on, never forgotten: whoever repeats the request finds out first.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase

from jobticket import clock
from jobticket.aws import AWS_FAULTS
from jobticket.dynamo import ConditionFailedError, Item, Table, Update
from jobticket.errors import ConflictError, InvalidError, RefusalError, UnprocessableError
from jobticket.observability import logger
from jobticket.shown import Shown
from jobticket.web.api import Answer, Request

__all__ = ["KEPT", "LEASE", "Claim", "OutsideEffect", "keep", "once"]

#: How long a first answer is given again.
KEPT = timedelta(hours=24)
#: Longer than any function runs: a claim this old has no living holder.
LEASE = timedelta(seconds=60)

SORT_KEY = "IDEMPOTENCY"


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to do the work of one key, or of none.

    Attributes
    ----------
    pk
        The record's partition key; None when the request came without a key.
    taken_over
        Whether an earlier holder died at this work, so that its effect may exist outside the database.
    settles_at
        Until when the effect of an earlier try may still come to light, if one was tried and never settled.
    memo
        What that try left behind to recognise its effect by, besides the mark.
    """

    pk: str | None
    owner: str
    now: datetime
    taken_over: bool = False
    settles_at: datetime | None = None
    memo: Item | None = None

    def record(self, answer: Answer) -> list[Update]:
        """Return the write that keeps the answer, for the transaction that has the effect.

        It is a list so that it can be spliced in: without a key there is nothing to keep.
        """
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
                remove=["lease_until", "settles_at", "memo"],
                condition=Attr("owner").eq(self.owner),
            )
        ]

    @property
    def mark(self) -> str | None:
        """A stable name for this work, to recognise its effect at Jira by; None without a key."""
        return None if self.pk is None else self.pk.removeprefix("IDEMPOTENCY#")


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
        condition = Attr("owner").eq(self._claim.owner) & Attr("state").eq("under way")
        try:
            self._table.update(
                Update(self._claim.pk, SORT_KEY, set=set_ or {}, remove=remove, condition=condition)
            )
        except ConditionFailedError:
            raise ConflictError("A request with this Idempotency-Key is under way", retry_after=1) from None


def once(
    request: Request,
    table: Table,
    now: datetime,
    work: Callable[[Claim], Answer],
    *,
    route: str | None = None,
) -> Answer:
    """Do the work unless this key's work was done before; then give the first answer again.

    Parameters
    ----------
    route
        What the key is for, where several routes do the same; else the request's own.
    work
        Takes the claim and must commit ``claim.record(answer)`` together with its effect. It may leave that
        out (an answer without an effect, such as ``{success: false}``): then the key stays free.

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
    owner = secrets.token_urlsafe(12)
    if key is None:
        return work(Claim(None, owner, now))
    if not 1 <= len(key) <= 255:
        raise InvalidError("Idempotency-Key must have 1 to 255 characters")
    pk = "IDEMPOTENCY#" + _digest(request.caller.name, request.method, route or request.route, key)
    claim = _claim(table, Claim(pk, owner, now), _fingerprint(request))
    if isinstance(claim, Answer):
        return claim
    try:
        answer = work(claim)
    except RefusalError:
        _release(table, claim)
        raise
    # Any other exception leaves the outcome open: the claim stays until its lease ends, and whoever takes it
    # over is told so.
    _release(table, claim)
    return answer


def _claim(table: Table, claim: Claim, fingerprint: str) -> Claim | Answer:
    assert claim.pk is not None
    record: Item = {
        "pk": claim.pk,
        "sk": SORT_KEY,
        "owner": claim.owner,
        "state": "under way",
        "fingerprint": fingerprint,
        "lease_until": clock.epoch(claim.now + LEASE),
        "expires_at": clock.epoch(claim.now + KEPT),
    }
    try:
        table.put(record, Attr("pk").not_exists() | Attr("expires_at").lte(clock.epoch(claim.now)))
    except ConditionFailedError as failed:
        earlier = failed.item or {}
    else:
        return claim
    if earlier.get("owner") == claim.owner:
        return claim  # the write had arrived, only its first answer was lost
    if earlier.get("fingerprint") != fingerprint:
        raise UnprocessableError("Idempotency-Key was used with another request")
    if earlier.get("state") == "done":
        return Answer(earlier["status"], json.loads(gzip.decompress(earlier["answer"])))
    return _take_over(table, claim, record, earlier)


def _take_over(table: Table, claim: Claim, record: Item, earlier: Item) -> Claim:
    left = earlier.get("lease_until", 0) - clock.epoch(claim.now)
    if left > 0:
        raise ConflictError("A request with this Idempotency-Key is under way", retry_after=left)
    kept: Item = {name: earlier[name] for name in ("settles_at", "memo") if name in earlier}
    record = {**record, **kept}
    try:
        table.put(record, Attr("owner").eq(earlier.get("owner")) & Attr("state").eq("under way"))
    except ConditionFailedError as failed:
        if not (failed.item and failed.item.get("owner") == claim.owner):
            raise ConflictError("A request with this Idempotency-Key is under way", retry_after=1) from None
    moment = datetime.fromtimestamp(kept["settles_at"], UTC) if "settles_at" in kept else None
    return replace(claim, taken_over=True, settles_at=moment, memo=kept.get("memo"))


def _release(table: Table, claim: Claim) -> None:
    """Free the key if no answer was recorded: a refusal is not kept.

    An effect outside the database that is not settled is kept: only the lease ends, and the next request
    looks what became of it. The outcome stands whether or not this succeeds: a claim that stays ends with its
    lease.
    """
    assert claim.pk is not None
    unrecorded: ConditionBase = Attr("owner").eq(claim.owner) & Attr("state").eq("under way")
    try:
        table.delete(claim.pk, SORT_KEY, unrecorded & Attr("settles_at").not_exists())
    except ConditionFailedError as failed:
        if failed.item is not None and "settles_at" in failed.item:
            _hand_on(table, claim, unrecorded)
    except AWS_FAULTS:
        logger.warning("an idempotency key stays claimed until its lease ends", exc_info=True)


def _hand_on(table: Table, claim: Claim, unrecorded: ConditionBase) -> None:
    assert claim.pk is not None
    try:
        table.update(Update(claim.pk, SORT_KEY, set={"lease_until": 0}, condition=unrecorded))
    except ConditionFailedError:
        return  # taken over meanwhile
    except AWS_FAULTS:
        logger.warning("an idempotency key stays claimed until its lease ends", exc_info=True)


def keep(table: Table, claim: Claim, answer: Answer) -> None:
    """Record an answer whose effect lies outside the database, after the effect."""
    for write in claim.record(answer):
        table.update(write)


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
