"""One event gives one comment on each live link, in order, whatever breaks on the way."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from jobticket.jira.client import JiraClient
from jobticket.ticketing.relay import MOST_TRIES, pause_before
from tests.support.faults import PASSING_CALLS, Trouble
from tests.unit.conftest import client
from tests.unit.ticketing.conftest import INTEGRATION, Shop, Time, Worker, slow_jira

COMMENT = {"method": "POST", "path": "/comment$"}
#: Longer than a lease, and than Jira may be at work on a call that timed out.
LONG_ENOUGH = 120


class Killed(BaseException):
    """The worker's process is gone."""


def statuses(shop: Shop, key: str) -> list[str]:
    """What the issue was told of statuses and comments, without times and blocks."""
    told = [text for text in shop.atlassian.comments(key) if "Anomaly Linked" not in text]
    return [re.sub(r"^\[.* UTC\] Qualytics Anomaly Status: ", "", text) for text in told]


@pytest.fixture
def ticket(shop: Shop) -> dict[str, Any]:
    """A link whose ticket has been told everything so far."""
    anomaly = shop.anomaly()
    shop.ticket(anomaly["id"])
    shop.worker.run()
    shop.atlassian.forget()
    return shop.links(anomaly["id"])[0]


def marks_are_single(shop: Shop, key: str) -> bool:
    marks = [mark for _, mark in shop.atlassian.posted(key)]
    return None not in marks and len(marks) == len(set(marks))


def test_each_event_gives_one_comment_on_each_link_and_no_more_calls(shop: Shop) -> None:
    anomaly = shop.anomaly()["id"]
    for key in ("PI-1", "PI-2", "PI-42"):
        shop.link(anomaly, key)
    shop.worker.run()
    shop.atlassian.forget()
    shop.set_status(anomaly, "Acknowledged")
    assert shop.atlassian.asked() == []  # who acknowledges does not wait for Jira
    assert shop.worker.run() == []
    calls = shop.atlassian.asked()
    print(f"an acknowledged anomaly with 3 links: {len(calls)} calls to Jira")  # noqa: T201
    assert [method for method, _ in calls] == ["POST"] * 3
    assert {path for _, path in calls} == {
        f"/rest/api/3/issue/{link['ticket_id']}/comment" for link in shop.links(anomaly)
    }
    for key in ("PI-1", "PI-2", "PI-42"):
        assert statuses(shop, key) == ["Acknowledged"]


def test_nobody_waits_for_jira_but_who_creates_links_or_looks(shop: Shop) -> None:
    anomaly = shop.anomaly()["id"]
    link = shop.link(anomaly, "PI-42")
    shop.atlassian.forget()
    path = f"/api/anomalies/{anomaly}"
    for method, more, body in [
        ("PUT", "", {"status": "Acknowledged", "description": "why"}),
        ("POST", "/comments", {"message": "on it"}),
        ("DELETE", "?archive=true&status=Resolved&comment=done", None),
        ("PUT", "", {"status": "Active"}),
        ("GET", "/ticket-links", None),
        ("DELETE", f"/ticket-links/{link['id']}", None),
        ("DELETE", "?archive=false", None),
    ]:
        assert shop.api.call(method, path + more, body).status in (200, 201, 204)
    assert shop.api.delete(INTEGRATION).status == 204
    assert shop.atlassian.asked() == []


def test_the_same_status_twice_gives_no_event(shop: Shop, ticket: dict[str, Any]) -> None:
    for _ in range(2):
        shop.set_status(ticket["anomaly_id"], "Acknowledged")
        shop.worker.run()
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    assert shop.undelivered() == 0
    assert statuses(shop, "MISC-1") == ["Acknowledged"]


