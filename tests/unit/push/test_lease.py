"""One push a ticket, across all containers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobticket.clock import Deadline
from jobticket.jira.client import Pace
from jobticket.push.lease import LEASE, TicketBusyError, Tickets
from jobticket.store.table import Table
from tests.support.faults import Faults, refused
from tests.unit.conftest import client

TICKET = "https://plant.example#PI-1"


@dataclass
class Time:
    """Passes only in sleeps."""

    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    def patience(self, seconds: float) -> Deadline:
        return Deadline.after(seconds, self.monotonic)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def faults(aws: None) -> Faults:
    return Faults(client("dynamodb"))


@pytest.fixture
def tickets(faults: Any, time: Time) -> Tickets:
    return Tickets(Table(faults, "jobs"), time.now, Pace(time.sleep, lambda: 0.5))


def test_a_held_ticket_is_waited_for_and_then_given_up(tickets: Tickets, time: Time) -> None:
    with tickets.hold(TICKET, time.patience(10)):
        with pytest.raises(TicketBusyError), tickets.hold(TICKET, time.patience(10)):
            pass
        assert 9 < time.seconds <= 10
        with tickets.hold(TICKET + "0", time.patience(0)):
            pass  # another ticket is free


def test_a_ticket_is_free_again_afterwards(tickets: Tickets, time: Time) -> None:
    with pytest.raises(LookupError), tickets.hold(TICKET, time.patience(0)):
        raise LookupError
    with tickets.hold(TICKET, time.patience(0)):
        pass
    assert time.slept == []


def test_a_holder_that_died_keeps_nobody_away_for_ever(tickets: Tickets, time: Time) -> None:
    with tickets.hold(TICKET, time.patience(0)) as lease:
        lease.must_run_out = True
    time.seconds = LEASE.total_seconds() - 1
    with pytest.raises(TicketBusyError), tickets.hold(TICKET, time.patience(0)):
        pass
    with tickets.hold(TICKET, time.patience(10)):
        assert time.seconds > LEASE.total_seconds()


def test_only_its_holder_gives_a_lease_back(tickets: Tickets, time: Time) -> None:
    with tickets.hold(TICKET, time.patience(0)):
        time.seconds = LEASE.total_seconds() + 1
        with tickets.hold(TICKET, time.patience(0)) as second:
            second.must_run_out = True
    # The first one, late, has not taken away what is the second one's.
    with pytest.raises(TicketBusyError), tickets.hold(TICKET, time.patience(0)):
        pass


class Repeating:
    """Loses the first answer to each call and sends it again, as boto does."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._real, name)

        def call(**parameters: Any) -> Any:
            method(**parameters)
            return method(**parameters)

        return call


def test_a_lease_whose_answer_was_lost_is_recognised(tickets: Tickets, time: Time) -> None:
    repeating: Any = Repeating(client("dynamodb"))
    with replace(tickets, table=Table(repeating, "jobs")).hold(TICKET, time.patience(0)) as lease:
        lease.must_run_out = True
    with pytest.raises(TicketBusyError), tickets.hold(TICKET, time.patience(0)):
        pass


def test_a_push_stands_even_if_its_lease_cannot_be_given_back(
    tickets: Tickets, faults: Faults, time: Time
) -> None:
    faults.fail("delete_item", "before", refused("InternalServerError", 500, "DeleteItem"))
    with tickets.hold(TICKET, time.patience(0)):
        pass
    with pytest.raises(TicketBusyError), tickets.hold(TICKET, time.patience(0)):
        pass
