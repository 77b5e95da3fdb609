from __future__ import annotations

from typing import Any

import pytest

from jobticket.store import table as dynamo
from tests.support.faults import Faults


class Waiting:
    """A clock on which time passes only by waiting, and waiting takes no time."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, pause: float) -> None:
        self.seconds += pause


@pytest.fixture
def faults(jobs_function: Any, monkeypatch: pytest.MonkeyPatch) -> Faults:
    """The jobs function's way to its table, for faults to be put into."""
    monkeypatch.setattr(dynamo, "time", Waiting())
    injected = Faults(jobs_function.table._client)
    monkeypatch.setattr(jobs_function.table, "_client", injected)
    return injected
