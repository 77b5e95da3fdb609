"""What callers want of an issue."""

from __future__ import annotations

from datetime import datetime

from jobticket.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class IssueEdit:
    """A change of an issue; None leaves a field as it is."""

    #: The issue's id or key.
    issue: str
    summary: str | None = None
    description: str | None = None
    #: By id.
    priority: str | None = None
    issue_type: str | None = None
    assignee: str | None = None
    #: Whether the assignee is removed.
    unassigns: bool = False
    #: When the issue had last changed, as far as the caller knows.
    expected_updated: datetime | None = None

    @property
    def changes_something(self) -> bool:
        given = (self.summary, self.description, self.priority, self.issue_type, self.assignee)
        return self.unassigns or any(value is not None for value in given)


@dataclass(frozen=True, slots=True)
class NewIssue:
    """An issue to create; priority and type by id."""

    summary: str
    issue_type: str
    description: str | None = None
    priority: str | None = None
    assignee: str | None = None
