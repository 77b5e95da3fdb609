"""What ticketing holds and shows.

Absent values are shown as null: the bodies of ticketing always have every key.
"""

from __future__ import annotations

from typing import Literal, get_args

from jobticket.dataclass import dataclass
from jobticket.shown import Shown

OpenStatus = Literal["Active", "Acknowledged"]
ArchivedStatus = Literal["Resolved", "Duplicate", "Invalid", "Discarded"]
AnomalyStatus = Literal["Active", "Acknowledged", "Resolved", "Duplicate", "Invalid", "Discarded"]
AnomalyType = Literal["record", "shape"]
#: What a rule does when an anomaly recurs.
Recurrence = Literal["comment", "reopen", "nothing"]
Origin = Literal["created", "linked", "rule"]

OPEN: tuple[str, ...] = get_args(OpenStatus)
ARCHIVED: tuple[str, ...] = get_args(ArchivedStatus)
STATUSES: tuple[str, ...] = get_args(AnomalyStatus)
TYPES: tuple[str, ...] = get_args(AnomalyType)
RECURRENCES: tuple[str, ...] = get_args(Recurrence)


class Datastore(Shown):
    id: int
    name: str


class Container(Shown):
    id: int
    name: str


class FailedCheck(Shown):
    """A data-quality check that found something."""

    message: str
    field: str | None = None
    rule_type: str | None = None


class Anomaly(Shown):
    """A problem in data."""

    id: int
    type: AnomalyType
    status: AnomalyStatus
    #: Follows from the status: Active and Acknowledged are open, the others archived.
    archived: bool
    datastore: Datastore
    container: Container | None = None
    failed_checks: list[FailedCheck]
    weight: int | float | None = None
    #: While an anomaly is open, a report with its fingerprint raises its ``detected_count``.
    fingerprint: str | int | None = None
    description: str | None = None
    #: When it was first found.
    detected: str
    detected_count: int
    created: str
    updated: str


@dataclass(frozen=True, slots=True)
class AnomalyReport:
    """What somebody reports of an anomaly; the attributes are the anomaly's."""

    type: AnomalyType
    datastore: Datastore
    failed_checks: list[FailedCheck]
    container: Container | None = None
    weight: int | float | None = None
    fingerprint: str | int | None = None
    description: str | None = None
    detected: str | None = None


class AnomalyEvent(Shown):
    """What happened to an anomaly, and who did it: a key, a rule, or a person at Jira."""

    shows_null = False

    at: str
    #: created, status_changed, description_changed, commented, ticket_created, ticket_linked,
    #: ticket_unlinked, ticket_moved or deleted.
    action: str
    #: The name of the caller's key, `rule`, or `Jira`, with the person's name if it is known. For a ticket
    #: that the product has moved it is `Jobticket`.
    by: str
    #: The status before: the anomaly's, or the ticket's if that was moved.
    from_: str | None = None
    #: The status after.
    to: str | None = None
    ticket_id: str | None = None
    ticket_number: str | None = None
    rule_id: int | None = None
    #: The comment's number.
    comment_id: int | None = None

    @classmethod
    def shown_name(cls, name: str) -> str:
        return name.removesuffix("_")


class AnomalyComment(Shown):
    id: int
    anomaly_id: int
    message: str
    created: str


@dataclass(frozen=True, slots=True)
class IntegrationSettings:
    """What somebody sets of the integration; None where nothing is said."""

    api_url: str | None = None
    api_access_token: str | None = None
    external_id: str | None = None
    project_key: str | None = None
    issue_type: str | None = None
    status_out: dict[str, str] | None = None
    status_in: dict[str, str] | None = None
    reopen_status: str | None = None


class Integration(Shown):
    """The one Jira that anomalies get their tickets in."""

    id: int
    type: Literal["jira"]
    api_url: str
    external_id: str | None = None
    project_key: str | None = None
    issue_type: str | None = None
    status_out: dict[str, str] | None = None
    status_in: dict[str, str] | None = None
    reopen_status: str | None = None
    status: Literal["Connected", "Error"]
    created: str
    updated: str

    left_out = ("status_out", "status_in", "reopen_status")

    def target_of(self, status: str) -> str | None:
        """Return the status that a ticket gets with an anomaly's."""
        return (self.status_out or {}).get(status)

    def meaning_of(self, ticket_status: str | None) -> str | None:
        """Return the status that an anomaly gets with a ticket's."""
        told = {name.casefold(): status for name, status in (self.status_in or {}).items()}
        return told.get((ticket_status or "").casefold())


