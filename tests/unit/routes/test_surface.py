"""template.yaml, the handlers and the OpenAPI document have exactly the routes that routes.py declares."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.infrastructure import template
from tools.openapi import document as openapi

ROOT = Path(__file__).parents[3]


def deployed_routes(function: str) -> dict[str, str]:
    """Return the routes that template.yaml gives to the function in a folder, by the names of their events."""
    for resource in template()["Resources"].values():
        properties = resource.get("Properties", {})
        if (
            resource["Type"] == "AWS::Serverless::Function"
            and properties["CodeUri"] == f"functions/{function}/"
        ):
            return {
                name: f"{event['Properties']['Method']} {event['Properties']['Path']}"
                for name, event in properties.get("Events", {}).items()
                if event["Type"] == "Api"
            }
    raise LookupError(f"template.yaml has no function for functions/{function}/")


def declared_routes(function: str) -> dict[str, str]:
    """Return what routes.py declares for a function, by the names that the events have in template.yaml."""
    routes = DECLARED.get(function, ())
    return {f"{route.name[0].upper()}{route.name[1:]}": f"{route.method} {route.path}" for route in routes}


DECLARED = {name: routes.routes for name, routes in openapi.declared()}
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_template_deploys_the_declared_routes_and_each_has_a_handler(function: str, aws: None) -> None:
    module = importlib.import_module(f"functions.{function}.app")
    api = getattr(module, "api", None)
    handled = {f"{route.method} {route.path}" for route in api.routes} if api else set()
    assert deployed_routes(function) == declared_routes(function)
    assert handled == set(declared_routes(function).values())


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_handler_has_the_name_of_its_route(function: str) -> None:
    source = (ROOT / "functions" / function / "app.py").read_text()
    named = re.findall(r'@api\.route\("(\w+)"\)\ndef (\w+)', source)
    assert [(route, name) for route, name in named if re.sub("([A-Z])", r"_\1", route).lower() != name] == []


def test_the_document_names_every_route_for_callers_and_no_other() -> None:
    written: dict[str, Any] = json.loads(openapi.DOCUMENT.read_text())
    documented = {
        f"{method.upper()} {path}" for path, methods in written["paths"].items() for method in methods
    }
    listed = {
        f"{route.method} {route.path}"
        for routes in DECLARED.values()
        for route in routes
        if route.is_listed and route.method != "OPTIONS"
    }
    assert documented == listed
    not_listed = {route.path for routes in DECLARED.values() for route in routes if not route.is_listed}
    assert [path for path in not_listed if path.startswith("/api/")] == []


def test_what_is_made_from_the_routes_is_current() -> None:
    files = openapi.written()
    for path, content in files.items():
        assert path.exists(), f"{path.relative_to(ROOT)} is missing: run make openapi"
        assert path.read_text() == content, f"{path.relative_to(ROOT)} is out of date: run make openapi"
    assert openapi.left_over(files) == []


def test_no_two_routes_have_one_name() -> None:
    names = [route.name for _, routes in openapi.declared() for route in routes.routes]
    assert sorted(names) == sorted(set(names))