def test_events_of_an_issue_arrive_in_their_order(shop: Shop, ticket: dict[str, Any]) -> None:
    shop.atlassian.control(rate_limits={"issue_writes_per_2s": None})
    expected = []
    for number in range(12):
        status = "Active" if number % 2 else "Acknowledged"
        shop.set_status(ticket["anomaly_id"], status)
        shop.comment(ticket["anomaly_id"], f"comment {number}")
        expected += [status, f"Comment from Qualytics: comment {number}"]
    shop.worker.run()
    assert statuses(shop, "MISC-1") == expected


def test_clocks_that_go_backwards_keep_the_order(shop: Shop, ticket: dict[str, Any]) -> None:
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    shop.clock.passes(-30)
    shop.set_status(ticket["anomaly_id"], "Active")
    shop.clock.passes(-30)
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    shop.worker.run()
    assert statuses(shop, "MISC-1") == ["Acknowledged", "Active", "Acknowledged"]


def test_duplicate_and_late_wake_ups_change_nothing(shop: Shop, ticket: dict[str, Any]) -> None:
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    shop.comment(ticket["anomaly_id"], "second")
    records = shop.worker.records()
    assert len(records) == 2
    # The later one first, each of them three times.
    for taken in [*reversed(records)] * 3:
        assert shop.worker.handle([taken]) == []
    assert statuses(shop, "MISC-1") == ["Acknowledged", "Comment from Qualytics: second"]
    assert len(shop.atlassian.asked("POST")) == 2


def test_many_workers_with_the_same_wake_up_post_once(shop: Shop, ticket: dict[str, Any]) -> None:
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    shop.atlassian.control(latency_ms=30)
    start = threading.Barrier(8)

    def work(_: int) -> bool:
        start.wait()
        return shop.worker.wake(ticket)

    with ThreadPoolExecutor(8) as pool:
        again = list(pool.map(work, range(8)))
    assert again.count(False) >= 1
    assert statuses(shop, "MISC-1") == ["Acknowledged"]
    assert len(shop.atlassian.asked("POST")) == 1


def test_changes_made_at_the_same_time_are_all_told_once(shop: Shop, ticket: dict[str, Any]) -> None:
    shop.atlassian.control(rate_limits={"issue_writes_per_2s": None})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: shop.comment(ticket["anomaly_id"], f"comment {n}"), range(24)))
    shop.worker.run()
    told = statuses(shop, "MISC-1")
    assert sorted(told) == sorted(f"Comment from Qualytics: comment {number}" for number in range(24))
    assert marks_are_single(shop, "MISC-1")


@contextmanager
def killed(worker: Worker, monkeypatch: pytest.MonkeyPatch, *, after_answer: bool) -> Iterator[None]:
    """Let the worker's process die around its next comment, without a chance to put anything away."""
    post = JiraClient.post

    def dying(jira: JiraClient, template: str, **options: Any) -> Any:
        if after_answer:
            post(jira, template, **options)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(JiraClient, "post", dying)
        patch.setattr("jobticket.store.lease.give_back", lambda *_: None)
        with pytest.raises(Killed):
            yield


@pytest.mark.parametrize("after_answer", [False, True], ids=["before Jira's answer", "after Jira's answer"])
def test_a_worker_that_dies_doubles_and_loses_nothing(
    shop: Shop, ticket: dict[str, Any], monkeypatch: pytest.MonkeyPatch, after_answer: bool
) -> None:
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    shop.comment(ticket["anomaly_id"], "second")
    with killed(shop.worker, monkeypatch, after_answer=after_answer):
        shop.worker.wake(ticket)
    assert shop.worker.wake(ticket)  # the dead one's lease still holds
    shop.clock.passes(LONG_ENOUGH)
    assert not shop.worker.wake(ticket)
    assert statuses(shop, "MISC-1") == ["Acknowledged", "Comment from Qualytics: second"]
    assert marks_are_single(shop, "MISC-1")
    assert shop.undelivered() == 0


