"""Our dataclasses behave as the standard ones do."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from jobticket.dataclass import dataclass


def classes(dataclass: Any) -> Any:
    @dataclass(frozen=True, slots=True)
    class Part:
        """A part."""

        number: int
        secret: str = dataclasses.field(repr=False)
        kind: ClassVar[str] = "steel"
        notes: list[str] = dataclasses.field(default_factory=list)
        name: str | None = None

    @dataclass(slots=True)
    class Count:
        """A count."""

        of: str
        total: int = 0
        twice: int = dataclasses.field(default=0, kw_only=True)

        def __post_init__(self) -> None:
            self.twice = self.total * 2

    return SimpleNamespace(Part=Part, Count=Count)


STANDARD, OURS = classes(dataclasses.dataclass), classes(dataclass)


def changed(count: Any) -> int:
    count.total = 5
    return int(count.total)


def outcome(of: Callable[[Any], Any], classes: Any) -> Any:
    try:
        return of(classes)
    except Exception as error:
        return type(error)


@pytest.mark.parametrize(
    "of",
    [
        lambda m: repr(m.Part(1, "x")).partition(".")[2],
        lambda m: repr(m.Part(1, secret="x", name="n", notes=["a"])).partition(".")[2],
        lambda m: dataclasses.asdict(m.Part(number=1, secret="x")),
        lambda m: dataclasses.asdict(m.Count("of", 3)),
        lambda m: dataclasses.astuple(dataclasses.replace(m.Part(1, "x"), number=2)),
        lambda m: m.Part(1, "x").notes is m.Part(1, "x").notes,
        lambda m: m.Part(1, "x") == m.Part(1, "x"),
        lambda m: m.Part(1, "x") == m.Part(1, "y"),
        lambda m: m.Part(1, "x") == (1, "x", [], None),
        lambda m: m.Count("a", 1) == m.Count("a", 1),
        lambda m: hash(m.Part(1, "x", ())) == hash(m.Part(1, "x", ())),
        lambda m: hash(m.Part(1, "x")),
        lambda m: hash(m.Count("a")),
        lambda m: m.Part(),
        lambda m: m.Part(1),
        lambda m: m.Part(1, "x", number=2),
        lambda m: m.Part(1, "x", weight=2),
        lambda m: m.Part(1, "x", [], None, 5),
        lambda m: m.Count("a", 1, 2),
        lambda m: setattr(m.Part(1, "x"), "number", 2),
        lambda m: delattr(m.Part(1, "x"), "number"),
        lambda m: setattr(m.Count("a"), "weight", 2),
        lambda m: changed(m.Count("a")),
        lambda m: dataclasses.asdict(copy.deepcopy(m.Part(1, "x", ["a"]))),
        lambda m: m.Part.__match_args__,
        lambda m: [each.name for each in dataclasses.fields(m.Part)],
    ],
)
def test_each_does_as_the_standard_one(of: Callable[[Any], Any]) -> None:
    assert outcome(of, OURS) == outcome(of, STANDARD)


def test_copies_share_nothing() -> None:
    part = OURS.Part(1, "x", ["a"])
    assert copy.deepcopy(part).notes == part.notes
    assert copy.deepcopy(part).notes is not part.notes
