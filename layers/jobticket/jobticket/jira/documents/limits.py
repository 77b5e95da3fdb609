"""The lengths that Jira takes. Longer text is cut visibly."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from jobticket.jira.documents.adf import to_adf
from jobticket.jira.documents.model import (
    Block,
    BulletList,
    Document,
    Inline,
    Link,
    Paragraph,
    Text,
    one_line,
)
from jobticket.jira.documents.wiki import to_wiki

LONGEST_TEXT = 32_767
LONGEST_SUMMARY = 255

ELLIPSIS = "…"
CUT = Paragraph((Text("… (cut here: Jira holds 32,767 characters)"),))


def length(text: str) -> int:
    """Return the length as Jira counts: an emoji is two characters of Java."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut_line(text: str, limit: int = LONGEST_SUMMARY) -> str:
    """Return a text as one line of plain text, visibly cut if it is too long."""
    line = one_line(" ".join(text.split()))
    if length(line) <= limit:
        return line
    return _first(line, limit - length(ELLIPSIS)).rstrip() + ELLIPSIS


def cut(document: Document, limit: int = LONGEST_TEXT, *, tail: Document = ()) -> Document:
    """Return a document that fits, visibly cut if it is too long.

    The markup is measured on Cloud, too: the text of the document itself is never longer. The blocks of the
    tail stay whole.
    """
    if length(to_wiki((*document, *tail))) <= limit:
        return (*document, *tail)
    room = limit - length("\n\n" + to_wiki((CUT, *tail)))
    return (*_kept(document, room), CUT, *tail)


def fitted(make: Callable[[int], Document], *, is_cloud: bool) -> Document:
    """Return a document that Jira surely accepts, made for the largest limit of its markup that allows it.

    Atlassian does not publish how Cloud counts a document. Its JSON is the longest form that may be counted.
    """
    limit = LONGEST_TEXT
    document = make(limit)
    while is_cloud and (size := length(_json(document))) > LONGEST_TEXT:
        limit = limit * LONGEST_TEXT // size - 1
        document = make(limit)
    return document


def _json(document: Document) -> str:
    return json.dumps(to_adf(document), ensure_ascii=False, separators=(",", ":"))


def _kept(document: Document, room: int) -> Iterator[Block]:
    """Yield the first blocks, the last of them cut, each with the line ends before it."""
    for block in document:
        line_ends = 1 if isinstance(block, Paragraph) and block.tight else 2
        size = length(to_wiki((block,))) + line_ends
        if size > room:
            yield from _beginning(block, room - line_ends)
            return
        room -= size
        yield block


def _beginning(block: Block, room: int) -> Iterator[Block]:
    match block:
        case Paragraph(content, tight):
            if kept := _fitting(content, room):
                yield Paragraph(kept, tight)
        case BulletList(items):
            whole: list[tuple[Inline, ...]] = []
            for item in items:
                size = length(to_wiki((BulletList((item,)),))) + 1
                if size > room:
                    last = _fitting(item, room - 3)
                    whole += [last] if last else []
                    break
                room -= size
                whole.append(item)
            if whole:
                yield BulletList(tuple(whole))


def _fitting(content: tuple[Inline, ...], room: int) -> tuple[Inline, ...]:
    """Return as much of a line as fits. Markup is expensive to measure, so sizes tell where to look next."""
    total = min(sum(len(_text(inline)) for inline in content), max(0, room))
    (fits, size), (over, oversize), turn = (0, 0), (total + 1, room + 1), 0
    while (gap := over - fits) > 1:
        turn += 1
        step = gap // 2 if turn % 3 == 0 else (room - size) * gap // (oversize - size)
        count = fits + min(max(step, 1), gap - 1)
        measured = _size(_characters(content, count))
        if measured > room:
            over, oversize = count, measured
        else:
            fits, size = count, measured
    return _characters(content, fits)


def _size(content: tuple[Inline, ...]) -> int:
    return length(to_wiki((Paragraph(content),)))


def _characters(content: tuple[Inline, ...], count: int) -> tuple[Inline, ...]:
    kept: list[Inline] = []
    for inline in content:
        text = _text(inline)
        if count <= 0:
            break
        if len(text) <= count:
            kept.append(inline)
        elif isinstance(inline, Text):
            kept.append(Text(text[:count], inline.strong))
        count -= len(text)
    return tuple(kept)


def _text(inline: Inline) -> str:
    return inline.url if isinstance(inline, Link) else inline.text


def _first(text: str, limit: int) -> str:
    start = text[: max(0, limit)]
    while start and (over := length(start) - limit) > 0:
        start = start[: -((over + 1) // 2)]
    return start
