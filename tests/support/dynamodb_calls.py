"""Lets moto's DynamoDB read and answer calls for items quicker, with the same outcome.

A client has checked the parameters by the service's model. Moto reads them by it again from an HTTP request, and writes
its answer by it, from which the client then takes what the model names. Here both are JSON without a request around it.
Errors are read as the client reads them. Moto reads a condition two or three times a call; here it is read once for all
of its values.
"""

from __future__ import annotations

import base64
import json
from copy import deepcopy
from functools import cache
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.endpoint import Endpoint, convert_to_response_dict
from botocore.regions import EndpointRulesetResolver
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import DEFAULT_ACCOUNT_ID, botocore_stubber
from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores
from moto.dynamodb import comparisons, responses
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.responses import DynamoHandler, DynamoResult
from werkzeug.exceptions import HTTPException

#: The operations whose answers hold nothing but items, keys and numbers.
_OPERATIONS = {
    name: camelcase_to_underscores(name)
    for name in (
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "GetItem",
        "PutItem",
        "Query",
        "Scan",
        "TransactGetItems",
        "TransactWriteItems",
        "UpdateItem",
    )
}
_Parser: Any = comparisons.ConditionExpressionParser
_parse = _Parser.parse


class _Result(ActionResult):
    """A result with moto's own types in it, which become JSON at once."""

    def execute_result(self, context: Any) -> Any:
        return DynamoResult(self.result).execute_result(context)


def _serve(method: str, url: str, parameters: bytes) -> tuple[int, dict[str, str], str]:
    """Return status, headers and body of moto's answer."""
    call: Any = DynamoHandler()
    call.body = call.params = json.loads(parameters, object_hook=_with_bytes)
    call.region, call.current_account = _region(url), DEFAULT_ACCOUNT_ID
    try:
        result = getattr(call, method)()
    except HTTPException as refusal:
        return refusal.code or 500, dict(refusal.get_headers()), str(refusal.description)
    return 200, {}, json.dumps(result.result, default=plain)


@cache
def _region(url: str) -> str:
    found = DynamoHandler.region_regex.search(url)
    return found["region"] if found else DynamoHandler.default_region


def _parsed(own: Any, operation: Any, http: AWSResponse) -> dict[str, Any]:
    """Return an answer as a client reads it: what the model names and what is not null."""
    if http.status_code < 300:
        members = operation.output_shape.members
        read = json.loads(http.content, object_hook=_with_bytes)
        kept = {name: value for name, value in read.items() if name in members and value is not None}
        return kept | {"ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {}, "RetryAttempts": 0}}
    response = convert_to_response_dict(http, operation)
    parser = own._response_parser_factory.create_parser(operation.service_model.resolved_protocol)
    answer: dict[str, Any] = parser.parse(response, operation.output_shape)
    own._add_modeled_error_fields(response, answer, operation, parser)
    return answer


def _with_bytes(read: dict[str, Any]) -> dict[str, Any]:
    """Decode a binary value as moto does when it reads by the model."""
    if len(read) == 1:
        kind, value = next(iter(read.items()))
        if kind == "B" and isinstance(value, str):
            return {"B": base64.b64decode(value)}
        if kind == "BS" and isinstance(value, list):
            return {"BS": [base64.b64decode(member) for member in value]}
    return read


def plain(thing: Any) -> Any:
    """Return what JSON writes for one of moto's things (the ``default`` of ``json.dumps``)."""
    if isinstance(thing, DynamoType):
        return {thing.type: thing.value}
    return base64.b64encode(thing).decode() if isinstance(thing, bytes) else thing.to_json()


class _Named(_Parser):  # type: ignore[misc]
    """Reads a condition whose values stay names."""

    def _lookup_expression_attribute_value(self, name: str) -> str:
        return name

    def _make_op_condition(self, node: Any) -> Any:
        return node


@cache
def _tree(condition: str, names: tuple[tuple[str, str], ...] | None) -> tuple[Any, list[str], list[str]]:
    parser = _Named(condition, None if names is None else dict(names), None)
    return _parse(parser), parser.expr_attr_names_found, parser.expr_attr_values_found


def _read_once(own: Any) -> Any:
    if not own.condition_expression:
        return _parse(own)
    names = own.expression_attribute_names
    tree, found, values = _tree(own.condition_expression, names if names is None else tuple(names.items()))
    own.expr_attr_names_found.extend(found)
    own.expr_attr_values_found.extend(values)
    return own._make_op_condition(tree)


def _operand(own: Any, node: Any) -> Any:
    if node.kind == own.Kind.EXPRESSION_ATTRIBUTE_VALUE:
        return comparisons.AttributeValue(own._lookup_expression_attribute_value(node.value))
    return _make_operand(own, node)


_make_operand = _Parser._make_operand


def _typed(own: Any, given: Any) -> None:
    kind, value = (given.type, given.value) if type(given) is DynamoType else next(iter(given.items()))
    if kind == "L":
        value = [DynamoType(member) for member in value]
    elif kind == "M":
        value = {name: DynamoType(member) for name, member in value.items()}
    own.type, own.value = kind, value


def _copied(own: Any, memo: dict[int, Any]) -> Any:
    made: Any = object.__new__(DynamoType)
    made.type, made.value = own.type, own.value
    if own.type == "M":
        made.value = {name: deepcopy(member, memo) for name, member in own.value.items()}
    elif type(own.value) is list:
        made.value = [deepcopy(member, memo) for member in own.value]
    return made


def _look_at_kinds_once() -> None:
    """Moto asks each value up to five times of which kind it is; most are strings."""
    value: Any = DynamoType
    cast = value.cast_value.fget
    value.__init__, value.__deepcopy__ = _typed, _copied
    value.cast_value = property(lambda own: own.value if own.type == "S" else cast(own))


def _find_the_endpoint_once() -> None:
    """A client of DynamoDB works out for each call where to send it: always to the same place."""
    resolver: Any = EndpointRulesetResolver
    construct = resolver.construct_endpoint

    def endpoint(own: Any, operation_model: Any, call_args: Any, request_context: Any) -> Any:
        if own._service_model.service_name != "dynamodb" or not botocore_stubber.enabled:
            return construct(own, operation_model, call_args, request_context)
        if "found" not in vars(own):
            own.found = construct(own, operation_model, call_args, request_context)
        return own.found

    resolver.construct_endpoint = endpoint


def install(lock: Any) -> None:
    """Change moto, once for the process; serve one call at a time."""
    make_request = Endpoint.make_request
    _look_at_kinds_once()
    _find_the_endpoint_once()

    def answer(own: Endpoint, operation: Any, request: dict[str, Any]) -> Any:
        is_known = operation.service_model.service_name == "dynamodb" and operation.name in _OPERATIONS
        if not (is_known and botocore_stubber.enabled):
            return make_request(own, operation, request)
        with lock:
            status, headers, body = _serve(_OPERATIONS[operation.name], request["url"], request["body"])
        made: Any = AWSResponse
        http = made(request["url"], status, headers, MockRawResponse(body))
        return http, _parsed(own, operation, http)

    vars_of_endpoint: Any = Endpoint
    vars_of_endpoint.make_request = answer
    vars_of_responses: Any = responses
    vars_of_responses.DynamoResult = _Result
    _Parser.parse, _Parser._make_operand = _read_once, _operand
