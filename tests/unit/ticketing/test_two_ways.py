"""Statuses both ways: out by transitions, in by looks and the sweep; conflicts; no echo."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jobticket.store.table import Update
from jobticket.ticketing.revisions import load
from jobticket.ticketing.sync_in import GONE
from tests.support.gateway import LambdaContext
from tests.unit.conftest import client
from tests.unit.ticketing.conftest import EMAIL, INTEGRATION, TOKEN, Shop, record, slow_jira

OUT = {"Acknowledged": "In Progress", "Resolved": "Done", "Active": "To Do"}
IN = {"In Progress": "Acknowledged", "Done": "Resolved", "To Do": "Active"}
MOVE = {"method": "POST", "path": "/transitions$"}


def maps(shop: Shop, **maps: Any) -> None:
    shop.atlassian.control(rate_limits={"issue_writes_per_2s": None})
    answer = shop.api.put(INTEGRATION, maps)
    assert answer.status == 200, answer.text


def linked(shop: Shop, key: str = "PI-2", anomaly: int | None = None) -> int:
    number = int(shop.anomaly()["id"]) if anomaly is None else anomaly
    shop.link(number, key)
    shop.worker.run()
    shop.atlassian.forget()
    return number


def archive(shop: Shop, number: int, status: str = "Resolved") -> None:
    assert shop.api.delete(f"/api/anomalies/{number}?archive=true&status={status}").status == 204
    shop.worker.run()


def set_status(shop: Shop, number: int, status: str) -> None:
    shop.set_status(number, status)
    shop.worker.run()


def ticket_status(shop: Shop, key: str = "PI-2") -> str:
    return str(shop.atlassian.issue(key)["fields"]["status"]["name"])


def person_moves(shop: Shop, status: str, key: str = "PI-2") -> None:
    url = f"{shop.atlassian.url}/rest/api/2/issue/{key}/transitions"
    login = ("demo", "local-password") if shop.atlassian.is_data_center else (EMAIL, TOKEN)
    found = shop.atlassian.session.get(url, auth=login).json()["transitions"]
    (number,) = [each["id"] for each in found if each["to"]["name"] == status]
    answer = shop.atlassian.session.post(url, json={"transition": {"id": number}}, auth=login)
    assert answer.ok, answer.text
    shop.atlassian.forget()


def person_deletes(shop: Shop, ticket: str) -> None:
    url = f"{shop.atlassian.url}/rest/api/2/issue/{ticket}?deleteSubtasks=true"
    assert shop.atlassian.session.delete(url, auth=(EMAIL, TOKEN)).ok


def anomaly_status(shop: Shop, number: int) -> str:
    return str(shop.api.get(f"/api/anomalies/{number}").json()["status"])


def sweep(shop: Shop) -> int:
    """Sweep some minutes later, and work through what it wakes."""
    shop.clock.passes(300)
    shop.atlassian.control(clock_offset_seconds=shop.clock.passed.total_seconds())
    changed = int(shop.worker.module.handler({"sweep": True}, LambdaContext(remaining_ms=60_000))["changed"])
    shop.worker.run()
    return changed


def moves(shop: Shop) -> int:
    return len([path for _, path in shop.atlassian.asked("POST") if path.endswith("/transitions")])


# ------------------------------------------------------------------------------------------------------------ off


def test_with_nothing_set_tickets_are_not_moved_and_anomalies_do_not_follow(shop: Shop) -> None:
    number = linked(shop)
    set_status(shop, number, "Acknowledged")
    assert {path for _, path in shop.atlassian.asked()} == {"/rest/api/3/issue/10002/comment"} or moves(
        shop
    ) == 0
    assert ticket_status(shop) == "To Do"
    person_moves(shop, "Done")
    assert sweep(shop) == 0
    assert anomaly_status(shop, number) == "Acknowledged"
    assert shop.atlassian.asked() == []
    assert shop.api.get(INTEGRATION).json().keys().isdisjoint({"status_out", "status_in", "reopen_status"})
    assert "rule_id" not in shop.links(number)[0]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"status_out": {"Done": "Done"}}, "status_out must be one of: Active, Acknowledged"),
        ({"status_in": {"Done": "Done"}}, "status_in must be one of: Active, Acknowledged"),
        ({"status_out": ["Done"]}, "status_out must be an object of at most 100 statuses"),
        ({"status_in": {"": "Resolved"}}, "status_in must name statuses of Jira"),
        ({"reopen_status": 1}, "reopen_status must be a string"),
    ],
)
def test_a_faulty_map_is_refused(shop: Shop, body: dict[str, Any], said: str) -> None:
    answer = shop.api.put(INTEGRATION, body)
    assert answer.status == 400
    assert answer.json()["detail"].startswith(said)


def test_an_empty_map_is_removed(shop: Shop) -> None:
    maps(shop, status_out=OUT, status_in=IN)
    assert shop.api.get(INTEGRATION).json()["status_out"] == OUT
    maps(shop, status_out={}, status_in={})
    assert "status_out" not in shop.api.get(INTEGRATION).json()


# ------------------------------------------------------------------------------------------------------------ out


@pytest.mark.parametrize("data_center", [False, True])
def test_a_status_moves_the_ticket_after_the_comment(shop: Shop, data_center: bool) -> None:
    if data_center:
        shop.be_data_center()
    maps(shop, status_out=OUT)
    number = linked(shop)
    set_status(shop, number, "Acknowledged")
    calls = [path.rpartition("/")[2] for _, path in shop.atlassian.asked()]
    assert calls[0] == "comment"
    assert calls[-1] == "transitions"
    assert len(calls) == 4
    assert ticket_status(shop) == "In Progress"
    (link,) = shop.links(number)
    assert (link["status"], link["last_sync_error"]) == ("In Progress", None)
    archive(shop, number)
    assert ticket_status(shop) == "Done"


def test_a_ticket_that_is_there_already_is_not_moved(shop: Shop) -> None:
    maps(shop, status_out=OUT)
    number = linked(shop)
    person_moves(shop, "In Progress")
    set_status(shop, number, "Acknowledged")
    assert moves(shop) == 0
    assert shop.links(number)[0]["status"] == "In Progress"


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_lost_answer_moves_once(shop: Shop, drop: str) -> None:
    maps(shop, status_out=OUT)
    number = linked(shop)
    shop.atlassian.fault(MOVE | {"drop": drop})
    set_status(shop, number, "Acknowledged")
    shop.clock.passes(70)
    assert not shop.worker.wake(shop.links(number)[0])
    assert ticket_status(shop) == "In Progress"
    assert moves(shop) == (2 if drop == "before" else 1)
    assert len(shop.atlassian.comments("PI-2")) == 2
    assert shop.links(number)[0]["last_sync_error"] is None


def test_a_move_that_timed_out_is_not_sent_again_while_jira_may_be_at_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps(shop, status_out=OUT)
    number = linked(shop)
    with slow_jira(monkeypatch, "/transitions") as at_work:
        set_status(shop, number, "Acknowledged")
        assert shop.worker.wake(shop.links(number)[0])
        assert len(at_work.calls) == 1
    at_work.finish()
    shop.clock.passes(70)
    assert not shop.worker.wake(shop.links(number)[0])
    assert (ticket_status(shop), moves(shop)) == ("In Progress", 1)


@pytest.mark.parametrize(
    ("target", "fault", "said"),
    [
        ("Nowhere", None, 'No transition leads from "To Do" to "Nowhere"'),
        (
            "Done",
            {"status": 400, "body": {"errors": {"resolution": "is required"}}},
            "resolution: is required",
        ),
        ("Done", {"status": 403}, "403"),
        ("Done", {"status": 404}, "404"),
    ],
)
def test_a_refused_move_leaves_comment_and_ticket_and_says_why(
    shop: Shop, target: str, fault: dict[str, Any] | None, said: str
) -> None:
    maps(shop, status_out={"Acknowledged": target})
    number = linked(shop)
    if fault:
        shop.atlassian.fault(MOVE | fault)
    set_status(shop, number, "Acknowledged")
    (link,) = shop.links(number)
    assert said in link["last_sync_error"]
    assert ticket_status(shop) == "To Do"
    assert "Acknowledged" in shop.atlassian.comments("PI-2")[-1]
    assert shop.undelivered() == 0
    asked = len(shop.atlassian.asked())
    assert not shop.worker.wake(link)
    assert len(shop.atlassian.asked()) == asked  # no retry storm
    shop.comment(number, "still")
    shop.worker.run()
    assert said in shop.links(number)[0]["last_sync_error"]
    if fault:
        shop.atlassian.fault()
        shop.api.post(f"/api/anomalies/{number}/ticket-links/{link['id']}/refresh")
        shop.worker.run()
        assert ticket_status(shop) == "Done"


@pytest.mark.parametrize(
    ("odd", "calls", "said"),
    [
        ("with_screen", 4, "resolution: "),
        ("missing", 3, 'No transition leads from "To Do" to "In Progress"'),
        ("doubled", 3, "2 transitions lead"),
        ("forbidden", 4, "400"),
    ],
)
def test_an_odd_transition_is_tried_once_until_a_later_status_goes_through(
    shop: Shop, odd: str, calls: int, said: str
) -> None:
    maps(shop, status_out=OUT, status_in=IN)
    number = linked(shop)
    shop.atlassian.control(transitions={odd: ["In Progress"]})
    set_status(shop, number, "Acknowledged")
    assert len(shop.atlassian.asked()) == calls
    (link,) = shop.links(number)
    for _ in range(3):
        assert not shop.worker.wake(link)
        sweep(shop)
    assert moves(shop) == calls - 3
    assert (ticket_status(shop), anomaly_status(shop, number)) == ("To Do", "Acknowledged")
    assert len(shop.atlassian.comments("PI-2")) == 2
    assert said in shop.links(number)[0]["last_sync_error"]
    assert shop.undelivered() == 0
    archive(shop, number)
    assert ticket_status(shop) == "Done"
    assert shop.links(number)[0]["last_sync_error"] is None  # the former move is not lacking any more


def test_a_later_status_overtakes_a_move_that_waits(shop: Shop) -> None:
    maps(shop, status_out=OUT)
    number = linked(shop)
    shop.set_status(number, "Acknowledged")
    shop.set_status(number, "Active")
    shop.worker.run()
    assert (ticket_status(shop), moves(shop)) == ("To Do", 0)
    assert len(shop.atlassian.comments("PI-2")) == 3


def test_a_ticket_is_closed_when_the_last_of_its_anomalies_is_archived(shop: Shop) -> None:
    maps(shop, status_out=OUT)
    first, second = linked(shop), linked(shop)
    archive(shop, first)
    assert ticket_status(shop) == "To Do"
    archive(shop, second)
    assert ticket_status(shop) == "Done"


@pytest.mark.parametrize("removed", ["unlinked", "deleted", "archived"])
@pytest.mark.parametrize("is_lost", [False, True])
def test_a_ticket_is_closed_once_no_anomaly_keeps_it_open(shop: Shop, removed: str, is_lost: bool) -> None:
    maps(shop, status_out=OUT | {"Invalid": "In Progress"})
    first, second = linked(shop), linked(shop)
    archive(shop, first)
    sweep(shop)
    assert (ticket_status(shop), moves(shop), shop.undelivered()) == ("To Do", 0, 0)
    path = f"/api/anomalies/{second}"
    link = shop.links(second)[0]["id"]
    query = {"unlinked": f"/ticket-links/{link}", "deleted": "?archive=false", "archived": "?status=Invalid"}
    assert shop.api.delete(path + query[removed]).status == 204
    if is_lost:
        client("sqs").purge_queue(QueueUrl=shop.worker.queue)
    sweep(shop)
    sweep(shop)
    assert ticket_status(shop) == ("In Progress" if removed == "archived" else "Done")
    assert (moves(shop), shop.undelivered()) == (1, 0)
    assert len(shop.atlassian.comments("PI-2")) == (4 if removed == "archived" else 3)


def test_an_anomaly_that_is_restored_closes_nothing_later(shop: Shop) -> None:
    maps(shop, status_out={"Resolved": "Done"})
    first, second = linked(shop), linked(shop)
    archive(shop, first)
    set_status(shop, first, "Acknowledged")
    assert shop.api.delete(f"/api/anomalies/{second}?archive=false").status == 204
    sweep(shop)
    assert (ticket_status(shop), moves(shop), shop.undelivered()) == ("To Do", 0, 0)


# ------------------------------------------------------------------------------------------------------------- in


def test_an_anomaly_follows_its_ticket_and_tells_the_other_tickets(shop: Shop) -> None:
    maps(shop, status_in={"In Progress": "Acknowledged"})
    number = linked(shop)
    linked(shop, "PI-3", number)
    person_moves(shop, "In Progress")
    assert sweep(shop) == 2  # both were commented on, and never looked at
    assert anomaly_status(shop, number) == "Acknowledged"
    assert len(shop.atlassian.comments("PI-2")) == 1
    assert "Acknowledged" in shop.atlassian.comments("PI-3")[-1]
    told = shop.api.get(f"/api/anomalies/{number}/history").json()
    assert [(each["action"], each["by"]) for each in told[-2:]] == [
        ("ticket_moved", "Jira: Dana Demo"),
        ("status_changed", "Jira: Dana Demo"),
    ]
    calls = len(shop.atlassian.asked())
    assert sweep(shop) == 0
    assert len(shop.atlassian.asked()) == calls + 2  # the search, and those of the last minutes


def test_an_anomaly_is_archived_only_when_all_its_tickets_say_so(shop: Shop) -> None:
    maps(shop, status_in={"done": "Resolved"})
    number = linked(shop)
    linked(shop, "PI-3", number)
    person_moves(shop, "Done")
    sweep(shop)
    assert anomaly_status(shop, number) == "Active"
    assert shop.links(number)[0]["status"] == "Done"
    person_moves(shop, "Done", "PI-3")
    sweep(shop)
    assert anomaly_status(shop, number) == "Resolved"


def test_an_archived_anomaly_follows_a_ticket_that_is_reopened(shop: Shop) -> None:
    maps(shop, status_in=IN)
    number = linked(shop)
    person_moves(shop, "Done")
    sweep(shop)
    assert anomaly_status(shop, number) == "Resolved"
    person_moves(shop, "In Progress")
    sweep(shop)
    assert anomaly_status(shop, number) == "Acknowledged"


def test_title_and_key_follow_too(shop: Shop) -> None:
    maps(shop, status_in=IN)
    number = linked(shop, "SCRUM-1")
    key = shop.atlassian.move("SCRUM-1", "MISC")
    sweep(shop)
    (link,) = shop.links(number)
    assert link["ticket_number"] == key
    assert link["url"].endswith(key)
    assert anomaly_status(shop, number) == "Active"


@pytest.mark.parametrize("into", [IN, {"In Progress": "Active", "Done": "Invalid"}])
def test_what_the_product_moved_is_no_news(shop: Shop, into: dict[str, str]) -> None:
    maps(shop, status_out=OUT, status_in=into)
    number = linked(shop)
    set_status(shop, number, "Acknowledged")
    asked = len(shop.atlassian.asked("POST"))
    for _ in range(2):
        sweep(shop)
        look(shop, number)
    assert anomaly_status(shop, number) == "Acknowledged"
    assert (
        len(
            [
                call
                for call in shop.atlassian.asked("POST")
                if "search" not in call[1] and "bulk" not in call[1]
            ]
        )
        == asked
    )


def test_what_the_product_moved_for_one_anomaly_is_no_news_for_another_of_the_ticket(shop: Shop) -> None:
    maps(shop, status_out=OUT, status_in=IN)
    archived, still_open, third = linked(shop), linked(shop), linked(shop)
    archive(shop, archived, "Invalid")
    set_status(shop, still_open, "Acknowledged")
    assert ticket_status(shop) == "In Progress"
    look(shop, archived)
    assert [anomaly_status(shop, n) for n in (archived, still_open, third)] == [
        "Invalid",
        "Acknowledged",
        "Active",
    ]
    assert [shop.links(n)[0]["status"] for n in (archived, third)] == ["In Progress", "In Progress"]
    person_moves(shop, "To Do")
    look(shop, archived)
    assert anomaly_status(shop, still_open) == "Active"


@pytest.mark.parametrize("meets", ["an event", "a refresh"])
def test_a_link_of_before_is_followed_after_its_next_event_or_refresh(shop: Shop, meets: str) -> None:
    maps(shop, status_in=IN, status_out={"Acknowledged": "In Progress"})
    number = linked(shop)
    link = shop.links(number)[0]
    shop.table.delete("ISSUE#1#" + link["ticket_id"], "TICKET")
    key = (f"ANOMALY#{number}", f"ANOMALY#LINK#1#{link['ticket_id']}")
    shop.table.update(Update(*key, remove=["seen", "looked"]))
    if meets == "an event":
        set_status(shop, number, "Acknowledged")
        assert ticket_status(shop) == "In Progress"
    else:
        assert shop.api.post(f"/api/anomalies/{number}/ticket-links/{link['id']}/refresh").status == 200
        shop.worker.run()
    shop.clock.passes(1)
    person_moves(shop, "Done")
    look(shop, number)
    assert anomaly_status(shop, number) == "Resolved"


def look(shop: Shop, number: int) -> None:
    (link, *_) = shop.links(number)
    body = f'{{"integration_id": 1, "ticket_id": "{link["ticket_id"]}", "look": true}}'
    assert shop.worker.handle([record(body)]) == []
    shop.worker.run()


def test_a_move_of_ours_whose_answer_was_lost_is_no_news(shop: Shop) -> None:
    maps(shop, status_out=OUT, status_in={"In Progress": "Active"})
    number = linked(shop)
    shop.atlassian.fault(MOVE | {"drop": "after"})
    set_status(shop, number, "Acknowledged")
    shop.clock.passes(70)
    look(shop, number)
    assert anomaly_status(shop, number) == "Acknowledged"


def test_where_both_have_moved_neither_is_touched_until_either_moves_again(shop: Shop) -> None:
    maps(shop, status_out={"Acknowledged": "In Progress", "Active": "To Do"}, status_in=IN)
    number = linked(shop)
    sweep(shop)
    shop.clock.passes(1)
    shop.set_status(number, "Acknowledged")
    person_moves(shop, "Done")
    shop.worker.run()
    (link,) = shop.links(number)
    assert link["last_sync_error"].startswith("conflict: ")
    sweep(shop)
    look(shop, number)
    shop.comment(number, "and?")
    shop.worker.run()
    assert (ticket_status(shop), anomaly_status(shop, number)) == ("Done", "Acknowledged")
    assert shop.links(number)[0]["last_sync_error"].startswith("conflict: ")
    assert moves(shop) == 0


@pytest.mark.parametrize("who", ["anomaly", "ticket"])
def test_a_conflict_ends_when_either_moves_again(shop: Shop, who: str) -> None:
    maps(shop, status_out={"Acknowledged": "In Progress", "Active": "To Do"}, status_in=IN)
    number = linked(shop)
    sweep(shop)
    shop.clock.passes(1)
    shop.set_status(number, "Acknowledged")
    person_moves(shop, "Done")
    look(shop, number)
    assert shop.links(number)[0]["last_sync_error"].startswith("conflict: ")
    if who == "anomaly":
        set_status(shop, number, "Active")
        assert ticket_status(shop) == "To Do"
    else:
        person_moves(shop, "To Do")
        look(shop, number)
        assert anomaly_status(shop, number) == "Active"
    assert shop.links(number)[0]["last_sync_error"] is None


def test_a_deleted_ticket_is_said_on_the_link(shop: Shop) -> None:
    maps(shop, status_in=IN)
    number = linked(shop)
    person_deletes(shop, "PI-2")
    look(shop, number)
    assert shop.links(number)[0]["last_sync_error"].startswith("Ticket not found")
    assert anomaly_status(shop, number) == "Active"


def test_an_anomaly_cannot_follow_while_another_has_its_fingerprint(shop: Shop) -> None:
    maps(shop, status_in=IN)
    number = int(shop.anomaly(fingerprint="f")["id"])
    linked(shop, "PI-2", number)
    person_moves(shop, "Done")
    sweep(shop)
    shop.anomaly(fingerprint="f")
    person_moves(shop, "In Progress")
    look(shop, number)
    assert anomaly_status(shop, number) == "Resolved"
    assert "same fingerprint" in shop.links(number)[0]["last_sync_error"]


def test_a_look_that_fails_comes_again(shop: Shop) -> None:
    maps(shop, status_in=IN)
    number = linked(shop)
    person_moves(shop, "Done")
    shop.atlassian.fault({"method": "GET", "path": "/issue/[0-9]+$", "status": 500, "times": 1})
    sweep(shop)
    shop.clock.passes(400)
    look(shop, number)
    assert anomaly_status(shop, number) == "Resolved"


def test_a_look_whose_wake_up_is_lost_is_asked_for_again(shop: Shop) -> None:
    maps(shop, status_in=IN)
    number = linked(shop)
    sweep(shop)
    shop.clock.passes(1200)
    shop.atlassian.control(clock_offset_seconds=shop.clock.passed.total_seconds())
    person_moves(shop, "Done")
    shop.worker.module.handler({"sweep": True}, LambdaContext(remaining_ms=60_000))
    client("sqs").purge_queue(QueueUrl=shop.worker.queue)
    shop.clock.passes(1200)  # the next sweep's search does not find the move any more
    shop.worker.module.note_sweep(shop.table, shop.clock.now())
    sweep(shop)
    assert anomaly_status(shop, number) == "Resolved"
    assert shop.undelivered() == 0


def test_a_sweep_that_fails_looks_back_further_the_next_time(shop: Shop) -> None:
    maps(shop, status_in=IN)
    number = linked(shop)
    sweep(shop)
    person_moves(shop, "Done")
    shop.atlassian.fault({"path": "/search/jql$", "status": 400, "times": 3})
    for _ in range(3):
        assert sweep(shop) == 0
    assert sweep(shop) == 1
    assert anomaly_status(shop, number) == "Resolved"


def test_what_jiras_index_did_not_have_yet_is_no_older_than_the_sweep(shop: Shop) -> None:
    maps(shop, status_in=IN)
    number = linked(shop)
    sweep(shop)
    shop.clock.passes(600)
    shop.atlassian.control(search_lag_ms=60_000, clock_offset_seconds=shop.clock.passed.total_seconds())
    person_moves(shop, "Done")
    set_status(shop, number, "Acknowledged")
    shop.clock.passes(1)
    shop.worker.module.handler({"sweep": True}, LambdaContext(remaining_ms=60_000))  # finds nothing yet
    sweep(shop)
    assert (ticket_status(shop), anomaly_status(shop, number)) == ("Done", "Acknowledged")
    assert shop.links(number)[0]["last_sync_error"].startswith("conflict: ")


def test_a_look_that_keeps_failing_makes_no_dead_letter(shop: Shop) -> None:
    maps(shop, status_in=IN)
    number = linked(shop)
    person_moves(shop, "Done")
    (link,) = shop.links(number)
    body = json.dumps({"integration_id": 1, "ticket_id": link["ticket_id"], "look": True})
    shop.atlassian.fault({"method": "GET", "path": "/issue/[0-9]+$", "status": 500, "times": None})
    assert shop.worker.handle([record(body, 11)]) == ["message-0"]
    assert shop.worker.handle([record(body, 12)]) == []
    shop.atlassian.fault()
    shop.clock.passes(1800)
    sweep(shop)
    assert anomaly_status(shop, number) == "Resolved"


def test_a_deleted_ticket_does_not_keep_an_anomaly_open(shop: Shop) -> None:
    maps(shop, status_in=IN)
    number = linked(shop, "PI-3")
    linked(shop, "PI-2", number)
    person_deletes(shop, "PI-3")
    look(shop, number)
    person_moves(shop, "Done")
    sweep(shop)
    assert anomaly_status(shop, number) == "Resolved"


def see(shop: Shop, ticket: str) -> None:
    """Let the worker look at a ticket, and at no other."""
    record_of = record(json.dumps({"integration_id": 1, "ticket_id": ticket, "look": True}))
    assert shop.worker.handle([record_of]) == []


@pytest.mark.parametrize("other", ["unlinked", "deleted"])
@pytest.mark.parametrize("since", ["nothing", "a comment", "a change here"])
def test_an_anomaly_is_archived_once_no_other_ticket_keeps_it_open(
    shop: Shop, other: str, since: str
) -> None:
    maps(shop, status_in={"Done": "Resolved"})
    number = linked(shop, "PI-2")
    linked(shop, "PI-3", number)
    person_moves(shop, "Done")
    sweep(shop)
    assert anomaly_status(shop, number) == "Active"
    shop.clock.passes(1)
    if since == "a comment":
        shop.comment(number, "and PI-3?")
    elif since == "a change here":
        set_status(shop, number, "Acknowledged")
    _, open_one = shop.links(number)
    if other == "unlinked":
        assert shop.api.delete(f"/api/anomalies/{number}/ticket-links/{open_one['id']}").status == 204
        client("sqs").purge_queue(QueueUrl=shop.worker.queue)
    else:
        person_deletes(shop, "PI-3")
        see(shop, open_one["ticket_id"])
    sweep(shop)
    expected = "Acknowledged" if since == "a change here" else "Resolved"
    assert anomaly_status(shop, number) == expected
    sweep(shop)
    assert shop.undelivered() == 0


@pytest.mark.parametrize("meanwhile", ["closed", "unlinked", "deleted"])
def test_two_tickets_that_end_at_once_do_not_wait_for_each_other(
    shop: Shop, meanwhile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps(shop, status_in={"Done": "Resolved"})
    number = linked(shop, "PI-2")
    linked(shop, "PI-3", number)
    first, second = shop.links(number)
    person_moves(shop, "Done", "PI-2")
    pending = [second]

    def happens() -> None:
        if meanwhile == "unlinked":
            assert shop.api.delete(f"/api/anomalies/{number}/ticket-links/{second['id']}").status == 204
            return
        if meanwhile == "closed":
            person_moves(shop, "Done", "PI-3")
        else:
            person_deletes(shop, "PI-3")
        see(shop, second["ticket_id"])

    def loaded(*arguments: Any) -> Any:
        found = load(*arguments)
        if pending and pending.pop():
            happens()
        return found

    monkeypatch.setattr("jobticket.ticketing.sync_in.load", loaded)
    see(shop, first["ticket_id"])
    if meanwhile == "deleted":
        sweep(shop)
    assert anomaly_status(shop, number) == "Resolved"
    sweep(shop)
    assert shop.undelivered() == 0


def test_a_conflict_of_a_ticket_that_caught_up_lasts(shop: Shop) -> None:
    maps(shop, status_out=OUT, status_in=IN)
    assert shop.api.post(f"{INTEGRATION}/rules", {"name": "all"}).status == 201
    number = int(shop.anomaly()["id"])
    shop.set_status(number, "Acknowledged")
    shop.atlassian.fault(MOVE | {"status": 503, "times": 1})
    shop.worker.run()
    (link,) = shop.links(number)
    person_moves(shop, "Done", link["ticket_number"])
    shop.clock.passes(60)
    see(shop, link["ticket_id"])
    assert ticket_status(shop, link["ticket_number"]) == "Done"
    assert anomaly_status(shop, number) == "Acknowledged"
    assert shop.links(number)[0]["last_sync_error"].startswith("conflict: ")


def test_the_first_sweep_finds_what_changed_long_before_it(shop: Shop) -> None:
    maps(shop, status_in=IN)
    number = linked(shop)
    person_moves(shop, "Done")
    shop.clock.passes(3600)
    sweep(shop)
    assert anomaly_status(shop, number) == "Resolved"


def test_two_deleted_tickets_do_not_ask_for_each_other_again_and_again(shop: Shop) -> None:
    maps(shop, status_in=IN)
    number = linked(shop, "PI-2")
    linked(shop, "PI-3", number)
    for link in shop.links(number):
        person_deletes(shop, link["ticket_id"])
    look(shop, number)
    sweep(shop)
    sweep(shop)
    assert [link["last_sync_error"] for link in shop.links(number)] == [GONE] * 2
    assert shop.undelivered() == 0
