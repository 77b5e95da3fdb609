"""Every function while AWS is busy or in trouble: 503 with Retry-After, or a failure that Lambda tries again.

The requests are the sample events, so a new route is covered by its event. Each call that a request makes fails
in turn, and so do all later calls. The answer must be true, and the same request must succeed once AWS works.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support import emulation
from tests.support.faults import PASSING_CALLS, Trouble
from tests.support.gateway import LambdaContext
from tests.support.samples import EVENTS, event_of

CASES = [(name, path) for name, paths in EVENTS.items() for path in paths]
HTTP = [(name, path) for name, path in CASES if "httpMethod" in event_of(path)]
#: Each part of these requests succeeds or fails by itself.
EACH_FOR_ITSELF = {"advance_serials"}
#: Calls that a function can do without: it answers as if they had succeeded.
BEST_EFFORT = {"SendMessage", "ChangeMessageVisibility", "Invoke", "DescribeTable", "DescribeSecret"}


Tables = dict[str, Any]


def copied() -> Tables:
    return {name: copy.deepcopy(table.items) for name, table in emulation.tables().items()}


def put_back(tables: Tables) -> None:
    for name, table in emulation.tables().items():
        table.items = copy.deepcopy(tables[name])


def effects() -> Counter[str]:
    """Count the items of the tables by kind, except claims, leases, keys, pauses and counters."""
    passing = ("IDEMPOTENCY", "LEASE", "COUNTER", "DATA_KEY", "PUSH_LEASE", "REFRESH", "TOKEN")
    kinds: Counter[str] = Counter()
    for table in emulation.tables().values():
        for partition, items in table.items.items():
            for sort in items:
                kind = f"{partition.value}/{sort.value}".partition("#")[0]
                if not any(word in f"{partition.value}/{sort.value}" for word in passing):
                    kinds[kind] += 1
    return kinds


def is_503(answer: dict[str, Any]) -> bool:
    if answer["statusCode"] != 503:
        return False
    headers = answer["multiValueHeaders"]
    if "Retry-After" not in headers:
        return False
    if "text/html" in headers["Content-Type"][0]:
        return True
    body = json.loads(answer["body"])
    return bool(body.get("message") or body.get("error") or body.get("detail"))


def says_so(answer: dict[str, Any]) -> bool:
    """Tell whether the answer's body says what failed, as pushes and connection tests do."""
    body = json.loads(answer["body"] or "null")
    return isinstance(body, dict) and answer["statusCode"] == 200 and bool(body.get("error"))


@pytest.mark.parametrize(
    ("sampled_function", "path"),
    HTTP,
    indirect=["sampled_function"],
    ids=[f"{name}/{path.stem}" for name, path in HTTP],
)
def test_a_request_is_told_to_come_again_and_has_had_its_whole_effect_or_none(
    sampled_function: ModuleType, path: Path, trouble: Trouble
) -> None:
    event = event_of(path)
    if ring := getattr(sampled_function, "ring", None):
        ring.authenticate("Bearer local-key")
    start, none = copied(), effects()
    trouble.from_call(None)
    well = sampled_function.handler(event, LambdaContext())
    calls, whole = list(trouble.calls), effects()
    # Every kind of fault at the first call, and one kind at each later call.
    tries = [(0, fault) for fault in PASSING_CALLS] if calls else []
    tries += [(number, PASSING_CALLS[number % len(PASSING_CALLS)]) for number in range(1, len(calls))]
    for first, fault in tries:
        put_back(start)
        trouble.from_call(first, fault)
        answer = sampled_function.handler(event, LambdaContext())
        case = (first, fault, trouble.calls, answer)
        assert effects() in (none, whole) or path.stem in EACH_FOR_ITSELF, case
        if set(trouble.calls[first:]) <= BEST_EFFORT:
            assert answer["statusCode"] in (well["statusCode"], 503), case
        else:
            ended = answer["statusCode"] == well["statusCode"] and (
                effects() == whole or path.stem in EACH_FOR_ITSELF
            )
            assert is_503(answer) or says_so(answer) or ended, case
