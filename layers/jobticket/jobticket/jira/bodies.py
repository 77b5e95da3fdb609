"""What callers send, checked, with the contract's sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from jobticket import clock
from jobticket.errors import InvalidError
from jobticket.jira import keys

INVALID_ISSUE = "Invalid issue id or key"
INVALID_PROJECT = "Invalid jira_project_id"
INVALID_EDIT = "Invalid field values provided"
INVALID_TICKET = "Invalid field values or missing required fields for Jira issue creation"
MISSING_IN_TICKET = "Missing required fields: external_id, summary, or issue_type_id"
MISSING_IN_DELETION = "Missing required fields: external_id or issue_id_or_key"

#: Jira's word for nobody, where a caller cannot send a null.
NOBODY = "null"


def external_id_of(given: Mapping[str, Any], missing: str = "Missing external_id") -> str:
    """Return the name of the connection.

    Raises
    ------
    InvalidError
        If there is none, or it cannot be one.
    """
    external_id = given.get("external_id")
    if external_id is None or external_id == "":
        raise InvalidError(missing)
    if not isinstance(external_id, str) or len(external_id) > 255:
        raise InvalidError("external_id must be a string of 1 to 255 characters")
    return external_id


def _text(value: Any) -> str:
    """Return an id as text: callers send numbers, too."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""


def _is_missing(value: Any) -> bool:
    return value is None or value == ""


def issue_of(value: Any, missing: str = "Missing issue_id_or_key") -> str:
    """Return an issue's id or key.

    Raises
    ------
    InvalidError
        If there is none, or it has the form of neither.
    """
    if _is_missing(value):
        raise InvalidError(missing)
    if not keys.is_issue(_text(value)):
        raise InvalidError(INVALID_ISSUE)
    return _text(value)


def project_of(value: Any) -> str | None:
    """Return a project's id or key, None if there is none.

    Raises
    ------
    InvalidError
        If it has the form of neither.
    """
    if _is_missing(value):
        return None
    if not keys.is_project(_text(value)):
        raise InvalidError(INVALID_PROJECT)
    return _text(value)


def sprint_of(value: Any) -> str:
    """Return a sprint's id.

    Raises
    ------
    InvalidError
        If there is none, or it is no number.
    """
    if _is_missing(value):
        raise InvalidError("Missing sprint_id")
    if not keys.is_number(_text(value)):
        raise InvalidError("Invalid sprint_id")
    return _text(value)


@dataclass(frozen=True, slots=True)
class Selection:
    """The choice of a project, or of none."""

    external_id: str
    project: str | None

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Selection:
        """Read a body; null takes the choice back, an absent project does not."""
        missing = "Missing external_id or jira_project_id"
        external_id = external_id_of(body, missing)
        if body.get("jira_project_id", "") == "":
            raise InvalidError(missing)
        return cls(external_id, project_of(body["jira_project_id"]))


@dataclass(slots=True)
class _Fields:
    """Reads the fields of a ticket and collects what is wrong with them."""

    body: Mapping[str, Any]
    errors: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        value = self.body.get(name)
        if value is not None and not isinstance(value, str):
            self.errors[name] = "must be a string"
        return value if isinstance(value, str) else None

    def person(self, name: str) -> str | None:
        """Return whom to assign. Nobody has no name: a Data Center would take an empty one for nobody."""
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
        """Raise if anything was wrong."""
        if self.errors:
            raise InvalidError(sentence, details={"details": {"errors": self.errors}})


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of an issue; None leaves a field as it is.

    Attributes
    ----------
    unassigns
        Whether nobody shall be assigned.
    expected_updated
        When the caller last saw the issue change.
    """

    external_id: str
    issue: str
    summary: str | None
    description: str | None
    priority: str | None
    issue_type: str | None
    assignee: str | None
    unassigns: bool
    expected_updated: datetime | None

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Edit:
        """Read a body."""
        external_id = external_id_of(body)
        issue = issue_of(body.get("issue_id_or_key"))
        fields = _Fields(body)
        assignee = fields.person("assignee_account_id")
        edit = cls(
            external_id,
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
        if not edit.changes_something():
            raise InvalidError("At least one field must be provided for update")
        return edit

    def changes_something(self) -> bool:
        given = (self.summary, self.description, self.priority, self.issue_type, self.assignee)
        return self.unassigns or any(value is not None for value in given)


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A ticket to create."""

    external_id: str
    project: str | None
    summary: str
    issue_type: str
    description: str | None
    priority: str | None
    assignee: str | None

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> NewTicket:
        """Read a body."""
        external_id = external_id_of(body, MISSING_IN_TICKET)
        summary, issue_type = body.get("summary"), body.get("issue_type_id")
        if _is_missing(summary) or _is_missing(issue_type):
            raise InvalidError(MISSING_IN_TICKET)
        project = project_of(body.get("jira_project_id"))
        fields = _Fields(body)
        assignee = fields.person("assignee_account_id")
        ticket = cls(
            external_id,
            project,
            fields.text("summary") or "",
            fields.number("issue_type_id") or "",
            fields.text("description"),
            fields.number("priority_id"),
            None if assignee == NOBODY else assignee,
        )
        fields.check(INVALID_TICKET)
        return ticket


@dataclass(frozen=True, slots=True)
class Deletion:
    """An issue to delete."""

    external_id: str
    issue: str
    with_subtasks: bool

    @classmethod
    def read(cls, body: Mapping[str, Any], query: Mapping[str, str]) -> Deletion:
        """Read a body, or the query of a client that cannot send one with a DELETE."""
        given = body or query
        return cls(
            external_id_of(given, MISSING_IN_DELETION),
            issue_of(given.get("issue_id_or_key"), MISSING_IN_DELETION),
            flag_of(given, "delete_subtasks"),
        )


def flag_of(given: Mapping[str, Any], name: str) -> bool:
    """Return a flag of a body or a query; without one it is not set.

    Raises
    ------
    InvalidError
        If it is neither true nor false.
    """
    value = given.get(name)
    if value in (None, "", False, "false"):
        return False
    if value in (True, "true"):
        return True
    raise InvalidError(f"{name} must be true or false")
