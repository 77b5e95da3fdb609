"""What callers send, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from jobticket import clock
from jobticket.dataclass import dataclass, field
from jobticket.errors import InvalidError
from jobticket.jira import keys
from jobticket.jira.model import IssueEdit, NewIssue

INVALID_EDIT = "Invalid field values provided"
INVALID_TICKET = "Invalid field values or missing required fields for Jira issue creation"
MISSING_IN_TICKET = "Missing required fields: external_id, summary, or issue_type_id"
MISSING_IN_DELETION = "Missing required fields: external_id or issue_id_or_key"

#: How a caller who cannot send a null removes an assignee.
NOBODY = "null"


def external_id_of(given: Mapping[str, Any], missing: str = "Missing external_id") -> str:
    """Return the name of the connection; 400 if it is missing or invalid."""
    external_id = given.get("external_id")
    if external_id is None or external_id == "":
        raise InvalidError(missing)
    if not isinstance(external_id, str) or len(external_id) > 255:
        raise InvalidError("external_id must be a string of 1 to 255 characters")
    return external_id


def _text(value: Any) -> str:
    """Return an id as text: callers send numbers, too; empty for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""


def _is_missing(value: Any) -> bool:
    return value is None or value == ""


def issue_of(value: Any, missing: str = "Missing issue_id_or_key") -> str:
    """Return an issue's id or key."""
    return _formed(value, keys.is_issue, "Invalid issue id or key", missing)


def project_of(value: Any) -> str | None:
    """Return a project's id or key, None if it is missing."""
    return None if _is_missing(value) else _formed(value, keys.is_project, "Invalid jira_project_id")


def sprint_of(value: Any) -> str:
    """Return a sprint's id."""
    return _formed(value, keys.is_number, "Invalid sprint_id", "Missing sprint_id")


def _formed(value: Any, form: Callable[[str], bool], invalid: str, missing: str = "") -> str:
    """Return an id or key as text; 400 if it is missing or malformed."""
    if _is_missing(value):
        raise InvalidError(missing)
    if not form(_text(value)):
        raise InvalidError(invalid)
    return _text(value)


def read_selection(body: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return a connection's name and the project to select; null selects no project."""
    missing = "Missing external_id or jira_project_id"
    external_id = external_id_of(body, missing)
    if body.get("jira_project_id", "") == "":
        raise InvalidError(missing)
    return external_id, project_of(body["jira_project_id"])


def read_edit(body: Mapping[str, Any]) -> tuple[str, IssueEdit]:
    """Return a connection's name and the change of an issue."""
    external_id = external_id_of(body)
    issue = issue_of(body.get("issue_id_or_key"))
    fields = _Fields(body)
    assignee = fields.person("assignee_account_id")
    edit = IssueEdit(
        issue,
        fields.text("summary"),
        fields.text("description"),
        fields.number("priority_id"),
        fields.number("issue_type_id"),
        None if assignee == NOBODY else assignee,
        assignee == NOBODY or ("assignee_account_id" in body and body["assignee_account_id"] is None),
        fields.moment("expected_updated"),
    )
    fields.check(INVALID_EDIT)
    if not edit.changes_something:
        raise InvalidError("At least one field must be provided for update")
    return external_id, edit


def read_new_issue(body: Mapping[str, Any]) -> tuple[str, str | None, NewIssue]:
    """Return a connection's name, the project if one is named, and the issue to create."""
    external_id = external_id_of(body, MISSING_IN_TICKET)
    if _is_missing(body.get("summary")) or _is_missing(body.get("issue_type_id")):
        raise InvalidError(MISSING_IN_TICKET)
    project = project_of(body.get("jira_project_id"))
    fields = _Fields(body)
    assignee = fields.person("assignee_account_id")
    issue = NewIssue(
        fields.text("summary") or "",
        fields.number("issue_type_id") or "",
        fields.text("description"),
        fields.number("priority_id"),
        None if assignee == NOBODY else assignee,
    )
    fields.check(INVALID_TICKET)
    return external_id, project, issue


def read_deletion(body: Mapping[str, Any], query: Mapping[str, str]) -> tuple[str, str, bool]:
    """Return a connection's name, the issue to delete, and whether its subtasks go with it.

    Some clients cannot send a body with a DELETE: then the query counts.
    """
    given = body or query
    external_id = external_id_of(given, MISSING_IN_DELETION)
    issue = issue_of(given.get("issue_id_or_key"), MISSING_IN_DELETION)
    return external_id, issue, flag_of(given, "delete_subtasks")


@dataclass(slots=True)
class _Fields:
    """The fields of a ticket as they are read, and their faults."""

    body: Mapping[str, Any]
    errors: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        value = self.body.get(name)
        if value is not None and not isinstance(value, str):
            self.errors[name] = "must be a string"
        return value if isinstance(value, str) else None

    def person(self, name: str) -> str | None:
        """Return whom to assign. A Data Center would unassign on an empty name."""
        value = self.text(name)
        if value == "":
            self.errors[name] = "must not be empty"
        return value

    def number(self, name: str) -> str | None:
        value = self.body.get(name)
        if value is None:
            return None
        if not keys.is_number(_text(value)):
            self.errors[name] = "must be an id"
        return _text(value)

    def moment(self, name: str) -> datetime | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            return clock.parse_iso(text)
        except (ValueError, OverflowError):
            self.errors[name] = "must be a timestamp"
            return None

    def check(self, sentence: str) -> None:
        """Raise if there was a fault."""
        if self.errors:
            raise InvalidError(sentence, details={"details": {"errors": self.errors}})


def flag_of(given: Mapping[str, Any], name: str) -> bool:
    """Return a flag of a body or a query; false if it is missing, 400 if it is neither true nor false."""
    value = given.get(name)
    if value in (None, "", False, "false"):
        return False
    if value in (True, "true"):
        return True
    raise InvalidError(f"{name} must be true or false")
