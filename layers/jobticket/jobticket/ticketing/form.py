"""The form for new tickets, with choices live from Jira."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from jobticket.jira.client import JiraClient
from jobticket.jira.documents.limits import LONGEST_SUMMARY, LONGEST_TEXT
from jobticket.jira.errors import JiraNotFoundError
from jobticket.jira.listing import Row
from jobticket.jira.projects import issue_types, list_projects, priorities
from jobticket.ticketing.model import FormProperty, FormSpecification, FormValue, Integration
from jobticket.ticketing.recent import default_type

MOST_PROJECTS = 1000


def form_specification(client: JiraClient, integration: Integration) -> FormSpecification:
    """Return the form: three reads of Jira, and one more for every 100 projects."""
    return FormSpecification(
        integration_id=integration.id,
        type=integration.type,
        properties=list(_properties(client, integration)),
    )


def _properties(client: JiraClient, integration: Integration) -> Iterator[FormProperty]:
    string, enum = partial(FormProperty, type="string"), partial(FormProperty, type="enum")
    project = integration.project_key
    yield string(field="title", title="Summary", required=True, max_length=LONGEST_SUMMARY)
    yield string(field="description", title="Description", required=False, max_length=LONGEST_TEXT)
    yield enum(field="priority", title="Priority", required=False, values=_named(priorities(client)))
    yield enum(
        field="project_key",
        title="Project",
        required=project is None,
        default=project,
        values=_projects(client),
    )
    types = _types(client, project)
    usual = default_type(types)
    yield enum(
        field="issue_type",
        title="Issue type",
        required=False,
        default=integration.issue_type or (usual["name"] if usual else None),
        values=_named(choice for choice in types if not choice["subtask"]),
    )


def _named(found: Iterable[Row]) -> list[FormValue]:
    """Return choices by name, each once, in Jira's order."""
    names = dict.fromkeys(choice["name"] for choice in found)
    return [FormValue(label=name, value=name) for name in names]


def _projects(client: JiraClient) -> list[FormValue]:
    rows = list_projects(client, 0, MOST_PROJECTS).rows
    return [FormValue(label=f"{row['name'] or row['key']} ({row['key']})", value=row["key"]) for row in rows]


def _types(client: JiraClient, project: str | None) -> list[Row]:
    try:
        return issue_types(client, project)
    except JiraNotFoundError:
        return []
