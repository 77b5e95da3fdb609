"""The sentences that tell what is wrong with a body."""

from __future__ import annotations

import math
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BeforeValidator

from jobticket.errors import InvalidError
from jobticket.web.validation import (
    LARGEST_QUANTITY,
    Body,
    Flag,
    ListOf,
    LongText,
    RequiredText,
    ShortText,
    WholeNumber,
    integer,
    whole_number,
)


class Part(Body):
    part_name: RequiredText


class Whole(Body):
    first_name: RequiredText
    quantity: WholeNumber
    tag: ShortText | None = None
    note: LongText | None = None
    flag: Flag = False
    parts: Annotated[list[Part], ListOf] | None = None
    part: Part | None = None
    index: Annotated[int, BeforeValidator(integer)] | None = None


VALID: dict[str, Any] = {"firstName": "A", "quantity": 1}


def message(body: dict[str, Any]) -> str | None:
    try:
        Whole.parse(body)
    except InvalidError as refusal:
        return refusal.message
    return None


def test_the_first_field_at_fault_makes_the_message() -> None:
    body: dict[str, Any] = {"tag": 1, "note": 1, "flag": 1, "parts": [{}], "part": {}}
    assert message(body) == "firstName is required"
    assert message(body | {"firstName": "A"}) == "quantity is required"
    body |= VALID
    for field, expected, right in [
        ("tag", "tag must be a string", "x"),
        ("note", "note must be a string", "x"),
        ("flag", "flag must be a boolean", True),
        ("parts", "parts[0].partName is required", []),
        ("part", "part.partName is required", {"partName": "x"}),
    ]:
        assert message(body) == expected
        body[field] = right
    assert message(body) is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"firstName": None}, "firstName is required"),
        ({"firstName": ""}, "firstName is required"),
        ({"firstName": " \t\n\u00a0\u3000"}, "firstName is required"),
        ({"firstName": ["A"]}, "firstName must be a string"),
        ({"firstName": "x" * 256}, "firstName must be at most 255 characters"),
        ({"firstName": "💡" * 255}, None),
        ({"firstName": " " + "x" * 255 + " "}, None),
        ({"note": "x" * 2000}, None),
        ({"note": "x" * 2001}, "note must be at most 2000 characters"),
        ({"flag": 0}, "flag must be a boolean"),
        ({"flag": "false"}, "flag must be a boolean"),
        ({"flag": None}, None),
        ({"parts": None}, None),
        ({"parts": {}}, "parts must be an array"),
        ({"parts": "ab"}, "parts must be an array"),
        ({"parts": [{"partName": "x"}] * 100}, None),
        ({"parts": [{"partName": "x"}] * 101}, "parts must have at most 100 entries"),
        ({"parts": [{"partName": "x"}, {"partName": None}]}, "parts[1].partName is required"),
        ({"parts": [None]}, "parts[0] must be an object"),
        ({"parts": [[]]}, "parts[0] must be an object"),
        ({"part": []}, "part must be an object"),
        ({"part": "x"}, "part must be an object"),
        ({"unknown": {"deep": [1]}}, None),
    ],
)
def test_each_fault_has_its_sentence(change: dict[str, Any], expected: str | None) -> None:
    assert message(VALID | change) == expected


@pytest.mark.parametrize(
    "body", [{"first_name": "A", "quantity": 1}, VALID | {"parts": [{"part_name": "x"}]}]
)
def test_only_the_documented_names_count(body: dict[str, Any]) -> None:
    """A model's own names, in snake case, are unknown members."""
    assert str(message(body)).endswith("ame is required")


def test_texts_are_trimmed() -> None:
    body = Whole.parse(VALID | {"firstName": "\t A b \u00a0", "tag": "  "})
    assert (body.first_name, body.tag) == ("A b", "")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("5", "must be a number"),
        (True, "must be a number"),
        ({}, "must be a number"),
        (math.nan, "must be a number"),
        (math.inf, "must be a number"),
        (-math.inf, "must be a number"),
        (0, "must be greater than 0"),
        (-0.0, "must be greater than 0"),
        (-0.5, "must be greater than 0"),
        (-(10**400), "must be greater than 0"),
        (0.5, "must be an integer"),
        (1.5e9 + 0.5, "must be an integer"),
        (LARGEST_QUANTITY + 1, f"must be at most {LARGEST_QUANTITY}"),
        (1e300, f"must be at most {LARGEST_QUANTITY}"),
        (10**4000, f"must be at most {LARGEST_QUANTITY}"),
        (LARGEST_QUANTITY, None),
        (7.0, None),
        (1, None),
    ],
)
def test_a_quantity_is_checked_in_the_documented_order(value: Any, expected: str | None) -> None:
    assert message(VALID | {"quantity": value}) == (expected and f"quantity {expected}")


def test_a_whole_float_is_the_integer() -> None:
    quantity = Whole.parse(VALID | {"quantity": 7.0}).quantity
    assert (quantity, type(quantity)) == (7, int)


@given(st.one_of(st.integers(), st.floats()))
def test_what_passes_is_a_whole_number_in_range(value: float) -> None:
    try:
        checked = whole_number(at_most=1000)(value)
    except Exception:
        assert not (math.isfinite(value) and 0 < value <= 1000 and value == int(value))
    else:
        assert checked == value
        assert type(checked) is int
        assert 1 <= checked <= 1000


@given(st.integers())
def test_an_index_may_be_any_integer(value: int) -> None:
    assert Whole.parse(VALID | {"index": value}).index == value


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["firstName", "partName", "x"]), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    st.sampled_from(sorted(["firstName", "quantity", "tag", "note", "flag", "parts", "part", "index"])),
)
def test_no_body_is_a_fault(value: Any, field: str) -> None:
    """Whatever a member holds, the answer is a sentence about it or the model."""
    fault = message(VALID | {field: value})
    assert fault is None or fault.startswith((field, "part"))
    assert fault is None or "is not valid" not in fault
