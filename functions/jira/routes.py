"""The routes of functions/jira."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jobticket.dataclass import replace
from jobticket.web.routes import (
    CURSOR,
    IDEMPOTENCY_KEY,
    LIMIT,
    NEXT_CURSOR,
    Example,
    Route,
    Routes,
    array_of,
    error_envelope,
    object_of,
    query,
)

_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "integer"}
_FLAG: dict[str, Any] = {"type": "boolean"}
_MAYBE_TEXT: dict[str, Any] = {"type": ["string", "null"]}
_MAYBE_TIME: dict[str, Any] = {"type": ["string", "null"], "format": "date-time"}
_ID: dict[str, Any] = {"type": ["string", "integer"]}


def _maybe(schema: dict[str, Any]) -> dict[str, Any]:
    return {"oneOf": [schema, {"type": "null"}]}


_PROJECT = object_of(id=_TEXT, key=_TEXT, name=_MAYBE_TEXT, lead=_maybe(object_of(displayName=_MAYBE_TEXT)))
_BOARD = object_of(id=_NUMBER, name=_MAYBE_TEXT, type=_MAYBE_TEXT)
_SPRINT = object_of(
    id=_NUMBER,
    name=_MAYBE_TEXT,
    state={"enum": ["future", "active", "closed", None]},
    startDate=_MAYBE_TIME,
    endDate=_MAYBE_TIME,
    completeDate=_MAYBE_TIME,
    goal=_MAYBE_TEXT,
)
_TICKET = object_of(
    id=_TEXT,
    key=_TEXT,
    summary=_MAYBE_TEXT,
    status=_MAYBE_TEXT,
    assignee=_MAYBE_TEXT,
    priority=_MAYBE_TEXT,
    created=_MAYBE_TIME,
    updated=_MAYBE_TIME,
)
_ACCOUNT = object_of(accountId=_MAYBE_TEXT, displayName=_MAYBE_TEXT)
_SPRINT_TICKET = object_of(
    id=_TEXT,
    key=_TEXT,
    fields=object_of(
        summary=_MAYBE_TEXT,
        description=_MAYBE_TEXT,
        status=_maybe(
            object_of(
                id=_MAYBE_TEXT,
                name=_MAYBE_TEXT,
                statusCategory=_maybe(
                    object_of(id={"type": ["integer", "null"]}, key=_MAYBE_TEXT, colorName=_MAYBE_TEXT)
                ),
            )
        ),
        assignee=_maybe(_ACCOUNT),
        reporter=_maybe(_ACCOUNT),
        created=_MAYBE_TIME,
        updated=_MAYBE_TIME,
        priority=_maybe(object_of(id=_MAYBE_TEXT, name=_MAYBE_TEXT)),
    ),
)
_PERSON = object_of(displayName=_MAYBE_TEXT, emailAddress=_MAYBE_TEXT, avatarUrl=_MAYBE_TEXT)
_WITH_ICON = object_of(name=_MAYBE_TEXT, iconUrl=_MAYBE_TEXT)
_EDITED = object_of(
    id=_MAYBE_TEXT,
    key=_MAYBE_TEXT,
    summary=_MAYBE_TEXT,
    description=_MAYBE_TEXT,
    priority=_maybe(_WITH_ICON),
    issueType=_maybe(_WITH_ICON),
    assignee=_maybe(_PERSON),
    updated=_MAYBE_TIME,
)
_ISSUE = object_of(
    id=_TEXT,
    key=_TEXT,
    summary=_MAYBE_TEXT,
    description=_MAYBE_TEXT,
    status=_maybe(object_of(name=_MAYBE_TEXT, category=_MAYBE_TEXT)),
    priority=_maybe(_WITH_ICON),
    issueType=_maybe(_WITH_ICON),
    assignee=_maybe(_PERSON),
    reporter=_maybe(_PERSON),
    project=_maybe(object_of(id=_TEXT, key=_TEXT, name=_MAYBE_TEXT)),
    created=_MAYBE_TIME,
    updated=_MAYBE_TIME,
    resolution=_maybe(object_of(name=_MAYBE_TEXT, description=_MAYBE_TEXT)),
    labels=array_of(_TEXT),
    components=array_of(_TEXT),
    fixVersions=array_of(_TEXT),
    affectedVersions=array_of(_TEXT),
    timeTracking=_maybe(
        object_of(originalEstimate=_MAYBE_TEXT, remainingEstimate=_MAYBE_TEXT, timeSpent=_MAYBE_TEXT)
    ),
    customFields={"type": "object"},
)


def _board_with(**lists: Any) -> dict[str, Any]:
    return object_of(board_id=_NUMBER, board_name=_MAYBE_TEXT, board_type=_MAYBE_TEXT, **lists)


_EXTERNAL_ID = query("external_id", "The name of the connection.", _TEXT, required=True)
_PROJECT_ID = query("jira_project_id", "The project's id or key; without it the selected project.", _ID)
_ISSUE_ID = query("issue_id_or_key", "The issue's id or key.", _ID)
_PAGED = (LIMIT, CURSOR)

_FAULTY = {400: "A parameter is missing or faulty, or no project is selected; the text names it."}
_CONNECTION = {
    401: "The key is missing or not known, or there is no such connection.",
    403: "The connection must be authorized again (needs_reauthorization) or lacks a scope (missing_scope), "
    "or Jira denies access or the login.",
    429: "A rate limit of Jira's lasts longer than the call can wait; Retry-After says how long.",
    500: "Jira failed or refused; `details` holds its words.",
    503: "Atlassian is in trouble, or it is not known yet whether a ticket was created; Retry-After.",
    504: "Jira did not answer in time.",
}
_LARGE = {413: "The answer is too large: ask for pages, with limit and cursor."}
_NO_BOARDS = {404: "The project has no boards, or does not exist."}
_NO_ISSUE = {404: "There is no such issue, or the connection may not see it."}


_OPERATIONS = (
    Route(
        "getProjects",
        "GET",
        "get-projects",
        scope="jira",
        summary="List the projects that a connection can see",
        answers={200: object_of(projects=array_of(_PROJECT), total=_NUMBER, selected_project_id=_MAYBE_TEXT)},
        errors=_FAULTY | _CONNECTION | _LARGE,
        parameters=(_EXTERNAL_ID, *_PAGED),
        answer_headers=NEXT_CURSOR,
        example=Example(query={"external_id": "team-1"}),
    ),
    Route(
        "selectProject",
        "POST",
        "select-project",
        scope="jira",
        summary="Select a connection's project, or none",
        answers={200: object_of(success=_FLAG)},
        errors={400: _FAULTY[400], 401: _CONNECTION[401]},
        body=object_of(external_id=_TEXT, jira_project_id={"type": ["string", "integer", "null"]}),
        example=Example(body={"external_id": "team-1", "jira_project_id": "10000"}),
    ),
    Route(
        "getSelectedProject",
        "GET",
        "get-selected-project",
        scope="jira",
        summary="Get the selected project",
        answers={200: object_of(jira_project_id=_MAYBE_TEXT)},
        errors={400: _FAULTY[400], 401: _CONNECTION[401]},
        parameters=(_EXTERNAL_ID,),
        example=Example(query={"external_id": "team-1"}),
    ),
    Route(
        "getTicketsForProject",
        "GET",
        "get-tickets-for-project",
        scope="jira",
        summary="List the tickets of a project, newest first",
        answers={200: object_of(tickets=array_of(_TICKET), total=_NUMBER, sprint=_maybe(_SPRINT))},
        errors=_FAULTY | _CONNECTION | _LARGE,
        parameters=(
            _EXTERNAL_ID,
            _PROJECT_ID,
            query("include_sprint", "Whether to look up the active sprint.", _FLAG),
            *_PAGED,
        ),
        answer_headers=NEXT_CURSOR,
        example=Example(
            query={"external_id": "team-1", "jira_project_id": "10000", "include_sprint": "true"}
        ),
    ),
    Route(
        "getBoardsForProject",
        "GET",
        "get-boards-for-project",
        scope="jira",
        summary="List the boards of a project",
        answers={200: object_of(boards=array_of(_BOARD), total=_NUMBER)},
        errors=_FAULTY | _CONNECTION | _NO_BOARDS,
        parameters=(_EXTERNAL_ID, _PROJECT_ID, *_PAGED),
        answer_headers=NEXT_CURSOR,
        example=Example(query={"external_id": "team-1", "jira_project_id": "10000"}),
    ),
    Route(
        "getAllSprintsForProject",
        "GET",
        "get-all-sprints-for-project",
        scope="jira",
        summary="List the sprints of a project, by board",
        answers={
            200: object_of(
                boards=array_of(_board_with(sprints=array_of(_SPRINT), active_sprints=array_of(_SPRINT))),
                total_sprints=_NUMBER,
            )
        },
        errors=_FAULTY | _CONNECTION | _NO_BOARDS | _LARGE,
        parameters=(_EXTERNAL_ID, _PROJECT_ID, *_PAGED),
        answer_headers=NEXT_CURSOR,
        description="`limit` and `cursor` count boards.",
        example=Example(query={"external_id": "team-1", "jira_project_id": "10000"}),
    ),
    Route(
        "getActiveSprintsForProject",
        "GET",
        "get-active-sprints-for-project",
        scope="jira",
        summary="List the active sprints of a project, by board",
        answers={200: object_of(boards=array_of(_board_with(active_sprints=array_of(_SPRINT))))},
        errors=_FAULTY | _CONNECTION | _NO_BOARDS,
        parameters=(_EXTERNAL_ID, _PROJECT_ID, *_PAGED),
        answer_headers=NEXT_CURSOR,
        description="`limit` and `cursor` count boards.",
        example=Example(query={"external_id": "team-1", "jira_project_id": "10000"}),
    ),
    Route(
        "getTicketsForSprint",
        "GET",
        "get-tickets-for-sprint",
        scope="jira",
        summary="List the tickets of a sprint, by rank",
        answers={200: object_of(tickets=array_of(_SPRINT_TICKET), total=_NUMBER, sprint=_SPRINT)},
        errors=_FAULTY | _CONNECTION | _LARGE | {404: "There is no such sprint."},
        parameters=(_EXTERNAL_ID, query("sprint_id", "The sprint's id.", _ID, required=True), *_PAGED),
        answer_headers=NEXT_CURSOR,
        example=Example(query={"external_id": "team-1", "sprint_id": "2"}),
    ),
    Route(
        "getIssueDetails",
        "GET",
        "get-issue-details",
        scope="jira",
        summary="Get everything about an issue",
        answers={200: object_of(issue=_ISSUE)},
        errors=_FAULTY | _CONNECTION | _NO_ISSUE,
        parameters=(_EXTERNAL_ID, _ISSUE_ID, query("issue_key", "The same, by its older name.", _ID)),
        description="One of `issue_id_or_key` and `issue_key` is required.",
        example=Example(query={"external_id": "team-1", "issue_id_or_key": "PI-42"}),
    ),
    Route(
        "editIssue",
        "PUT",
        "edit-issue",
        scope="jira",
        summary="Change an issue",
        answers={200: object_of(success=_FLAG, issue=_EDITED)},
        errors=_FAULTY
        | _CONNECTION
        | _NO_ISSUE
        | {409: "It has changed since `expected_updated`; nothing is done."},
        body=object_of(
            (
                "summary",
                "description",
                "priority_id",
                "issue_type_id",
                "assignee_account_id",
                "expected_updated",
            ),
            external_id=_TEXT,
            issue_id_or_key=_ID,
            summary=_TEXT,
            description=_TEXT,
            priority_id=_ID,
            issue_type_id=_ID,
            assignee_account_id=_MAYBE_TEXT,
            expected_updated={"type": "string", "format": "date-time"},
        ),
        description='At least one field is needed. `assignee_account_id` null or "null" unassigns.',
        example=Example(
            body={
                "external_id": "team-1",
                "issue_id_or_key": "PI-42",
                "priority_id": "2",
                "assignee_account_id": "null",
            }
        ),
    ),
    Route(
        "createTicket",
        "POST",
        "create-ticket",
        scope="jira",
        summary="Create a ticket",
        answers={201: object_of(ticket=_TICKET)},
        errors=_FAULTY
        | _CONNECTION
        | {
            404: "There is no such project or issue type.",
            409: "A request with this Idempotency-Key is under way.",
            422: "The key was used with another request.",
        },
        body=object_of(
            ("jira_project_id", "description", "priority_id", "assignee_account_id"),
            external_id=_TEXT,
            jira_project_id=_ID,
            summary=_TEXT,
            description=_TEXT,
            issue_type_id=_ID,
            priority_id=_ID,
            assignee_account_id=_MAYBE_TEXT,
        ),
        parameters=(IDEMPOTENCY_KEY,),
        description="With an Idempotency-Key a lost answer never leads to a second ticket: the key becomes "
        "a label of the ticket, by which it is found again.",
        example=Example(
            headers={"Idempotency-Key": "order-17"},
            body={
                "external_id": "team-1",
                "jira_project_id": "10000",
                "summary": "New ticket from API",
                "description": "Made from a sample event.",
                "issue_type_id": "10001",
                "priority_id": "3",
            },
        ),
    ),
    Route(
        "deleteIssue",
        "DELETE",
        "delete-issue",
        scope="jira",
        summary="Delete an issue for good",
        answers={204: None},
        errors=_FAULTY | _CONNECTION | _NO_ISSUE,
        body=object_of(("delete_subtasks",), external_id=_TEXT, issue_id_or_key=_ID, delete_subtasks=_FLAG),
        parameters=(
            query("external_id", "In place of the body.", _TEXT),
            query("issue_id_or_key", "In place of the body.", _ID),
            query("delete_subtasks", "In place of the body.", _FLAG),
        ),
        example=Example(body={"external_id": "team-1", "issue_id_or_key": "PI-2"}),
    ),
)

#: Every operation answers under both prefixes, and three of them by an older name as well.
_PREFIXES = {"": "/api/backend/jira", "integrationHelpers": "/api/backend/integration-helpers/jira"}
_OLDER_NAMES = {
    "getProjects": ("getAllProjects", "get-all-projects"),
    "getSelectedProject": ("getSelectedProjectId", "get-selected-project-id"),
    "getIssueDetails": ("getIssue", "get-issue"),
}


def _by_every_name(operation: Route) -> Iterator[Route]:
    names = [(operation.name, operation.path), *filter(None, [_OLDER_NAMES.get(operation.name)])]
    for before, prefix in _PREFIXES.items():
        for name, path in names:
            whole = before + name[0].upper() + name[1:] if before else name
            alias_of = None if whole == operation.name else operation.name
            yield replace(operation, name=whole, path=f"{prefix}/{path}", alias_of=alias_of)


ROUTES = Routes(error_envelope, [route for each in _OPERATIONS for route in _by_every_name(each)])
