"""Macros: ``{code}``, ``{noformat}``, ``{quote}``, ``{panel}``, ``{color}``, ``{adf}`` and ``{anchor}``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from local.atlassian.adf.colours import hex_colour, panel_type
from local.atlassian.adf.nodes import (
    SPACES,
    Node,
    content_of,
    element,
    mark,
    marked,
    normalised,
    paragraph,
    texts,
    title,
)
from local.atlassian.adf.reader import DASHES, Found, Kind, Reader, as_text
from local.atlassian.adf.stored import completed
from local.atlassian.bodies import parse

Attributes = dict[str, str]
Make = Callable[[Reader, Attributes, str, int], Found]

_LANGUAGES: Final = """
abap actionscript ada arduino autoit c c++ clojure coffeescript csharp css cuda d dart delphi elixir
erlang fortran foxpro go groovy haskell haxe html java javascript json julia kotlin latex livescript lua
mathematica matlab objective-c objective-j objectpascal ocaml octave perl php powershell prolog puppet
python qml r racket restructuredtext ruby rust sass scala scheme shell smalltalk sql standardml swift tcl
tex typescript vala vbnet verilog vhdl xml xquery
"""
_IN_PANELS: Final = frozenset(("paragraph", "heading", "orderedList", "bulletList"))
_IN_QUOTES: Final = frozenset(
    ("paragraph", "bulletList", "orderedList", "codeBlock", "mediaSingle", "mediaGroup")
)


def attributes(given: str, separator: str = "|") -> Attributes:
    """Take ``a=1|b=2`` apart; of a name that is there twice the first value with something in it counts."""
    found: Attributes = {}
    for part in given.split(separator) if given else ():
        name, _, value = part.partition("=")
        if not found.get(name):
            found[name] = value
    return found


def _macro(name: str, make: Make) -> Callable[[Reader, str, int], Found]:
    """Return a reader of ``{name:attributes}content{name}``; unclosed, it is only its beginning."""
    opening = re.compile(rf"\{{({name})(?::([^{{\n}}]*))?\}}", re.IGNORECASE)

    def read(reader: Reader, text: str, at: int) -> Found:
        match = opening.match(text, at)
        if match is None:
            return as_text(text, at)
        closing = "{" + match[1] + "}"
        end = text.find(closing, match.end())
        content = text[match.end() : end] if end >= 0 else ""
        length = (end + len(closing) if end >= 0 else match.end()) - at
        return make(reader, attributes(match[2] or ""), content, length)

    return read


def _code_block(given: Attributes, content: str, length: int, attrs: dict[str, str]) -> Found:
    block = element("codeBlock", texts(content.strip(SPACES)), attrs)
    above = [title(given["title"])] if given.get("title") else []
    return Found(length, [*above, block])


def _code(_reader: Reader, given: Attributes, content: str, length: int) -> Found:
    names = {name.lower() for name in given}
    known = next((language for language in _LANGUAGES.split() if language in names), None)
    language = known or ("objective-c" if "objc" in names else "java")
    return _code_block(given, content, length, {"language": language})


def _noformat(_reader: Reader, given: Attributes, content: str, length: int) -> Found:
    return _code_block(given, content, length, {})


def quoted(reader: Reader, content: str, length: int) -> Found:
    """Return a quote, in pieces around what a quote cannot hold."""
    if not content:
        return Found(length, [element("blockquote", [paragraph()])])
    output: list[Node] = []
    inside: list[Node] = []
    for node in normalised(reader.parse(content)):
        if node["type"] in _IN_QUOTES:
            inside.append(node)
        elif node["type"] == "heading":
            inside.append(_heading_in_a_quote(node))
        else:
            output += [element("blockquote", inside)] if inside else []
            output.append(node)
            inside = []
    return Found(length, output + ([element("blockquote", inside)] if inside else []))


def _heading_in_a_quote(node: Node) -> Node:
    level = node["attrs"]["level"]
    content = [_upper(child) for child in content_of(node)] if level == 1 else content_of(node)
    added = [mark("strong")] if level <= 4 else []
    added += [mark("em")] if level in (2, 5) else []
    added += [mark("textColor", color="#97a0af")] if level > 3 else []
    for each in added:
        content = [marked(child, each) for child in content]
    return paragraph(content)


def _upper(node: Node) -> Node:
    return {**node, "text": node["text"].upper()} if node["type"] == "text" else node


def heading_in_a_list(node: Node) -> Node:
    """Return what a heading becomes in a list item: a line of strong capitals."""
    return paragraph(marked(_upper(child), mark("strong")) for child in content_of(node))


def _panel(reader: Reader, given: Attributes, content: str, length: int) -> Found:
    attrs = {"panelType": panel_type(given.get("bgColor"))}
    output: list[Node] = []
    inside = [title(given["title"])] if given.get("title") else []
    for node in normalised(reader.parse(content)):
        if node["type"] in _IN_PANELS:
            inside.append(node)
        else:
            output += [element("panel", inside or [paragraph()], attrs), node]
            inside = []
    return Found(length, output + ([element("panel", inside, attrs)] if inside else []))


def _color(reader: Reader, given: Attributes, content: str, length: int) -> Found:
    colour = hex_colour(next(iter(given), "")) or "#000000"
    nodes = reader.parse(content, DASHES | {Kind.TABLE})
    return Found(length, [marked(node, mark("textColor", color=colour)) for node in nodes])


def _adf(_reader: Reader, _given: Attributes, content: str, length: int) -> Found:
    """Take a node as it is written in the text: this is how v2 hands out what markup cannot say."""
    try:
        node = completed(parse(content.encode()))
    except ValueError:
        node = element("codeBlock", texts(content and f"Invalid ADF Macro: {content}"), {})
    return Found(length, [node])


def _anchor(_reader: Reader, text: str, at: int) -> Found:
    match = re.compile(r"\{anchor(?::[^{\n}]*)?\}", re.IGNORECASE).match(text, at)
    return Found(len(match[0])) if match else as_text(text, at)


TOKENS: Final[dict[Kind, Callable[[Reader, str, int], Found]]] = {
    Kind.CODE: _macro("code", _code),
    Kind.NOFORMAT: _macro("noformat", _noformat),
    Kind.QUOTE_MACRO: _macro("quote", lambda reader, _, content, length: quoted(reader, content, length)),
    Kind.PANEL: _macro("panel", _panel),
    Kind.COLOR: _macro("color", _color),
    Kind.ADF: _macro("adf", _adf),
    Kind.ANCHOR: _anchor,
}
