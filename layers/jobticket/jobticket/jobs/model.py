"""Jobs, paths and serial numbers, as they are stored and as the API shows them."""

from __future__ import annotations

from typing import Any, Literal

from jobticket.dataclass import dataclass
from jobticket.shown import Shown, with_humps

AdvancementMode = Literal["strict", "flexible"]
SerialStatus = Literal["in_progress", "completed", "scrapped"]
ScrapReason = Literal["out_of_tolerance", "process_defect", "damaged", "operator_error", "other"]


class Record(Shown):
    """Something the API shows: camel case outside, snake case inside, absent fields left out."""

    shows_null = False

    @classmethod
    def shown_name(cls, name: str) -> str:
        return with_humps(name)


class Job(Record):
    """A production order. Its state follows from its serial numbers; it has no status of its own."""

    id: str
    name: str
    goal_quantity: int
    jira_ticket_key: str | None = None
    jira_ticket_summary: str | None = None
    jira_part_number: str | None = None
    jira_priority: str | None = None
    jira_epic_link: str | None = None
    jira_labels: list[str] | None = None
    created_at: str
    updated_at: str


class ProcessStep(Record):
    """One step of a path; ``order`` counts from 0."""

    id: str
    name: str
    order: int
    location: str | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class StepDraft:
    """A step as a caller describes it; with an ``id`` it is a step that the path has."""

    name: str
    location: str | None = None
    optional: bool = False
    id: str | None = None


class Path(Record):
    """A route through the shop floor: the steps that a job's serial numbers go through, in order."""

    id: str
    job_id: str
    name: str
    goal_quantity: int
    advancement_mode: AdvancementMode = "strict"
    steps: list[ProcessStep]
    created_at: str
    updated_at: str


class SerialNumber(Record):
    """One unit and where it stands."""

    id: str
    job_id: str
    path_id: str
    #: The step at which it stands, from 0; -1 once all steps are finished.
    current_step_index: int
    status: SerialStatus
    scrap_reason: ScrapReason | None = None
    scrap_explanation: str | None = None
    scrap_step_id: str | None = None
    scrapped_at: str | None = None
    force_completed: bool = False
    force_completed_at: str | None = None
    force_completed_reason: str | None = None
    created_at: str
    updated_at: str


class Bypassed(Record):
    """A step that a serial number was moved past: skipped if it is optional, else deferred."""

    step_id: str
    step_name: str
    classification: Literal["skipped", "deferred"]


class StepName(Record):
    step_id: str
    step_name: str


class SerialEvent(Record):
    """What happened to a serial number, and who did it."""

    at: str
    action: Literal["created", "advanced", "skipped_to", "completed", "scrapped", "force_completed"]
    from_: StepName | None = None
    to: StepName | None = None
    #: The name of the caller's key; unknown if the serial number is older than the history.
    by: str | None = None
    operator: str | None = None
    reason: str | None = None
    bypassed: list[Bypassed] | None = None


class JobEvent(Record):
    """What happened to a job, its paths or the settings, and who did it."""

    at: str
    action: str
    by: str
    operator: str | None = None
    #: Each field with its values before and after; a missing one had, or has, no value.
    changes: dict[str, dict[str, Any]] | None = None
    name: str | None = None
    path_id: str | None = None
    path_name: str | None = None
    ticket_key: str | None = None
    #: Of a push or comment: pushed, commented or failed, and why.
    outcome: str | None = None
    error: str | None = None


class FlowDay(Record):
    """What happened on a path on one day (UTC).

    ``entered`` and ``standing`` are numbers of serial numbers by step: how many came there on the day, and
    how many stood there at its end.
    """

    date: str
    entered: dict[str, int]
    completed: int
    scrapped: int
    standing: dict[str, int]


class PathFlow(Record):
    path_id: str
    days: list[FlowDay]


class JobFlowDay(Record):
    """What happened on all paths of a job on one day (UTC).

    ``total`` is how many serial numbers the job had at the day's end, ``goal`` how many it is to have today.
    """

    date: str
    completed: int
    scrapped: int
    total: int
    goal: int


class JobFlow(Record):
    job_id: str
    days: list[JobFlowDay]


class StepCount(Record):
    """How many serial numbers stand at a step."""

    step_id: str
    step_name: str
    step_order: int
    location: str | None = None
    serial_count: int
    is_bottleneck: bool


class PathDetails(Path):
    """A path and the distribution of its serial numbers."""

    distribution: list[StepCount]
    completed_count: int
    scrapped_count: int


class PathProgress(Record):
    path_id: str
    path_name: str
    goal_quantity: int
    total_serials: int
    completed_serials: int
    scrapped_serials: int
    percent_complete: float


class JobProgress(Record):
    """How far a job has come; ``progress_percent`` is unrounded and may exceed 100."""

    job_id: str
    job_name: str
    goal_quantity: int
    total_serials: int
    completed_serials: int
    in_progress_serials: int
    scrapped_serials: int
    progress_percent: float
    path_progress: list[PathProgress]


class ListedJob(Job):
    """A job in a list; its progress is there if its state was asked for."""

    progress: JobProgress | None = None


class JobDetails(Job):
    """A job with its paths, in the order of their creation, and its progress."""

    paths: list[Path]
    progress: JobProgress


class FieldMappings(Record):
    """The ids of the Jira fields that hold a job's data."""

    part_number: str = "customfield_10908"
    goal_quantity: str = "customfield_10900"
    epic_link: str = "customfield_10014"


class JobSettings(Record):
    """The application's settings. Nothing goes to Jira unless both ``enabled`` and ``push_enabled``."""

    enabled: bool = False
    push_enabled: bool = False
    push_paused: bool = False
    skip_unchanged: bool = True
    external_id: str | None = None
    project_key: str | None = None
    field_mappings: FieldMappings = FieldMappings()
    updated_at: str | None = None