def test_a_write_that_fails_after_jiras_answer_doubles_nothing(
    shop: Shop, ticket: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.set_status(ticket["anomaly_id"], "Acknowledged")

    def broken(*_: Any, **__: Any) -> None:
        raise ClientError({"Error": {"Code": "InternalServerError"}}, "TransactWriteItems")

    with monkeypatch.context() as patch:
        patch.setattr(shop.worker.module.table, "transact", broken)
        assert shop.worker.wake(ticket)
    shop.clock.passes(LONG_ENOUGH)
    assert not shop.worker.wake(ticket)
    assert statuses(shop, "MISC-1") == ["Acknowledged"]
    assert len(shop.atlassian.asked("POST")) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 502},
        {"status": 503, "headers": {"Retry-After": "2"}},
        {"status": 504},
        {"status": 429, "headers": {"Retry-After": "120", "RateLimit-Reason": "jira-quota-tenant-based"}},
        {"status": 401},
        {"drop": "before"},
        {"drop": "after"},
        {"truncate_bytes": 10},
        {"status": 200, "body": "<html>a proxy's page</html>", "headers": {"Content-Type": "text/html"}},
    ],
    ids=lambda fault: " ".join(f"{name} {value}" for name, value in fault.items() if name != "headers"),
)
def test_what_passes_is_tried_again_and_told_once(
    shop: Shop, ticket: dict[str, Any], fault: dict[str, Any]
) -> None:
    shop.atlassian.fault(COMMENT | fault)
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    shop.comment(ticket["anomaly_id"], "second")
    assert len(shop.worker.run()) == 2  # nothing overtakes what waits
    assert shop.links(ticket["anomaly_id"])[0]["last_sync_error"]
    assert shop.worker.postponed[0] >= (120 if fault.get("status") == 429 else 5)
    forget_limits(shop)
    assert not shop.worker.wake(ticket, 2)
    assert statuses(shop, "MISC-1") == ["Acknowledged", "Comment from Qualytics: second"]
    assert marks_are_single(shop, "MISC-1")
    assert shop.links(ticket["anomaly_id"])[0]["last_sync_error"] is None


def forget_limits(shop: Shop) -> None:
    """Be another container, to which Jira has not spoken of its limits."""
    shop.worker.module.access._rate_limits._until.clear()


def test_a_pause_that_jira_asks_for_is_kept_even_by_other_issues(shop: Shop, ticket: dict[str, Any]) -> None:
    shop.atlassian.fault(COMMENT | {"status": 429, "headers": {"Retry-After": "300"}})
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    shop.worker.run()
    shop.atlassian.forget()
    assert shop.worker.wake(ticket, 2)
    assert shop.atlassian.asked() == []
    assert shop.worker.postponed[-1] > 290


def test_a_first_try_that_was_refused_for_a_moment_is_repeated_without_a_look(
    shop: Shop, ticket: dict[str, Any]
) -> None:
    shop.atlassian.fault(COMMENT | {"status": 401})
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    shop.worker.run()
    shop.atlassian.forget()
    assert not shop.worker.wake(ticket, 2)
    assert [method for method, _ in shop.atlassian.asked()] == ["POST"]


