"""Request bodies of the jobs routes. The order of the fields is the order of the checks."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from jobticket.jobs.model import AdvancementMode, ScrapReason
from jobticket.web.validation import (
    BlankIsNone,
    Body,
    FilledText,
    Flag,
    ListOf,
    LongText,
    NotEmpty,
    RequiredText,
    ShortText,
    WholeNumber,
    fault,
    integer,
    one_of,
    sentence,
    short_text,
    text_within,
    whole_number,
)

_SCRAP_REASONS = ", ".join(get_args(ScrapReason))


def _strings(value: Any) -> Any:
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise fault("must be an array of strings")
    return value


def _printable(value: str) -> str:
    # A ticket shows a line break as a space; other control characters do not belong in it.
    if any(unicodedata.category(character) == "Cc" and character not in "\r\n" for character in value):
        raise fault("must not contain control characters")
    return value


#: Names appear in tickets.
Name = Annotated[RequiredText, AfterValidator(_printable)]
NewName = Annotated[FilledText, AfterValidator(_printable)]
OptionalText = Annotated[ShortText, BlankIsNone]
OptionalLongText = Annotated[LongText, BlankIsNone]
Labels = Annotated[
    list[ShortText],
    ListOf,
    BeforeValidator(_strings),
    AfterValidator(lambda labels: list(filter(None, labels))),
]
Mode = Annotated[AdvancementMode, BeforeValidator(one_of(get_args(AdvancementMode)))]
#: An integer of any size: the path knows whether it has such a step.
Index = Annotated[int, BeforeValidator(integer)]


class NewJob(Body):
    """POST /api/jobs."""

    name: Name
    goal_quantity: WholeNumber
    jira_ticket_key: OptionalText | None = None
    jira_ticket_summary: OptionalText | None = None
    jira_part_number: OptionalText | None = None
    jira_priority: OptionalText | None = None
    jira_epic_link: OptionalText | None = None
    jira_labels: Labels | None = None


class JobChange(Body):
    """PUT /api/jobs/{id}: what is missing stays as it is."""

    name: NewName | None = None
    goal_quantity: WholeNumber | None = None


class NewStep(Body):
    """One step of a new path."""

    name: Name
    location: OptionalText | None = None
    optional: Flag = False


class StepEntry(NewStep):
    """One step of a changed path; a step whose ``id`` is given keeps its identity."""

    id: OptionalText | None = None


class NewPath(Body):
    """POST /api/paths."""

    job_id: RequiredText
    name: Name
    goal_quantity: WholeNumber
    steps: Annotated[list[NewStep], ListOf, NotEmpty]
    advancement_mode: Mode = "strict"


class PathChange(Body):
    """PUT /api/paths/{id}."""

    name: NewName | None = None
    goal_quantity: WholeNumber | None = None
    advancement_mode: Mode | None = None
    steps: Annotated[list[StepEntry], ListOf, NotEmpty] | None = None


class NewSerials(Body):
    """POST /api/serials."""

    path_id: RequiredText
    # The last check runs first: an integer, then a positive one.
    quantity: Annotated[int, BeforeValidator(whole_number(at_most=1000)), BeforeValidator(integer)]
    job_id: OptionalText | None = None


class Move(Body):
    """Any move: ``operator`` is the person who moves."""

    operator: Annotated[str, BeforeValidator(text_within(100)), BlankIsNone] | None = None


class AdvanceOne(Move):
    """POST /api/serials/{id}/advance."""

    from_step_index: Index | None = None


class AdvanceTo(Move):
    """POST /api/serials/{id}/advance-to; the number of steps means completion."""

    target_step_index: Index


class AdvanceBatch(Move):
    """POST /api/serials/advance: a tray or a cart."""

    serial_ids: Annotated[list[RequiredText], ListOf, NotEmpty]
    from_step_index: Index | None = None


class Scrap(Move):
    """POST /api/serials/{id}/scrap."""

    reason: ScrapReason = Field(default=None, validate_default=True)
    explanation: OptionalLongText | None = Field(default=None, validate_default=True)

    @field_validator("reason", mode="before")
    @classmethod
    def _known_reason(cls, value: Any) -> Any:
        reason = "" if value is None else short_text(value)
        if not reason:
            raise sentence("Scrap reason is required")
        if reason not in get_args(ScrapReason):
            raise sentence(f"Scrap reason must be one of: {_SCRAP_REASONS}")
        return reason

    @field_validator("explanation")
    @classmethod
    def _explained(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("reason") == "other":
            raise sentence("Explanation is required when scrap reason is other")
        return value


class ForceComplete(Move):
    """POST /api/serials/{id}/force-complete."""

    reason: OptionalLongText | None = None


def _field_id(value: Any) -> str:
    text = short_text(value)
    if not text.replace("_", "").isalnum() or not text.isascii():
        raise fault("must be the id of a Jira field")
    return text


FieldId = Annotated[str, BeforeValidator(_field_id)]


class FieldMappingsChange(Body):
    part_number: FieldId | None = None
    goal_quantity: FieldId | None = None
    epic_link: FieldId | None = None


class SettingsChange(Body):
    """PUT /api/settings: what is missing stays; an empty externalId or projectKey clears it."""

    enabled: Flag | None = None
    push_enabled: Flag | None = None
    push_paused: Flag | None = None
    skip_unchanged: Flag | None = None
    external_id: ShortText | None = None
    project_key: ShortText | None = None
    field_mappings: FieldMappingsChange | None = None
