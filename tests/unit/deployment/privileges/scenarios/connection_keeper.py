from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from jobticket import clock
from jobticket.connections import keeper as keeper_module
from jobticket.connections.connection_store import ConnectionStore
from jobticket.connections.model import ConnectionId
from jobticket.connections.refreshes import RefreshStore
from jobticket.store.lease import Lease
from jobticket.store.table import Table
from tests.support.gateway import LambdaContext
from tests.unit.conftest import client
from tests.unit.deployment.privileges.driving import Driven


def drive(connection_keeper: Driven) -> None:
    for external_id in ("good", "dead", "unfinished"):
        connection_keeper.connect_by_consent(external_id, alive=external_id != "dead")
    _begin_and_never_end("unfinished")
    keeper: Any = connection_keeper.module.keeper
    months_later = clock.now() + timedelta(days=60)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeper, "now", lambda: months_later)
        patch.setattr(keeper_module, "PAGE", 1)  # so that it writes down where it stands
        for task in ("finish", "sweep"):
            connection_keeper.handle({"task": task}, LambdaContext(remaining_ms=900_000))


def _begin_and_never_end(external_id: str) -> None:
    table = Table(client("dynamodb"), "connections")
    refreshes, earlier = RefreshStore(table), clock.now() - timedelta(minutes=5)
    connection = ConnectionStore(table).get(ConnectionId("jira", external_id))
    assert connection is not None
    assert refreshes.begin(connection, Lease.begin(earlier, timedelta(seconds=15)), earlier)
