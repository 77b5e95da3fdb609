"""Mixed load on a local stack of its own, with faults put in: `make soak`.

Four callers read, move, push, refresh tokens and report anomalies at once, while Jira fails, forgets answers
and dawdles in turn. Every answer must be a documented one; afterwards, without faults, counts and tickets
must agree with the serial numbers, one by one, and no worker may have grown without end.
``python -m benchmarks.soak [minutes]``
"""

from __future__ import annotations

import itertools
import json
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from benchmarks.table import print_table
from jobticket.push.tables import find_tables_in_markup
from tests.support.consent_flow import Atlassian, Browser, Walk, over_http
from tests.support.deployed import Stack, running

LONGEST_MINUTES = 30.0
CALLERS = 4
CONNECTION = "soak"
PAUSE_SECONDS = 0.02  # of each caller between its calls
ROUND_SECONDS = 10.0  # for one mixture of faults
#: Growth from the second third of the time to the last, beyond which a worker counts as leaking.
LARGEST_GROWTH = 1.25
#: Statuses above 499 that the document has, and what goes with Jira's faults.
DOCUMENTED_FAULTS = {502, 503, 504}

FAULTS: tuple[tuple[str, list[dict[str, Any]]], ...] = (
    ("none", []),
    ("every second call 503", [{"method": ".*", "path": "/rest/.*", "times": 20, "status": 503}]),
    ("answers lost", [{"method": "PUT|POST", "path": "/rest/.*", "times": 10, "drop": "after"}]),
    ("calls lost", [{"method": "GET", "path": "/rest/.*", "times": 10, "drop": "before"}]),
    ("slow", [{"method": ".*", "path": "/rest/.*", "times": 30, "delay_ms": 1500}]),
    (
        "rate limits",
        [{"method": ".*", "path": "/rest/.*", "times": 10, "status": 429, "headers": {"Retry-After": "1"}}],
    ),
    ("tokens refused", [{"method": "POST", "path": "/oauth/token", "times": 5, "status": 503}]),
)


@dataclass
class Floor:
    """What the callers work on, and what they have seen."""

    stack: Stack
    paths: list[str] = field(default_factory=list)
    jobs: dict[str, str] = field(default_factory=dict)  # tickets by job
    anomalies: list[int] = field(default_factory=list)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    strange: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, name: str, method: str, path: str, body: Any = None) -> Any:
        """Send a request and judge its answer."""
        answer = self.stack.request(method, path, json=body)
        with self._lock:
            self.answers[name, answer.status_code] += 1
            if answer.status_code >= 500 and answer.status_code not in DOCUMENTED_FAULTS:
                self.strange.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer.json() if answer.ok and answer.content else None

    def jira(self, method: str, path: str, body: Any = None) -> Any:
        with requests.Session() as session:
            session.trust_env = False
            session.auth = ("demo@example.com", "local-api-token")
            answer = session.request(method, self.stack.atlassian_url + path, json=body, timeout=60)
        answer.raise_for_status()
        return answer.json() if answer.content else None


def prepare(floor: Floor) -> None:
    """Connect a site by consent, with tokens that are soon old; make jobs with tickets, and anomalies."""
    atlassian = Atlassian(floor.stack.atlassian_url)
    atlassian.control(access_token_seconds=320)  # good for 20 s: the product renews 300 s before the end
    Walk(Browser(over_http(floor.stack)), atlassian).to_connection(CONNECTION)
    atlassian.close()
    settings = {"enabled": True, "pushEnabled": True, "externalId": CONNECTION, "projectKey": "PI"}
    floor.call("prepare", "PUT", "/api/settings", settings)
    for number in range(4):
        _job(floor, number)
    credentials = {
        "api_url": floor.stack.atlassian_url,
        "api_access_token": "demo@example.com:local-api-token",
    }
    integration = {"type": "jira", "project_key": "PI", "issue_type": "Task", **credentials}
    floor.call("prepare", "POST", "/api/integrations/ticketing", integration)
    for number in range(3):
        _anomaly(floor, number)


