"""What the ticketing context holds and hands out (contract: ticketing.md, seed 004).

Unlike the jobs family, absent values are shown as null: the seed's bodies have every key.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "ARCHIVED",
    "OPEN",
    "STATUSES",
    "TYPES",
    "Anomaly",
    "AnomalyStatus",
    "AnomalyType",
    "Comment",
    "Container",
    "Datastore",
    "FailedCheck",
    "FormProperty",
    "FormSpecification",
    "FormValue",
    "Integration",
    "Link",
    "Shown",
    "Ticket",
    "TicketAnswer",
    "TicketMetadata",
    "TicketSummary",
]

OpenStatus = Literal["Active", "Acknowledged"]
ArchivedStatus = Literal["Resolved", "Duplicate", "Invalid", "Discarded"]
AnomalyStatus = Literal["Active", "Acknowledged", "Resolved", "Duplicate", "Invalid", "Discarded"]
AnomalyType = Literal["record", "shape"]

OPEN: tuple[str, ...] = get_args(OpenStatus)
ARCHIVED: tuple[str, ...] = get_args(ArchivedStatus)
STATUSES: tuple[str, ...] = get_args(AnomalyStatus)
TYPES: tuple[str, ...] = get_args(AnomalyType)


def nullable(default: Any = None) -> Any:
    """Return a field that is shown as null when there is no value, in the OpenAPI document too."""
    return Field(default, json_schema_extra={"x-nullable": True})


class Shown(BaseModel):
    """Something the API shows."""

    model_config = ConfigDict(frozen=True)

    def shown(self) -> dict[str, Any]:
        """Return the body, with every key."""
        return self.model_dump(mode="json")


class Datastore(Shown):
    id: int
    name: str


class Container(Shown):
    id: int
    name: str


class FailedCheck(Shown):
    """A data-quality check that found something."""

    message: str
    field: str | None = nullable()
    rule_type: str | None = nullable()


class Anomaly(Shown):
    """Something wrong with data.

    Attributes
    ----------
    archived
        Follows from the status: Active and Acknowledged are open, the others archived.
    fingerprint
        Of two reports with the same one, while the first is open, the second raises ``detected_count``.
    detected
        When it was found first.
    """

    id: int
    type: AnomalyType
    status: AnomalyStatus
    archived: bool
    datastore: Datastore
    container: Container | None = nullable()
    failed_checks: list[FailedCheck]
    weight: int | float | None = nullable()
    fingerprint: str | int | None = nullable()
    description: str | None = nullable()
    detected: str
    detected_count: int
    created: str
    updated: str


class Comment(Shown):
    id: int
    anomaly_id: int
    message: str
    created: str


class Integration(Shown):
    """The one Jira that anomalies get their tickets in."""

    id: int
    type: Literal["jira"]
    api_url: str
    external_id: str | None = nullable()
    project_key: str | None = nullable()
    issue_type: str | None = nullable()
    status: Literal["Connected", "Error"]
    created: str
    updated: str


class Link(Shown):
    """An anomaly's link to a ticket.

    Attributes
    ----------
    ticket_id
        The issue's number, which stays when it moves to another project; ``ticket_number`` is its key.
    status
        The ticket's status when it was last read.
    last_synced
        When something was last delivered to the ticket, or read from it.
    last_sync_error
        Why the last delivery failed; null once one has worked again.
    """

    id: int
    anomaly_id: int
    integration_id: int
    ticket_id: str
    ticket_number: str
    title: str
    status: str | None = nullable()
    url: str
    origin: Literal["created", "linked"]
    created: str
    last_synced: str | None = nullable()
    last_sync_error: str | None = nullable()


class TicketSummary(Shown):
    """A ticket as the search shows it."""

    ticket_id: str
    ticket_number: str
    title: str
    description: str | None = nullable()
    status: str | None = nullable()
    priority: str | None = nullable()
    created_at: str | None = nullable()
    updated_at: str | None = nullable()
    assigned_to: str | None = nullable()
    url: str


class TicketMetadata(Shown):
    project_key: str
    issue_type: str | None = nullable()


class Ticket(Shown):
    """A ticket with every key of the seed's sample; Jira has no counterpart for the ones that are null."""

    ticket_id: str
    ticket_number: str
    title: str
    description: str | None = nullable()
    status: str | None = nullable()
    priority: str | None = nullable()
    urgency: str | None = nullable()
    impact: str | None = nullable()
    category: str | None = nullable()
    subcategory: str | None = nullable()
    created_at: str | None = nullable()
    updated_at: str | None = nullable()
    resolved_at: str | None = nullable()
    closed_at: str | None = nullable()
    assigned_to: str | None = nullable()
    assigned_group: str | None = nullable()
    requester: str | None = nullable()
    url: str
    comments_count: int | None = nullable()
    metadata: TicketMetadata


class TicketAnswer(Shown):
    """What creating a ticket answers."""

    ticket: Ticket
    anomaly_id: int
    integration_id: int
    message: str


class FormValue(Shown):
    label: str
    value: str


class FormProperty(Shown):
    """A field of the form for new tickets; ``values`` are an enum's, live from Jira."""

    field: str
    title: str
    type: Literal["string", "enum"]
    required: bool
    default: str | None = None
    max_length: int | None = None
    values: list[FormValue] | None = None

    def shown(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_none=True)


class FormSpecification(Shown):
    integration_id: int
    type: Literal["jira"]
    properties: list[FormProperty]

    def shown(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_none=True)
