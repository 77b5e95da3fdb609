"""Parts of Jira's answers as the product shows them: people, dates, names. Absent values are null.

Jira may send anything (``jobticket.foreign``). An invalid id or key makes the answer malformed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from jobticket import clock, foreign
from jobticket.jira import keys
from jobticket.jira.errors import JiraMalformedAnswerError

#: A name may be a URL, and the description of a resolution is longer than its name.
LONGEST_PART = 2048


@functools.lru_cache(maxsize=2048)
def _utc(text: str) -> str | None:
    moment = foreign.moment(text)
    return None if moment is None else clock.iso_milliseconds(moment)


def date(value: Any) -> str | None:
    """Return a date of Jira's in UTC, from any offset."""
    return _utc(value) if isinstance(value, str) and len(value) <= foreign.LONGEST_MOMENT else None


def id_of(value: Any) -> Any:
    """Return an id as Jira gives it, a text of digits or a number; or raise ``JiraMalformedAnswerError``."""
    if isinstance(value, str | int) and not isinstance(value, bool) and keys.is_number(str(value)):
        return value
    raise JiraMalformedAnswerError("Jira returned an invalid id")


def issue_key(value: Any) -> str:
    """Return an issue's key; raise ``JiraMalformedAnswerError`` if it is invalid."""
    return _formed(value, keys.is_issue_key)


def project_key(value: Any) -> str:
    """Return a project's key; raise ``JiraMalformedAnswerError`` if it is invalid."""
    return _formed(value, keys.is_project_key)


def _formed(value: Any, form: Callable[[str], bool]) -> str:
    if isinstance(value, str) and form(value):
        return value
    raise JiraMalformedAnswerError("Jira returned an invalid key")


def created_ticket(answer: Any) -> dict[str, Any]:
    """Return the id and key of an answer to a creation."""
    try:
        return {"id": id_of(foreign.member(answer, "id")), "key": issue_key(foreign.member(answer, "key"))}
    except JiraMalformedAnswerError:
        # A ticket may exist, and it is not known which.
        raise JiraMalformedAnswerError("Jira's answer names no ticket", outcome_unknown=True) from None


def part(value: Any, *members: str) -> dict[str, Any] | None:
    """Return these members of an object, texts and numbers; None if the value is not an object."""
    return {name: _simple(value.get(name)) for name in members} if isinstance(value, Mapping) else None


def _simple(value: Any) -> str | int | None:
    return foreign.text(value, LONGEST_PART) if isinstance(value, str) else foreign.integer(value)


def named(value: Any, key: str = "name") -> str | None:
    """Return an object's name."""
    return foreign.text(foreign.member(value, key))


def names(values: Any) -> list[str]:
    """Return the names of a list of objects."""
    return [name for value in foreign.entries(values) if (name := named(value)) is not None]


def account_id(person: Any) -> str | None:
    """Return the name by which a person is assigned: account id on Cloud, user name on a Data Center."""
    return named(person, "accountId") or named(person)
