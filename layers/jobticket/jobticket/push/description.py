r"""The description of a ticket that people and pushes write in turn.

A push appends its tables; when the description has no room for them, the oldest tables that pushes wrote
move into comments. What people wrote is never changed, moved or cut: not a character of it, wherever it
stands.

Jobticket's own tables are recognised by their structure, because Jira Cloud stores documents and hands back
other bytes than it was given: a bold line, a table ``Date … Completed`` below it, exactly one row of a date
and counts. The same inside a macro (``{code}``, ``{quote}``) is something a person quoted, and a table that a
person added a row to is that person's.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from jobticket.push.limits import LIMIT, fits, packed

#: Introduces tables that were moved into a comment.
MOVED = "Older status tables, moved here from the description:"
#: A full description is emptied down to this share of the limit, so that not every later push moves a table.
ROOM = 0.75

_HEADING = re.compile(r"\*.+\*|\{\*\}.+\{\*\}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_COUNT = re.compile(r"\d+")
_MACROS = "code|noformat|quote|panel|color|adf|expand|info|note|tip|warning"
_MACRO = re.compile(rf"(?<!\\)\{{(?P<name>{_MACROS})(?::[^}}\n]*)?\}}")
_REFERENCE = re.compile(r"&#\d+;")
_BREAKS_BEFORE = re.compile(r"(?:\r?\n){1,2}\Z")
_BREAKS_AFTER = re.compile(r"\A(?:\r?\n){1,2}")
_BLANK_LINE_AFTER = re.compile(r"[^\S\n]*\n[^\S\n]*(?:\n|\Z)")
_BREAK_AFTER = re.compile(r"\A\r?\n")

#: What stays the same of a table however Jira writes it: the letters of its names, the date and the counts.
Content = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class OwnTable:
    """A table that a push wrote, with the bold name above it.

    Attributes
    ----------
    start, end
        Where it stands in the description.
    content
        What it says, however it is written.
    """

    start: int
    end: int
    text: str
    content: Content


@dataclass(frozen=True, slots=True)
class Plan:
    """What a push has to write.

    Attributes
    ----------
    description
        The new description; None leaves the old one alone, because it has no room.
    comments
        Texts for comments, in order, to be posted before the description is written: a table then stands
        twice for a moment, never nowhere.
    moved
        The tables that leave the description for the comments, or have left it by an earlier plan.
    in_comment
        Whether the new sections, too, are in the comments.
    """

    description: str | None
    comments: tuple[str, ...] = ()
    moved: tuple[OwnTable, ...] = ()
    in_comment: bool = False


def append(description: str | None, sections: Sequence[str]) -> str:
    """Return the description with the sections below it, separated by blank lines."""
    return "\n\n".join([description, *sections] if description else sections)


def plan(description: str | None, sections: Sequence[str], *, limit: int = LIMIT) -> Plan:
    """Decide how the sections get onto the ticket.

    Appended, if they fit; else appended after the oldest own tables have moved into comments; else, when
    what people wrote leaves no room, in a comment below all older tables: what is in the comments is always
    older than what is in the description.

    Raises
    ------
    ValueError
        If a section is too long for any place.
    """
    if not all(fits(section, limit) for section in sections):
        raise ValueError(f"a section is longer than {limit} characters")
    if fits(whole := append(description, sections), limit):
        return Plan(whole)
    old = description or ""
    tables = [table for table in own_tables(old) if fits(table.text, limit)]
    if not fits(append(without(old, tables), sections), limit):
        return _in_comments(old, tables, sections, limit)

    def has_room(count: int) -> bool:
        return fits(append(without(old, tables[:count]), sections), int(limit * ROOM))

    moved = tuple(tables[: bisect_left(range(len(tables)), True, lo=1, key=has_room)])
    return Plan(append(without(old, moved), sections), _moved(moved, limit), moved)


def _in_comments(old: str, tables: Sequence[OwnTable], sections: Sequence[str], limit: int) -> Plan:
    rest = without(old, tables)
    moved = tuple(tables) if fits(rest, limit) else ()
    comments = (*_moved(moved, limit), *packed(sections, limit))
    return Plan(rest if moved else None, comments, moved, in_comment=True)


def _moved(tables: Sequence[OwnTable], limit: int) -> tuple[str, ...]:
    return packed([table.text for table in tables], limit, heading=MOVED)


def replan(description: str | None, sections: Sequence[str], earlier: Plan, *, limit: int = LIMIT) -> Plan:
    """Plan again for a description that somebody changed while the earlier plan was carried out.

    What earlier plans posted as comments is not posted again. The result always has a description: where
    the person's edit has to be, the earlier write stands.

    Parameters
    ----------
    description
        The description that holds the person's edit: for one that the earlier plan's write replaced, what
        the issue's changelog shows.
    """
    old = description or ""
    posted = _first_of_each(own_tables(old), [table.content for table in earlier.moved])
    rest = without(old, posted)
    planned = Plan(rest, in_comment=True) if earlier.in_comment else plan(rest, sections, limit=limit)
    return replace(
        planned,
        description=rest if planned.description is None else planned.description,
        moved=(*earlier.moved, *planned.moved),
    )


def has_arrived(now: str | None, *, read: str | None, planned: str, sections: Sequence[str]) -> bool:
    """Tell whether a write whose answer was lost has arrived.

    Parameters
    ----------
    now
        The description as it stands.
    read
        The description as it stood before the write.
    planned
        The description that was sent; it ends with the sections.
    """
    found, before, expected = contents(now), contents(read), contents(planned)
    if found in (before, expected):
        return found == expected
    # Somebody edited tables in between: the write is there if its own tables are.
    ours = [content for section in sections for content in contents(section)]
    return all(found.count(content) >= expected.count(content) for content in ours)


def ends_with(description: str | None, sections: Sequence[str]) -> bool:
    """Tell whether the sections are the last tables that were pushed to the description."""
    ours = [content for section in sections for content in contents(section)]
    return bool(ours) and contents(description)[-len(ours) :] == ours


def squeezed(text: str | None) -> str:
    """Return a text without what Jira may write differently each time."""
    # The changelog is rendered apart from the description, perhaps with other spaces and escapes.
    return re.sub(r"[\s\\]+", "", text or "")


def own_tables(description: str) -> list[OwnTable]:
    """Find the tables that pushes wrote, from the first to the last."""
    lines = _lines(description)
    found: list[OwnTable] = []
    taken = 0
    for number, line in enumerate(lines):
        if line.start < taken:
            continue
        if table := _table_at(lines, number):
            found.append(table)
            taken = table.end
        else:
            taken = _end_of_macros(description, line.start)
    return found


def without(description: str, tables: Iterable[OwnTable]) -> str:
    """Return the description without some own tables and without the blank lines that came with them."""
    for table in sorted(tables, key=lambda table: table.start, reverse=True):
        description = _joined(description[: table.start], description[table.end :])
    return description


def without_own_tables(description: str | None) -> str:
    """Return what people wrote."""
    text = description or ""
    return without(text, own_tables(text))


def _joined(before: str, after: str) -> str:
    """Join what stands around a removed table: what were two paragraphs stay two."""
    if not before:
        return _BREAKS_AFTER.sub("", after)
    if not after.strip() or _BLANK_LINE_AFTER.match(after):
        return _BREAKS_BEFORE.sub("", before) + after
    return before + _BREAK_AFTER.sub("", after)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line without the spaces around it, and where it starts and ends."""

    start: int
    end: int
    text: str

    @property
    def is_row(self) -> bool:
        return self.text.startswith("|")


