"""A Jira that does what public reports tell of, drawn at random. ``JIRA_ROUNDS=10000`` for many rounds."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.connections.model import Connection, ConnectionId
from jobticket.http.errors import SlowError, UnreachableError
from jobticket.http.transport import HttpAnswer
from jobticket.jira.answers import evaluated
from jobticket.jira.client import Credential, JiraClient, Pace, Site
from jobticket.jira.errors import JiraError, JiraLoginError, JiraRefusedCredentialsError
from jobticket.jira.rate_limits import RateLimits
from tests.support.scripted_jira import Call, ScriptedJira, answered
from tests.unit.conftest import gateway
from tests.unit.jira import test_answers as table
from tests.unit.jira_operations.conftest import Jira
from tests.unit.jira_operations.test_refusals import FAILED, READS, WRITES, call

ROUNDS = int(os.environ.get("JIRA_ROUNDS", "150"))
BODIES: list[Any] = [
    None,
    {},
    [],
    "",
    table.PAGE,
    "Not Found",
    '{"values": [',
    {"errorMessages": ["No."], "errors": {}},
    {"errorMessages": "No."},
    {"error": {"message": "No."}},
    {"errors": {"project": "is required"}},
    {"errors": ["No."]},
    {"values": None, "issues": 7},
    {"values": [1], "issues": [None]},
    {"values": [{"id": "../1"}], "issues": [{"id": [], "key": 7}]},
    {"message": "x" * 9000},
    {"total": 10**400},
    *(
        row[1]
        for row in (*table.NOT_FROM_JIRA, *table.REFUSED_LOGINS, *table.MISSING_SCOPES, *table.REFUSALS)
    ),
]
HEADERS: list[dict[str, str]] = [
    {},
    {},
    {},
    *({"Retry-After": each} for each in ("0", "1", "20", "600", "9223372036854775807", "soon", "-1")),
    *({"RateLimit-Reason": each} for each in ("jira-burst-based", "jira-quota-tenant-based", "new")),
    {"RateLimit-Reason": "jira-per-issue-on-write", "Retry-After": "2"},
    {"X-RateLimit-Interval-Seconds": "1", "X-RateLimit-FillRate": "3", "X-RateLimit-Limit": "9"},
    {"X-RateLimit-Interval-Seconds": "9223372036854775807", "X-RateLimit-FillRate": "0"},
    {"X-RateLimit-Reset": "9999-12-31T23:59:59Z"},
    {"Location": "https://sso.example/login"},
    {"Location": "https://[bad"},
    {"Content-Type": "text/html"},
    {table.LOGIN: "OUT, OK"},
    {table.LOGIN: "AUTHENTICATED_FAILED, AUTHENTICATED_FAILED"},
    {table.LOGIN: "OUT, AUTHENTICATION_DENIED"},
    table.CHALLENGE,
]
STATUSES = [301, 302, 400, 401, 403, 404, 408, 409, 410, 413, 422, 423, 429, 429, 500, 502, 503, 504, 520]
LISTS = {
    "get-projects": ("projects", "id"),
    "get-tickets-for-project": ("tickets", "id"),
    "get-boards-for-project": ("boards", "id"),
    "get-tickets-for-sprint": ("tickets", "id"),
}
NAMED = {400, 403, 404, 409, 413, 429, 500, 504}


@dataclass
class Round:
    """One operation at one Jira."""

    seed: int
    chance: random.Random = field(init=False)
    jira: ScriptedJira = field(init=False)
    name: str = field(init=False)
    #: How often an answer is drawn, and whether the credential is dead from the first call on.
    share: float = field(init=False)
    dead: HttpAnswer | None = None
    drawn: int = 0
    refused_at: int | None = None

    def __post_init__(self) -> None:
        self.chance = chance = random.Random(self.seed)
        self.name = chance.choice([*READS, *WRITES])
        self.share = chance.choice([0.0, 0.0, 0.05, 0.3, 1.0])
        cap = chance.choice([7, 20, 50, 50, 100])
        gone = self._hidden(cap)
        self.jira = ScriptedJira(
            projects=chance.choice([0, 1, 49, 50, 51, 120, 360]),
            boards={number: chance.choice([0, 3, 50, 51, 130]) for number in range(1, chance.randint(2, 6))},
            sprint_issues=chance.choice([0, 1, 50, 99, 135, 360]),
            issues=chance.choice([0, 1, 99, 100, 101, 350]),
            cap=cap,
            says_total=chance.random() < 0.5,
            says_last=chance.random() < 0.5,
            hides=gone.__contains__,
            trouble=self.trouble,
        )
        if chance.random() < 0.25:
            self.share = 0.0
            status, body, headers = chance.choice(
                [*table.WRONG_CREDENTIALS, *(row[:3] for row in table.REFUSED_LOGINS)]
            )
            self.dead = answered(status, body, headers)

    def _hidden(self, cap: int) -> set[int]:
        """Rows that are left out, never a whole page and its neighbour."""
        if self.chance.random() < 0.5:
            return set()
        gone = {index for index in range(400) if self.chance.random() < 0.4}
        return {index for index in gone if not all(index - back in gone for back in range(1, cap))}

    def trouble(self, asked: Call) -> HttpAnswer | Exception | None:
        if self.dead is None and self.chance.random() >= self.share:
            return None
        self.drawn += 1
        answer = self.dead or self._draw()
        if isinstance(answer, HttpAnswer) and self.refused_at is None:
            reads = asked.method == "GET" or "search" in asked.path or "bulk" in asked.path
            try:
                evaluated(answer, reads=reads)
            except JiraError as error:
                if isinstance(error, JiraRefusedCredentialsError | JiraLoginError):
                    self.refused_at = len(self.jira.calls)
        return answer

    def _draw(self) -> HttpAnswer | Exception:
        kind = self.chance.random()
        if kind < 0.05:
            self.jira.time.sleep(15)
            return SlowError("Jira did not answer in time", outcome_unknown=True)
        if kind < 0.1:
            return UnreachableError("The connection to Jira was lost", outcome_unknown=True)
        headers = self.chance.choice(HEADERS) | self.chance.choice(HEADERS)
        return answered(self.chance.choice(STATUSES), self.chance.choice(BODIES), headers)

    def whole(self) -> list[Any]:
        """What the list has to hold."""
        jira = self.jira
        lists = {
            "get-projects": jira.all_projects(),
            "get-boards-for-project": jira.all_boards(),
            "get-tickets-for-sprint": [{"id": str(n + 1)} for n in range(jira.sprint_issues)],
            "get-tickets-for-project": [{"id": str(n + 1)} for n in range(jira.issues)],
        }
        return [row["id"] for row in jira.seen(lists[self.name])]

    def check(self, answer: Any) -> None:
        body = answer.json() if answer.body else {}
        if answer.status >= 400:
            assert answer.status in NAMED
            assert self.drawn or answer.status == 404, body
            if answer.status == 500:
                assert body["error"] == FAILED[self.name]
            assert int(answer.headers.get("retry-after", 1)) in range(1, 86_401)
        elif self.name in LISTS:
            member, name = LISTS[self.name]
            assert [row[name] for row in body[member]] == self.whole()
        elif "sprints" in self.name:
            self._check_boards(body["boards"])
        if self.dead is not None and self.refused_at is not None:
            assert answer.status == 403
        if self.refused_at is not None:
            assert len(self.jira.calls) == self.refused_at

    def _check_boards(self, boards: list[Any]) -> None:
        for board in boards:
            whole = [sprint["id"] for sprint in self.jira.seen(self.jira.all_sprints(board["board_id"]))]
            if "sprints" in board and (board["sprints"] or not self.drawn):
                assert [sprint["id"] for sprint in board["sprints"]] == whole


def play(function: ModuleType, api: Jira, number: int) -> None:
    this = Round(number)
    with pytest.MonkeyPatch.context() as patches:
        this.jira.install(patches, function)
        site = Site(
            "https://jira.example",
            "https://jira.example",
            this.chance.choice(["cloud", "data_center"]),
            "quota",
            this.chance.choice(["anna", None]),
        )
        client = JiraClient(
            None,  # type: ignore[arg-type]
            site,
            Credential("Basic x"),
            deadline=Deadline.after(25, this.jira.time.monotonic),
            rate_limits=RateLimits(this.jira.time.monotonic),
            pace=Pace(this.jira.time.sleep, this.chance.random),
        )
        connection = Connection(
            ConnectionId("jira", "team-1"),
            "api_token",
            "first",
            b"",
            None,
            "",
            "",
            "",
            site.deployment,
            clock.now(),
        )
        patches.setattr(function.access, "connected", lambda *_given, **_options: (connection, client))
        with_sprint = this.name == "get-tickets-for-project" and this.chance.random() < 0.3
        answer = call(api, this.name, **({"include_sprint": "true"} if with_sprint else {}))
        if with_sprint and answer.status == 200:
            this.refused_at = None  # trouble of boards alone
        this.check(answer)


def test_a_random_jira(function: ModuleType) -> None:
    api = Jira(gateway(function))
    first = random.randrange(10**9)
    for number in range(first, first + ROUNDS):
        try:
            play(function, api, number)
        except BaseException as error:
            error.add_note(f"round {number}")
            raise
