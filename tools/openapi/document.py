"""Puts the document together: ``python -m tools.openapi.document`` writes it, ``--check`` compares."""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from jobticket.shown import Shown
from tools.openapi.operation import Operation
from tools.openapi.page import page
from tools.openapi.schemas import Mode, schemas_of

ROOT = Path(__file__).parents[2]
#: Where the document stands for people, where the site function finds it, and the page made from it.
DOCUMENTS = (ROOT / "docs" / "openapi.json", ROOT / "functions" / "site" / "openapi.json")
PAGE = ROOT / "functions" / "site" / "docs.html"

#: What each function reads at its start; making the document calls nothing.
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "eu-west-1",
    "ENVIRONMENT": "local",
    "JOBS_TABLE": "jobs",
    "CONNECTIONS_TABLE": "connections",
    "TICKETING_TABLE": "ticketing",
    "TICKET_EVENTS_QUEUE": "https://sqs.eu-west-1.amazonaws.com/123456789012/ticket-events.fifo",
    "PUSH_QUEUE": "https://sqs.eu-west-1.amazonaws.com/123456789012/pushes",
    "PUSH_SITE_CONCURRENCY": "5",
    "PUSH_SCHEDULER_FUNCTION": "push-scheduler",
    "KEY_RING_SECRET": "key-ring",
    "ATLASSIAN_APP_SECRET": "atlassian-app",
    "ATLASSIAN_SCOPES": "read:jira-work",
    "ENCRYPTION_KEY": "alias/jobticket",
    "ALLOW_PRIVATE_HOSTS": "false",
    "PUBLIC_URL": "http://127.0.0.1:8000",
}

#: The member that carries an error's text, by family.
FAMILIES = {"message_envelope": "Refusal", "error_envelope": "Error", "detail_envelope": "Detail"}

PAGE_TYPE = "text/html"

ERROR_SCHEMAS: dict[str, Any] = {
    "Refusal": {
        "type": "object",
        "properties": {"statusCode": {"type": "integer"}, "message": {"type": "string"}},
        "required": ["statusCode", "message"],
    },
    "Error": {
        "type": "object",
        "properties": {"error": {"type": "string"}, "needs_reauthorization": {"type": "boolean"}},
        "required": ["error"],
    },
    "Detail": {"type": "object", "properties": {"detail": {"type": "string"}}, "required": ["detail"]},
}


def functions() -> Iterator[tuple[str, ModuleType]]:
    """Yield each function that answers HTTP, by name."""
    for path in sorted((ROOT / "functions").glob("*/app.py")):
        module = importlib.import_module(f"functions.{path.parent.name}.app")
        if hasattr(module, "api"):
            yield path.parent.name, module


def operations(function: str) -> Mapping[str, Operation]:
    """Return a function's entries by ``METHOD /path``."""
    entries: Mapping[str, Operation] = importlib.import_module(f"tools.openapi.{function}").OPERATIONS
    return entries


