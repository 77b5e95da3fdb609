"""The projects that a connection can see, and what an issue in them may be: types and priorities."""

from __future__ import annotations

from typing import Any

from jobticket import foreign
from jobticket.jira import shapes
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraMalformedAnswerError
from jobticket.jira.listing import Listing, Row, Slice, pages, read, shaped

PAGE = 100


def list_projects(client: JiraClient, start: int = 0, limit: int | None = None) -> Slice:
    """Return projects by key."""
    if not client.is_cloud:
        return _data_center_projects(client, start, limit)
    by_key = {"expand": "lead", "orderBy": "key"}
    fetch = pages(client, "/rest/api/2/project/search", "values", show_project, by_key)
    return read(Listing(PAGE, start, limit), fetch)


def _data_center_projects(client: JiraClient, start: int, limit: int | None) -> Slice:
    # A Data Center gives all projects at once.
    answer = client.get("/rest/api/2/project", params={"expand": "lead"})
    if not isinstance(answer, list):
        raise JiraMalformedAnswerError("Jira's answer has no projects")
    rows = sorted(shaped(answer, show_project), key=lambda row: str(row["key"]))
    end = len(rows) if limit is None else start + limit
    return Slice(rows[start:end], end if end < len(rows) else None)


def issue_types(client: JiraClient, project: str | None = None) -> list[Row]:
    """Return the issue types of a project, or of the whole site, in Jira's order."""
    if project is None:
        return _choices(client.get("/rest/api/2/issuetype"))
    answer = client.get("/rest/api/2/project/{project}", project=project)
    return _choices(foreign.member(answer, "issueTypes"))


def priorities(client: JiraClient) -> list[Row]:
    """Return the site's priorities, in Jira's order."""
    if not client.is_cloud:
        return _choices(client.get("/rest/api/2/priority"))
    answer = client.get("/rest/api/2/priority/search", params={"maxResults": PAGE})
    return _choices(foreign.member(answer, "values"))


def _choices(entries: Any) -> list[Row]:
    if not isinstance(entries, list):
        raise JiraMalformedAnswerError("Jira's answer is not a list of choices")
    return [row for row in shaped(entries, show_choice) if row["name"] is not None]


def show_choice(choice: Any) -> Row:
    """Return an issue type or a priority; its ``id`` is a text, and a priority is no subtask."""
    return {
        "id": str(shapes.id_of(choice["id"])),
        "name": foreign.text(choice.get("name")),
        "subtask": choice.get("subtask") is True,
    }


def show_project(project: Any) -> Row:
    """Return a project as the answers show it."""
    return {
        "id": shapes.id_of(project["id"]),
        "key": shapes.project_key(project["key"]),
        "name": foreign.text(project.get("name")),
        "lead": shapes.part(project.get("lead"), "displayName"),
    }
