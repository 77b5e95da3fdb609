"""Macros in wiki markup that people wrote: where they are, and which stays open.

In Jira's renderer a backslash protects a brace. A macro ends at the next tag of its name without parameters.
A macro that begins inside another ends with it.
"""

from __future__ import annotations

import re
from bisect import bisect_left

from jobticket.dataclass import dataclass

#: Macros with a body: Jira's own, and those of apps.
_NAMES = {"code", "noformat", "quote", "panel", "color", "adf", "expand", "section", "column"}
_NAMES |= {"info", "note", "tip", "warning"}
_TAG = re.compile(
    r"""
      \\.
    | \{(?P<name>[^{}:\\\s]+) (?P<parameters>:(?:[^{}\\]|\\.)*)? \} (?!\}(?!\}))
    | \{[{*?^_+~-]
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro with a body; ``end`` is None if no tag closes it."""

    name: str
    start: int
    end: int | None


def macros(markup: str) -> list[Macro]:
    """Return the outermost macros in order. Others may follow one that stays open."""
    tags = [found for found in _TAG.finditer(markup) if found["name"] and found["name"].lower() in _NAMES]
    closing: dict[str, list[int]] = {}
    for tag in tags:
        if not tag["parameters"]:
            closing.setdefault(tag["name"], []).append(tag.start())
    found: list[Macro] = []
    done = 0
    for tag in tags:
        if tag.start() < done:
            continue
        name = tag["name"]
        ends = closing.get(name, [])
        next_one = bisect_left(ends, tag.end())
        end = ends[next_one] + len(name) + 2 if next_one < len(ends) else None
        found.append(Macro(name, tag.start(), end))
        done = end or tag.end()
    return found


def open_macro(markup: str) -> str | None:
    """Return the name of the last macro that a text leaves open.

    Examples
    --------
    >>> open_macro("{code:java}int x;"), open_macro("{code}{quote}{code}")
    ('code', None)
    """
    left_open = [macro.name for macro in macros(markup) if macro.end is None]
    return left_open[-1] if left_open else None


def closing(markup: str) -> str:
    r"""Return the tags that close a text's open macros, so that a table below it is a table.

    Examples
    --------
    >>> closing("{quote}\n{code}\nx = 1")
    '\n{code}\n{quote}'
    """
    tags = ""
    while name := open_macro(markup + tags):
        tags += f"\n{{{name}}}"
    return tags
