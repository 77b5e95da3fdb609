"""Every member of a body or an answer is named by a test or by an example of the document.

This finds a new field that no test knows. It goes by names: a member called ``name`` counts as tested as soon
as any test reads some ``name``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.openapi import document as openapi

TESTS = Path(__file__).parents[2]


def members(schema: Any, where: str) -> Iterator[tuple[str, str]]:
    """Yield each member that a schema describes, with the place where it stands."""
    if isinstance(schema, list):
        for entry in schema:
            yield from members(entry, where)
    if not isinstance(schema, dict):
        return
    for name, member in schema.items():
        if name == "example":
            continue
        if name == "properties":
            for each in member:
                yield where, each
        yield from members(member, where)


def names_in(example: Any) -> Iterator[str]:
    if isinstance(example, dict):
        for name, value in example.items():
            yield name
            yield from names_in(value)
    if isinstance(example, list):
        for entry in example:
            yield from names_in(entry)


def untested(document: dict[str, Any], texts: list[str]) -> list[str]:
    """Return the members that neither a test's text nor an example names."""
    known = {name for text in texts for name in re.findall(r"""(?<=["'])\w+(?=["'])|\w+(?==[^=])""", text)}
    described = [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    for _, operation in described:
        for content in operation.get("requestBody", {}).get("content", {}).values():
            known |= set(names_in(content.get("example")))
    places = [*document["components"]["schemas"].items(), *described]
    found = [(where, name) for where, schema in places for _, name in members(schema, where)]
    return sorted({f"{where}: {name}" for where, name in found if name not in known})


def texts_of_tests() -> list[str]:
    return [path.read_text() for path in TESTS.glob("**/*.py") if path != Path(__file__)]


def test_every_member_is_named_by_a_test_or_an_example() -> None:
    assert untested(openapi.build(), texts_of_tests()) == []


def test_a_new_member_is_found() -> None:
    document = openapi.build()
    job = document["components"]["schemas"]["Job"]
    job["properties"]["brandNew"] = {"type": "string"}
    assert "Job: brandNew" in untested(document, texts_of_tests())
