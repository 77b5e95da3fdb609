"""What every emulated site has in common: issue types, priorities, statuses, resolutions, fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class IssueType:
    id: str
    name: str
    icon: str
    hierarchy_level: int
    description: str

    @property
    def subtask(self) -> bool:
        return self.hierarchy_level < 0


@dataclass(frozen=True, slots=True)
class Priority:
    id: str
    name: str
    icon: str
    colour: str


@dataclass(frozen=True, slots=True)
class StatusCategory:
    id: int
    key: str
    colour: str
    name: str


@dataclass(frozen=True, slots=True)
class Status:
    id: str
    name: str
    category: StatusCategory


@dataclass(frozen=True, slots=True)
class Resolution:
    id: str
    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an issue as ``GET /field`` and the create screens describe it."""

    id: str
    name: str
    type: str
    items: str | None = None
    custom: str | None = None
    on_screen: bool = True
    clauses: tuple[str, ...] = ()

    @property
    def schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": self.type}
        if self.items:
            schema["items"] = self.items
        if self.custom:
            schema["custom"] = f"com.atlassian.jira.plugin.system.customfieldtypes:{self.custom}"
            schema["customId"] = int(self.id.removeprefix("customfield_"))
        else:
            schema["system"] = self.id
        return schema

    @property
    def rich_text(self) -> bool:
        return self.id in ("description", "environment") or self.custom == "textarea"


EPIC = IssueType("10000", "Epic", "epic", 1, "A big user story that needs to be broken down.")
TASK = IssueType("10001", "Task", "task", 0, "A small, distinct piece of work.")
BUG = IssueType("10002", "Bug", "bug", 0, "A problem or error.")
STORY = IssueType("10003", "Story", "story", 0, "Functionality or a feature expressed as a user goal.")
SUBTASK = IssueType(
    "10004", "Sub-task", "subtask", -1, "A small piece of work that is part of a larger task."
)
USUAL_TYPES = (EPIC, TASK, BUG, STORY, SUBTASK)
#: A project may have types of its own instead; none of these is called Task.
OWN_TYPES = (
    IssueType("10011", "Aufgabe", "task", 0, "Eine kleine Arbeit."),
    IssueType("10012", "Fehler", "bug", 0, "Ein Problem."),
)
ISSUE_TYPES = {each.id: each for each in (*USUAL_TYPES, *OWN_TYPES)}

PRIORITIES = {
    each.id: each
    for each in (
        Priority("1", "Highest", "highest", "#d04437"),
        Priority("2", "High", "high", "#f15C75"),
        Priority("3", "Medium", "medium", "#f79232"),
        Priority("4", "Low", "low", "#707070"),
        Priority("5", "Lowest", "lowest", "#999999"),
    )
}
DEFAULT_PRIORITY = "3"

_NEW = StatusCategory(2, "new", "blue-gray", "To Do")
_INDETERMINATE = StatusCategory(4, "indeterminate", "yellow", "In Progress")
_DONE = StatusCategory(3, "done", "green", "Done")
TO_DO = Status("10000", "To Do", _NEW)
IN_PROGRESS = Status("3", "In Progress", _INDETERMINATE)
DONE = Status("10001", "Done", _DONE)
STATUSES = {each.id: each for each in (TO_DO, IN_PROGRESS, DONE)}

FIXED = Resolution("10000", "Done", "Work has been completed on this issue.")
WONT_DO = Resolution("10001", "Won't Do", "This issue won't be actioned.")
RESOLUTIONS = {each.id: each for each in (FIXED, WONT_DO)}

EPIC_LINK = "customfield_10014"
SPRINT = "customfield_10020"

FIELDS = {
    each.id: each
    for each in (
        Field("summary", "Summary", "string", clauses=("summary",)),
        Field("issuetype", "Issue Type", "issuetype", clauses=("issuetype", "type")),
        Field("project", "Project", "project", clauses=("project",)),
        Field("description", "Description", "string", clauses=("description",)),
        Field("priority", "Priority", "priority", clauses=("priority",)),
        Field("labels", "Labels", "array", items="string", clauses=("labels",)),
        Field("assignee", "Assignee", "user", clauses=("assignee",)),
        Field("reporter", "Reporter", "user", clauses=("reporter",)),
        Field("parent", "Parent", "issuelink", clauses=("parent",)),
        Field("duedate", "Due date", "date", clauses=("due", "duedate")),
        Field("timetracking", "Time tracking", "timetracking"),
        Field("components", "Components", "array", items="component", clauses=("component",)),
        Field("fixVersions", "Fix versions", "array", items="version", clauses=("fixVersion",)),
        Field("versions", "Affects versions", "array", items="version", clauses=("affectedVersion",)),
        Field("status", "Status", "status", on_screen=False, clauses=("status",)),
        Field(
            "statusCategory",
            "Status Category",
            "statusCategory",
            on_screen=False,
            clauses=("statusCategory",),
        ),
        Field("resolution", "Resolution", "resolution", on_screen=False, clauses=("resolution",)),
        Field("resolutiondate", "Resolved", "datetime", on_screen=False, clauses=("resolved",)),
        Field("created", "Created", "datetime", on_screen=False, clauses=("created",)),
        Field("updated", "Updated", "datetime", on_screen=False, clauses=("updated",)),
        Field("creator", "Creator", "user", on_screen=False, clauses=("creator",)),
        Field("subtasks", "Sub-tasks", "array", items="issuelinks", on_screen=False),
        Field("comment", "Comment", "comments-page", on_screen=False, clauses=("comment",)),
        Field(EPIC_LINK, "Epic Link", "any", custom="epic-link", clauses=("Epic Link",)),
        Field(SPRINT, "Sprint", "array", items="json", custom="sprint", clauses=("Sprint",)),
        Field(
            "customfield_10016",
            "Story point estimate",
            "number",
            custom="float",
            clauses=("Story point estimate",),
        ),
        Field(
            "customfield_10030",
            "Shop floor notes",
            "string",
            custom="textarea",
            clauses=("Shop floor notes",),
        ),
        Field("customfield_10900", "Goal Quantity", "number", custom="float", clauses=("Goal Quantity",)),
        Field("customfield_10908", "Part Number", "string", custom="textfield", clauses=("Part Number",)),
    )
}
