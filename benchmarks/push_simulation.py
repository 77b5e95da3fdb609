"""A night of scheduled pushes in virtual time: the real scheduler and workers against a Jira that misbehaves.

10,000 linked jobs on 5 sites; a fifth of all calls fails in mixed ways, one site is out of quota for an hour,
workers and scheduler are killed at random points, messages come twice, people edit descriptions between a
push's read and its write. At the end every job must have exactly one table of the run, every node that stood
there must be as it was, and every text that a person wrote must be there.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from benchmarks.simulation.memory_jira import AppQuota, Issue, MemoryJira, Quirks, SiteState
from benchmarks.simulation.memory_table import MemoryTable
from benchmarks.simulation.virtual_time import Killed, VirtualTime
from benchmarks.table import print_table
from jobticket import clock
from jobticket.clock import Deadline
from jobticket.jira.client import Credential, JiraClient, Pace, Site
from jobticket.jira.rate_limits import RateLimits
from jobticket.jobs.layout import LINKED_INDEX, job_item, path_item
from jobticket.jobs.model import Job, JobSettings, Path, ProcessStep
from jobticket.observability import logger
from jobticket.push.pushing import Pusher
from jobticket.push.runs.push_records import BY_TIME_INDEX, DUE_INDEX, Records
from jobticket.push.runs.queue import Jobs
from jobticket.push.runs.run import Runs
from jobticket.push.runs.scheduler import Scheduler
from jobticket.push.runs.sites import Sites
from jobticket.push.runs.worker import Worker
from jobticket.push.tables import find_tables
from jobticket.push.ticket import SETTLING_SECONDS, PushedTicket

INDEXES = {
    LINKED_INDEX: ("linked_pk", "linked_sk"),
    DUE_INDEX: ("due_pk", "due_at"),
    BY_TIME_INDEX: ("push_list", "push_at"),
}
#: As template.yaml has them.
WORKER_SECONDS = 90 - 5
VISIBILITY_SECONDS = 180
MOST_RECEIVES = 5
DATABASE_SECONDS = 0.006
#: A worker that was killed is replaced by a new one.
RESTART_SECONDS = 2.0


@dataclass(frozen=True)
class Plan:
    """What is simulated.

    Attributes
    ----------
    outage
        From when until when the first site is out of quota.
    killing
        The share of requests, to Jira and to the table, at which the process dies.
    twice
        The share of messages that are delivered twice.
    """

    jobs: int = 10_000
    sites: int = 5
    workers: int = 10
    places: int = 20
    quirks: Quirks = field(default_factory=Quirks)
    outage: tuple[float, float] | None = (60.0, 3660.0)
    points_an_hour: int = 65_000
    killing: float = 0.0005
    twice: float = 0.01
    seed: int = 1


@dataclass
class Figures:
    """How it came out."""

    seconds: float = 0.0
    allowed_seconds: float = 0.0
    real_seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    tables: Counter[int] = field(default_factory=Counter)
    edits: int = 0
    lost_edits: list[str] = field(default_factory=list)
    edits_in_comments: int = 0
    altered_descriptions: int = 0
    kills: int = 0
    dead_letters: int = 0
    sweeps: int = 0
    writes: int = 0
    messages: int = 0
    finished: dict[str, float] = field(default_factory=dict)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "Jobticket")
    os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "simulation")
    level = logger.log_level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


class MemoryQueue:
    """The queue: delays, invisibility, redelivery, dead letters, and now and then a message twice."""

    def __init__(
        self, time: VirtualTime, chance: random.Random, twice: float, alive: Callable[[], None]
    ) -> None:
        self._time, self._chance, self._twice, self._alive = time, chance, twice, alive
        self._messages: list[tuple[float, int, Jobs, int]] = []
        self.dead: list[Jobs] = []
        self.sent = 0

    def send(self, messages: list[Jobs], *, delay: float = 0) -> None:
        self._alive()
        for message in messages:
            self.sent += 1
            for _ in range(2 if self._chance.random() < self._twice else 1):
                self._put(message, delay, 0)

    def _put(self, message: Jobs, delay: float, receives: int) -> None:
        self._messages.append((self._time.seconds + int(delay), len(self._messages), message, receives))

    def backlog(self) -> int:
        self._alive()
        return sum(at <= self._time.seconds for at, *_ in self._messages)

    def receive(self) -> tuple[Jobs, Callable[[], None]] | None:
        """Take a message; the function returned puts it back."""
        ready = next((entry for entry in self._messages if entry[0] <= self._time.seconds), None)
        if ready is None:
            return None
        self._messages.remove(ready)
        _, _, message, receives = ready
        if receives + 1 >= MOST_RECEIVES:
            return message, lambda: self.dead.append(message)
        return message, lambda: self._put(message, VISIBILITY_SECONDS, receives + 1)


class RoutedPusher(Pusher):
    """Pushes to the site that a ticket's key names: in the product, all go where the settings say."""

    def ticket(self, key: str, settings: JobSettings, deadline: Deadline) -> PushedTicket:  # noqa: ARG002
        site = key.partition("-")[0].lower()
        opened: Any = self.access  # stands for the way to Jira: a site and a deadline in, a client out
        working = deadline.sooner(deadline.left() - SETTLING_SECONDS)
        return PushedTicket(key, opened(site, working), lambda: opened(site, deadline), self.now, self.pace)


