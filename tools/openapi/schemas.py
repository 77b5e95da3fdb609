"""Schemas of bodies, which are pydantic models, and of answers, which are dataclasses."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter

from jobticket.shown import Shown
from jobticket.web.validation import Body

Kind = TypeVar("Kind", Shown, Body)
Mode = Literal["validation", "serialization"]
#: A body is a pydantic model; an answer is shown.
Model = type[BaseModel] | type[Shown]

#: Marks a property that is null without a value, instead of absent.
_NULLABLE = "x-nullable"
_NULL = {"type": "null"}


def schemas_of(models: Iterable[tuple[Model, Mode]]) -> dict[str, Any]:
    """Return the schemas of models and of the models inside them, by name."""
    for kind in _kinds(Shown):
        # pydantic needs this to describe a dataclass; the product itself does not.
        kind.__pydantic_config__ = ConfigDict(  # type: ignore[attr-defined]
            alias_generator=kind.shown_name, json_schema_extra=_describe
        )
    _, definitions = TypeAdapter.json_schemas(
        [(kind.__name__, mode, TypeAdapter[Any](kind)) for kind, mode in models],
        by_alias=True,
        ref_template="#/components/schemas/{model}",
    )
    found: dict[str, Any] = definitions.get("$defs", {})
    for body in _kinds(Body):
        if body.__name__ in found:
            _describe_body(found[body.__name__], body)
    return {name: _without_nulls(schema) for name, schema in found.items()}


def _kinds(base: type[Kind]) -> Iterator[type[Kind]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _kinds(kind)


def _describe_body(schema: dict[str, Any], kind: type[Body]) -> None:
    """Add what the comments of a body's fields say."""
    for name, text in _comments(kind).items():
        schema["properties"][kind.model_fields[name].alias or name]["description"] = text


def _describe(schema: dict[str, Any], kind: type[Shown]) -> None:
    """Add what the types of a dataclass's fields do not say."""
    comments = _comments(kind)
    for name, field in kind.__dataclass_fields__.items():
        described = schema["properties"][kind.shown_name(name)]
        if name in comments:
            described["description"] = comments[name]
        if not kind.is_optional(name) and _NULL in described.get("anyOf", ()):
            described[_NULLABLE] = True
        if isinstance(field.default, Shown):
            described["default"] = field.default.as_json()


def _comments(kind: type) -> dict[str, str]:
    """Return the comments (``#: …``) above the fields of a model, its own and those that it inherits."""
    found: dict[str, str] = {}
    models = [each for each in reversed(kind.__mro__) if issubclass(each, (Shown, Body))]
    for model in models:
        comment: list[str] = []
        for line in inspect.getsource(model).splitlines():
            if said := re.match(r"    #: (.*)", line):
                comment.append(said[1])
                continue
            if comment and (field := re.match(r"    (\w+): (?!ClassVar)", line)):
                found[field[1]] = " ".join(comment)
            comment = []
    return found


def _without_nulls(schema: Any) -> Any:
    """Return the schema without null alternatives and defaults: absent fields are left out, never null."""
    if isinstance(schema, list):
        return [_without_nulls(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    cleaned = {
        name: _without_nulls(value)
        for name, value in schema.items()
        if not (name == "title" and isinstance(value, str))
    }
    if cleaned.get("default", ...) is None:
        del cleaned["default"]
    alternatives = cleaned.get("anyOf")
    if alternatives and _NULL in alternatives and not cleaned.get(_NULLABLE):
        rest = [entry for entry in alternatives if entry != _NULL]
        del cleaned["anyOf"]
        cleaned |= rest[0] if len(rest) == 1 else {"anyOf": rest}
    return cleaned
