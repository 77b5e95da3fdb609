"""What the API shows: dataclasses that know their JSON.

They are not pydantic models (``jobticket.web.validation``), because what goes out needs no check. No function
starts with pydantic: its import is a fifth of a start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field
from typing import Any, ClassVar, Self, dataclass_transform

from jobticket.dataclass import dataclass


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Shown:
    """Something the API shows. Each subclass becomes a frozen dataclass."""

    #: Whether None is shown as null. If not, an optional field without a value is left out.
    shows_null: ClassVar[bool] = True
    #: Fields that are left out without a value even so.
    left_out: ClassVar[tuple[str, ...]] = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    #: Each field's name, its name in JSON, and whether it is left out without a value.
    _members: ClassVar[list[tuple[str, str, bool]]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        dataclass(frozen=True, kw_only=True)(cls)
        cls._members = [
            (name, cls.shown_name(name), cls.is_optional(name)) for name in cls.__dataclass_fields__
        ]

    @classmethod
    def is_optional(cls, name: str) -> bool:
        """Tell whether a field is left out without a value."""
        has_default = cls.__dataclass_fields__[name].default is not MISSING
        return has_default and (not cls.shows_null or name in cls.left_out)

    @classmethod
    def shown_name(cls, name: str) -> str:
        return name

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Return one from a stored item, whose other attributes are ignored."""
        return cls(**{name: values[name] for name in cls.__dataclass_fields__ if name in values})

    def as_json(self) -> dict[str, Any]:
        shown = {}
        for name, member, is_optional in self._members:
            value = getattr(self, name)
            if value is not None or not is_optional:
                shown[member] = jsonable(value)
        return shown


def with_humps(name: str) -> str:
    """Write a snake-case name in camel case."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def jsonable(value: Any) -> Any:
    """Return a value of a field as JSON has it."""
    if isinstance(value, Shown):
        return value.as_json()
    if isinstance(value, list):
        return [jsonable(entry) for entry in value]
    return value
