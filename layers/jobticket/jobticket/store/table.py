"""DynamoDB, as little of it as the product uses: plain items, and writes that commit together.

Keys are ``pk`` and ``sk`` in every table. Numbers come back as ``int`` or ``float``, never ``Decimal``.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import boto3
from boto3.dynamodb.conditions import ConditionBase, ConditionExpressionBuilder
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from jobticket.aws import LOST, ConflictTimeoutError, configuration, is_passing, limited, time_limit

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type_serializer = TypeSerializer()
type_deserializer = TypeDeserializer()

Item = dict[str, Any]

#: How long a transaction is tried again that only met other transactions on the same counters.
CONFLICT_PATIENCE_SECONDS = 15.0

#: Late in a request, too, a quick conflict is tried again: the effect at Jira that it records may be done.
LEAST_PATIENCE_SECONDS = 1.0

#: DynamoDB reads so many items at once.
LARGEST_BATCH = 100


class ConditionFailedError(Exception):
    """A write's condition did not hold; nothing was written.

    Attributes
    ----------
    items
        The items of the failed writes as they stood, None for a missing one, by position in the transaction.
    after_lost_answer
        Whether an earlier try of the same call had no answer, so that it may have committed.
    """

    def __init__(self, items: Mapping[int, Item | None], *, after_lost_answer: bool = False) -> None:
        super().__init__(f"the condition of write {min(items)} did not hold")
        self.items = items
        self.after_lost_answer = after_lost_answer

    @property
    def position(self) -> int:
        """Which write of the transaction failed first, from 0."""
        return min(self.items)

    @property
    def item(self) -> Item | None:
        """The item of that write as it stood, if there was one."""
        return self.items[self.position]


def dynamodb_client() -> DynamoDBClient:
    """Make the container's DynamoDB client."""
    return limited(boto3.client("dynamodb", config=configuration(max_pool_connections=32)))


class _Patience:
    """Waits between attempts, with jitter and ever longer, until it has an end."""

    def __init__(self) -> None:
        seconds = max(LEAST_PATIENCE_SECONDS, time_limit.seconds_for_repeats())
        self._deadline = time.monotonic() + min(CONFLICT_PATIENCE_SECONDS, seconds)
        self._attempt = 0

    def wait(self, cause: Exception | None = None) -> None:
        """Wait for the next attempt.

        Raises
        ------
        ConflictTimeoutError
            If there is no time for one.
        """
        self._attempt += 1
        pause = random.uniform(0, min(0.4, 0.01 * 2**self._attempt))  # noqa: S311 - jitter, not a secret
        if time.monotonic() + pause > self._deadline:
            raise ConflictTimeoutError from cause
        time.sleep(pause)


@dataclass(frozen=True, slots=True)
class Put:
    """Write a whole item."""

    item: Item
    condition: ConditionBase | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """Change attributes of one item (which is made if it is missing, unless the condition forbids)."""

    pk: str
    sk: str
    set: Mapping[str, Any] = field(default_factory=dict)
    add: Mapping[str, int] = field(default_factory=dict)
    remove: Sequence[str] = ()
    condition: ConditionBase | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete one item."""

    pk: str
    sk: str
    condition: ConditionBase | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Write nothing, but commit only if the condition holds."""

    pk: str
    sk: str
    condition: ConditionBase


