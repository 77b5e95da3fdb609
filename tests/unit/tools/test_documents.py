"""The documents name only what is there: links lead to files, and paths in the text exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

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
