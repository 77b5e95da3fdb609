"""Who did what with an anomaly and its tickets: recorded in the transaction of the change."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jobticket.history.events import event_of
from jobticket.store.table import plain_item
from tests.unit.conftest import client, gateway
from tests.unit.connections.conftest import sent_twice
from tests.unit.ticketing.conftest import ANOMALY, Shop
from tests.unit.ticketing.test_rules import add_rule
from tests.unit.ticketing.test_two_ways import IN, OUT, linked, maps, person_moves, sweep

KEY = "every-scope"
DANA = "Jira: Dana Demo"


def history(shop: Shop, number: int) -> list[dict[str, Any]]:
    answered = shop.api.get(f"/api/anomalies/{number}/history")
    assert answered.status == 200, answered.text
    told: list[dict[str, Any]] = answered.json()
    return told


def done(shop: Shop, number: int) -> list[tuple[str, ...]]:
    """Return each action, who did it, and from where to where."""
    return [
        (each["action"], each["by"], *(each[name] for name in ("from", "to") if name in each))
        for each in history(shop, number)
    ]


def test_an_anomaly_from_the_report_to_its_deletion(shop: Shop) -> None:
    number = shop.anomaly(description="secret text", fingerprint="f")["id"]
    assert shop.api.post("/api/anomalies", ANOMALY | {"fingerprint": "f"}).status == 200
    shop.set_status(number, "Acknowledged")
    shop.set_status(number, "Acknowledged")
    shop.api.put(f"/api/anomalies/{number}", {"description": "another secret text", "status": "Active"})
    shop.comment(number, "a secret comment")
    shop.api.delete(f"/api/anomalies/{number}?status=Invalid&comment=never")
    shop.api.delete(f"/api/anomalies/{number}?archive=false")
    assert shop.api.get(f"/api/anomalies/{number}").status == 404
    assert done(shop, number) == [
        ("created", KEY),
        ("status_changed", KEY, "Active", "Acknowledged"),
        ("description_changed", KEY),
        ("status_changed", KEY, "Acknowledged", "Active"),
        ("commented", KEY),
        ("status_changed", KEY, "Active", "Invalid"),
        ("commented", KEY),
        ("deleted", KEY),
    ]
    moments = [each["at"] for each in history(shop, number)]
    assert moments == sorted(set(moments))
    assert [each["comment_id"] for each in history(shop, number) if "comment_id" in each] == [1, 2]
    assert "secret" not in repr(client("dynamodb").scan(TableName="history")["Items"])


def test_tickets_of_people(shop: Shop) -> None:
    number = shop.anomaly()["id"]
    made = shop.ticket(number)
    link = shop.link(number, "PI-2")
    shop.api.delete(f"/api/anomalies/{number}/ticket-links/{link['id']}")
    told = history(shop, number)[1:]
    assert [(each["action"], each["ticket_number"], each["ticket_id"], each["by"]) for each in told] == [
        ("ticket_created", made["ticket_number"], made["ticket_id"], KEY),
        ("ticket_linked", "PI-2", link["ticket_id"], KEY),
        ("ticket_unlinked", "PI-2", link["ticket_id"], KEY),
    ]


def test_tickets_of_rules(shop: Shop) -> None:
    rule = add_rule(shop, on_recurrence="reopen")["id"]
    maps(shop, reopen_status="In Progress")
    first = shop.anomaly(fingerprint="f")["id"]
    shop.worker.run()
    shop.api.delete(f"/api/anomalies/{first}")
    second = shop.anomaly(fingerprint="f")["id"]
    shop.worker.run()
    (made,) = (each for each in history(shop, first) if each["action"] == "ticket_created")
    assert (made["by"], made["rule_id"]) == ("rule", rule)
    assert done(shop, second) == [
        ("created", KEY),
        ("ticket_linked", "rule"),
        ("ticket_moved", "Jobticket", "To Do", "In Progress"),
    ]
    assert [each.get("rule_id") for each in history(shop, second)] == [None, rule, None]


def test_a_ticket_whose_answer_was_lost_is_of_who_asked_for_it(shop: Shop, function: Any) -> None:
    number = shop.anomaly()["id"]
    shop.atlassian.fault({"method": "POST", "path": "/issue$", "drop": "after"})
    assert shop.create_ticket(number, title="the first").status == 503
    shop.api = gateway(function, "only-ticketing")
    shop.ticket(number, title="the second")
    assert done(shop, number)[1:] == [("ticket_created", KEY), ("ticket_created", "only-ticketing")]


def test_a_ticket_that_people_move(shop: Shop) -> None:
    maps(shop, status_in={"Done": "Resolved"})
    first, second = linked(shop), linked(shop)
    linked(shop, "PI-3", second)
    person_moves(shop, "In Progress")
    sweep(shop)
    sweep(shop)
    moved = ("ticket_moved", "Jira", "To Do", "In Progress")
    assert done(shop, first)[2:] == [moved]
    person_moves(shop, "Done")
    sweep(shop)
    sweep(shop)
    assert done(shop, first)[2:] == [
        moved,
        ("ticket_moved", DANA, "In Progress", "Done"),
        ("status_changed", DANA, "Active", "Resolved"),
    ]
    # The other anomaly has a further ticket that is still open.
    assert done(shop, second)[3:] == [moved, ("ticket_moved", "Jira", "In Progress", "Done")]


def test_a_ticket_that_the_product_moves_for_one_of_its_anomalies(shop: Shop) -> None:
    maps(shop, status_out=OUT, status_in=IN)
    first, second = linked(shop), linked(shop)
    shop.set_status(first, "Acknowledged")
    shop.worker.run()
    moved = ("ticket_moved", "Jobticket", "To Do", "In Progress")
    assert done(shop, first)[2:] == [("status_changed", KEY, "Active", "Acknowledged"), moved]
    sweep(shop)
    sweep(shop)
    assert done(shop, first)[3:] == [moved]
    assert done(shop, second)[2:] == [moved]


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_move_whose_answer_is_lost_is_told_once(shop: Shop, drop: str) -> None:
    maps(shop, status_out=OUT)
    number = linked(shop)
    shop.set_status(number, "Acknowledged")
    shop.atlassian.fault({"method": "POST", "path": "/transitions$", "drop": drop})
    shop.worker.run()
    (link,) = shop.links(number)
    shop.clock.passes(120)
    for _ in range(2):
        shop.worker.wake(link)
    assert done(shop, number)[3:] == [("ticket_moved", "Jobticket", "To Do", "In Progress")]


def test_refreshes_at_the_same_time_tell_of_a_move_once(shop: Shop) -> None:
    number = linked(shop)
    (link,) = shop.links(number)
    person_moves(shop, "Done")
    refresh = f"/api/anomalies/{number}/ticket-links/{link['id']}/refresh"
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: shop.api.post(refresh), range(4)))
    assert [(answer.status, answer.json()["status"]) for answer in answers] == [(200, "Done")] * 4
    assert done(shop, number)[2:] == [("ticket_moved", "Jira", "To Do", "Done")]


def test_both_sides_move(shop: Shop) -> None:
    maps(shop, status_in=IN)
    number = linked(shop)
    person_moves(shop, "Done")
    shop.set_status(number, "Acknowledged")
    sweep(shop)
    assert shop.links(number)[0]["last_sync_error"].startswith("conflict")
    assert done(shop, number)[2:] == [
        ("status_changed", KEY, "Active", "Acknowledged"),
        ("ticket_moved", "Jira", "To Do", "Done"),
    ]


def test_lost_answers_of_the_database_record_nothing_twice(shop: Shop) -> None:
    maps(shop, status_out=OUT)
    number = shop.anomaly()["id"]
    with sent_twice("TransactWriteItems"):
        shop.link(number, "PI-2")
    shop.worker.run()
    changes: tuple[Callable[[], Any], ...] = (
        lambda: shop.set_status(number, "Acknowledged"),
        shop.worker.run,
        lambda: shop.comment(number, "seen"),
        lambda: shop.api.delete(f"/api/anomalies/{number}/ticket-links/1"),
    )
    for change in changes:
        with sent_twice("TransactWriteItems") as repeated:
            change()
        assert repeated
    assert [action for action, *_ in done(shop, number)] == [
        "created",
        "ticket_linked",
        "status_changed",
        "ticket_moved",
        "commented",
        "ticket_unlinked",
    ]


def test_many_at_once_leave_one_history(shop: Shop) -> None:
    number = shop.anomaly()["id"]

    def switch(turn: int) -> int:
        return shop.api.put(
            f"/api/anomalies/{number}", {"status": ("Acknowledged", "Active")[turn % 2]}
        ).status

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(switch, range(24))) == {200}
    told = history(shop, number)
    status = "Active"
    for each in told[1:]:
        assert each["from"] == status
        status = each["to"]
    assert shop.api.get(f"/api/anomalies/{number}").json()["status"] == status
    assert [each["at"] for each in told] == sorted({each["at"] for each in told})


def test_events(shop: Shop) -> None:
    number = linked(shop)
    (link,) = shop.links(number)
    person_moves(shop, "Done")
    shop.api.post(f"/api/anomalies/{number}/ticket-links/{link['id']}/refresh")
    items = sorted(
        map(plain_item, client("dynamodb").scan(TableName="history")["Items"]), key=lambda item: item["sk"]
    )
    sent = [event for item in items if (event := event_of(item)) and "anomalyId" in event.detail]
    assert [(event.type, event.detail["action"]) for event in sent] == [
        ("Anomaly Changed", "created"),
        ("Anomaly Changed", "ticket_linked"),
        ("Ticket Moved", "ticket_moved"),
    ]
    detail = {name: value for name, value in sent[-1].detail.items() if name not in ("id", "at")}
    assert detail == {
        "anomalyId": number,
        "action": "ticket_moved",
        "by": "Jira",
        "ticketId": link["ticket_id"],
        "ticketNumber": "PI-2",
        "from": "To Do",
        "to": "Done",
    }


def test_pages(shop: Shop) -> None:
    number, other = shop.anomaly()["id"], shop.anomaly()["id"]
    for status in ("Acknowledged", "Active"):
        shop.set_status(number, status)
    address = f"/api/anomalies/{number}/history"
    first = shop.api.get(f"{address}?limit=2")
    cursor = first.headers["x-next-cursor"]
    rest = shop.api.get(f"{address}?cursor={cursor}")
    assert [*first.json(), *rest.json()] == history(shop, number)
    assert "x-next-cursor" not in rest.headers
    foreign = shop.api.get(f"/api/anomalies/{other}/history?cursor={cursor}")
    assert (foreign.status, foreign.json()) == (400, {"detail": "Invalid cursor"})


def test_what_is_not_there(shop: Shop) -> None:
    for number in ("7", "seven"):
        answered = shop.api.get(f"/api/anomalies/{number}/history")
        assert (answered.status, answered.json()) == (404, {"detail": f"Anomaly not found: {number}"})


@pytest.mark.parametrize("key", ["only-jobs", "only-jira", "only-tokens", "only-admin"])
def test_needs_the_scope(function: Any, key: str) -> None:
    assert gateway(function, key).get("/api/anomalies/1/history").status == 403
