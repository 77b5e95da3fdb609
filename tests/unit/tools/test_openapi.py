"""What the generated document refuses to be made from."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from pydantic import create_model

from jobticket.web.routes import Route, Routes, message_envelope, model
from tools.openapi.document import Document, build


def route_with(monkeypatch: pytest.MonkeyPatch, module: str, body: str) -> Route:
    """Return a route whose body is a model of that name, in a module of that name."""
    found = ModuleType(f"jobticket.{module}")
    setattr(found, body, create_model(body))
    monkeypatch.setitem(sys.modules, found.__name__, found)
    return Route(
        f"put{module}", "PUT", f"/{module}", None, "Put it", {204: None}, body=model(f"{module}:{body}")
    )


def test_models_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    document = Document()
    document.add("jobs", Routes(message_envelope, [route_with(monkeypatch, "one", "Thing")]))
    assert document.schemas()
    document.add("jobs", Routes(message_envelope, [route_with(monkeypatch, "two", "Thing")]))
    with pytest.raises(ValueError, match=r"Two models have one name.*Thing"):
        document.schemas()


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return build()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def members(schema: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each member of the objects that a schema describes."""
    if isinstance(schema, list):
        for entry in schema:
            yield from members(entry, where)
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            for name, member in schema.get("properties", {}).items():
                yield f"{where}.{name}", member
        for value in schema.values():
            yield from members(value, where)


def test_every_operation_is_a_verb_and_says_what_it_does(document: dict[str, Any]) -> None:
    for where, operation in operations(document):
        assert re.match(r"[a-z]+[A-Z]", operation["operationId"]), where
        assert len(operation["description"]) > len("Public."), where
        assert operation["summary"][0].isupper(), where
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], where
        if "requestBody" in operation:
            assert operation["requestBody"]["content"]["application/json"]["example"], where


def test_every_body_has_a_name_and_every_refusal_a_body(document: dict[str, Any]) -> None:
    for where, operation in operations(document):
        for status, answer in operation["responses"].items():
            for kind, content in answer.get("content", {}).items():
                assert "json" not in kind or content["schema"].keys() == {"$ref"}, (where, status)
            assert status < "400" or answer["content"]["application/json"], (where, status)


def test_every_member_says_what_it_is(document: dict[str, Any]) -> None:
    found = [*document["components"]["schemas"].items(), *operations(document)]
    unexplained = {
        path
        for where, schema in found
        for path, member in members(schema, where)
        if "description" not in member
    }
    assert unexplained == set()
