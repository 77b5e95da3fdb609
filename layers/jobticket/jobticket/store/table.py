"""The part of DynamoDB that the product uses: plain items, and writes that commit together.

Keys are ``pk`` and ``sk`` in every table. Numbers come back as ``int`` or ``float``, never ``Decimal``.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from boto3.dynamodb.conditions import ConditionBase, ConditionExpressionBuilder
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from jobticket.aws import LOST, ConflictTimeoutError, configuration, is_transient, limited, time_limit
from jobticket.dataclass import dataclass, field

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type_serializer = TypeSerializer()
type_deserializer = TypeDeserializer()
Item = dict[str, Any]
Position = TypeVar("Position")
Entry = TypeVar("Entry")

#: How long a transaction is retried that met other transactions on the same items.
CONFLICT_PATIENCE_SECONDS = 15.0
#: Retry a short conflict even late in a request: the transaction may record an effect that Jira has already.
LEAST_PATIENCE_SECONDS = 1.0
#: The most items that DynamoDB reads at once.
LARGEST_BATCH = 100


class ConditionFailedError(Exception):
    """A write's condition did not hold; nothing was written."""

    def __init__(self, items: Mapping[int, Item | None], *, after_lost_answer: bool = False) -> None:
        #: The index of the first write that failed.
        self.position = min(items)
        super().__init__(f"the condition of write {self.position} did not hold")
        #: The items of the failed writes as they were, by their index; None for a missing one.
        self.items = items
        self.item = items[self.position]
        #: Whether an earlier try of the same call had no answer, and so may have committed.
        self.after_lost_answer = after_lost_answer


def dynamodb_client() -> DynamoDBClient:
    return limited(boto3.client("dynamodb", config=configuration(max_pool_connections=32)))


class _Patience:
    """Waits between attempts, longer each time and with jitter, until its time is up."""

    def __init__(self) -> None:
        seconds = max(LEAST_PATIENCE_SECONDS, time_limit.seconds_for_repeats())
        self._deadline = time.monotonic() + min(CONFLICT_PATIENCE_SECONDS, seconds)
        self._attempt = 0

    def wait(self, cause: Exception | None = None) -> None:
        """Wait for the next attempt; raise ``ConflictTimeoutError`` if there is no time for one."""
        self._attempt += 1
        pause = random.uniform(0, min(0.4, 0.01 * 2**self._attempt))  # noqa: S311 - jitter, not a secret
        if time.monotonic() + pause > self._deadline:
            raise ConflictTimeoutError from cause
        time.sleep(pause)


@dataclass(frozen=True, slots=True)
class Journal:
    """The table that tells what has changed another one, and for how many days it does."""

    table: str
    days: int


@dataclass(frozen=True, slots=True)
class Put:
    """Write a whole item; ``table`` names another table than the one that commits it."""

    item: Item
    condition: ConditionBase | None = None
    table: str | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """Change attributes of one item; a missing item is created unless the condition forbids it."""

    pk: str
    sk: str
    set: Mapping[str, Any] = field(default_factory=dict)
    #: Adds a number to a number, or a set of numbers to a set.
    add: Mapping[str, Any] = field(default_factory=dict)
    remove: Sequence[str] = ()
    condition: ConditionBase | None = None
    table: str | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete one item."""

    pk: str
    sk: str
    condition: ConditionBase | None = None
    table: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Write nothing, but let the transaction commit only if the condition holds."""

    pk: str
    sk: str
    condition: ConditionBase
    table: str | None = None


Write = Put | Update | Delete | Check
OPERATIONS = {Put: "Put", Update: "Update", Delete: "Delete", Check: "ConditionCheck"}


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a query; ``next_key`` is None on the last one."""

    items: list[Item]
    next_key: Item | None


def first_page(
    entries: Iterable[tuple[Position, Entry]], limit: int | None
) -> tuple[list[Entry], Position | None]:
    """Return the first entries, all without a limit, and the place of the last one if more follow."""
    found = list(islice(entries, None if limit is None else limit + 1))
    shown = found[:limit]
    return [entry for _, entry in shown], shown[-1][0] if len(shown) < len(found) else None


def _serialize(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: type_serializer.serialize(value) for name, value in item.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, Binary):
        return value.value  # type: ignore[attr-defined]
    return value


def plain_item(item: Mapping[str, Any]) -> Item:
    """Return an item without DynamoDB's names of types, as a stream has them, too."""
    return {name: _plain(type_deserializer.deserialize(value)) for name, value in item.items()}


