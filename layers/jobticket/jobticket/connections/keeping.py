"""Keeping grants alive that nobody uses, and ending refreshes that somebody began and could not end.

A grant dies after 90 days without a refresh. Once a day a sweep goes through all connections and refreshes
those that have rested for about a month; a connection's own share of a week is added, so that what was
connected on one day is not refreshed on one day. A sweep writes down where it stands: the run after a crash,
or after the function's time has run out, goes on from there.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.connections.api_tokens import secret_field
from jobticket.connections.errors import ReauthorizationNeededError
from jobticket.connections.model import Connection, ConnectionId
from jobticket.connections.refreshes import RefreshStore
from jobticket.connections.store import ConnectionStore
from jobticket.connections.tokens import LEASE, REFRESH_FIELD, TokenSource
from jobticket.connections.vault import Vault, VaultError
from jobticket.errors import RefusalError
from jobticket.observability import count, logger
from jobticket.store.table import Item

IDLE = timedelta(days=30)
SPREAD = timedelta(days=7)
#: A person hears of a consent's end before it comes.
SOON = timedelta(days=14)
PAGE = 50
#: One refresh may wait for another's lease; a run that has less time left stops where it is.
LEAST_SECONDS = 30.0
PARTITION = "SWEEP"
SORT_KEY = "CONNECTIONS"


@dataclass(slots=True)
class Outcome:
    """What a run has come to."""

    refreshed: int = 0
    failed: int = 0
    dead: int = 0
    needs_person: int = 0

    def report(self, task: str) -> None:
        """Write the run's line and its metrics."""
        logger.info("connections kept", task=task, **asdict(self))
        for name, value in (
            ("ConnectionsRefreshed", self.refreshed),
            ("ConnectionRefreshesFailed", self.failed),
            ("ConnectionsFoundDead", self.dead),
        ):
            count(name, value)


@dataclass(slots=True)
class Resealed:
    """What a run of sealing anew has come to.

    Attributes
    ----------
    complete
        Whether no connection needs an earlier data key any more.
    """

    resealed: int = 0
    failed: int = 0
    complete: bool = False


def rest_allowed(name: ConnectionId) -> timedelta:
    """Return how long a connection may rest before it is refreshed."""
    share = int.from_bytes(hashlib.sha256(str(name).encode()).digest()[:4], "big") / 2**32
    return IDLE + SPREAD * share


class Keeper:
    """Refreshes what nobody else does.

    Parameters
    ----------
    store, vault, tokens
        The connections, their secrets and their tokens.
    now
        The time.
    """

    def __init__(
        self,
        store: ConnectionStore,
        vault: Vault,
        tokens: TokenSource,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._store = store
        self._vault = vault
        self._refreshes = RefreshStore(store.table)
        self._tokens = tokens
        self._now = now

    def finish(self, deadline: Deadline) -> Outcome:
        """End the refreshes that were begun and never ended."""
        outcome = Outcome()
        # Whoever holds a lease is still at it.
        for name in self._refreshes.unfinished(self._now() - LEASE):
            if deadline.left() < LEAST_SECONDS:
                break
            self._attempt(name, outcome, functools.partial(self._tokens.finish, name, deadline))
        return outcome

    def start_sweep(self) -> None:
        """Note that a sweep is due; one that is still under way goes on instead."""
        state: Item = {"pk": PARTITION, "sk": SORT_KEY, "started_at": clock.iso_milliseconds(self._now())}
        if self._store.table.get(PARTITION, SORT_KEY) is None:
            self._store.table.put(state)

    def sweep(self, deadline: Deadline) -> Outcome | None:
        """Go on with the sweep that is due, until it ends or the time does; None if none is due."""
        state = self._store.table.get(PARTITION, SORT_KEY)
        if state is None:
            return None
        outcome = Outcome()
        after = ConnectionId(state["provider"], state["external_id"]) if "external_id" in state else None
        while True:
            page = self._store.page(PAGE, after)
            for connection in page.connections:
                if deadline.left() < LEAST_SECONDS:
                    self._remember(state, after)
                    return outcome
                self._keep(connection, outcome, deadline)
                after = connection.id
            if page.last is None:
                self._store.table.delete(PARTITION, SORT_KEY)
                return outcome
            after = page.last
            self._remember(state, after)

    def _remember(self, state: Item, after: ConnectionId | None) -> None:
        """Write down where the next run goes on."""
        if after is not None:
            self._store.table.put(state | {"provider": after.provider, "external_id": after.external_id})

    def reseal(self, deadline: Deadline) -> Resealed:
        """Seal every secret anew that an earlier data key has sealed, so that the key can be done without.

        A run that is out of time is simply done again: what it has sealed is passed over.
        """
        outcome, after = Resealed(), None
        while True:
            page = self._store.page(PAGE, after)
            for listed in page.connections:
                if deadline.left() < LEAST_SECONDS:
                    return outcome
                self._reseal(listed.id, outcome)
            if page.last is None:
                outcome.complete = outcome.failed == 0
                return outcome
            after = page.last

    def _reseal(self, name: ConnectionId, outcome: Resealed) -> None:
        connection = self._store.get(name)
        if connection is None:
            return
        field = REFRESH_FIELD if connection.kind == "oauth" else secret_field(connection.api_url)
        try:
            if self._vault.is_current(connection.secret):
                return
            secret = self._vault.open(name, field, connection.secret)
        except VaultError:
            outcome.failed += 1
            logger.exception("secret not sealed anew", external_id=name.external_id)
            return
        # Whoever changes the secret meanwhile seals it with the present data key as well.
        if self._store.reseal(connection, self._vault.seal(name, field, secret)):
            outcome.resealed += 1

    def _keep(self, connection: Connection, outcome: Outcome, deadline: Deadline) -> None:
        now = self._now()
        if not connection.is_usable(now) or connection.is_expired(now + SOON):
            outcome.needs_person += 1
            logger.warning(
                "connection needs a person",
                external_id=connection.id.external_id,
                status=connection.status(now),
                expires_at=None if connection.expires_at is None else connection.expires_at.isoformat(),
            )
        rested_since = connection.last_refreshed_at or connection.authorized_at
        if connection.kind != "oauth" or not connection.is_usable(now):
            return
        if now - rested_since >= rest_allowed(connection.id):
            refresh = functools.partial(self._tokens.refreshed, connection.id, deadline)
            self._attempt(connection.id, outcome, refresh)

    def _attempt(self, name: ConnectionId, outcome: Outcome, refresh: Callable[[], object]) -> None:
        try:
            outcome.refreshed += bool(refresh())
        except ReauthorizationNeededError:
            outcome.dead += 1
        except RefusalError as refusal:
            outcome.failed += 1
            logger.info("connection not refreshed", external_id=name.external_id, reason=refusal.message)
        except Exception:
            # One row that cannot be read must not keep the others from being looked after.
            outcome.failed += 1
            logger.exception("connection not refreshed", external_id=name.external_id)
