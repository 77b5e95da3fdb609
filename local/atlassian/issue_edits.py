"""What may be written to an issue: each field checks its own value and says what is wrong in Jira's words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from local.atlassian import catalogue, rich_text
from local.atlassian.model import Issue, Project, RichText
from local.atlassian.rich_text import ContentError, FieldError
from local.atlassian.routing import Call, JiraError, invalid_payload

SUMMARY_LIMIT = 255

Values = dict[str, Any]
"""Attributes of :class:`~local.atlassian.model.Issue`, custom fields under ``custom``."""


def _summary(_call: Call, value: Any) -> Values:
    if value is None or value == "" or (isinstance(value, str) and not value.strip()):
        raise FieldError("You must specify a summary of the issue.")
    if not isinstance(value, str):
        raise FieldError("Operation value must be a string")
    if "\n" in value or "\r" in value:
        raise FieldError("The summary is invalid because it contains newline characters.")
    if len(value) > SUMMARY_LIMIT:
        raise FieldError("Summary can't exceed 255 characters.")
    return {"summary": value.strip()}


def _description(call: Call, value: Any) -> Values:
    return {"description": rich_text.read(call, value)}


def _choice(value: Any, options: dict[str, Any]) -> str | None:
    """Find an option by ``{"id"}`` or ``{"name"}``."""
    if not isinstance(value, dict):
        return None
    if "id" in value:
        return value["id"] if isinstance(value["id"], str) and value["id"] in options else None
    return next((each.id for each in options.values() if each.name == value.get("name")), None)


def _priority(_call: Call, value: Any) -> Values:
    if value is None:
        return {"priority_id": None}
    if not isinstance(value, dict):
        raise FieldError("Specify the Priority (id or name) in the string format")
    chosen = _choice(value, catalogue.PRIORITIES)
    if chosen is None:
        raise FieldError("The priority selected is invalid.")
    return {"priority_id": chosen}


def _issue_type(_call: Call, value: Any) -> Values:
    chosen = _choice(value, catalogue.ISSUE_TYPES)
    if chosen is None:
        raise FieldError("Specify a valid issue type")
    return {"type_id": chosen}


def _strings(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise FieldError("Operation value must be an array of strings")
    return value


def _labels(_call: Call, value: Any) -> Values:
    labels = [] if value is None else _strings(value)
    for label in labels:
        if re.search(r"\s", label) or not label:
            raise FieldError(f"The label '{label}' contains spaces which is invalid.")
        if len(label) > 255:
            raise FieldError(f"The label '{label}' is longer than 255 characters.")
    return {"labels": sorted(set(labels))}


def _user(call: Call, value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise FieldError("Operation value must be an object")
    if call.data_center:
        found = next((each for each in call.world.accounts.values() if each.name == value.get("name")), None)
    else:
        found = call.world.accounts.get(value.get("accountId") or value.get("id") or "")
    if found is None:
        name = value.get("name") if call.data_center else value.get("accountId")
        raise FieldError(f"User '{name}' does not exist.")
    return found.account_id


def _parent(call: Call, value: Any) -> Values:
    if value is None:
        return {"parent_id": None}
    reference = value.get("key") or value.get("id") if isinstance(value, dict) else None
    parent = call.site.issue(str(reference)) if reference else None
    if parent is None:
        raise FieldError("Given parent work item does not exist.")
    return {"parent_id": parent.id}


def _due_date(_call: Call, value: Any) -> Values:
    if value is not None and not (isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value)):
        raise FieldError("Error parsing date string: " + str(value))
    return {"due_date": value}


def _names_of(attribute: str) -> Callable[[Call, Any], Values]:
    def read(_call: Call, value: Any) -> Values:
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise FieldError("data was not an array")
        return {attribute: [str(each.get("name") or each.get("id")) for each in value]}

    return read


def _time_tracking(_call: Call, value: Any) -> Values:
    if not isinstance(value, dict):
        raise FieldError("expected Object")
    return {"time_tracking": {str(name): str(each) for name, each in value.items()}}


def _sprint(call: Call, value: Any) -> Values:
    if value is None:
        return {"sprint_ids": []}
    if not isinstance(value, int) or isinstance(value, bool):
        raise FieldError("Number value expected as the Sprint id.")
    if value not in call.site.sprints:
        raise FieldError(f"Sprint does not exist with id {value}.")
    return {"sprint_ids": [value]}


def _epic_link(call: Call, value: Any) -> Values:
    if value is not None and (not isinstance(value, str) or call.site.issue(value) is None):
        raise FieldError(f"Issue '{value}' is not a valid epic.")
    return {"custom": {catalogue.EPIC_LINK: value}}


_WRITERS: dict[str, Callable[[Call, Any], Values]] = {
    "summary": _summary,
    "description": _description,
    "priority": _priority,
    "issuetype": _issue_type,
    "labels": _labels,
    "assignee": lambda call, value: {"assignee": _user(call, value)},
    "reporter": lambda call, value: {"reporter": _user(call, value)},
    "parent": _parent,
    "duedate": _due_date,
    "timetracking": _time_tracking,
    "components": _names_of("components"),
    "fixVersions": _names_of("fix_versions"),
    "versions": _names_of("versions"),
    catalogue.SPRINT: _sprint,
    catalogue.EPIC_LINK: _epic_link,
}


def _custom(call: Call, field: catalogue.Field, value: Any) -> Values:
    if field.rich_text:
        return {"custom": {field.id: rich_text.read(call, value)}}
    if value is not None and field.type == "number":
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise FieldError("Specify a number")
        return {"custom": {field.id: float(value)}}
    if value is not None and not isinstance(value, str):
        raise FieldError("Operation value must be a string")
    if value is not None and len(value) > 255:
        raise FieldError("The entered text is too long. It exceeds the allowed limit of 255 characters.")
    return {"custom": {field.id: value}}


def _read_field(call: Call, name: str, value: Any) -> Values:
    field = catalogue.FIELDS.get(name)
    if field is None or not field.on_screen or name == "project" or name in call.controls.off_screen_fields:
        raise FieldError(f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown.")
    writer = _WRITERS.get(name)
    return writer(call, value) if writer else _custom(call, field, value)


def _merge(values: Values, more: Values) -> None:
    custom = {**values.get("custom", {}), **more.get("custom", {})}
    values.update(more)
    if custom:
        values["custom"] = custom


def read_fields(call: Call, fields: dict[str, Any], errors: dict[str, str]) -> Values:
    """Check every field and collect what is wrong, so that one answer reports all of it."""
    values: Values = {}
    for name, value in fields.items():
        try:
            _merge(values, _read_field(call, name, value))
        except ContentError as error:
            raise JiraError(400, str(error)) from error
        except FieldError as error:
            errors[name] = str(error)
    return values


def apply_operations(issue: Issue | None, update: dict[str, Any], errors: dict[str, str]) -> dict[str, Any]:
    """Turn the verbs of ``update`` into plain fields; comments are not fields and stay out."""
    fields: dict[str, Any] = {}
    for name, operations in update.items():
        if name == "comment":
            continue
        if not isinstance(operations, list):
            errors[name] = "data was not an array"
            continue
        for operation in operations:
            try:
                _apply(issue, name, operation, fields)
            except FieldError as error:
                errors[name] = str(error)
    return fields


def _apply(issue: Issue | None, name: str, operation: Any, fields: dict[str, Any]) -> None:
    if not isinstance(operation, dict) or len(operation) != 1:
        raise FieldError("Operation must hold exactly one verb")
    verb, value = next(iter(operation.items()))
    if verb == "set":
        fields[name] = value
    elif verb in ("add", "remove") and name == "labels":
        current = fields.setdefault(name, list(issue.labels) if issue else [])
        if verb == "add":
            current.append(value)
        elif value in current:
            current.remove(value)
    else:
        raise FieldError(f"Operation '{verb}' is not supported by the field.")


def check_body(body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return ``fields`` and ``update``, which must not name the same field."""
    fields, update = body.get("fields") or {}, body.get("update") or {}
    if not isinstance(fields, dict) or not isinstance(update, dict):
        raise invalid_payload()
    both = fields.keys() & update.keys()
    if both:
        errors = dict.fromkeys(both, "Field cannot appear in both 'fields' and 'update'.")
        raise JiraError(400, errors=errors)
    return fields, update


