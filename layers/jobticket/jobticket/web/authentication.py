"""Who is calling: a ring of named keys with scopes.

The ring lives in Secrets Manager as SHA-256 hashes, ``{"keys": [{"name", "sha256", "scopes"}]}``, so that
reading the secret gives nobody a key, keys can be rotated one by one, and a shop-floor tablet's key opens
only what a tablet needs.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jobticket.errors import ForbiddenError, UnauthenticatedError, UnavailableError
from jobticket.observability import count, logger

SCOPES = frozenset({"jobs", "jira", "tokens", "ticketing", "admin"})
_WORDS = [*sorted(SCOPES), "*"]
_DIGEST = re.compile("[0-9a-f]{64}")

#: A key taken off the ring dies within this time.
RING_SECONDS = 300.0
#: An unknown key makes a container look at the ring again, but no more often than this.
REFETCH_SECONDS = 30.0

#: Without a ring that is young enough nobody is let in. An ailing secret store is left alone so long between
#: an answer and the next question.
RETRY_SECONDS = 5

#: The local stack's default key, which the README prints: worth nothing anywhere else.
LOCAL_KEY_SHA256 = hashlib.sha256(b"local-key").hexdigest()


@dataclass(frozen=True, slots=True)
class Caller:
    """A key of the ring: its name and what it opens."""

    name: str
    scopes: frozenset[str]

    def require(self, scope: str) -> None:
        """Refuse unless the key has the scope.

        Raises
        ------
        ForbiddenError
            With the missing scope's name.
        """
        if scope not in self.scopes and "*" not in self.scopes:
            raise ForbiddenError(f"This key does not have the scope: {scope}")


class KeyRing:
    """Knows callers by their keys.

    Parameters
    ----------
    fetch
        Returns the ring's JSON text; called when the cached ring is too old or does not know a key.
    monotonic
        Seconds on a clock that never goes back.
    local
        Whether this is the local stack, where alone the published default key is good.
    """

    def __init__(self, fetch: Callable[[], str], monotonic: Callable[[], float], *, local: bool) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._local = local
        self._entries: list[tuple[str, Caller]] = []
        self._fetched_at: float | None = None
        self._asked_at: float | None = None
        self._failed_at: float | None = None
        self._lock = threading.Lock()

    def authenticate(self, authorization: str | None) -> Caller:
        """Return who sent an ``Authorization: Bearer <key>`` header.

        Raises
        ------
        UnauthenticatedError
            If the header is missing or malformed or the key is not on the ring.
        UnavailableError
            503, if there is no ring that is young enough, nor one to be had for now.
        """
        digest = hashlib.sha256(_bearer(authorization).encode("utf-8", "surrogatepass")).hexdigest()
        if not self._local and hmac.compare_digest(digest, LOCAL_KEY_SHA256):
            raise UnauthenticatedError("Invalid secret key")
        with self._lock:
            if self._is_too_old() and self._since(self._failed_at) >= RETRY_SECONDS:
                self._load()
            if self._is_too_old():
                raise UnavailableError("The keys cannot be checked for now", retry_after=RETRY_SECONDS)
            caller = self._find(digest)
            if caller is None and self._since(self._asked_at) >= REFETCH_SECONDS:
                self._load()
                caller = self._find(digest)
        if caller is None:
            raise UnauthenticatedError("Invalid secret key")
        return caller

    def _is_too_old(self) -> bool:
        return self._since(self._fetched_at) >= RING_SECONDS

    def _since(self, moment: float | None) -> float:
        return float("inf") if moment is None else self._monotonic() - moment

    def _load(self) -> None:
        """Fetch the ring anew; where that fails, the one that is there stays, for as long as it may."""
        # The age counts from before the request: a key taken off while it was under way is on the answer. And
        # a request that fails counts as one, or unknown keys would ask an ailing secret store without end.
        self._asked_at = self._monotonic()
        try:
            entries = _entries(json.loads(self._fetch()))
        except Exception as fault:
            # Its text alone could hold some of the secret, where that is malformed.
            logger.error("the ring of keys cannot be read", reason=type(fault).__name__)
            count("KeyRingFault")
            self._failed_at = self._monotonic()
            return
        self._entries, self._fetched_at = entries, self._asked_at

    def _find(self, digest: str) -> Caller | None:
        # Every entry is compared, so that the time taken tells nothing of which one matched.
        found = None
        for sha256, caller in self._entries:
            if hmac.compare_digest(sha256, digest):
                found = caller
        return found


def _entries(ring: Any) -> list[tuple[str, Caller]]:
    """Return the keys of a ring; a malformed entry is left out, so that it harms no other key.

    Raises
    ------
    ValueError
        If this is no ring, or no entry of it is good.
    """
    match ring:
        case {"keys": [*given]}:
            known = [_entry(entry) for entry in given]
        case {} if not ring:  # no operator has put in a key yet
            return []
        case _:
            raise ValueError("not a ring of keys")
    malformed = [position for position, entry in enumerate(known, start=1) if entry is None]
    if malformed:
        if len(malformed) == len(known):
            raise ValueError("no entry of the ring is good")
        # Not what stands in them: a key could have been put in place of its hash.
        logger.error("malformed entries of the key ring are left out", positions=malformed)
        count("KeyRingFault")
    return [entry for entry in known if entry is not None]


def _entry(entry: Any) -> tuple[str, Caller] | None:
    match entry:
        case {"name": str(name), "sha256": str(digest), "scopes": [*scopes]} if _DIGEST.fullmatch(
            digest
        ) and all(scope in _WORDS for scope in scopes):
            return (digest, Caller(name, frozenset(scopes)))
        case _:
            return None


def _bearer(authorization: str | None) -> str:
    scheme, _, key = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise UnauthenticatedError("Invalid secret key")
    return key.strip()
