"""A document as the product writes it. Text is text: nothing in it is markup."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jobticket.dataclass import dataclass

_BREAK = re.compile(r"\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
#: Other control characters, those that change the direction of text, and code points without a character.
_CONTROLS = re.compile(
    r"[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]"
)
_URL = re.compile(r"(?<![A-Za-z0-9])https?://[^\s<>\"|{}\\^`]+", re.IGNORECASE)
#: Characters that end a sentence or a bracket, not the URL before it.
_AFTER_URL = ".,;:!?'*_)]"


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A URL that shows itself."""

    url: str


Inline = Text | Link


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One line of text."""

    content: tuple[Inline, ...]
    #: Whether no blank line stands before it. Only markup knows the difference.
    tight: bool = False


@dataclass(frozen=True, slots=True)
class BulletList:
    items: tuple[tuple[Inline, ...], ...]


@dataclass(frozen=True, slots=True)
class HorizontalRule:
    pass


@dataclass(frozen=True, slots=True)
class TextTable:
    """A header row and rows of plain text."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Paragraph | BulletList | HorizontalRule | TextTable
Document = tuple[Block, ...]


def one_line(text: str) -> str:
    """Return a text as one line: line breaks and tabs become spaces."""
    return _shown(_BREAK.sub(" ", text.replace("\t", " "))).strip()


def strong(text: str) -> Paragraph:
    """Return a paragraph of one strong text."""
    return Paragraph((Text(one_line(text), strong=True),))


def plain_line(text: str) -> tuple[Inline, ...]:
    """Return one line of a person's text; its URLs are links."""
    return tuple(_inlines(one_line(text)))


def plain_text(text: str) -> Document:
    r"""Return a person's text: each line is a paragraph, nothing is markup, URLs are links.

    Examples
    --------
    >>> [paragraph.tight for paragraph in plain_text("first\nsecond\n\nthird")]
    [False, True, False]
    """
    blocks: list[Block] = []
    tight = False
    for line in _BREAK.split(_shown(text)):
        if content := tuple(_inlines(line.rstrip())):
            blocks.append(Paragraph(content, tight))
        tight = bool(content) and bool(blocks)
    return tuple(blocks)


def _shown(text: str) -> str:
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def _inlines(line: str) -> Iterator[Inline]:
    at = 0
    for found in _URL.finditer(line):
        url = _without_what_follows(found[0])
        if url.endswith("//"):
            continue
        if found.start() > at:
            yield Text(line[at : found.start()])
        yield Link(url)
        at = found.start() + len(url)
    if at < len(line):
        yield Text(line[at:])


def _without_what_follows(url: str) -> str:
    while url[-1] in _AFTER_URL and not (url[-1] == ")" and url.count("(") >= url.count(")")):
        url = url[:-1]
    return url
