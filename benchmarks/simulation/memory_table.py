"""A table in memory that is as strict as DynamoDB about conditions, and keeps up with a simulation.

It stands for ``store.table.Table``. tests/unit/push/runs/test_memory_table.py compares it with moto.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from boto3.dynamodb.conditions import AttributeBase, ConditionBase

from jobticket.store.table import Check, ConditionFailedError, Delete, Item, Journal, Page, Put, Update, Write

#: Partition key and sort key of each index.
Indexes = Mapping[str, tuple[str, str]]

_ABSENT = object()


def _comparable(one: Any, other: Any) -> bool:
    numbers = (int, float)
    return type(one) is type(other) or (isinstance(one, numbers) and isinstance(other, numbers))


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda value, wanted: bool(value == wanted),
    "<": lambda value, wanted: bool(value < wanted),
    "<=": lambda value, wanted: bool(value <= wanted),
    ">": lambda value, wanted: bool(value > wanted),
    ">=": lambda value, wanted: bool(value >= wanted),
}


def holds(condition: ConditionBase, item: Item | None) -> bool:
    """Tell whether a condition holds of an item, as DynamoDB would."""
    expression = condition.get_expression()
    operator, values = expression["operator"], expression["values"]
    if operator == "AND":
        return all(holds(value, item) for value in values)
    if operator == "OR":
        return any(holds(value, item) for value in values)
    if operator == "NOT":
        return not holds(values[0], item)
    attribute, *given = values
    if not isinstance(attribute, AttributeBase):
        raise NotImplementedError(f"a condition on {attribute}")
    value = (item or {}).get(attribute.name, _ABSENT)
    if operator == "attribute_exists":
        return value is not _ABSENT
    if operator == "attribute_not_exists":
        return value is _ABSENT
    if operator == "begins_with":
        return isinstance(value, str) and value.startswith(given[0])
    if operator == "BETWEEN":
        return isinstance(value, str) and given[0] <= value <= given[1]
    # Comparing what is absent, or is of another type, is no error there: it does not hold.
    return value is not _ABSENT and _comparable(value, given[0]) and _COMPARISONS[operator](value, given[0])


class MemoryTable:
    """The table.

    Parameters
    ----------
    indexes
        Its secondary indexes.
    before, after
        Called around each request: there a worker waits, and may die.
    """

    def __init__(
        self,
        indexes: Indexes,
        before: Callable[[], None] = lambda: None,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        #: Records go to another table, which nothing here reads: they are not kept.
        self.journal = Journal("history", 730)
        self.requests = 0
        self.largest_page = 0
        self._items: dict[str, dict[str, Item]] = defaultdict(dict)
        self._indexes = indexes
        self._indexed: dict[str, dict[str, dict[tuple[Any, str, str], Item]]] = {
            name: defaultdict(dict) for name in indexes
        }
        self._before = before
        self._after = after

    def items(self) -> Iterator[Item]:
        """Every item, as a test looks at them."""
        for partition in self._items.values():
            yield from partition.values()

    def _request(self, work: Callable[[], Any]) -> Any:
        self._before()
        self.requests += 1
        done = work()
        self._after()
        return done

    def get(  # of one place only, reads are always consistent
        self,
        pk: str,
        sk: str,
        *,
        consistent: bool = True,  # noqa: ARG002
        attributes: Sequence[str] = (),
    ) -> Item | None:
        item = self._request(lambda: copy.deepcopy(self._items[pk].get(sk)))
        if item is not None and attributes:
            return {name: item[name] for name in attributes if name in item} or None
        found: Item | None = item
        return found

    def put(self, item: Item, condition: ConditionBase | None = None) -> None:
        self._request(lambda: self._commit([Put(item, condition)]))

    def update(self, write: Update) -> Item:
        def work() -> Item:
            self._commit([write])
            return copy.deepcopy(self._items[write.pk][write.sk])

        updated: Item = self._request(work)
        return updated

    def delete(self, pk: str, sk: str, condition: ConditionBase | None = None) -> Item | None:
        def work() -> Item | None:
            old = self._items[pk].get(sk)
            self._commit([Delete(pk, sk, condition)])
            return old

        deleted: Item | None = self._request(work)
        return deleted

    def transact(self, writes: Sequence[Write], *, token: str) -> None:  # noqa: ARG002
        self._request(lambda: self._commit(writes))

    def _commit(self, given: Sequence[Write]) -> None:
        writes = [write for write in given if write.table is None]
        for position, write in enumerate(writes):
            pk, sk = (write.item["pk"], write.item["sk"]) if isinstance(write, Put) else (write.pk, write.sk)
            item = self._items[pk].get(sk)
            if write.condition is not None and not holds(write.condition, item):
                raise ConditionFailedError({position: copy.deepcopy(item)})
        for write in writes:
            match write:
                case Put():
                    self._store(copy.deepcopy(write.item))
                case Update():
                    self._store(_updated(self._items[write.pk].get(write.sk), write))
                case Delete():
                    self._unindex(self._items[write.pk].pop(write.sk, None))
                case Check():
                    pass

    def _store(self, item: Item) -> None:
        self._unindex(self._items[item["pk"]].get(item["sk"]))
        self._items[item["pk"]][item["sk"]] = item
        for name, (hash_name, range_name) in self._indexes.items():
            if hash_name in item and range_name in item:
                place = (item[range_name], item["pk"], item["sk"])
                self._indexed[name][item[hash_name]][place] = item

    def _unindex(self, item: Item | None) -> None:
        if item is None:
            return
        for name, (hash_name, range_name) in self._indexes.items():
            if hash_name in item and range_name in item:
                place = (item[range_name], item["pk"], item["sk"])
                self._indexed[name][item[hash_name]].pop(place, None)

    def query(
        self,
        condition: ConditionBase,
        *,
        index: str | None = None,
        forward: bool = True,
        limit: int | None = None,
        start: Item | None = None,
        consistent: bool = True,  # noqa: ARG002
        filter_by: ConditionBase | None = None,
    ) -> Page:
        return self._request(  # type: ignore[no-any-return]
            lambda: self._query(condition, index, forward, limit, start, filter_by)
        )

    def _query(
        self,
        condition: ConditionBase,
        index: str | None,
        forward: bool,
        limit: int | None,
        start: Item | None,
        filter_by: ConditionBase | None,
    ) -> Page:
        hash_name, range_name = ("pk", "sk") if index is None else self._indexes[index]
        partition = _partition_of(condition, hash_name)
        items = self._items[partition].values() if index is None else self._indexed[index][partition].values()

        def place(item: Item) -> tuple[Any, str, str]:
            return (item[range_name], item["pk"], item["sk"])

        found = sorted((item for item in items if holds(condition, item)), key=place, reverse=not forward)
        if start is not None:
            after = place(start)
            found = [item for item in found if (place(item) > after if forward else place(item) < after)]
        page = found if limit is None else found[:limit]
        self.largest_page = max(self.largest_page, len(page))
        # Like DynamoDB, a page that is full has a next one, even if nothing is left for it.
        more = limit is not None and len(page) == limit
        last = {name: page[-1][name] for name in {"pk", "sk", hash_name, range_name}} if more else None
        shown = [item for item in page if filter_by is None or holds(filter_by, item)]
        return Page(copy.deepcopy(shown), last)

    def query_all(self, condition: ConditionBase, **options: Any) -> Iterator[Item]:
        start: Item | None = options.pop("start", None)
        while True:
            page = self.query(condition, start=start, **options)
            yield from page.items
            if page.next_key is None:
                return
            start = page.next_key


def _updated(item: Item | None, write: Update) -> Item:
    """Return an item after an update; clauses that touch the same attribute are an error there, too."""
    touched = [*write.set, *write.add, *write.remove]
    if len(touched) != len(set(touched)):
        raise ValueError(f"two clauses of an update touch the same attribute: {sorted(touched)}")
    if not touched:
        raise ValueError("an update changes nothing")
    new = {"pk": write.pk, "sk": write.sk, **copy.deepcopy(item or {}), **copy.deepcopy(dict(write.set))}
    for name, value in write.add.items():
        new[name] = new.get(name, 0) + value
    for name in write.remove:
        new.pop(name, None)
    return new


def _partition_of(condition: ConditionBase, hash_name: str) -> str:
    expression = condition.get_expression()
    if expression["operator"] == "AND":
        return _partition_of(expression["values"][0], hash_name)
    attribute, value = expression["values"]
    if expression["operator"] != "=" or attribute.name != hash_name:
        raise ValueError("a query begins with its partition")
    return str(value)
