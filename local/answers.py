"""What API Gateway accepts as a function's answer. The emulator accepts anything."""

from __future__ import annotations

import json
from typing import Any

LARGEST = 6 * 1024 * 1024  # Lambda's limit, of the whole answer as JSON


def fault_of(answer: Any) -> str | None:
    """Return why API Gateway would answer 502 instead of this."""
    if not isinstance(answer, dict) or not _is_status(answer.get("statusCode")):
        return "Malformed Lambda proxy response: no statusCode"
    if not isinstance(answer.get("body"), str | None):
        return "Malformed Lambda proxy response: the body is not a string"
    if not isinstance(answer.get("isBase64Encoded", False), bool):
        return "Malformed Lambda proxy response: isBase64Encoded is not a boolean"
    if not all(isinstance(value, str | int | float) for value in _values(answer, "headers")):
        return "Malformed Lambda proxy response: a header is not a string"
    if not all(isinstance(value, list) for value in _values(answer, "multiValueHeaders")):
        return "Malformed Lambda proxy response: a multi-value header is not a list"
    if len(json.dumps(answer, ensure_ascii=False).encode(errors="replace")) > LARGEST:
        return "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
    return None


def _is_status(value: Any) -> bool:
    text = str(value)
    return not isinstance(value, bool) and text.isdecimal() and 100 <= int(text) <= 599


def _values(answer: dict[str, Any], name: str) -> list[Any]:
    headers = answer.get(name) or {}
    return list(headers.values()) if isinstance(headers, dict) else [None]


def refuse_malformed_answers() -> None:
    """Let the emulator answer 502 where API Gateway does."""
    from ministack.services import apigateway_v1

    shaped = apigateway_v1._lambda_proxy_response

    def checked(result: dict[str, Any]) -> tuple[Any, str | None]:
        failed = result.get("error") or result.get("throttle")
        fault = None if failed else fault_of(result.get("body"))
        return (None, fault) if fault else shaped(result)

    apigateway_v1._lambda_proxy_response = checked
