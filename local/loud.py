"""What the user must see at once, from a program whose other output goes to its log."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass, field
from typing import TextIO

LONGEST = 2000

_streams: list[TextIO] = []


def keep_stderr() -> None:
    """Keep standard error for :func:`say`; all other output there goes to the log."""
    _streams.append(os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace", buffering=1))
    os.dup2(1, 2)


def say(text: str) -> None:
    """Say it on the user's screen, and in the log."""
    text = text[:LONGEST]
    print(text, file=sys.stderr, flush=True)
    for stream in _streams:
        with contextlib.suppress(OSError):  # the stack is gone, and so is its screen
            print(text, file=stream, flush=True)


@dataclass
class SavingReport:
    """Says when saving begins to fail, and when it works again."""

    what: str
    _failing: bool = field(default=False, init=False)

    def failed(self, reason: str) -> None:
        if not self._failing:
            say(f"{self.what} cannot be saved and would be lost by a kill or at the end: {reason}")
        self._failing = True

    def saved(self) -> None:
        if self._failing:
            say(f"{self.what} can be saved again.")
        self._failing = False
