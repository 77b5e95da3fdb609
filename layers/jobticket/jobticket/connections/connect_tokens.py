"""Connect tokens: a backend's permission that one user may make or renew one connection."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Self

from jobticket import clock
from jobticket.connections.model import ConnectionId
from jobticket.connections.sessions import SessionStore, digest, new_secret
from jobticket.dataclass import dataclass
from jobticket.errors import ForbiddenError, UnauthenticatedError
from jobticket.store.table import Item

SECONDS = 900
LONGEST_SECONDS = 3600
#: What a record of a consent carries beside the connection's name.
_CARRIED = ("return_url", "may_replace", "connect", "generation")


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """Which connection a consent is for, and what it may do. Every record of the consent carries it."""

    name: ConnectionId
    return_url: str | None
    #: Whether it may replace a connection that still works.
    may_replace: bool
    #: The digest of the connect token, which is spent at the end; None if it began without one.
    connect: str | None = None
    #: The generation of the connection's name (``sessions``) when it began.
    generation: str | None = None

    @classmethod
    def of(cls, record: Item) -> Self:
        """Return the request that a record carries."""
        name = ConnectionId(record["provider"], record["external_id"])
        carried: dict[str, Any] = {member: record.get(member) for member in _CARRIED}
        return cls(name, **carried)

    def record(self) -> dict[str, Any]:
        """Return what a record of the consent carries."""
        named = {"provider": self.name.provider, "external_id": self.name.external_id}
        return named | {member: getattr(self, member) for member in _CARRIED}

    def check(self, name: ConnectionId, return_url: str | None) -> None:
        """Refuse with 403 if a connect token was minted for something else; a return URL may be left out."""
        if self.name != name or (return_url is not None and return_url != self.return_url):
            raise ForbiddenError("The connect token is for another connection or return_url")


@dataclass
class ConnectTokens:
    """Mints connect tokens and finds them again."""

    sessions: SessionStore
    now: Callable[[], datetime] = clock.now

    def mint(self, name: ConnectionId, return_url: str | None, seconds: int) -> tuple[str, datetime]:
        """Return a connect token for one connection and return URL, and when it expires."""
        token = new_secret()
        key = digest("CONNECT", token)
        until = self.now() + timedelta(seconds=seconds)
        request = ConsentRequest(
            name, return_url, may_replace=True, generation=self.sessions.generation(name)
        )
        self.sessions.put("CONNECT", key, request.record(), until)
        return token, until

    def find(self, token: str) -> ConsentRequest:
        """Return what a connect token permits; 401 if it is invalid or expired.

        A user may have to begin twice, so it stays valid until a connection comes of it.
        """
        key = digest("CONNECT", token)
        record = self.sessions.get("CONNECT", key, self.now())
        if record is None:
            raise UnauthenticatedError("Invalid or expired connect token")
        return ConsentRequest.of({**record, "may_replace": True, "connect": key})