def test_a_call_that_times_out_is_not_repeated_while_jira_may_be_at_work(
    shop: Shop, ticket: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    with slow_jira(monkeypatch, "/comment") as at_work:
        assert shop.worker.wake(ticket)
    assert "Network timeout" in shop.links(ticket["anomaly_id"])[0]["last_sync_error"]
    assert shop.worker.wake(ticket, 2)  # Jira has not put it there yet: neither posted nor given up
    assert statuses(shop, "MISC-1") == []
    assert 30 < shop.worker.postponed[-1] < 90
    at_work.finish()
    assert not shop.worker.wake(ticket, 3)
    assert statuses(shop, "MISC-1") == ["Acknowledged"]
    assert len(shop.atlassian.asked("POST")) == 1


def test_a_look_for_the_mark_goes_through_many_comments(shop: Shop, ticket: dict[str, Any]) -> None:
    shop.atlassian.fault(COMMENT | {"drop": "after"})
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    shop.worker.run()
    for number in range(130):
        answer = shop.atlassian.session.post(
            f"{shop.atlassian.url}/rest/api/2/issue/MISC-1/comment",
            json={"body": f"talk {number}"},
            auth=("demo@example.com", "local-api-token"),
        )
        if answer.status_code == 429:
            shop.atlassian.control(rate_limits={"issue_writes_per_2s": None})
    shop.atlassian.forget()
    assert not shop.worker.wake(ticket, 2)
    assert sum("Anomaly Status" in text for text in shop.atlassian.comments("MISC-1")) == 1
    assert len(shop.atlassian.asked("GET")) <= 4


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"status": 400, "body": {"errorMessages": ["no comments here"]}}, "no comments here"),
        ({"status": 403, "body": {"errorMessages": ["You may not"]}}, "permission"),
        ({"status": 404, "body": {"errorMessages": ["Issue does not exist"]}}, "404"),
    ],
    ids=["400", "403", "404"],
)
def test_what_jira_will_not_take_is_shown_on_the_link_and_can_be_retried(
    shop: Shop, ticket: dict[str, Any], fault: dict[str, Any], reason: str
) -> None:
    shop.atlassian.fault(COMMENT | fault)
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    assert shop.worker.run() == []
    link = shop.links(ticket["anomaly_id"])[0]
    assert reason in link["last_sync_error"]
    assert shop.undelivered() == 0  # the sweep does not repeat what is refused
    refreshed = shop.api.post(f"/api/anomalies/{ticket['anomaly_id']}/ticket-links/{link['id']}/refresh")
    assert (refreshed.status, refreshed.json()["last_sync_error"]) == (200, None)
    shop.worker.run()
    assert statuses(shop, "MISC-1") == ["Acknowledged"]


def test_what_was_refused_long_ago_is_not_retried(shop: Shop, ticket: dict[str, Any]) -> None:
    shop.atlassian.fault(COMMENT | {"status": 400})
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    shop.worker.run()
    shop.clock.passes(91 * 24 * 3600)
    refresh = f"/api/anomalies/{ticket['anomaly_id']}/ticket-links/{ticket['id']}/refresh"
    assert shop.api.post(refresh).status == 200
    shop.worker.run()
    assert statuses(shop, "MISC-1") == []


def test_what_jira_will_not_take_does_not_hold_up_what_follows(shop: Shop, ticket: dict[str, Any]) -> None:
    shop.atlassian.fault(COMMENT | {"status": 400})
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    shop.comment(ticket["anomaly_id"], "second")
    assert shop.worker.run() == []
    assert statuses(shop, "MISC-1") == ["Comment from Qualytics: second"]


def test_a_failure_is_shown_as_long_as_the_ticket_lacks_something(shop: Shop, ticket: dict[str, Any]) -> None:
    anomaly = ticket["anomaly_id"]
    shop.atlassian.fault(COMMENT | {"status": 400, "body": {"errorMessages": ["no comments here"]}})
    shop.set_status(anomaly, "Acknowledged")
    shop.comment(anomaly, "second")
    shop.worker.run()
    assert "no comments here" in shop.links(anomaly)[0]["last_sync_error"]
    shop.comment(anomaly, "third")
    shop.worker.run()
    (link,) = shop.links(anomaly)
    assert "no comments here" in link["last_sync_error"]
    assert link["last_synced"] > ticket["last_synced"]
    shop.api.post(f"/api/anomalies/{anomaly}/ticket-links/{link['id']}/refresh")
    shop.worker.run()
    assert shop.links(anomaly)[0]["last_sync_error"] is None
    assert len(statuses(shop, "MISC-1")) == 3


