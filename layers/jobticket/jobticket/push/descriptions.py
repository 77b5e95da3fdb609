"""A ticket's description as a push changes it: nodes of a document on Cloud, wiki markup on Data Center.

What people wrote stays as it came, node for node and character for character. A push adds its tables below
it, and may take its own older tables out.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from jobticket.dataclass import dataclass
from jobticket.jira.documents.adf import Node, to_nodes
from jobticket.jira.documents.limits import LONGEST_SUMMARY, LONGEST_TEXT, length
from jobticket.jira.documents.macros import closing
from jobticket.jira.documents.model import Document, Paragraph, Text, one_line
from jobticket.jira.documents.wiki import escape, to_wiki
from jobticket.jira.errors import JiraMalformedAnswerError, JiraStatusError
from jobticket.push.tables import Content, OwnTable, find_tables, find_tables_in_markup, table_of

_BREAKS_BEFORE = re.compile(r"(?:\r?\n){1,2}\Z")
_BREAKS_AFTER = re.compile(r"\A(?:\r?\n){1,2}")
_BLANK_LINE_AFTER = re.compile(r"[^\S\n]*\n[^\S\n]*(?:\n|\Z)")
_BREAK_AFTER = re.compile(r"\A\r?\n")
_BLANK_LINES = re.compile(r"\n{2,}")
_NUMBER = re.compile(r"(?<![\w-])\d[\d.,'\s]*")
_FULL = "CONTENT_LIMIT_EXCEEDED"
#: A URL, an emoji of the site, or the title of an expand that has none.
_NO_TEXT = re.compile(r"://|(?<!\w):[^\W\d][\w+-]*:|\A\*\*\Z")


def digest(text: str) -> str:
    """Return a short text that stands for a longer one."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Markup:
    """A description of Data Center. It comes back as it was sent."""

    text: str

    @classmethod
    def read(cls, value: Any) -> Self:
        if not isinstance(value, str | None):
            raise JiraMalformedAnswerError("Jira's description is not a text")
        return cls(value or "")

    def value(self) -> str:
        """Return what is sent to Jira."""
        return self.text

    @property
    def size(self) -> int:
        return length(self.text)

    @property
    def digest(self) -> str:
        return digest(self.text)

    @property
    def closing(self) -> str:
        """What closes the macros that the text leaves open."""
        return closing(self.text)

    def tables(self) -> list[OwnTable]:
        return find_tables_in_markup(self.text)

    def without(self, tables: Sequence[OwnTable]) -> Self:
        """Return the description without some own tables and the blank lines that came with them."""
        text = self.text
        for table in sorted(tables, key=lambda table: table.start, reverse=True):
            text = _joined(text[: table.start], text[table.end :])
        return type(self)(text)

    def with_sections(self, sections: Sequence[Document]) -> Self:
        """Return the description with tables below it. What the text leaves open is closed first."""
        old = [self.text + self.closing] if self.text else []
        return type(self)("\n\n".join([*old, *map(to_wiki, sections)]))

    def edited(self, _before: str, after: str) -> Self | None:
        """Return the description as a person left it, by the changelog's texts."""
        return type(self)(after)


def _joined(before: str, after: str) -> str:
    """Join what stands around a removed table: what were two paragraphs stay two."""
    if not before:
        return _BREAKS_AFTER.sub("", after)
    if not after.strip() or _BLANK_LINE_AFTER.match(after):
        return _BREAKS_BEFORE.sub("", before) + after
    return before + _BREAK_AFTER.sub("", after)


