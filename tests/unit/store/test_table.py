"""Writes that commit together: conflicts, lost answers, conditions (against moto, with faults put in)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError

from jobticket.aws import ConflictTimeoutError, time_limit
from jobticket.clock import Deadline
from jobticket.store import table as dynamo
from jobticket.store.table import (
    Check,
    ConditionFailedError,
    Delete,
    Put,
    Table,
    Update,
)
from tests.support.faults import LASTING, PASSING, Faults, cancelled, refused
from tests.unit.conftest import client

HERE = Attr("pk").exists()
ABSENT = Attr("pk").not_exists()


class Waiting:
    """A clock on which time passes only by waiting, and waiting takes no time."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, pause: float) -> None:
        self.seconds += pause
        self.pauses.append(pause)


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    clock = Waiting()
    monkeypatch.setattr(dynamo, "time", clock)
    return clock


@pytest.fixture
def faults(aws: None, waiting: Waiting) -> Faults:
    return Faults(client("dynamodb"))


@pytest.fixture
def table(faults: Any) -> Table:
    return Table(faults, "jobs")


def put(name: str, **attributes: Any) -> Put:
    return Put({"pk": name, "sk": "S", **attributes}, ABSENT)


@pytest.mark.parametrize(
    "error", [fault for fault in PASSING if type(fault) is not ConflictTimeoutError], ids=repr
)
def test_what_may_pass_is_tried_again_with_the_same_token(
    table: Table, faults: Faults, waiting: Waiting, error: Exception
) -> None:
    faults.fail("transact_write_items", "before", error, times=6)
    table.transact([put("A"), put("B")], token="t" * 32)
    assert table.get("A", "S") == {"pk": "A", "sk": "S"}
    tokens = [call["ClientRequestToken"] for name, call in faults.calls if name == "transact_write_items"]
    assert tokens == ["t" * 32] * 7
    assert len(waiting.pauses) == 6
    assert all(0 <= pause <= 0.4 for pause in waiting.pauses)
    assert len(set(waiting.pauses)) > 1


@pytest.mark.parametrize("error", LASTING, ids=repr)
def test_what_will_not_pass_is_not_tried_again(
    table: Table, faults: Faults, waiting: Waiting, error: Exception
) -> None:
    faults.fail("transact_write_items", "before", error, times=2)
    with pytest.raises(type(error)) as raised:
        table.transact([put("A")], token="t")
    assert raised.value is error
    assert waiting.pauses == []
    assert table.get("A", "S") is None


def test_patience_has_an_end(table: Table, faults: Faults, waiting: Waiting) -> None:
    faults.fail("transact_write_items", "before", cancelled("TransactionConflict"), times=100_000)
    with pytest.raises(ConflictTimeoutError):
        table.transact([put("A")], token="t")
    assert 14 < waiting.seconds <= dynamo.CONFLICT_PATIENCE_SECONDS
    assert len(waiting.pauses) > 50


def test_late_in_a_request_patience_ends_with_it(table: Table, faults: Faults, waiting: Waiting) -> None:
    faults.fail("transact_write_items", "before", cancelled("TransactionConflict"), times=100_000)
    for left, longest in ((16.0, 10.0), (7.0, 1.0), (0.0, 1.0)):
        started = waiting.seconds
        with time_limit.until(Deadline(left, lambda: 0.0)), pytest.raises(ConflictTimeoutError):
            table.transact([put("A")], token="t")
        assert 0 < waiting.seconds - started <= longest


