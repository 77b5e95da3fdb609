"""The OpenAPI document, the sample events and the console's scrap reasons, generated from routes and models.

``python -m tools.openapi.document`` writes them; ``--check`` tells which are out of date.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from jobticket.jobs.model import ScrapReason
from jobticket.web.routes import Route, Routes
from tools.openapi.events import sample_events
from tools.openapi.glossary import GLOSSARY
from tools.openapi.schemas import Mode, Model, schemas_of

ROOT = Path(__file__).parents[2]
#: Where the function that serves it finds the document.
DOCUMENT = ROOT / "functions" / "site" / "openapi.json"
#: What the console offers when a part is scrapped.
REASONS = ROOT / "functions" / "site" / "pages" / "scrap_reasons.js"

#: The schema of an error, by the function that makes its envelope.
ERRORS = {"message_envelope": "Refusal", "error_envelope": "Error", "detail_envelope": "Detail"}

#: What the parameter ``id`` of a path is, by the path's beginning.
IDS = {"jobs": "The job's id.", "paths": "The path's id.", "serials": "The serial number."}

PAGE_TYPE = "text/html"
JSON_TYPE = "application/json"

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


def declared() -> Iterator[tuple[str, Routes]]:
    """Yield the routes of each function that answers HTTP, by the function's name."""
    for path in sorted((ROOT / "functions").glob("*/routes.py")):
        name = path.parent.name
        yield name, importlib.import_module(f"functions.{name}.routes").ROUTES


class Document:
    """Collects paths and schemas."""

    def __init__(self) -> None:
        self.paths: dict[str, dict[str, Any]] = {}
        self._models: dict[tuple[Model, Mode], None] = {}
        self._named: dict[str, Any] = {}

    def add(self, tag: str, routes: Routes) -> None:
        """Add every route of a function."""
        error = ERRORS[routes.envelope.__name__]
        for route in routes.routes:
            if not route.is_listed or route.method == "OPTIONS":
                continue
            self.paths.setdefault(route.path, {})[route.method.lower()] = self._operation(route, tag, error)

    def _operation(self, route: Route, tag: str, error: str) -> dict[str, Any]:
        described: dict[str, Any] = {
            "operationId": route.name,
            "summary": route.summary,
            "tags": [tag],
            "responses": self._responses(route, error),
        }
        access = f"Needs a key with the scope `{route.scope}`." if route.scope else "Public: needs no key."
        described["description"] = " ".join(filter(None, (route.description, access)))
        in_path = [
            {
                "name": name,
                "in": "path",
                "required": True,
                "description": IDS.get(route.path.split("/")[2], GLOSSARY[name])
                if name == "id"
                else GLOSSARY[name],
                "schema": {"type": "string"},
            }
            for name in re.findall(r"\{(\w+)\}", route.path)
        ]
        if parameters := [*in_path, *route.parameters]:
            given = {**route.example.path, **route.example.query, **route.example.headers}
            described["parameters"] = [
                {**each, "example": given[each["name"]]} if each["name"] in given else dict(each)
                for each in parameters
            ]
        if route.body is not None:
            content = {"schema": self._name(route, "Body", self._schema(route.body, "validation"))}
            if route.example.body is not None:
                content["example"] = route.example.body
            described["requestBody"] = {"content": {JSON_TYPE: content}}
        described["security"] = [{"key": []}] if route.scope else []
        if route.scope:
            described["x-scope"] = route.scope
        return described

    def _responses(self, route: Route, error: str) -> dict[str, Any]:
        answers = {status: self._success(status, route) for status in route.answers}
        for status, reason in _errors(route).items():
            content: dict[str, Any] = {JSON_TYPE: {"schema": {"$ref": f"#/components/schemas/{error}"}}}
            if status in route.errors and (route.for_browsers or PAGE_TYPE in route.answers.values()):
                content[PAGE_TYPE] = {}
            answers[status] = {"description": reason, "content": content}
        return {str(status): answers[status] for status in sorted(answers)}

    def _success(self, status: int, route: Route) -> dict[str, Any]:
        schema = route.answers[status]
        answer: dict[str, Any] = {"description": "Success."}
        if isinstance(schema, str):
            answer["content"] = {schema: {}}
        elif schema is not None:
            found = self._name(route, "Answer", self._schema(schema, "serialization"))
            answer["content"] = {JSON_TYPE: {"schema": found}}
        if route.answer_headers:
            answer["headers"] = {
                name: {"description": text, "schema": {"type": "string"}}
                for name, text in route.answer_headers.items()
            }
        return answer

    def _name(self, route: Route, suffix: str, schema: Any) -> Any:
        """Give a body that stands in a route its own schema; routes that are aliases share it."""
        if "$ref" in schema:
            return schema
        operation = route.alias_of or route.name
        name = f"{operation[0].upper()}{operation[1:]}{suffix}"
        if self._named.get(name, schema) != schema:
            raise ValueError(f"{route.name} has two bodies of one name: {name}")
        self._named[name] = schema
        return {"$ref": f"#/components/schemas/{name}"}

    def _schema(self, schema: Any, mode: Mode) -> Any:
        if isinstance(schema, Mapping):
            if "$ref" in schema:
                model = _model(schema["$ref"])
                self._models[(model, mode)] = None
                return {"$ref": f"#/components/schemas/{model.__name__}"}
            return {name: self._schema(value, mode) for name, value in schema.items()}
        if isinstance(schema, list | tuple):
            return [self._schema(value, mode) for value in schema]
        return schema

    def schemas(self) -> dict[str, Any]:
        """Return the schemas of every model that a route names."""
        names = [model.__name__ for model in {model for model, _ in self._models}]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"Two models have one name, which the document cannot tell apart: {twice}")
        found = schemas_of(self._models) | self._named
        if len(found) < len(self._named) + len(set(names)):
            raise ValueError("A route's own body has the name of a model")
        named = {name: found[name] for name in sorted(found)} | ERROR_SCHEMAS
        return {name: _explained(schema) for name, schema in named.items()}


