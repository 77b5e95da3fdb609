"""A Jira that says nonsense: what a member of its answers holds becomes something else."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import jobticket
from jobticket.connections import atlassian
from jobticket.http import transport
from jobticket.jira import client

PATH = "../../x?y"
LONG = "half \ud800 a pair\n" + "x" * 5000
HOSTILE: dict[str, Any] = {
    "long": LONG,
    "path": PATH,
    "object": {"name": LONG, "id": [1]},
    "list": [LONG, None, {}],
    "huge": 10**30,
    "infinite": float("inf"),
    "negative": -1,
    "true": True,
    "null": None,
    "blank": " \u2028",
    "moment": "0001-01-01T00:00:00+14:00",
}


class Poison:
    """Stands between the product and whatever it calls.

    Attributes
    ----------
    names
        The members of the answers so far that the product's code speaks of.
    replays
        Whether a question that was asked before gets the same answer without being asked.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: set[str] = set()
        self.replays = False
        self._answers: dict[str, transport.HttpAnswer] = {}
        self._name: str | None = None
        self._value: Any = None
        real = transport.send

        def send(session: Any, method: str, url: str, **options: Any) -> transport.HttpAnswer:
            asked = repr((method, url, options.get("params"), options.get("data")))
            answer = self._answers.get(asked) if self.replays else None
            if answer is None:
                answer = self._answers[asked] = real(session, method, url, **options)
            try:
                body = json.loads(answer.content)
            except ValueError:
                return answer
            return replace(answer, content=json.dumps(self._poisoned(body)).encode())

        for module in (client, atlassian):
            monkeypatch.setattr(module, "send", send)

    def put(self, name: str | None, value: Any = None) -> None:
        """Let members of a name hold a value from now on; None lets everything be as it is."""
        self._name, self._value = name, value

    def _poisoned(self, body: Any) -> Any:
        if isinstance(body, list):
            return [self._poisoned(entry) for entry in body]
        if not isinstance(body, dict):
            return body
        self.names |= body.keys() & _spoken_of()
        return {
            name: self._value if name == self._name else self._poisoned(value) for name, value in body.items()
        }


@cache
def _spoken_of() -> set[str]:
    code = "".join(path.read_text() for path in Path(jobticket.__file__).parent.rglob("*.py"))
    return set(re.findall(r'"(\w+)"', code))
