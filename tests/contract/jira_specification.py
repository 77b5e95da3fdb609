"""Atlassian's published OpenAPI documents, as a judge of requests and answers.

``Specification.request_problems`` and ``answer_problems`` say what is wrong with a call, in words. A call of
REST v2 is judged by the v3 path of the same name: the two differ in rich text only, which is a string in v2
and a document in v3, and that is checked here by hand. Both raise :class:`NotDescribedError` for a call that
the documents do not know.

The documents are not part of this repository: they are looked for in ``JIRA_SPECS_DIR``, or in
``shared/specs`` beside the checkout.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

_FILES = ("jira-platform-v3.json", "jira-software.json")
_SITE_PREFIX = re.compile(r"^(/ex/jira/[^/]+|/sites/[^/]+)(?=/rest/)")

# Where the documents are known to be wrong about what Jira sends: the schema's name, the properties that
# may be null although the document does not say so.
_ALSO_NULL = {
    "ChangeDetails": ("from", "fromString", "to", "toString"),
}
# Answers for which the documents give an example but no schema, though they have one to offer.
_SCHEMA_OF = {
    ("GET", "/rest/agile/1.0/sprint/{sprintId}"): {"$ref": "#/components/schemas/SprintBean"},
    ("GET", "/rest/agile/1.0/sprint/{sprintId}/issue"): {"$ref": "#/components/schemas/SearchResults"},
    ("GET", "/rest/agile/1.0/board/{boardId}/sprint"): {
        "type": "object",
        "required": ["values", "isLast", "maxResults", "startAt"],
        "properties": {"values": {"type": "array", "items": {"$ref": "#/components/schemas/SprintBean"}}},
    },
    # Without globalId it answers a list; the document has the answer with globalId only.
    ("GET", "/rest/api/3/issue/{issueIdOrKey}/remotelink"): {
        "anyOf": [
            {"$ref": "#/components/schemas/RemoteIssueLink"},
            {"type": "array", "items": {"$ref": "#/components/schemas/RemoteIssueLink"}},
        ]
    },
}


class NotDescribedError(LookupError):
    """A call that the published documents do not know."""


def specifications_folder() -> Path | None:
    """Return the folder that holds the documents, if there is one."""
    named = os.environ.get("JIRA_SPECS_DIR")
    folder = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "specs"
    return folder if all((folder / name).is_file() for name in _FILES) else None


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path of one document."""

    method: str
    path: str
    described: dict[str, Any]
    document: int


class Specification:
    """Both documents together."""

    def __init__(self, folder: Path) -> None:
        self._documents = [json.loads((folder / name).read_text(encoding="utf-8")) for name in _FILES]
        for document in self._documents:
            for name, properties in _ALSO_NULL.items():
                for each in properties:
                    document["components"]["schemas"][name]["properties"][each]["nullable"] = True
        self._validators: dict[tuple[int, str], Draft202012Validator] = {}

    @cached_property
    def _components(self) -> list[dict[str, Any]]:
        return [_as_json_schema(document["components"]) for document in self._documents]

    def operation(self, method: str, path: str) -> Operation:
        """Find what describes a call; a path without parameters wins over one with."""
        wanted = described_path(path)
        found = [
            (template.count("{"), template, number, operations)
            for number, document in enumerate(self._documents)
            for template, operations in document["paths"].items()
            if _template_matches(template, wanted)
        ]
        for _, template, number, operations in sorted(found, key=lambda each: each[:3]):
            if method.lower() in operations:
                shared = {"parameters": operations.get("parameters", [])}
                described = dict(operations[method.lower()])
                described["parameters"] = [*shared["parameters"], *described.get("parameters", [])]
                return Operation(method.upper(), template, described, number)
        raise NotDescribedError(f"{method.upper()} {path}")

    def request_problems(
        self, method: str, path: str, query: Mapping[str, Any] | None = None, body: Any = None
    ) -> list[str]:
        """Return what is wrong with a request; nothing if all is well.

        Parameters
        ----------
        path
            As it was called, with or without the gateway's prefix, of version 2 or 3.
        query
            Values by name, a list where a name was repeated.
        body
            The parsed JSON, None for no body.
        """
        operation = self.operation(method, path)
        problems = list(_query_problems(operation, query or {}))
        content = operation.described.get("requestBody", {})
        schema = content.get("content", {}).get("application/json", {}).get("schema")
        if body is None:
            if content.get("required"):
                problems.append("a body is required")
            return problems
        if not content:
            return [*problems, "a body is not expected"]
        if schema:
            problems += self._schema_problems(operation, schema, body)
        return problems + list(_rich_text_problems(path, body))

    def answer_problems(self, method: str, path: str, status: int, body: Any = None) -> list[str]:
        """Return what is wrong with an answer. Errors that the document does not list are taken as they are."""
        operation = self.operation(method, path)
        response = operation.described["responses"].get(str(status))
        if response is None:
            return [] if status >= 400 else [f"status {status} is not described"]
        schema = response.get("content", {}).get("application/json", {}).get("schema")
        if status < 400:
            schema = _SCHEMA_OF.get((operation.method, operation.path), schema)
        if not schema:
            return list(_rich_text_problems(path, body))
        if body is None:
            return ["a body is expected"]
        return self._schema_problems(operation, schema, body) + list(_rich_text_problems(path, body))

    def _schema_problems(self, operation: Operation, schema: dict[str, Any], value: Any) -> list[str]:
        name = json.dumps(schema, sort_keys=True)
        validator = self._validators.get((operation.document, name))
        if validator is None:
            components = self._components[operation.document]
            validator = Draft202012Validator({**_as_json_schema(schema), "components": components})
            self._validators[operation.document, name] = validator
        return [
            f"{'/'.join(str(part) for part in error.absolute_path) or 'body'}: {error.message[:300]}"
            for error in validator.iter_errors(value)
        ]