def _job(floor: Floor, number: int) -> None:
    issue = {"project": {"key": "PI"}, "issuetype": {"name": "Task"}, "summary": f"Housings {number}"}
    ticket = floor.jira("POST", "/rest/api/2/issue", {"fields": issue})["key"]
    body = {"name": f"JOB-{number}", "goalQuantity": 500, "jiraTicketKey": ticket}
    job = floor.call("prepare", "POST", "/api/jobs", body)["id"]
    floor.jobs[job] = ticket
    steps = [{"name": name} for name in ("CNC", "Deburr", "QC")]
    route = {"jobId": job, "name": "Route", "goalQuantity": 500, "steps": steps}
    path = floor.call("prepare", "POST", "/api/paths", route)["id"]
    floor.paths.append(path)
    floor.call("prepare", "POST", "/api/serials", {"pathId": path, "quantity": 200})


def _anomaly(floor: Floor, number: int) -> None:
    check = {"message": "is not unique", "field": f"FIELD_{number}"}
    body = {"type": "record", "datastore": {"id": 7, "name": "CRM"}, "failed_checks": [check]}
    anomaly = floor.call("prepare", "POST", "/api/anomalies", body)["id"]
    floor.call(
        "prepare", "POST", f"/api/integrations/ticketing/anomalies/{anomaly}/tickets", {"title": "Not unique"}
    )
    floor.anomalies.append(anomaly)


def read(floor: Floor, chance: random.Random) -> None:
    job, path = chance.choice(list(floor.jobs)), chance.choice(floor.paths)
    url = chance.choice(
        ["/api/jobs", f"/api/jobs/{job}", f"/api/paths/{path}", f"/api/serials?pathId={path}&limit=50"]
    )
    floor.call("read", "GET", url)


def move(floor: Floor, chance: random.Random) -> None:
    path = chance.choice(floor.paths)
    serials = floor.call("list", "GET", f"/api/serials?pathId={path}&status=in_progress&limit=500") or []
    if not serials:
        floor.call("create", "POST", "/api/serials", {"pathId": path, "quantity": 50})
        return
    chosen = chance.choice(serials)
    if chance.random() < 0.1:
        floor.call("scrap", "POST", f"/api/serials/{chosen['id']}/scrap", {"reason": "damaged"})
    else:
        step = {"fromStepIndex": chosen["currentStepIndex"]}
        floor.call("move", "POST", f"/api/serials/{chosen['id']}/advance", step)


def push(floor: Floor, chance: random.Random) -> None:
    floor.call("push", "POST", "/api/jira/push", {"jobId": chance.choice(list(floor.jobs))})


def token(floor: Floor, _chance: random.Random) -> None:
    query = f"provider=jira&external_id={CONNECTION}"
    floor.call("token", "GET", f"/api/backend/connection-info/get-access-token?{query}")


def sync(floor: Floor, chance: random.Random) -> None:
    anomaly = chance.choice(floor.anomalies)
    if chance.random() < 0.5:
        floor.call("comment", "POST", f"/api/anomalies/{anomaly}/comments", {"message": "looking into it"})
    else:
        status = chance.choice(["Active", "Acknowledged"])
        floor.call("status", "PUT", f"/api/anomalies/{anomaly}", {"status": status})


WORK: Sequence[tuple[Callable[[Floor, random.Random], None], int]] = (
    (read, 40),
    (move, 40),
    (push, 6),
    (token, 8),
    (sync, 6),
)


def work(floor: Floor, until: float, seed: int) -> None:
    """Be one caller until the time is over."""
    chance = random.Random(seed)
    kinds, weights = zip(*WORK, strict=True)
    while time.monotonic() < until:
        (kind,) = chance.choices(kinds, weights)
        try:
            kind(floor, chance)
        except requests.RequestException as error:
            floor.strange.append(f"{kind.__name__}: {error!r}")
        time.sleep(PAUSE_SECONDS)


