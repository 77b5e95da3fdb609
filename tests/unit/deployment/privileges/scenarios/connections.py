from __future__ import annotations

from tests.unit.deployment.privileges.driving import CREDENTIALS, Driven


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
    connections.call("GET", f"{of_team}/history")
    _ask_for_tokens(connections)


def _ask_for_tokens(connections: Driven) -> None:
    connections.call("POST", "/api/backend/connect-sessions", {"provider": "jira", "external_id": "team-3"})
    info = "/api/backend/connection-info/"
    for external_id, expect in (("good", None), ("dead", 403)):
        connections.connect_by_consent(external_id, alive=expect is None)
        named = f"?provider=jira&external_id={external_id}"
        connections.call("GET", f"{info}get-access-token{named}", expect=expect)
        connections.call("GET", f"{info}check-connection-validity{named}")
        connections.call("GET", f"{info}get-connection-credentials{named}")
