"""Macros in the wiki markup of a description that people wrote: where they stand, and which stays open.

As Jira's renderer has it: a backslash protects a brace; a macro ends at the next tag of its name without
parameters; what stands in between starts no macro that outlives it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

#: Jira's own macros with a body, and those that apps bring from Confluence.
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
    """Return the outermost macros in order. Behind one that stays open others may follow."""
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
    r"""Return what closes off a text, so that a table below it is a table: '' if nothing is open.

    Examples
    --------
    >>> closing("{quote}\n{code}\nx = 1")
    '\n{code}\n{quote}'
    """
    tags = ""
    while name := open_macro(markup + tags):
        tags += f"\n{{{name}}}"
    return tags
