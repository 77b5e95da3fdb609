"""The projects that a connection can see."""

from __future__ import annotations

from typing import Any

from jobticket import foreign
from jobticket.jira import shapes
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraMalformedAnswerError
from jobticket.jira.paging import Listing, Page, Reading, Row, Slice, Window, page_of, read_all, shaped

PAGE = 100


def list_projects(client: JiraClient, start: int = 0, limit: int | None = None) -> Slice:
    """Return projects by key."""
    if not client.is_cloud:
        return _data_center_projects(client, start, limit)
    listing = Listing(PAGE, start, limit)

    def fetch(window: Window) -> Page:
        parameters = {"expand": "lead", "orderBy": "key", **window.parameters}
        return page_of(client.get("/rest/api/2/project/search", params=parameters), "values", show_project)

    read_all([Reading(listing, fetch)])
    return listing.slice()


def _data_center_projects(client: JiraClient, start: int, limit: int | None) -> Slice:
    # A Data Center has no pages here.
    answer = client.get("/rest/api/2/project", params={"expand": "lead"})
    if not isinstance(answer, list):
        raise JiraMalformedAnswerError("Jira's answer has no projects")
    rows = sorted(shaped(answer, show_project), key=lambda row: str(row["key"]))
    end = len(rows) if limit is None else start + limit
    return Slice(rows[start:end], end if end < len(rows) else None)


def show_project(project: Any) -> Row:
    """Return a project as the answers show it."""
    return {
        "id": shapes.id_of(project["id"]),
        "key": shapes.project_key(project["key"]),
        "name": foreign.text(project.get("name")),
        "lead": shapes.part(project.get("lead"), "displayName"),
    }
