"""The limits of the house: short files and functions, names used once, and one of each hard thing."""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
DOMAIN = ROOT / "layers" / "jobticket" / "jobticket"
FOLDERS = ("functions", "layers", "local", "tools")
#: Rooms of the same kind, which have the same name in every package.
SHARED_NAMES = {"bodies", "errors", "layout", "model"}
LONGEST_FILE, LONGEST_FUNCTION = 400, 40

#: What is hard to get right, by what only its one place says.
HARD_THINGS = {
    r"\.get\(MARK\)": {"store/unit_of_work.py"},
    r"\.transact\(": {"store/unit_of_work.py"},
    r"\"lease_(owner|until)\"": {"store/lease.py"},
    r"class \w*Lease\b": {"store/lease.py"},
    r"/issue\", json=": {"jira/create_once.py"},
    r"\"properties\": properties": {"jira/comment_once.py"},
    r"\{502, 503, 504\}": {"jira/errors.py"},
    r"from dataclasses import .*\bdataclass\b": {"dataclass.py"},  # a compiled one costs 1 ms at start
}


@functools.cache
def sources() -> dict[Path, str]:
    return {path: path.read_text() for name in FOLDERS for path in sorted((ROOT / name).rglob("*.py"))}


def long_functions(source: str) -> Iterator[str]:
    """Yield the names of functions that are too long without their docstring."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = (ast.get_docstring(node, clean=False) or "").count("\n") + 1
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines - (docstring if ast.get_docstring(node) else 0) > LONGEST_FUNCTION:
                yield node.name


def domain() -> dict[str, str]:
    return {
        str(path.relative_to(DOMAIN)): text for path, text in sources().items() if path.is_relative_to(DOMAIN)
    }


def test_files_are_short() -> None:
    lengths = {str(path.relative_to(ROOT)): text.count("\n") for path, text in sources().items()}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_functions_are_short() -> None:
    found = {str(path.relative_to(ROOT)): [*long_functions(text)] for path, text in sources().items()}
    assert {path: names for path, names in found.items() if names} == {}


def test_a_module_name_stands_for_one_thing() -> None:
    names = Counter(Path(path).stem for path in domain() if not path.endswith("__init__.py"))
    assert {name for name, count in names.items() if count > 1} <= SHARED_NAMES


def test_a_class_name_stands_for_one_thing() -> None:
    names = Counter(name for text in domain().values() for name in re.findall(r"(?m)^class (\w+)", text))
    assert {name for name, count in names.items() if count > 1} == set()


def test_no_module_lists_its_names_twice() -> None:
    assert [path.name for path, text in sources().items() if re.search(r"(?m)^__all__\b", text)] == []


def test_there_is_one_of_each_hard_thing() -> None:
    found = {
        pattern: {path for path, text in domain().items() if re.search(pattern, text)}
        for pattern in HARD_THINGS
    }
    assert found == HARD_THINGS
