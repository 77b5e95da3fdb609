"""What begins or ends a line: headings, quotes, rules, dashes, line breaks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from local.atlassian.adf.keywords import SPACE
from local.atlassian.adf.macros import quoted
from local.atlassian.adf.nodes import SPACES, MisfitError, element
from local.atlassian.adf.reader import DASHES, Found, Kind, Reader, as_text, line_end

_REST: Final = r"([^\n\r\u2028\u2029]*)"
_HEADING: Final = re.compile(rf"h([1-6])\.{_REST}")
_QUOTE: Final = re.compile(rf"bq\.{_REST}")
_RULER: Final = re.compile(rf"-{{4,5}}(?:{SPACE}|\Z)")
_MANY_DASHES: Final = re.compile(rf"-{{4,}}(?:{SPACE}|\Z)")
_NOT_A_FORCED_BREAK: Final = re.compile(rf"[^{SPACES}]*\\")


def _heading(reader: Reader, text: str, at: int) -> Found:
    match = _HEADING.match(text, at)
    if match is None:
        return as_text(text, at)
    content = reader.parse(match[2], DASHES)
    try:
        return Found(len(match[0]), [element("heading", content, {"level": int(match[1])})])
    except MisfitError:
        # A heading cannot hold a picture, say: its text stands without the sign of a heading.
        return Found(len("h1. "))


def _quote(reader: Reader, text: str, at: int) -> Found:
    match = _QUOTE.match(text, at)
    return quoted(reader, match[1], len(match[0])) if match else as_text(text, at)


def _ruler(_reader: Reader, text: str, at: int) -> Found:
    match = _RULER.match(text, at)
    return Found(len(match[0]), [element("rule")]) if match else as_text(text, at)


def _four_dashes(_reader: Reader, text: str, at: int) -> Found:
    match = _MANY_DASHES.match(text, at)
    return as_text(text, at, len(match[0]) if match else 4)


def _dash(length: int, dash: str) -> Callable[[Reader, str, int], Found]:
    def read(_reader: Reader, text: str, at: int) -> Found:
        neighbours = text[max(at - 1, 0) : at] + text[at + length : at + length + 1]
        free = all(char in SPACES for char in neighbours)
        return Found(length, text=dash) if free else as_text(text, at, length)

    return read


def _line_break(_reader: Reader, text: str, at: int) -> Found:
    return Found(line_end(text, at), [element("hardBreak")])


def _forced_break(_reader: Reader, text: str, at: int) -> Found:
    # Two backslashes break a line, unless a path like \\server\share begins with them.
    if text[max(at - 1, 0) : at] == "\\" or _NOT_A_FORCED_BREAK.match(text, at + 2):
        return as_text(text, at, 2)
    return Found(2, [element("hardBreak")])


TOKENS: Final[dict[Kind, Callable[[Reader, str, int], Found]]] = {
    Kind.HEADING: _heading,
    Kind.QUOTE: _quote,
    Kind.RULER: _ruler,
    Kind.FOUR_DASHES: _four_dashes,
    Kind.THREE_DASHES: _dash(3, "—"),
    Kind.TWO_DASHES: _dash(2, "–"),
    Kind.BREAK: _line_break,
    Kind.FORCED_BREAK: _forced_break,
}
