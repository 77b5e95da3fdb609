"""Any document that Jira Cloud takes, for Hypothesis: built from the structure that Atlassian publishes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from local.atlassian.adf.schema import KINDS, MARKS, Check, Shape
from local.atlassian.adf.validity import is_valid

Node = dict[str, Any]

#: Values of which some fit into each attribute.
_VALUES: tuple[Any, ...] = (
    *("x", "", "1", "\n", "info", "custom", "TODO", "DONE", "center", "wide", "default", "file", "end"),
    *("#ff0000", "red", "inlineComment", "small", "sub", "middle", "pixel", "DEFAULT", "fixed"),
    *(0, 1, 2, 50, 760, True, False),
    *(["x"], [100, 200]),
)
_TEXTS = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=8) | st.sampled_from(
    [
        "plain words",
        "*M4*",
        "{code}",
        "a|b",
        ":)",
        "h1. x",
        "2026-11-22",
        "https://wiki.example/7",
        "- x",
        "--",
    ]
)


@st.composite
def attributes(draw: st.DrawFn, shape: Shape) -> dict[str, Any]:
    optional = {name: check for name, check in shape.optional.items() if draw(st.booleans())}
    checks: Mapping[str, Check] = {**shape.required, **optional}
    return {
        name: draw(st.sampled_from([value for value in _VALUES if check(value)]))
        for name, check in checks.items()
    }


@st.composite
def marks(draw: st.DrawFn, shape: Shape) -> list[Node]:
    names = draw(st.sets(st.sampled_from(sorted(shape.marks)), max_size=3)) if shape.marks else set()
    found = []
    for name in sorted(names):
        attrs = draw(attributes(MARKS[name]))
        found.append({"type": name, **({"attrs": attrs} if attrs else {})})
    return found


@st.composite
def nodes(draw: st.DrawFn, kind: str, depth: int) -> Node:
    shape = KINDS[kind]
    node: Node = {"type": kind}
    if kind == "text":
        node["text"] = draw(_TEXTS)
    if attrs := draw(attributes(shape)):
        node["attrs"] = attrs
    if found := draw(marks(shape)):
        node["marks"] = found
    if shape.content is not None:
        most = min(shape.most or 2, 2) if depth else shape.least
        kinds = sorted(shape.content if depth else _shallow(shape.content))
        count = draw(st.integers(shape.least, max(shape.least, most)))
        node["content"] = [draw(nodes(draw(st.sampled_from(kinds)), max(0, depth - 1))) for _ in range(count)]
    return node


def _shallow(kinds: frozenset[str]) -> frozenset[str]:
    """Return the kinds that need nothing inside, or the nearest to them."""
    leaves = frozenset(kind for kind in kinds if not KINDS[kind].least)
    return leaves or kinds


def documents(depth: int = 3) -> st.SearchStrategy[Node]:
    """Return documents of every kind of node, nested, with all marks."""
    kinds = sorted(KINDS["doc"].content or ())
    top = st.sampled_from(kinds).flatmap(lambda kind: nodes(kind, depth)).filter(_is_sound)
    return st.lists(top, max_size=4).map(document)


def document(content: list[Node]) -> Node:
    return {"type": "doc", "version": 1, "content": content}


def _is_sound(node: Node) -> bool:
    return is_valid(document([node]))
