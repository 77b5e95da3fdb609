"""How Jira Data Center renders wiki markup, as far as text that people did not mean as markup can meet it.

A small model of Jira's own renderer, step for step in its order, because the order is what surprises: blocks,
then macros, links, URLs, backslashes, HTML, dashes, emoticons, images, phrases, forced line breaks. It shows
text as a reader sees it. Whatever acts leaves a tag in angle brackets, so that nothing acts unseen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hypothesis import strategies as st

from jobticket.jira.documents.model import one_line

_URL_CHARACTERS = r"[-_.!~*';/?:@#&=%+$,A-Za-z0-9\[\]()\\]+"
_PROTOCOLS = r"(?:http://|https://|ftp://|ftps://|mailto:|nntp://|news://|irc://|file:)"
_URL = re.compile(rf"(?:(?<=[^\"\[|'!])|^)(?<![A-Za-z0-9]){_PROTOCOLS}{_URL_CHARACTERS}", re.DOTALL)
_LINK = re.compile(r"(?<!\\)\[(?![\s\]])((?:\\[\[\]]|[^\[\]\n])+)(?<!\\)\]")
_ESCAPE = re.compile(r"(?<!\\)\\([-#*_+?^~|%{}\[\]()!@])")
_ENTITY = re.compile(r"&(?![#A-Za-z0-9][A-Za-z0-9]{1,7};)")
_EMOTICONS = [
    *(":-)", ":)", ":P", ":p", ";-)", ";)", ":D", ":-(", ":("),
    *("(y)", "(n)", "(i)", "(/)", "(x)", "(+)", "(-)", "(!)", "(?)", "(on)", "(off)"),
    *("(*)", "(*r)", "(*g)", "(*b)", "(*y)", "(flag)", "(flagoff)"),
]  # fmt: skip
_PHRASES = {"*": "b", "^": "sup", "~": "sub", "_": "em", "-": "del", "??": "cite", "+": "ins"}
#: Where a token stands: what an earlier step made and no later step looks into.
_TOKEN = re.compile("\ue000(\\d+)\ue001")


_PIECES = st.sampled_from(
    [
        *r"|*{}[]\_-+^~?!#%@()&;:<>. ", *"*_-+^~{}", "||", "\\\\", "--", "---", "----", "??", "{*}", "{{", "}}", "{code}",
        "{noformat}", "{color:red}", "{quote}", "[link|http://x.y]", "[~admin]", "[^a.pdf]", "[#top]", "[done]",
        "[PI-7]", "[2024-01-15 10:30:00 UTC]", "!image.png!", "h1.", "h6. ", "bq.", "# ", "- ", "* ", "&#124;",
        "&amp;", "&nbsp;", "\\n", "https://a.example/b_c-d?e=1&f=*g*", "http://", "mailto:a@b.example", "file:a",
        "C:\\load\\", "\\\\server\\share\\a.pdf", "a", "Z9", "5", "ß", "漢", "½", "²", "🙂", "\u0301", "\xa0", " ",
        '"', "'", ".", *_EMOTICONS,
    ]
)  # fmt: skip
#: Texts made of what means something to the renderer, and names: texts that are not empty.
TEXTS = (st.lists(_PIECES | st.text(max_size=3), max_size=8).map("".join) | st.text(max_size=40)).map(
    one_line
)
NAMES = TEXTS.filter(bool)


@dataclass(frozen=True)
class Line:
    """A paragraph's line, a list's item (``kind`` item) or anything else that a line became."""

    kind: str
    text: str


@dataclass(frozen=True)
class Row:
    cells: tuple[tuple[str, str], ...]


def rendered(markup: str) -> list[Line | Row]:
    """Return what a reader sees, line by line."""
    found: list[Line | Row] = []
    for line in _macros(markup).split("\n"):
        if re.match(r"\s*\|", line):
            found.append(Row(tuple((kind, _in_block(cell)) for kind, cell in _cells(line))))
        elif line.strip():
            found.append(_line(line))
    return found


def _line(line: str) -> Line:
    if heading := re.fullmatch(r"\s*h([1-6])\.\s*(.*)", line):
        return Line(f"h{heading[1]}", _inline(heading[2]))
    if quotation := re.fullmatch(r"\s*bq\.\s*(.*)", line):
        return Line("quotation", _inline(quotation[1]))
    if re.fullmatch(r"\s*-{4,5}\s*", line):
        return Line("rule", "")
    if (item := re.fullmatch(r"\s*([*#-]+)\s+(.*?)\s*", line)) and not re.match(r"\s*-{2,3}", line):
        return Line("item", _in_block(item[2]))
    return Line("line", _inline(line))


def _in_block(text: str) -> str:
    """Render a cell or an item, which may hold blocks in turn."""
    inner = _line(text.strip())
    return inner.text if inner.kind == "line" else f"<{inner.kind}>{inner.text}"


def _cells(line: str) -> list[tuple[str, str]]:
    """Split a row: a bar ends a cell whatever stands before it, but in a link."""
    line = _LINK.sub(lambda found: "<link>" if "|" in found[0] else found[0], line.strip())
    parts = re.split(r"(\|\|?)", line)
    cells = list(zip(parts[1::2], parts[2::2], strict=True))
    if cells and not cells[-1][1]:
        cells.pop()
    return [("header" if bar == "||" else "cell", text) for bar, text in cells]


def _macros(text: str) -> str:
    """Mark every tag that the renderer takes for a macro."""
    out, at = "", 0
    while at < len(text):
        if text[at] == "\\" or (text[at] == "{" and text[at + 1 : at + 2] in tuple("{*?^_-+~")):
            out, at = out + text[at : at + 2], at + 2
        elif text[at] == "{" and (tag := re.match(r"\{(?:[^{}\\]|\\.)*\}", text[at:], re.DOTALL)):
            even = re.match(r"\}+", text[at + tag.end() - 1 :])
            name = tag[0][1:-1].strip()
            acts = bool(name) and not name.startswith("$") and even and len(even[0]) % 2
            out, at = out + (f"<macro {tag[0][1:-1]}>" if acts else tag[0]), at + tag.end()
        else:
            out, at = out + text[at], at + 1
    return out


def _inline(text: str) -> str:
    text, tokens = _links(text, [])
    text = _URL.sub(lambda found: _url(found[0], tokens), text)
    text = _ESCAPE.sub(lambda found: found[1] if found[1] in "{}[]" else f"&#{ord(found[1])};", text)
    text = _ENTITY.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"(^|\s)-{2,3}(?=\s|$)", r"\1<dash>", text)
    for icon in _EMOTICONS:
        text = re.sub(rf"\\?{re.escape(icon)}{_after()}", f"<{ord(icon[1])} icon>", text)
    text = re.sub(rf"{_before()}!([^\s!](?:[^!\n]*?[^\s!])?)(?<!\\)!{_after()}", _image, text)
    for sign, tag in _PHRASES.items():
        text = _phrase(re.escape(sign), tag, text)
    text = re.sub(rf"{_before()}\{{\{{([^\s{{}}](?:[^\n]*?[^\s}}])??)\}}\}}{_after()}", r"<tt>\1</tt>", text)
    text = re.sub(r"(?<!\\)\\\\(?!\S*\\)", "<br>", text)
    return _decoded(_TOKEN.sub(lambda found: tokens[int(found[1])], text))


def _links(text: str, tokens: list[str]) -> tuple[str, list[str]]:
    def link(found: re.Match[str]) -> str:
        target = found[1]
        # What resolves to nothing is shown as it stands, with the backslashes in it.
        acts = re.match(r"[~#^/\\]|.*\||.*(?::/|mailto:|file:)|[A-Z][A-Z0-9_]+-\d+\Z", target)
        return _token(f"<link {target}>" if acts else f"[{_html(target)}]", tokens)

    spans = [found.span() for found in _URL.finditer(text)]

    def outside(found: re.Match[str]) -> str:
        inside = any(start < found.start() < end for start, end in spans)
        return found[0] if inside else link(found)

    return _LINK.sub(outside, text), tokens


def _url(url: str, tokens: list[str]) -> str:
    kept = url.rstrip(".,>)];}\"'!")
    rest = url[len(kept) :]
    shown = _html(kept.removeprefix("mailto:")) if not kept.startswith("mailto:") else f"<{kept}>"
    return _token(shown, tokens) + rest


def _token(shown: str, tokens: list[str]) -> str:
    tokens.append(shown)
    return f"\ue000{len(tokens) - 1}\ue001"


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _image(found: re.Match[str]) -> str:
    return found[0] if len(found[1]) < 5 or found[1].startswith(")") else f"<img {found[1]}>"


def _phrase(sign: str, tag: str, text: str) -> str:
    content = rf"([^\s{sign}](?:(?!{sign})[^\x00-\x1f]*?[^\s{sign}])??)(?<!\\)"
    start, end = rf"(?:{_before()}{sign}|\{{{sign}\}})", rf"(?:{sign}{_after()}|\{{{sign}\}})"
    return re.sub(start + content + end, rf"<{tag}>\1</{tag}>", text)


#: Numbers that are word characters to Python, but neither letters nor decimal digits.
_NUMBERS = "".join(
    character
    for character in map(chr, range(0x10000))
    if character.isalnum() and not character.isalpha() and not character.isdecimal()
)


def _before() -> str:
    return rf"(?:(?<![^\W_])|(?<=[{_NUMBERS}]))(?<!\\)"


def _after() -> str:
    return rf"(?:(?![^\W_])|(?=[{_NUMBERS}]))"


def _decoded(text: str) -> str:
    names = {"amp": "&", "lt": "<", "gt": ">"}
    return re.sub(
        r"&(?:#(\d+)|(amp|lt|gt));",
        lambda found: chr(int(found[1])) if found[1] else names[found[2]],
        text,
    )
