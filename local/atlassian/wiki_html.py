"""Wiki markup as safe HTML: every text is escaped, only http, https and mailto links are links."""

from __future__ import annotations

from html import escape

from local.atlassian import wiki, wiki_inline
from local.atlassian.wiki_inline import Break, Inline, Link, Marked, Text

_TAGS = {
    "strong": "b",
    "em": "i",
    "underline": "u",
    "strike": "s",
    "sup": "sup",
    "sub": "sub",
    "code": "code",
}


def to_html(text: str) -> str:
    """Render a whole text."""
    return "\n".join(_block(block) for block in wiki.parse(text))


def _block(block: wiki.Block) -> str:
    match block:
        case wiki.Paragraph(text):
            return f"<p>{_inline(text)}</p>"
        case wiki.Heading(level, text):
            return f"<h{level}>{_inline(text)}</h{level}>"
        case wiki.ListBlock(items):
            return _list(items)
        case wiki.Table(rows):
            return f'<div class="table"><table>{"".join(_row(row) for row in rows)}</table></div>'
        case wiki.Code(_, _, text):
            return f'<pre tabindex="0"><code>{escape(text)}</code></pre>'
        case wiki.Quote(text):
            return f"<blockquote>{_inline(text)}</blockquote>"
        case wiki.Rule():
            return "<hr>"


def _list(items: tuple[wiki.Item, ...]) -> str:
    out: list[str] = []
    open_lists: list[str] = []
    for item in items:
        wanted = [{"*": "ul", "#": "ol"}[marker] for marker in item.markers]
        while open_lists and open_lists != wanted[: len(open_lists)]:
            out.append(f"</li></{open_lists.pop()}>")
        if open_lists == wanted:
            out.append("</li>")
        for tag in wanted[len(open_lists) :]:
            out.append(
                f"<{tag}>" if tag == wanted[-1] and len(open_lists) == len(wanted) - 1 else f"<{tag}><li>"
            )
            open_lists.append(tag)
        out.append(f"<li>{_inline(item.text)}")
    out.extend(f"</li></{tag}>" for tag in reversed(open_lists))
    return "".join(out)


def _row(row: tuple[wiki.Cell, ...]) -> str:
    return f"<tr>{''.join(_cell(cell) for cell in row)}</tr>"


def _cell(cell: wiki.Cell) -> str:
    tag = "th" if cell.header else "td"
    return f"<{tag}>{_inline(cell.text)}</{tag}>"


def _inline(source: str) -> str:
    return "".join(_piece(piece) for piece in wiki_inline.parse(source))


def _piece(piece: Inline) -> str:
    match piece:
        case Text(text):
            return escape(text)
        case Marked(mark, children):
            return f"<{_TAGS[mark]}>{''.join(map(_piece, children))}</{_TAGS[mark]}>"
        case Link(url, children):
            return f'<a href="{escape(url)}" rel="noreferrer noopener">{"".join(map(_piece, children))}</a>'
        case Break():
            return "<br>"
