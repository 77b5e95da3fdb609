"""A Jira in memory whose calls take one second each of a time of its own, and threads that live by that time.

Work that is handed to a thread runs at once, but on a clock of its own: what ran side by side ends at the same
time. So the end of an operation tells how many calls waited for each other, the same on every machine.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from jobticket.http.transport import HttpAnswer
from jobticket.jira.parallel import PARALLEL


class VirtualTime:
    """The clock of whichever thread is running, and the places for calls at once."""

    def __init__(self, places: int = PARALLEL) -> None:
        self.now = 0.0
        self._free = [0.0] * places

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def call(self, seconds: float = 1.0) -> None:
        """Let a call pass, when there is a place for it."""
        self.now = max(self.now, heapq.heappop(self._free)) + seconds
        heapq.heappush(self._free, self.now)

    @contextlib.contextmanager
    def thread_pool(self, _size: int = PARALLEL) -> Iterator[_Threads]:
        yield _Threads(self)


@dataclass
class _Threads:
    time: VirtualTime

    def submit(self, work: Callable[..., Any], *given: Any) -> Future[Any]:
        begun, done = self.time.now, _Done(self.time)
        try:
            done.set_result(work(*given))
        except Exception as error:
            done.set_exception(error)
        done.at, self.time.now = self.time.now, begun
        return done


class _Done(Future[Any]):
    at = 0.0

    def __init__(self, time: VirtualTime) -> None:
        super().__init__()
        self.time = time

    def result(self, timeout: float | None = None) -> Any:
        self.time.now = max(self.time.now, self.at)
        return super().result(timeout)


def _first(pending: Mapping[_Done, Any], **_options: Any) -> tuple[list[_Done], None]:
    return [min(pending, key=lambda done: done.at)], None


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    params: Mapping[str, Any]
    body: Any


@dataclass
class ScriptedJira:
    """Rows by list, and the habits of this Jira.

    Attributes
    ----------
    trouble
        Asked before each call: an answer, an error to raise, or None for the true answer.
    hides
        Which rows, by their index, are left out of pages.
    """

    time: VirtualTime = field(default_factory=VirtualTime)
    projects: int = 3
    boards: dict[int, int] = field(default_factory=lambda: {1: 3})
    sprint_issues: int = 3
    issues: int = 3
    cap: int = 50
    says_total: bool = True
    says_last: bool = True
    hides: Callable[[int], bool] = lambda _index: False
    trouble: Callable[[Call], HttpAnswer | Exception | None] = lambda _call: None
    calls: list[Call] = field(default_factory=list)

    def install(self, patches: pytest.MonkeyPatch, *modules: Any) -> None:
        """Take the place of the network and of threads."""
        patches.setattr("jobticket.jira.client.send", self.send)
        patches.setattr("jobticket.jira.listing.wait", _first)
        for module in ("jobticket.jira.listing", "jobticket.jira.search", "jobticket.jira.issue_lists"):
            patches.setattr(f"{module}.thread_pool", self.time.thread_pool)
        for each in modules:
            patches.setattr(each, "thread_pool", self.time.thread_pool)

    def send(self, _session: Any, method: str, url: str, **options: Any) -> HttpAnswer:
        path = "/rest/" + url.partition("/rest/")[2]
        body = json.loads(options["data"]) if options.get("data") else None
        call = Call(method, path, options.get("params") or {}, body)
        self.calls.append(call)
        self.time.call()
        answer = self.trouble(call)
        if isinstance(answer, Exception):
            raise answer
        return answer or self._true(call)

    def _true(self, call: Call) -> HttpAnswer:
        for method, pattern, answer in self._routes():
            if call.method == method and (found := re.fullmatch(pattern, call.path)):
                return answered(200, answer(call, *found.groups()))
        raise AssertionError(f"no route for {call.method} {call.path}")

    def _routes(self) -> list[tuple[str, str, Callable[..., Any]]]:
        issue = r"/rest/api/2/issue/([^/]+)"
        return [
            (
                "GET",
                "/rest/api/2/project/search",
                lambda call: self._page(call, "values", self.all_projects()),
            ),
            ("GET", "/rest/api/2/project", lambda _call: self.seen(self.all_projects())),
            ("GET", "/rest/agile/1.0/board", lambda call: self._page(call, "values", self.all_boards())),
            (
                "GET",
                r"/rest/agile/1.0/board/(\d+)/sprint",
                lambda call, board: self._page(call, "values", self.all_sprints(int(board))),
            ),
            ("GET", r"/rest/agile/1.0/sprint/(\d+)", lambda _call, number: _sprint(int(number))),
            (
                "GET",
                r"/rest/agile/1.0/sprint/\d+/issue",
                lambda call: self._page(call, "issues", range(self.sprint_issues), _issue),
            ),
            ("POST", "/rest/api/2/search/jql", self._search),
            (
                "POST",
                "/rest/api/2/search",
                lambda call: self._page(call, "issues", range(self.issues), _issue),
            ),
            ("POST", "/rest/api/2/issue/bulkfetch", _bulk),
            ("POST", "/rest/api/2/issue", lambda _call: {"id": "7", "key": "A-7"}),
            ("GET", issue, lambda _call, _key: _issue(6)),
            ("PUT", issue, lambda _call, _key: _issue(6)),
            ("DELETE", issue, lambda _call, _key: None),
        ]

    def all_projects(self) -> list[Any]:
        return [{"id": str(n + 1), "key": f"P{n:04}", "name": "A project"} for n in range(self.projects)]

    def all_boards(self) -> list[Any]:
        return [{"id": board, "name": "A board", "type": "scrum"} for board in self.boards]

    def all_sprints(self, board: int) -> list[Any]:
        return [_sprint(board * 10_000 + number) for number in range(self.boards[board])]

    def seen(self, rows: list[Any]) -> list[Any]:
        return [row for index, row in enumerate(rows) if not self.hides(index)]

    def _page(
        self, call: Call, name: str, rows: Sequence[Any], show: Callable[[Any], Any] = lambda row: row
    ) -> Any:
        window = call.params or call.body
        start, size = window["startAt"], min(window["maxResults"], self.cap)
        end = min(start + size, len(rows))
        shown = [show(rows[index]) for index in range(start, end) if not self.hides(index)]
        page = {"startAt": start, "maxResults": size, name: shown}
        if self.says_total:
            page["total"] = len(rows)
        if self.says_last:
            page["isLast"] = start + size >= len(rows)
        return page

    def _search(self, call: Call) -> Any:
        ids_only = call.body["fields"] == ["id"]
        start, most = int(call.body.get("nextPageToken", "0")), 5000 if ids_only else 100
        end = start + min(most, call.body["maxResults"])
        rows = [_issue(n) for n in range(start, min(end, self.issues)) if not self.hides(n)]
        following = {"isLast": True} if end >= self.issues else {"nextPageToken": str(end), "isLast": False}
        return {"issues": [{"id": row["id"]} for row in rows] if ids_only else rows, **following}


def answered(status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    content = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return HttpAnswer(status, "", CaseInsensitiveDict(headers or {}), content)


def _sprint(number: int) -> Any:
    return {"id": number, "name": f"Sprint {number}", "state": "active" if number % 10_000 == 0 else "closed"}


def _issue(number: int) -> Any:
    return {"id": str(number + 1), "key": f"A-{number + 1}", "fields": {"summary": "An issue"}}


def _bulk(call: Call) -> Any:
    return {"issues": [_issue(int(each) - 1) for each in call.body["issueIdsOrKeys"]], "issueErrors": []}