def disturb(floor: Floor, until: float, memory: Memory) -> None:
    """Change the faults in turn, and look at the workers meanwhile."""
    for _, faults in itertools.cycle(FAULTS):
        if time.monotonic() >= until:
            break
        floor.jira("PUT", "/_control", {"faults": faults})
        memory.look()
        time.sleep(max(0.0, min(ROUND_SECONDS, until - time.monotonic())))
    floor.jira("PUT", "/_control", {"faults": []})


@dataclass
class Memory:
    """What the emulator's workers take, over time."""

    emulator: int
    seen: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))

    def look(self) -> None:
        for pid in _children(self.emulator):
            if (resident := _resident(pid)) is not None:
                self.seen[pid].append(resident)

    def growths(self) -> dict[int, float]:
        """Return for each worker that lived long how its last third compares with its second."""
        found = {}
        for pid, sizes in self.seen.items():
            third = len(sizes) // 3
            if third >= 2:
                found[pid] = statistics.median(sizes[-third:]) / statistics.median(sizes[third : 2 * third])
        return found


def _children(parent: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(folder.name))
    return found


def _resident(pid: int) -> int | None:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS:")), None)


def verify(floor: Floor) -> list[str]:
    """Compare counts with serial numbers, and tables in tickets with counts; return what does not agree."""
    wrong = []
    for (job, ticket), path in zip(floor.jobs.items(), floor.paths, strict=True):
        shown = floor.call("verify", "GET", f"/api/paths/{path}")
        serials = floor.call("verify", "GET", f"/api/serials?pathId={path}")
        counts = [step["serialCount"] for step in shown["distribution"]] + [shown["completedCount"]]
        if counts != recounted(serials, len(shown["steps"])):
            wrong.append(f"{path}: the counts are {counts}, of {recounted(serials, len(shown['steps']))}")
        result = floor.call("verify", "POST", "/api/jira/push", {"jobId": job})
        if result != {"success": True}:
            wrong.append(f"{ticket}: {result}")
        description = floor.jira("GET", f"/rest/api/2/issue/{ticket}")["fields"]["description"]
        last = find_tables_in_markup(description)[-1].content.row[1:]
        if last != tuple(map(str, counts)):
            wrong.append(f"{ticket}: the last table says {last}, not {counts}")
    return wrong


def recounted(serials: Sequence[Mapping[str, Any]], steps: int) -> list[int]:
    places = Counter(
        serial["currentStepIndex"] for serial in serials if serial["status"] in ("in_progress", "completed")
    )
    return [*(places[step] for step in range(steps)), places[-1]]


def soak(minutes: float) -> int:
    """Run, print what came of it, and return how many things were wrong."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as stack:
        floor, memory = Floor(stack), Memory(stack.description()["emulator_pid"])
        prepare(floor)
        until = time.monotonic() + 60 * min(minutes, LONGEST_MINUTES)
        callers = [threading.Thread(target=work, args=(floor, until, seed)) for seed in range(CALLERS)]
        for caller in callers:
            caller.start()
        disturb(floor, until, memory)
        for caller in callers:
            caller.join()
        wrong = floor.strange + verify(floor)
    growths = memory.growths()
    wrong += [
        f"worker {pid} grows: {growth:.2f}" for pid, growth in growths.items() if growth > LARGEST_GROWTH
    ]
    _print(floor, growths, wrong, minutes)
    return len(wrong)


def _print(floor: Floor, growths: Mapping[int, float], wrong: Sequence[str], minutes: float) -> None:
    rows = [[name, str(status), str(count)] for (name, status), count in sorted(floor.answers.items())]
    print_table(f"Soak of {minutes:g} minutes: answers", ["call", "status", "how often"], rows)
    worst = max(growths.values(), default=1.0)
    print(f"\nWorkers watched: {len(growths)}; largest growth from the second third to the last: {worst:.2f}")
    print(
        "\n".join(["Wrong:", *wrong])
        if wrong
        else "Nothing was wrong: " + json.dumps(sorted(floor.jobs.values()))
    )


if __name__ == "__main__":
    sys.exit(1 if soak(float(sys.argv[1]) if sys.argv[1:] else 10.0) else 0)
