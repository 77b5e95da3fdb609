"""What a fresh emulated Atlassian holds: a handful of people, four sites, some tickets to look at."""

from __future__ import annotations

from typing import Any

from local.atlassian import catalogue
from local.atlassian.adf.nodes import Node, element, mark, paragraph, text
from local.atlassian.model import Account, Board, Project, Sprint
from local.atlassian.world import Site, World

DANA = Account(
    "712020:6c1f7a52-0d3e-4f0b-9a55-2f1f3f0a1d01",
    "demo",
    "JIRAUSER10100",
    "Dana Demo",
    "demo@example.com",
    password="local-password",  # noqa: S106  # the credentials of the demonstration are public
    api_token="local-api-token",  # noqa: S106
    personal_token="local-personal-token",  # noqa: S106
)
ROBIN = Account(
    "712020:6c1f7a52-0d3e-4f0b-9a55-2f1f3f0a1d02",
    "robin",
    "JIRAUSER10101",
    "Robin Reed",
    "robin@example.com",
    password="local-robin-password",  # noqa: S106
    api_token="local-robin-api-token",  # noqa: S106
    personal_token="local-robin-personal-token",  # noqa: S106
)
KIM = Account(
    "712020:6c1f7a52-0d3e-4f0b-9a55-2f1f3f0a1d03", "kim", "JIRAUSER10102", "Kim Kessler", "kim@example.com"
)
SASHA = Account(
    "712020:6c1f7a52-0d3e-4f0b-9a55-2f1f3f0a1d04",
    "sasha",
    "JIRAUSER10103",
    "Sasha Scoped",
    "scoped@example.com",
    scoped_token="local-scoped-token",  # noqa: S106
)
SERVICE = Account(
    "712020:6c1f7a52-0d3e-4f0b-9a55-2f1f3f0a1d05",
    "jobticket-service",
    "JIRAUSER10104",
    "Jobticket service",
    "jobticket-service@serviceaccount.example.com",
    service_token="local-service-token",  # noqa: S106
)
ACCOUNTS = (DANA, ROBIN, KIM, SASHA, SERVICE)

PLANT_NORTH = "11111111-2222-4333-8444-555555550001"
PLANT_SOUTH = "11111111-2222-4333-8444-555555550002"
DATA_TEAM = "11111111-2222-4333-8444-555555550003"
PLANT_WIKI = "11111111-2222-4333-8444-555555550004"

_DAY_MS = 86_400_000


def _item(kind: str, *line: Node, **attrs: str) -> Node:
    """Return an item of a list: tasks hold their line themselves, other items hold it in a paragraph."""
    return element(kind, line, attrs) if attrs else element(kind, [paragraph(line)])


def _task(number: int, words: str, state: str) -> Node:
    return _item("taskItem", text(words), localId=f"housings-{number}", state=state)


_HOUSINGS: Node = {
    "type": "doc",
    "version": 1,
    "content": [
        paragraph(
            [
                text("Customer order 4711, due end of the month. "),
                element("status", attrs={"text": "Material in stock", "color": "green", "localId": "stock"}),
            ]
        ),
        element(
            "bulletList",
            [
                _item(
                    "listItem",
                    text("Material: EN AW-6082, sawn blanks are in rack "),
                    text("B3", mark("strong")),
                ),
                _item("listItem", text("Drawing revision C applies")),
            ],
        ),
        element(
            "taskList",
            [
                _task(1, "Fixture for the second operation", "DONE"),
                _task(2, "First article inspection before the second operation", "TODO"),
            ],
            {"localId": "housings"},
        ),
        element(
            "panel",
            [paragraph([text("Deburr the inner edge by hand: the seal cuts itself on a burr.")])],
            {"panelType": "warning"},
        ),
        paragraph(
            [
                text("Questions to "),
                text("robin@example.com", mark("link", href="mailto:robin@example.com")),
                text("."),
            ]
        ),
    ],
}
_TICKETS: dict[int, tuple[str, catalogue.IssueType, dict[str, Any]]] = {
    1: ("Set up the new deburring cell", catalogue.TASK, {"status_id": catalogue.DONE.id}),
    2: ("Coolant level sensor of CNC 2 reports nonsense", catalogue.BUG, {"priority_id": "2"}),
    10: ("Housings for the spring order", catalogue.EPIC, {}),
    42: (
        "Build 50 aluminum housings 1234567-001",
        catalogue.TASK,
        {
            "description": _HOUSINGS,
            "priority_id": "2",
            "assignee": ROBIN.account_id,
            "labels": ["housing", "urgent"],
            "status_id": catalogue.IN_PROGRESS.id,
            "custom": {
                "customfield_10908": "1234567-001",
                "customfield_10900": 50.0,
                catalogue.EPIC_LINK: "PI-10",
            },
        },
    ),
}


