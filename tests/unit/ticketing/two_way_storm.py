"""Statuses both ways under anything: for the tests with a few seeds, for ``benchmarks.ticket_storm`` with many."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import random
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Self
from unittest.mock import patch

import requests

from jobticket.jira.client import JiraClient
from jobticket.store.table import Table
from jobticket.ticketing.revisions import revise
from jobticket.ticketing.sync_in import GONE
from jobticket.ticketing.wakeups import Wakeups
from tests.support.gateway import HttpAnswer, LambdaContext
from tests.unit.conftest import client, gateway, load_function
from tests.unit.ticketing.conftest import EMAIL, INTEGRATION, TOKEN, Shop

OUT = {"Active": "To Do", "Acknowledged": "In Progress", "Resolved": "Done"}
IN = {status: name for name, status in OUT.items()}
DAILY_LIMIT = 4
FAULTS: list[dict[str, Any]] = [
    {"method": "POST", "path": path} | fault
    for path in ("/comment$", "/transitions$", "/issue$", "/remotelink$")
    for fault in ({"status": 503}, {"drop": "before"}, {"drop": "after"})
]
#: What a process calls, and may die in.
CALLS = {
    JiraClient: ("get", "post", "put", "delete"),
    Table: ("get", "put", "update", "delete", "transact", "query"),
    Wakeups: ("_send",),
}


class KilledError(BaseException):
    """The process is gone."""


@contextlib.contextmanager
def dying(calls: int, *, after: bool) -> Iterator[None]:
    """Let the process die in one of its calls, before or after it was carried out, with no call after it."""
    left = calls

    def mortal(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0 or (left == 0 and not after):
                raise KilledError
            done = method(*args, **options)
            if left == 0:
                raise KilledError
            return done

        return call

    with contextlib.ExitStack() as patches, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it had no metrics to tell of
        for owner, names in CALLS.items():
            for name in names:
                patches.enter_context(patch.object(owner, name, mortal(getattr(owner, name))))
        with contextlib.suppress(KilledError):
            yield


class TwoWayStorm:
    """Anomalies with tickets by rule or by hand; both sides change; messages, webhooks and processes get lost.

    The seed decides what is set: both maps or one of them, rules, webhooks, tickets that anomalies share.
    """

    def __init__(self, shop: Shop, seed: int) -> None:
        self.shop = shop
        self.chance = random.Random(seed)
        self.status_out = {} if seed % 6 == 2 else OUT
        self.status_in = {} if seed % 6 == 4 else IN
        self.shares = seed % 2 == 1
        self.has_rules = seed % 8 != 6
        self.has_webhook = seed % 3 != 2
        self.secret = ""
        self.numbers: list[int] = []
        self.tickets: dict[str, set[int]] = {}  #: each that was ever linked, and the anomalies that had it
        self.left_open: set[str] = set()
        self.deleted: Counter[int] = Counter()  #: the tickets that people deleted, by anomaly
        self.changes = self.moves = self.deaths = self.faults = 0
        self.most_follows = 0
        self.follows: set[tuple[int, int]] = set()
        self.late: list[dict[str, Any]] = []
        self.webhooks: list[str] = []
        self._patches = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Let the queue go by the storm's time, and note each anomaly that follows a ticket."""

        def noted(work: Any, loaded: Any, revision: Any, now: Any) -> Any:
            self.follows.add((loaded.anomaly.id, loaded.stamp))
            return revise(work, loaded, revision, now)

        self._patches.enter_context(patch("jobticket.ticketing.sync_in.revise", noted))
        now = self.shop.clock.now
        self._patches.enter_context(
            patch("moto.sqs.models.unix_time_millis", lambda: now().timestamp() * 1000)
        )
        return self

    def __exit__(self, *_error: object) -> None:
        self._patches.close()

    def begin(self) -> None:
        self.shop.atlassian.control(rate_limits={"issue_writes_per_2s": None})
        maps: dict[str, Any] = {"status_out": self.status_out, "status_in": self.status_in}
        if self.status_out:
            maps["reopen_status"] = "In Progress"
        assert self.shop.api.put(INTEGRATION, maps).status == 200
        function = load_function("webhooks")
        for module in (function, load_function("ticketing")):
            (getattr(module, "store", None) or module.webhooks.store)._vault._data_keys.clear()
        function.app_secret._app = None
        if self.has_webhook:
            self.secret = self.shop.api.post(f"{INTEGRATION}/webhook").json()["secret"]
        if self.has_rules:
            recurrence = "reopen" if self.shares else "comment"
            rule = {"name": "all", "on_recurrence": recurrence, "daily_limit": DAILY_LIMIT}
            assert self.shop.api.post(f"{INTEGRATION}/rules", rule).status == 201
        if not self.has_rules or self.chance.random() < 0.5:
            self.report()
            self.link("PI-2")
        self.shop.atlassian.forget()
        self.receiver = gateway(function, None)

    # ------------------------------------------------------------------------------------------- callers' changes

    def call(self, method: str, path: str, body: Any = None) -> HttpAnswer | None:
        """Call the product; None if it died."""
        if self.chance.random() > 0.1:
            answer: HttpAnswer = self.shop.api.call(method, path, body)
            self.changes += answer.status < 300
            return answer
        with self.death():
            self.shop.api.call(method, path, body)
        listed = self.shop.api.get("/api/anomalies?size=100").json()["items"]
        self.numbers = sorted(each["id"] for each in listed)
        return None

    @contextlib.contextmanager
    def death(self) -> Iterator[None]:
        self.deaths += 1
        self.changes += 1
        with dying(self.chance.randrange(1, 25), after=self.chance.random() < 0.5):
            yield

    def report(self) -> None:
        body = {"type": "shape", "datastore": {"id": 1, "name": "CRM"}, "failed_checks": [{"message": "m"}]}
        answer = self.call("POST", "/api/anomalies", body | {"fingerprint": self.chance.randrange(4)})
        if answer is not None and answer.status == 201:
            self.numbers.append(answer.json()["id"])

    def an_anomaly(self) -> str | None:
        return f"/api/anomalies/{self.chance.choice(self.numbers)}" if self.numbers else None

    def change_status(self) -> None:
        if path := self.an_anomaly():
            if self.chance.random() < 0.3:
                self.call("DELETE", f"{path}?archive=true&status=Resolved")
            else:
                self.call("PUT", path, {"status": self.chance.choice(["Active", "Acknowledged"])})

    def comment(self) -> None:
        if path := self.an_anomaly():
            self.call("POST", f"{path}/comments", {"message": f"no. {self.chance.random()}"})

    def link(self, ticket: str | None = None) -> None:
        """Link an open anomaly and an open ticket by hand, also one that another anomaly has."""
        path = self.an_anomaly()
        if path and (ticket or self.shares) and not self.shop.api.get(path).json()["archived"]:
            ticket = ticket or self.chance.choice([*(each["ticket_id"] for each in self.links()), "PI-3"])
            issue = self.issue(ticket)
            if issue and issue["fields"]["status"]["name"] != "Done":
                self.call("POST", f"{path}/ticket-links", {"ticket_id": ticket})

    def unlink(self) -> None:
        links = self.links()
        if links and self.shares:
            link = self.chance.choice(links)
            if (
                link["origin"] == "rule"
                and made_for(self.issue(link["ticket_id"]) or {}) != link["anomaly_id"]
            ):
                # The product has reopened it for this anomaly, and unlinking leaves it so.
                self.left_open.add(link["ticket_id"])
            self.call("DELETE", f"/api/anomalies/{link['anomaly_id']}/ticket-links/{link['id']}")

    def links(self) -> list[dict[str, Any]]:
        found = [link for number in self.numbers for link in self.shop.links(number)]
        for link in found:
            self.tickets.setdefault(link["ticket_id"], set()).add(link["anomaly_id"])
        return found

    # -------------------------------------------------------------------------------------------- people in Jira

    def a_ticket(self) -> str | None:
        present = [link["ticket_id"] for link in self.links() if self.issue(link["ticket_id"])]
        return self.chance.choice(present) if present else None

    def issue(self, ticket: str) -> dict[str, Any] | None:
        url = f"{self.shop.atlassian.url}/rest/api/2/issue/{ticket}"
        answer = self.shop.atlassian.session.get(url, auth=(EMAIL, TOKEN))
        return answer.json() if answer.ok else None

    def move_a_ticket(self) -> None:
        if ticket := self.a_ticket():
            body = {"transition": {"id": self.chance.choice(["11", "21", "31"])}}
            self.most_follows += sum(link["ticket_id"] == ticket for link in self.links())
            self.moves += self.act("POST", ticket, "/transitions", body)

    def act(self, method: str, ticket: str, path: str, body: Any = None) -> bool:
        """Do something as a person, of which Jira may send a webhook."""
        url = f"{self.shop.atlassian.url}/rest/api/2/issue/{ticket}{path}"
        # A fault that was meant for the product may meet a person.
        with contextlib.suppress(requests.ConnectionError):
            answer = self.shop.atlassian.session.request(method, url, json=body, auth=(EMAIL, TOKEN))
            if answer.ok and self.chance.random() < 0.7:
                moment = int(self.shop.clock.now().timestamp() * 1000)
                event = {"timestamp": moment, "webhookEvent": "jira:issue_updated", "issue": {"id": ticket}}
                self.webhooks.append(json.dumps(event))
            return answer.ok
        return False

    def move_to_another_project(self) -> None:
        if ticket := self.a_ticket():
            issue = self.issue(ticket) or {}
            project = "PI" if issue["key"].startswith("MISC") else "MISC"
            self.shop.atlassian.move(issue["key"], project)

    def delete_a_ticket(self) -> None:
        if self.chance.random() < 0.3 and (ticket := self.a_ticket()):
            number = made_for(self.issue(ticket) or {})
            if self.act("DELETE", ticket, "") and number:
                self.deleted[number] += 1

    # --------------------------------------------------------------------------------------- what goes wrong

    def disturb(self) -> None:
        self.faults += 2
        self.shop.atlassian.fault(*(fault | {"times": 1} for fault in self.chance.sample(FAULTS, 2)))

    def delay_messages(self) -> None:
        """A message stays with a worker that hangs: the queue gives it out again, and then it goes on."""
        self.late += self.shop.worker.records()

    def deliver_late(self) -> None:
        late, self.late = self.late, []
        self.shop.worker.handle(late)

    def kill_a_worker(self) -> None:
        with self.death():
            self.shop.worker.run()

    def kill_a_sweep(self) -> None:
        with self.death():
            self.sweep()

    def receive_a_webhook(self) -> None:
        """A webhook arrives: late, and perhaps once more later."""
        if self.webhooks and self.secret:
            body = self.chance.choice(self.webhooks)
            if self.chance.random() < 0.7:
                self.webhooks.remove(body)
            assert self.post(body, self.secret) in (202, 401)

    def receive_a_forged_webhook(self) -> None:
        waiting = self.waiting()
        for ticket in sorted(self.tickets)[:2]:
            moment = int(self.shop.clock.now().timestamp() * 1000)
            assert self.post(json.dumps({"timestamp": moment, "issue": {"id": ticket}}), "guessed") == 401
        assert self.waiting() == waiting

    def post(self, body: str, secret: str) -> int:
        digest = hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature": f"sha256={digest}"}
        return int(self.receiver.call("POST", "/api/webhooks/jira", body, headers).status)

    def waiting(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = client("sqs").get_queue_attributes(QueueUrl=self.shop.worker.queue, AttributeNames=names)
        return sum(int(found["Attributes"][name]) for name in names)

    # ------------------------------------------------------------------------------------------------ its course

    def work(self) -> None:
        self.shop.worker.run()

    def sweep(self) -> None:
        self.shop.worker.module.handler({"sweep": True}, LambdaContext(remaining_ms=60_000))

    def let_time_pass(self, seconds: float | None = None) -> None:
        self.shop.clock.passes(seconds or self.chance.choice([1, 80, 240, 400]))
        self.shop.atlassian.control(clock_offset_seconds=self.shop.clock.passed.total_seconds())

    def happen(self, steps: int) -> None:
        happenings: dict[Callable[[], None], int] = {
            self.report: 5,
            self.change_status: 6,
            self.comment: 1,
            self.link: 2,
            self.unlink: 1,
            self.move_a_ticket: 6,
            self.move_to_another_project: 1,
            self.delete_a_ticket: 1,
            self.disturb: 2,
            self.delay_messages: 1,
            self.deliver_late: 1,
            self.kill_a_worker: 2,
            self.kill_a_sweep: 1,
            self.receive_a_webhook: 4,
            self.receive_a_forged_webhook: 1,
            self.work: 5,
            self.sweep: 2,
            self.let_time_pass: 4,
        }
        for happens in self.chance.choices(list(happenings), list(happenings.values()), k=steps):
            happens()

    def calm_down(self) -> None:
        """Nothing goes wrong any more: sweep and queue alone bring everything to rest."""
        self.shop.atlassian.fault()
        for _ in range(8):
            self.let_time_pass(1000)
            self.sweep()
            self.shop.worker.run()

    # --------------------------------------------------------------------------------- what does not hold at rest

    def problems(self) -> Iterator[str]:
        links = self.links()
        issues = {ticket: issue for ticket in self.tickets if (issue := self.issue(ticket))}
        yield from self._of_creation(links)
        yield from self._of_amounts(links)
        for ticket in issues:
            marks = [mark for _, mark in self.shop.atlassian.posted(ticket) if mark]
            if len(marks) != len(set(marks)):
                yield f"ticket {ticket} was told twice"
        stand = {ticket: issue["fields"]["status"]["name"] for ticket, issue in issues.items()}
        for link in links:
            if link["ticket_id"] in stand:
                yield from self._of_link(link, stand, links)
        if self.shop.undelivered() or self.waiting():
            yield f"{self.shop.undelivered()} events and {self.waiting()} messages are left"

    def _of_creation(self, links: list[dict[str, Any]]) -> Iterator[str]:
        newest = "project in (MISC, PI) ORDER BY created DESC"
        found = self.shop.atlassian.get("search/jql", jql=newest, fields="labels,description", maxResults=100)
        made = Counter(self.deleted)
        for issue in found["issues"]:
            if number := made_for(issue):
                made[number] += 1
                if number in self.numbers and issue["id"] not in self.tickets:
                    yield f"ticket {issue['id']} of anomaly {number} has no link"
        yield from (f"anomaly {number} has {times} tickets" for number, times in made.items() if times > 1)
        if made.total() > 2 * DAILY_LIMIT * self.has_rules:  # the storm may pass midnight
            yield f"{made.total()} tickets were made"

    def _of_amounts(self, links: list[dict[str, Any]]) -> Iterator[str]:
        calls = self.shop.atlassian._control("GET", "/requests").json()
        posted = Counter(call["path"].rpartition("/")[2] for call in calls if call["method"] == "POST")
        moved = sum(call["path"].endswith("/transitions") and call["status"] == 204 for call in calls)
        if len(self.follows) > (self.most_follows + self.deaths) * bool(self.status_in):
            yield f"{len(self.follows)} changes followed {self.moves} moves"
        wide = max(Counter(link["anomaly_id"] for link in links).values(), default=1)
        events = (self.changes + len(self.follows)) * (wide + 1) + self.faults + self.deaths
        for what in ("comment", "transitions"):
            if posted[what] > events + self.moves:
                yield f"{posted[what]} times {what} for {events} events"
        if not self.status_out and moved > self.moves + self.faults:
            yield f"{moved} moves, of which people made {self.moves}"

    def _of_link(
        self, link: dict[str, Any], stand: dict[str, str], links: list[dict[str, Any]]
    ) -> Iterator[str]:
        ticket, number, said = link["ticket_id"], link["anomaly_id"], link["last_sync_error"] or ""
        now = stand[ticket]
        if link["status"] != now:
            yield f"link {link['id']} shows {link['status']}, not {now}: {said}"
        if not (self.status_in and self.status_out) or said.startswith(("conflict", "Another open")):
            return
        status = self._status(number)
        # A ticket that was deleted without a webhook is not known to be gone until the next look.
        others = {
            stand.get(each["ticket_id"], "unknown")
            for each in links
            if each["anomaly_id"] == number and each["id"] != link["id"] and each["last_sync_error"] != GONE
        }
        # It is archived only when all its tickets say so.
        waits = now == "Done" and status != "Resolved" and bool(others - {"Done"})
        if self._is_its_own(link) and IN[now] != status and not waits:
            yield f"anomaly {number} is {status}, its ticket {ticket} {now}: {said}"
        if now == "Done" and status != "Resolved" and not waits:
            yield f"anomaly {number} is {status}, and all its tickets are Done: {said}"
        here = [each for each in links if each["ticket_id"] == ticket]
        archived = all(self._status(each["anomaly_id"]) == "Resolved" for each in here)
        told = any(each["last_sync_error"] for each in here) or ticket in self.left_open
        if archived and now != "Done" and not told:
            yield f"ticket {ticket} is {now}, and all its anomalies are archived"

    def _status(self, number: int) -> str:
        return str(self.shop.api.get(f"/api/anomalies/{number}").json()["status"])

    def _is_its_own(self, link: dict[str, Any]) -> bool:
        """Tell whether a ticket agreed with its anomaly when it was linked, and had no other anomaly since."""
        agreed = not self.shares or link["origin"] == "rule"
        return agreed and self.tickets[link["ticket_id"]] == {link["anomaly_id"]}


def made_for(issue: dict[str, Any]) -> int:
    """Return the anomaly that a ticket was made for; 0 if the product did not make it."""
    fields = issue.get("fields", {})
    if not any(label.startswith("jobticket-") for label in fields.get("labels", ())):
        return 0
    found = re.search(r"Anomaly ID:\W*(\d+)", str(fields["description"]))
    return int(found[1]) if found else 0
