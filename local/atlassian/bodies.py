"""JSON of callers, which is refused here if it could not be stored or given back."""

from __future__ import annotations

import json
from typing import Any

#: Jira's parser ends at 1,000; what is kept must be written with something around it, too.
DEEPEST = 500


def parse(body: bytes) -> Any:
    """Return the value of a JSON text.

    Raises
    ------
    ValueError
        If it is not JSON, nests too deep, or has half of a surrogate pair, which no UTF-8 can hold.
    """
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("The value nests too deep") from error
    _check(value)
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _check(value: Any) -> None:
    waiting = [(value, 1)]
    while waiting:
        each, depth = waiting.pop()
        if depth > DEEPEST:
            raise ValueError("The value nests too deep")
        if isinstance(each, str):
            each.encode()  # a UnicodeEncodeError is a ValueError
        elif isinstance(each, dict):
            waiting += [(name, depth) for name in each]
            waiting += [(inner, depth + 1) for inner in each.values()]
        elif isinstance(each, list):
            waiting += [(inner, depth + 1) for inner in each]