class Document:
    """Collects paths and schemas."""

    def __init__(self) -> None:
        self.paths: dict[str, dict[str, Any]] = {}
        self._models: dict[tuple[type[BaseModel] | type[Shown], Mode], None] = {}

    def add(self, tag: str, module: ModuleType) -> None:
        """Add every route of a function."""
        entries = operations(tag)
        family = FAMILIES[module.api.envelope.__name__]
        for route in module.api.routes:
            entry = entries[f"{route.method} {route.path}"]
            described = self._operation(entry, route, tag, family)
            self.paths.setdefault(route.path, {})[route.method.lower()] = described

    def _operation(self, entry: Operation, route: Any, tag: str, family: str) -> dict[str, Any]:
        path_parameters = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in re.findall(r"\{(\w+)\}", route.path)
        ]
        described: dict[str, Any] = {
            "operationId": _operation_id(route),
            "summary": entry.summary,
            "tags": [tag],
            "responses": self._responses(entry, family, route),
        }
        if entry.description:
            described["description"] = entry.description
        if path_parameters or entry.parameters:
            described["parameters"] = [*path_parameters, *map(dict, entry.parameters)]
        if entry.body is not None:
            schema = self._schema(entry.body, "validation")
            described["requestBody"] = {"content": {"application/json": {"schema": schema}}}
        described["security"] = [{"key": []}] if route.scope else []
        if route.scope:
            described["x-scope"] = route.scope
        return described

    def _responses(self, entry: Operation, family: str, route: Any) -> dict[str, Any]:
        errors = dict(entry.errors)
        if route.scope is not None:
            errors[401] = "The key is missing or not known."
            errors.setdefault(403, "The key does not have the scope.")
            errors.setdefault(503, "AWS is busy or in trouble; `Retry-After` says when to try again.")
        if "{" in route.path:
            errors.setdefault(400, "The path is not percent-encoded UTF-8.")
        errors[500] = errors.get(500, "An unexpected fault.")
        answers = {status: self._success(status, entry) for status in entry.success}
        for status, reason in errors.items():
            content: dict[str, Any] = {
                "application/json": {"schema": {"$ref": f"#/components/schemas/{family}"}}
            }
            if status in entry.errors and (entry.for_browsers or PAGE_TYPE in entry.success.values()):
                content[PAGE_TYPE] = {}
            answers[status] = {"description": reason, "content": content}
        return {str(status): answers[status] for status in sorted(answers)}

    def _success(self, status: int, entry: Operation) -> dict[str, Any]:
        schema = entry.success[status]
        answer: dict[str, Any] = {"description": "Success."}
        if isinstance(schema, str):
            answer["content"] = {schema: {}}
        elif schema is not None:
            answer["content"] = {"application/json": {"schema": self._schema(schema, "serialization")}}
        if entry.answer_headers:
            answer["headers"] = {
                name: {"description": text, "schema": {"type": "string"}}
                for name, text in entry.answer_headers.items()
            }
        return answer

    def _schema(self, schema: Any, mode: Mode) -> Any:
        if isinstance(schema, type) and issubclass(schema, BaseModel | Shown):
            self._models[(schema, mode)] = None
            return {"$ref": f"#/components/schemas/{schema.__name__}"}
        if isinstance(schema, Mapping):
            return {name: self._schema(value, mode) for name, value in schema.items()}
        if isinstance(schema, list | tuple):
            return [self._schema(value, mode) for value in schema]
        return schema

    def schemas(self) -> dict[str, Any]:
        """Return the schemas of every model that an entry names."""
        found = schemas_of(self._models)
        return {name: found[name] for name in sorted(found)} | ERROR_SCHEMAS


def _operation_id(route: Any) -> str:
    words = re.findall(r"\w+", route.path.removeprefix("/api/"))
    return "-".join([route.method.lower(), *(word.replace("_", "-").lower() for word in words)])


def build() -> dict[str, Any]:
    """Return the whole document."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)  # what a test has set stays
    document = Document()
    for name, module in functions():
        document.add(name, module)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Jobticket",
            "version": version,
            "description": "Connects production to Jira: jobs, Jira connections, and tickets for anomalies.",
        },
        "servers": [{"url": "/"}],
        "paths": dict(sorted(document.paths.items())),
        "components": {
            "schemas": document.schemas(),
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key of the ring; x-scope names the scope that a route needs.",
                }
            },
        },
    }


def main() -> int:
    """Write the document and its page, or with ``--check`` say whether the written ones are current."""
    document = build()
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    wanted = dict.fromkeys(DOCUMENTS, text) | {PAGE: page(document)}
    if "--check" in sys.argv[1:]:
        stale = [path for path, content in wanted.items() if not path.exists() or path.read_text() != content]
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date: run make openapi", file=sys.stderr)
        return 1 if stale else 0
    for path, content in wanted.items():
        path.write_text(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
