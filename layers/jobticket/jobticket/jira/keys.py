"""The forms of Jira's ids and keys: what may stand in a path or a query at all.

Everything is encoded on its way into a path besides; this is the first of two doors.
"""

from __future__ import annotations

import re

# Jira's own default is capitals; a Data Center may allow more, and Jira finds a key in any case.
PROJECT_KEY = r"[A-Za-z][A-Za-z0-9_]{0,254}"
NUMBER = r"[1-9][0-9]{0,18}"

_project_key = re.compile(PROJECT_KEY)
_number = re.compile(NUMBER)
_issue_key = re.compile(f"{PROJECT_KEY}-{NUMBER}")
#: A Data Center may allow digits in front, and hyphens.
_PROJECT_KEY_OF_JIRA = r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}"
_project_key_of_jira = re.compile(_PROJECT_KEY_OF_JIRA)
_issue_key_of_jira = re.compile(f"{_PROJECT_KEY_OF_JIRA}-{NUMBER}")


class MalformedKeyError(ValueError):
    """A text stands where an id or a key belongs, and is none."""


def is_number(text: str) -> bool:
    """Tell whether the text is the id of an issue, a project, a board or a sprint."""
    return _number.fullmatch(text) is not None


def is_issue_key(text: str) -> bool:
    """Tell whether the text has the form of an issue's key, such as ``PROJ-12``."""
    return _issue_key.fullmatch(text) is not None


def is_project_key(text: str) -> bool:
    """Tell whether the text has the form of a project's key."""
    return _project_key.fullmatch(text) is not None


def is_issue_key_of_jira(text: str) -> bool:
    """Tell whether what Jira calls an issue's key is one."""
    return _issue_key_of_jira.fullmatch(text) is not None


def is_project_key_of_jira(text: str) -> bool:
    """Tell whether what Jira calls a project's key is one."""
    return _project_key_of_jira.fullmatch(text) is not None


def is_issue(text: str) -> bool:
    """Tell whether the text may name an issue, by its id or its key."""
    return is_number(text) or is_issue_key(text)


def is_project(text: str) -> bool:
    """Tell whether the text may name a project, by its id or its key."""
    return is_number(text) or is_project_key(text)


#: What a placeholder of that name may hold; a placeholder of another name may hold any text.
_FORMS = {
    "key": is_issue,
    "issue": is_issue,
    "project": is_project,
    "board": is_number,
    "sprint": is_number,
    "comment": is_number,
    "id": is_number,
}


def check(placeholder: str, value: str) -> str:
    """Return the value of a path's placeholder if it has the placeholder's form.

    Raises
    ------
    MalformedKeyError
        If it has not.
    """
    form = _FORMS.get(placeholder)
    if form is not None and not form(value):
        raise MalformedKeyError(f"{placeholder} is not a Jira id or key")
    return value
