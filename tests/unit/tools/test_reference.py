"""The reference pages say what the code does: every status, envelope and setting that there is, and no other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jobticket_client import errors

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "docs" / "reference"
DOCUMENT = json.loads((ROOT / "functions" / "site" / "openapi.json").read_text())
#: The schema of an error, by the member that holds its text.
ENVELOPES = {"message": "Refusal", "error": "Error", "detail": "Detail"}
#: Pages of browsers, and documents: their errors are the gateway's.
NO_FAMILY = ("/health", "/openapi.json", "/finalize-connection")


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading."""
    section = (REFERENCE / page).read_text().partition(f"## {heading}\n")[2]
    (table, *_) = re.findall(r"(?:^\| .*\n)+", section, re.MULTILINE)
    return [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]


def refusals() -> Iterator[tuple[str, str, str]]:
    """Yield path, status and schema of every error that the OpenAPI document has."""
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                if status >= "400":
                    for content in answer.get("content", {}).values():
                        yield path, status, content.get("schema", {}).get("$ref", "").rsplit("/", 1)[-1]


def test_every_status_has_its_cause_and_its_cure() -> None:
    table = rows("errors.md", "Codes")
    assert {status[:3] for status, _, _ in table} == {status for _, status, _ in refusals()}
    assert [row for row in table if not all(len(cell) > 3 for cell in row[1:])] == []


def test_every_family_has_its_envelope() -> None:
    told = {
        prefix: ENVELOPES[re.findall(r'"(\w+)": "', body)[-1]]
        for _, prefixes, body in rows("errors.md", "Three envelopes")
        for prefix in re.findall(r"`(\S+)`", prefixes)
    }
    found: dict[str, set[str]] = {prefix: set() for prefix in told}
    strays = []
    for path, status, schema in refusals():
        if path.startswith(NO_FAMILY):
            continue
        (*_, family) = ["", *(prefix for prefix in told if path.startswith(prefix))]
        if not family:
            strays.append((path, status))
        elif schema in ENVELOPES.values():
            found[family].add(schema)
    assert strays == []
    assert found == {prefix: {schema} for prefix, schema in told.items()}


def test_the_clients_errors_stand_for_the_statuses_that_their_tree_names() -> None:
    tree = re.findall(r"── (\w+) +([\d, ]+)", errors.__doc__ or "")
    named = {status: name for name, statuses in tree for status in re.findall(r"\d{3}", statuses)}
    for _, status, _ in refusals():
        body: dict[str, Any] = {"message": "no"}
        told = errors.error_of(int(status), body, errors.Unavailable, operation="listJobs")
        assert type(told).__name__ == named[status]


def test_every_variable_of_the_local_stack_is_listed() -> None:
    read = (ROOT / "local" / "settings.py").read_text()
    variables = set(re.findall(r'environment(?:\.get\(|, )"([A-Z_]+)"', read))
    listed = {name.strip("`").split("`")[0] for name, _, _ in rows("settings.md", "The local stack")}
    assert listed == variables | {"PYTHON"}  # which make reads