def _explained(schema: Any) -> Any:
    """Return a schema in which every member has a description."""
    if isinstance(schema, list):
        return [_explained(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    explained = {name: _explained(value) for name, value in schema.items()}
    if explained.get("type") == "object":  # a member may be called "properties"
        for name, member in explained.get("properties", {}).items():
            if name in GLOSSARY:
                member.setdefault("description", GLOSSARY[name])
    return explained


def _model(name: str) -> Model:
    module, _, attribute = name.partition(":")
    model: Model = getattr(importlib.import_module(f"jobticket.{module}"), attribute)
    return model


def _errors(route: Route) -> dict[int, str]:
    """Return every refusal of a route, including those that all routes of its kind share."""
    errors = dict(route.errors)
    if route.scope is not None:
        errors[401] = "The key is missing or not known."
        errors.setdefault(403, "The key does not have the scope.")
        errors.setdefault(503, "AWS is busy or failing; `Retry-After` says when to try again.")
    if "{" in route.path:
        errors.setdefault(400, "The path is not percent-encoded UTF-8.")
    errors.setdefault(500, "An unexpected fault.")
    return errors


def build() -> dict[str, Any]:
    """Return the whole document."""
    document = Document()
    for name, routes in declared():
        document.add(name, routes)
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


def written() -> dict[Path, str]:
    """Return the content of every generated file."""
    document = build()
    files = {DOCUMENT: json.dumps(document, indent=1, ensure_ascii=False) + "\n"}
    for function, routes in declared():
        for name, event in sample_events(routes).items():
            files[ROOT / "events" / function / f"{name}.json"] = event
    reasons = json.dumps(get_args(ScrapReason))
    files[REASONS] = f"// Generated by make openapi.\nexport const SCRAP_REASONS = {reasons};\n"
    return files


def left_over(files: Mapping[Path, str]) -> list[Path]:
    """Return the sample events of routes that no longer exist."""
    folders = {path.parent for path in files if path.is_relative_to(ROOT / "events")}
    return sorted({path for folder in folders for path in folder.glob("*.json")} - set(files))


def main() -> int:
    """Write the files, or with ``--check`` tell whether they are current."""
    files = written()
    if "--check" in sys.argv[1:]:
        stale = [path for path, content in files.items() if not path.exists() or path.read_text() != content]
        for path in (*stale, *left_over(files)):
            print(f"{path.relative_to(ROOT)} is out of date: run make openapi", file=sys.stderr)
        return 1 if stale or left_over(files) else 0
    for path in left_over(files):
        path.unlink()
    for path, content in files.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
