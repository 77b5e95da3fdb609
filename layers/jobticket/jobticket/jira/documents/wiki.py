r"""Documents as Data Center takes them: wiki markup, and the one place that escapes.

The rules are those of Jira's renderer. It works in steps: macros, blocks (a heading, a list, a table), links
and URLs, backslashes, emoticons, images, phrases such as ``*bold*``. This order has consequences:

- A backslash inside a URL is part of the URL. A URL is written bare, or its colon as an entity.
- ``\{`` is a plain brace again before ``{{code}}`` is looked for. Two braces are entities.
- ``\*`` becomes ``&#42;`` before emoticons are looked for. Followed by ``)``, that ends in a wink.

A character on which the renderer would not act is written as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby

from jobticket.dataclass import dataclass
from jobticket.jira.documents.model import (
    Block,
    BulletList,
    HorizontalRule,
    Inline,
    Link,
    Paragraph,
    TextTable,
    one_line,
)

#: Data Center drops a backslash before one of these. Two backslashes are a line break.
_ACTS_BEHIND_BACKSLASH = "-#*_+?^~|%{}[]()!@\\"
_SPECIAL = re.compile(r"[-#*_+?^~|{}\[()!&:\\.]")
_ICON = re.compile(r"\((?:y|n|i|x|/|!|\+|-|\?|on|off|\*[rgby]?|flag|flagoff)\)")
_SMILEY = re.compile(r":[DPp]")
#: A list's bullets, the dot of a heading or a quotation, a bar: only where a line starts.
_BULLETS = re.compile(r"\s*[-*#]+(?=\s)")
_HEADING = re.compile(r"\s*(?:h[1-6]|bq)(?=\.)")
_DASH = re.compile(r"-{2,3}(?!\S)")
_ENTITY = re.compile(r"&[#A-Za-z0-9][A-Za-z0-9]{1,7};")
#: \\host\share is no line break.
_SHARE = re.compile(r"\\\\(?=[A-Za-z0-9][A-Za-z0-9.$-]*\\[A-Za-z0-9])")
#: [2024-01-15 10:30:00 UTC] is not a link. An issue's key in brackets is.
_CALM_BRACKETS = re.compile(
    r"\[(?![A-Z][A-Z0-9_]+-\d+\])(?:[^\W_]|(?<=[^\W_])[-+](?=[^\W_])|[ .,]|:(?=[\d ]))+\]"
)
_PROTOCOL = r"(?<![A-Za-z0-9])(?:https?://|ftps?://|nntp://|news://|irc://|mailto:|file:)"
_URL = re.compile(_PROTOCOL + r"[-_.!~*';/?:@#&=%+$,A-Za-z0-9\[\]()\\]*")
_BARE_URL = re.compile(r"(?!mailto:)[-_.!~*';/?:@#&=%+$,A-Za-z0-9()]+")
_WINK = re.compile(r";\)[.,);'!]*\Z")
#: After one of these Data Center does not look for a URL.
_NO_URL_AFTER = ('"', "'", "[", "!")
_CONTROLS = re.compile(r"[\x00-\x1f]+")
_UNESCAPED = re.compile(r"(?<!\\)\\([-#*_+?^~|%{}\[\]()!@])|&#(\d{1,7});|&amp;")


def to_wiki(document: Iterable[Block]) -> str:
    """Return the markup of a document: LF line ends, no line end after the last line."""
    text = ""
    before: Block | None = None
    for block in document:
        if block == BulletList(()):
            continue
        markup = _block(block)
        if before is not None:
            text += "\n" if _follows_closely(before, block) else "\n\n"
        text += markup
        before = block
    return text


def _follows_closely(before: Block, block: Block) -> bool:
    if isinstance(before, HorizontalRule):
        return True
    if not isinstance(before, Paragraph):
        return False
    return block.tight if isinstance(block, Paragraph) else not isinstance(block, HorizontalRule)


def _block(block: Block) -> str:
    match block:
        case Paragraph(content):
            return _line(content)
        case BulletList(items):
            return "\n".join(f"- {_line(item)}" for item in items)
        case HorizontalRule():
            return "----"
        case TextTable(header, rows):
            lines = [f"|| {' || '.join(map(_cell, header))} ||"]
            return "\n".join([*lines, *(f"| {' | '.join(map(_cell, row))} |" for row in rows)])


def _cell(text: str) -> str:
    return escape(one_line(text), _Place(after=" ", in_cell=True))


def _line(content: Iterable[Inline]) -> str:
    runs = [(bold, "".join(map(_shown, run))) for bold, run in groupby(content, key=_is_strong)]
    line = ""
    for number, (bold, text) in enumerate(runs):
        after = "".join(f"*{text}*" if bold else text for bold, text in runs[number + 1 :])
        place = _Place(before="*" if line else "", after=after, starts_line=not line)
        line += _bold(text, place, line) if bold else escape(text, place)
    return line


def _bold(text: str, place: _Place, line: str) -> str:
    """Mark a text as strong. Beside a letter or a space, marks work in braces only."""
    inner = text.strip()
    if not inner:
        return text
    apart = not (_is_word(line[-1:]) or (inner == text.rstrip() and _is_word(place.after[:1])))
    mark = "*" if apart else "{*}"
    start, end = text[: text.index(inner)], text[text.index(inner) + len(inner) :]
    escaped = escape(inner, _Place("*", "*" + place.after, place.starts_line, in_strong=True))
    return f"{start}{mark}{escaped}{mark}{end}"


def _is_strong(inline: Inline) -> bool:
    return not isinstance(inline, Link) and inline.strong


def _shown(inline: Inline) -> str:
    # Control characters, such as a tab, end a phrase.
    return _CONTROLS.sub(" ", inline.url if isinstance(inline, Link) else inline.text)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a text stands in its line."""

    #: The text around it in the same line or cell.
    before: str = ""
    after: str = ""
    starts_line: bool = True
    in_cell: bool = False
    in_strong: bool = False


