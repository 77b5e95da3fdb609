"""Jira operations: the product against a plain client that reads page by page.

Both ask the emulated Atlassian, a process of its own, with 50 ms a call.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import requests

from benchmarks.table import print_table

ROOT = Path(__file__).resolve().parent.parent
LATENCY_MS = 50
CREDENTIALS = ("demo@example.com", "local-api-token")
RUNS = 3


@dataclass
class Atlassian:
    """The emulated site and its controls."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.session.request(method, f"{self.url}/_control{path}", json=body, timeout=300)
        answer.raise_for_status()
        return answer.json() if answer.content else None


@contextmanager
def emulated_atlassian() -> Iterator[Atlassian]:
    """Serve in a process of its own, which keeps nothing: to save thousands of issues takes time."""
    command = [sys.executable, "-m", "benchmarks.jira_operations", "serve"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=_environment(), **pipes) as process:
        assert process.stdout
        assert process.stdin
        try:
            yield Atlassian(process.stdout.readline().strip())
        finally:
            process.stdin.close()


def serve() -> None:
    """Serve until the listener is gone."""
    from local.atlassian.testing import running

    with running() as url:
        print(url, flush=True)
        sys.stdin.read()


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": f"{ROOT / 'layers' / 'jobticket'}{os.pathsep}{ROOT}"}


@dataclass(frozen=True)
class Data:
    project: str
    sprint: int
    boards_project: str
    issue: str
    huge: str


def fill(atlassian: Atlassian) -> Data:
    def create(**what: Any) -> Any:
        return atlassian.control("POST", "/issues", what)

    project = create(project="BIG", count=2000)
    sprint = create(project="SPR", boards=1, sprints=1, issues_per_sprint=2000)
    boards = create(project="TWO", boards=2, sprints=500)
    huge = create(project="HUGE", count=20_000)
    known = sum(1 for _ in Plain(atlassian.url, 50).projects())
    for number in range(500 - known):
        create(project=f"P{number}")
    return Data(
        project["project_id"], sprint["sprints"][0], boards["project_id"], "BIG-1", huge["project_id"]
    )


class Plain:
    """What one writes first: a session, and a loop that asks for the next page when it has read this one."""

    def __init__(self, url: str, page: int) -> None:
        self._url = url
        self._page = page
        self._session = requests.Session()
        self._session.auth = CREDENTIALS

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self._session.request(method, self._url + path, timeout=30, **options)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def _pages(self, path: str, name: str, **query: Any) -> Iterator[Any]:
        start = 0
        while True:
            page = self._ask("GET", path, params={**query, "startAt": start, "maxResults": self._page})
            yield from page[name]
            start += len(page[name])
            if not page[name] or page.get("isLast") or start >= page.get("total", start + 1):
                return

    def projects(self) -> Iterator[Any]:
        return self._pages("/rest/api/2/project/search", "values", expand="lead")

    def tickets(self, project: str) -> Iterator[Any]:
        token = None
        fields = "summary,status,assignee,priority,created,updated"
        while True:
            query = {"jql": f"project = {project}", "fields": fields, "maxResults": self._page}
            page = self._ask(
                "GET",
                "/rest/api/2/search/jql",
                params=query | ({"nextPageToken": token} if token else {}),
            )
            yield from page["issues"]
            token = page.get("nextPageToken")
            if page.get("isLast") or token is None:
                return

    def sprint_tickets(self, sprint: int) -> Iterator[Any]:
        self._ask("GET", f"/rest/agile/1.0/sprint/{sprint}")
        fields = "summary,description,status,assignee,reporter,created,updated,priority"
        return self._pages(f"/rest/agile/1.0/sprint/{sprint}/issue", "issues", fields=fields)

    def sprints(self, project: str) -> Iterator[Any]:
        for board in self._pages("/rest/agile/1.0/board", "values", projectKeyOrId=project):
            yield from self._pages(f"/rest/agile/1.0/board/{board['id']}/sprint", "values")

    def edit(self, issue: str, summary: str) -> list[Any]:
        self._ask("PUT", f"/rest/api/2/issue/{issue}", json={"fields": {"summary": summary}})
        return [self._ask("GET", f"/rest/api/2/issue/{issue}")]


class Product:
    """The product's own operations, up to the compressed answer."""

    def __init__(self, url: str) -> None:
        # Here and not at the top: the plain client's process shall not pay for these.
        from jobticket.connections.credentials import credential_of
        from jobticket.http.addresses import AddressPolicy
        from jobticket.http.session import new_session
        from jobticket.jira.client import Site

        self._session = new_session(AddressPolicy(allow_loopback=True))
        self._site = Site(url, url, "cloud", url)
        self._credential = credential_of(":".join(CREDENTIALS))

    def _client(self) -> Any:
        from jobticket.clock import Deadline
        from jobticket.jira.client import JiraClient

        return JiraClient(self._session, self._site, self._credential, deadline=Deadline.after(27))

    def projects(self) -> list[Any]:
        from jobticket.jira.projects import list_projects

        return _compressed(list_projects(self._client()).rows)

    def tickets(self, project: str) -> list[Any]:
        from jobticket.jira.issue_lists import tickets_of_project

        return _compressed(tickets_of_project(self._client(), project).rows)

    def sprint_tickets(self, sprint: int) -> list[Any]:
        from jobticket.jira.issue_lists import tickets_of_sprint

        return _compressed(tickets_of_sprint(self._client(), str(sprint))[1].rows)

    def sprints(self, project: str) -> list[Any]:
        from jobticket.jira.boards import boards_of_project, sprints_of_boards

        client = self._client()
        found = sprints_of_boards(client, boards_of_project(client, project).rows)
        return _compressed([sprint for board in found for sprint in board.sprints])

    def edit(self, issue: str, summary: str) -> list[Any]:
        from jobticket.jira.issues import edit_issue
        from jobticket.jira.model import IssueEdit

        return _compressed([edit_issue(self._client(), IssueEdit(issue, summary=summary))])


