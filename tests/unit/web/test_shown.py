"""What the API shows: its JSON, and reading it back from a stored item."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from jobticket.shown import Shown


class Part(Shown):
    name: str
    colour: str | None = None


class LeftOut(Shown):
    shows_null = False

    part_count: int
    seen_by: str | None
    parts: list[Part] | None = None
    is_done: bool = False

    @classmethod
    def shown_name(cls, name: str) -> str:
        return name.replace("_", "-")


def test_null_is_shown_where_the_kind_says_so() -> None:
    assert Part(name="a").as_json() == {"name": "a", "colour": None}


def test_optional_fields_without_a_value_are_left_out_and_required_ones_are_null() -> None:
    assert LeftOut(part_count=0, seen_by=None).as_json() == {
        "part-count": 0,
        "seen-by": None,
        "is-done": False,
    }


def test_what_is_inside_shows_itself() -> None:
    shown = LeftOut(part_count=1, seen_by="x", parts=[Part(name="a", colour="red")])
    assert shown.as_json()["parts"] == [{"name": "a", "colour": "red"}]


def test_other_attributes_of_an_item_play_no_part() -> None:
    assert Part.of({"pk": "P", "name": "a"}) == Part(name="a")


def test_nothing_required_may_be_missing() -> None:
    with pytest.raises(TypeError, match="name"):
        Part.of({"colour": "red"})


def test_it_cannot_be_changed() -> None:
    part = Part(name="a")
    with pytest.raises(FrozenInstanceError):
        part.name = "b"  # type: ignore[misc]
