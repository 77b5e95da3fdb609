"""Something else that happens between what a request has read and what it is about to write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.faults import Faults


def between(faults: Faults, operation: str, other: Callable[[], Any]) -> None:
    """Let ``other`` happen just before the next call of a client's method, once."""
    real = faults.client
    pending = [other]

    class Interleaved:
        def __getattr__(self, name: str) -> Any:
            if name == operation and pending:
                faults.client = real
                pending.pop()()
            return getattr(real, name)

    faults.client = Interleaved()
