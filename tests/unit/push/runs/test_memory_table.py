"""The table in memory, which the simulation runs on, does what DynamoDB does."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from boto3.dynamodb.conditions import Attr, Key
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.push_simulation import INDEXES
from benchmarks.simulation.memory_table import MemoryTable
from jobticket.store.table import ConditionFailedError, Delete, Put, Table, Update
from tests.support.infrastructure import create_table
from tests.unit.conftest import client

KEYS = st.sampled_from(["a", "b"])
NUMBERS = st.integers(0, 3)
STATES = st.sampled_from(["waiting", "pushing", "pushed"])
LEAVES = st.one_of(
    st.builds(lambda: Attr("pk").not_exists()),
    st.builds(lambda: Attr("owner").exists()),
    st.builds(lambda state: Attr("state").eq(state), STATES),
    st.builds(lambda n: Attr("not_before").lte(n), NUMBERS),
    st.builds(lambda n: Attr("not_before").lt(n), NUMBERS),
    st.builds(lambda n: Attr("owner").eq(n), NUMBERS),
)
CONDITIONS = st.none() | st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda a, b: a & b, inner, inner),
        st.builds(lambda a, b: a | b, inner, inner),
        st.builds(lambda a: ~a, inner),
    ),
    max_leaves=4,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "state": STATES,
    "not_before": NUMBERS,
    "owner": NUMBERS,
    "due_pk": KEYS,
    "due_at": NUMBERS,
}
ITEMS = st.fixed_dictionaries({"pk": KEYS, "sk": KEYS}, optional=VALUES)
UPDATES = st.builds(
    lambda pk, sk, set_, add, remove, condition: Update(
        pk, sk, set=set_, add=add, remove=[name for name in remove if name not in set_], condition=condition
    ),
    KEYS,
    KEYS,
    st.fixed_dictionaries({"state": STATES}, optional={k: v for k, v in VALUES.items() if k != "state"}),
    st.dictionaries(st.just("tries"), st.sampled_from([1, -1])),
    st.sets(st.sampled_from(["not_before", "owner", "due_pk", "mark"])),
    CONDITIONS,
)
STEPS = st.one_of(
    st.builds(Put, ITEMS, CONDITIONS),
    UPDATES,
    st.builds(Delete, KEYS, KEYS, CONDITIONS),
    st.tuples(st.just("due"), KEYS, NUMBERS, st.booleans()),
    st.tuples(st.just("all"), KEYS, st.booleans()),
)
NUMBER = itertools.count()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(STEPS, max_size=14))
def test_every_step_has_the_same_outcome(aws: None, steps: list[Any]) -> None:
    name = f"jobs{next(NUMBER)}"
    create_table(client("dynamodb"), "JobsTable", name)
    real, memory = Table(client("dynamodb"), name), MemoryTable(INDEXES)
    for step in steps:
        assert outcome(memory, step) == outcome(real, step), step
    client("dynamodb").delete_table(TableName=name)


def outcome(table: Any, step: Any) -> Any:
    try:
        match step:
            case Put(item, condition):
                return table.put(item, condition)
            case Update():
                return table.update(step)
            case Delete(pk, sk, condition):
                return table.delete(pk, sk, condition)
            case ("due", pk, number, forward):
                condition = Key("due_pk").eq(pk) & Key("due_at").lte(number)
                items = table.query_all(condition, index="pushes_due", forward=forward, limit=1)
                # Where sort keys are equal, DynamoDB's order is its own.
                return [item["due_at"] for item in items]
            case ("all", pk, forward):
                found = table.query_all(Key("pk").eq(pk), forward=forward, filter_by=Attr("state").exists())
                return list(found)
    except ConditionFailedError as failed:
        return failed.position, failed.item


def test_an_update_that_contradicts_itself_is_an_error() -> None:
    table = MemoryTable(INDEXES)
    with pytest.raises(ValueError, match="same attribute"):
        table.update(Update("a", "b", set={"error": "x"}, remove=["error"]))
    with pytest.raises(ValueError, match="nothing"):
        table.update(Update("a", "b"))
