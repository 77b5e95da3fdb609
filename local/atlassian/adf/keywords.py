"""The beginnings of tokens. Where several fit, the one that is listed first is meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from local.atlassian.adf.nodes import SPACES
from local.atlassian.adf.reader import Kind

MAX_LIST_DEPTH: Final = 20
SPACE: Final = "[" + SPACES + "]"

_Table = Sequence[tuple[str, Kind]]
_MACROS: Final[_Table] = (
    (r"(?i:\{adf)", Kind.ADF),
    (r"(?i:\{anchor)", Kind.ANCHOR),
    (r"(?i:\{code)", Kind.CODE),
    (r"(?i:\{quote)", Kind.QUOTE_MACRO),
    (r"(?i:\{noformat)", Kind.NOFORMAT),
    (r"(?i:\{panel)", Kind.PANEL),
    (r"\{color", Kind.COLOR),
    (r"(?i:\{loremipsum)", Kind.LOREM),
)
_LEADING: Final[_Table] = (
    (r"bq\.", Kind.QUOTE),
    (r"h[1-6]\.", Kind.HEADING),
    (rf"-{{4,5}}(?:{SPACE}|\Z)", Kind.RULER),
    (rf"-{{3}}{SPACE}", Kind.THREE_DASHES),
    (rf"-{{2}}{SPACE}", Kind.TWO_DASHES),
    (rf"(?:[*#]{{1,{MAX_LIST_DEPTH}}}|-) ", Kind.LIST),
    (r"\|", Kind.TABLE),
)
_MARK_SIGNS: Final = (
    ("-", Kind.DELETED),
    ("+", Kind.INSERTED),
    ("*", Kind.STRONG),
    ("^", Kind.SUPERSCRIPT),
    ("~", Kind.SUBSCRIPT),
    ("_", Kind.EMPHASIS),
    ("{{", Kind.MONOSPACE),
    ("??", Kind.CITATION),
)
_OTHER: Final[_Table] = (
    (r"\[", Kind.LINK),
    (r"http|ftp|jamfselfservice|irc|mailto", Kind.URL),
    (r"\\\\", Kind.FORCED_BREAK),
    (r"[\r\n]", Kind.BREAK),
    ("!", Kind.MEDIA),
    ("----", Kind.FOUR_DASHES),
    ("---", Kind.THREE_DASHES),
    ("--", Kind.TWO_DASHES),
    *((re.escape("{" + sign + "}"), kind) for sign, kind in _MARK_SIGNS),
    *((re.escape(sign), kind) for sign, kind in _MARK_SIGNS),
    # Only a possible one: most colons and brackets are nothing of the sort.
    ("[:(;]", Kind.EMOJI),
)


class _Finder:
    """One expression for a whole table: which of its groups matched tells the kind."""

    def __init__(self, table: _Table) -> None:
        self._kinds = [kind for _, kind in table]
        self._pattern = re.compile("|".join(f"({expression})" for expression, _ in table))

    def __call__(self, text: str, at: int) -> Kind | None:
        match = self._pattern.match(text, at)
        return self._kinds[match.lastindex - 1] if match and match.lastindex else None


macro_keyword: Final = _Finder(_MACROS)
leading_keyword: Final = _Finder(_LEADING)
other_keyword: Final = _Finder(_OTHER)
