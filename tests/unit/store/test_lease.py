"""Leases: one holder at a time, until it gives the lease back or the lease ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from boto3.dynamodb.conditions import Attr

from jobticket.clock import Deadline
from jobticket.store.lease import HeldError, Lease, free, give_back, hold, take
from jobticket.store.table import Table
from jobticket.store.unit_of_work import StaleError
from tests.support.faults import Faults, refused
from tests.unit.conftest import client

LENGTH = timedelta(seconds=45)
START = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@dataclass
class Time:
    """A clock on which time passes only by waiting."""

    seconds: float = 0.0
    before_sleep: Callable[[], None] = lambda: None
    pauses: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, pause: float) -> None:
        self.before_sleep()
        self.pauses.append(pause)
        self.seconds += pause

    def random(self) -> float:
        return 1.0

    def patience(self, seconds: float) -> Deadline:
        return Deadline.after(seconds, self.monotonic)


@pytest.fixture
def faults(aws: None) -> Faults:
    return Faults(client("dynamodb"))


@pytest.fixture
def table(faults: Any) -> Table:
    return Table(faults, "jobs")


@pytest.fixture
def time() -> Time:
    return Time()


def held(table: Table) -> bool:
    return table.get("L", "LEASE") is not None


def test_it_is_given_back_at_the_end_of_the_block(table: Table, time: Time) -> None:
    with hold(table, "L", "LEASE", LENGTH, now=time.now):
        assert held(table)
    assert not held(table)


def test_it_is_given_back_after_an_exception(table: Table, time: Time) -> None:
    with pytest.raises(KeyError), hold(table, "L", "LEASE", LENGTH, now=time.now):
        raise KeyError
    assert not held(table)


def test_one_that_must_run_out_stays(table: Table, time: Time) -> None:
    with hold(table, "L", "LEASE", LENGTH, now=time.now) as lease:
        lease.must_run_out = True
    with pytest.raises(HeldError) as error, hold(table, "L", "LEASE", LENGTH, now=time.now):
        pytest.fail("held twice")
    assert error.value.seconds == 45.0


def test_a_second_holder_waits_for_the_first(table: Table, time: Time) -> None:
    first = Lease.begin(time.now(), LENGTH)
    take(table, "L", "LEASE", first, time.now())

    def give_back_at_the_third_pause() -> None:
        if len(time.pauses) == 2:
            give_back(table, "L", "LEASE", first)

    time.before_sleep = give_back_at_the_third_pause
    with hold(
        table,
        "L",
        "LEASE",
        LENGTH,
        now=time.now,
        patience=time.patience(10),
        sleep=time.sleep,
        chance=time.random,
    ):
        assert len(time.pauses) == 3


def test_patience_ends(table: Table, time: Time) -> None:
    take(table, "L", "LEASE", Lease.begin(time.now(), LENGTH), time.now())
    with (
        pytest.raises(HeldError),
        hold(
            table,
            "L",
            "LEASE",
            LENGTH,
            now=time.now,
            patience=time.patience(10),
            sleep=time.sleep,
            chance=time.random,
        ),
    ):
        pytest.fail("held twice")
    assert time.seconds < 10


def test_an_ended_one_can_be_taken_and_its_former_holder_cannot_give_it_back(
    table: Table, time: Time
) -> None:
    former = Lease.begin(time.now(), LENGTH)
    take(table, "L", "LEASE", former, time.now())
    time.seconds = 45
    with hold(table, "L", "LEASE", LENGTH, now=time.now):
        give_back(table, "L", "LEASE", former)
        assert held(table)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", [refused("ThrottlingException", operation="DeleteItem")])
def test_a_fault_while_it_is_given_back_spoils_nothing(
    table: Table, faults: Faults, time: Time, when: Any, error: Exception
) -> None:
    with hold(table, "L", "LEASE", LENGTH, now=time.now):
        faults.fail("delete_item", when, error)
    assert held(table) == (when == "before")


def test_it_shares_its_item_with_other_attributes(table: Table, time: Time) -> None:
    table.put({"pk": "R", "sk": "RUN", "state": "waiting", "n": 1})
    lease = Lease.begin(time.now(), LENGTH)
    item = take(table, "R", "RUN", lease, time.now(), also={"n": 2}, condition=Attr("state").eq("waiting"))
    assert (item["state"], item["n"]) == ("waiting", 2)
    kept = Lease.of(item)
    assert kept is not None
    assert (kept.owner, kept.until) == (lease.owner, lease.until)
    other = Lease.begin(time.now(), LENGTH)
    with pytest.raises(HeldError):
        take(table, "R", "RUN", other, time.now(), condition=Attr("state").eq("waiting"))
    time.seconds = 45
    with pytest.raises(StaleError):
        take(table, "R", "RUN", other, time.now(), condition=Attr("state").eq("done"))


def test_an_item_without_a_lease_has_none() -> None:
    assert Lease.of({"pk": "R", "sk": "RUN"}) is None
    assert free(START) is not None


def test_a_lost_answer_to_the_taking_is_recognised(table: Table, faults: Faults, time: Time) -> None:
    lease = Lease.begin(time.now(), LENGTH)
    take(table, "L", "LEASE", lease, time.now())
    # The client sends the call again, which meets its own lease: as a second call with the same unit does.
    real = faults.client

    class Repeating:
        def __getattr__(self, name: str) -> Any:
            call = getattr(real, name)

            def again(**parameters: Any) -> Any:
                if name == "update_item":
                    call(**parameters)
                return call(**parameters)

            return again

    time.seconds = 45
    faults.client = Repeating()
    take(table, "L", "LEASE", Lease.begin(time.now(), LENGTH), time.now())
