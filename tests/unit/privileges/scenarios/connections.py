from __future__ import annotations

from tests.unit.privileges.driving import CREDENTIALS, Driven


def drive(connections: Driven) -> None:
    of_team = "/api/backend/connections/team-1"
    credentials = {"provider": "jira", "host": connections.atlassian, "credentials": CREDENTIALS}
    for _ in range(2):  # the second replaces the first
        connections.call("PUT", f"{of_team}/api-token", credentials)
    connections.call("GET", "/api/backend/connections")
    connections.call("POST", f"{of_team}/test")
    connections.connect("team-2", "demo@example.com:withdrawn")
    connections.call("POST", "/api/backend/connections/team-2/test")  # marks it as refused
    connections.call("DELETE", of_team)
