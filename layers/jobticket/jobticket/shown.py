"""What the API shows: dataclasses that know their JSON.

Not pydantic models, which check what comes in (``jobticket.web.validation``): what goes out was made here or
read from our own tables, and a worker that checks no bodies starts a quarter faster without pydantic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass
from typing import Any, ClassVar, Self, dataclass_transform


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Shown:
    """Something the API shows. Each subclass becomes a frozen dataclass by itself."""

    #: Whether what is None is shown as null. Where it is not, a field whose default is None is left out.
    shows_null: ClassVar[bool] = True
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    #: Each field's name, its name in JSON, and whether it is left out where there is nothing in it.
    _members: ClassVar[list[tuple[str, str, bool]]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        dataclass(frozen=True, kw_only=True)(cls)
        cls._members = [
            (name, cls.shown_name(name), not cls.shows_null and field.default is not MISSING)
            for name, field in cls.__dataclass_fields__.items()
        ]

    @classmethod
    def shown_name(cls, name: str) -> str:
        """Return how a field is called in JSON."""
        return name

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Return one with the fields that a stored item has; what else is in the item plays no part."""
        return cls(**{name: values[name] for name in cls.__dataclass_fields__ if name in values})

    def as_json(self) -> dict[str, Any]:
        """Return the members of the JSON object."""
        shown = {}
        for name, member, is_optional in self._members:
            value = getattr(self, name)
            if value is not None or not is_optional:
                shown[member] = _jsonable(value)
        return shown


def _jsonable(value: Any) -> Any:
    if isinstance(value, Shown):
        return value.as_json()
    if isinstance(value, list):
        return [_jsonable(entry) for entry in value]
    return value
