"""The documents name only what is there: links lead to files, and paths in the text exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.infrastructure import template

ROOT = Path(__file__).parents[3]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("clients/*/*.md")]
FOLDERS = "benchmarks|docs|events|functions|layers|local|requirements|tests|tools"


def named(text: str) -> Iterator[str]:
    """Yield the paths that a text names in code, but for those with a placeholder."""
    for path in re.findall(rf"`((?:{FOLDERS})/[^`\s]*)`", text):
        if not re.search(r"[<>*…{]", path):
            yield path


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_paths_in_the_text_exist(document: Path) -> None:
    assert [path for path in named(document.read_text()) if not (ROOT / path).exists()] == []


def test_the_costs_count_the_alarms_and_routes_of_the_template() -> None:
    resources = template()["Resources"].values()
    alarms = [
        each for each in resources if each["Type"] == "AWS::CloudWatch::Alarm" and "Condition" not in each
    ]
    events = [event for each in resources for event in each.get("Properties", {}).get("Events", {}).values()]
    routes = [event for event in events if event["Type"] == "Api"]
    text = (ROOT / "docs" / "costs.md").read_text()
    assert f" {len(alarms)} alarms {len(alarms) / 10:.2f}" in text
    assert f" {len(routes)} methods " in text


def test_operations_names_the_defaults_of_parameters() -> None:
    parameters = template()["Parameters"]
    text = (ROOT / "docs" / "operations.md").read_text()
    shown = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([^|]+) \|", text, re.MULTILINE)
    rows = [(re.findall(r"`(\w+)`", names), defaults) for names, defaults in shown]
    described = [(names, defaults) for names, defaults in rows if set(names) <= set(parameters)]
    assert len(described) > 10
    for names, defaults in described:
        for name, default in zip(names, (defaults.split(", ") * 2)[: len(names)], strict=True):
            expected = str(parameters[name].get("Default", "")) or "none"
            assert default.startswith(expected), name
