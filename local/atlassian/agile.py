"""Boards, sprints and their issues over REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from local.atlassian import jql, wire
from local.atlassian.jql import Both, Clause, Query, Value
from local.atlassian.model import Board, Sprint
from local.atlassian.routing import Answer, Call, JiraError, Route
from local.atlassian.search import offset_page

T = TypeVar("T")

_PAGE = 50
_NO_BOARD = (
    "Requested board cannot be viewed because it either does not exist or you do not have permission to "
    "view it."
)
_NO_SPRINT = "Sprint does not exist or you do not have permission to view it."
_STATES = ("closed", "active", "future")


def _link(call: Call, path: str) -> str:
    return f"{call.base}/rest/agile/1.0/{path}"


def _show_board(call: Call, board: Board) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": board.id,
        "self": _link(call, f"board/{board.id}"),
        "name": board.name,
        "type": board.type,
    }
    if not call.data_center:
        project = call.site.projects[board.project_id]
        shown["location"] = {
            "projectId": project.id,
            "displayName": f"{project.name} ({project.key})",
            "projectName": project.name,
            "projectKey": project.key,
            "projectTypeKey": "software",
            "avatarURI": f"{call.site_url}/images/avatars/project-{project.key}-24.svg",
            "name": f"{project.name} ({project.key})",
        }
        shown["isPrivate"] = False
    return shown


def _show_sprint(call: Call, sprint: Sprint) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": sprint.id,
        "self": _link(call, f"sprint/{sprint.id}"),
        "state": sprint.state,
        "name": sprint.name,
        "createdDate": wire.agile_date(sprint.created),
        "originBoardId": sprint.board_id,
        "goal": sprint.goal,
    }
    # A future sprint has no dates, only a closed one was completed: absent, not null.
    for name, at in (("startDate", sprint.start), ("endDate", sprint.end), ("completeDate", sprint.complete)):
        if at is not None:
            shown[name] = wire.agile_date(at)
    return shown


def list_boards(call: Call) -> Answer:
    boards = [board for board in call.site.boards.values() if call.sees(call.site.projects[board.project_id])]
    if reference := call.text("projectKeyOrId"):
        project = call.site.project(reference)
        if project is None or not call.sees(project):
            raise JiraError(400, f"No project could be found with key or id '{reference}'")
        boards = [board for board in boards if board.project_id == project.id]
    if types := call.texts("type"):
        boards = [board for board in boards if board.type in types]
    if name := call.text("name").lower():
        boards = [board for board in boards if name in board.name.lower()]
    return Answer(_page(call, boards, _show_board, call.controls.hidden_boards))


def _page(
    call: Call, found: list[T], show: Callable[[Call, T], dict[str, Any]], hidden: list[int]
) -> dict[str, Any]:
    """Return a page; what the account may not see is left out of it after it was cut."""
    page = wire.page_of(call, found, lambda each: show(call, each), cap=_PAGE)
    page["values"] = [each for each in page["values"] if each["id"] not in hidden]
    if not call.controls.agile_totals:
        del page["total"]
    return page


def _board(call: Call) -> Board:
    number = call.params["board"]
    board = call.site.boards.get(int(number)) if number.isascii() and number.isdigit() else None
    hidden = call.controls.hidden_boards
    if board is None or board.id in hidden or not call.sees(call.site.projects[board.project_id]):
        raise JiraError(404, _NO_BOARD)
    if board.id in call.controls.forbidden_boards:
        raise JiraError(403, "You do not have permission to view this board.")
    return board


def get_board(call: Call) -> Answer:
    return Answer(_show_board(call, _board(call)))


def list_sprints(call: Call) -> Answer:
    board = _board(call)
    if board.type != "scrum":
        raise JiraError(400, "The board does not support sprints")
    if board.id in call.controls.unmapped_boards:
        raise JiraError(422, "This board has no columns with a mapped status.")
    states = call.texts("state")
    unknown = [state for state in states if state not in _STATES]
    if unknown:
        raise JiraError(400, f"Unrecognized sprint state: {unknown[0]}")
    sprints = [call.site.sprints[each] for each in board.sprint_ids]
    sprints = [sprint for sprint in sprints if not states or sprint.state in states]
    sprints.sort(key=lambda sprint: _STATES.index(sprint.state))
    return Answer(_page(call, sprints, _show_sprint, call.controls.hidden_sprints))


def _sprint(call: Call) -> Sprint:
    number = call.params["sprint"]
    sprint = call.site.sprints.get(int(number)) if number.isascii() and number.isdigit() else None
    if sprint is None or sprint.id in call.controls.hidden_sprints:
        raise JiraError(404, _NO_SPRINT)
    if not call.sees(call.site.projects[call.site.boards[sprint.board_id].project_id]):
        raise JiraError(404, _NO_SPRINT)
    if sprint.board_id in call.controls.forbidden_boards:
        raise JiraError(403, "You do not have permission to view this sprint.")
    return sprint


def get_sprint(call: Call) -> Answer:
    return Answer(_show_sprint(call, _sprint(call)))


def sprint_issues(call: Call) -> Answer:
    return _issues(call, Clause("sprint", "=", (Value(str(_sprint(call).id)),)))


def board_issues(call: Call) -> Answer:
    return _issues(call, Clause("project", "=", (Value(str(_board(call).project_id)),)))


def _issues(call: Call, scope: Clause) -> Answer:
    asked = jql.parse(call.text("jql"))
    where = Both((scope, asked.where)) if asked.where else scope
    start, size = call.page(_PAGE, _PAGE)
    fields = tuple(call.texts("fields")) or ("*navigable",)
    return offset_page(
        call, Query(where, asked.order or jql.parse("ORDER BY rank").order), start, size, fields, short=True
    )


_BOARD = ("read:board-scope:jira-software",)
_SPRINT = ("read:sprint:jira-software",)
_ISSUES = ("read:issue-details:jira",)
_JQL = ("read:jql:jira",)
_AGILE = "/rest/agile/1.0"
ROUTES = [
    Route("GET", f"{_AGILE}/board", list_boards, (*_BOARD, "read:project:jira")),
    Route("GET", f"{_AGILE}/board/{{board}}", get_board, (*_BOARD, *_ISSUES)),
    Route("GET", f"{_AGILE}/board/{{board}}/issue", board_issues, (*_BOARD, *_ISSUES)),
    Route("GET", f"{_AGILE}/board/{{board}}/sprint", list_sprints, _SPRINT),
    Route("GET", f"{_AGILE}/sprint/{{sprint}}", get_sprint, _SPRINT),
    Route("GET", f"{_AGILE}/sprint/{{sprint}}/issue", sprint_issues, (*_SPRINT, *_ISSUES, *_JQL)),
]