def test_a_refresh_shows_what_goes_wrong_in_its_retry(
    shop: Shop, ticket: dict[str, Any], function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    anomaly = ticket["anomaly_id"]
    shop.atlassian.fault(COMMENT | {"status": 400, "times": None})
    shop.set_status(anomaly, "Acknowledged")
    shop.worker.run()
    send = function.wakeups.send

    def send_to_a_quick_worker(*arguments: Any, **options: Any) -> None:
        send(*arguments, **options)
        shop.worker.run()

    monkeypatch.setattr(function.wakeups, "send", send_to_a_quick_worker)
    shop.api.post(f"/api/anomalies/{anomaly}/ticket-links/{ticket['id']}/refresh")
    assert "400" in shop.links(anomaly)[0]["last_sync_error"]


def test_a_delivery_is_given_up_at_last_and_comes_with_the_next_wake_up(
    shop: Shop, ticket: dict[str, Any]
) -> None:
    shop.atlassian.fault(COMMENT | {"status": 503, "times": None})
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    for tries in range(1, MOST_TRIES + 1):
        assert shop.worker.wake(ticket, tries)  # after the last one the queue has it among the dead letters
    assert "Given up" in shop.links(ticket["anomaly_id"])[0]["last_sync_error"]
    assert shop.undelivered() == 0
    shop.atlassian.control(faults=[])
    shop.comment(ticket["anomaly_id"], "second")
    for taken in shop.worker.records():
        shop.worker.handle([taken])
    assert statuses(shop, "MISC-1") == ["Acknowledged", "Comment from Qualytics: second"]


def test_pauses_grow_and_never_fall_short_of_what_jira_asked_for() -> None:
    pauses = [pause_before(tries, None, 0.0) for tries in range(1, MOST_TRIES + 1)]
    assert pauses[:4] == [5, 10, 20, 40]
    assert max(pauses) == 900
    assert 3600 < sum(pauses) < 2 * 3600
    assert pause_before(1, 77.0, 0.0) == 77
    assert pause_before(1, None, 1.0) == 6


def test_unlinking_drops_what_is_queued(shop: Shop, ticket: dict[str, Any]) -> None:
    path = f"/api/anomalies/{ticket['anomaly_id']}/ticket-links/{ticket['id']}"
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    assert shop.api.delete(path).status == 204
    shop.worker.run()
    assert shop.undelivered() == 0
    assert shop.atlassian.asked() == []
    assert shop.links(ticket["anomaly_id"]) == []
    assert shop.atlassian.issue("MISC-1")["key"] == "MISC-1"  # the ticket stays


def test_a_link_that_goes_while_the_worker_is_at_it_is_told_nothing_more(
    shop: Shop, ticket: dict[str, Any]
) -> None:
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    # As when the process dies between unlinking and tidying up.
    shop.table.delete("ANOMALY#1", f"ANOMALY#LINK#1#{ticket['ticket_id']}")
    shop.worker.run()
    assert shop.atlassian.asked() == []
    assert shop.undelivered() == 0


def test_linking_again_does_not_bring_old_events_back(shop: Shop, ticket: dict[str, Any]) -> None:
    anomaly = ticket["anomaly_id"]
    shop.atlassian.fault(COMMENT | {"status": 400})
    shop.set_status(anomaly, "Acknowledged")
    shop.worker.run()
    shop.api.delete(f"/api/anomalies/{anomaly}/ticket-links/{ticket['id']}")
    shop.link(anomaly, "MISC-1")
    shop.worker.run()
    assert [("Anomaly Linked" in text) for text in shop.atlassian.comments("MISC-1")] == [True]


def test_a_removed_integration_keeps_its_links_and_stops_syncing(shop: Shop, ticket: dict[str, Any]) -> None:
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    assert shop.api.delete(INTEGRATION).status == 204
    shop.comment(ticket["anomaly_id"], "nobody hears this")
    shop.worker.run()
    assert shop.atlassian.asked() == []
    assert shop.undelivered() == 0
    links = shop.links(ticket["anomaly_id"])
    assert [(link["ticket_number"], link["integration_id"]) for link in links] == [("MISC-1", 1)]


def test_an_integration_that_goes_while_the_worker_is_at_it_tells_nothing_more(
    shop: Shop, ticket: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        shop.comment(ticket["anomaly_id"], f"comment {number}")
    post = JiraClient.post

    def post_and_remove(jira: JiraClient, template: str, **options: Any) -> Any:
        answer = post(jira, template, **options)
        assert shop.api.delete(INTEGRATION).status == 204
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(JiraClient, "post", post_and_remove)
        shop.worker.run()
    assert statuses(shop, "MISC-1") == ["Comment from Qualytics: comment 0"]
    assert shop.undelivered() == 0


def test_another_integration_does_not_reach_the_tickets_of_the_first(
    shop: Shop, ticket: dict[str, Any]
) -> None:
    shop.api.delete(INTEGRATION)
    body = {
        "type": "jira",
        "api_url": shop.atlassian.url,
        "api_access_token": "demo@example.com:local-api-token",
    }
    assert shop.api.post(INTEGRATION, body).json()["id"] == 2
    shop.atlassian.forget()
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    shop.worker.run()
    assert shop.atlassian.asked() == []
    refused = shop.api.post(f"/api/anomalies/{ticket['anomaly_id']}/ticket-links/{ticket['id']}/refresh")
    assert refused.status == 409
    again = shop.link(ticket["anomaly_id"], "MISC-1")
    assert again["integration_id"] == 2


def test_a_moved_issue_is_still_reached_under_its_new_key(shop: Shop, ticket: dict[str, Any]) -> None:
    moved = shop.atlassian.move("MISC-1", "SCRUM")
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    shop.worker.run()
    assert statuses(shop, moved) == ["Acknowledged"]
    path = f"/api/anomalies/{ticket['anomaly_id']}/ticket-links/{ticket['id']}/refresh"
    refreshed = shop.api.post(path).json()
    assert refreshed["ticket_number"] == moved
    assert refreshed["url"].endswith(f"/browse/{moved}")


def test_a_deleted_anomaly_tells_nobody_anything(shop: Shop, ticket: dict[str, Any]) -> None:
    shop.comment(ticket["anomaly_id"], "last words")
    assert shop.api.delete(f"/api/anomalies/{ticket['anomaly_id']}?archive=false").status == 204
    shop.worker.run()
    assert shop.atlassian.asked() == []
    assert shop.undelivered() == 0


def test_a_wake_up_that_is_not_sent_is_made_up_for_by_the_sweep(
    shop: Shop, ticket: dict[str, Any], function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, "SendMessage")

    with monkeypatch.context() as patch:
        patch.setattr(function.wakeups._sqs, "send_message", broken)
        shop.set_status(ticket["anomaly_id"], "Acknowledged")
    assert shop.worker.records() == []
    assert shop.worker.sweep() == 0  # it is not late yet
    shop.clock.passes(200)
    assert shop.worker.sweep() == 1
    assert shop.worker.sweep() == 0  # it has been sent
    shop.worker.run()
    assert statuses(shop, "MISC-1") == ["Acknowledged"]
    assert shop.undelivered() == 0


def test_the_sweep_leaves_what_the_queue_will_repeat(shop: Shop, ticket: dict[str, Any]) -> None:
    shop.atlassian.fault(COMMENT | {"status": 503})
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    shop.worker.run()
    shop.comment(ticket["anomaly_id"], "waits behind it")
    shop.clock.passes(300)
    assert shop.worker.sweep() == 0
    shop.clock.passes(600)
    assert shop.worker.sweep() == 1
    assert shop.worker.sweep() == 0


def test_a_connection_that_is_gone_is_a_matter_of_time(shop: Shop, ticket: dict[str, Any]) -> None:
    stored = client("dynamodb").scan(TableName="connections")["Items"]
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    for item in stored:
        client("dynamodb").delete_item(TableName="connections", Key={"pk": item["pk"], "sk": item["sk"]})
    assert len(shop.worker.run()) == 1
    assert "does not exist" in shop.links(ticket["anomaly_id"])[0]["last_sync_error"]
    for item in stored:
        client("dynamodb").put_item(TableName="connections", Item=item)
    assert not shop.worker.wake(ticket, 2)
    assert statuses(shop, "MISC-1") == ["Acknowledged"]


def test_a_connection_to_another_site_is_told_nothing(shop: Shop, ticket: dict[str, Any]) -> None:
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    shop.lead_elsewhere("https://other.atlassian.net")
    assert len(shop.worker.run()) == 1
    assert shop.atlassian.asked() == []
    assert "no longer leads to" in shop.links(ticket["anomaly_id"])[0]["last_sync_error"]


def test_one_issue_in_trouble_does_not_hold_up_another(shop: Shop) -> None:
    anomaly = shop.anomaly()["id"]
    first, second = shop.link(anomaly, "PI-1"), shop.link(anomaly, "PI-2")
    shop.worker.run()
    shop.atlassian.fault({"method": "POST", "path": f"/issue/{first['ticket_id']}/comment$", "status": 503})
    shop.set_status(anomaly, "Acknowledged")
    assert len(shop.worker.run()) == 1
    assert (statuses(shop, "PI-1"), statuses(shop, "PI-2")) == ([], ["Acknowledged"])
    errors = {link["id"]: link["last_sync_error"] for link in shop.links(anomaly)}
    assert errors[second["id"]] is None
    assert "503" in errors[first["id"]]


def test_a_fault_of_the_worker_fails_its_issue_alone(
    shop: Shop, ticket: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.unit.ticketing.conftest import record

    assert shop.worker.handle([record("nonsense", number=7), record("{}", number=8)]) == [
        "message-7",
        "message-8",
    ]

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(shop.worker.relay, "_tell_all", broken)
    assert shop.worker.wake(ticket)


@pytest.mark.parametrize("number", range(16))
def test_trouble_of_awss_at_any_call_costs_no_comment_and_doubles_none(
    shop: Shop, ticket: dict[str, Any], clock: Time, trouble: Trouble, number: int
) -> None:
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    trouble.from_call(number, PASSING_CALLS[number % len(PASSING_CALLS)])
    comes_again = shop.worker.wake(ticket)
    trouble.from_call(None)
    assert comes_again or statuses(shop, ticket["ticket_number"]) == ["Acknowledged"]
    clock.passes(LONG_ENOUGH)
    assert not shop.worker.wake(ticket, 2)
    assert statuses(shop, ticket["ticket_number"]) == ["Acknowledged"]
    assert marks_are_single(shop, ticket["ticket_number"])
    assert shop.undelivered() == 0


def test_the_backlink_of_a_repeated_delivery_does_not_multiply(shop: Shop) -> None:
    anomaly = shop.anomaly()["id"]
    shop.atlassian.fault({"method": "POST", "path": "/remotelink$", "drop": "after"})
    shop.ticket(anomaly)
    shop.worker.run()
    shop.worker.wake(shop.links(anomaly)[0], 2)
    (link,) = shop.atlassian.get("issue/MISC-1/remotelink")
    assert link["globalId"] == f"jobticket-anomaly-{anomaly}"
    assert link["object"]["url"] == f"https://quality.example/datastores/1/anomalies?id={anomaly}"


def test_an_account_that_may_not_link_issues_is_told_so_and_comments_all_the_same(shop: Shop) -> None:
    anomaly = shop.anomaly()["id"]
    shop.atlassian.fault({"method": "POST", "path": "/remotelink$", "status": 403, "times": None})
    shop.ticket(anomaly)
    shop.set_status(anomaly, "Acknowledged")
    assert shop.worker.run() == []
    assert statuses(shop, "MISC-1") == ["Acknowledged"]
    assert "needs the permission Link Issues" in shop.links(anomaly)[0]["last_sync_error"]


def test_a_look_for_the_mark_works_where_the_list_leaves_properties_out(
    shop: Shop, ticket: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    get = JiraClient.get

    def without_properties(jira: JiraClient, template: str, **options: Any) -> Any:
        options.get("params", {}).pop("expand", None)
        return get(jira, template, **options)

    shop.comment(ticket["anomaly_id"], "told before")
    shop.worker.run()
    shop.atlassian.fault(COMMENT | {"drop": "after"})
    shop.comment(ticket["anomaly_id"], "lost answer")
    shop.worker.run()
    shop.atlassian.fault(COMMENT | {"drop": "before"})
    with monkeypatch.context() as patch:
        patch.setattr(JiraClient, "get", without_properties)
        assert not shop.worker.wake(ticket, 2)
        shop.comment(ticket["anomaly_id"], "never arrived")
        assert shop.worker.wake(ticket)
        assert not shop.worker.wake(ticket, 2)
    told = [text.removeprefix("Comment from Qualytics: ") for text in statuses(shop, "MISC-1")]
    assert told == ["told before", "lost answer", "never arrived"]


def test_more_than_the_time_allows_is_left_for_the_next_turn(
    shop: Shop, ticket: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.set_status(ticket["anomaly_id"], "Acknowledged")
    monkeypatch.setattr(shop.worker.module, "RESERVED_SECONDS", 58.0)
    assert shop.worker.wake(ticket)
    assert shop.links(ticket["anomaly_id"])[0]["last_sync_error"] is None
    monkeypatch.setattr(shop.worker.module, "RESERVED_SECONDS", 6.0)
    assert not shop.worker.wake(ticket, 2)
    assert statuses(shop, "MISC-1") == ["Acknowledged"]


@pytest.mark.parametrize("data_center", [False, True], ids=["Cloud", "Data Center"])
def test_text_of_any_kind_and_length_arrives_as_text(shop: Shop, data_center: bool) -> None:
    if data_center:
        shop.be_data_center()
    hostile = "*bold* {code} [x|http://evil.example] <b>&amp;</b> project = X \x00 " * 1600
    assert len(hostile) > 100_000
    hostile = hostile[:99_000]
    anomaly = shop.anomaly(failed_checks=[{"message": hostile, "field": "|| a"}], description=hostile)["id"]
    ticket = shop.ticket(anomaly, title=hostile, description=hostile)
    shop.link(anomaly, "PI-42")
    shop.comment(anomaly, hostile)
    assert shop.worker.run() == []
    summary = shop.atlassian.issue(ticket["ticket_number"])["fields"]["summary"]
    assert len(summary) <= 255
    assert summary.endswith("…")
    told = [
        shop.atlassian.description(ticket["ticket_number"]),
        *shop.atlassian.comments("PI-42"),
        *shop.atlassian.comments("MISC-1"),
    ]
    assert len(told) == 4
    for text in told:
        # On Cloud each of the many links takes a node of its own, and Jira may count that.
        assert (30_000 if data_center else 8_000) < len(text) <= 32_767
        assert "cut here: Jira holds 32,767 characters" in text
        assert ("\\*bold* \\{code\\}" if data_center else "*bold* {code}") in text
        assert "\x00" not in text


@pytest.mark.parametrize("data_center", [False, True], ids=["Cloud", "Data Center"])
def test_urls_and_punctuation_arrive_readable(shop: Shop, data_center: bool) -> None:
    if data_center:
        shop.be_data_center()
    anomaly = shop.anomaly()["id"]
    shop.link(anomaly, "PI-42")
    shop.comment(anomaly, "see https://wiki.example/7 and C:\\load\\ :D")
    assert shop.worker.run() == []
    text = shop.atlassian.comments("PI-42")[-1]
    assert text.startswith("Comment from Qualytics: see https://wiki.example/7 and C:\\load")
    if not data_center:
        assert text.endswith("C:\\load\\ :D")
        body = shop.atlassian.get("issue/PI-42/comment", version=3)["comments"][-1]["body"]
        (link,) = [node for node in body["content"][0]["content"] if node.get("marks")]
        assert link["text"] == link["marks"][0]["attrs"]["href"] == "https://wiki.example/7"
