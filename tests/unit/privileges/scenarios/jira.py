from __future__ import annotations

from datetime import timedelta

from jobticket import clock
from jobticket.connections.vault import Vault
from jobticket.dynamo import Table
from local.atlassian.default_data import PLANT_NORTH
from tests.consents import store_consent
from tests.unit.atlassian.conftest import Auth
from tests.unit.conftest import client
from tests.unit.privileges.driving import Driven

PREFIXES = ("/api/backend/jira", "/api/backend/integration-helpers/jira")


def drive(jira: Driven) -> None:
    _refresh_tokens(jira)
    jira.connect("team-1")
    for prefix in PREFIXES:
        _read(jira, prefix)
        _write(jira, prefix)
    _refuse_with_a_key(jira)


def _read(jira: Driven, prefix: str) -> None:
    for name in ("get-projects", "get-all-projects"):
        jira.call("GET", f"{prefix}/{name}?external_id=team-1")
    jira.call("POST", f"{prefix}/select-project", {"external_id": "team-1", "jira_project_id": "SCRUM"})
    for name in (
        "get-selected-project",
        "get-selected-project-id",
        "get-tickets-for-project",
        "get-boards-for-project",
        "get-all-sprints-for-project",
        "get-active-sprints-for-project",
    ):
        jira.call("GET", f"{prefix}/{name}?external_id=team-1")
    jira.call("GET", f"{prefix}/get-tickets-for-sprint?external_id=team-1&sprint_id=2")
    for name in ("get-issue-details", "get-issue"):
        jira.call("GET", f"{prefix}/{name}?external_id=team-1&issue_key=SCRUM-1")


def _write(jira: Driven, prefix: str) -> None:
    ticket = {"external_id": "team-1", "summary": "Fixture", "issue_type_id": "10001"}
    once = {"Idempotency-Key": prefix}
    first = jira.call("POST", f"{prefix}/create-ticket", ticket, headers=once)
    jira.call("POST", f"{prefix}/create-ticket", ticket, headers=once)
    key = first.json()["ticket"]["key"]
    edit = {"external_id": "team-1", "issue_id_or_key": key, "summary": "Other fixture"}
    jira.call("PUT", f"{prefix}/edit-issue", edit)
    jira.call("DELETE", f"{prefix}/delete-issue", {"external_id": "team-1", "issue_id_or_key": key})


def _refuse_with_a_key(jira: Driven) -> None:
    """A refusal frees the key."""
    ticket = {"external_id": "nobody", "summary": "Fixture", "issue_type_id": "10001"}
    url = "/api/backend/jira/create-ticket"
    jira.call("POST", url, ticket, expect=401, headers={"Idempotency-Key": "refused"})


def _refresh_tokens(jira: Driven) -> None:
    """Go through consents without a good access token; their secrets are of another month."""
    table = Table(client("dynamodb"), "connections")
    earlier = clock.now() - timedelta(days=40)
    vault = Vault(table, lambda: client("kms"), "alias/jobticket", lambda: earlier)
    good = Auth(jira.atlassian).tokens()["refresh_token"]
    for external_id, refresh_token, expect in (("good", good, None), ("dead", "revoked", 403)):
        store_consent(
            table,
            vault,
            external_id,
            refresh_token=refresh_token,
            seconds_left=0,
            api_url=jira.atlassian,
            site_id=PLANT_NORTH,
        )
        jira.call("GET", f"{PREFIXES[0]}/get-projects?external_id={external_id}", expect=expect)
