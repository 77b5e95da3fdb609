"""Rules make tickets: which rule, once, within a daily limit; and what a recurrence does."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from jobticket import clock as times
from jobticket.clock import Deadline
from jobticket.ticketing import rules
from jobticket.ticketing.layout import Issue
from jobticket.ticketing.model import (
    Anomaly,
    Container,
    Datastore,
    FailedCheck,
    Rule,
    RuleCondition,
    RuleTicket,
)
from jobticket.ticketing.relay import Relayed
from tests.unit.conftest import client
from tests.unit.ticketing.conftest import ANOMALY, INTEGRATION, Shop

RULES = f"{INTEGRATION}/rules"
CREATE = {"method": "POST", "path": "/issue$"}


def add_rule(shop: Shop, **more: Any) -> dict[str, Any]:
    answer = shop.api.post(RULES, {"name": "all"} | more)
    assert answer.status == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def rule(**more: Any) -> Rule:
    usual: dict[str, Any] = {
        "id": 1,
        "name": "r",
        "enabled": True,
        "position": 1,
        "daily_limit": 5,
        "on_recurrence": "nothing",
    }
    parts = {"when": RuleCondition(), "ticket": RuleTicket(), "created": "", "updated": ""}
    return Rule(**usual | parts | more)


def anomaly(**more: Any) -> Anomaly:
    usual: dict[str, Any] = {
        "id": 7,
        "type": "shape",
        "status": "Active",
        "archived": False,
        "datastore": Datastore(id=1, name="CRM"),
        "container": Container(id=4, name="CUSTOMER"),
        "failed_checks": [FailedCheck(message="m", rule_type="isUnique")],
        "weight": 5,
        "detected": "",
        "detected_count": 1,
        "created": "",
        "updated": "",
    }
    return Anomaly(**usual | more)


@pytest.mark.parametrize(
    ("when", "fits"),
    [
        ({}, True),
        ({"types": ["shape"]}, True),
        ({"types": ["record"]}, False),
        ({"types": []}, False),
        ({"datastore_ids": [2, 1]}, True),
        ({"datastore_ids": [2]}, False),
        ({"container_ids": [4]}, True),
        ({"container_ids": [1]}, False),
        ({"rule_types": ["isUnique", "x"]}, True),
        ({"rule_types": ["x"]}, False),
        ({"min_weight": 5}, True),
        ({"min_weight": 5.5}, False),
        ({"types": ["shape"], "datastore_ids": [2]}, False),
    ],
)
def test_a_rule_fits_what_meets_all_its_conditions(when: dict[str, Any], fits: bool) -> None:
    assert rules.fits(rule(when=RuleCondition(**when)), anomaly()) is fits


def test_what_an_anomaly_does_not_have_fits_no_condition_on_it() -> None:
    bare = anomaly(container=None, weight=None, failed_checks=[FailedCheck(message="m")])
    for when in ({"container_ids": [4]}, {"rule_types": ["isUnique"]}, {"min_weight": -1}):
        assert not rules.fits(rule(when=RuleCondition(**when)), bare)


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        (None, "shape anomaly 7 in CUSTOMER"),
        ("{datastore}/{container}: {type} {id} {other} {", "CRM/CUSTOMER: shape 7 {other} {"),
    ],
)
def test_the_title_holds_the_anomalys_values(title: str | None, shown: str) -> None:
    assert rules.title_of(rule(ticket=RuleTicket(title=title)), anomaly()) == shown


def test_a_name_in_the_data_is_no_template_and_without_container_the_datastore_stands_there() -> None:
    tricky = anomaly(container=None, datastore=Datastore(id=1, name="{id}"))
    assert rules.title_of(rule(), tricky) == "shape anomaly 7 in {id}"


def test_a_rule_is_kept_changed_and_deleted(shop: Shop) -> None:
    when = {"types": ["shape"], "datastore_ids": [1], "min_weight": 2.5}
    made = add_rule(shop, when=when, ticket={"priority": "High"}, on_recurrence="comment")
    assert made["when"] == when
    assert made["ticket"] == {"priority": "High"}
    shown = {
        "enabled": True,
        "position": 1,
        "daily_limit": 50,
        "on_recurrence": "comment",
        "tickets_today": 0,
    }
    assert made | shown == made
    assert "broken" not in made
    assert add_rule(shop)["position"] == 2
    path = f"{RULES}/{made['id']}"
    assert shop.api.put(path, {"enabled": False, "position": 9}).json()["when"] == when
    listed = shop.api.get(RULES).json()
    assert [each["position"] for each in listed["items"]] == [2, 9]
    assert listed["total"] == 2
    assert shop.api.get(path).json()["enabled"] is False
    assert shop.api.delete(path).status == 204
    assert {shop.api.call(method, path, {}).status for method in ("GET", "PUT", "DELETE")} == {404}
    assert shop.api.get(f"{RULES}/x").json() == {"detail": "Rule not found: x"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "name is required"),
        ({"name": "r", "daily_limit": 501}, "daily_limit must be at most 500"),
        ({"name": "r", "daily_limit": 0}, "daily_limit must be greater than 0"),
        ({"name": "r", "on_recurrence": "x"}, "on_recurrence must be one of: comment, reopen, nothing"),
        ({"name": "r", "when": {"types": ["x"]}}, "when.types must be one of: record, shape"),
        (
            {"name": "r", "when": {"datastore_ids": 1}},
            "when.datastore_ids must be an array of at most 100 entries",
        ),
        (
            {"name": "r", "ticket": {"project_key": "?"}},
            "ticket.project_key must be the key of a Jira project",
        ),
    ],
)
def test_a_faulty_rule_is_refused(shop: Shop, body: dict[str, Any], said: str) -> None:
    answer = shop.api.post(RULES, body)
    assert (answer.status, answer.json()) == (400, {"detail": said})


def test_there_are_at_most_fifty_rules_whoever_adds_them(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MOST_RULES", 3)
    with ThreadPoolExecutor(4) as threads:
        statuses = list(threads.map(lambda _: shop.api.post(RULES, {"name": "r"}).status, range(6)))
    assert sorted(statuses) == [201] * 3 + [409] * 3
    shop.api.delete(f"{RULES}/{shop.api.get(RULES).json()['items'][0]['id']}")
    assert shop.api.post(RULES, {"name": "r"}).status == 201


def test_the_first_rule_that_fits_makes_the_ticket_later_and_once(shop: Shop) -> None:
    add_rule(shop, name="off", enabled=False, position=1)
    add_rule(shop, name="other", position=2, when={"types": ["record"]})
    fitting = add_rule(
        shop, position=3, ticket={"project_key": "PI", "issue_type": "Bug", "title": "{type} {id}"}
    )
    add_rule(shop, name="late", position=4)
    shop.atlassian.forget()
    number = shop.anomaly()["id"]
    assert shop.atlassian.asked() == []
    records = shop.worker.records()
    assert shop.worker.handle(records * 3) == []
    shop.worker.run()
    (link,) = shop.links(number)
    assert (link["origin"], link["rule_id"], link["title"]) == ("rule", fitting["id"], f"shape {number}")
    assert link["ticket_number"].startswith("PI-")
    assert shop.atlassian.description(link["ticket_number"]).startswith("---\nQualytics Anomaly Linked")
    assert shop.undelivered() == 0
    assert shop.api.get(f"{RULES}/{fitting['id']}").json()["tickets_today"] == 1
    assert [call for call in shop.atlassian.asked("POST") if call[1].endswith("/issue")] == [
        ("POST", "/rest/api/3/issue")
    ]
    shop.set_status(number, "Acknowledged")
    shop.worker.run()
    assert shop.atlassian.comments(link["ticket_number"])[-1].endswith("Anomaly Status: Acknowledged")


def test_without_a_fitting_rule_nothing_is_made_and_old_anomalies_get_none(shop: Shop) -> None:
    shop.anomaly()
    add_rule(shop, when={"min_weight": 10})
    shop.anomaly()
    shop.worker.run()
    assert shop.atlassian.issues() == 0


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_lost_answer_makes_no_twin(shop: Shop, drop: str) -> None:
    add_rule(shop)
    shop.atlassian.fault(CREATE | {"drop": drop})
    number = shop.anomaly()["id"]
    link = {"integration_id": 1, "ticket_id": f"NEW-{number}"}
    shop.worker.run()
    shop.clock.passes(200)
    shop.worker.wake(link)
    shop.worker.wake(link)
    shop.worker.run()
    assert shop.atlassian.issues() == 1
    assert len(shop.links(number)) == 1


def test_an_edited_rule_makes_no_twin_of_a_ticket_whose_answer_was_lost(shop: Shop) -> None:
    made = add_rule(shop)
    shop.atlassian.fault(CREATE | {"drop": "after"})
    number = shop.anomaly()["id"]
    shop.worker.run()
    shop.api.put(f"{RULES}/{made['id']}", {"ticket": {"title": "another"}})
    shop.worker.wake({"integration_id": 1, "ticket_id": f"NEW-{number}"})
    assert shop.atlassian.issues() == 1
    assert shop.links(number)[0]["title"] == f"shape anomaly {number} in CRM"


def test_the_limit_holds_under_concurrent_creations(shop: Shop) -> None:
    limited = rule(daily_limit=7)
    now = times.now()
    with ThreadPoolExecutor(16) as threads:
        took = list(threads.map(lambda n: rules.take_place(shop.table, limited, n, now), range(50)))
    assert sum(took) == 7
    holders = [number for number, has in enumerate(took) if has]
    assert all(rules.take_place(shop.table, limited, number, now) for number in holders)
    assert sum(rules.is_last(shop.table, limited, number, now) for number in holders) == 1


def test_the_limit_holds_for_whole_tickets_that_are_made_at_once(shop: Shop) -> None:
    made = add_rule(shop, daily_limit=7)
    shop.atlassian.control(rate_limits={"issue_writes_per_2s": None}, latency_ms=20)
    issues = [Issue.to_make(1, shop.anomaly()["id"]) for _ in range(50)]
    shop.atlassian.forget()
    start = Barrier(len(issues))

    def make(issue: Issue) -> Relayed:
        start.wait()
        return shop.worker.relay.tell(issue, Deadline.after(60))

    with ThreadPoolExecutor(len(issues)) as threads:
        outcomes = list(threads.map(make, issues))
    assert [each.retry_after for each in outcomes] == [None] * 50
    created = [path for _, path in shop.atlassian.asked("POST") if path.endswith("/issue")]
    assert (len(created), shop.atlassian.issues()) == (7, 7)
    shown = shop.api.get(f"{RULES}/{made['id']}").json()
    assert (shown["tickets_today"], shown["beyond_limit_today"]) == (7, 43)
    for each in outcomes:
        shop.worker.module.wakeups.send(each.events)
    shop.worker.run()
    assert shop.undelivered() == 0


def test_the_days_last_ticket_says_so_and_the_rest_are_counted(shop: Shop) -> None:
    made = add_rule(shop, daily_limit=2)
    numbers = [shop.anomaly()["id"] for _ in range(4)]
    shop.worker.run()
    tickets = [link["ticket_number"] for number in numbers for link in shop.links(number)]
    assert len(tickets) == 2
    said = ["reached its limit of 2 tickets a day" in shop.atlassian.description(key) for key in tickets]
    assert sorted(said) == [False, True]
    shown = shop.api.get(f"{RULES}/{made['id']}").json()
    assert (shown["tickets_today"], shown["beyond_limit_today"]) == (2, 2)
    assert shop.undelivered() == 0
    shop.clock.passes(86_400)
    assert shop.api.get(f"{RULES}/{made['id']}").json()["tickets_today"] == 0
    number = shop.anomaly()["id"]
    shop.worker.run()
    assert len(shop.links(number)) == 1


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_refusal_for_good_breaks_the_rule_until_it_is_saved(shop: Shop, status: int) -> None:
    made = add_rule(shop)
    shop.atlassian.fault(CREATE | {"status": status, "times": 1})
    first = shop.anomaly()["id"]
    shop.worker.run()
    path = f"{RULES}/{made['id']}"
    broken = shop.api.get(path).json()
    assert broken["broken"]["details"] == f"The ticket of anomaly {first} was refused"
    assert broken["broken"].keys() == {"since", "error", "details"}
    assert broken["tickets_today"] == 0
    resting = shop.anomaly()["id"]
    shop.worker.run()
    assert shop.links(first) == shop.links(resting) == []
    assert shop.undelivered() == 0
    assert "broken" not in shop.api.put(path, {}).json()
    working = shop.anomaly()["id"]
    shop.worker.run()
    assert len(shop.links(working)) == 1


def test_a_fault_of_the_moment_breaks_nothing(shop: Shop) -> None:
    made = add_rule(shop)
    shop.atlassian.fault(CREATE | {"status": 401, "times": 1})
    number = shop.anomaly()["id"]
    assert len(shop.worker.run()) == 1
    assert "broken" not in shop.api.get(f"{RULES}/{made['id']}").json()
    shop.worker.wake({"integration_id": 1, "ticket_id": f"NEW-{number}"})
    assert len(shop.links(number)) == 1


def test_a_test_shows_the_ticket_and_sends_nothing(shop: Shop) -> None:
    first = add_rule(shop, when={"types": ["shape"]})
    second = add_rule(shop, ticket={"project_key": "PI", "priority": "High"})
    number = shop.anomaly()["id"]
    before = client("dynamodb").scan(TableName="ticketing")["Count"]
    shop.atlassian.forget()
    trial = shop.api.post(f"{RULES}/{second['id']}/test", {"anomaly_id": number}).json()
    assert trial["fits"] is True
    assert trial["made_by"] == first["id"]
    assert trial["ticket"]["title"] == f"shape anomaly {number} in CRM"
    assert trial["ticket"]["description"].startswith("---\nQualytics Anomaly Linked")
    assert (trial["ticket"]["project_key"], trial["ticket"]["priority"]) == ("PI", "High")
    assert shop.api.post(f"{RULES}/{second['id']}/test", {"anomaly_id": 99}).status == 404
    assert client("dynamodb").scan(TableName="ticketing")["Count"] == before
    assert shop.atlassian.asked() == []


def recur(shop: Shop) -> None:
    assert shop.api.post("/api/anomalies", ANOMALY | {"fingerprint": "f"}).status == 200
    shop.worker.run()


def test_a_recurrence_gives_one_comment_a_day_and_ticket(shop: Shop) -> None:
    add_rule(shop, on_recurrence="comment")
    number = shop.anomaly(fingerprint="f")["id"]
    shop.worker.run()
    (made,) = shop.links(number)
    shop.link(number, "PI-1")
    shop.worker.run()
    recur(shop)
    recur(shop)
    (said,) = shop.atlassian.comments(made["ticket_number"])
    assert said.startswith("Detected again [")
    assert said.endswith(" UTC], 2 times so far")
    shop.clock.passes(86_400)
    recur(shop)
    assert shop.atlassian.comments(made["ticket_number"])[1].endswith("4 times so far")
    assert len(shop.atlassian.comments("PI-1")) == 1  # the block alone: the rule did not make it
    assert shop.api.get(f"/api/anomalies/{number}").json()["detected_count"] == 4


def test_a_recurrence_without_such_a_rule_is_only_counted(shop: Shop) -> None:
    add_rule(shop)
    number = shop.anomaly(fingerprint="f")["id"]
    shop.worker.run()
    recur(shop)
    assert shop.atlassian.comments(shop.links(number)[0]["ticket_number"]) == []


def archive(shop: Shop, number: int) -> None:
    assert shop.api.delete(f"/api/anomalies/{number}?archive=true&status=Resolved").status == 204
    shop.worker.run()


@pytest.mark.parametrize(("days", "reopens"), [(29, True), (31, False)])
def test_an_anomaly_that_comes_back_reopens_its_former_ticket(shop: Shop, days: int, reopens: bool) -> None:
    add_rule(shop, on_recurrence="reopen")
    assert (
        shop.api.put(INTEGRATION, {"reopen_status": "In Progress"}).json()["reopen_status"] == "In Progress"
    )
    first = shop.anomaly(fingerprint="f")["id"]
    shop.worker.run()
    former = shop.links(first)[0]["ticket_number"]
    archive(shop, first)
    shop.clock.passes(days * 86_400)
    second = shop.anomaly(fingerprint="f")["id"]
    assert second != first
    shop.worker.run()
    (link,) = shop.links(second)
    assert (link["ticket_number"] == former) is reopens
    assert link["origin"] == "rule"
    status = shop.atlassian.issue(former)["fields"]["status"]["name"]
    assert status == ("In Progress" if reopens else "To Do")
    if reopens:
        assert f"Anomaly ID: {second}" in shop.atlassian.comments(former)[-1]
        assert shop.atlassian.issues() == 1
        assert shop.links(second)[0]["status"] == "In Progress"


def test_a_former_ticket_that_is_gone_is_no_ticket(shop: Shop) -> None:
    add_rule(shop, on_recurrence="reopen")
    first = shop.anomaly(fingerprint="f")["id"]
    shop.worker.run()
    former = shop.links(first)[0]
    archive(shop, first)
    shop.atlassian.session.delete(
        f"{shop.atlassian.url}/rest/api/2/issue/{former['ticket_id']}",
        auth=("demo@example.com", os.environ.get("TOKEN", "local-api-token")),
    )
    second = shop.anomaly(fingerprint="f")["id"]
    shop.worker.run()
    assert shop.links(second)[0]["ticket_id"] != former["ticket_id"]