_ALONE = _Place()


def escape(text: str, place: _Place = _ALONE) -> str:
    r"""Write one line of text so that Data Center shows it as it is.

    Examples
    --------
    >>> escape("JOB-2024-001"), escape("see https://wiki.example/7 (C:\\load)")
    ('JOB-2024-001', 'see https://wiki.example/7 (C:\\load)')
    >>> print(escape("Main {code} *line*"))
    Main \{code\} \*line*
    """
    return _Escaping(text, place).result()


def unescape(markup: str) -> str:
    """Return the text of escaped markup."""
    return _UNESCAPED.sub(lambda found: found[1] or (chr(int(found[2])) if found[2] else "&"), markup)


def _is_word(character: str) -> bool:
    return character.isalpha() or character.isdecimal()


class _Escaping:
    """One text while it is escaped, from left to right."""

    def __init__(self, text: str, place: _Place) -> None:
        self.text = text
        self.line = text + place.after
        self.place = place
        self.out: list[str] = []
        #: How far the text is written, and where the last escape ended.
        self.done = 0
        self.escaped_until = -1
        bullets, heading = _BULLETS.match(text), _HEADING.match(text)
        self.bullet = len(text) - len(text.lstrip()) if bullets and place.starts_line else -1
        self.dot = heading.end() if heading and place.starts_line and not place.in_strong else -1

    def result(self) -> str:
        bare, colons = self._urls()
        for found in _SPECIAL.finditer(self.text):
            at = found.start()
            if at not in bare and (at in colons or self._acts(at)):
                self._write(at, as_entity=at in colons)
        self.out.append(self.text[self.done :])
        return "".join(self.out)

    def _urls(self) -> tuple[set[int], set[int]]:
        """Return the positions of bare URLs, and of colons that must not make a URL."""
        bare: set[int] = set()
        colons: set[int] = set()
        at = 0
        while url := _URL.search(self.text, at):
            colon = self.text.index(":", url.start())
            at = colon + 1  # a URL that is no link may contain one that is
            if self._is_hidden(url):
                continue
            if self._is_bare(url):
                bare.update(range(*url.span()))
                at = url.end()
            else:
                colons.add(colon)
        return bare, colons

    def _is_hidden(self, url: re.Match[str]) -> bool:
        before = self._before(url.start())[-1:]
        return before in _NO_URL_AFTER or (before == "|" and not self._acts(url.start() - 1))

    def _is_bare(self, url: re.Match[str]) -> bool:
        """Tell whether Data Center shows all of a URL, and all of the text behind it."""
        # Data Center cuts the end of a sentence off a URL, and shows a wink as one.
        if not _BARE_URL.fullmatch(url[0]) or _ENTITY.search(url[0]) or _WINK.search(url[0]):
            return False
        after = self._next(url.end() - 1)
        return not after.strip() or (after not in "{}|^*" and not url[0].endswith("!"))

    def _write(self, at: int, *, as_entity: bool) -> None:
        character = self.text[at]
        self.out.append(self.text[self.done : at])
        if character == "&":
            self.out.append("&amp;")
        elif as_entity or character in "|:.\\" or (character == "{" and self._is_doubled(at)):
            self.out.append(f"&#{ord(character)};")
        else:
            self.out.append(f"\\{character}")
        self.done = self.escaped_until = at + 1

    def _acts(self, at: int) -> bool:
        """Tell whether the renderer would act on this character."""
        match self.text[at]:
            case "{" | "}":
                return True
            case "*" | "_" | "+" | "^" | "~" | "-" | "!":
                return self._acts_as_phrase(at)
            case "?":
                return self._next(at) == "?" and self._has_later("??", at) and not self._is_after_word(at)
            case "|":
                return self.place.in_cell or (self.place.starts_line and not self.text[:at].strip())
            case "[":
                return not _CALM_BRACKETS.match(self.text, at)
            case _:
                return self._acts_as_sign(at)

    def _acts_as_phrase(self, at: int) -> bool:
        """Tell whether ``*`` or the like would open or close a phrase, make a dash, or start a list."""
        character, following = self.text[at], self._next(at)
        if at == self.bullet:
            return True
        if character == "-" and not self._before(at)[-1:].strip() and _DASH.match(self.line, at):
            return True
        if self.place.in_strong and character == "*":
            return True
        opens = bool(following.strip()) and not self._is_after_word(at)
        return opens and self._has_later(character, at)

    def _acts_as_sign(self, at: int) -> bool:
        match self.text[at]:
            case "(":
                return bool(_ICON.match(self.text, at)) or self._before(at).endswith((":", ":-"))
            case ")":
                return self._acts_as_mouth(at)
            case ":":
                return bool(_SMILEY.match(self.text, at)) and not _is_word(self._next(at + 1))
            case "&":
                return bool(_ENTITY.match(self.text, at))
            case "\\":
                return self._acts_as_backslash(at)
            case _:
                return at in (self.bullet, self.dot)

    def _acts_as_mouth(self, at: int) -> bool:
        """Tell whether ``)`` would end a smiley, also one whose eyes are the end of an entity."""
        nose = self._before(at).endswith("-")
        if self.escaped_until == at:
            return True
        eyes = at - nose
        return self.escaped_until == eyes or self._before(eyes)[-1:] in tuple(":;<>&")

    def _acts_as_backslash(self, at: int) -> bool:
        if _SHARE.match(self.text, at) and not self._before(at).endswith("\\"):
            return False
        following = self._next(at)
        return bool(following) and following in _ACTS_BEHIND_BACKSLASH

    def _is_doubled(self, at: int) -> bool:
        return self._next(at) == "{" or self._before(at).endswith("{")

    def _is_after_word(self, at: int) -> bool:
        return _is_word(self._before(at)[-1:])

    def _before(self, at: int) -> str:
        return self.text[max(0, at - 2) : at] or self.place.before

    def _next(self, at: int) -> str:
        return self.line[at + 1 : at + 2]

    def _has_later(self, closing: str, at: int) -> bool:
        return self.line.find(closing, at + 2) >= 0