def described_path(path: str) -> str:
    """Return the path under which the documents would describe a call."""
    plain = _SITE_PREFIX.sub("", path.partition("?")[0])
    return plain.replace("/rest/api/2/", "/rest/api/3/", 1)


def _template_matches(template: str, path: str) -> bool:
    wanted, parts = template.strip("/").split("/"), path.strip("/").split("/")
    return len(wanted) == len(parts) and all(
        name.startswith("{") or name == part for name, part in zip(wanted, parts, strict=True)
    )


def _as_json_schema(schema: Any) -> Any:
    """Turn an OpenAPI 3.0 schema into JSON Schema: ``nullable`` becomes a type."""
    if isinstance(schema, list):
        return [_as_json_schema(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    converted = {
        name: _as_json_schema(value)
        for name, value in schema.items()
        if name not in ("nullable", "example", "xml")
    }
    if schema.get("nullable") is True:
        return {"anyOf": [converted, {"type": "null"}]}
    return converted


def _query_problems(operation: Operation, query: Mapping[str, Any]) -> Iterator[str]:
    known = {each["name"]: each for each in operation.described["parameters"] if each["in"] == "query"}
    for name, each in known.items():
        if each.get("required") and name not in query:
            yield f"query parameter {name} is required"
    for name, value in query.items():
        if name not in known:
            yield f"query parameter {name} is not described"
            continue
        schema = known[name].get("schema", {})
        values = value if isinstance(value, list) else [value]
        if schema.get("type") == "array":
            schema = schema.get("items", {})
            values = [part for each in values for part in str(each).split(",")]
        yield from (
            f"query parameter {name}: {problem}" for each in values for problem in _misfit(schema, str(each))
        )


def _misfit(schema: dict[str, Any], text: str) -> Iterator[str]:
    kind = schema.get("type")
    if kind == "integer" and not re.fullmatch(r"-?\d+", text):
        yield f"{text!r} is not an integer"
    elif kind == "integer" and int(text) > schema.get("maximum", int(text)):
        yield f"{text} is more than {schema['maximum']}"
    elif kind == "boolean" and text.lower() not in ("true", "false"):
        yield f"{text!r} is not a boolean"
    elif "enum" in schema and text not in schema["enum"]:
        yield f"{text!r} is none of {schema['enum']}"


def _rich_text_problems(path: str, value: Any) -> Iterator[str]:
    """Check the descriptions and comments in a body: strings in version 2, documents in version 3."""
    if "/rest/agile/" in path or "/properties/" in path:
        return
    documents = "/rest/api/3/" in path
    for name, text in _rich_texts(value):
        if text is not None and isinstance(text, dict) is not documents:
            yield f"{name} must be a {'document' if documents else 'string'} in this version"


def _rich_texts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        for each in value:
            yield from _rich_texts(each)
    elif isinstance(value, dict):
        fields = value.get("fields")
        if isinstance(fields, dict):
            yield from ((name, fields[name]) for name in ("description", "environment") if name in fields)
            yield from _rich_texts(fields.get("comment"))
        if "body" in value:
            yield "body", value["body"]
        for name in ("issues", "comments"):
            yield from _rich_texts(value.get(name))
