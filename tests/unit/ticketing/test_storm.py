"""Anything in any order: changes, faults of Jira, dying workers, doubled and late wake-ups, sweeps.

What must hold in the end: each ticket was told everything that happened to its anomalies, once and in order.
"""

from __future__ import annotations

import random
import warnings
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from jobticket.jira.client import JiraClient
from tests.unit.ticketing.conftest import Shop

STEPS = 45
FAULTS: list[dict[str, Any]] = [
    {"status": 500},
    {"status": 503},
    {"status": 401},
    {"drop": "before"},
    {"drop": "after"},
    {"truncate_bytes": 10},
]
#: Which anomaly has which tickets: one of them is told of both.
LINKS = {1: ("PI-1", "PI-2"), 2: ("PI-2", "PI-42")}


class Killed(BaseException):
    """The worker's process is gone."""


class Storm:
    """Lets things happen, and remembers what tickets must have been told in the end."""

    def __init__(self, shop: Shop, chance: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shop = shop
        self.chance = chance
        self.monkeypatch = monkeypatch
        self.expected: dict[str, list[str]] = defaultdict(list)
        self.statuses = dict.fromkeys(LINKS, "Active")
        self.links: list[dict[str, Any]] = []

    def begin(self) -> None:
        self.shop.atlassian.control(rate_limits={"issue_writes_per_2s": None})
        for anomaly, keys in LINKS.items():
            assert self.shop.anomaly()["id"] == anomaly
            for key in keys:
                self.shop.link(anomaly, key)
                self.expected[key].append(f"Qualytics Anomaly Linked: {anomaly}")
            self.links += self.shop.links(anomaly)

    def change_status(self) -> None:
        anomaly = self.chance.choice(list(LINKS))
        status = self.chance.choice(["Active", "Acknowledged"])
        self.shop.set_status(anomaly, status)
        if status != self.statuses[anomaly]:
            self._expect(anomaly, f"Qualytics Anomaly Status: {status}")
        self.statuses[anomaly] = status

    def comment(self) -> None:
        anomaly = self.chance.choice(list(LINKS))
        text = f"no. {self.chance.random()}"
        self.shop.comment(anomaly, text)
        self._expect(anomaly, f"Comment from Qualytics: {text}")

    def _expect(self, anomaly: int, text: str) -> None:
        for key in LINKS[anomaly]:
            self.expected[key].append(text)

    def disturb(self) -> None:
        faults = self.chance.sample(FAULTS, 2)
        self.shop.atlassian.fault(*({"method": "POST", "path": "/comment$"} | fault for fault in faults))

    def work_through_the_queue(self) -> None:
        self.shop.worker.run()

    def wake(self) -> None:
        self.shop.worker.wake(self.chance.choice(self.links))

    def kill_a_worker(self) -> None:
        post, after_answer = JiraClient.post, self.chance.random() < 0.5

        def dying(jira: JiraClient, template: str, **options: Any) -> Any:
            if after_answer:
                post(jira, template, **options)
            raise Killed

        with self.monkeypatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that it had no metrics to tell of
            patch.setattr(JiraClient, "post", dying)
            patch.setattr("jobticket.store.lease.give_back", lambda *_: None)
            try:
                self.wake()
            except Killed:
                return

    def let_time_pass(self) -> None:
        self.shop.clock.passes(self.chance.choice([1, 80, 240]))
        self.shop.atlassian.control(clock_offset_seconds=self.shop.clock.passed.total_seconds())

    def sweep(self) -> None:
        self.shop.worker.sweep()

    def calm_down(self) -> None:
        self.shop.atlassian.control(faults=[])
        self.shop.clock.passes(120)
        self.shop.atlassian.control(clock_offset_seconds=self.shop.clock.passed.total_seconds())
        for link in self.links:
            assert not self.shop.worker.wake(link)
        assert self.shop.undelivered() == 0


def told(shop: Shop, key: str) -> list[str]:
    """What an issue was told, without times, and the block by its anomaly's number alone."""
    texts = []
    for text in shop.atlassian.comments(key):
        if text.startswith("Qualytics Anomaly Linked"):
            number = text.partition("Anomaly ID: ")[2].partition("\n")[0]
            text = f"Qualytics Anomaly Linked: {number}"
        texts.append(text.partition(" UTC] ")[2] or text)
    return texts


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_each_ticket_is_told_everything_once_and_in_order(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    storm = Storm(shop, chance, monkeypatch)
    storm.begin()
    happenings: dict[Callable[[], None], int] = {
        storm.change_status: 4,
        storm.comment: 4,
        storm.disturb: 3,
        storm.work_through_the_queue: 3,
        storm.wake: 3,
        storm.kill_a_worker: 3,
        storm.let_time_pass: 3,
        storm.sweep: 1,
    }
    for happens in chance.choices(list(happenings), list(happenings.values()), k=STEPS):
        happens()
    storm.calm_down()
    for key, expected in storm.expected.items():
        assert told(shop, key) == expected
