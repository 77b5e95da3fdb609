"""The emulated Jira's converter against the output of the one that Atlassian publishes."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from local.atlassian.adf.from_wiki import to_document
from local.atlassian.adf.reader import Media
from local.atlassian.adf.to_wiki import to_markup
from local.atlassian.adf.validity import is_valid
from tests.contract.jira_specification import specifications_folder

FOLDER = specifications_folder()
CASES = FOLDER / "wiki-documents.json" if FOLDER else None
pytestmark = pytest.mark.skipif(
    CASES is None or not CASES.exists(), reason="Atlassian's converted documents are not here"
)
MEDIA = Media(
    {
        "11111111-aaaa-4bbb-8ccc-000000000001": "photo.png",
        "11111111-aaaa-4bbb-8ccc-000000000002": "drawing.pdf",
    }
)


@cache
def cases(kind: str) -> list[dict[str, Any]]:
    if CASES is None or not CASES.exists():
        return []
    found: list[dict[str, Any]] = json.loads(CASES.read_text(encoding="utf-8"))[kind]
    return found


def test_the_file_has_its_cases() -> None:
    assert (len(cases("documents")), len(cases("markup"))) == (100, 69)


@pytest.mark.parametrize("case", cases("documents"), ids=lambda case: case["name"])
def test_a_document_becomes_markup_and_comes_back(case: dict[str, Any]) -> None:
    assert to_markup(case["document"], MEDIA) == case["markup"]
    assert to_document(case["markup"], MEDIA) == case["written_back"]
    assert to_markup(case["written_back"], MEDIA) == case["read_again"]


@pytest.mark.parametrize("case", cases("markup"), ids=lambda case: case["markup"])
def test_markup_becomes_a_document_and_comes_back(case: dict[str, Any]) -> None:
    document = to_document(case["markup"], MEDIA)
    assert document == case["document"]
    assert to_markup(document, MEDIA) == case["read_back"]


def test_what_the_converter_writes_is_valid() -> None:
    invalid = [case["markup"] for case in cases("markup") if not is_valid(case["document"])]
    # Only a node that a person wrote into the text as it is: a table without rows.
    assert [markup for markup in invalid if "{adf" not in markup] == []