def test_a_batch_that_makes_no_progress_is_read_with_pauses_and_an_end(
    table: Table, faults: Faults, waiting: Waiting
) -> None:
    table.put({"pk": "A", "sk": "S"})
    unprocessed: Any = {"Responses": {}, "UnprocessedKeys": {"jobs": {"Keys": [dynamo._key("A", "S")]}}}
    throttled = [unprocessed] * 3
    read = faults.client.batch_get_item

    class Throttled:
        def batch_get_item(self, **parameters: Any) -> Any:
            return throttled.pop() if throttled else read(**parameters)

    busy: Any = Throttled()
    assert list(Table(busy, "jobs").get_all([("A", "S")])) == [{"pk": "A", "sk": "S"}]
    assert len(waiting.pauses) == 3
    throttled += [unprocessed] * 100_000
    with pytest.raises(ConflictTimeoutError):
        list(Table(busy, "jobs").get_all([("A", "S")]))
    assert waiting.seconds <= 2 * dynamo.CONFLICT_PATIENCE_SECONDS


def test_a_lost_answer_shows_as_ones_own_mark(table: Table, faults: Faults) -> None:
    """Moto forgets tokens: the repeat fails on what the first try has written, and its caller can see that."""
    faults.fail("transact_write_items", "after")
    with pytest.raises(ConditionFailedError) as failed:
        table.transact([put("A", mark="mine"), put("B")], token="t")
    assert failed.value.position == 0
    assert failed.value.item == {"pk": "A", "sk": "S", "mark": "mine"}
    assert table.get("B", "S") is not None


@pytest.mark.parametrize("position", range(4))
def test_a_condition_that_fails_says_which_and_what_stood_there(table: Table, position: int) -> None:
    for name in "ABCD":
        table.put({"pk": name, "sk": "S", "n": 1, "of": name})
    conditions = [Attr("n").eq(2 if index == position else 1) for index in range(4)]
    writes: list[dynamo.Write] = [
        Put({"pk": "A", "sk": "S", "n": 5}, conditions[0]),
        Update("B", "S", set={"n": 5}, condition=conditions[1]),
        Delete("C", "S", conditions[2]),
        Check("D", "S", conditions[3]),
    ]
    with pytest.raises(ConditionFailedError) as failed:
        table.transact(writes, token="t")
    assert failed.value.position == position
    assert failed.value.item == {"pk": "ABCD"[position], "sk": "S", "n": 1, "of": "ABCD"[position]}
    assert [table.get(name, "S", attributes=["n"]) for name in "ABCD"] == [{"n": 1}] * 4


def test_a_condition_on_nothing_has_no_item(table: Table) -> None:
    with pytest.raises(ConditionFailedError) as failed:
        table.transact([put("A"), Update("B", "S", add={"n": 1}, condition=HERE)], token="t")
    assert (failed.value.position, failed.value.item) == (1, None)
    assert table.get("A", "S") is None


def test_a_failed_condition_counts_more_than_a_conflict(table: Table, faults: Faults) -> None:
    error = cancelled("TransactionConflict", "ConditionalCheckFailed")
    error.response["CancellationReasons"][1]["Item"] = {"pk": {"S": "B"}}  # type: ignore[typeddict-unknown-key]
    faults.fail("transact_write_items", "before", error)
    with pytest.raises(ConditionFailedError) as failed:
        table.transact([put("A"), put("B")], token="t")
    assert (failed.value.position, failed.value.item) == (1, {"pk": "B"})


def test_single_writes_tell_of_their_conditions(table: Table) -> None:
    table.put({"pk": "A", "sk": "S", "n": 1})
    attempts: list[Any] = [
        lambda: table.put({"pk": "A", "sk": "S"}, ABSENT),
        lambda: table.update(Update("A", "S", set={"n": 2}, condition=Attr("n").eq(7))),
        lambda: table.delete("A", "S", Attr("n").eq(7)),
    ]
    for attempt in attempts:
        with pytest.raises(ConditionFailedError) as failed:
            attempt()
        assert failed.value.item == {"pk": "A", "sk": "S", "n": 1}
    with pytest.raises(ConditionFailedError) as failed:
        table.update(Update("B", "S", set={"n": 2}, condition=HERE))
    assert failed.value.item is None
    assert table.delete("A", "S", Attr("n").eq(1)) == {"pk": "A", "sk": "S", "n": 1}
    assert table.delete("A", "S") is None


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException"])
def test_other_errors_of_single_writes_are_not_taken_for_conditions(
    table: Table, faults: Faults, code: str
) -> None:
    faults.fail("put_item", "before", refused(code, operation="PutItem"))
    with pytest.raises(ClientError):
        table.put({"pk": "A", "sk": "S"}, ABSENT)


