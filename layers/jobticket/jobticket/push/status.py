"""Where a job's parts stand, as a ticket shows it: tables for the description, a comment. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import date

from jobticket.dataclass import astuple, dataclass, replace
from jobticket.jira.documents.adf import to_adf
from jobticket.jira.documents.limits import LONGEST_TEXT, length
from jobticket.jira.documents.model import BulletList, Document, Text, one_line, strong
from jobticket.jira.documents.wiki import to_wiki
from jobticket.jobs.distribution import Counts
from jobticket.jobs.model import Path
from jobticket.push.tables import section

#: Names are shown in full. A table too long for its limit (a hundred long names) shows their beginnings.
_NAME_LENGTHS = (255, 80, 40, 20)

#: Returns how much of a limit a document takes.
Measure = Callable[[Document], int]


@dataclass(frozen=True, slots=True)
class PathStatus:
    """How many serials of a path stand at each step, in the path's order, and how many are completed."""

    name: str
    steps: tuple[tuple[str, int], ...]
    completed: int


def statuses_of(paths: Sequence[tuple[Path, Counts]]) -> list[PathStatus]:
    """Return where a job's serial numbers stand."""
    return [
        PathStatus(
            path.name,
            tuple((step.name, count) for step, count in zip(path.steps, counts.steps, strict=True)),
            counts.completed,
        )
        for path, counts in paths
    ]


def fingerprint(connection: str | None, ticket_key: str, statuses: Sequence[PathStatus]) -> str:
    """Return a short text that is the same for the same names and counts on the same ticket, on any date.

    Another connection may lead to another site, where a ticket of the same key has not seen the table.
    """
    content = [connection, ticket_key, [*map(astuple, statuses)]]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def markup_length(document: Document) -> int:
    """Return how many characters Data Center counts."""
    return length(to_wiki(document))


def json_length(document: Document) -> int:
    """Return the most that Cloud can count. How it counts is not published."""
    return length(json.dumps(to_adf(document), ensure_ascii=False, separators=(",", ":")))


def sections(
    paths: Sequence[PathStatus], day: date, measure: Measure, limit: int = LONGEST_TEXT
) -> list[Document]:
    """Return each path's name and table, in the paths' order, each within the limit if that is possible."""

    def render(path: PathStatus) -> Document:
        names, counts = [name for name, _ in path.steps], [count for _, count in path.steps]
        return section(path.name, names, day, counts, path.completed)

    return [_fitting(path, render, measure, limit) for path in paths]


def summary(
    job_name: str, paths: Sequence[PathStatus], measure: Measure, limit: int = LONGEST_TEXT
) -> list[Document]:
    """Return the status summary of a job: one comment, or as many as its length needs."""
    heading: Document = (strong(f"Status Summary for {one_line(job_name)}"),)
    lists = [_fitting(path, _listed, measure, limit) for path in paths]
    return packed([heading, *lists], measure, limit)


def packed(
    parts: Sequence[Document], measure: Measure, limit: int = LONGEST_TEXT, heading: Document = ()
) -> list[Document]:
    """Put parts together, in order, into as few comments as hold them; the heading introduces each."""
    comments: list[Document] = []
    for part in parts:
        if comments and measure((*comments[-1], *part)) <= limit:
            comments[-1] = (*comments[-1], *part)
        else:
            introduced = (*heading, *part)
            comments.append(introduced if measure(introduced) <= limit else part)
    return comments


def _fitting(
    path: PathStatus, render: Callable[[PathStatus], Document], measure: Measure, limit: int
) -> Document:
    document: Document = ()
    for longest in _NAME_LENGTHS:
        steps = tuple((_beginning(name, longest), count) for name, count in path.steps)
        document = render(replace(path, name=_beginning(path.name, longest), steps=steps))
        if measure(document) <= limit:
            break
    return document


def _beginning(name: str, longest: int) -> str:
    return name if len(name) <= longest else name[: longest - 1] + "…"


def _listed(path: PathStatus) -> Document:
    lines = [f"{one_line(name)}: {count} part{'' if count == 1 else 's'}" for name, count in path.steps]
    items = tuple((Text(line),) for line in (*lines, f"Completed: {path.completed}"))
    return (strong(f"{one_line(path.name)}:"), BulletList(items))
