"""How Jira hands a description back that was written to it."""

from __future__ import annotations

import re
from collections.abc import Callable

from local.atlassian.adf.from_wiki import to_document
from local.atlassian.adf.to_wiki import to_markup

Jira = Callable[[str], str]

_FENCED = re.compile(r"((?<!\\)\{(code|noformat|quote)\}.*?\{\2\})", re.DOTALL)


def data_center(markup: str) -> str:
    """Data Center stores what it is given."""
    return markup


def browser(markup: str) -> str:
    """A description that was last saved by a browser has its line ends."""
    return re.sub(r"\r?\n", "\r\n", markup)


def cloud(markup: str) -> str:
    """Cloud's converter as Atlassian publishes it: another way there and back than the emulated one.

    It trims cells, makes the names in a header row bold, takes most escapes off, and puts a blank line
    between a bold line and the table below it.
    """
    done = 0
    parts = []
    for fenced in _FENCED.finditer(markup):
        parts += [_cloud_lines(markup[done : fenced.start()]), fenced[0]]
        done = fenced.end()
    return "".join([*parts, _cloud_lines(markup[done:])])


def _cloud_lines(markup: str) -> str:
    lines: list[str] = []
    for line in markup.split("\n"):
        text = _row(line.strip()) if line.strip().startswith("|") else line.rstrip()
        if text.startswith("|") and lines and re.fullmatch(r"\*.+\*", lines[-1].strip()):
            lines.append("")
        lines.append(
            re.sub(r"\\([-#*_+?^~|%}\[\]()!@])", r"\1", text) if "*" in text or "|" in text else text
        )
    return "\n".join(lines)


def _row(line: str) -> str:
    pieces = re.split(r"((?<!\\)\|\|?)", line)
    header = line.startswith("||")
    return "".join(
        _bold(piece.strip()) if header and not piece.startswith("|") else piece.strip() for piece in pieces
    )


def _bold(name: str) -> str:
    return name if not name or re.fullmatch(r"\*.+\*", name) else f"*{name}*"


def emulated(markup: str) -> str:
    """The emulated site of the local stack."""
    return to_markup(to_document(markup))


KINDS: dict[str, Jira] = {
    "data center": data_center,
    "browser": browser,
    "cloud": cloud,
    "emulated": emulated,
}
