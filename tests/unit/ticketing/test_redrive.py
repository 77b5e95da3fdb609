"""Dead letters that are sent again, by the documented command: nothing is lost, doubled or out of order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jobticket.queues import redrive as send_again
from tests.unit.conftest import client
from tests.unit.ticketing.conftest import Shop
from tools import redrive

#: Fewer than in life, for the sake of time.
MOST_TRIES = 3
COMMENT = {"method": "POST", "path": "/comment$"}


@pytest.fixture
def dead_letters(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> str:
    """The queue for what the worker could not deliver."""
    monkeypatch.setattr("jobticket.ticketing.relay.MOST_TRIES", MOST_TRIES)
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="dead-letters.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = {"deadLetterTargetArn": arn, "maxReceiveCount": MOST_TRIES}
    sqs.set_queue_attributes(QueueUrl=shop.worker.queue, Attributes={"RedrivePolicy": json.dumps(policy)})
    return str(url)


@pytest.fixture
def given_up(shop: Shop, dead_letters: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """An anomaly whose two tickets lack a status and two comments: Jira was away for too long."""
    anomaly = int(shop.anomaly()["id"])
    for key in ("PI-1", "PI-2"):
        shop.link(anomaly, key)
    shop.worker.run()
    shop.atlassian.fault(COMMENT | {"status": 503, "times": None})
    shop.set_status(anomaly, "Acknowledged")
    shop.comment(anomaly, "first")
    shop.comment(anomaly, "second")
    postpone = shop.worker.module.wakeups.postpone
    with monkeypatch.context() as patch:
        patch.setattr(shop.worker.module.wakeups, "postpone", lambda handle, _seconds: postpone(handle, 0))
        assert len(shop.worker.run()) == 6 * MOST_TRIES
    assert waiting(dead_letters) == 6
    shop.clock.passes(3600)
    assert shop.worker.sweep() == 0
    assert shop.undelivered() == 0  # what waits behind it rests with what was given up
    assert all("Given up" in link["last_sync_error"] for link in shop.links(anomaly))
    shop.atlassian.control(faults=[], rate_limits={"issue_writes_per_2s": None})
    return anomaly


def waiting(queue: str) -> int:
    name = "ApproximateNumberOfMessages"
    return int(client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name])


def told(shop: Shop, key: str) -> list[str]:
    """What an issue was told after the block, without times."""
    return [text.partition("UTC] ")[2] or text for text in shop.atlassian.comments(key)[1:]]


EVERYTHING = [
    "Qualytics Anomaly Status: Acknowledged",
    "Comment from Qualytics: first",
    "Comment from Qualytics: second",
]


def test_what_was_given_up_arrives_once_and_in_order(
    shop: Shop, dead_letters: str, given_up: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert redrive.main([dead_letters, shop.worker.queue]) == 0
    assert "6 messages sent again" in capsys.readouterr().out
    assert waiting(dead_letters) == 0
    assert shop.worker.run() == []
    assert told(shop, "PI-1") == told(shop, "PI-2") == EVERYTHING
    assert [link["last_sync_error"] for link in shop.links(given_up)] == [None, None]


def test_messages_keep_their_groups(shop: Shop, dead_letters: str, given_up: int) -> None:
    assert send_again(client("sqs"), dead_letters, shop.worker.queue) == 6
    attributes = [record["attributes"] for record in shop.worker.records()]
    expected = {f"{link['integration_id']}-{link['ticket_id']}" for link in shop.links(given_up)}
    assert {each["MessageGroupId"] for each in attributes} == expected
    assert {each["ApproximateReceiveCount"] for each in attributes} == {"1"}  # with all tries before them
    assert len({each["MessageDeduplicationId"] for each in attributes}) == len(attributes) == 6


def test_a_redrive_that_ends_half_way_doubles_nothing(
    shop: Shop, dead_letters: str, given_up: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqs: Any = client("sqs")
    # What is taken and not deleted is seen again, here at once.
    sqs.set_queue_attributes(QueueUrl=dead_letters, Attributes={"VisibilityTimeout": "0"})

    def dies(**_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sqs, "delete_message", dies)
        with pytest.raises(KeyboardInterrupt):
            send_again(sqs, dead_letters, shop.worker.queue)
    send_again(sqs, dead_letters, shop.worker.queue)
    assert shop.worker.run() == []
    assert told(shop, "PI-1") == told(shop, "PI-2") == EVERYTHING


def test_what_jira_had_taken_before_it_was_given_up_is_not_told_again(shop: Shop, dead_letters: str) -> None:
    """The last try reached Jira, its answer got lost, and so did all looks for it."""
    anomaly = int(shop.anomaly()["id"])
    link = shop.link(anomaly, "PI-1")
    shop.worker.run()
    shop.atlassian.fault(
        COMMENT | {"drop": "after"}, {"method": "GET", "path": "/comment$", "status": 503, "times": None}
    )
    shop.set_status(anomaly, "Acknowledged")
    for tries in (1, MOST_TRIES):
        assert shop.worker.wake(link, tries)
    (message,) = shop.worker.records()
    sent = {"MessageGroupId": message["attributes"]["MessageGroupId"], "MessageDeduplicationId": "dead"}
    client("sqs").send_message(QueueUrl=dead_letters, MessageBody=message["body"], **sent)
    client("sqs").delete_message(QueueUrl=shop.worker.queue, ReceiptHandle=message["receiptHandle"])
    shop.atlassian.control(faults=[])
    send_again(client("sqs"), dead_letters, shop.worker.queue)
    assert shop.worker.run() == []
    assert told(shop, "PI-1") == EVERYTHING[:1]
