"""Drives a function through everything that it does, against moto and the emulated Jira.

A scenario is a module of ``scenarios`` with the name of the function's folder, and a function ``drive`` that
takes a :class:`Driven`. It sends every route (or every kind of event) at least once with success, and
besides whatever else makes the code use AWS: repeats with idempotency keys, refusals after a claim, tokens
that must be refreshed. Calls outside :meth:`Driven.call` and :meth:`Driven.handle` are preparation and count
for nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import ModuleType
from typing import Any

import requests

from jobticket import clock
from jobticket.connections.connection_store import ConnectionStore
from jobticket.connections.errors import AuthorityUnreadableError
from jobticket.connections.model import Connection, ConnectionId, secret_field
from jobticket.connections.vault import Vault
from local.atlassian.default_data import PLANT_NORTH
from tests.support.consents import store_consent
from tests.support.gateway import Gateway, HttpAnswer, LambdaContext
from tests.support.tables import recorded, stamp
from tests.unit.atlassian.conftest import Auth
from tests.unit.conftest import FORMER_KEY, client
from tests.unit.deployment.privileges.recorder import Recorder

CREDENTIALS = "demo@example.com:local-api-token"


@dataclass
class Driven:
    """One cold container of a function.

    Attributes
    ----------
    module
        The function's ``app`` module.
    atlassian
        The base URL of the emulated Atlassian.
    succeeded
        The routes that have answered with less than 400, as ``METHOD /path``.
    handled
        How many events have been handled that came from no API.
    """

    module: ModuleType
    recorder: Recorder
    atlassian: str
    succeeded: set[str] = field(default_factory=set)
    handled: int = 0

    def call(
        self,
        method: str,
        url: str,
        body: Any = None,
        *,
        key: str | None = "every-scope",
        expect: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """Send a request; it must succeed, unless another status is expected."""
        gateway = Gateway(self.module.api, self.module.handler, key)
        with self.recorder.recording():
            answer = gateway.call(method, url, body, headers)
        if expect is None:
            assert answer.status < 400, (method, url, answer.text)
            self.succeeded.add(f"{method} {gateway.event(method, url)['resource']}")
        else:
            assert answer.status == expect, (method, url, answer.status, answer.text)
        return answer

    def handle(self, event: Mapping[str, Any], context: Any = None) -> Any:
        """Hand over an event of a schedule or a queue."""
        with self.recorder.recording():
            answer = self.module.handler(dict(event), context or LambdaContext())
        self.handled += 1
        return answer

    def control(self, **controls: Any) -> None:
        """Set switches of the emulated Atlassian."""
        requests.put(f"{self.atlassian}/_control", json=controls, timeout=60).raise_for_status()

    def reach_a_private_host(self) -> None:
        """Begin a connection to a host of the private certificate authority, whose certificates are read then."""
        with self.recorder.recording(), contextlib.suppress(AuthorityUnreadableError):
            self.module.access.session.get("https://localhost:1/", timeout=5)

    def connect_by_consent(self, external_id: str, *, alive: bool = True) -> Connection:
        """Store a consent without a good access token, with secrets of another month.

        A function that uses it must refresh it, and make a data key. The grant of a dead one is over, and its secrets
        are still sealed under the former KMS key.
        """
        table = recorded(client("dynamodb"), "connections")
        earlier = clock.now() - timedelta(days=40)
        key = "alias/jobticket" if alive else FORMER_KEY
        vault = Vault(table, lambda: client("kms"), key, lambda: earlier)
        return store_consent(
            table,
            vault,
            external_id,
            refresh_token=Auth(self.atlassian).tokens()["refresh_token"] if alive else "revoked",
            seconds_left=0,
            api_url=self.atlassian,
            site_id=PLANT_NORTH,
        )

    def connect(self, external_id: str, credentials: str = CREDENTIALS) -> Connection:
        """Store a connection by API token, as connecting it would."""
        name = ConnectionId("jira", external_id)
        table = recorded(client("dynamodb"), "connections")
        vault = Vault(table, lambda: client("kms"), "alias/jobticket")
        connection = Connection(
            id=name,
            kind="api_token",
            deployment="cloud",
            secret=vault.seal(name, secret_field(self.atlassian), credentials),
            authorization="first",
            site_id=None,
            site_name="Plant North",
            site_url=self.atlassian,
            api_url=self.atlassian,
            authorized_at=clock.now(),
        )
        return ConnectionStore(table).replace(connection, stamp())
