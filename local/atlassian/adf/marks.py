"""Signs around words that mark them: ``*strong*``, ``_emphasis_``, ``{{monospace}}`` and so on."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

from local.atlassian.adf.keywords import macro_keyword
from local.atlassian.adf.links import read_link
from local.atlassian.adf.nodes import Node, mark, marked, marks_of
from local.atlassian.adf.reader import (
    DASHES,
    EVERYTHING,
    Found,
    Kind,
    Reader,
    as_text,
    line_end,
    unescape,
)

Make = Callable[[Reader, str, int], Found]


@dataclass(frozen=True, slots=True)
class Signs:
    """What opens and closes marked text; in braces (``{*}``) a sign also stands inside a word."""

    opening: str
    closing: str

    @classmethod
    def around(cls, text: str, at: int, opening: str, closing: str) -> Signs:
        opens = "{" + opening + "}"
        first = opens if text.startswith(opens, at) else opening
        end = text.find(closing, at + len(first))
        in_braces = end > 0 and text[end - 1] == "{" and text.startswith("}", end + len(closing))
        return cls(first, "{" + closing + "}" if in_braces else closing)


def delimited(reader: Reader, text: str, at: int, signs: Signs, make: Make) -> Found:
    """Read text between signs; without a fitting end the opening sign is plain text."""
    plain = as_text(text, at, len(signs.opening))
    if not _may_open(text, at, signs.opening):
        return plain
    inner = _Inner(reader, text, at + len(signs.opening), signs.closing)
    raw = inner.read()
    return plain if raw is None else make(reader, raw, inner.at - at)


def _may_open(text: str, at: int, sign: str) -> bool:
    if at > 0 and not _in_braces(sign) and _is_of_a_word(text[at - 1]):
        return False
    return text.startswith(sign, at) and not text.startswith(" ", at + len(sign))


def _in_braces(sign: str) -> bool:
    return sign.startswith("{") and sign.endswith("}")


def _is_of_a_word(char: str) -> bool:
    return (char.isascii() and char.isalnum()) or (not char.isascii() and char != "\u00a0")


@cache
def _plain_run(closing: str) -> re.Pattern[str]:
    """Return an expression for what cannot end marked text, so that long lines are passed over quickly."""
    if _in_braces(closing):
        return re.compile(r"[^\r\n{\[\\]+")
    first, whole = re.escape(closing[0]), re.escape(closing)
    in_a_word = r"(?=[A-Za-z0-9]|[^\x00-\x7f\xa0])"
    return re.compile(rf"(?:[^\r\n{{\[\\{first}]|(?!{whole}){first}|{whole}{in_a_word})+")


class _Inner:
    """Looks for the end of marked text and collects what is between."""

    def __init__(self, reader: Reader, text: str, at: int, closing: str) -> None:
        self._reader = reader
        self._text = text
        self._closing = closing
        self._plain = _plain_run(closing)
        self._collected: list[str] = []
        self.at = at

    def read(self) -> str | None:
        while self.at < len(self._text):
            if self._collected and (run := self._plain.match(self._text, self.at)):
                self._add(run[0], len(run[0]))
            elif line_end(self._text, self.at):
                return None
            elif self._text.startswith(self._closing, self.at):
                self.at += len(self._closing)
                if not self._collected:
                    return None
                if self._ends():
                    blank = self._collected[-1].endswith(" ")
                    return None if blank else "".join(self._collected)
                self._collected.append(self._closing)
            elif not self._step():
                return None
        return None

    def _ends(self) -> bool:
        following = self._text[self.at : self.at + 1]
        return not following or _in_braces(self._closing) or not _is_of_a_word(following)

    def _step(self) -> bool:
        char = self._text[self.at]
        if self._text.startswith("{{", self.at):
            self._add("{{", 2)
        elif char == "{":
            return self._macro()
        elif char == "[":
            self._link()
        elif char == "\\":
            self._add(unescape(self._text, self.at), 2)
        else:
            self._add(char, 1)
        return True

    def _add(self, piece: str, length: int) -> None:
        self._collected.append(piece)
        self.at += length

    def _macro(self) -> bool:
        """Pass over a colour; another macro ends the search."""
        kind = macro_keyword(self._text, self.at)
        if kind is None:
            self._add("{", 1)
            return True
        found = self._reader.token(kind, self._text, self.at)
        if found.nodes is None:
            self._add(found.text, found.length)
        elif kind is Kind.COLOR:
            self._add(self._text[self.at : self.at + found.length], found.length)
        else:
            return False
        return True

    def _link(self) -> None:
        """Pass over a link, whose address may hold any sign."""
        found = read_link(self._reader, self._text, self.at)
        whole = self._text[self.at : self.at + found.length]
        self._add(found.text if found.nodes is None else whole, found.length)


_IN_MARKS: Final = DASHES | {Kind.TABLE}


def _reads(sign: str, added: Node) -> Callable[[Reader, str, int], Found]:
    def make(reader: Reader, raw: str, length: int) -> Found:
        return Found(length, [marked(node, added) for node in reader.parse(raw, _IN_MARKS)])

    def read(reader: Reader, text: str, at: int) -> Found:
        return delimited(reader, text, at, Signs.around(text, at, sign, sign), make)

    return read


def _citation(reader: Reader, text: str, at: int) -> Found:
    def make(reader: Reader, raw: str, length: int) -> Found:
        nodes = reader.parse(raw, DASHES)
        if nodes and marked(nodes[0], mark("em")) is not nodes[0]:
            nodes[0] = {**nodes[0], "text": "— " + nodes[0]["text"]}
        return Found(length, [marked(node, mark("em")) for node in nodes])

    return delimited(reader, text, at, Signs.around(text, at, "??", "??"), make)


def _monospace(reader: Reader, text: str, at: int) -> Found:
    def make(reader: Reader, raw: str, length: int) -> Found:
        nodes = reader.parse(raw, EVERYTHING)
        return Found(length, [node if marks_of(node) else marked(node, mark("code")) for node in nodes])

    return delimited(reader, text, at, Signs.around(text, at, "{{", "}}"), make)


TOKENS: Final[dict[Kind, Callable[[Reader, str, int], Found]]] = {
    Kind.STRONG: _reads("*", mark("strong")),
    Kind.EMPHASIS: _reads("_", mark("em")),
    Kind.DELETED: _reads("-", mark("strike")),
    Kind.INSERTED: _reads("+", mark("underline")),
    Kind.SUPERSCRIPT: _reads("^", mark("subsup", type="sup")),
    Kind.SUBSCRIPT: _reads("~", mark("subsup", type="sub")),
    Kind.CITATION: _citation,
    Kind.MONOSPACE: _monospace,
}
