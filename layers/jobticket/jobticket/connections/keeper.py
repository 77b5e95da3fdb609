"""Keeps idle grants alive, finishes refreshes that were interrupted, and warns of ends ahead.

A grant dies after 90 days without a refresh. A daily sweep goes through all connections and refreshes those
that have been idle for about a month. Each has up to a week more, by its name: so those that were made on one
day are not refreshed on one day. A sweep stores its position, and the next run continues from there if a run
crashes or has no time left.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.connections.connection_store import ConnectionStore
from jobticket.connections.errors import ReauthorizationNeededError
from jobticket.connections.layout import written
from jobticket.connections.model import Connection, ConnectionId
from jobticket.connections.refreshes import RefreshStore
from jobticket.connections.tokens import LEASE, TokenSource
from jobticket.connections.vault import Vault, VaultError
from jobticket.dataclass import asdict, dataclass
from jobticket.errors import RefusalError
from jobticket.history.records import Stamp
from jobticket.observability import count, logger
from jobticket.store.table import Item, Put
from jobticket.store.unit_of_work import ABSENT, write_if_current

IDLE = timedelta(days=30)
SPREAD = timedelta(days=7)
#: How many days before its end a consent or token is warned of, once each.
AHEAD = (1, 7, 30)
PAGE = 50
#: A refresh may have to wait for a lease: a run with less time than this stops.
LEAST_SECONDS = 30.0
PARTITION = "SWEEP"
SORT_KEY = "CONNECTIONS"


@dataclass(slots=True)
class KeeperRun:
    """What a run has done."""

    refreshed: int = 0
    failed: int = 0
    dead: int = 0
    needs_person: int = 0
    expiring: int = 0

    def report(self, task: str) -> None:
        """Log the run and write its metrics."""
        logger.info("connections kept", task=task, **asdict(self))
        count("ConnectionsRefreshed", self.refreshed)
        count("ConnectionRefreshesFailed", self.failed)
        count("ConnectionsFoundDead", self.dead)
        count("ConnectionsExpiring", self.expiring)


@dataclass(slots=True)
class ResealRun:
    """What a run of resealing has done; when complete, no connection needs an earlier data key any more."""

    resealed: int = 0
    failed: int = 0
    complete: bool = False


def idle_allowed(name: ConnectionId) -> timedelta:
    """Return how long a connection may be idle before it is refreshed."""
    share = int.from_bytes(hashlib.sha256(str(name).encode()).digest()[:4], "big") / 2**32
    return IDLE + SPREAD * share


def _days_ahead(connection: Connection, now: datetime) -> int | None:
    """Return the latest of the warnings that a connection's end is due for."""
    if connection.expires_at is None:
        return None
    left = connection.expires_at - now
    return next((days for days in AHEAD if left <= timedelta(days=days)), None)


@dataclass
class Keeper:
    """Refreshes connections that no caller refreshes."""

    store: ConnectionStore
    vault: Vault
    tokens: TokenSource
    now: Callable[[], datetime] = clock.now

    def finish(self, deadline: Deadline) -> KeeperRun:
        """Finish the refreshes that have begun and have no end."""
        run = KeeperRun()
        # A refresh that began later may still be running under its lease.
        for name in RefreshStore(self.store.table).unfinished(self.now() - LEASE):
            if deadline.left() < LEAST_SECONDS:
                break
            self._attempt(name, run, functools.partial(self.tokens.finish, name, deadline))
        return run

    def start_sweep(self) -> None:
        """Start a sweep, unless one is still under way."""
        state: Item = {"pk": PARTITION, "sk": SORT_KEY, "started_at": clock.iso_milliseconds(self.now())}
        write_if_current(self.store.table, Put(state, ABSENT))

    def sweep(self, deadline: Deadline) -> KeeperRun | None:
        """Continue the sweep that is under way, as far as the time allows; None if there is none."""
        state = self.store.table.get(PARTITION, SORT_KEY)
        if state is None:
            return None
        run = KeeperRun()
        after = ConnectionId(state["provider"], state["external_id"]) if "external_id" in state else None
        while True:
            connections, last = self.store.page(PAGE, after)
            for connection in connections:
                if deadline.left() < LEAST_SECONDS:
                    self._remember(state, after)
                    return run
                self._keep(connection, run, deadline)
                after = connection.id
            if last is None:
                self.store.table.delete(PARTITION, SORT_KEY)
                return run
            self._remember(state, after)

    def _remember(self, state: Item, after: ConnectionId | None) -> None:
        """Store where the next run continues."""
        if after is not None:
            self.store.table.put(state | {"provider": after.provider, "external_id": after.external_id})

    def reseal(self, deadline: Deadline) -> ResealRun:
        """Reseal every secret that an earlier data key has sealed, so that the key can be deleted.

        A run without time left is repeated: it skips what is resealed.
        """
        run, after = ResealRun(), None
        while True:
            connections, after = self.store.page(PAGE, after)
            for listed in connections:
                if deadline.left() < LEAST_SECONDS:
                    return run
                self._reseal(listed.id, run)
            if after is None:
                run.complete = run.failed == 0
                return run

    def _reseal(self, name: ConnectionId, run: ResealRun) -> None:
        connection = self.store.get(name)
        if connection is None:
            return
        field = connection.secret_field
        try:
            if self.vault.is_current(connection.secret):
                return
            secret = self.vault.open(name, field, connection.secret)
        except VaultError:
            run.failed += 1
            logger.exception("secret not resealed", external_id=name.external_id)
            return
        # A caller that changes the secret meanwhile seals it with the present data key, too.
        if self.store.reseal(connection, self.vault.seal(name, field, secret)):
            run.resealed += 1

    def _keep(self, connection: Connection, run: KeeperRun, deadline: Deadline) -> None:
        now = self.now()
        told: dict[str, Any] = {
            "external_id": connection.id.external_id,
            "expires_at": written(connection.expires_at),
        }
        if not connection.is_usable(now):
            run.needs_person += 1
            logger.warning("connection needs a person", status=connection.status(now), **told)
            return
        days = _days_ahead(connection, now)
        if days is not None and self.store.note_warning(connection, days, Stamp(now, "schedule")):
            run.expiring += 1
            logger.warning("connection expires soon", days=days, kind=connection.kind, **told)
        idle_since = connection.last_refreshed_at or connection.authorized_at
        if connection.kind == "oauth" and now - idle_since >= idle_allowed(connection.id):
            refresh = functools.partial(self.tokens.refreshed, connection.id, deadline)
            self._attempt(connection.id, run, refresh)

    def _attempt(self, name: ConnectionId, run: KeeperRun, refresh: Callable[[], object]) -> None:
        try:
            run.refreshed += bool(refresh())
        except ReauthorizationNeededError:
            run.dead += 1
        except RefusalError as refusal:
            run.failed += 1
            logger.info("connection not refreshed", external_id=name.external_id, reason=refusal.message)
        except Exception:
            # One unreadable row must not stop the run.
            run.failed += 1
            logger.exception("connection not refreshed", external_id=name.external_id)
