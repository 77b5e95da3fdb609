"""A document as safe HTML: every text is escaped, nothing is loaded from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import Any, Final

from local.atlassian.adf.inline_html import inline
from local.atlassian.adf.nodes import Node, attrs_of, content_of, is_block, marks_of, plain_text
from local.atlassian.adf.reader import Media
from local.atlassian.adf.web import anchor, attachment, tint

# Signs that every font has, not emojis.
_PANEL_SIGNS: Final = {
    "info": "\u2139",
    "note": "✎",
    "tip": "★",
    "success": "✔",
    "warning": "⚠",
    "error": "✖",
}
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")


def to_html(document: Node, media: Media) -> str:
    """Render a whole document."""
    return "\n".join(_block(node, media) for node in content_of(document))


def _block(node: Node, media: Media) -> str:
    writer = _WRITERS.get(node["type"])
    return writer(node, media) if writer else _unknown(node, media)


def _line(node: Node, media: Media) -> str:
    return "".join(inline(child, media) for child in content_of(node))


def _inside(node: Node, media: Media) -> str:
    return "".join(
        _block(child, media) if is_block(child) else inline(child, media) for child in content_of(node)
    )


def _only_line(node: Node, media: Media) -> str:
    """Render a list item or cell that holds one paragraph without the paragraph around it."""
    content = content_of(node)
    if content and content[0]["type"] == "paragraph" and not marks_of(content[0]):
        return _line(content[0], media) + "".join(_block(child, media) for child in content[1:])
    return _inside(node, media)


def _place(node: Node) -> str:
    marks = {mark["type"]: attrs_of(mark) for mark in marks_of(node)}
    styles = []
    if "alignment" in marks:
        styles.append(f"text-align:{escape(str(marks['alignment'].get('align')))}")
    if "indentation" in marks:
        styles.append(f"margin-left:{2 * int(marks['indentation'].get('level', 1))}rem")
    return f' style="{";".join(styles)}"' if styles else ""


def _paragraph(node: Node, media: Media) -> str:
    return f"<p{_place(node)}>{_line(node, media) or '&nbsp;'}</p>"


def _heading(node: Node, media: Media) -> str:
    level = int(attrs_of(node).get("level", 1))
    # The page has two levels of its own above those of a ticket's text.
    tag = f"h{min(level + 2, 6)}"
    return f'<{tag} class="level-{level}"{_place(node)}>{_line(node, media)}</{tag}>'


def _list(tag: str, kind: str = "") -> Callable[[Node, Media], str]:
    def write(node: Node, media: Media) -> str:
        first = attrs_of(node).get("order", 1)
        attrs = f' start="{int(first)}"' if tag == "ol" and first != 1 else ""
        items = "".join(f"<li>{_only_line(item, media)}</li>" for item in content_of(node))
        return f"<{tag}{kind}{attrs}>{items}</{tag}>"

    return write


def _tasks(node: Node, media: Media) -> str:
    rows = (
        f"<li>{_tasks(item, media)}</li>" if item["type"] == "taskList" else _task(item, media)
        for item in content_of(node)
    )
    return f'<ul class="tasks">{"".join(rows)}</ul>'


def _task(item: Node, media: Media) -> str:
    done = attrs_of(item).get("state") == "DONE"
    box = f'<input type="checkbox" disabled{" checked" if done else ""}>'
    # Blocks may not stand in a label.
    tag = "div" if any(is_block(child) for child in content_of(item)) else "label"
    return f"<li><{tag}>{box}<span>{_only_line(item, media)}</span></{tag}></li>"


def _code(node: Node, _media: Media) -> str:
    text = "".join(str(child.get("text", "")) for child in content_of(node))
    language = attrs_of(node).get("language")
    label = f' title="{escape(str(language))}"' if language else ""
    return f'<pre tabindex="0"{label}><code>{escape(text)}</code></pre>'


def _panel(node: Node, media: Media) -> str:
    attrs = attrs_of(node)
    kind = str(attrs.get("panelType", "info"))
    sign = _PANEL_SIGNS.get(kind) or str(attrs.get("panelIconText") or "")
    mark = f'<span aria-hidden="true">{escape(sign)}</span>' if sign else ""
    colours = tint(attrs.get("panelColor") if kind == "custom" else None, kind=f"panel {escape(kind)}")
    return f"<div{colours}>{mark}<div>{_inside(node, media)}</div></div>"


def _expand(node: Node, media: Media) -> str:
    title = escape(str(attrs_of(node).get("title") or "Click to expand"))
    return f'<details class="expand"><summary>{title}</summary>{_inside(node, media)}</details>'


def _table(node: Node, media: Media) -> str:
    rows = content_of(node)
    numbered = bool(attrs_of(node).get("isNumberColumnEnabled"))
    headed = bool(rows) and all(cell["type"] == "tableHeader" for cell in content_of(rows[0]))
    body = "".join(
        _row(row, media, (str(number + (not headed)) if number or not headed else "") if numbered else None)
        for number, row in enumerate(rows)
    )
    width = attrs_of(node).get("width")
    style = f' style="width:{int(width)}px"' if isinstance(width, int | float) else ""
    return f'<div class="table" tabindex="0"><table{style}>{body}</table></div>'


def _row(row: Node, media: Media, number: str | None) -> str:
    first = "" if number is None else f'<td class="number">{number}</td>'
    return f"<tr>{first}{''.join(_cell(cell, media) for cell in content_of(row))}</tr>"


def _cell(cell: Node, media: Media) -> str:
    attrs = attrs_of(cell)
    tag = "th" if cell["type"] == "tableHeader" else "td"
    spans = "".join(
        f' {name}="{int(attrs[name])}"' for name in ("colspan", "rowspan") if attrs.get(name) not in (None, 1)
    )
    widths = attrs.get("colwidth")
    width = f"min-width:{int(sum(widths))}px" if widths else ""
    # A browser would break a date at its hyphens.
    kind = "day" if _DAY.fullmatch(plain_text(cell).strip()) else ""
    return f"<{tag}{spans}{tint(attrs.get('background'), width, kind)}>{_only_line(cell, media)}</{tag}>"


def _media_single(node: Node, media: Media) -> str:
    parts = (
        f"<figcaption>{_line(child, media)}</figcaption>"
        if child["type"] == "caption"
        else _picture(child, media)
        for child in content_of(node)
    )
    return f'<figure class="media">{"".join(parts)}</figure>'


def _picture(node: Node, media: Media) -> str:
    attrs = attrs_of(node)
    if attrs.get("type") == "external":
        return anchor(str(attrs.get("url", "")), escape(str(attrs.get("alt") or attrs.get("url", ""))))
    alt = str(attrs.get("alt") or "")
    size = f"{attrs['width']:g} × {attrs['height']:g}" if attrs.get("width") and attrs.get("height") else ""
    words = " · ".join(escape(each) for each in (alt, size) if each)
    return f'<div class="picture">{attachment(node, media)}<small>{words}</small></div>'


def _media_group(node: Node, media: Media) -> str:
    return f'<p class="files">{" ".join(attachment(child, media) for child in content_of(node))}</p>'


def _card(node: Node, _media: Media) -> str:
    url = str(attrs_of(node).get("url") or "")
    return f'<p class="link-card">{anchor(url, escape(url)) if url else "Card"}</p>'


def _columns(node: Node, media: Media) -> str:
    columns = "".join(
        f'<div style="flex-grow:{_share(attrs_of(column).get("width"))}">{_inside(column, media)}</div>'
        for column in content_of(node)
    )
    return f'<div class="columns">{columns}</div>'


def _share(width: Any) -> int:
    return int(width) if isinstance(width, int | float) and width >= 1 else 1


def _unknown(node: Node, media: Media) -> str:
    name = str(attrs_of(node).get("extensionKey") or node["type"])
    return f'<div class="unknown"><small>{escape(name)}</small>{_inside(node, media)}</div>'


_WRITERS: Final[dict[str, Callable[[Node, Media], str]]] = {
    "paragraph": _paragraph,
    "heading": _heading,
    "bulletList": _list("ul"),
    "orderedList": _list("ol"),
    "taskList": _tasks,
    "decisionList": _list("ul", ' class="decisions"'),
    "codeBlock": _code,
    "blockquote": lambda node, media: f"<blockquote>{_inside(node, media)}</blockquote>",
    "panel": _panel,
    "expand": _expand,
    "nestedExpand": _expand,
    "rule": lambda _node, _media: "<hr>",
    "table": _table,
    "mediaSingle": _media_single,
    "mediaGroup": _media_group,
    "blockCard": _card,
    "embedCard": _card,
    "layoutSection": _columns,
}
