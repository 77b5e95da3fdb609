"""What the parts of the markup reader share: the kinds of token, and what reading one results in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, Protocol

from local.atlassian.adf.nodes import Node


class Kind(Enum):
    """The tokens of wiki markup."""

    ADF = auto()
    ANCHOR = auto()
    CODE = auto()
    QUOTE_MACRO = auto()
    NOFORMAT = auto()
    PANEL = auto()
    COLOR = auto()
    LOREM = auto()
    QUOTE = auto()
    HEADING = auto()
    RULER = auto()
    LIST = auto()
    TABLE = auto()
    LINK = auto()
    URL = auto()
    MEDIA = auto()
    BREAK = auto()
    FORCED_BREAK = auto()
    TWO_DASHES = auto()
    THREE_DASHES = auto()
    FOUR_DASHES = auto()
    STRONG = auto()
    EMPHASIS = auto()
    CITATION = auto()
    DELETED = auto()
    INSERTED = auto()
    SUPERSCRIPT = auto()
    SUBSCRIPT = auto()
    MONOSPACE = auto()
    EMOJI = auto()


NOTHING: Final[frozenset[Kind]] = frozenset()
EVERYTHING: Final = frozenset(Kind)
DASHES: Final = frozenset((Kind.TWO_DASHES, Kind.THREE_DASHES, Kind.FOUR_DASHES))


@dataclass(frozen=True, slots=True)
class Found:
    """A token that was read: how long it is, and the nodes or, where that failed, the text it stands for."""

    length: int
    nodes: list[Node] | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Media:
    """The attachments of an issue. Markup knows them by file name only, documents by id."""

    names: Mapping[str, str] = field(default_factory=dict)

    def name_of(self, media_id: str) -> str:
        return self.names.get(media_id, media_id)

    def id_of(self, name: str) -> str:
        """Return the id of a file; of several that share a name the last one, whichever was meant."""
        return {known: each for each, known in self.names.items()}.get(name, name)


class Reader(Protocol):
    """Reads markup: a whole text, or one token of it."""

    @property
    def media(self) -> Media: ...

    def parse(
        self, text: str, ignored: Collection[Kind] = NOTHING, *, leading_space: bool = False
    ) -> list[Node]: ...

    def token(self, kind: Kind, text: str, at: int) -> Found: ...


def as_text(text: str, at: int, length: int = 1) -> Found:
    """Take what looked like a token for the characters that it is made of."""
    return Found(length, text=text[at : at + length])


def line_end(text: str, at: int) -> int:
    """Return the length of the line end at a place, 0 if there is none."""
    if text.startswith("\r\n", at):
        return 2
    return 1 if text.startswith(("\n", "\r"), at) else 0


_ESCAPED: Final = frozenset("-#*_+?^~|%{}[]()!@")


def unescape(text: str, at: int) -> str:
    """Return what a backslash and the character behind it stand for."""
    following = text[at + 1 : at + 2]
    protects = following in _ESCAPED and text[at - 1 : at] != "\\"
    return following if protects else "\\" + following
