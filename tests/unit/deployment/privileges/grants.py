"""What template.yaml grants a function, one action and one resource at a time."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.infrastructure import template

#: Actions that Lambda itself takes with a function's role.
WRITES_LOGS = frozenset({"logs:CreateLogStream", "logs:PutLogEvents"})
TRACES = frozenset({"xray:PutTraceSegments", "xray:PutTelemetryRecords"})
READS_QUEUE = frozenset({"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"})

READS_STREAM = frozenset(
    f"dynamodb:{action}" for action in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
)


@dataclass(frozen=True)
class Access:
    """One use of one resource.

    Attributes
    ----------
    resource
        A name of the template, with ``/index/<name>`` for an index; of a key that is not the stack's, the
        parameter that names it.
    leading_key
        The partition key, in DynamoDB.
    attributes
        The attributes that a read of DynamoDB names; None if it reads all.
    context
        The encryption context, in KMS.
    returned
        What a write of DynamoDB returns of the item; None if the call does not say.
    """

    action: str
    resource: str
    leading_key: str | None = None
    attributes: frozenset[str] | None = None
    context: frozenset[tuple[str, str]] = frozenset()
    returned: str | None = None


@dataclass(frozen=True)
class Grant:
    """One action on one resource that a statement allows."""

    sid: str
    action: str
    resource: str
    condition: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, compare=False)

    def allows(self, access: Access) -> bool:
        same = (self.action, self.resource) == (access.action, access.resource)
        return same and all(
            _holds(operator, key, _listed(wanted), access)
            for operator, keys in self.condition.items()
            for key, wanted in keys.items()
        )

    def __str__(self) -> str:
        return f"{self.sid}: {self.action} on {self.resource}"


def _holds(operator: str, key: str, wanted: list[str], access: Access) -> bool:
    """Evaluate one condition as IAM does, in the cloud."""
    if (operator, key) == ("ForAllValues:StringLike", "dynamodb:LeadingKeys"):
        return any(fnmatch.fnmatchcase(access.leading_key or "", pattern) for pattern in wanted)
    if (operator, key) == ("ForAllValues:StringEquals", "dynamodb:Attributes"):
        return access.attributes is None or access.attributes <= set(
            wanted
        )  # of no values all are among them
    if (operator, key, wanted) == ("Null", "dynamodb:Attributes", ["false"]):
        return access.attributes is not None
    if (operator, key) == ("StringEqualsIfExists", "dynamodb:Select"):
        return True  # a GetItem has no such parameter
    if (operator, key) == ("StringEqualsIfExists", "dynamodb:ReturnValues"):
        return access.returned is None or access.returned in wanted
    if operator == "StringEquals" and key.startswith("kms:EncryptionContext:"):
        return dict(access.context).get(key.removeprefix("kms:EncryptionContext:")) in wanted
    raise NotImplementedError(f"teach this test the condition {operator} {key}")


def granted_to(function: str) -> list[Grant]:
    """Return everything that the role of a function allows its code."""
    by_lambda = used_by_lambda(function)
    return [grant for grant in _all_grants(function) if (grant.action, grant.resource) not in by_lambda]


def _all_grants(function: str) -> Iterator[Grant]:
    role = template()["Resources"][_properties(function)["Role"]["Fn::GetAtt"][0]]["Properties"]
    for policy in role["Policies"]:
        for statement in map(_with_every_part, policy["PolicyDocument"]["Statement"]):
            condition = _in_the_cloud(statement.get("Condition")) or {}
            for action in _listed(statement["Action"]):
                for resource in _listed(statement["Resource"]):
                    yield Grant(statement["Sid"], action, _name_of(resource), condition)


def used_by_lambda(function: str) -> set[tuple[str, str]]:
    """Return Lambda's own uses of a function's role: logs, traces, event queues, failure destinations."""
    properties = _properties(function)
    used = {(action, properties["LoggingConfig"]["LogGroup"]["Ref"]) for action in WRITES_LOGS}
    used |= {(action, "*") for action in TRACES}
    for event in properties.get("Events", {}).values():
        if event["Type"] == "DynamoDB":
            used |= {(action, _name_of(event["Properties"]["Stream"])) for action in READS_STREAM}
        if event["Type"] == "SQS":
            used |= {(action, _name_of(event["Properties"]["Queue"])) for action in READS_QUEUE}
    used |= {("sqs:SendMessage", _name_of(place)) for place in _places_for_failures(properties)}
    return used


def _places_for_failures(properties: Mapping[str, Any]) -> Iterator[Any]:
    destinations = properties.get("EventInvokeConfig", {}).get("DestinationConfig", {})
    for destination in destinations.values():
        yield destination["Destination"]
    for event in properties.get("Events", {}).values():
        if event["Type"] == "DynamoDB":
            yield event["Properties"]["DestinationConfig"]["OnFailure"]["Destination"]
    if "DeadLetterQueue" in properties:
        yield properties["DeadLetterQueue"]["TargetArn"]


def names_in_environment(function: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the template's resources in a function's environment, by their names there."""
    variables = _properties(function)["Environment"]["Variables"]
    return {
        environment[name]: _name_of(value)
        for name, value in variables.items()
        if name in environment and isinstance(value, dict) and _is_resource(value)
    }


def _is_resource(value: Mapping[str, Any]) -> bool:
    return re.split("[/.]", _name_of(value))[0] in template()["Resources"]


def _properties(function: str) -> dict[str, Any]:
    properties: dict[str, Any] = template()["Resources"][function]["Properties"]
    return properties


def _with_every_part(statement: Any) -> dict[str, Any]:
    """Return a statement that a parameter adds to the role."""
    match statement:
        case {"Fn::If": [_, dict(asked_for), {"Ref": "AWS::NoValue"}]}:
            return asked_for
        case _:
            return dict(statement)


def _name_of(resource: Any) -> str:
    match resource:
        case {"Fn::If": ["UsesOwnEncryptionKey", own, {"Ref": "EncryptionKeyArn"}]}:
            return _name_of(own)
        case {"Fn::If": ["SendsEvents", queue, ""]}:
            return _name_of(queue)
        case str():
            return resource
        case {"Ref": str(name)}:
            return name
        case {"Fn::GetAtt": [str(name), "StreamArn"]}:
            return f"{name}/stream"
        case {"Fn::GetAtt": [str(name), *_]}:
            return name
        case {"Fn::Sub": str(text)} if text.endswith(":event-bus/${EventBusName}"):
            return "EventBusName"
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{(\w+)\.\w+\}", r"\1", text)
        case _:
            raise NotImplementedError(f"teach this test to read the resource {resource}")


def _in_the_cloud(condition: Any) -> Any:
    """Return a statement's condition as it holds in the cloud."""
    match condition:
        case {"Fn::If": ["IsLocal", _, in_the_cloud]}:
            return in_the_cloud
        case _:
            return condition


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
