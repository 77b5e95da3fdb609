"""Who a webhook comes from: an app's is signed by a JWT, an administrator's by an HMAC over its body.

Atlassian documents how its tokens are signed (HS256 with the app's secret), not what they claim. So nothing
but their time is read of them, and only this algorithm is known here: a token cannot choose another.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

#: How far Jira's clock may be ahead of ours or behind.
CLOCK_SKEW = timedelta(seconds=60)
#: Jira repeats a call for half an hour; what an administrator's webhook says is believed this long.
BODY_LIFETIME = timedelta(hours=2)
#: A token that claims to live longer is taken, and remembered, no longer than this.
LONGEST_TOKEN = timedelta(hours=24)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def token_expiry(token: str, secret: str, now: datetime) -> datetime | None:
    """Return when a token ends; None unless it is a live JWT, signed with HS256 and this secret."""
    signed, _, signature = token.rpartition(".")
    expected = _base64url(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))
    if not hmac.compare_digest(expected, signature.encode()):
        return None
    head, _, claimed = signed.partition(".")
    header, claims = _object(head), _object(claimed)
    if header.get("alg") != "HS256" or "crit" in header:
        return None
    expires, begins = _moment(claims.get("exp")), _moment(claims.get("nbf", claims.get("iat", 0)))
    if expires is None or begins is None or begins > now + CLOCK_SKEW:
        return None
    if not now - CLOCK_SKEW < expires <= now + LONGEST_TOKEN:
        return None
    return expires + CLOCK_SKEW


def body_expiry(body: bytes, signature: str, secret: str, now: datetime) -> datetime | None:
    """Return how long a body is believed; None unless the signature fits and it is not too old.

    The body states its own time, in milliseconds. Without that a captured call would be valid for ever.
    """
    expected = "sha256=" + hmac.digest(secret.encode(), body, hashlib.sha256).hex()
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        return None
    sent = _moment(_parsed(body).get("timestamp"), per_second=1000)
    if sent is None or not now - BODY_LIFETIME < sent <= now + CLOCK_SKEW:
        return None
    return sent + BODY_LIFETIME


def _base64url(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")


def _object(segment: str) -> dict[str, Any]:
    try:
        return _parsed(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except ValueError:
        return {}


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _moment(value: Any, per_second: int = 1) -> datetime | None:
    """Return a number of seconds since 1970 as a moment; None if it is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return _EPOCH + timedelta(seconds=value / per_second)
    except (OverflowError, ValueError):
        return None