Write = Put | Update | Delete | Check


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a query; ``next_key`` is None on the last one."""

    items: list[Item]
    next_key: Item | None


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


def _deserialize(item: Mapping[str, Any]) -> Item:
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
        clauses = []
        if write.set:
            clauses.append(
                "SET " + ", ".join(f"{self._name(n)} = {self._value(v)}" for n, v in write.set.items())
            )
        if write.add:
            clauses.append(
                "ADD " + ", ".join(f"{self._name(n)} {self._value(v)}" for n, v in write.add.items())
            )
        if write.remove:
            clauses.append("REMOVE " + ", ".join(self._name(name) for name in write.remove))
        return " ".join(clauses)

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
        given: dict[str, Any] = {}
        if self.names:
            given["ExpressionAttributeNames"] = self.names
        if self.values:
            given["ExpressionAttributeValues"] = _serialize(self.values)
        return given


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


class Table:
    """One table of the product.

    Parameters
    ----------
    client
        A DynamoDB client.
    name
        The table's name.
    """

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self._client = client
        self.name = name

    def get(
        self, pk: str, sk: str, *, consistent: bool = True, attributes: Sequence[str] = ()
    ) -> Item | None:
        """Read one item, or the named attributes of it."""
        expression = Expression()
        parameters: dict[str, Any] = {"ConsistentRead": consistent}
        if attributes:
            parameters["ProjectionExpression"] = expression.projection(attributes)
        answer = self._client.get_item(
            TableName=self.name, Key=_key(pk, sk), **parameters, **expression.parameters()
        )
        return _deserialize(answer["Item"]) if "Item" in answer else None

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
            yield from map(_deserialize, items)
            wanted = answer.get("UnprocessedKeys")
            if not wanted:
                return
            # A batch of more than 16 MB comes in parts. One that makes no progress is throttled.
            if not items:
                patience.wait()

    def put(self, item: Item, condition: ConditionBase | None = None) -> None:
        """Write one whole item.

        Raises
        ------
        ConditionFailedError
            If the condition does not hold.
        """
        self._single(self._client.put_item, self._put(Put(item, condition)))

    def update(self, write: Update) -> Item:
        """Change one item and return it as it stands afterwards.

        Raises
        ------
        ConditionFailedError
            If the condition does not hold.
        """
        answer = self._single(self._client.update_item, self._update(write) | {"ReturnValues": "ALL_NEW"})
        return _deserialize(answer["Attributes"])

    def delete(self, pk: str, sk: str, condition: ConditionBase | None = None) -> Item | None:
        """Delete one item and return what it held.

        Raises
        ------
        ConditionFailedError
            If the condition does not hold.
        """
        parameters = self._delete(Delete(pk, sk, condition)) | {"ReturnValues": "ALL_OLD"}
        answer = self._single(self._client.delete_item, parameters)
        return _deserialize(answer["Attributes"]) if answer.get("Attributes") else None

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
        """Read one page of items whose keys meet the condition.

        ``consistent`` is not taken for an index: those are eventually consistent.
        """
        expression = Expression()
        parameters: dict[str, Any] = {
            "TableName": self.name,
            "KeyConditionExpression": expression.condition(condition, key=True),
            "ScanIndexForward": forward,
            "ConsistentRead": consistent and index is None,
        }
        if filter_by is not None:
            parameters["FilterExpression"] = expression.condition(filter_by)
        optional = {
            "IndexName": index,
            "Limit": limit,
            "ExclusiveStartKey": _serialize(start) if start else None,
        }
        parameters |= {name: value for name, value in optional.items() if value is not None}
        answer = self._client.query(**parameters, **expression.parameters())
        last = answer.get("LastEvaluatedKey")
        return Page([_deserialize(item) for item in answer["Items"]], _deserialize(last) if last else None)

    def query_all(self, condition: ConditionBase, **options: Any) -> Iterator[Item]:
        """Read every item whose keys meet the condition, page after page, as they are asked for."""
        start: Item | None = options.pop("start", None)
        while True:
            page = self.query(condition, start=start, **options)
            yield from page.items
            if page.next_key is None:
                return
            start = page.next_key

    def transact(self, writes: Sequence[Write], *, token: str) -> None:
        """Commit all writes together, or none.

        Conflicts with other transactions, throttling and lost answers are tried again with the same token
        and jitter: DynamoDB commits a token once in ten minutes. A caller whose transaction is not
        idempotent by its own conditions must recognise its own mark in ``ConditionFailedError.item``.

        Raises
        ------
        ConditionFailedError
            If a condition does not hold.
        ConflictTimeoutError
            If the items stayed contended.
        """
        request: Any = {
            "TransactItems": [self._transact_item(write) for write in writes],
            "ClientRequestToken": token,
        }
        patience = _Patience()
        lost = False
        while True:
            try:
                self._client.transact_write_items(**request)
            except ClientError as error:
                _raise_unless_passing(error, lost=lost)
                failure: Exception = error
            except LOST as error:
                failure, lost = error, True
            else:
                return
            patience.wait(failure)

    def _single(self, call: Any, parameters: dict[str, Any]) -> Any:
        if "ConditionExpression" in parameters:
            parameters["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        try:
            return call(**parameters)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            item: Any = error.response.get("Item")
            raise ConditionFailedError({0: _deserialize(item) if item else None}) from error

    def _transact_item(self, write: Write) -> dict[str, Any]:
        match write:
            case Put():
                name, parameters = "Put", self._put(write)
            case Update():
                name, parameters = "Update", self._update(write)
            case Delete():
                name, parameters = "Delete", self._delete(write)
            case Check():
                name, parameters = "ConditionCheck", self._check(write)
        if "ConditionExpression" in parameters:
            parameters["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return {name: parameters}

    def _put(self, write: Put) -> dict[str, Any]:
        return {"TableName": self.name, "Item": _serialize(write.item)} | _conditional(write.condition)

    def _update(self, write: Update) -> dict[str, Any]:
        expression = Expression()
        parameters: dict[str, Any] = {"TableName": self.name, "Key": _key(write.pk, write.sk)}
        # The condition first: boto's placeholders are numbered by themselves and must not meet ours.
        if write.condition is not None:
            parameters["ConditionExpression"] = expression.condition(write.condition)
        parameters["UpdateExpression"] = expression.update(write)
        return parameters | expression.parameters()

    def _delete(self, write: Delete) -> dict[str, Any]:
        return {"TableName": self.name, "Key": _key(write.pk, write.sk)} | _conditional(write.condition)

    def _check(self, write: Check) -> dict[str, Any]:
        return {"TableName": self.name, "Key": _key(write.pk, write.sk)} | _conditional(write.condition)


def _conditional(condition: ConditionBase | None) -> dict[str, Any]:
    if condition is None:
        return {}
    expression = Expression()
    return {"ConditionExpression": expression.condition(condition), **expression.parameters()}


def _raise_unless_passing(error: ClientError, *, lost: bool) -> None:
    reasons: Sequence[Mapping[str, Any]] = error.response.get("CancellationReasons", [])
    failed = {
        position: _deserialize(reason["Item"]) if reason.get("Item") else None
        for position, reason in enumerate(reasons)
        if reason.get("Code") == "ConditionalCheckFailed"
    }
    if failed:
        raise ConditionFailedError(failed, after_lost_answer=lost) from error
    if not is_passing(error):
        raise error
