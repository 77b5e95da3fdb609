"""Packages of the domain import each other one way only, as docs/architecture.md draws it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

DOMAIN = Path(__file__).parents[3] / "layers" / "jobticket" / "jobticket"
#: What each package may import of the others.
ARROWS = {
    "store": set[str](),
    "http": set[str](),
    "web": {"store"},
    "history": {"store"},
    "jobs": {"store", "web", "history"},
    "jira": {"http"},
    "connections": {"store", "web", "http", "jira", "history"},
    "push": {"store", "web", "http", "jira", "connections", "jobs", "history"},
    "ticketing": {"store", "web", "http", "jira", "connections", "history"},
}
PACKAGES = sorted(path.parent.name for path in DOMAIN.glob("*/__init__.py"))


def imported(path: Path) -> Iterator[str]:
    """Yield the packages of the domain that a file imports, also within its functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (name.split(".")[1] for name in names if name.startswith("jobticket."))


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_is_below_it(package: str) -> None:
    found = {name for path in (DOMAIN / package).rglob("*.py") for name in imported(path)}
    assert (found & set(PACKAGES)) - {package} <= ARROWS[package]


def test_what_all_share_imports_no_package() -> None:
    found = {name for path in DOMAIN.glob("*.py") for name in imported(path)}
    assert not found & set(PACKAGES)
