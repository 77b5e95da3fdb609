"""The client: one attribute for each kind of thing, one method for each operation of the API."""

from __future__ import annotations

from contextlib import AbstractContextManager

from jobticket_client.anomalies import Anomalies, Integration, Rules
from jobticket_client.connections import Connections, ConnectSessions
from jobticket_client.jira import Jira
from jobticket_client.production import Jobs, Operations, Paths, Serials, Settings
from jobticket_client.transport import Transport


class Jobticket(AbstractContextManager["Jobticket"]):
    """Calls the Jobticket API. One client serves all threads of a process.

    Parameters
    ----------
    base_url
        Where the service is, such as ``https://jobticket.example``.
    key
        A key of the key ring; its scopes decide which calls are allowed.
    deadline
        Seconds after which a call that failed for a moment is not repeated any more.
    pool
        How many connections are kept open.
    """

    def __init__(self, base_url: str, key: str, *, deadline: float = 60.0, pool: int = 10) -> None:
        self._transport = Transport(base_url, key, deadline=deadline, pool=pool)
        self.jobs = Jobs(self._transport)
        self.paths = Paths(self._transport)
        self.serials = Serials(self._transport)
        self.settings = Settings(self._transport)
        self.connections = Connections(self._transport)
        self.connect_sessions = ConnectSessions(self._transport)
        self.jira = Jira(self._transport)
        self.anomalies = Anomalies(self._transport)
        self.integration = Integration(self._transport)
        self.rules = Rules(self._transport)
        self.operations = Operations(self._transport)

    def __exit__(self, *_: object) -> None:
        self._transport.session.close()

    def __repr__(self) -> str:
        return f"Jobticket({self._transport.base_url!r})"
