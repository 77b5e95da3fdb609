"""What the generated document refuses to be made from."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from pydantic import create_model

from jobticket.web.routes import Route, Routes, message_envelope, model
from tools.openapi.document import Document


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
