"""What an edit has changed, as people read it: what went and what came, with a little around it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from html import escape

#: Lines that stayed, shown before and after a change.
_AROUND = 1
_MOST_LINES = 60
_LONGEST_LINE = 300


def difference(old: str | None, new: str | None) -> str:
    """Return HTML for a change of a value: in one line if both are, else line by line."""
    before, after = (old or "").splitlines(), (new or "").splitlines()
    if len(before) <= 1 and len(after) <= 1:
        went, came = _mark("del", *before), _mark("ins", *after)
        return " → ".join(part for part in (went, came) if part) or '<span class="soft">nothing to see</span>'
    lines = list(_lines(before, after))
    if len(lines) > _MOST_LINES:
        more = len(lines) - _MOST_LINES
        lines[_MOST_LINES:] = [
            f'<div class="soft">… and {more} more {"line" if more == 1 else "lines"}</div>'
        ]
    return f'<div class="difference">{"".join(lines)}</div>'


def _lines(before: list[str], after: list[str]) -> Iterator[str]:
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for number, group in enumerate(matcher.get_grouped_opcodes(_AROUND)):
        if number:
            yield '<div class="soft">…</div>'
        for kind, first, last, start, end in group:
            if kind == "equal":
                yield from (f"<div>{_cut(line)}</div>" for line in before[first:last])
                continue
            yield from (f"<div>{_mark('del', line)}</div>" for line in before[first:last])
            yield from (f"<div>{_mark('ins', line)}</div>" for line in after[start:end])


def _mark(tag: str, *lines: str) -> str:
    return "".join(f"<{tag}>{_cut(line)}</{tag}>" for line in lines if line)


def _cut(line: str) -> str:
    return escape(line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE] + "…") or "&nbsp;"
