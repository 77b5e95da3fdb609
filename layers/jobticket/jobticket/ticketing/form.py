"""The form for new tickets, with choices live from Jira."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jobticket.jira import shapes
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraNotFoundError
from jobticket.ticketing.creation import DEFAULT_ISSUE_TYPE
from jobticket.ticketing.model import FormProperty, FormSpecification, FormValue, Integration
from jobticket.ticketing.text import LONGEST_SUMMARY, LONGEST_TEXT

PAGE = 50
MOST_PAGES = 20


def form_specification(client: JiraClient, integration: Integration) -> FormSpecification:
    """Return the form; three reads of Jira, and one more for every 50 projects."""
    return FormSpecification(
        integration_id=integration.id,
        type=integration.type,
        properties=list(_properties(client, integration)),
    )


def _properties(client: JiraClient, integration: Integration) -> Iterator[FormProperty]:
    yield FormProperty(
        field="title", title="Summary", type="string", required=True, max_length=LONGEST_SUMMARY
    )
    yield FormProperty(
        field="description", title="Description", type="string", required=False, max_length=LONGEST_TEXT
    )
    yield FormProperty(
        field="priority", title="Priority", type="enum", required=False, values=_priorities(client)
    )
    yield FormProperty(
        field="project_key",
        title="Project",
        type="enum",
        required=integration.project_key is None,
        default=integration.project_key,
        values=_projects(client),
    )
    yield FormProperty(
        field="issue_type",
        title="Issue type",
        type="enum",
        required=False,
        default=integration.issue_type or DEFAULT_ISSUE_TYPE,
        values=_issue_types(client, integration.project_key),
    )


def _named(entries: Any) -> list[FormValue]:
    """Return choices by name, each once, in Jira's order."""
    names = dict.fromkeys(shapes.names(entries))
    return [FormValue(label=name, value=name) for name in names]


def _mappings(entries: Any) -> Iterable[Mapping[str, Any]]:
    return [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []


def _member(answer: Any, name: str) -> Any:
    return answer.get(name) if isinstance(answer, Mapping) else None


def _priorities(client: JiraClient) -> list[FormValue]:
    if client.is_cloud:
        page = client.get("/rest/api/2/priority/search", params={"maxResults": PAGE})
        return _named(_member(page, "values"))
    return _named(client.get("/rest/api/2/priority"))


def _projects(client: JiraClient) -> list[FormValue]:
    found = _pages(client) if client.is_cloud else _mappings(client.get("/rest/api/2/project"))
    named = [(shapes.named(project), shapes.project_key(project.get("key"))) for project in found]
    return [FormValue(label=f"{name or key} ({key})", value=key) for name, key in named]


def _pages(client: JiraClient) -> Iterator[Mapping[str, Any]]:
    for number in range(MOST_PAGES):
        page = client.get(
            "/rest/api/2/project/search",
            params={"startAt": number * PAGE, "maxResults": PAGE, "orderBy": "key"},
        )
        yield from _mappings(_member(page, "values"))
        if _member(page, "isLast") is not False:
            return


def _issue_types(client: JiraClient, project: str | None) -> list[FormValue]:
    """Return the types of the default project, or all; a sub-task needs a parent, which the form has not."""
    types = None
    if project is not None:
        try:
            types = _member(client.get("/rest/api/2/project/{project}", project=project), "issueTypes")
        except JiraNotFoundError:
            types = []
    if types is None:
        types = client.get("/rest/api/2/issuetype")
    return _named([entry for entry in _mappings(types) if not entry.get("subtask")])
