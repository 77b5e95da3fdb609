"""A repeated POST gets the first answer (contract: jobs.md, Common, ``Idempotency-Key``).

A key is claimed before the work starts. The record of the answer commits together with the effect, in the
same transaction, so that a crash leaves either both or neither. A claim whose holder died can be taken over
once its lease has run out.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel

from jobticket import clock
from jobticket.dynamo import ConditionFailedError, Item, Table, Update
from jobticket.errors import ConflictError, InvalidError, RefusalError, UnprocessableError
from jobticket.observability import logger
from jobticket.web.api import Answer, Request

__all__ = ["KEPT", "LEASE", "Claim", "keep", "once"]

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
    """

    pk: str | None
    owner: str
    now: datetime
    taken_over: bool = False

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
                remove=["lease_until"],
                condition=Attr("owner").eq(self.owner),
            )
        ]

    @property
    def mark(self) -> str | None:
        """A stable name for this work, to recognise its effect at Jira by; None without a key."""
        return None if self.pk is None else self.pk.removeprefix("IDEMPOTENCY#")


def once(request: Request, table: Table, now: datetime, work: Callable[[Claim], Answer]) -> Answer:
    """Do the work unless this key's work was done before; then give the first answer again.

    Parameters
    ----------
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
    pk = "IDEMPOTENCY#" + _digest(request.caller.name, request.method, request.route, key)
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
    try:
        table.put(record, Attr("owner").eq(earlier.get("owner")) & Attr("state").eq("under way"))
    except ConditionFailedError as failed:
        if not (failed.item and failed.item.get("owner") == claim.owner):
            raise ConflictError("A request with this Idempotency-Key is under way", retry_after=1) from None
    return Claim(claim.pk, claim.owner, claim.now, taken_over=True)


def _release(table: Table, claim: Claim) -> None:
    """Free the key if no answer was recorded: a refusal is not kept.

    The outcome stands whether or not this succeeds: a claim that stays ends with its lease.
    """
    assert claim.pk is not None
    unrecorded: ConditionBase = Attr("owner").eq(claim.owner) & Attr("state").eq("under way")
    try:
        table.delete(claim.pk, SORT_KEY, unrecorded)
    except ConditionFailedError:
        return  # recorded together with the effect
    except (ClientError, BotoCoreError):
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
        if isinstance(value, BaseModel):
            return value.model_dump(mode="json", by_alias=True, exclude_none=True)
        raise TypeError(f"{type(value).__name__} cannot be kept")

    return json.dumps(body, separators=(",", ":"), default=model).encode()
