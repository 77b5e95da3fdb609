"""A function's environment, read and checked once, at its start.

Each function declares its variables in a subclass of :class:`Settings`. A missing or malformed variable stops
the start with an error that names it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING
from typing import Any, Literal, Self, dataclass_transform, get_args, get_origin, get_type_hints

from jobticket.dataclass import dataclass, fields


class SettingsError(Exception):
    """A variable of the environment is missing or malformed."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class _Declared:
    """Makes a dataclass of every subclass. Importing pydantic for it takes a fifth of a start."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        dataclass(frozen=True, kw_only=True)(cls)


class Settings(_Declared):
    """Settings of every function. A field's variable is its name in upper case."""

    environment: Literal["local", "dev", "staging", "prod"]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raise ``SettingsError`` if a variable is missing or malformed."""
        hints = get_type_hints(cls)
        return cls(
            **{
                field.name: _read(field.name.upper(), hints[field.name], environment)
                for field in fields(cls)
                if field.default is MISSING or field.name.upper() in environment
            }
        )


def _read(name: str, kind: Any, environment: Mapping[str, str]) -> Any:
    if name not in environment:
        raise SettingsError(f"{name} is missing in the environment")
    text = environment[name]
    if get_origin(kind) is Literal:
        return _one_of(name, text, get_args(kind))
    if kind is bool:
        return _one_of(name, text, ("true", "false")) == "true"
    if kind not in (int, str):
        raise TypeError(f"no setting can be a {kind}")
    try:
        return kind(text)
    except ValueError:
        raise SettingsError(f"{name} must be a whole number, not {text!r}") from None


def _one_of(name: str, text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise SettingsError(f"{name} must be one of {', '.join(choices)}, not {text!r}")
    return text
