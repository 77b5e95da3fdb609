"""What stands in a line of a document, as wiki markup."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from local.atlassian.adf import emoji
from local.atlassian.adf.nodes import SPACES, Node, attrs_of, marks_of
from local.atlassian.adf.reader import Media

_STATUS_COLOURS: Final = {
    "purple": "#6554C0",
    "blue": "#00B8D9",
    "red": "#FF5630",
    "yellow": "#FF991F",
    "green": "#36B37E",
    "#B3F5FF": "#164555",
    "#ABF5D1": "#36B37E",
    "#D3F1A7": "#37471F",
    "#FFF0B3": "#533F04",
    "#FCE4A6": "#FF991F",
    "#FDD0EC": "#50253F",
}
_OTHER_STATUS_COLOUR: Final = "#97A0AF"
_MENTION_OR_MACRO: Final = re.compile(r"\[~|\{(?:adf|anchor|code|quote|noformat|panel|color|loremipsum)")
_PICTURE: Final = re.compile(r"(![^ !]+)!")
_FILE: Final = re.compile(r"(\[\^[^ ]+)\]")
_FROM_TEXT: Final = re.compile(r"#icft=([A-Z][A-Z]+-[0-9]+)")


def inline(node: Node, media: Media) -> str | None:
    """Return a node of a line as markup; None if markup has no words for it."""
    writer = _WRITERS.get(node["type"])
    return writer(node, media) if writer else None


def text_markup(node: Node, *, escaped: bool = True) -> str:
    """Return a text with its marks. Only mentions, macros and pictures are escaped, signs are not."""
    marks = {mark["type"]: attrs_of(mark) for mark in marks_of(node)}
    result = str(node["text"])
    if escaped and "code" not in marks:
        result = _escaped(result)
    for name, write in _MARKS:
        if name in marks:
            result = write(result, marks[name])
    return result


def _escaped(text: str) -> str:
    text = _MENTION_OR_MACRO.sub(r"\\\g<0>", text)
    text = _PICTURE.sub(r"\\\1\\!", text)
    return _FILE.sub(r"\\\1\\]", text)


def _between(sign: str) -> Callable[[str, dict[str, Any]], str]:
    return lambda text, _attrs: _signed(text, sign)


def _signed(text: str, sign: str) -> str:
    """Put signs around a text, inside the spaces at its ends."""
    inner = text.strip(SPACES)
    if not inner:
        return text
    start = text.index(inner)
    return text[:start] + sign + inner + sign + text[start + len(inner) :]


def _em(text: str, _attrs: dict[str, Any]) -> str:
    return _signed(text[2:], "??") if text.startswith("— ") else _signed(text, "_")


def _subsup(text: str, attrs: dict[str, Any]) -> str:
    return _signed(text, "~" if attrs.get("type", "sub") == "sub" else "^")


# In this order, whatever the order in the document: a colour goes around the signs.
_MARKS: Final[tuple[tuple[str, Callable[[str, dict[str, Any]], str]], ...]] = (
    ("em", _em),
    ("strike", _between("-")),
    ("strong", _between("*")),
    ("subsup", _subsup),
    ("underline", _between("+")),
    ("textColor", lambda text, attrs: f"{{color:{attrs['color']}}}{text}{{color}}"),
    ("link", lambda text, attrs: f"[{text}|{attrs['href']}]"),
    ("code", lambda text, _attrs: "{{" + text + "}}"),
)


def _mention(node: Node, _media: Media) -> str:
    name = str(attrs_of(node).get("id") or "")
    known = name == "UNKNOWN_USER" or name.lower().startswith("accountid:")
    return f"[~{name}]" if known else f"[~accountid:{name}]"


def _date(node: Node, _media: Media) -> str:
    try:
        at = datetime.fromtimestamp(int(attrs_of(node)["timestamp"]) / 1000, UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        return "{{NaN-NaN-NaN}}"
    return f"{{{{{at.year}-{at:%m-%d}}}}}"


def _status(node: Node, _media: Media) -> str:
    attrs = attrs_of(node)
    given = str(attrs.get("color") or "")
    colour = _STATUS_COLOURS.get(given.upper() if given.startswith("#") else given, _OTHER_STATUS_COLOUR)
    return f"{{color:{colour}}}*[ {str(attrs.get('text') or '').upper()} ]*{{color}}"


def _card(node: Node, _media: Media) -> str | None:
    url = str(attrs_of(node).get("url") or "")
    key = _FROM_TEXT.search(url)
    if key:
        return f"[{key[1]}]"
    return f"[{url}|{url}|smart-link]" if url else None


def _file(node: Node, media: Media) -> str:
    return f"[^{media.name_of(str(attrs_of(node).get('id') or ''))}]"


def picture(node: Node, media: Media, frame_width: float | None = None) -> str:
    """Return a picture; the width of its frame counts more than its own size."""
    attrs = attrs_of(node)
    if frame_width:
        given = [f"width={_short(frame_width)}%"]
    else:
        given = [f"{name}={_short(attrs[name])}" for name in ("width", "height") if attrs.get(name)]
    if attrs.get("alt"):
        given.append(f'alt="{attrs["alt"]}"')
    given += [f'href="{attrs_of(mark)["href"]}"' for mark in marks_of(node) if mark["type"] == "link"][:1]
    external = attrs.get("type") == "external"
    name = attrs.get("url") if external else media.name_of(str(attrs.get("id") or ""))
    return f"!{name}|{','.join(given) or 'thumbnail'}!"


def _short(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


_WRITERS: Final[dict[str, Callable[[Node, Media], str | None]]] = {
    "text": lambda node, _media: text_markup(node),
    "hardBreak": lambda _node, _media: "\n",
    "emoji": lambda node, _media: emoji.to_markup(node),
    "mention": _mention,
    "date": _date,
    "status": _status,
    "inlineCard": _card,
    "mediaInline": _file,
}
