"""Jira connections: how users connect their accounts, and the tokens that come of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, Unpack

from jobticket_client import generated as api
from jobticket_client.errors import NeedsReauthorization
from jobticket_client.resource import PAGE_SIZE, Resource

JIRA: Literal["jira"] = "jira"


class ConnectSessions(Resource):
    """Connect sessions: each allows one user to connect one account, from a frontend without a key."""

    def create(
        self, external_id: str, *, return_url: str | None = None, expires_in: int = 900
    ) -> api.CreateConnectSessionAnswer:
        """Make a connect token. The frontend sends it as ``x-connect-token`` when it begins the consent."""
        body = {"provider": JIRA, "external_id": external_id, "expires_in": expires_in}
        return self._call("createConnectSession", body | ({"return_url": return_url} if return_url else {}))


class Connections(Resource):
    """Connections, by the external ids that a backend gives them."""

    def connect_url(self, external_id: str, *, return_url: str | None = None) -> str:
        """Begin a consent; return the link that the user opens. It works once, for ten minutes."""
        body = {"provider": JIRA, "external_id": external_id}
        answer = self._call("beginConsent", body | ({"return_url": return_url} if return_url else {}))
        return answer["authorization_uri"]

    def list(self, *, page_size: int = PAGE_SIZE) -> Iterator[api.ListConnectionsAnswerConnection]:
        """Yield all connections, without their secrets."""
        return self._by_cursor("listConnections", "connections", page_size)

    def check(self, external_id: str) -> api.CheckConnectionAnswer:
        """Return whether a connection exists and can be used."""
        return self._call("checkConnection", query=_named(external_id))

    def test(self, external_id: str) -> api.TestConnectionAnswer:
        return self._call("testConnection", **_in_path(external_id))

    def access_token(self, external_id: str) -> api.GetAccessTokenAnswer:
        """Return a fresh access token; raise NeedsReauthorization if the user must connect again."""
        with self.reconnecting(external_id):
            return self._call("getAccessToken", query=_named(external_id))

    def refresh_token(self, external_id: str) -> api.GetRefreshTokenAnswer:
        return self._call("getRefreshToken", query=_named(external_id))

    def put_credentials(
        self, external_id: str, **credentials: Unpack[api.PutApiTokenBody]
    ) -> api.PutApiTokenAnswer:
        """Store credentials that Jira accepts, such as ``email:token``."""
        return self._call("putApiToken", credentials, **_in_path(external_id))

    def history(self, external_id: str, *, page_size: int = PAGE_SIZE) -> Iterator[api.ConnectionEvent]:
        """Yield what happened to a connection, oldest first."""
        named = _in_path(external_id)
        return self._by_cursor("getConnectionHistory", None, page_size, named.pop("query"), **named)

    def delete(self, external_id: str) -> None:
        self._call("deleteConnection", **_in_path(external_id))

    @contextmanager
    def reconnecting(self, external_id: str) -> Iterator[None]:
        """Let a NeedsReauthorization that is raised inside know how its user connects again."""
        try:
            yield
        except NeedsReauthorization as error:
            error.connect = lambda return_url: self.connect_url(external_id, return_url=return_url)
            raise


def _named(external_id: str) -> dict[str, str]:
    return {"external_id": external_id, "provider": JIRA}


def _in_path(external_id: str) -> dict[str, Any]:
    """Return what stands in the path and the query. The query wins: a path cannot carry every name."""
    return {"external_id": "_", "query": {"external_id": external_id}}
