"""Request bodies of the ticketing routes. Fields are checked in this order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict

from jobticket import clock
from jobticket.jira import keys
from jobticket.ticketing.model import (
    OPEN,
    RECURRENCES,
    STATUSES,
    TYPES,
    AnomalyReport,
    AnomalyStatus,
    AnomalyType,
    Container,
    Datastore,
    FailedCheck,
    IntegrationSettings,
    Recurrence,
)
from jobticket.web.validation import (
    LIST_LENGTH,
    BlankIsNone,
    Body,
    Flag,
    ListOf,
    NotEmpty,
    RequiredText,
    ShortText,
    fault,
    filled,
    number,
    one_of,
    short_text,
    text_within,
    whole_number,
)

LONGEST_TEXT = 100_000
SMALLEST_WEIGHT = 1e-100


def _weight(value: Any) -> int | float:
    weight = number(value)
    if abs(weight) > 1_000_000_000:
        raise fault("must be at most 1000000000")
    # The database knows no number this near to zero, and no negative zero.
    return weight if abs(weight) > SMALLEST_WEIGHT else 0


def _fingerprint(value: Any) -> str | int | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise fault("must be a string or an integer")
    if isinstance(value, int) and abs(value) >= 10**38:
        raise fault("must have at most 38 digits")
    if isinstance(value, str) and len(value.strip()) > 255:
        raise fault("must be at most 255 characters")
    return (value.strip() or None) if isinstance(value, str) else value


def exact_time(value: Any) -> str:
    """Return a timestamp as ISO 8601 in UTC, with microseconds where there are any."""
    if not isinstance(value, str):
        raise fault("must be a string")
    try:
        moment = clock.parse_iso(value.strip())
    except (ValueError, OverflowError):
        raise fault("must be an ISO 8601 timestamp") from None
    exactness = "microseconds" if moment.microsecond % 1000 else "milliseconds"
    # Not strftime: it writes years before 1000 with too few digits.
    return moment.replace(tzinfo=None).isoformat(timespec=exactness) + "Z"


def _ticket_id(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise fault("must be a string")
    if not value.strip():
        raise fault("is required")
    if not keys.is_issue(value.strip()):
        raise fault("must be the id or the key of a ticket")
    return value.strip()


long_text = text_within(LONGEST_TEXT)
_id = whole_number(at_most=10**15)
Id = Annotated[int, BeforeValidator(_id)]
Text = Annotated[str, BeforeValidator(long_text)]
RequiredLongText = Annotated[str, BeforeValidator(long_text), filled("is required")]
OptionalLongText = Annotated[Text, BlankIsNone]
OptionalText = Annotated[ShortText, BlankIsNone]


class TicketingBody(Body):
    """A body whose names are written as they are, in snake case."""

    model_config = ConfigDict(alias_generator=None)


class NamedEntry(TicketingBody):
    """A datastore or a container."""

    id: Id
    name: RequiredText


class CheckEntry(TicketingBody):
    message: RequiredLongText
    field: OptionalLongText | None = None
    rule_type: OptionalText | None = None


class NewAnomaly(TicketingBody):
    """POST /api/anomalies."""

    type: Annotated[AnomalyType, BeforeValidator(one_of(TYPES))]
    datastore: NamedEntry
    container: NamedEntry | None = None
    failed_checks: Annotated[list[CheckEntry], ListOf, NotEmpty]
    weight: Annotated[int | float, BeforeValidator(_weight)] | None = None
    fingerprint: Annotated[str | int | None, BeforeValidator(_fingerprint)] = None
    description: OptionalLongText | None = None
    detected: Annotated[str, BeforeValidator(exact_time)] | None = None

    def report(self) -> AnomalyReport:
        """Return what is reported."""
        parts = {"datastore", "container", "failed_checks"}
        return AnomalyReport(
            datastore=Datastore(**self.datastore.model_dump()),
            container=Container(**self.container.model_dump()) if self.container else None,
            failed_checks=[FailedCheck(**check.model_dump()) for check in self.failed_checks],
            **self.model_dump(exclude=parts),
        )


class AnomalyPatch(TicketingBody):
    """PUT /api/anomalies/{id}: changes what is given; an empty description is removed."""

    status: Annotated[AnomalyStatus, BeforeValidator(one_of(OPEN))] | None = None
    description: Text | None = None


class NewComment(TicketingBody):
    """POST /api/anomalies/{id}/comments."""

    message: RequiredLongText


class Archiving(TicketingBody):
    """DELETE /api/anomalies/{id}: a comment may come in the body, if it is too long for the query."""

    comment: OptionalLongText | None = None


class NewLink(TicketingBody):
    """POST /api/anomalies/{anomaly_id}/ticket-links."""

    ticket_id: Annotated[str, BeforeValidator(_ticket_id)]


def _project_key(value: Any) -> str:
    if not isinstance(value, str):
        raise fault("must be a string")
    if value.strip() and not keys.is_project_key(value.strip()):
        raise fault("must be the key of a Jira project")
    return value.strip()


ProjectKey = Annotated[str, BeforeValidator(_project_key)]


class NewAnomalyTicket(TicketingBody):
    """POST /api/integrations/ticketing/anomalies/{anomaly_id}/tickets."""

    title: RequiredLongText
    description: OptionalLongText | None = None
    priority: OptionalText | None = None
    project_key: Annotated[ProjectKey, BlankIsNone] | None = None
    issue_type: OptionalText | None = None


def _integers(value: Any) -> list[int]:
    return [_id(entry) for entry in _entries(value)]


def _words(choices: Sequence[str] = ()) -> Callable[[Any], list[str]]:
    check = one_of(choices) if choices else short_text
    return lambda value: [check(entry) for entry in _entries(value)]


def _entries(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > LIST_LENGTH:
        raise fault(f"must be an array of at most {LIST_LENGTH} entries")
    return value


class ConditionEntry(TicketingBody):
    """Which anomalies a rule fits; an empty list fits none."""

    types: Annotated[list[AnomalyType], BeforeValidator(_words(TYPES))] | None = None
    datastore_ids: Annotated[list[int], BeforeValidator(_integers)] | None = None
    container_ids: Annotated[list[int], BeforeValidator(_integers)] | None = None
    rule_types: Annotated[list[str], BeforeValidator(_words())] | None = None
    min_weight: Annotated[int | float, BeforeValidator(_weight)] | None = None


class RuleTicketEntry(TicketingBody):
    """What a rule sets of its tickets; the rest comes from the integration."""

    project_key: Annotated[ProjectKey, BlankIsNone] | None = None
    issue_type: OptionalText | None = None
    priority: OptionalText | None = None
    title: OptionalText | None = None


class RulePatch(TicketingBody):
    """PUT /api/integrations/ticketing/rules/{id}: changes what is given; repairs a broken rule."""

    name: RequiredText | None = None
    enabled: Flag | None = None
    position: Annotated[int, BeforeValidator(whole_number(at_most=10_000))] | None = None
    when: ConditionEntry | None = None
    ticket: RuleTicketEntry | None = None
    daily_limit: Annotated[int, BeforeValidator(whole_number(at_most=500))] | None = None
    on_recurrence: Annotated[Recurrence, BeforeValidator(one_of(RECURRENCES))] | None = None


class NewRule(RulePatch):
    """POST /api/integrations/ticketing/rules."""

    name: RequiredText


class RuleTest(TicketingBody):
    """POST /api/integrations/ticketing/rules/{id}/test."""

    anomaly_id: Id


def _status_map(names: Sequence[str] | None, values: Sequence[str] | None) -> Callable[[Any], dict[str, str]]:
    """Return a check for a map of statuses; where no choices are given, they are Jira's."""

    def check(value: Any) -> dict[str, str]:
        if not isinstance(value, dict) or len(value) > LIST_LENGTH:
            raise fault(f"must be an object of at most {LIST_LENGTH} statuses")
        read_name, read_value = (one_of(each) if each else _jira_status for each in (names, values))
        return {read_name(name): read_value(status) for name, status in value.items()}

    return check


def _jira_status(value: Any) -> str:
    if not short_text(value):
        raise fault("must name statuses of Jira")
    return short_text(value)


class IntegrationPatch(TicketingBody):
    """PUT /api/integrations/ticketing: changes what is given; an empty default is removed."""

    type: Annotated[str, BeforeValidator(one_of(["jira"]))] | None = None
    api_url: OptionalText | None = None
    api_access_token: OptionalLongText | None = None
    external_id: OptionalText | None = None
    project_key: ProjectKey | None = None
    issue_type: ShortText | None = None
    status_out: Annotated[dict[str, str], BeforeValidator(_status_map(STATUSES, None))] | None = None
    status_in: Annotated[dict[str, str], BeforeValidator(_status_map(None, STATUSES))] | None = None
    reopen_status: ShortText | None = None

    def settings(self) -> IntegrationSettings:
        """Return what is set."""
        return IntegrationSettings(**self.model_dump(exclude={"type"}))


class NewIntegration(IntegrationPatch):
    """POST /api/integrations/ticketing: its own credentials, or the name of a connection."""

    type: Annotated[str, BeforeValidator(one_of(["jira"]))]