class Expression:
    """Collects the names and values of one request's expressions."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.values: dict[str, Any] = {}
        self._builder = ConditionExpressionBuilder()

    def condition(self, condition: ConditionBase, *, key: bool = False) -> str:
        built = self._builder.build_expression(condition, is_key_condition=key)
        self.names |= built.attribute_name_placeholders
        self.values |= built.attribute_value_placeholders
        return built.condition_expression

    def update(self, write: Update) -> str:
        clauses = {
            "SET": [f"{self._name(name)} = {self._value(value)}" for name, value in write.set.items()],
            "ADD": [f"{self._name(name)} {self._value(value)}" for name, value in write.add.items()],
            "REMOVE": [self._name(name) for name in write.remove],
        }
        return " ".join(f"{clause} {', '.join(terms)}" for clause, terms in clauses.items() if terms)

    def projection(self, attributes: Sequence[str]) -> str:
        return ", ".join(self._name(name) for name in attributes)

    def _name(self, name: str) -> str:
        placeholder = f"#u{len(self.names)}"
        self.names[placeholder] = name
        return placeholder

    def _value(self, value: Any) -> str:
        placeholder = f":u{len(self.values)}"
        self.values[placeholder] = value
        return placeholder

    def parameters(self) -> dict[str, Any]:
        given = {"ExpressionAttributeNames": self.names, "ExpressionAttributeValues": _serialize(self.values)}
        return {name: value for name, value in given.items() if value}


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


class Table:
    """One table of the product. A write raises ``ConditionFailedError`` if a condition does not hold."""

    def __init__(self, client: DynamoDBClient, name: str, journal: Journal | None = None) -> None:
        self._client = client
        self.name = name
        self._journal = journal

    @property
    def journal(self) -> Journal:
        if self._journal is None:
            raise LookupError(f"changes of the table {self.name} are recorded nowhere")
        return self._journal

    def history(self) -> Table:
        return Table(self._client, self.journal.table)

    def get(
        self, pk: str, sk: str, *, consistent: bool = True, attributes: Sequence[str] = ()
    ) -> Item | None:
        """Read one item, or the named attributes of it."""
        expression = Expression()
        parameters: dict[str, Any] = {"TableName": self.name, "Key": _key(pk, sk)}
        if attributes:
            parameters["ProjectionExpression"] = expression.projection(attributes)
        answer = self._client.get_item(ConsistentRead=consistent, **parameters, **expression.parameters())
        return plain_item(answer["Item"]) if "Item" in answer else None

    def get_all(self, keys: Sequence[tuple[str, str]]) -> Iterator[Item]:
        """Read the items of these keys that exist, in any order."""
        for start in range(0, len(keys), LARGEST_BATCH):
            yield from self._get_batch([_key(*key) for key in keys[start : start + LARGEST_BATCH]])

    def _get_batch(self, keys: Sequence[Mapping[str, Any]]) -> Iterator[Item]:
        wanted: Any = {self.name: {"Keys": keys, "ConsistentRead": True}}
        patience = _Patience()
        while True:
            answer = self._client.batch_get_item(RequestItems=wanted)
            items = answer["Responses"].get(self.name, ())
            yield from map(plain_item, items)
            wanted = answer.get("UnprocessedKeys")
            if not wanted:
                return
            # An answer holds at most 16 MB; one without any item was throttled.
            if not items:
                patience.wait()

    def put(self, item: Item, condition: ConditionBase | None = None) -> None:
        self._single(self._client.put_item, Put(item, condition))

    def update(self, write: Update) -> Item:
        """Change one item and return it as it is afterwards."""
        answer = self._single(self._client.update_item, write, ReturnValues="ALL_NEW")
        return plain_item(answer["Attributes"])

    def delete(self, pk: str, sk: str, condition: ConditionBase | None = None) -> Item | None:
        """Delete one item and return what it held."""
        answer = self._single(self._client.delete_item, Delete(pk, sk, condition), ReturnValues="ALL_OLD")
        return plain_item(answer["Attributes"]) if answer.get("Attributes") else None

    def query(
        self,
        condition: ConditionBase,
        *,
        index: str | None = None,
        forward: bool = True,
        limit: int | None = None,
        start: Item | None = None,
        consistent: bool = True,
        filter_by: ConditionBase | None = None,
    ) -> Page:
        """Read one page of items whose keys meet the condition; an index is eventually consistent."""
        expression = Expression()
        parameters: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": expression.condition(condition, key=True),
            "ScanIndexForward": forward,
            "ConsistentRead": consistent and index is None,
            "FilterExpression": None if filter_by is None else expression.condition(filter_by),
            "IndexName": index,
            "Limit": limit,
            "ExclusiveStartKey": _serialize(start) if start else None,
        }
        given = {name: value for name, value in parameters.items() if value is not None}
        answer = self._client.query(**given, **expression.parameters())
        last = answer.get("LastEvaluatedKey")
        return Page([plain_item(item) for item in answer["Items"]], plain_item(last) if last else None)

    def query_all(self, condition: ConditionBase, **options: Any) -> Iterator[Item]:
        """Read every item whose keys meet the condition; pages are fetched as they are needed."""
        while True:
            page = self.query(condition, **options)
            yield from page.items
            if page.next_key is None:
                return
            options["start"] = page.next_key

    def transact(self, writes: Sequence[Write], *, token: str) -> None:
        """Commit all writes together, or none.

        Conflicts with other transactions, throttling and lost answers are retried with the same token and
        jitter, until a ``ConflictTimeoutError``. DynamoDB commits a token once in ten minutes.
        """
        items: Any = [{OPERATIONS[type(write)]: self._parameters(write)} for write in writes]
        patience = _Patience()
        lost = False
        while True:
            try:
                self._client.transact_write_items(TransactItems=items, ClientRequestToken=token)
            except ClientError as error:
                _raise_unless_transient(error, lost=lost)
                failure: Exception = error
            except LOST as error:
                failure, lost = error, True
            else:
                return
            patience.wait(failure)

    def _single(self, call: Callable[..., Any], write: Put | Update | Delete, **options: str) -> Any:
        patience = _Patience()
        while True:
            try:
                return call(**self._parameters(write), **options)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "ConditionalCheckFailedException":
                    item: Any = error.response.get("Item")
                    raise ConditionFailedError({0: plain_item(item) if item else None}) from error
                if code != "TransactionConflictException":
                    raise
                patience.wait(error)  # a transaction holds the item, and nothing was written

    def _parameters(self, write: Write) -> dict[str, Any]:
        """Return the parameters of a write, by itself or in a transaction."""
        parameters: dict[str, Any] = {"TableName": write.table or self.name}
        if isinstance(write, Put):
            parameters["Item"] = _serialize(write.item)
        else:
            parameters["Key"] = _key(write.pk, write.sk)
        expression = Expression()
        # The condition first: boto3 numbers its placeholders by itself, and ours must not meet them.
        if write.condition is not None:
            parameters["ConditionExpression"] = expression.condition(write.condition)
            parameters["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        if isinstance(write, Update):
            parameters["UpdateExpression"] = expression.update(write)
        return parameters | expression.parameters()


def _raise_unless_transient(error: ClientError, *, lost: bool) -> None:
    reasons: Sequence[Mapping[str, Any]] = error.response.get("CancellationReasons", [])
    failed = {
        position: plain_item(reason["Item"]) if reason.get("Item") else None
        for position, reason in enumerate(reasons)
        if reason.get("Code") == "ConditionalCheckFailed"
    }
    if failed:
        raise ConditionFailedError(failed, after_lost_answer=lost) from error
    if not is_transient(error):
        raise error