def _lines(description: str) -> list[_Line]:
    lines = []
    start = 0
    for raw in description.split("\n"):
        text = raw.strip()
        indent = len(raw) - len(raw.lstrip())
        lines.append(_Line(start + indent, start + indent + len(text), text))
        start += len(raw) + 1
    return lines


def _table_at(lines: list[_Line], number: int) -> OwnTable | None:
    """Return the own table whose bold line is this one."""
    heading = lines[number]
    if not _HEADING.fullmatch(heading.text) or (number > 0 and lines[number - 1].text):
        return None
    below = number + 1
    while below < len(lines) and not lines[below].text:
        below += 1  # Cloud puts a blank line between the bold line and the table
    rows = []
    while below < len(lines) and lines[below].is_row:
        rows.append(lines[below])
        below += 1
    if len(rows) != 2:
        return None
    header, row = rows
    values = _values(row.text)
    if not values or _columns(header.text) < len(values):
        return None
    text = "\n".join(line.text for line in lines[number:below])
    content = (_letters(heading.text), _letters(header.text), values)
    return OwnTable(heading.start, row.end, text, content)


def _columns(row: str) -> int:
    """Return the number of columns of a header row ``Date … Completed``, 0 for any other row."""
    if not (row.startswith("||") and row.endswith("||") and len(row) > 4):
        return 0
    first, last = row[2:-2].split("||", 1)[0], row[2:-2].rsplit("||", 1)[-1]
    return row.count("||") - 1 if (_letters(first), _letters(last)) == ("Date", "Completed") else 0


def _values(row: str) -> tuple[str, ...]:
    """Return the date and the counts of a table's row, nothing for any other row."""
    if row.startswith("||") or not row.endswith("|") or len(row) < 2:
        return ()
    day, *counts = [cell.strip() for cell in row[1:-1].split("|")]
    if not _DAY.fullmatch(day) or not counts or not all(_COUNT.fullmatch(count) for count in counts):
        return ()
    return (day, *counts)


def _letters(markup: str) -> str:
    """Return the letters and digits: what no conversion changes."""
    return "".join(filter(str.isalnum, _REFERENCE.sub("", markup)))


def _end_of_macros(description: str, start: int) -> int:
    """Return where the last macro ends that opens in the line at ``start``, or ``start`` if none does."""
    end = start
    while opening := _MACRO.search(description, end):
        if "\n" in description[end : opening.start()]:
            break
        closing = description.find(f"{{{opening['name']}}}", opening.end())
        # One that never closes is plain text to Jira.
        end = closing + len(opening["name"]) + 2 if closing >= 0 else opening.end()
    return end


def contents(description: str | None) -> list[Content]:
    """Return what the own tables of a description say, from the first to the last."""
    return [table.content for table in own_tables(description or "")]


def _first_of_each(tables: Sequence[OwnTable], contents: Sequence[Content]) -> list[OwnTable]:
    wanted = list(contents)
    chosen = []
    for table in tables:
        if table.content in wanted:
            wanted.remove(table.content)
            chosen.append(table)
    return chosen
