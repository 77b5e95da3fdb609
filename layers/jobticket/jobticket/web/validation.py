"""Models of request bodies, and the sentences that tell what is wrong with a body.

A model's fields are checked in the order of their declaration. The first fault becomes the message:
``name is required``, ``steps[2].name must be a string``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from jobticket.errors import InvalidError
from jobticket.shown import with_humps

SHORT_TEXT = 255
LONG_TEXT = 2000
LIST_LENGTH = 100
#: Far above any real quantity, and exact in every JSON parser.
LARGEST_QUANTITY = 1_000_000_000


class Body(BaseModel):
    """A request body: unknown members are ignored, null counts as missing, names are camel case."""

    # Built by the first request that needs it: the first body of a container would wait for all of them.
    model_config = ConfigDict(
        extra="ignore", alias_generator=with_humps, populate_by_name=True, defer_build=True
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            return {name: value for name, value in data.items() if value is not None}
        return data

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Return the body; raise ``InvalidError`` with its first fault."""
        try:
            # Only the documented names: the fields' own names are for code.
            return cls.model_validate(data, by_alias=True, by_name=False)
        except ValidationError as error:
            raise InvalidError(_sentence(error.errors(include_url=False, include_input=False)[0])) from None


def fault(text: str) -> PydanticCustomError:
    """Return the error that says ``<field> <text>``."""
    return PydanticCustomError("fault", "{text}", {"text": text})


def sentence(text: str) -> PydanticCustomError:
    """Return the error that says this text alone."""
    return PydanticCustomError("sentence", "{text}", {"text": text})


def text_within(limit: int) -> Callable[[Any], str]:
    """Return a check for a text of at most so many characters, which is trimmed."""

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise fault("must be a string")
        trimmed = value.strip()
        if len(trimmed) > limit:
            raise fault(f"must be at most {limit} characters")
        return trimmed

    return check


short_text = text_within(SHORT_TEXT)


def one_of(choices: Sequence[str]) -> Callable[[Any], str]:
    """Return a check for one of several words."""

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise fault("must be a string")
        if value.strip() not in choices:
            raise fault(f"must be one of: {', '.join(choices)}")
        return value.strip()

    return check


def filled(otherwise: str) -> AfterValidator:
    def check(value: str) -> str:
        if not value:
            raise fault(otherwise)
        return value

    return AfterValidator(check)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise fault("must be a boolean")
    return value


def number(value: Any) -> int | float:
    """Check for a finite number."""
    infinite = isinstance(value, float) and not math.isfinite(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or infinite:
        raise fault("must be a number")
    return value


def integer(value: Any) -> int:
    """Check for an integer of any size."""
    if number(value) != int(value):
        raise fault("must be an integer")
    return int(value)


def whole_number(*, at_most: int = LARGEST_QUANTITY) -> Callable[[Any], int]:
    """Return a check for a quantity. Its order is part of the API: a number, above 0, an integer."""

    def check(value: Any) -> int:
        if number(value) <= 0:
            raise fault("must be greater than 0")
        if integer(value) > at_most:
            raise fault(f"must be at most {at_most}")
        return int(value)

    return check


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise fault("must be an array")
    if len(value) > LIST_LENGTH:
        raise fault(f"must have at most {LIST_LENGTH} entries")
    return value


def _not_empty(value: Any) -> Any:
    if value == []:
        raise fault("is required")
    return value


#: Trimmed text of at most 255 characters, possibly empty.
ShortText = Annotated[str, BeforeValidator(short_text)]
#: The same; an empty text counts as missing.
RequiredText = Annotated[str, BeforeValidator(short_text), filled("is required")]
#: The same, for an optional field that cannot be empty.
FilledText = Annotated[ShortText, filled("cannot be empty")]
#: Explanations and reasons.
LongText = Annotated[str, BeforeValidator(text_within(LONG_TEXT))]
Flag = Annotated[bool, BeforeValidator(_flag)]
WholeNumber = Annotated[int, BeforeValidator(whole_number())]
ListOf = BeforeValidator(_list)
#: Beside ``ListOf``: an empty list counts as missing.
NotEmpty = BeforeValidator(_not_empty)
#: After any text: an empty one counts as none given.
BlankIsNone = AfterValidator(lambda text: text or None)


def _place(location: tuple[int | str, ...]) -> str:
    place = ""
    for part in location:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else part
    return place


def _sentence(details: ErrorDetails) -> str:
    place = _place(details["loc"])
    match details["type"]:
        case "missing":
            return f"{place} is required"
        case "fault":
            return f"{place} {details['msg']}"
        case "sentence":
            return details["msg"]
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"{place} must be an object"
        case _:
            return f"{place} is not valid"
