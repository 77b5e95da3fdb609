"""Jira operations over any connection (docs/jira.md)."""

from __future__ import annotations

import time
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from jobticket import clock
from jobticket.connections.access import AccessSettings, JiraAccess
from jobticket.connections.errors import ConnectionNotFoundError
from jobticket.connections.model import Connection, ConnectionId
from jobticket.errors import InvalidError
from jobticket.jira import boards, bodies, issue_lists, issues, projects
from jobticket.jira.client import JiraClient
from jobticket.jira.new_issues import KeptRefusalError, create_issue
from jobticket.jira.parallel import thread_pool
from jobticket.jira.refusals import Texts, refusing
from jobticket.observability import logger
from jobticket.store.unit_of_work import UnitOfWork
from jobticket.web.api import Answer, Api, Request
from jobticket.web.authentication import stored_ring
from jobticket.web.idempotency import claimed
from jobticket.web.paging import Part
from jobticket.web.routes import error_envelope, routes_of

NO_PROJECT = "No project selected and no project ID provided"
PROVIDER = "jira"


class JiraSettings(AccessSettings):
    """The environment of this function."""

    key_ring_secret: str


config = JiraSettings.from_environment()
ring = stored_ring(config.key_ring_secret, local=config.environment == "local")
access = JiraAccess(config)
api = Api(routes_of(__name__), ring)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request of API Gateway."""
    return api.resolve(event, context)


def _connected(request: Request, external_id: str) -> tuple[Connection, JiraClient]:
    return access.connected(external_id, PROVIDER, deadline=request.deadline)


def _for_project(request: Request, external_id: str, given: Any) -> tuple[JiraClient, str]:
    """Return the client and the project: the one that the request names, or the selected one."""
    named = bodies.project_of(given)
    connection, client = _connected(request, external_id)
    project = named or connection.selected_project_id
    if project is None:
        raise InvalidError(NO_PROJECT)
    return client, project


def _project_in_query(request: Request) -> tuple[JiraClient, str, Part]:
    external_id, part = bodies.external_id_of(request.query), Part(request.query)
    return *_for_project(request, external_id, request.query.get("jira_project_id")), part


@api.route("getProjects")
def get_projects(request: Request) -> Answer:
    external_id, part = bodies.external_id_of(request.query), Part(request.query)
    start = part.offset("projects")
    connection, client = _connected(request, external_id)
    with refusing(Texts("Failed to fetch Jira projects")):
        found = projects.list_projects(client, start, part.limit)
    body = {
        "projects": found.rows,
        "total": len(found.rows),
        "selected_project_id": connection.selected_project_id,
    }
    return Answer(body=body, headers=part.headers("projects", found.following))


@api.route("selectProject")
def select_project(request: Request) -> Answer:
    external_id, project = bodies.read_selection(request.json)
    name = ConnectionId(PROVIDER, external_id)
    if not access.store.select_project(name, project):
        raise ConnectionNotFoundError(name)
    return Answer(body={"success": True})


@api.route("getSelectedProject")
def get_selected_project(request: Request) -> Answer:
    connection = access.connection(bodies.external_id_of(request.query), PROVIDER)
    return Answer(body={"jira_project_id": connection.selected_project_id})


@api.route("getTicketsForProject")
def get_tickets_for_project(request: Request) -> Answer:
    external_id, part = bodies.external_id_of(request.query), Part(request.query)
    with_sprint = bodies.flag_of(request.query, "include_sprint")
    client, project = _for_project(request, external_id, request.query.get("jira_project_id"))
    name = f"tickets {project}"
    position = part.position(name)
    # Cloud's cursors expire.
    texts = Texts("Failed to fetch Jira tickets", invalid="Invalid cursor" if part.is_continued else None)
    with refusing(texts), thread_pool(1) as threads:
        sprint = threads.submit(issue_lists.sprint_or_none, client, project) if with_sprint else None
        found = issue_lists.tickets_of_project(client, project, part.limit, position)
        body = {
            "tickets": found.rows,
            "total": len(found.rows),
            "sprint": None if sprint is None else sprint.result(),
        }
    return Answer(body=body, headers=part.headers(name, found.following))


@api.route("getBoardsForProject")
def get_boards_for_project(request: Request) -> Answer:
    client, project, part = _project_in_query(request)
    name = f"boards {project}"
    with refusing(Texts("Failed to fetch Jira boards")):
        found = boards.boards_of_project(client, project, part.offset(name), part.limit)
    body = {"boards": found.rows, "total": len(found.rows)}
    return Answer(body=body, headers=part.headers(name, found.following))


def _sprints(
    request: Request, texts: Texts, state: str | None
) -> tuple[list[boards.BoardSprints], dict[str, str]]:
    client, project, part = _project_in_query(request)
    name = f"sprints {project}"
    with refusing(texts):
        found = boards.boards_of_project(client, project, part.offset(name), part.limit)
        return boards.sprints_of_boards(client, found.rows, state), part.headers(name, found.following)


@api.route("getAllSprintsForProject")
def get_all_sprints_for_project(request: Request) -> Answer:
    found, headers = _sprints(request, Texts("Failed to fetch Jira sprints"), None)
    body = {
        "boards": [board.as_json(sprints=board.sprints, active_sprints=board.active) for board in found],
        "total_sprints": len({sprint["id"] for board in found for sprint in board.sprints}),
    }
    return Answer(body=body, headers=headers)


@api.route("getActiveSprintsForProject")
def get_active_sprints_for_project(request: Request) -> Answer:
    found, headers = _sprints(request, Texts("Failed to fetch active Jira sprints"), "active")
    return Answer(
        body={"boards": [board.as_json(active_sprints=board.active) for board in found]}, headers=headers
    )


@api.route("getTicketsForSprint")
def get_tickets_for_sprint(request: Request) -> Answer:
    external_id, part = bodies.external_id_of(request.query), Part(request.query)
    sprint = bodies.sprint_of(request.query.get("sprint_id"))
    name = f"sprint {sprint}"
    start = part.offset(name)
    _, client = _connected(request, external_id)
    texts = Texts(
        "Failed to fetch Jira tickets for sprint",
        forbidden="Access denied to sprint",
        missing="Sprint not found",
    )
    with refusing(texts):
        shown, found = issue_lists.tickets_of_sprint(client, sprint, start, part.limit)
    body = {"tickets": found.rows, "total": len(found.rows), "sprint": shown}
    return Answer(body=body, headers=part.headers(name, found.following))


@api.route("getIssueDetails")
def get_issue_details(request: Request) -> Answer:
    external_id = bodies.external_id_of(request.query)
    issue = bodies.issue_of(request.query.get("issue_id_or_key") or request.query.get("issue_key"))
    _, client = _connected(request, external_id)
    texts = Texts("Failed to fetch Jira issue", forbidden="Access denied to issue", missing="Issue not found")
    with refusing(texts):
        return Answer(body={"issue": issues.get_issue(client, issue)})


@api.route("editIssue")
def edit_issue(request: Request) -> Answer:
    external_id, edit = bodies.read_edit(request.json)
    _, client = _connected(request, external_id)
    texts = Texts(
        "Failed to update Jira issue",
        invalid=bodies.INVALID_EDIT,
        forbidden="Access denied to edit issue",
        missing="Issue not found",
        changed=issues.CHANGED,
    )
    with refusing(texts, write=True):
        return Answer(body={"success": True, "issue": issues.edit_issue(client, edit)})


@api.route("createTicket")
def create_ticket(request: Request) -> Answer:
    external_id, named, issue = bodies.read_new_issue(request.json)
    table = access.store.table
    with claimed(request, table, clock.now(), route="create-ticket") as claim:
        if claim.answer is not None:
            return claim.answer
        client, project = _for_project(request, external_id, named)
        try:
            made = create_issue(client, issue, project, claim, now=clock.now, sleep=time.sleep)
            answer = Answer(201, {"ticket": made})
        except KeptRefusalError as kept:
            # Like a success: a repeat gets the same answer and creates no second ticket.
            refusal = kept.refusal
            answer = Answer(refusal.status, error_envelope(refusal.status, refusal.message, refusal.details))
        with UnitOfWork(table) as work:
            claim.keep(work, answer)
    return answer


@api.route("deleteIssue")
def delete_issue(request: Request) -> Answer:
    external_id, issue, with_subtasks = bodies.read_deletion(request.json, request.query)
    _, client = _connected(request, external_id)
    texts = Texts(
        "Failed to delete Jira issue",
        invalid="The issue cannot be deleted: it may have subtasks (delete_subtasks)",
        forbidden="Access denied to delete issue",
        missing="Issue not found",
    )
    with refusing(texts, write=True):
        issues.delete_issue(client, issue, with_subtasks=with_subtasks)
    return Answer(204)
