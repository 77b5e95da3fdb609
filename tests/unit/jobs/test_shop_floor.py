"""Any history of creations and moves, with answers lost on the way, against a model of the contract."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.faults import Faults, cancelled
from tests.support.gateway import Gateway
from tests.support.shop_floor import counted, new_job, new_path, recount

Outcome = tuple[int, str | None]
FINE: Outcome = (200, None)


@dataclass
class Unit:
    """A serial number as the contract has it."""

    id: str
    path: Route
    index: int = 0
    status: str = "in_progress"

    def advance(self, expected: int | None = None) -> Outcome:
        if expected is not None and expected != self.index:
            return 409, f"Serial is not at step {expected}"
        if refusal := self._finished("advance"):
            return refusal
        self._stand(self.index + 1)
        return FINE

    def advance_to(self, target: int) -> Outcome:
        if refusal := self._finished("advance"):
            return refusal
        if target <= self.index:
            return 400, "Cannot advance to a step at or before the current position"
        if target > self.path.steps:
            return 400, "Target step index is out of range"
        if self.path.mode == "strict" and target != self.index + 1:
            return 400, "Path is in strict mode: can only advance to the next step"
        self._stand(target)
        return FINE

    def scrap(self) -> Outcome:
        if self.status == "scrapped":
            return 400, "Serial is already scrapped"
        if self.status == "completed":
            return 400, "Cannot scrap a completed serial"
        self.status = "scrapped"
        return FINE

    def force(self) -> Outcome:
        if refusal := self._finished("force-complete"):
            return refusal
        self._stand(self.path.steps)
        return FINE

    def _finished(self, action: str) -> Outcome | None:
        if self.status == "scrapped":
            return 400, f"Cannot {action} a scrapped serial"
        if self.status == "completed":
            return 400, "Serial number is already completed"
        return None

    def _stand(self, index: int) -> None:
        self.index, self.status = (-1, "completed") if index == self.path.steps else (index, "in_progress")

    def shown(self) -> dict[str, Any]:
        return {"id": self.id, "currentStepIndex": self.index, "status": self.status}


@dataclass
class Route:
    """A path as the contract has it."""

    id: str
    steps: int
    mode: str
    units: list[Unit] = field(default_factory=list)


class ShopFloor(RuleBasedStateMachine):
    api: Gateway
    faults: Faults

    def __init__(self) -> None:
        super().__init__()
        self.routes: list[Route] = []
        self.units: list[Unit] = []
        self.highest = 0
        self.touched: set[int] = set()
        self.creations = 0

    @initialize()
    def job(self) -> None:
        self.job_id = new_job(self.api, goalQuantity=20)["id"]

    @rule(steps=st.integers(1, 4), mode=st.sampled_from(["strict", "flexible"]))
    @precondition(lambda self: len(self.routes) < 3)
    def create_path(self, steps: int, mode: str) -> None:
        path = new_path(self.api, self.job_id, [f"S{n}" for n in range(steps)], advancementMode=mode)
        self.routes.append(Route(path["id"], steps, mode))
        self.touched.add(len(self.routes) - 1)

    @rule(data=st.data())
    @precondition(lambda self: self.routes)
    def turn_mode(self, data: st.DataObject) -> None:
        route = data.draw(st.sampled_from(self.routes))
        route.mode = "flexible" if route.mode == "strict" else "strict"
        answer = self.api.put(f"/api/paths/{route.id}", {"advancementMode": route.mode})
        assert answer.status == 200

    @rule(data=st.data(), quantity=st.integers(1, 12), keyed=st.booleans(), lost=st.booleans())
    @precondition(lambda self: self.routes)
    def create_serials(self, data: st.DataObject, quantity: int, keyed: bool, lost: bool) -> None:
        index = data.draw(st.integers(0, len(self.routes) - 1))
        route = self.routes[index]
        self.creations += 1
        headers = {"Idempotency-Key": f"{self.job_id}-{self.creations}"} if keyed else {}
        if lost:
            self.faults.fail("transact_write_items", "after")
        answers = [
            self.api.post("/api/serials", {"pathId": route.id, "quantity": quantity}, headers=headers)
            for _ in range(2 if keyed else 1)
        ]
        assert {answer.status for answer in answers} == {201}
        assert len({answer.body for answer in answers}) == 1
        ids = [serial["id"] for serial in answers[0].json()]
        numbers = [int(serial.removeprefix("SN-")) for serial in ids]
        assert numbers == list(range(numbers[0], numbers[0] + quantity))
        assert numbers[0] > self.highest
        self.highest = numbers[-1]
        made = [Unit(serial, route) for serial in ids]
        route.units += made
        self.units += made
        self.touched.add(index)

    def move(self, data: st.DataObject, action: str, body: dict[str, Any], outcome: Any) -> None:
        unit = data.draw(st.sampled_from(self.units))
        trouble = data.draw(st.sampled_from([None, None, "lost", "conflict"]))
        if trouble == "lost":
            self.faults.fail("transact_write_items", "after")
        elif trouble == "conflict":
            self.faults.fail(
                "transact_write_items", "before", cancelled("None", "TransactionConflict"), times=3
            )
        status, message = outcome(unit)
        answer = self.api.post(f"/api/serials/{unit.id}/{action}", body)
        self.faults.clear()
        assert answer.status == status, answer.text
        if status == 200:
            serial = answer.json()["serial"] if action == "advance-to" else answer.json()
            assert unit.shown().items() <= serial.items()
        else:
            assert answer.json() == {"statusCode": status, "message": message}
        self.touched.add(self.routes.index(unit.path))

    @rule(data=st.data())
    @precondition(lambda self: self.units)
    def advance(self, data: st.DataObject) -> None:
        self.move(data, "advance", {}, Unit.advance)

    @rule(data=st.data(), expected=st.integers(-1, 4))
    @precondition(lambda self: self.units)
    def advance_from(self, data: st.DataObject, expected: int) -> None:
        self.move(data, "advance", {"fromStepIndex": expected}, lambda unit: unit.advance(expected))

    @rule(data=st.data(), to=st.integers(-1, 5))
    @precondition(lambda self: self.units)
    def advance_to(self, data: st.DataObject, to: int) -> None:
        self.move(data, "advance-to", {"targetStepIndex": to}, lambda unit: unit.advance_to(to))

    @rule(data=st.data())
    @precondition(lambda self: self.units)
    def scrap(self, data: st.DataObject) -> None:
        self.move(data, "scrap", {"reason": "damaged"}, Unit.scrap)

    @rule(data=st.data())
    @precondition(lambda self: self.units)
    def force_complete(self, data: st.DataObject) -> None:
        self.move(data, "force-complete", {}, Unit.force)

    @rule(data=st.data(), expected=st.none() | st.integers(0, 3), lost=st.booleans())
    @precondition(lambda self: self.units)
    def advance_batch(self, data: st.DataObject, expected: int | None, lost: bool) -> None:
        units = data.draw(st.lists(st.sampled_from(self.units), min_size=1, max_size=6))
        if lost:
            self.faults.fail("transact_write_items", "after", times=2)
        body = {"serialIds": [unit.id for unit in units], "fromStepIndex": expected}
        answer = self.api.post("/api/serials/advance", body)
        self.faults.clear()
        assert answer.status == 200
        wanted = []
        for position, unit in enumerate(units):
            twice = unit in units[:position]
            error = "Serial is given more than once" if twice else unit.advance(expected)[1]
            wanted.append((unit.id, error is None, error))
            self.touched.add(self.routes.index(unit.path))
        results = answer.json()["results"]
        assert [(r["serialId"], r["success"], r.get("error")) for r in results] == wanted
        assert answer.json()["advanced"] == sum(success for _, success, _ in wanted)
        assert answer.json()["failed"] == sum(not success for _, success, _ in wanted)

    @invariant()
    def counts_are_exact(self) -> None:
        for index in self.touched:
            route = self.routes[index]
            listed = self.api.get(f"/api/serials?pathId={route.id}").json()
            shown = [
                {name: serial[name] for name in ("id", "currentStepIndex", "status")} for serial in listed
            ]
            # The order of a list of units is that of their creation, hence of their numbers.
            assert shown == [unit.shown() for unit in route.units]
            path = self.api.get(f"/api/paths/{route.id}").json()
            assert counted(path) == recount(listed, route.steps)
            assert sum(counted(path)) == len(route.units)
        self.touched.clear()

    def teardown(self) -> None:
        progress = self.api.get(f"/api/jobs/{self.job_id}").json()["progress"]
        states = [unit.status for unit in self.units]
        assert progress["totalSerials"] == len(states)
        assert progress["inProgressSerials"] == states.count("in_progress")
        assert progress["completedSerials"] == states.count("completed")
        assert progress["scrappedSerials"] == states.count("scrapped")


@pytest.fixture
def shop_floor(jobs_api: Gateway, faults: Faults) -> type[ShopFloor]:
    return type("ShopFloor", (ShopFloor,), {"api": jobs_api, "faults": faults})


def test_no_history_loses_or_doubles_a_serial(shop_floor: type[ShopFloor]) -> None:
    run_state_machine_as_test(
        shop_floor,
        settings=settings(
            max_examples=8,
            stateful_step_count=20,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
