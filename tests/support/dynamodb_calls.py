"""Lets moto's DynamoDB read and answer calls for items quicker, with the same outcome.

A client has checked the parameters by the service's model. Moto reads them by it again, and writes its answer by it,
from which the client then takes what the model names. Here parameters and answers are JSON; errors stay moto's.
Moto reads a condition two or three times a call; here it is read once for all of its values.
"""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
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


def serve(request: Any, operation: str) -> Any:
    """Return status, headers and body of an answer; nothing if moto shall read the request itself."""
    method = _OPERATIONS.get(operation)
    if method is None:
        return None
    call: Any = DynamoHandler()
    call.body = call.params = json.loads(request.data, object_hook=_with_bytes)
    call.region, call.current_account = call.get_region_from_url(request, request.raw_url), DEFAULT_ACCOUNT_ID
    try:
        result = getattr(call, method)()
    except HTTPException as refusal:
        return refusal.code, dict(refusal.get_headers()), refusal.description
    return 200, {}, json.dumps(result.result, default=_plain)


def _with_bytes(read: dict[str, Any]) -> dict[str, Any]:
    """Decode a binary value as moto does when it reads by the model."""
    if len(read) == 1:
        kind, value = next(iter(read.items()))
        if kind == "B" and isinstance(value, str):
            return {"B": base64.b64decode(value)}
        if kind == "BS" and isinstance(value, list):
            return {"BS": [base64.b64decode(member) for member in value]}
    return read


def _plain(thing: Any) -> Any:
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


def install() -> None:
    """Change moto, once for the process."""
    vars_of_responses: Any = responses
    vars_of_responses.DynamoResult = _Result
    _Parser.parse, _Parser._make_operand = _read_once, _operand
