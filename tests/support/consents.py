"""Connections by consent, written as if a user had walked through the flow."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from jobticket import clock
from jobticket.connections.atlassian import Grant
from jobticket.connections.connection_store import ConnectionStore
from jobticket.connections.model import GRANT_LIFETIME, REFRESH_FIELD, Connection, ConnectionId
from jobticket.connections.tokens import MARGIN, cached_token
from jobticket.connections.vault import Vault
from jobticket.store.table import Table
from tests.support.tables import stamp

SITE_ID = "11111111-2222-4333-8444-555555555555"


def store_consent(
    table: Table,
    vault: Vault,
    external_id: str = "team-1",
    *,
    refresh_token: str = "refresh-1",
    access_token: str = "access-1",
    seconds_left: int = 3600,
    api_url: str = "https://api.atlassian.com",
    site_id: str = SITE_ID,
    authorized_at: datetime | None = None,
    last_refreshed_at: datetime | None = None,
    authorization: str | None = None,
) -> Connection:
    """Write a connection by consent.

    Parameters
    ----------
    seconds_left
        How long its access token is good; 0 leaves it without one.
    """
    moment = authorized_at or clock.now()
    name = ConnectionId("jira", external_id)
    connection = Connection(
        id=name,
        kind="oauth",
        authorization=authorization or secrets.token_urlsafe(12),
        secret=vault.seal(name, REFRESH_FIELD, refresh_token),
        site_id=site_id,
        site_name="Plant North",
        site_url="https://plant-north.example",
        api_url=f"{api_url}/ex/jira/{site_id}",
        deployment="cloud",
        authorized_at=moment,
        last_refreshed_at=last_refreshed_at or moment,
        expires_at=moment + GRANT_LIFETIME,
    )
    token = None
    if seconds_left > 0:
        # The margin is taken off again, as it is from what Atlassian gives.
        grant = Grant(access_token, refresh_token, seconds_left + int(MARGIN.total_seconds()))
        token = cached_token(vault, connection, grant, clock.now() - timedelta(seconds=1))
    return ConnectionStore(table).replace(connection, stamp(moment), token)