class AnomalyLink(Shown):
    """An anomaly's link to a ticket."""

    id: int
    anomaly_id: int
    integration_id: int
    #: The issue's number, which stays when it moves to another project; ``ticket_number`` is its key.
    ticket_id: str
    ticket_number: str
    title: str
    #: The ticket's status when it was last read.
    status: str | None = None
    url: str
    origin: Origin
    rule_id: int | None = None
    created: str
    #: When something was last delivered to the ticket, or read from it.
    last_synced: str | None = None
    #: Why the last delivery failed; null once one has worked again.
    last_sync_error: str | None = None

    left_out = ("rule_id",)


class RuleCondition(Shown):
    """Which anomalies a rule fits: all that is given must hold."""

    types: list[AnomalyType] | None = None
    datastore_ids: list[int] | None = None
    container_ids: list[int] | None = None
    rule_types: list[str] | None = None
    min_weight: int | float | None = None

    shows_null = False


class RuleTicket(Shown):
    """The ticket that a rule makes; ``title`` may hold {datastore}, {container}, {type} and {id}."""

    project_key: str | None = None
    issue_type: str | None = None
    priority: str | None = None
    title: str | None = None

    shows_null = False


class Breakage(Shown):
    """Why a rule is suspended until it is saved again."""

    since: str
    error: str
    details: str


class Rule(Shown):
    """Makes the tickets of the anomalies that it fits."""

    id: int
    name: str
    enabled: bool
    #: The first enabled rule by position that fits makes the ticket.
    position: int
    when: RuleCondition
    ticket: RuleTicket
    daily_limit: int
    on_recurrence: Recurrence
    created: str
    updated: str
    #: How many tickets it has made on this UTC day.
    tickets_today: int = 0
    #: How many the limit has prevented on this day.
    beyond_limit_today: int = 0
    broken: Breakage | None = None

    left_out = ("broken",)


class RuleTicketDraft(Shown):
    """A rule's ticket as it would be made now."""

    title: str
    description: str
    priority: str | None = None
    project_key: str | None = None
    issue_type: str | None = None


class RuleTrial(Shown):
    """What a rule would do with an anomaly."""

    ticket: RuleTicketDraft
    #: Whether the rule fits the anomaly.
    fits: bool
    #: The rule that would have made the ticket.
    made_by: int | None = None


@dataclass(frozen=True, slots=True)
class TicketDraft:
    """A ticket that somebody wants; None for the integration's defaults."""

    title: str
    description: str | None = None
    priority: str | None = None
    project_key: str | None = None
    issue_type: str | None = None


class TicketSummary(Shown):
    """A ticket as the search shows it."""

    ticket_id: str
    ticket_number: str
    title: str
    description: str | None = None
    status: str | None = None
    priority: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    assigned_to: str | None = None
    url: str


class TicketMetadata(Shown):
    project_key: str
    issue_type: str | None = None


class LinkedTicket(Shown):
    """A ticket as it is shown. Where Jira has no counterpart, a value is always null."""

    ticket_id: str
    ticket_number: str
    title: str
    description: str | None = None
    status: str | None = None
    priority: str | None = None
    urgency: str | None = None
    impact: str | None = None
    category: str | None = None
    subcategory: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    resolved_at: str | None = None
    closed_at: str | None = None
    assigned_to: str | None = None
    assigned_group: str | None = None
    requester: str | None = None
    url: str
    comments_count: int | None = None
    metadata: TicketMetadata


class TicketAnswer(Shown):
    """What creating a ticket answers."""

    ticket: LinkedTicket
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

    shows_null = False


class FormSpecification(Shown):
    integration_id: int
    type: Literal["jira"]
    properties: list[FormProperty]

    shows_null = False
