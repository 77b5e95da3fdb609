"""A document to wiki markup: what REST v2 of a Cloud site hands out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from local.atlassian.adf.inline_markup import inline, picture, text_markup
from local.atlassian.adf.nodes import SPACES, Node, attrs_of, content_of, is_block
from local.atlassian.adf.reader import Media

_NO_MEDIA = Media()
_PANEL_COLOURS: Final = {
    "info": "#deebff",
    "note": "#eae6ff",
    "success": "#e3fcef",
    "warning": "#fffae6",
    "error": "#ffebe6",
}
_LANGUAGE_NAMES: Final = """
actionscript ada applescript bash c c# c++ cpp css erlang go groovy haskell html java javascript js json
lua none nyan objc perl php python r rainbow ruby scala sh sql swift visualbasic xml yaml
"""
_LANGUAGES: Final = frozenset(_LANGUAGE_NAMES.split())


def to_markup(document: Node, media: Media = _NO_MEDIA) -> str:
    """Return a document as wiki markup."""
    return "\n\n".join(_block(node, media) for node in content_of(document)).replace("\0", "")


def _block(node: Node, media: Media) -> str:
    writer = _WRITERS.get(node["type"])
    return writer(node, media) if writer else as_it_is(node)


def as_it_is(node: Node) -> str:
    """Return a node in a macro that keeps it: markup has no words for it."""
    written = json.dumps(node, ensure_ascii=False, separators=(",", ":"))
    if is_block(node):
        return f"{{adf:display=block}}\n{written}\n{{adf}}"
    return f"{{adf:display=inline}}{written}{{adf}}"


def _line(node: Node, media: Media) -> str:
    return "".join(inline(child, media) or as_it_is(child) for child in content_of(node))


def _blocks(node: Node, media: Media, between: str = "\n\n") -> str:
    return between.join(_block(child, media) for child in content_of(node))


def _heading(node: Node, _media: Media) -> str:
    # In headings and tasks the converter does not know the files: they go by their ids.
    return f"h{attrs_of(node).get('level', 1)}. {_line(node, _NO_MEDIA)}"


def _code(node: Node, _media: Media) -> str:
    content = "".join(text_markup(child, escaped=False) for child in content_of(node))
    language = attrs_of(node).get("language")
    if language in _LANGUAGES:
        return f"{{code:{language}}}{content}{{code}}"
    return f"{{noformat}}{content}{{noformat}}"


def _panel(node: Node, media: Media) -> str:
    colour = _PANEL_COLOURS.get(attrs_of(node).get("panelType", "info"), "")
    return f"{{panel:bgColor={colour}}}\n{_blocks(node, media)}\n{{panel}}"


def _expand(node: Node, media: Media) -> str:
    parts = [_block(child, media) for child in content_of(node)]
    return "\n".join([f"*{attrs_of(node).get('title', '')}*", "", *parts])


def _card(name: str) -> Callable[[Node, Media], str]:
    def write(node: Node, _media: Media) -> str:
        url = attrs_of(node).get("url")
        return f"[{url}|{url}|{name}]" if url else as_it_is(node)

    return write


def _pictures(node: Node, media: Media) -> str:
    width = attrs_of(node).get("width")
    parts = {"media": lambda each: picture(each, media, width), "caption": lambda each: _line(each, media)}
    return "\n".join(parts.get(child["type"], as_it_is)(child) for child in content_of(node))


def _list(sign: str) -> Callable[[Node, Media], str]:
    return lambda node, media: "\n".join(_list_item(item, sign, media) for item in content_of(node))


def _list_item(item: Node, sign: str, media: Media) -> str:
    lines: list[str] = []
    own: list[str] = []
    for child in content_of(item):
        if child["type"] not in ("bulletList", "orderedList", "taskList"):
            own.append(_in_item(child, media))
            continue
        lines += [f"{sign} " + "\n".join(own)] if own else []
        own = []
        lines += [
            sign + line if line.startswith(("#", "*")) else line for line in _block(child, media).split("\n")
        ]
    return "\n".join(lines + ([f"{sign} " + "\n".join(own)] if own else []))


def _in_item(node: Node, media: Media) -> str:
    writer = {"paragraph": _line, "codeBlock": _code, "mediaSingle": _pictures}.get(node["type"])
    return writer(node, media) if writer else as_it_is(node)


def _tasks(node: Node, _media: Media, depth: int = 1) -> str:
    lines = []
    for child in content_of(node):
        if child["type"] == "taskList":
            lines.append(_tasks(child, _media, depth + 1))
            continue
        done = "-" if attrs_of(child).get("state") == "DONE" else ""
        # Each piece of an item begins a line of its own, though nothing ends the one before.
        pieces = (inline(each, _NO_MEDIA) or as_it_is(each) for each in content_of(child))
        lines.append("".join(f"{'*' * depth} {done}{piece}{done}" for piece in pieces))
    return "\n".join(lines)


def _decisions(node: Node, _media: Media) -> str:
    return "\n".join(
        "".join(f"* <> {inline(each, _NO_MEDIA) or as_it_is(each)}" for each in content_of(item))
        for item in content_of(node)
    )


def _table(node: Node, media: Media) -> str:
    cells = [cell for row in content_of(node) for cell in content_of(row)]
    if any(
        attrs_of(cell).get(name, 1) not in (None, 0, 1) for cell in cells for name in ("colspan", "rowspan")
    ):
        return as_it_is(node)
    return "\n".join(_row(row, media) for row in content_of(node))


def _row(row: Node, media: Media) -> str:
    line, bars = "", "|"
    for cell in content_of(row):
        bars = "||" if cell["type"] == "tableHeader" else "|"
        line += bars + (_blocks(cell, media, "\n").strip(SPACES) or " ")
    return line + bars


_WRITERS: Final[dict[str, Callable[[Node, Media], str]]] = {
    "paragraph": _line,
    "heading": _heading,
    "blockquote": lambda node, media: f"{{quote}}{_blocks(node, media)}{{quote}}",
    "bulletList": _list("*"),
    "orderedList": _list("#"),
    "taskList": _tasks,
    "decisionList": _decisions,
    "codeBlock": _code,
    "panel": _panel,
    "expand": _expand,
    "rule": lambda _node, _media: "----",
    "table": _table,
    "mediaGroup": _pictures,
    "mediaSingle": _pictures,
    "blockCard": _card("smart-card"),
    "embedCard": _card("smart-embed"),
    "bodiedSyncBlock": lambda node, media: _blocks(node, media, "\n"),
}