@dataclass(frozen=True, slots=True)
class Nodes:
    """A description of Cloud: the document as Jira gave it."""

    document: Mapping[str, Any]

    @classmethod
    def read(cls, value: Any) -> Self:
        if value is None:
            return cls({"type": "doc", "version": 1, "content": []})
        content = value.get("content", []) if isinstance(value, Mapping) else None
        nodes = isinstance(content, list) and all(isinstance(node, Mapping) for node in content)
        if not nodes or value.get("type") != "doc":
            raise JiraMalformedAnswerError("Jira's description is not a document")
        return cls({**value, "content": content})

    @property
    def _content(self) -> list[Node]:
        content: list[Node] = self.document["content"]
        return content

    def _with(self, content: list[Node]) -> Self:
        return type(self)({**self.document, "content": content})

    def value(self) -> Mapping[str, Any]:
        """Return what is sent to Jira."""
        return self.document

    @property
    def size(self) -> int:
        return length(json.dumps(self.document, ensure_ascii=False, separators=(",", ":")))

    @property
    def digest(self) -> str:
        return digest(json.dumps(self._content, sort_keys=True))

    @property
    def closing(self) -> str:
        return ""

    def tables(self) -> list[OwnTable]:
        return find_tables(self.document)

    def without(self, tables: Sequence[OwnTable]) -> Self:
        """Return the description without some own tables."""
        gone = {number for table in tables for number in range(table.start, table.end)}
        return self._with([node for number, node in enumerate(self._content) if number not in gone])

    def with_sections(self, sections: Sequence[Document]) -> Self:
        """Return the description with tables below it."""
        return self._with([*self._content, *(node for section in sections for node in to_nodes(section))])

    def edited(self, before: str, after: str) -> Self | None:
        """Return this description as a person left it, None where the changelog does not tell all of it.

        The changelog holds an edit as markup, which tells plain paragraphs and no more. Plain paragraphs
        that a person added above or below leave the nodes in between as they are.
        """
        known = self._known()
        if known is not None or not after.strip():
            nodes = _plain_nodes(after, known or {})
            return None if nodes is None else self._with(nodes)
        if not before:
            return None
        above, _, below = after.partition(before)
        apart = (not above or above.endswith("\n\n")) and (not below or below.startswith("\n\n"))
        first, last = _plain_nodes(above, {}), _plain_nodes(below, {})
        if len(above) + len(before) > len(after) or not apart or first is None or last is None:
            return None
        return self._with([*first, *self._content, *last])

    def _known(self) -> dict[str | Content, list[Node]] | None:
        """Return the nodes of each plain paragraph and own table; None if there is anything else."""
        known: dict[str | Content, list[Node]] = {}
        at = 0
        for table in [*self.tables(), None]:
            for node in self._content[at : table.start if table else None]:
                text = _plain_text(node)
                if text is None:
                    return None
                known[text] = [node]
            if table:
                known[table.content] = self._content[table.start : table.end]
                at = table.end
        return known


def _plain_text(node: Node) -> str | None:
    """Return the text of a paragraph that markup tells all of."""
    match node:
        case {"type": "paragraph", "content": [{"type": "text", "text": str(text)} as inline]}:
            told = (node.get("attrs") or {}).keys() <= {"localId"}
            return text if told and not node.get("marks") and not inline.get("marks") else None
    return None


def _plain_nodes(markup: str, known: Mapping[str | Content, list[Node]]) -> list[Node] | None:
    """Return the nodes of plain paragraphs and own tables; None if the markup holds anything else."""
    nodes: list[Node] = []
    for part in _parts(markup.replace("\r\n", "\n")):
        if part in known:
            nodes += known[part]
        elif isinstance(part, Content) and all(map(_is_plain, (part.path, *part.header))):
            nodes += to_nodes(table_of(part))
        elif isinstance(part, str) and _is_plain(part):
            nodes += to_nodes([Paragraph((Text(part),))])
        else:
            return None
    return nodes


def _parts(markup: str) -> Iterator[str | Content]:
    at = 0
    for table in [*find_tables_in_markup(markup), None]:
        text = markup[at : table.start if table else None]
        yield from filter(str.strip, _BLANK_LINES.split(text.strip("\n")))
        if table:
            yield table.content
            at = table.end


def _is_plain(line: str) -> bool:
    """Tell whether a line of Cloud's markup can be nothing but its text."""
    return escape(line) == line == one_line(line) and not _NO_TEXT.search(line)


Description = Markup | Nodes


def limit_of(refusal: JiraStatusError, read: Description, planned: Description, known: int | None) -> int:
    """Return the limit that Jira names when it finds a description too long; raise any other refusal."""
    said = (*refusal.messages, refusal.field_errors.get("description", ""))
    found = (int(re.sub(r"\D", "", number)) for number in _NUMBER.findall(said[-1]))
    # Jira speaks the account's language: only the number tells a limit. It is near what was too long for it.
    numbers = [number for number in found if LONGEST_SUMMARY <= number <= 4 * planned.size]
    if refusal.status != 400 or not (numbers or any(_FULL in text for text in said)):
        raise refusal
    if isinstance(planned, Nodes):
        # Cloud does not say how it counts. What was read fitted.
        return read.size if known is None else 0
    limit = max(numbers, default=LONGEST_TEXT)
    # A site might count otherwise than we do: then what it refused is the measure.
    return limit if limit < planned.size else planned.size * 9 // 10
