"""The forms of Jira's ids and keys: what may stand in a path or a query at all.

A project's key may begin with a digit and contain hyphens on a Data Center. Values are encoded on their way
into a path and quoted on their way into JQL besides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
#: The usual form in any case, which Jira does not mind; a Data Center's other form as it is stored.
_PROJECT_KEY = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9_]{0,254}|(?=[0-9_-]*[A-Z])[A-Z0-9](?:[A-Z0-9_-]{0,253}[A-Z0-9_])?)"
)
_ISSUE_KEY = re.compile(f"{_PROJECT_KEY.pattern}-{_NUMBER.pattern}")
_placeholder = re.compile(r"\{(\w+)\}")


class MalformedKeyError(ValueError):
    """A value is not an id or a key."""


def is_number(text: str) -> bool:
    """Tell whether the text is the id of an issue, a project, a board or a sprint."""
    return _NUMBER.fullmatch(text) is not None


def is_issue_key(text: str) -> bool:
    """Tell whether the text has the form of an issue's key.

    Examples
    --------
    >>> is_issue_key("PROJ-12"), is_issue_key("B7-214-68901"), is_issue_key("../PROJ-12")
    (True, True, False)
    """
    return _ISSUE_KEY.fullmatch(text) is not None


def is_project_key(text: str) -> bool:
    """Tell whether the text has the form of a project's key."""
    return _PROJECT_KEY.fullmatch(text) is not None


def is_issue(text: str) -> bool:
    """Tell whether the text may name an issue, by its id or its key."""
    return is_number(text) or is_issue_key(text)


def is_project(text: str) -> bool:
    """Tell whether the text may name a project, by its id or its key."""
    return is_number(text) or is_project_key(text)


#: The forms of path placeholders. A placeholder of another name may hold any text.
_FORMS = {
    "key": is_issue,
    "issue": is_issue,
    "project": is_project,
    "board": is_number,
    "sprint": is_number,
    "comment": is_number,
    "id": is_number,
}


def fill(template: str, values: Mapping[str, object]) -> str:
    """Put values into a path's template, checked and encoded; or raise ``MalformedKeyError``."""
    if not template.startswith("/rest/") or set(_placeholder.findall(template)) != values.keys():
        raise LookupError(f"the values do not fit {template}")

    def encoded(match: re.Match[str]) -> str:
        name = match[1]
        value, form = str(values[name]), _FORMS.get(name)
        if form is not None and not form(value):
            raise MalformedKeyError(f"{name} is not a Jira id or key")
        # Encoding keeps dots, and a segment of dots is a step upwards.
        if value in {"", ".", ".."}:
            raise MalformedKeyError(f"{name} cannot stand in a path")
        return quote(value, safe="")

    return _placeholder.sub(encoded, template)
