"""Who is calling: a ring of named keys with scopes.

The ring is a secret, ``{"keys": [{"name", "sha256", "scopes"}]}``. It holds hashes, so reading it gives no
key away. Keys are rotated one by one, and a shop-floor tablet's key opens only what a tablet needs.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from jobticket.dataclass import dataclass
from jobticket.errors import ForbiddenError, UnauthenticatedError, UnavailableError
from jobticket.observability import count, logger
from jobticket.secret_store import fetch_secret, secrets_client

SCOPES = frozenset({"jobs", "jira", "tokens", "ticketing", "admin"})
_WORDS = [*sorted(SCOPES), "*"]
_DIGEST = re.compile("[0-9a-f]{64}")

#: A key that is removed from the ring is refused within this time.
RING_SECONDS = 300.0
#: An unknown key makes a container fetch the ring again, but not more often than this.
REFETCH_SECONDS = 30.0
#: The pause after a failed fetch. Until one succeeds, an expired ring lets no caller in.
RETRY_SECONDS = 5
#: The local stack's default key, which the README prints: valid nowhere else.
LOCAL_KEY_SHA256 = hashlib.sha256(b"local-key").hexdigest()


@dataclass(frozen=True, slots=True)
class Caller:
    """A key of the ring: its name and what it opens."""

    name: str
    scopes: frozenset[str]

    def require(self, scope: str) -> None:
        """Refuse unless the key has the scope."""
        if scope not in self.scopes and "*" not in self.scopes:
            raise ForbiddenError(f"This key does not have the scope: {scope}")


class KeyRing:
    """Identifies callers by their keys.

    ``fetch`` returns the ring's JSON text; it is called when the cached ring is too old or lacks a key. Only
    on the ``local`` stack the published default key is valid.
    """

    def __init__(self, fetch: Callable[[], str], monotonic: Callable[[], float], *, local: bool) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._local = local
        self._entries: list[tuple[str, Caller]] = []
        self._fetched_at = self._asked_at = self._failed_at = float("-inf")
        self._lock = threading.Lock()

    def authenticate(self, authorization: str | None) -> Caller:
        """Return who sent an ``Authorization: Bearer <key>`` header."""
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

    def _since(self, moment: float) -> float:
        return self._monotonic() - moment

    def _load(self) -> None:
        """Fetch the ring; after a failure the cached one stays until it is too old."""
        # The age counts from before the request: a key removed during it may still be in the answer. A failed
        # request counts too, or unknown keys would call a failing secret store without end.
        self._asked_at = self._monotonic()
        try:
            entries = _entries(json.loads(self._fetch()))
        except Exception as fault:
            # The text of the fault could contain a part of a malformed secret.
            logger.error("the key ring cannot be read", reason=type(fault).__name__)
            count("KeyRingFault")
            self._failed_at = self._monotonic()
            return
        self._entries, self._fetched_at = entries, self._asked_at

    def _find(self, digest: str) -> Caller | None:
        # Every entry is compared, so that the time does not tell which one matched.
        found = None
        for sha256, caller in self._entries:
            if hmac.compare_digest(sha256, digest):
                found = caller
        return found


def stored_ring(secret_id: str, *, local: bool, lazily: bool = False) -> KeyRing:
    """Return the ring in Secrets Manager, whose client is made now, or with the first key to check."""
    secrets = functools.cache(secrets_client)
    if not lazily:
        secrets()
    return KeyRing(lambda: fetch_secret(secrets(), secret_id), time.monotonic, local=local)


def _entries(ring: Any) -> list[tuple[str, Caller]]:
    """Return the keys of a ring without its malformed entries; raise ``ValueError`` if all are malformed."""
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
            raise ValueError("every entry of the ring is malformed")
        # Never their content: it could be a key in place of its hash.
        logger.error("malformed entries of the key ring are ignored", positions=malformed)
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
