"""The texts that a push writes: a status table for each path, and the summary for a comment.

Nothing here reads or writes anything: counts and the date come in, text comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from jobticket.jira.markup import escape
from jobticket.push.limits import LIMIT, fits, packed

#: Names are shown in full. Only what could not be stored otherwise (a hundred steps with names of two
#: hundred characters and more) shows their beginnings.
_NAME_LENGTHS = (255, 80, 40, 20)


@dataclass(frozen=True, slots=True)
class PathStatus:
    """Where the serials of a path stand.

    Attributes
    ----------
    steps
        Each step's name and how many serials stand at it, in the path's order.
    completed
        How many serials have finished all steps.
    """

    name: str
    steps: tuple[tuple[str, int], ...]
    completed: int


def sections(paths: Sequence[PathStatus], day: date, *, limit: int = LIMIT) -> list[str]:
    """Return each path's name and table, in the paths' order, each within the limit.

    Parameters
    ----------
    day
        The date in the table.
    """
    return [_fitting(partial(_section, path, day), limit) for path in paths]


def summary(job_name: str, paths: Sequence[PathStatus], *, limit: int = LIMIT) -> tuple[str, ...]:
    """Return the status summary of a job: one comment, or as many as its length needs.

    Without paths it is the heading alone.
    """
    heading = f"*Status Summary for {escape(job_name)}*"
    lists = [_fitting(partial(_listed, path), limit) for path in paths]
    return packed([heading, *lists], limit)


def _fitting(render: Callable[[int], str], limit: int) -> str:
    text = ""
    for longest in _NAME_LENGTHS:
        text = render(longest)
        if fits(text, limit):
            break
    return text


def _section(path: PathStatus, day: date, longest: int) -> str:
    names = ["Date", *(_shown(name, longest) for name, _ in path.steps), "Completed"]
    counts = [day.isoformat(), *(str(count) for _, count in path.steps), str(path.completed)]
    return "\n".join(
        [f"*{_shown(path.name, longest)}*", f"|| {' || '.join(names)} ||", f"| {' | '.join(counts)} |"]
    )


def _listed(path: PathStatus, longest: int) -> str:
    lines = [f"*{_shown(path.name, longest)}:*"]
    lines += [f"- {_shown(name, longest)}: {count} parts" for name, count in path.steps]
    lines.append(f"- Completed: {path.completed}")
    return "\n".join(lines)


def _shown(name: str, longest: int) -> str:
    return escape(name if len(name) <= longest else name[: longest - 1] + "…")