def read_project(call: Call, fields: dict[str, Any], errors: dict[str, str]) -> Project | None:
    """Find the project that a new issue is for."""
    given = fields.pop("project", None)
    reference = given.get("id") or given.get("key") if isinstance(given, dict) else None
    project = call.site.project(str(reference)) if reference else None
    if project is None or not call.sees(project):
        errors["project"] = "Specify a valid project ID or key"
        return None
    return project


def read_comment(call: Call, body: Any) -> RichText:
    """Check a comment's text and return it as it is stored."""
    try:
        text = rich_text.read(call, body)
    except ContentError as error:
        raise JiraError(400, str(error), errors={"comment": str(error)}) from error
    except FieldError as error:
        # A description gets a long text here, a comment one sentence.
        message = "Comment body is not valid!" if call.documents else str(error)
        raise JiraError(400, errors={"comment": message}) from error
    if not text or not rich_text.has_content(text):
        raise JiraError(400, errors={"comment": "Comment body can not be empty!"})
    return text


def read_properties(body: dict[str, Any]) -> dict[str, Any]:
    """Return the entity properties that a new issue or comment brings along."""
    given = body.get("properties") or []
    if not isinstance(given, list) or not all(isinstance(each, dict) and each.get("key") for each in given):
        raise JiraError(400, "Properties must be a list of objects with key and value.")
    return {str(each["key"]): each.get("value") for each in given}
