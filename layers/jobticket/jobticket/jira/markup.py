r"""Names as plain text in Jira's wiki markup.

Jira takes a backslash off one of ``- # * _ + ? ^ ~ | % { } [ ] ( ) ! @`` and off nothing else, and only if no
backslash stands before it; two backslashes are a line break. What a backslash cannot protect (a backslash
itself, the dot of ``h1.``, the colon of an address) is written as a character reference.
"""

from __future__ import annotations

import re

#: Every kind of line break, and tabs: a name is one line.
_BREAKS = re.compile(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
#: Other control characters, those that turn the direction of what follows, and what is no character at all.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")

_ICONS = r"(?:y|n|i|x|/|!|\+|-|\?|on|off|\*[rgby]?|flag|flagoff)"

_MARKUP = re.compile(
    rf"""
      (?P<reference>
          (?-i:(?<=^h[1-6])\.|(?<=^bq)\.)    # a heading, a quotation: a name may stand where a line starts
        | :(?=//) | (?<=mailto):             # an address would become a link
        | [:;](?=-?[DP](?![^\W_]))           # :D
        | &(?=\#?\w+;)                       # a character reference that is meant as it stands
        | \\(?![^\W_])                       # a backslash that would act on what follows it
      )
    | (?P<escaped>
          ^\#
        | [*_+^~|{{}}\[\]!]
        | -(?!(?<=[^\W_]-)[^\W_])(?!(?<=\ -)\ )    # every hyphen but those inside words and between spaces
        | \?(?=\?) | (?<=\?)\?
        | \((?={_ICONS}\)) | (?<=[:;])[()] | (?<=[:;]-)[()]    # (x), (!), :), ;-)
      )
    """,
    re.VERBOSE | re.IGNORECASE,
)


def escape(name: str) -> str:
    r"""Write a name so that Jira shows it as it is, in a table's cell or anywhere in a line.

    Line breaks become a space, other control characters the replacement character.

    Examples
    --------
    >>> escape("JOB-2024-001")
    'JOB-2024-001'
    >>> print(escape("in|out *fast* {code}"))
    in\|out \*fast\* \{code\}
    """
    line = _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", _BREAKS.sub(" ", name)).strip()
    return _MARKUP.sub(_plain, line)


def _plain(match: re.Match[str]) -> str:
    return f"\\{match[0]}" if match["escaped"] else f"&#{ord(match[0])};"
