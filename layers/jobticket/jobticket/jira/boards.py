"""Boards of a project, and their sprints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jobticket import foreign
from jobticket.dataclass import dataclass
from jobticket.errors import NotFoundError
from jobticket.jira import shapes
from jobticket.jira.answers import has_no_sprints, is_hidden, names_no_project
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraStatusError
from jobticket.jira.listing import Listing, Reading, Row, Slice, pages, read, read_all, shaped
from jobticket.jira.parallel import PARALLEL

NO_BOARDS = "No agile boards found for this project"
PAGE = 50
SPRINT = "/rest/agile/1.0/sprint/{sprint}"


@dataclass(frozen=True, slots=True)
class BoardSprints:
    """A board and sprints of it."""

    board: Row
    sprints: list[Row]

    @property
    def active(self) -> list[Row]:
        return [sprint for sprint in self.sprints if sprint["state"] == "active"]

    def as_json(self, **lists: list[Row]) -> dict[str, Any]:
        """Return the board as the answers show it, with these lists of sprints."""
        return {f"board_{name}": value for name, value in self.board.items()} | lists


def boards_of_project(client: JiraClient, project: str, start: int = 0, limit: int | None = None) -> Slice:
    """Return the boards that show a project; 404 without any, or without such a project.

    Jira does not always say which.
    """
    of_project = {"projectKeyOrId": project}
    fetch = pages(client, "/rest/agile/1.0/board", "values", show_board, of_project)
    try:
        found = read(Listing(PAGE, start, limit), fetch)
    except JiraStatusError as error:
        if not names_no_project(error):
            raise
        details = {"details": error.details} if error.details else {}
        raise NotFoundError(NO_BOARDS, details=details) from error
    if not found.rows and start == 0:
        raise NotFoundError(NO_BOARDS)
    return found


def sprints_of_boards(
    client: JiraClient, boards: Sequence[Row], state: str | None = None
) -> list[BoardSprints]:
    """Return the boards' sprints, read in parallel.

    A kanban board has no sprints. A board that may not be read, was deleted meanwhile, or failed after some
    of its pages is left out: it is not known what it has.
    """
    in_state = {} if state is None else {"state": state}
    path = "/rest/agile/1.0/board/{board}/sprint"
    # Few boards may have many sprints each, but never many active ones.
    ahead = 2 if state is None and len(boards) <= PARALLEL // 2 else 1
    readings = {
        board["id"]: Reading(
            Listing(PAGE, ahead=ahead),
            pages(client, path, "values", show_sprint, in_state, board=board["id"]),
            lambda error: has_no_sprints(error) or is_hidden(error),
        )
        for board in boards
        if board["type"] != "kanban"
    }
    read_all(list(readings.values()))
    return [
        BoardSprints(board, readings[board["id"]].listing.slice().rows if board["id"] in readings else [])
        for board in boards
        if board["id"] not in readings or not _is_unknown(readings[board["id"]])
    ]


def _is_unknown(reading: Reading) -> bool:
    failure = reading.failure
    return failure is not None and (is_hidden(failure) or bool(reading.listing.slice().rows))


def active_sprint(client: JiraClient, project: str) -> Row | None:
    """Return a project's active sprint, if there is one; of several, the first board's first."""
    try:
        boards = boards_of_project(client, project).rows
    except NotFoundError:
        return None
    active = sprints_of_boards(client, boards, state="active")
    return next((sprint for board in active for sprint in board.active), None)


def get_sprint(client: JiraClient, sprint: str) -> Row:
    """Return one sprint."""
    return shaped([client.get(SPRINT, sprint=sprint)], show_sprint)[0]


def show_board(board: Any) -> Row:
    """Return a board as the answers show it."""
    return {
        "id": shapes.id_of(board["id"]),
        "name": foreign.text(board.get("name")),
        "type": foreign.text(board.get("type")),
    }


def show_sprint(sprint: Any) -> Row:
    """Return a sprint as the answers show it."""
    return {
        "id": shapes.id_of(sprint["id"]),
        "name": foreign.text(sprint.get("name")),
        "state": foreign.text(sprint.get("state")),
        "startDate": shapes.date(sprint.get("startDate")),
        "endDate": shapes.date(sprint.get("endDate")),
        "completeDate": shapes.date(sprint.get("completeDate")),
        "goal": foreign.prose(sprint.get("goal")),
    }