def _order(number: int, drawing: int) -> dict[str, Any]:
    """Return a ticket's description with nodes that markup knows nothing of."""

    def text(shown: str, **more: Any) -> dict[str, Any]:
        return {"type": "text", "text": shown, **more}

    todo = {"localId": f"{number}-1", "state": "DONE"}
    status = {"text": "RELEASED", "color": "green", "localId": f"{number}-2", "style": ""}
    content = [
        {"type": "paragraph", "content": [text(f"Order {number}: housings, drawing {drawing}. ")]},
        {
            "type": "taskList",
            "attrs": {"localId": f"{number}"},
            "content": [{"type": "taskItem", "attrs": todo, "content": [text("degrease")]}],
        },
        {"type": "paragraph", "content": [{"type": "status", "attrs": status}]},
        {
            "type": "expand",
            "attrs": {"title": "Packing"},
            "content": [{"type": "paragraph", "content": [text("pack", marks=[{"type": "underline"}])]}],
        },
    ]
    return {"type": "doc", "version": 1, "content": content}


def _holds_in_order(nodes: list[Any], wanted: list[Any]) -> bool:
    """Tell whether wanted nodes stand among others, side by side and each as it was."""
    starts = range(len(nodes) - len(wanted) + 1)
    return sum(nodes[start : start + len(wanted)] == wanted for start in starts) == 1


