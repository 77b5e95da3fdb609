"""How many rounds of Jira's time a list takes, and how many calls, whatever the machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from jobticket.clock import Deadline
from jobticket.http.transport import HttpAnswer
from jobticket.jira.boards import boards_of_project, sprints_of_boards
from jobticket.jira.client import Credential, Deployment, JiraClient, Pace, Site
from jobticket.jira.issue_lists import tickets_of_project, tickets_of_sprint
from jobticket.jira.projects import list_projects
from jobticket.jira.rate_limits import RateLimits
from tests.support.scripted_jira import Call, ScriptedJira, answered


def client_of(jira: ScriptedJira, deployment: Deployment = "cloud", seconds: float = 25) -> JiraClient:
    return JiraClient(
        requests.Session(),
        Site("https://jira.example", "https://jira.example", deployment, "quota", "anna"),
        Credential("Basic x"),
        deadline=Deadline.after(seconds, jira.time.monotonic),
        rate_limits=RateLimits(jira.time.monotonic),
        pace=Pace(jira.time.sleep, lambda: 0.0),
    )


def all_sprints(client: JiraClient) -> list[Any]:
    found = sprints_of_boards(client, boards_of_project(client, "1").rows)
    return [sprint for board in found for sprint in board.sprints]


@pytest.mark.parametrize(
    ("rows", "most_rounds", "most_calls", "read"),
    [
        (2000, 3, 41, lambda client: tickets_of_sprint(client, "1")[1].rows),
        (1000, 3, 21, all_sprints),
        (500, 2, 10, lambda client: list_projects(client).rows),
        (2000, 3, 22, lambda client: tickets_of_project(client, "1").rows),
        (30, 1, 9, lambda client: tickets_of_sprint(client, "1")[1].rows),
        (40, 2, 5, all_sprints),
        (30, 1, 1, lambda client: list_projects(client).rows),
    ],
)
def test_rounds(
    monkeypatch: pytest.MonkeyPatch,
    rows: int,
    most_rounds: int,
    most_calls: int,
    read: Callable[[JiraClient], list[Any]],
) -> None:
    half = rows // 2
    jira = ScriptedJira(projects=rows, boards={1: half, 2: half}, sprint_issues=rows, issues=rows)
    jira.install(monkeypatch)
    assert len(read(client_of(jira))) == rows
    assert jira.time.now <= most_rounds
    assert len(jira.calls) <= most_calls


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_a_board_that_fails_after_some_pages_is_not_shown_in_part(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    jira = ScriptedJira(boards={1: 60, 2: 70})
    jira.trouble = lambda call: (
        answered(status, {}) if "board/1/" in call.path and call.params["startAt"] == 50 else None
    )
    jira.install(monkeypatch)
    client = client_of(jira)
    found = sprints_of_boards(client, boards_of_project(client, "1").rows)
    assert [(board.board["id"], len(board.sprints)) for board in found] == [(2, 70)]


@pytest.mark.parametrize("count", [21, 51, 200])
@pytest.mark.parametrize(("size", "fill"), [(10, 10), (50, 5), (20, 20)])
def test_a_bucket_is_drawn_from_as_it_fills(
    monkeypatch: pytest.MonkeyPatch, count: int, size: int, fill: int
) -> None:
    """A Data Center's: ``size`` calls at once, then ``fill`` a second."""
    jira = ScriptedJira(issues=250 * count)
    jira.cap = 250
    tokens, filled_at = float(size), 0.0
    headers = {"Interval-Seconds": "1", "FillRate": str(fill), "Limit": str(size)}

    def bucket(_call: Call) -> HttpAnswer | None:
        nonlocal tokens, filled_at
        # Calls begin in the order of their ends, and not of their turns in this list.
        tokens = min(float(size), tokens + max(0.0, jira.time.now - filled_at) * fill)
        filled_at = max(filled_at, jira.time.now)
        if tokens < 1:
            return answered(429, {}, {f"X-RateLimit-{name}": value for name, value in headers.items()})
        tokens -= 1
        return None

    jira.trouble = bucket
    jira.install(monkeypatch)
    found = tickets_of_project(client_of(jira, "data_center", seconds=120), "1")
    assert len(found.rows) == 250 * count
    assert jira.time.now <= 5 + count / 16 + 2 * max(0, count - size) / fill
    assert len(jira.calls) <= 2 * count + 16
