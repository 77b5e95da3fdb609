from __future__ import annotations

from tests.unit.deployment.privileges.driving import Driven

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
    for external_id, expect in (("good", None), ("dead", 403)):
        jira.connect_by_consent(external_id, alive=expect is None)
        jira.call("GET", f"{PREFIXES[0]}/get-projects?external_id={external_id}", expect=expect)