class Night:
    """One simulated run."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.time = VirtualTime()
        self.figures = Figures()
        self.chance = random.Random(plan.seed)
        self.table: Any = MemoryTable(INDEXES, self._wait_for_database, self._maybe_die)
        app = AppQuota(plan.points_an_hour)
        self.sites = [
            SiteState(
                f"s{n}.example",
                out_of_quota=plan.outage if n == 0 else None,
                app=app if n < 3 else None,  # three by consent, two by API tokens
            )
            for n in range(plan.sites)
        ]
        self.jira = MemoryJira(self.time, self.sites, self.chance, plan.quirks, self._maybe_die)
        self.queue: Any = MemoryQueue(self.time, self.chance, plan.twice, self.time.require_alive)
        self.pace = Pace(self.time.sleep, self.chance.random)
        self.run_id = clock.iso_milliseconds(self.time.now())
        self.finished = False
        self._setting_up = True
        self._set_up()
        self._setting_up = False
        self.table.requests = 0

    def _wait_for_database(self) -> None:
        if self._setting_up or self.time.ended:
            return
        self.time.require_alive()
        self.time.sleep(DATABASE_SECONDS)
        self._maybe_die()

    def _maybe_die(self) -> None:
        if not self._setting_up and not self.time.ended and self.chance.random() < self.plan.killing:
            self.figures.kills += 1
            self.time.kill()

    def _set_up(self) -> None:
        self.table.put({"pk": "SETTINGS", "sk": "SETTINGS", "enabled": True, "push_enabled": True})
        moment = clock.iso_milliseconds(self.time.now())
        stamps: dict[str, Any] = {"created_at": moment, "updated_at": moment}
        self.originals: dict[str, list[Any]] = {}
        for number in range(1, self.plan.jobs + 1):
            site = self.sites[number % self.plan.sites]
            key = f"{site.name.partition('.')[0].upper()}-{number}"
            document = _order(number, self.chance.randrange(10**6))
            site.issues[key] = Issue(key, document)
            self.originals[key] = document["content"]
            job = Job(id=f"job_{number:012d}", name=key, goal_quantity=9, jira_ticket_key=key, **stamps)
            self.table.put(job_item(job) | {"path_count": 1})
            steps = [
                ProcessStep(id=f"step_{n:012d}", name=name, order=n) for n, name in enumerate(["CNC", "QC"])
            ]
            path = Path(
                id=f"path_{number:012d}", job_id=job.id, name="Main", goal_quantity=9, steps=steps, **stamps
            )
            self.table.put(path_item(path))
            count = {"path_id": path.id, "step_0": number % 7, "completed": number % 3}
            self.table.put({"pk": f"JOB#{job.id}", "sk": f"PATH#{path.id}#COUNT#00", **count})

    def _worker(self) -> Worker:
        """Return what a new container has."""
        limits = RateLimits(self.time.monotonic)

        def opened(site: str, deadline: Deadline) -> JiraClient:
            host = f"http://{site}.example"
            state = self.sites[int(site[1:])]
            quota = "oauth" if state.app else host
            return JiraClient(
                self.jira,  # type: ignore[arg-type]
                Site(host, host, "cloud", quota),
                Credential("Bearer token"),
                deadline=deadline,
                rate_limits=limits,
                pace=self.pace,
            )

        return Worker(
            self.table,
            RoutedPusher(self.table, opened, self.time.now, self.pace),  # type: ignore[arg-type]
            Records(self.table, self.time.now),
            Sites(self.table, self.plan.places, self.time.now, self.time.monotonic),
            self.queue,
            self.time.now,
            self.chance.random,
        )

    def _work(self) -> None:
        worker = self._worker()
        while not self.finished:
            received = self.queue.receive()
            if received is None:
                self.time.sleep(1.0)
                continue
            message, put_back = received
            try:
                worker.take(message, Deadline.after(WORKER_SECONDS, self.time.monotonic))
            except Killed:
                put_back()
                self.time.revive()
                self.time.sleep(RESTART_SECONDS)
                worker = self._worker()

    def _schedule(self) -> None:
        runs = Runs(self.table, self.time.now)
        records = Records(self.table, self.time.now)
        sites = Sites(self.table, self.plan.places, self.time.now, self.time.monotonic)
        scheduler = Scheduler(self.table, runs, records, sites, self.queue, self.time.now)
        begin = partial(runs.begin, self.run_id, "schedule")
        self._surviving(begin)
        self._surviving(begin)  # the event comes twice
        self._surviving(lambda: scheduler.queue_run(self.run_id, self._minutes()))
        while not self.finished:
            self.time.sleep(60.0)
            self.figures.sweeps += 1
            self._surviving(lambda: scheduler.sweep(self._minutes()))
            self._look()

    def _minutes(self) -> Deadline:
        return Deadline.after(290, self.time.monotonic)

    def _surviving(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Killed:
            self.time.revive()

    def _look(self) -> None:
        states = Counter(item["state"] for item in self._records())
        self.finished = states["pushed"] + states["failed"] + states["skipped"] == self.plan.jobs
        if self.time.seconds > 86_400:
            raise RuntimeError(f"the run does not end: {states}")

    def _records(self) -> list[dict[str, Any]]:
        return [item for item in self.table.items() if item["pk"].startswith("PUSHES#")]

    def run(self) -> Figures:
        """Let the night pass; return how it came out."""
        began = time.perf_counter()
        self.time.spawn(self._schedule)
        for _ in range(self.plan.workers):
            self.time.spawn(self._work)
        with contextlib.redirect_stdout(io.StringIO()), _quiet():  # thousands of failures are logged
            self.time.run()
        self.time.ended = True
        self.figures.real_seconds = time.perf_counter() - began
        self._judge()
        return self.figures

    def _judge(self) -> None:
        figures = self.figures
        records = self._records()
        figures.outcomes = Counter(item["state"] for item in records)
        for item in records:
            site = item["ticket_key"].partition("-")[0].lower()
            at = (clock.parse_iso(item["at"]) - clock.parse_iso(self.run_id)).total_seconds()
            figures.finished[site] = max(figures.finished.get(site, 0.0), at)
        figures.seconds = max(figures.finished.values())
        figures.writes, figures.messages = self.table.requests, self.queue.sent
        figures.dead_letters = len(self.queue.dead)
        for site in self.sites:
            for issue in site.issues.values():
                self._judge_issue(issue)
        figures.allowed_seconds = self._allowed()

    def _judge_issue(self, issue: Issue) -> None:
        figures = self.figures
        documents = [issue.description, *(comment["body"] for comment in issue.comments)]
        figures.tables[sum(len(find_tables(document)) for document in documents)] += 1
        figures.altered_descriptions += not _holds_in_order(
            issue.description["content"], self.originals[issue.key]
        )
        description, *comments = (json.dumps(document, ensure_ascii=False) for document in documents)
        for edit in issue.edits:
            figures.edits += 1
            if edit in description:
                continue
            if any(edit in text for text in comments):
                figures.edits_in_comments += 1
            else:
                figures.lost_edits.append(edit)

    def _allowed(self) -> float:
        """Return how long perfect workers take, who obey the limits and never wait for anything else.

        For each site they have the work of the calls that it was sent, with the time that each took to
        answer or to fail, and the pauses that Jira asked for. No more work at once than there are, nor at one
        site than may.
        """
        left = {site.name: site.busy_seconds for site in self.sites}
        points = {site.name: site.points / site.busy_seconds for site in self.sites}
        second, used = 0, 0.0
        while any(work > 0 for work in left.values()):
            used = 0.0 if second % 3600 == 0 else used
            free = float(self.plan.workers)
            working = [
                site for site in self.sites if left[site.name] > 0 and not self._stopped(site, second, used)
            ]
            for site in sorted(working, key=lambda site: -left[site.name]):
                done = min(free, self.plan.places, left[site.name])
                left[site.name] -= done
                used += done * points[site.name]
                free -= done
            second += 1
        return float(second)

    def _stopped(self, site: SiteState, second: int, used: float) -> bool:
        outage = site.out_of_quota is not None and site.out_of_quota[0] <= second < site.out_of_quota[1]
        return outage or (site.app is not None and used >= site.app.an_hour)


def run() -> None:
    """Simulate, and print the figures."""
    rows = []
    plans = {
        "as planned": Plan(),
        "20,000 points an hour": Plan(points_an_hour=20_000),
        "nothing goes wrong": Plan(quirks=Quirks(0, 0), outage=None, killing=0, twice=0),
    }
    for name, plan in plans.items():
        figures = Night(plan).run()
        rows.append(
            (
                name,
                str(dict(figures.outcomes)),
                str(dict(figures.tables)),
                f"{figures.edits} / {figures.edits_in_comments} / {len(figures.lost_edits)}",
                str(figures.altered_descriptions),
                str(figures.kills),
                f"{figures.seconds / 60:.1f} min",
                f"{figures.allowed_seconds / 60:.1f} min",
                f"{figures.seconds / figures.allowed_seconds:.2f}",
                f"{figures.writes / plan.jobs:.1f}",
                f"{figures.real_seconds:.0f} s",
            )
        )
    head = (
        "night",
        "outcomes",
        "tables a job",
        "edits / in comments / lost",
        "texts altered",
        "kills",
        "took",
        "limits allow",
        "ratio",
        "requests to the table a job",
        "real time",
    )
    print_table("10,000 jobs on 5 sites", head, rows)
