"""What each route costs: own time, calls of DynamoDB, KMS and Jira, capacity units.

Every function is driven through its scenario of tests/unit/privileges, warm: under moto, in front of the
emulated Jira. The own time is what remains of a call without the time in which at least one call of AWS or
Jira is under way: the speed of emulators says nothing of theirs. Of a route that is called more than once,
the median. Capacity units are counted as DynamoDB does, from the items that went over the wire: consistent
reads, writes, doubled in transactions. ``python -m benchmarks.routes``
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import math
import os
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import botocore.client
import pytest
from requests.adapters import HTTPAdapter

from benchmarks.table import print_table
from local.atlassian.testing import running
from tests.support.gateway import Gateway, HttpAnswer
from tests.unit.conftest import aws as aws_fixture
from tests.unit.conftest import client, load_function
from tests.unit.deployment.privileges.driving import Driven
from tests.unit.deployment.privileges.grants import names_in_environment
from tests.unit.deployment.privileges.recorder import Recorder
from tests.unit.deployment.test_least_privilege import FOLDERS, FUNCTIONS

HEAD = ("own time", "DynamoDB", "read units", "write units", "KMS", "other", "Jira")
READ_UNIT, WRITE_UNIT = 4096, 1024
#: Routes that are others under a second name.
ALIAS = "/integration-helpers/"
READS = {"GetItem", "BatchGetItem", "Query", "TransactGetItems"}


@dataclass
class Use:
    """What one call of a function took."""

    dynamodb: int = 0
    kms: int = 0
    other: int = 0
    jira: int = 0
    read_units: float = 0.0
    write_units: float = 0.0
    waited: float = 0.0
    seconds: float = 0.0

    @property
    def own(self) -> float:
        return self.seconds - self.waited


@dataclass
class Meter:
    """Counts while a function works; what tests prepare is not counted."""

    use: Use = field(default_factory=Use)
    active: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _waiting: int = 0
    _since: float = 0.0

    @contextmanager
    def _outside(self) -> Iterator[None]:
        """Take the time out of the function's own; what is asked side by side is waited for once."""
        with self._lock:
            self._waiting += 1
            if self._waiting == 1:
                self._since = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1
                if self._waiting == 0:
                    self.use.waited += time.perf_counter() - self._since

    @contextmanager
    def measuring(self) -> Iterator[Use]:
        self.use, self.active = Use(), True
        started = time.perf_counter()
        try:
            yield self.use
        finally:
            self.use.seconds = time.perf_counter() - started
            self.active = False

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        api_call: Callable[..., Any] = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]
        send = HTTPAdapter.send
        inside = threading.local()

        def counted(made_by: Any, operation: str, parameters: dict[str, Any]) -> Any:
            if not self.active or getattr(inside, "measuring", False):
                return api_call(made_by, operation, parameters)
            inside.measuring = True  # what measuring itself asks is not the function's
            try:
                with self._outside():
                    answer = api_call(made_by, operation, parameters)
                    _count(self.use, made_by.meta.service_model.service_name, operation, parameters, answer)
            finally:
                inside.measuring = False
            return answer

        def sent(adapter: Any, request: Any, *arguments: Any, **options: Any) -> Any:
            if not self.active:
                return send(adapter, request, *arguments, **options)
            self.use.jira += 1
            with self._outside():
                return send(adapter, request, *arguments, **options)

        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", counted)
        monkeypatch.setattr(HTTPAdapter, "send", sent)


def _count(use: Use, service: str, operation: str, parameters: Mapping[str, Any], answer: Any) -> None:
    if service == "kms":
        use.kms += 1
    elif service != "dynamodb":
        use.other += 1
    else:
        use.dynamodb += 1
        if operation in READS:
            use.read_units += _read_units(operation, parameters, answer)
        elif operation == "DescribeTable":
            pass
        elif operation == "TransactWriteItems":
            use.write_units += 2 * sum(map(_write_units, _writes(parameters)))
        else:
            use.write_units += _write_units(parameters)


