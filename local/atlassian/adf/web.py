"""Pieces of HTML that blocks and lines share: links, attachments, colours."""

from __future__ import annotations

import re
from html import escape
from typing import Any, Final

from local.atlassian.adf.nodes import Node, attrs_of
from local.atlassian.adf.reader import Media

_COLOUR: Final = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")


def anchor(url: str, label: str, kind: str = "") -> str:
    """Return a link around a label that is HTML already; only web and mail addresses are links."""
    if not url.lower().startswith(("http://", "https://", "mailto:")):
        return label
    named = f' class="{kind}"' if kind else ""
    return f'<a{named} href="{escape(url)}" rel="noreferrer noopener">{label}</a>'


def attachment(node: Node, media: Media) -> str:
    """Return the place of a file. The file itself is not here."""
    name = media.name_of(str(attrs_of(node).get("id") or attrs_of(node).get("url") or ""))
    return f'<span class="file">{escape(name)}</span>'


def tint(colour: Any, style: str = "", kind: str = "") -> str:
    """Return class and style of an element that a person may have coloured; Jira's colours are light ones."""
    tinted = is_colour(colour)
    classes = " ".join(each for each in (kind, "tinted" if tinted else "") if each)
    styles = ";".join(each for each in (style, f"background:{colour}" if tinted else "") if each)
    return (f' class="{classes}"' if classes else "") + (f' style="{styles}"' if styles else "")


def is_colour(value: Any) -> bool:
    return isinstance(value, str) and _COLOUR.fullmatch(value) is not None
