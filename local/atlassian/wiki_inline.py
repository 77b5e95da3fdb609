"""The inside of a line of wiki markup: emphasis, links, line breaks, escapes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_MARKS = {"*": "strong", "_": "em", "+": "underline", "-": "strike", "^": "sup", "~": "sub"}
_TOKEN = re.compile(
    r"""
      (?P<break>\\\\(?=\s|$)|\n)
    | \\(?P<escaped>[\\*_+\-^~{}\[\]()|!\#?%@])
    | &\#(?P<entity>\d{1,6});
    | \{\{(?P<code>[^{}\n]+)\}\}
    | \{color(?::[^}\n]*)?\}
    | \[(?P<link>[^\[\]\n]+)\]
    | (?P<url>(?:https?|ftp)://[^\s|\]}<>"]+[^\s|\]}<>".,;:!?)*_+^~-])
    | (?P<mark>[*_+\-^~])
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Marked:
    """``mark`` is strong, em, underline, strike, sup, sub or code."""

    mark: str
    children: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Link:
    url: str
    children: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Break:
    pass


Inline = Text | Marked | Link | Break


def parse(source: str) -> tuple[Inline, ...]:
    """Take inline markup apart; adjoining plain text comes as one piece."""
    return tuple(_joined(_pieces(source)))


def _joined(pieces: Iterator[Inline]) -> Iterator[Inline]:
    text = ""
    for piece in pieces:
        if isinstance(piece, Text):
            text += piece.text
            continue
        if text:
            yield Text(text)
            text = ""
        yield piece
    if text:
        yield Text(text)


def _pieces(source: str) -> Iterator[Inline]:
    at = 0
    while match := _TOKEN.search(source, at):
        if match.start() > at:
            yield Text(source[at : match.start()])
        if match["mark"]:
            piece, at = _marked(source, match.start())
        else:
            piece, at = _token(match), match.end()
        yield piece
    yield Text(source[at:])


def _token(match: re.Match[str]) -> Inline:
    if match["break"]:
        return Break()
    if match["escaped"]:
        return Text(match["escaped"])
    if match["entity"]:
        return Text(_character(int(match["entity"])))
    if match["code"]:
        return Marked("code", (Text(match["code"]),))
    if match["link"]:
        return _link(match["link"])
    if match["url"]:
        return Link(match["url"], (Text(match["url"]),))
    return Text("")


def _character(code: int) -> str:
    return chr(code) if 31 < code < 0x110000 and not 0xD800 <= code < 0xE000 else ""


def _link(inside: str) -> Inline:
    text, bar, url = inside.rpartition("|")
    url = url.strip()
    if not re.match(r"(https?://|mailto:|/(?!/))", url):
        return Text(f"[{inside}]")
    return Link(url, parse(text) if bar else (Text(url),))


def _marked(source: str, at: int) -> tuple[Inline, int]:
    """Read ``*bold*`` and its like at ``at``, or the mark as a plain character."""
    mark = source[at]
    word_before = at > 0 and source[at - 1].isalnum()
    if not word_before and (end := _closing(source, at, mark)):
        return Marked(_MARKS[mark], parse(source[at + 1 : end])), end + 1
    return Text(mark), at + 1


def _closing(source: str, at: int, mark: str) -> int | None:
    """Find the mark that ends what ``at`` opens: on the same line, not escaped, at the end of a word."""
    if at + 1 >= len(source) or source[at + 1].isspace() or source[at + 1] == mark:
        return None
    position = at + 1
    while position < len(source) and source[position] != "\n":
        if source[position] == "\\":
            position += 1
        elif source[position] == mark and not source[position - 1].isspace():
            following = source[position + 1 : position + 2]
            if not following.isalnum() and following != mark:
                return position
        position += 1
    return None
