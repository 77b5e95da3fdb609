"""The surface is one: template.yaml, the handlers and the OpenAPI document name the same routes."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.infrastructure import template
from tools.openapi import document as openapi

ROOT = Path(__file__).parents[3]


def deployed_routes(function: str) -> set[str]:
    """Return the routes that template.yaml gives to the function in a folder."""
    for resource in template()["Resources"].values():
        properties = resource.get("Properties", {})
        if (
            resource["Type"] == "AWS::Serverless::Function"
            and properties["CodeUri"] == f"functions/{function}/"
        ):
            events = [event for event in properties.get("Events", {}).values() if event["Type"] == "Api"]
            return {f"{event['Properties']['Method']} {event['Properties']['Path']}" for event in events}
    raise LookupError(f"template.yaml has no function for functions/{function}/")


FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_template_and_the_handler_name_the_same_routes(function: str, aws: None) -> None:
    module = importlib.import_module(f"functions.{function}.app")
    api = getattr(module, "api", None)
    handled = {f"{route.method} {route.path}" for route in api.routes} if api else set()
    assert handled == deployed_routes(function)


def test_the_document_names_every_route_and_no_other(aws: None) -> None:
    written: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text())
    documented = {
        f"{method.upper()} {path}" for path, methods in written["paths"].items() for method in methods
    }
    deployed = {route for function in FUNCTIONS for route in deployed_routes(function)}
    assert documented == deployed


def test_the_written_document_is_current(aws: None) -> None:
    text = json.dumps(openapi.build(), indent=1, ensure_ascii=False) + "\n"
    for path in openapi.DOCUMENTS:
        assert path.read_text() == text, f"{path.relative_to(ROOT)} is out of date: run make openapi"