def _read_units(operation: str, parameters: Mapping[str, Any], answer: Any) -> float:
    if operation == "BatchGetItem":
        found = [item for items in answer["Responses"].values() for item in items]
        return float(sum(_units(_size(item), READ_UNIT) for item in found))
    items = answer.get("Items", [answer.get("Item", {})])
    units = _units(sum(map(_size, items)), READ_UNIT)
    return units if parameters.get("ConsistentRead") else units / 2


def _writes(parameters: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for entry in parameters["TransactItems"]:
        yield from entry.values()


def _write_units(write: Mapping[str, Any]) -> int:
    item = write.get("Item")
    if item is None:
        stored = client("dynamodb").get_item(TableName=write["TableName"], Key=write["Key"])
        item = stored.get("Item", write["Key"])
    return _units(_size(item), WRITE_UNIT)


def _units(size: int, unit: int) -> int:
    return max(1, math.ceil(size / unit))


def _size(value: Any) -> int:
    """Return an item's size, about as DynamoDB counts it: names and values in bytes."""
    if isinstance(value, Mapping):
        return sum(len(name) + _size(entry) for name, entry in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return sum(map(_size, value)) + 1
    return len(value.encode()) if isinstance(value, str) else len(value) if isinstance(value, bytes) else 1


class Metered(Driven):
    """A driven function that notes what each call took."""

    meter: Meter
    uses: dict[str, list[Use]]

    def call(self, method: str, url: str, body: Any = None, **options: Any) -> HttpAnswer:
        with self.meter.measuring() as use:
            answer = super().call(method, url, body, **options)
        if options.get("expect") is None:
            resource = Gateway(self.module.api, self.module.handler, None).event(method, url)["resource"]
            self.uses[f"{method} {resource}"].append(use)
        return answer

    def handle(self, event: Mapping[str, Any], context: Any = None) -> Any:
        with self.meter.measuring() as use:
            answer = super().handle(event, context)
        self.uses["event"].append(use)
        return answer


def measure(folder: str, atlassian: str) -> dict[str, list[Use]]:
    """Drive one function through its scenario."""
    fixture: Any = aws_fixture
    account = fixture.__wrapped__()
    next(account)
    try:
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setenv("ATLASSIAN_AUTH_URL", atlassian)
            monkeypatch.setenv("ATLASSIAN_API_URL", atlassian)
            recorder = Recorder(names_in_environment(FUNCTIONS[folder], os.environ), monkeypatch)
            driven = Metered(load_function(folder, cold=True), recorder, atlassian)
            driven.meter, driven.uses = Meter(), defaultdict(list)
            driven.meter.install(monkeypatch)
            importlib.import_module(f"tests.unit.deployment.privileges.scenarios.{folder}").drive(driven)
            return driven.uses
    finally:
        next(account, None)


def rows() -> dict[str, list[list[str]]]:
    """Return by function a row for each route: its name, and figures under :data:`HEAD`."""
    with running() as atlassian, quiet():
        return {
            folder: [
                [route, *_row(uses)]
                for route, uses in measure(folder, atlassian).items()
                if ALIAS not in route
            ]
            for folder in FOLDERS
        }


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the functions' logs and metrics out of the figures."""
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


def run() -> None:
    """Print the table."""
    found = [[folder, *row] for folder, routes in rows().items() for row in routes]
    print_table("Routes, warm: the median of the calls of a scenario", ["function", "route", *HEAD], found)


def _row(uses: Sequence[Use]) -> list[str]:
    def median(of: Callable[[Use], float]) -> float:
        return statistics.median(map(of, uses))

    return [
        f"{median(lambda use: use.own) * 1000:.1f} ms",
        f"{median(lambda use: use.dynamodb):g}",
        f"{median(lambda use: use.read_units):g}",
        f"{median(lambda use: use.write_units):g}",
        f"{median(lambda use: use.kms):g}",
        f"{median(lambda use: use.other):g}",
        f"{median(lambda use: use.jira):g}",
    ]


if __name__ == "__main__":
    run()
