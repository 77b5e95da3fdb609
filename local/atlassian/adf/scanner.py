"""The scanner of wiki markup: finds the next token, and puts line breaks and paragraphs where Jira does."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

from local.atlassian.adf import emoji, lines, links, lists, macros, marks, media, tables
from local.atlassian.adf.keywords import leading_keyword, macro_keyword, other_keyword
from local.atlassian.adf.nodes import MisfitError, Node, is_block, normalised, texts
from local.atlassian.adf.reader import NOTHING, Found, Kind, Media, Reader, as_text, unescape

_TOKENS: Final[dict[Kind, Callable[[Reader, str, int], Found]]] = {
    **emoji.TOKENS,
    **lines.TOKENS,
    **links.TOKENS,
    **lists.TOKENS,
    **macros.TOKENS,
    **marks.TOKENS,
    **media.TOKENS,
    **tables.TOKENS,
}
_BLANKS: Final = re.compile(r"[ \t]*")
# No token begins with any of these.
_PLAIN: Final = re.compile(r"[^\[hfjim\\\r\n!{+*^~_?:(;\-]+")


@dataclass(frozen=True, slots=True)
class Scanner:
    """A :class:`~local.atlassian.adf.reader.Reader` for the texts of one issue."""

    media: Media = field(default_factory=Media)

    def parse(
        self, text: str, ignored: Collection[Kind] = NOTHING, *, leading_space: bool = False
    ) -> list[Node]:
        """Return the nodes of a text, blocks and what stands in lines side by side."""
        return _Pass(self, text, ignored, leading_space).run()

    def token(self, kind: Kind, text: str, at: int) -> Found:
        """Read one token; what cannot be read is the character it begins with."""
        read = _TOKENS.get(kind)
        if read is None:
            return as_text(text, at)
        try:
            return read(self, text, at)
        except MisfitError:
            return as_text(text, at)


class _Pass:
    """One pass over one text."""

    def __init__(self, scanner: Scanner, text: str, ignored: Collection[Kind], leading_space: bool) -> None:
        self._scanner = scanner
        self._text = text
        self._ignored = ignored
        self._leading_space = leading_space
        self._at = 0
        self._plain: list[str] = []
        self._breaks: list[Node] = []
        self._done: list[Node] = []
        self._nodes: list[Node] = []

    def run(self) -> list[Node]:
        line_starts = True
        while self._at < len(self._text):
            if not line_starts and (run := _PLAIN.match(self._text, self._at)):
                self._plain.append(run[0])
                self._at = run.end()
                continue
            kind = self._first_of_line() if line_starts else self._keyword()
            if kind is None or kind in self._ignored:
                if not line_starts:
                    self._character()
                line_starts = False
            else:
                self._take(kind)
                line_starts = kind is Kind.BREAK
        return self._end()

    def _first_of_line(self) -> Kind | None:
        blanks = _BLANKS.match(self._text, self._at)
        if blanks and blanks[0]:
            self._at = blanks.end()
            if self._leading_space:
                self._plain += blanks[0]
        if self._at >= len(self._text):
            return None
        return (
            leading_keyword(self._text, self._at)
            or macro_keyword(self._text, self._at)
            or other_keyword(self._text, self._at)
        )

    def _keyword(self) -> Kind | None:
        # A brace that turned out to be one is not the beginning of a macro with the next character either.
        after_brace = bool(self._plain) and self._plain[-1].endswith("{")
        macro = None if after_brace else macro_keyword(self._text, self._at)
        return macro or other_keyword(self._text, self._at)

    def _character(self) -> None:
        if self._text[self._at] == "\\":
            self._plain.append(unescape(self._text, self._at))
            self._at += 2
        else:
            self._plain.append(self._text[self._at])
            self._at += 1

    def _take(self, kind: Kind) -> None:
        found = self._scanner.token(kind, self._text, self._at)
        self._at += found.length
        if found.nodes is None:
            self._plain.append(found.text)
            return
        self._paragraph_ends(kind, found.nodes)
        self._line_breaks(found.nodes)
        self._nodes += texts("".join(self._plain))
        self._plain = []
        if kind is Kind.BREAK:
            self._breaks += found.nodes
        elif found.nodes:
            self._nodes += found.nodes
            self._breaks = []

    def _paragraph_ends(self, kind: Kind, following: list[Node]) -> None:
        """Two line ends in a row end a paragraph, as soon as something comes behind them."""
        if len(self._breaks) >= 2 and (kind is not Kind.BREAK or self._plain):
            groups = _both_media_groups(self._nodes, following)
            self._done += normalised(self._nodes)
            self._nodes = [*self._breaks] if groups else []
            self._breaks = []
        if not self._nodes:
            self._breaks = []

    def _line_breaks(self, following: list[Node]) -> None:
        if self._breaks and self._break_is_needed(following):
            self._nodes += self._breaks
            self._breaks = []

    def _break_is_needed(self, following: list[Node]) -> bool:
        if not self._nodes:
            return False
        if self._plain:
            return not is_block(self._nodes[-1])
        if not following or following[0]["type"] == "hardBreak":
            return False
        return not is_block(following[0]) and not is_block(self._nodes[-1])

    def _end(self) -> list[Node]:
        rest = "".join(self._plain)
        if rest:
            if len(self._breaks) >= 2:
                self._done += normalised(self._nodes)
                self._nodes, self._breaks = [], []
            if self._breaks and self._nodes and not is_block(self._nodes[-1]):
                self._nodes += self._breaks
            self._nodes += texts(rest)
        return self._done + self._nodes


def _both_media_groups(before: list[Node], following: list[Node]) -> bool:
    return bool(before and following) and before[-1]["type"] == following[0]["type"] == "mediaGroup"
