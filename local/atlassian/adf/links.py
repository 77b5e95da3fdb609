"""Links: in brackets (``[text|address]``, ``[~mention]``, ``[^attachment]``) and addresses in plain text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from local.atlassian.adf.addresses import is_safe, normalised_address
from local.atlassian.adf.nodes import SPACES, MisfitError, Node, element, mark, marked, text
from local.atlassian.adf.reader import DASHES, Found, Kind, Reader, as_text

_BRACKETS: Final = re.compile(r"\[([^\[\]\n]+)\]")
_ADDRESS: Final = re.compile(
    r"(https?://|ftps?://|irc://|mailto:)([\w?!~^/\\#$%&'()*+,\-.:;<=@]*[\w~^/\\#$%&'()*+,\-:;<=@])",
    re.IGNORECASE | re.ASCII,
)
_NOT_AT_AN_END: Final = ".,>)];}\"'!"
_CARDS: Final = {
    "smart-card": "blockCard",
    "block-link": "blockCard",
    "smart-link": "inlineCard",
    "smart-embed": "embedCard",
}
_EMBED: Final = {"layout": "center", "width": 100}


@dataclass(frozen=True, slots=True)
class _Link:
    """What stands in brackets: ``label|target|title``."""

    label: str
    target: str
    title: str

    @classmethod
    def of(cls, inner: str) -> _Link:
        label, rest = _label(inner.replace("&#039;", "'", 1))
        target, _, title = rest.partition("|")
        return cls(label, target.strip(SPACES), title.strip(SPACES))

    @property
    def attachment(self) -> str:
        """Return the file's name in ``[^name]``; an address with ``@`` names no file."""
        target = self.target
        before, _, name = target.rpartition("@")
        if before and name.strip(SPACES) and not target.startswith("~"):
            return ""
        first, found, rest = target.partition(":")
        target = rest if found else first
        if match := re.match(r"\$(\d*)", target):
            if match[1] and int(match[1]) == 0:
                return ""
            target = target[match.end() :]
        return target.partition("^")[2].strip(SPACES)


def _label(inner: str) -> tuple[str, str]:
    """Divide at the first bar, unless it is inside ``!picture|width=1!``."""
    bang, bar = inner.find("!"), inner.find("|")
    if bang == -1 or bang > bar or bang == inner.rfind("!"):
        return (inner[:bar], inner[bar + 1 :]) if bar >= 0 else ("", inner)
    inside = False
    for at, char in enumerate(inner):
        if char == "!":
            inside = not inside
        elif char == "|" and not inside:
            return inner[:at], inner[at + 1 :]
    return "", inner


def read_link(reader: Reader, source: str, at: int) -> Found:
    """Read what stands in brackets; if it links to nothing, it is text in brackets."""
    match = _BRACKETS.match(source, at)
    if match is None:
        return Found(1, text="[")
    nodes = _resolved(reader, _Link.of(match[1]))
    if nodes is None:
        ignored = DASHES | {Kind.TABLE, Kind.RULER, Kind.URL, Kind.LINK}
        nodes = reader.parse(match[0], ignored)
    return Found(len(match[0]), nodes)


def _resolved(reader: Reader, link: _Link) -> list[Node] | None:
    if link.attachment:
        attrs = {"type": "file", "id": reader.media.id_of(link.attachment), "collection": ""}
        return [element("mediaGroup", [element("media", attrs=attrs)])]
    if link.target == "~" or link.target.lower() == "~accountid:":
        raise MisfitError("a mention of nobody")
    if link.target.startswith("~"):
        return [element("mention", attrs={"id": link.target[1:], "text": "", "accessLevel": ""})]
    if link.title in _CARDS:
        kind = _CARDS[link.title]
        more = _EMBED if kind == "embedCard" else {}
        return [element(kind, attrs={"url": link.target, **more})]
    return _linked(reader, link) if is_safe(link.target) else None


def _linked(reader: Reader, link: _Link) -> list[Node]:
    to = mark("link", href=link.target)
    label = link.label or link.target
    if not label:
        raise MisfitError("a link without a text")
    nodes = reader.parse(label.removeprefix("mailto:"), DASHES | {Kind.URL})
    linked = [marked(node, to) for node in nodes]
    if any(node["type"] == "text" for node in nodes):
        return linked
    return [*linked, text(label, to)]


def _plain_address(_reader: Reader, source: str, at: int) -> Found:
    match = _ADDRESS.match(source, at)
    if match is None:
        return as_text(source, at)
    whole = match[0].rstrip(_NOT_AT_AN_END)
    shown = match[2].rstrip(_NOT_AT_AN_END) if match[1] == "mailto:" else whole
    address = normalised_address(re.sub(r"\\(.?)", r"\1", whole))
    if address is None or not is_safe(address) or not shown:
        return as_text(source, at)
    return Found(len(whole), [text(shown, mark("link", href=address))])


TOKENS: Final[dict[Kind, Callable[[Reader, str, int], Found]]] = {
    Kind.LINK: read_link,
    Kind.URL: _plain_address,
}
