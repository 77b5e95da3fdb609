"""Units of work: all or nothing, their own commit known again, stale work begun anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from boto3.dynamodb.conditions import Attr

from jobticket.errors import ConflictError, NotFoundError, UnavailableError
from jobticket.store.table import Check, Delete, Put, Table, Update, Write
from jobticket.store.unit_of_work import (
    ABSENT,
    PRESENT,
    StaleError,
    UnitOfWork,
    attempts,
    discard,
    write,
    write_if_current,
)
from tests.support.faults import WRITES, Faults
from tests.unit.conftest import client


@pytest.fixture
def faults(aws: None) -> Faults:
    return Faults(client("dynamodb"))


@pytest.fixture
def table(faults: Any) -> Table:
    return Table(faults, "jobs")


def item(name: str, **attributes: Any) -> dict[str, Any]:
    return {"pk": name, "sk": "S", **attributes}


def stored(table: Table, name: str) -> dict[str, Any] | None:
    return table.get(name, "S")


def writes(faults: Faults) -> list[str]:
    return [name for name in faults.operations() if name in WRITES]


def twice(faults: Faults, operation: str) -> None:
    """Send each call of a method again after it has committed, as a client does that lost the answer.

    moto, unlike DynamoDB, forgets the tokens of transactions: the second call meets what the first has written.
    """
    real = faults.client

    class Repeating:
        def __getattr__(self, name: str) -> Any:
            call = getattr(real, name)
            if name != operation:
                return call

            def again(**parameters: Any) -> Any:
                call(**parameters)
                return call(**parameters)

            return again

    faults.client = Repeating()


def test_a_unit_without_writes_costs_nothing(table: Table, faults: Faults) -> None:
    with UnitOfWork(table) as work:
        pass
    assert work.committed
    assert faults.calls == []


@pytest.mark.parametrize(
    ("one", "operation"),
    [
        (Put(item("a"), ABSENT), "put_item"),
        (Update("a", "S", set={"n": 1}, condition=ABSENT), "update_item"),
        (
            Update("a", "S", add={"n": 1}, condition=ABSENT),
            "transact_write_items",
        ),  # not repeatable by itself
        (Delete("a", "S", ABSENT), "transact_write_items"),
    ],
)
def test_a_single_write_is_a_plain_call_where_its_repeat_is_recognised(
    table: Table, faults: Faults, one: Any, operation: str
) -> None:
    write(table, one)
    assert writes(faults) == [operation]


def test_all_or_nothing(table: Table) -> None:
    table.put(item("taken"))
    work = UnitOfWork(table)
    work.add(Put(item("new"), ABSENT))
    work.add(Put(item("taken"), ABSENT))
    with pytest.raises(StaleError):
        work.commit()
    assert stored(table, "new") is None
    assert not work.committed


def test_each_write_says_what_its_failure_means(table: Table) -> None:
    table.put(item("here", n=7))
    work = UnitOfWork(table)
    work.add(Put(item("new"), ABSENT), otherwise=ConflictError("never"))
    work.add(
        Check("here", "S", Attr("n").eq(8)),
        otherwise=lambda found: NotFoundError(f"n is {found['n']}" if found else "gone"),
    )
    with pytest.raises(NotFoundError, match="n is 7"):
        work.commit()
    with pytest.raises(NotFoundError, match="gone"):
        write(table, Update("gone", "S", set={"n": 1}, condition=PRESENT), lambda _: NotFoundError("gone"))


def test_an_exception_in_the_block_writes_nothing(table: Table, faults: Faults) -> None:
    def fail() -> None:
        with UnitOfWork(table) as work:
            work.add(Put(item("a"), ABSENT))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert faults.calls == []


OWN: dict[str, list[Write]] = {
    "a put": [Put(item("a"), ABSENT)],
    "an update": [Update("here", "S", set={"n": 2}, condition=Attr("n").eq(1))],
    "several": [Put(item("a"), ABSENT), Put(item("b")), Update("here", "S", add={"n": 1}, condition=PRESENT)],
    "the second is the one that fails": [
        Put(item("b")),
        Update("here", "S", set={"n": 2}, condition=Attr("n").eq(1)),
    ],
    "a deletion beside it": [
        Delete("here", "S", PRESENT),
        Put(item("a"), ABSENT),
    ],
}


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("operation", ["put_item", "update_item", "transact_write_items"])
def test_its_own_commit_is_recognised(table: Table, faults: Faults, name: str, operation: str) -> None:
    table.put(item("here", n=1))
    twice(faults, operation)
    with UnitOfWork(table) as work:
        for one in OWN[name]:
            work.add(one, otherwise=ConflictError("taken for somebody else's"))
    assert work.committed


def test_a_lost_answer_to_a_deletion_is_no_missing_item(table: Table, faults: Faults) -> None:
    table.put(item("here"))
    faults.fail("transact_write_items", "after")
    write(table, Delete("here", "S", PRESENT), otherwise=NotFoundError("gone"))
    assert stored(table, "here") is None
    with pytest.raises(NotFoundError):
        write(table, Delete("here", "S", PRESENT), otherwise=NotFoundError("gone"))


def test_what_somebody_else_wrote_is_not_taken_for_ours(table: Table) -> None:
    first, second = UnitOfWork(table), UnitOfWork(table)
    for work in (first, second):
        work.add(Put(item("a"), ABSENT))
    first.commit()
    with pytest.raises(StaleError) as failed:
        second.commit()
    assert failed.value.item == stored(table, "a")


def _raced(table: Table, times: int) -> Callable[[], None]:
    left = [times]

    def race() -> None:
        if left[0]:
            left[0] -= 1
            table.update(Update("here", "S", add={"n": 1}))

    return race


def _count_up(table: Table, race: Callable[[], None], **options: Any) -> int:
    tried = 0
    for work in attempts(table, **options):
        with work:
            tried += 1
            n = (stored(table, "here") or {})["n"]
            race()
            work.add(Update("here", "S", set={"n": n + 1}, condition=Attr("n").eq(n)))
    return tried


def test_stale_work_starts_again_from_a_fresh_read(table: Table) -> None:
    table.put(item("here", n=0))
    assert _count_up(table, _raced(table, 3)) == 4
    assert (stored(table, "here") or {})["n"] == 4


def test_work_that_stays_stale_ends(table: Table) -> None:
    table.put(item("here", n=0))
    with pytest.raises(UnavailableError) as failed:
        _count_up(table, _raced(table, 100), most=3)
    assert failed.value.retry_after == 1
    with pytest.raises(ConflictError):
        _count_up(table, _raced(table, 100), most=3, exhausted=ConflictError("changed"))


def test_a_refused_write_is_not_tried_again(table: Table) -> None:
    tried: list[UnitOfWork] = []

    def change() -> None:
        for work in attempts(table):
            with work:
                tried.append(work)
                work.add(Update("gone", "S", set={"n": 1}, condition=PRESENT), NotFoundError("gone"))

    with pytest.raises(NotFoundError):
        change()
    assert len(tried) == 1


def test_a_condition_may_decide_quietly(table: Table) -> None:
    assert write_if_current(table, Update("gone", "S", set={"n": 1}, condition=PRESENT)) is None
    table.put(item("here", n=0))
    changed = write_if_current(table, Update("here", "S", set={"n": 1}, condition=PRESENT))
    assert changed is not None
    assert changed["n"] == 1
    assert discard(table, Delete("here", "S", Attr("n").eq(0))) == stored(table, "here")
    assert discard(table, Delete("here", "S", Attr("n").eq(1))) is None
    assert stored(table, "here") is None