def add_accounts(world: World) -> None:
    """Add the people, with the credentials that the documentation names."""
    for account in ACCOUNTS:
        world.add_account(account)


def fill(world: World) -> None:
    """Put the default data into an empty world."""
    add_accounts(world)
    _plant_north(world, world.add_site(Site(PLANT_NORTH, "plant-north", "Plant North")))
    _small_site(world, Site(PLANT_SOUTH, "plant-south", "Plant South"), "PS", "Plant South orders", 5)
    _small_site(world, Site(DATA_TEAM, "data-team", "Data Team"), "DQ", "Data quality", 8)
    world.add_site(Site(PLANT_WIKI, "plant-wiki", "Plant Wiki", jira=False))


def _plant_north(world: World, site: Site) -> None:
    items = site.add_project(Project(10000, "PI", "Production Items", DANA.account_id, "Orders on the floor"))
    scrum = site.add_project(Project(10001, "SCRUM", "Tooling Team", ROBIN.account_id))
    # This project has no lead and no boards.
    site.add_project(Project(10002, "MISC", "Miscellaneous", None))
    for number in range(1, 45):
        title, kind, values = _TICKETS.get(number, (f"Work order {1000 + number}", catalogue.TASK, {}))
        world.create_issue(site, items, DANA.account_id, _ticket(world, title, kind, values, number))
    site.add_board(Board(1, "Tooling board", "scrum", scrum.id))
    site.add_board(Board(2, "Tooling kanban", "kanban", scrum.id))
    _sprints(world, site, scrum)


def _ticket(
    world: World, title: str, kind: catalogue.IssueType, values: dict[str, Any], age: int
) -> dict[str, Any]:
    created = world.now_ms() - (60 - age) * _DAY_MS
    done = values.get("status_id") == catalogue.DONE.id
    finished = {"resolution_id": catalogue.FIXED.id, "resolved": created + _DAY_MS} if done else {}
    plain = {"summary": title, "type_id": kind.id, "reporter": DANA.account_id, "created": created}
    return {**plain, **finished, **values}


def _sprints(world: World, site: Site, project: Project) -> None:
    now = world.now_ms()
    board = site.boards[1]
    plan: tuple[tuple[str, str, int], ...] = (
        ("Tooling 1", "closed", -28),
        ("Tooling 2", "active", -7),
        ("Tooling 3", "future", 7),
    )
    for number, (name, state, start) in enumerate(plan, 1):
        begun = now + start * _DAY_MS if state != "future" else None
        end = begun + 14 * _DAY_MS if begun is not None else None
        complete = end if state == "closed" else None
        goal = "Fixtures for the housings" if state == "active" else ""
        sprint = Sprint(number, name, state, board.id, now - 40 * _DAY_MS, begun, end, complete, goal)
        board.sprint_ids.append(site.add_sprint(sprint).id)
        for ticket in range(4):
            title = f"{name}: fixture {ticket + 1}"
            values: dict[str, Any] = {"sprint_ids": [number]}
            if state == "closed":
                values["status_id"] = catalogue.DONE.id
            kind = catalogue.STORY if ticket else catalogue.BUG
            world.create_issue(site, project, ROBIN.account_id, _ticket(world, title, kind, values, 50))


def _small_site(world: World, site: Site, key: str, name: str, count: int) -> None:
    world.add_site(site)
    project = site.add_project(Project(10000, key, name, KIM.account_id))
    for number in range(1, count + 1):
        title = f"{name}: item {number}"
        world.create_issue(site, project, KIM.account_id, _ticket(world, title, catalogue.TASK, {}, number))
    site.add_board(Board(1, f"{name} board", "kanban", project.id))