def test_an_update_sets_adds_and_removes_on_a_condition_with_the_same_names(table: Table) -> None:
    table.put({"pk": "A", "sk": "S", "status": "old", "count": 1, "gone": True})
    changed = table.update(
        Update(
            "A",
            "S",
            set={"status": "new", "name": "x"},
            add={"count": 2, "fresh": -1},
            remove=["gone"],
            condition=Attr("status").eq("old") & (Attr("count").eq(1) | Attr("gone").not_exists()),
        )
    )
    assert changed == {"pk": "A", "sk": "S", "status": "new", "name": "x", "count": 3, "fresh": -1}


def test_numbers_texts_bytes_and_nested_values_come_back_as_they_were(table: Table) -> None:
    item = {
        "pk": "A",
        "sk": "S",
        "whole": 10**20,
        "text": "ü💡\x00",
        "bytes": b"\x00\xff",
        "flag": False,
        "none": None,
        "list": [1, {"deep": [True, "x"]}],
        "empty": "",
    }
    table.put(item)
    back = table.get("A", "S")
    assert back == item
    assert type(back["whole"]) is int
    table.put({"pk": "B", "sk": "S", "half": Decimal("0.5")})
    assert table.get("B", "S") == {"pk": "B", "sk": "S", "half": 0.5}


def test_queries_go_page_by_page_in_either_direction(table: Table) -> None:
    for number in range(7):
        table.put({"pk": "P", "sk": f"{number}", "even": number % 2 == 0})
    condition = Key("pk").eq("P")
    page = table.query(condition, limit=3)
    assert [item["sk"] for item in page.items] == ["0", "1", "2"]
    rest = table.query(condition, start=page.next_key)
    assert [item["sk"] for item in rest.items] == ["3", "4", "5", "6"]
    assert rest.next_key is None
    assert [item["sk"] for item in table.query_all(condition, limit=2, forward=False)] == list("6543210")
    between = condition & Key("sk").between("1", "5")
    assert [item["sk"] for item in table.query_all(between, filter_by=Attr("even").eq(True))] == ["2", "4"]


def test_reads_are_consistent_unless_an_index_is_asked(table: Table, faults: Faults) -> None:
    table.get("A", "S")
    table.query(Key("pk").eq("A"))
    table.query(Key("list_pk").eq("JOBS"), index="jobs_by_age")
    assert [call["ConsistentRead"] for _, call in faults.calls] == [True, True, False]


SINGLE = {
    "PutItem": lambda table: table.put({"pk": "a", "sk": "S", "n": 2}, HERE),
    "UpdateItem": lambda table: table.update(Update("a", "S", set={"n": 2}, condition=HERE)),
    "DeleteItem": lambda table: table.delete("a", "S", HERE),
}


@pytest.mark.parametrize("operation", SINGLE)
def test_a_single_write_waits_for_a_transaction_that_holds_its_item(
    table: Table, faults: Faults, waiting: Waiting, operation: str
) -> None:
    """As parts are moved while their job is changed: nothing was written, and the client does not try again."""
    table.put({"pk": "a", "sk": "S", "n": 1})
    method = {"PutItem": "put_item", "UpdateItem": "update_item", "DeleteItem": "delete_item"}[operation]
    conflict = refused("TransactionConflictException", operation=operation)
    faults.fail(method, "before", conflict, times=3)
    SINGLE[operation](table)
    assert len(waiting.pauses) == 3
    assert (table.get("a", "S") or {}).get("n") == (None if operation == "DeleteItem" else 2)
    table.put({"pk": "a", "sk": "S", "n": 1})
    faults.fail(method, "before", conflict, times=100_000)
    with pytest.raises(ConflictTimeoutError):
        SINGLE[operation](table)
