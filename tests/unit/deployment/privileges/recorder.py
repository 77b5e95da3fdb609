"""Records a function's calls of AWS as IAM's actions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import botocore.client
import pytest

from tests.unit.deployment.privileges.grants import Access

#: Operations with another name in IAM: a batch needs the rights of its parts.
INNER = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
SINGULAR = {
    "SendMessageBatch": "SendMessage",
    "DeleteMessageBatch": "DeleteMessage",
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    "Invoke": "InvokeFunction",
}
#: Which parameter names the resource, by service.
NAMED_BY = {
    "dynamodb": "TableName",
    "secretsmanager": "SecretId",
    "kms": "KeyId",
    "sqs": "QueueUrl",
    "lambda": "FunctionName",
    "events": "EventBusName",
}


class Recorder:
    """Collects every use of AWS while it is recording.

    Parameters
    ----------
    names
        The template's resources by the names that the function knows them by.
    """

    def __init__(self, names: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.used: set[Access] = set()
        self._names = names
        self._depth = 0
        # The function's threads are recorded as well, so this is no context variable.
        self._lock = threading.Lock()
        call: Callable[..., Any] = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

        def recorded(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
            if self._depth:
                service = client.meta.service_model.service_name
                with self._lock:
                    self.used.update(self._accesses(service, operation, parameters))
            return call(client, operation, parameters)

        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", recorded)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record the function's work inside the block, not a test's preparation."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def _accesses(self, service: str, operation: str, parameters: Mapping[str, Any]) -> Iterator[Access]:
        match operation:
            case "TransactWriteItems" | "TransactGetItems":
                for entry in parameters["TransactItems"]:
                    ((kind, inner),) = entry.items()
                    yield self._access(service, INNER.get(kind, "GetItem"), inner)
            case "BatchGetItem":
                for table, request in parameters["RequestItems"].items():
                    for key in request["Keys"]:
                        yield self._access(service, operation, {"TableName": table, "Key": key})
            case "BatchWriteItem":
                for table, requests in parameters["RequestItems"].items():
                    for request in requests:
                        (inner,) = request.values()
                        yield self._access(service, operation, {"TableName": table, **inner})
            case _:
                for one in parameters["Entries"] if operation == "PutEvents" else [parameters]:
                    yield self._access(service, SINGULAR.get(operation, operation), one)

    def _access(self, service: str, action: str, parameters: Mapping[str, Any]) -> Access:
        if service not in NAMED_BY:
            raise NotImplementedError(f"teach this test how {service}:{action} names its resource")
        name = parameters[NAMED_BY[service]]
        resource = self._names.get(name, f"unknown: {name}")
        if "IndexName" in parameters:
            resource += f"/index/{parameters['IndexName']}"
        context = frozenset(parameters.get("EncryptionContext", {}).items())
        return Access(
            f"{service}:{action}",
            resource,
            _leading_key(parameters),
            _attributes(parameters),
            context,
            parameters.get("ReturnValues"),
        )


def _attributes(parameters: Mapping[str, Any]) -> frozenset[str] | None:
    if "ProjectionExpression" not in parameters:
        return None
    names = parameters.get("ExpressionAttributeNames", {})
    asked = (name.strip() for name in parameters["ProjectionExpression"].split(","))
    return frozenset(names.get(name, name) for name in asked) | frozenset(parameters.get("Key", ()))


def _leading_key(parameters: Mapping[str, Any]) -> str | None:
    key = parameters.get("Key") or parameters.get("Item")
    if key is not None and "pk" in key:
        return str(key["pk"]["S"])
    if "KeyConditionExpression" not in parameters:
        return None
    values = parameters["ExpressionAttributeValues"]
    # boto's builder numbers placeholders in their order, and a key condition begins with the partition.
    return str(values[":v0"]["S"]) if ":v0" in values else str(next(iter(values.values()))["S"])