def _compressed(rows: list[Any]) -> list[Any]:
    gzip.compress(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode(), 6, mtime=0)
    return rows


@dataclass(frozen=True)
class Measured:
    seconds: float
    calls: int
    chain: int
    rows: int


def measure(atlassian: Atlassian, work: Callable[[], Any]) -> Measured:
    """Return the best of some runs."""
    return min((_once(atlassian, work) for _ in range(RUNS)), key=lambda measured: measured.seconds)


def _once(atlassian: Atlassian, work: Callable[[], Any]) -> Measured:
    atlassian.control("DELETE", "/requests")
    begun = time.perf_counter()
    rows = sum(1 for _ in work())
    seconds = time.perf_counter() - begun
    calls = atlassian.control("GET", "/requests")
    return Measured(seconds, len(calls), longest_chain(calls), rows)


def longest_chain(calls: list[Mapping[str, Any]]) -> int:
    """Return the length of the longest chain in which each call began after the one before had ended."""
    spans = sorted((call["at"] + call["milliseconds"] / 1000, call["at"]) for call in calls)
    chains: list[tuple[float, int]] = []
    for end, begin in spans:
        chains.append((end, 1 + max((length for ended, length in chains if ended <= begin), default=0)))
    return max((length for _, length in chains), default=0)


def operations(data: Data) -> dict[str, Callable[[Any], Any]]:
    return {
        "2,000 issues of a project": lambda client: client.tickets(data.project),
        "2,000 issues of a sprint": lambda client: client.sprint_tickets(data.sprint),
        "500 projects": lambda client: client.projects(),
        "2 boards of 500 sprints": lambda client: client.sprints(data.boards_project),
        "1 issue edited": lambda client: client.edit(data.issue, f"Edited {time.time()}"),
    }


def compare(atlassian: Atlassian, data: Data) -> None:
    product = Product(atlassian.url)
    plain = {"page by page, 50": Plain(atlassian.url, 50), "page by page, 100": Plain(atlassian.url, 100)}
    rows = []
    for name, operation in operations(data).items():
        ours = measure(atlassian, partial(operation, product))
        rows.append([name, "product", *_shown(ours), ""])
        for title, client in plain.items():
            theirs = measure(atlassian, partial(operation, client))
            rows.append(["", title, *_shown(theirs), f"{theirs.seconds / ours.seconds:.1f} x"])
    print_table(
        f"Jira operations, {LATENCY_MS} ms a call (best of {RUNS})",
        ["operation", "client", "rows", "time", "calls", "chain", "product is faster by"],
        rows,
    )


def _shown(measured: Measured) -> list[str]:
    return [
        f"{measured.rows:,}",
        f"{measured.seconds * 1000:,.0f} ms",
        str(measured.calls),
        str(measured.chain),
    ]


def huge_project(atlassian: Atlassian, data: Data) -> None:
    """Read 20,000 issues in a process of its own, whose memory is then known."""
    command = [sys.executable, "-m", "benchmarks.jira_operations", "huge", atlassian.url, data.huge]
    done = subprocess.run(
        command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, env=_environment()
    )
    told = json.loads(done.stdout.splitlines()[-1])
    print_table(
        f"20,000 issues of a project, {LATENCY_MS} ms a call",
        ["rows", "time", "answer", "compressed", "memory before", "memory peak"],
        [
            [
                f"{told['rows']:,}",
                f"{told['seconds']:.1f} s",
                _mb(told["bytes"]),
                _mb(told["compressed"]),
                _mb(told["before"]),
                _mb(told["peak"]),
            ]
        ],
    )


def _mb(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MB"


def read_huge(url: str, project: str) -> None:
    """Answer as the function does, every import of it included, and say what it took."""
    import tests.support.environment  # noqa: F401, I001 - what the function reads at its start
    import functions.jira.app  # noqa: F401 - the memory that it takes belongs to the figure
    from jobticket.jira.issue_lists import tickets_of_project
    from jobticket.web.api import Answer, _proxy_answer

    product = Product(url)
    before = _peak()
    begun = time.perf_counter()
    rows = tickets_of_project(product._client(), project).rows
    body = {"tickets": rows, "total": len(rows), "sprint": None}
    answer = _proxy_answer(Answer(body=body), {"accept-encoding": "gzip"}, {})
    seconds = time.perf_counter() - begun
    compressed = base64.b64decode(answer["body"])
    told = {
        "rows": len({row["id"] for row in rows}),
        "seconds": seconds,
        "compressed": len(compressed),
        "before": before,
        "peak": _peak(),
    }
    raw = gzip.decompress(compressed)
    print(json.dumps(told | {"bytes": len(raw)}))


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    match sys.argv[1:]:
        case ["serve"]:
            serve()
        case ["huge", url, project]:
            read_huge(url, project)
        case _:
            run()


def run() -> None:
    """Print the tables."""
    with emulated_atlassian() as atlassian:
        data = fill(atlassian)
        atlassian.control("PUT", "", {"latency_ms": LATENCY_MS})
        compare(atlassian, data)
        huge_project(atlassian, data)


if __name__ == "__main__":
    main()
