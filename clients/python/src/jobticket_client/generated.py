"""Generated from the OpenAPI document by tools.client_types; not edited by hand."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict


class AdvanceBatch(TypedDict):
    """
    POST /api/serials/advance: a tray or a cart.
    """

    operator: NotRequired[str]
    serial_ids: list[str]
    from_step_index: NotRequired[int]


class AdvanceOne(TypedDict):
    """
    POST /api/serials/{id}/advance.
    """

    operator: NotRequired[str]
    from_step_index: NotRequired[int]


class AdvanceTo(TypedDict):
    """
    POST /api/serials/{id}/advance-to; the number of steps means completion.
    """

    operator: NotRequired[str]
    target_step_index: int


class AnomalyComment(TypedDict):
    id: int
    anomaly_id: int
    message: str
    created: str


AnomalyEvent = TypedDict(
    "AnomalyEvent",
    {
        "at": str,
        "action": str,
        "by": str,
        "from": NotRequired[str],
        "to": NotRequired[str],
        "ticket_id": NotRequired[str],
        "ticket_number": NotRequired[str],
        "rule_id": NotRequired[int],
        "comment_id": NotRequired[int],
    },
)


class AnomalyLink(TypedDict):
    """
    An anomaly's link to a ticket.
    """

    id: int
    anomaly_id: int
    integration_id: int
    ticket_id: str
    ticket_number: str
    title: str
    status: NotRequired[str | None]
    url: str
    origin: Literal["created", "linked", "rule"]
    rule_id: NotRequired[int]
    created: str
    last_synced: NotRequired[str | None]
    last_sync_error: NotRequired[str | None]


class AnomalyPatch(TypedDict):
    """
    PUT /api/anomalies/{id}: changes what is given; an empty description is removed.
    """

    status: NotRequired[Literal["Active", "Acknowledged", "Resolved", "Duplicate", "Invalid", "Discarded"]]
    description: NotRequired[str]


class BeginConsentAnswer(TypedDict):
    authorization_uri: str


class BeginConsentBody(TypedDict):
    provider: Literal["jira"]
    external_id: str
    return_url: NotRequired[str]


class Breakage(TypedDict):
    """
    Why a rule is suspended until it is saved again.
    """

    since: str
    error: str
    details: str


class Bypassed(TypedDict):
    """
    A step that a serial number was moved past: skipped if it is optional, else deferred.
    """

    stepId: str
    stepName: str
    classification: Literal["skipped", "deferred"]


class CheckConnectionAnswer(TypedDict):
    exists: bool
    is_expired: bool
    is_invalid: bool
    expires_at: NotRequired[str | None]
    missing_scopes: NotRequired[list[str]]


class CheckEntry(TypedDict):
    message: str
    field: NotRequired[str]
    rule_type: NotRequired[str]


class CommentOnJobAnswer(TypedDict):
    success: bool
    error: NotRequired[str]
    details: NotRequired[dict[str, Any]]
    note: NotRequired[str]


class ConditionEntry(TypedDict):
    """
    Which anomalies a rule fits; an empty list fits none.
    """

    types: NotRequired[list[Literal["record", "shape"]]]
    datastore_ids: NotRequired[list[int]]
    container_ids: NotRequired[list[int]]
    rule_types: NotRequired[list[str]]
    min_weight: NotRequired[int | float]


class ConnectionEvent(TypedDict):
    """
    What happened to a connection, and who did it: a key, a consent, the schedule, Jira or Atlassian.
    """

    at: str
    action: str
    by: str
    kind: NotRequired[Literal["oauth", "api_token", "personal_access_token", "client_credentials"]]
    site_url: NotRequired[str]
    days: NotRequired[int]
    expires_on: NotRequired[str]


class Container(TypedDict):
    id: int
    name: str


class CreateConnectSessionAnswer(TypedDict):
    connect_token: str
    expires_at: str


class CreateConnectSessionBody(TypedDict):
    provider: Literal["jira"]
    external_id: str
    return_url: NotRequired[str]
    expires_in: NotRequired[int]


class CreateConnectionAnswer(TypedDict):
    success: Literal[True]
    return_url: NotRequired[str]


class CreateConnectionBody(TypedDict):
    connection_code: str
    site_id: str


class CreateTicketAnswerTicket(TypedDict):
    """
    The ticket.
    """

    id: str
    key: str
    summary: str | None
    status: str | None
    assignee: str | None
    priority: str | None
    created: str | None
    updated: str | None


class CreateTicketAnswer(TypedDict):
    ticket: CreateTicketAnswerTicket


class CreateTicketBody(TypedDict):
    external_id: str
    jira_project_id: NotRequired[str | int]
    summary: str
    description: NotRequired[str]
    issue_type_id: str | int
    priority_id: NotRequired[str | int]
    assignee_account_id: NotRequired[str | None]
    idempotency_key: NotRequired[str]


class Datastore(TypedDict):
    id: int
    name: str


class DeleteIssueBody(TypedDict):
    external_id: str
    issue_id_or_key: str | int
    delete_subtasks: NotRequired[bool]


class EditIssueAnswerIssuePriority(TypedDict):
    """
    The priority.
    """

    name: str | None
    iconUrl: str | None


class EditIssueAnswerIssueIssueType(TypedDict):
    """
    The issue's type.
    """

    name: str | None
    iconUrl: str | None


class EditIssueAnswerIssueAssignee(TypedDict):
    """
    Who works on it.
    """

    displayName: str | None
    emailAddress: str | None
    avatarUrl: str | None


class EditIssueAnswerIssue(TypedDict):
    """
    The issue.
    """

    id: str | None
    key: str | None
    summary: str | None
    description: str | None
    priority: EditIssueAnswerIssuePriority | None
    issueType: EditIssueAnswerIssueIssueType | None
    assignee: EditIssueAnswerIssueAssignee | None
    updated: str | None


class EditIssueAnswer(TypedDict):
    success: bool
    issue: EditIssueAnswerIssue


class EditIssueBody(TypedDict):
    external_id: str
    issue_id_or_key: str | int
    summary: NotRequired[str]
    description: NotRequired[str]
    priority_id: NotRequired[str | int]
    issue_type_id: NotRequired[str | int]
    assignee_account_id: NotRequired[str | None]
    expected_updated: NotRequired[str]


class FailedCheck(TypedDict):
    """
    A data-quality check that found something.
    """

    message: str
    field: NotRequired[str | None]
    rule_type: NotRequired[str | None]


class FieldMappings(TypedDict):
    """
    The ids of the Jira fields that hold a job's data.
    """

    partNumber: NotRequired[str]
    goalQuantity: NotRequired[str]
    epicLink: NotRequired[str]


class FieldMappingsChange(TypedDict):
    part_number: NotRequired[str]
    goal_quantity: NotRequired[str]
    epic_link: NotRequired[str]


class FlowDay(TypedDict):
    """
    What happened on a path on one day (UTC).

    ``entered`` and ``standing`` are numbers of serial numbers by step: how many came there on the day, and
    how many stood there at its end.
    """

    date: str
    entered: dict[str, int]
    completed: int
    scrapped: int
    standing: dict[str, int]


class ForceComplete(TypedDict):
    """
    POST /api/serials/{id}/force-complete.
    """

    operator: NotRequired[str]
    reason: NotRequired[str]


class FormValue(TypedDict):
    label: str
    value: str


class GetAccessTokenAnswer(TypedDict):
    access_token: str
    expires_at: str


class GetActiveSprintsForProjectAnswerBoardActiveSprint(TypedDict):
    id: int
    name: str | None
    state: Literal["future", "active", "closed"] | None
    startDate: str | None
    endDate: str | None
    completeDate: str | None
    goal: str | None


class GetActiveSprintsForProjectAnswerBoard(TypedDict):
    board_id: int
    board_name: str | None
    board_type: str | None
    active_sprints: list[GetActiveSprintsForProjectAnswerBoardActiveSprint]


class GetActiveSprintsForProjectAnswer(TypedDict):
    boards: list[GetActiveSprintsForProjectAnswerBoard]


class GetAllSprintsForProjectAnswerBoardSprint(TypedDict):
    id: int
    name: str | None
    state: Literal["future", "active", "closed"] | None
    startDate: str | None
    endDate: str | None
    completeDate: str | None
    goal: str | None


class GetAllSprintsForProjectAnswerBoardActiveSprint(TypedDict):
    id: int
    name: str | None
    state: Literal["future", "active", "closed"] | None
    startDate: str | None
    endDate: str | None
    completeDate: str | None
    goal: str | None


class GetAllSprintsForProjectAnswerBoard(TypedDict):
    board_id: int
    board_name: str | None
    board_type: str | None
    sprints: list[GetAllSprintsForProjectAnswerBoardSprint]
    active_sprints: list[GetAllSprintsForProjectAnswerBoardActiveSprint]


class GetAllSprintsForProjectAnswer(TypedDict):
    boards: list[GetAllSprintsForProjectAnswerBoard]
    total_sprints: int


GetAnomalyHistoryAnswer: TypeAlias = list[AnomalyEvent]


class GetBoardsForProjectAnswerBoard(TypedDict):
    id: int
    name: str | None
    type: str | None


class GetBoardsForProjectAnswer(TypedDict):
    boards: list[GetBoardsForProjectAnswerBoard]
    total: int


GetConnectionHistoryAnswer: TypeAlias = list[ConnectionEvent]


class GetHealthAnswer(TypedDict):
    status: Literal["ok", "degraded"]
    version: str
    checks: dict[str, Literal["reachable", "unreachable"]]


class GetIssueDetailsAnswerIssueStatus(TypedDict):
    """
    Its status.
    """

    name: str | None
    category: str | None


class GetIssueDetailsAnswerIssuePriority(TypedDict):
    """
    The priority.
    """

    name: str | None
    iconUrl: str | None


class GetIssueDetailsAnswerIssueIssueType(TypedDict):
    """
    The issue's type.
    """

    name: str | None
    iconUrl: str | None


class GetIssueDetailsAnswerIssueAssignee(TypedDict):
    """
    Who works on it.
    """

    displayName: str | None
    emailAddress: str | None
    avatarUrl: str | None


class GetIssueDetailsAnswerIssueReporter(TypedDict):
    """
    Who reported it.
    """

    displayName: str | None
    emailAddress: str | None
    avatarUrl: str | None


class GetIssueDetailsAnswerIssueProject(TypedDict):
    """
    The project.
    """

    id: str
    key: str
    name: str | None


class GetIssueDetailsAnswerIssueResolution(TypedDict):
    """
    How it was resolved; null while it is open.
    """

    name: str | None
    description: str | None


class GetIssueDetailsAnswerIssueTimeTracking(TypedDict):
    """
    The estimates, and the time spent.
    """

    originalEstimate: str | None
    remainingEstimate: str | None
    timeSpent: str | None


class GetIssueDetailsAnswerIssue(TypedDict):
    """
    The issue.
    """

    id: str
    key: str
    summary: str | None
    description: str | None
    status: GetIssueDetailsAnswerIssueStatus | None
    priority: GetIssueDetailsAnswerIssuePriority | None
    issueType: GetIssueDetailsAnswerIssueIssueType | None
    assignee: GetIssueDetailsAnswerIssueAssignee | None
    reporter: GetIssueDetailsAnswerIssueReporter | None
    project: GetIssueDetailsAnswerIssueProject | None
    created: str | None
    updated: str | None
    resolution: GetIssueDetailsAnswerIssueResolution | None
    labels: list[str]
    components: list[str]
    fixVersions: list[str]
    affectedVersions: list[str]
    timeTracking: GetIssueDetailsAnswerIssueTimeTracking | None
    customFields: dict[str, Any]


class GetIssueDetailsAnswer(TypedDict):
    issue: GetIssueDetailsAnswerIssue


class GetOpenapiAnswer(TypedDict):
    pass


class GetProjectsAnswerProjectLead(TypedDict):
    """
    Who leads the project.
    """

    displayName: str | None


class GetProjectsAnswerProject(TypedDict):
    id: str
    key: str
    name: str | None
    lead: GetProjectsAnswerProjectLead | None


class GetProjectsAnswer(TypedDict):
    projects: list[GetProjectsAnswerProject]
    total: int
    selected_project_id: str | None


class GetRefreshTokenAnswer(TypedDict):
    refresh_token: str
    expires_at: str
    is_invalid: bool


class GetSelectedProjectAnswer(TypedDict):
    jira_project_id: str | None


class GetTicketsForProjectAnswerTicket(TypedDict):
    id: str
    key: str
    summary: str | None
    status: str | None
    assignee: str | None
    priority: str | None
    created: str | None
    updated: str | None


class GetTicketsForProjectAnswerSprint(TypedDict):
    """
    The sprint.
    """

    id: int
    name: str | None
    state: Literal["future", "active", "closed"] | None
    startDate: str | None
    endDate: str | None
    completeDate: str | None
    goal: str | None


class GetTicketsForProjectAnswer(TypedDict):
    tickets: list[GetTicketsForProjectAnswerTicket]
    total: int
    sprint: GetTicketsForProjectAnswerSprint | None


class GetTicketsForSprintAnswerTicketFieldsStatusStatusCategory(TypedDict):
    """
    To do, in progress or done.
    """

    id: int | None
    key: str | None
    colorName: str | None


class GetTicketsForSprintAnswerTicketFieldsStatus(TypedDict):
    """
    Its status.
    """

    id: str | None
    name: str | None
    statusCategory: GetTicketsForSprintAnswerTicketFieldsStatusStatusCategory | None


class GetTicketsForSprintAnswerTicketFieldsAssignee(TypedDict):
    """
    Who works on it.
    """

    accountId: str | None
    displayName: str | None


class GetTicketsForSprintAnswerTicketFieldsReporter(TypedDict):
    """
    Who reported it.
    """

    accountId: str | None
    displayName: str | None


class GetTicketsForSprintAnswerTicketFieldsPriority(TypedDict):
    """
    The priority.
    """

    id: str | None
    name: str | None


class GetTicketsForSprintAnswerTicketFields(TypedDict):
    """
    The issue's fields.
    """

    summary: str | None
    description: str | None
    status: GetTicketsForSprintAnswerTicketFieldsStatus | None
    assignee: GetTicketsForSprintAnswerTicketFieldsAssignee | None
    reporter: GetTicketsForSprintAnswerTicketFieldsReporter | None
    created: str | None
    updated: str | None
    priority: GetTicketsForSprintAnswerTicketFieldsPriority | None


class GetTicketsForSprintAnswerTicket(TypedDict):
    id: str
    key: str
    fields: GetTicketsForSprintAnswerTicketFields


class GetTicketsForSprintAnswerSprint(TypedDict):
    """
    The sprint.
    """

    id: int
    name: str | None
    state: Literal["future", "active", "closed"] | None
    startDate: str | None
    endDate: str | None
    completeDate: str | None
    goal: str | None


class GetTicketsForSprintAnswer(TypedDict):
    tickets: list[GetTicketsForSprintAnswerTicket]
    total: int
    sprint: GetTicketsForSprintAnswerSprint


class Integration(TypedDict):
    """
    The one Jira that anomalies get their tickets in.
    """

    id: int
    type: Literal["jira"]
    api_url: str
    external_id: NotRequired[str | None]
    project_key: NotRequired[str | None]
    issue_type: NotRequired[str | None]
    status_out: NotRequired[dict[str, str]]
    status_in: NotRequired[dict[str, str]]
    reopen_status: NotRequired[str]
    status: Literal["Connected", "Error"]
    created: str
    updated: str


class IntegrationPatch(TypedDict):
    """
    PUT /api/integrations/ticketing: changes what is given; an empty default is removed.
    """

    type: NotRequired[str]
    api_url: NotRequired[str]
    api_access_token: NotRequired[str]
    external_id: NotRequired[str]
    project_key: NotRequired[str]
    issue_type: NotRequired[str]
    status_out: NotRequired[dict[str, str]]
    status_in: NotRequired[dict[str, str]]
    reopen_status: NotRequired[str]


class JiraTicket(TypedDict):
    """
    A ticket; what it does not have is left out.
    """

    key: str
    summary: str
    status: NotRequired[str]
    priority: NotRequired[str]
    assignee: NotRequired[str]
    reporter: NotRequired[str]
    labels: list[str]
    partNumber: NotRequired[str]
    goalQuantity: NotRequired[int | float]
    epicLink: NotRequired[str]
    createdAt: NotRequired[str]
    updatedAt: NotRequired[str]


class Job(TypedDict):
    """
    A production order. Its state follows from its serial numbers; it has no status of its own.
    """

    id: str
    name: str
    goalQuantity: int
    jiraTicketKey: NotRequired[str]
    jiraTicketSummary: NotRequired[str]
    jiraPartNumber: NotRequired[str]
    jiraPriority: NotRequired[str]
    jiraEpicLink: NotRequired[str]
    jiraLabels: NotRequired[list[str]]
    createdAt: str
    updatedAt: str


class JobChange(TypedDict):
    """
    PUT /api/jobs/{id}: what is missing stays as it is.
    """

    name: NotRequired[str]
    goal_quantity: NotRequired[int]


class JobEvent(TypedDict):
    """
    What happened to a job, its paths or the settings, and who did it.
    """

    at: str
    action: str
    by: str
    operator: NotRequired[str]
    changes: NotRequired[dict[str, dict[str, Any]]]
    name: NotRequired[str]
    pathId: NotRequired[str]
    pathName: NotRequired[str]
    ticketKey: NotRequired[str]
    outcome: NotRequired[str]
    error: NotRequired[str]


class JobFlowDay(TypedDict):
    """
    What happened on all paths of a job on one day (UTC).

    ``total`` is how many serial numbers the job had at the day's end, ``goal`` how many it is to have today.
    """

    date: str
    completed: int
    scrapped: int
    total: int
    goal: int


class JobLink(TypedDict):
    """
    POST /api/jira/link: links a job, or without ``jobId`` creates one.
    """

    job_id: NotRequired[str]
    ticket_key: str
    goal_quantity: NotRequired[int]
    idempotency_key: NotRequired[str]


class JobReference(TypedDict):
    """
    POST /api/jira/push and POST /api/jira/comment.
    """

    job_id: str
    idempotency_key: NotRequired[str]


class JobSettings(TypedDict):
    """
    The application's settings. Nothing goes to Jira unless both ``enabled`` and ``push_enabled``.
    """

    enabled: NotRequired[bool]
    pushEnabled: NotRequired[bool]
    pushPaused: NotRequired[bool]
    skipUnchanged: NotRequired[bool]
    externalId: NotRequired[str]
    projectKey: NotRequired[str]
    fieldMappings: NotRequired[FieldMappings]
    updatedAt: NotRequired[str]


class LinkJobAnswer(TypedDict):
    job: Job


class ListCommentsAnswer(TypedDict):
    items: list[AnomalyComment]
    total: int
    page: int
    size: int
    pages: int


class ListConnectionsAnswerConnection(TypedDict):
    external_id: str
    provider: Literal["jira"]
    kind: Literal["oauth", "api_token", "personal_access_token", "client_credentials"]
    site_name: str
    site_url: str
    selected_project_id: str | None
    status: Literal["valid", "expired", "invalid"]
    authorized_at: str
    last_refreshed_at: str | None
    expires_at: str | None


class ListConnectionsAnswer(TypedDict):
    connections: list[ListConnectionsAnswerConnection]
    next_cursor: str | None


class ListJobTicketsAnswer(TypedDict):
    tickets: list[JiraTicket]
    error: str | None


class ListLinksAnswer(TypedDict):
    items: list[AnomalyLink]
    total: int
    page: int
    size: int
    pages: int


class ListSitesAnswerSite(TypedDict):
    site_id: str
    site_name: str
    site_url: str
    avatar_url: str | None


class ListSitesAnswer(TypedDict):
    sites: list[ListSitesAnswerSite]


class MakeWebhookSecretAnswer(TypedDict):
    url: str
    secret: str


class NamedEntry(TypedDict):
    """
    A datastore or a container.
    """

    id: int
    name: str


class NewAnomaly(TypedDict):
    """
    POST /api/anomalies.
    """

    type: Literal["record", "shape"]
    datastore: NamedEntry
    container: NotRequired[NamedEntry]
    failed_checks: list[CheckEntry]
    weight: NotRequired[int | float]
    fingerprint: NotRequired[str | int]
    description: NotRequired[str]
    detected: NotRequired[str]
    idempotency_key: NotRequired[str]


class NewAnomalyTicket(TypedDict):
    """
    POST /api/integrations/ticketing/anomalies/{anomaly_id}/tickets.
    """

    title: str
    description: NotRequired[str]
    priority: NotRequired[str]
    project_key: NotRequired[str]
    issue_type: NotRequired[str]
    idempotency_key: NotRequired[str]


class NewComment(TypedDict):
    """
    POST /api/anomalies/{id}/comments.
    """

    message: str
    idempotency_key: NotRequired[str]


class NewIntegration(TypedDict):
    """
    POST /api/integrations/ticketing: its own credentials, or the name of a connection.
    """

    type: str
    api_url: NotRequired[str]
    api_access_token: NotRequired[str]
    external_id: NotRequired[str]
    project_key: NotRequired[str]
    issue_type: NotRequired[str]
    status_out: NotRequired[dict[str, str]]
    status_in: NotRequired[dict[str, str]]
    reopen_status: NotRequired[str]
    idempotency_key: NotRequired[str]


class NewJob(TypedDict):
    """
    POST /api/jobs.
    """

    name: str
    goal_quantity: int
    jira_ticket_key: NotRequired[str]
    jira_ticket_summary: NotRequired[str]
    jira_part_number: NotRequired[str]
    jira_priority: NotRequired[str]
    jira_epic_link: NotRequired[str]
    jira_labels: NotRequired[list[str]]
    idempotency_key: NotRequired[str]


class NewLink(TypedDict):
    """
    POST /api/anomalies/{anomaly_id}/ticket-links.
    """

    ticket_id: str
    idempotency_key: NotRequired[str]


class NewSerials(TypedDict):
    """
    POST /api/serials.
    """

    path_id: str
    quantity: int
    job_id: NotRequired[str]
    idempotency_key: NotRequired[str]


class NewStep(TypedDict):
    """
    One step of a new path.
    """

    name: str
    location: NotRequired[str]
    optional: NotRequired[bool]


class PathFlow(TypedDict):
    pathId: str
    days: list[FlowDay]


class PathProgress(TypedDict):
    pathId: str
    pathName: str
    goalQuantity: int
    totalSerials: int
    completedSerials: int
    scrappedSerials: int
    percentComplete: float


class ProcessStep(TypedDict):
    """
    One step of a path; ``order`` counts from 0.
    """

    id: str
    name: str
    order: int
    location: NotRequired[str]
    optional: NotRequired[bool]


class PushAllJobsAnswer(TypedDict):
    runId: str


class PushEntry(TypedDict):
    """
    What became of a push.
    """

    jobId: str
    ticketKey: str
    runId: str | None
    by: str
    at: str
    status: Literal["pushed", "skipped", "failed", "waiting"]
    error: NotRequired[str]
    details: NotRequired[dict[str, Any]]


class PushJobAnswer(TypedDict):
    success: bool
    error: NotRequired[str]
    details: NotRequired[dict[str, Any]]
    note: NotRequired[str]


class PushRetry(TypedDict):
    """
    POST /api/jira/pushes/retry: of a run, what failed for some jobs, with one error, or at all.
    """

    run_id: str
    job_ids: NotRequired[list[str]]
    error: NotRequired[str]


class PutApiTokenAnswerAccount(TypedDict):
    """
    The account that the connection signs in as.
    """

    displayName: str
    accountId: NotRequired[str]
    name: NotRequired[str]


class PutApiTokenAnswer(TypedDict):
    external_id: str
    kind: Literal["api_token", "personal_access_token", "client_credentials"]
    via: Literal["site", "gateway"]
    host: str
    account: PutApiTokenAnswerAccount


class PutApiTokenBody(TypedDict):
    provider: Literal["jira"]
    host: str
    credentials: NotRequired[str]
    client_id: NotRequired[str]
    client_secret: NotRequired[str]
    token_expires_at: NotRequired[str]


class QueueLevel(TypedDict):
    """
    About how many messages a queue has.
    """

    name: str
    waiting: int
    in_flight: int
    failed: int
    redrivable: bool


class ReceiveWebhookBody(TypedDict):
    """
    An event, as Jira sends it.
    """


class Redrive(TypedDict):
    """
    POST /api/operations/redrive.
    """

    queue: str


class RedriveQueueAnswer(TypedDict):
    moved: int


class RetryPushesAnswer(TypedDict):
    retried: int
    complete: bool


class RuleCondition(TypedDict):
    """
    Which anomalies a rule fits: all that is given must hold.
    """

    types: NotRequired[list[Literal["record", "shape"]]]
    datastore_ids: NotRequired[list[int]]
    container_ids: NotRequired[list[int]]
    rule_types: NotRequired[list[str]]
    min_weight: NotRequired[int | float]


class RuleTest(TypedDict):
    """
    POST /api/integrations/ticketing/rules/{id}/test.
    """

    anomaly_id: int


class RuleTicket(TypedDict):
    """
    The ticket that a rule makes; ``title`` may hold {datastore}, {container}, {type} and {id}.
    """

    project_key: NotRequired[str]
    issue_type: NotRequired[str]
    priority: NotRequired[str]
    title: NotRequired[str]


class RuleTicketDraft(TypedDict):
    """
    A rule's ticket as it would be made now.
    """

    title: str
    description: str
    priority: NotRequired[str | None]
    project_key: NotRequired[str | None]
    issue_type: NotRequired[str | None]


class RuleTicketEntry(TypedDict):
    """
    What a rule sets of its tickets; the rest comes from the integration.
    """

    project_key: NotRequired[str]
    issue_type: NotRequired[str]
    priority: NotRequired[str]
    title: NotRequired[str]


class RuleTrial(TypedDict):
    """
    What a rule would do with an anomaly.
    """

    ticket: RuleTicketDraft
    fits: bool
    made_by: NotRequired[int | None]


class RunEntry(TypedDict):
    """
    A run and what became of its jobs.
    """

    run_id: str
    by: str
    at: str
    pushed: int
    skipped: int
    failed: int
    waiting: int


class Scrap(TypedDict):
    """
    POST /api/serials/{id}/scrap.
    """

    operator: NotRequired[str]
    reason: NotRequired[Literal["out_of_tolerance", "process_defect", "damaged", "operator_error", "other"]]
    explanation: NotRequired[str]


class SelectProjectAnswer(TypedDict):
    success: bool


class SelectProjectBody(TypedDict):
    external_id: str
    jira_project_id: str | int | None


class SerialNumber(TypedDict):
    """
    One unit and where it stands.
    """

    id: str
    jobId: str
    pathId: str
    currentStepIndex: int
    status: Literal["in_progress", "completed", "scrapped"]
    scrapReason: NotRequired[
        Literal["out_of_tolerance", "process_defect", "damaged", "operator_error", "other"]
    ]
    scrapExplanation: NotRequired[str]
    scrapStepId: NotRequired[str]
    scrappedAt: NotRequired[str]
    forceCompleted: NotRequired[bool]
    forceCompletedAt: NotRequired[str]
    forceCompletedReason: NotRequired[str]
    createdAt: str
    updatedAt: str


class SettingsChange(TypedDict):
    """
    PUT /api/settings: what is missing stays; an empty externalId or projectKey clears it.
    """

    enabled: NotRequired[bool]
    push_enabled: NotRequired[bool]
    push_paused: NotRequired[bool]
    skip_unchanged: NotRequired[bool]
    external_id: NotRequired[str]
    project_key: NotRequired[str]
    field_mappings: NotRequired[FieldMappingsChange]


class SiteStop(TypedDict):
    """
    Something that is stopped: scheduled pushes leave it alone.
    """

    site: str
    until: str
    reason: str


class StepCount(TypedDict):
    """
    How many serial numbers stand at a step.
    """

    stepId: str
    stepName: str
    stepOrder: int
    location: NotRequired[str]
    serialCount: int
    isBottleneck: bool


class StepEntry(TypedDict):
    """
    One step of a changed path; a step whose ``id`` is given keeps its identity.
    """

    name: str
    location: NotRequired[str]
    optional: NotRequired[bool]
    id: NotRequired[str]


class StepName(TypedDict):
    stepId: str
    stepName: str


class TestConnectionAnswerAccount(TypedDict):
    """
    The account that the connection signs in as.
    """

    displayName: str
    accountId: NotRequired[str]
    name: NotRequired[str]


class TestConnectionAnswer(TypedDict):
    connected: bool
    account: NotRequired[TestConnectionAnswerAccount]
    error: NotRequired[str]


class TestIntegrationAnswer(TypedDict):
    status: Literal["Connected", "Error"]
    error: NotRequired[str]


class TicketMetadata(TypedDict):
    project_key: str
    issue_type: NotRequired[str | None]


class TicketSummary(TypedDict):
    """
    A ticket as the search shows it.
    """

    ticket_id: str
    ticket_number: str
    title: str
    description: NotRequired[str | None]
    status: NotRequired[str | None]
    priority: NotRequired[str | None]
    created_at: NotRequired[str | None]
    updated_at: NotRequired[str | None]
    assigned_to: NotRequired[str | None]
    url: str


class Refusal(TypedDict):
    statusCode: int
    message: str


class Error(TypedDict):
    error: str
    needs_reauthorization: NotRequired[bool]


class Detail(TypedDict):
    detail: str


class AdvanceSerialToAnswer(TypedDict):
    serial: SerialNumber
    bypassed: list[Bypassed]


class AdvanceSerialsAnswerResult(TypedDict):
    serialId: str
    success: bool
    serial: NotRequired[SerialNumber]
    error: NotRequired[str]


class AdvanceSerialsAnswer(TypedDict):
    advanced: int
    failed: int
    results: list[AdvanceSerialsAnswerResult]


class Anomaly(TypedDict):
    """
    A problem in data.
    """

    id: int
    type: Literal["record", "shape"]
    status: Literal["Active", "Acknowledged", "Resolved", "Duplicate", "Invalid", "Discarded"]
    archived: bool
    datastore: Datastore
    container: NotRequired[Container | None]
    failed_checks: list[FailedCheck]
    weight: NotRequired[int | float | None]
    fingerprint: NotRequired[str | int | None]
    description: NotRequired[str | None]
    detected: str
    detected_count: int
    created: str
    updated: str


CreateSerialsAnswer: TypeAlias = list[SerialNumber]


class FormProperty(TypedDict):
    """
    A field of the form for new tickets; ``values`` are an enum's, live from Jira.
    """

    field: str
    title: str
    type: Literal["string", "enum"]
    required: bool
    default: NotRequired[str]
    max_length: NotRequired[int]
    values: NotRequired[list[FormValue]]


class FormSpecification(TypedDict):
    integration_id: int
    type: Literal["jira"]
    properties: list[FormProperty]


GetJobHistoryAnswer: TypeAlias = list[JobEvent]


class GetOperationsAnswer(TypedDict):
    queues: list[QueueLevel]
    stops: list[SiteStop]
    runs: list[RunEntry]
    paused: bool


GetSettingsHistoryAnswer: TypeAlias = list[JobEvent]


class JobFlow(TypedDict):
    jobId: str
    days: list[JobFlowDay]


class JobProgress(TypedDict):
    """
    How far a job has come; ``progress_percent`` is unrounded and may exceed 100.
    """

    jobId: str
    jobName: str
    goalQuantity: int
    totalSerials: int
    completedSerials: int
    inProgressSerials: int
    scrappedSerials: int
    progressPercent: float
    pathProgress: list[PathProgress]


class LinkedTicket(TypedDict):
    """
    A ticket as it is shown. Where Jira has no counterpart, a value is always null.
    """

    ticket_id: str
    ticket_number: str
    title: str
    description: NotRequired[str | None]
    status: NotRequired[str | None]
    priority: NotRequired[str | None]
    urgency: NotRequired[str | None]
    impact: NotRequired[str | None]
    category: NotRequired[str | None]
    subcategory: NotRequired[str | None]
    created_at: NotRequired[str | None]
    updated_at: NotRequired[str | None]
    resolved_at: NotRequired[str | None]
    closed_at: NotRequired[str | None]
    assigned_to: NotRequired[str | None]
    assigned_group: NotRequired[str | None]
    requester: NotRequired[str | None]
    url: str
    comments_count: NotRequired[int | None]
    metadata: TicketMetadata


class ListAnomaliesAnswer(TypedDict):
    items: list[Anomaly]
    total: int
    page: int
    size: int
    pages: int


class ListPushesAnswer(TypedDict):
    pushes: list[PushEntry]
    next_cursor: str | None


ListSerialsAnswer: TypeAlias = list[SerialNumber]


class ListedJob(TypedDict):
    """
    A job in a list; its progress is there if its state was asked for.
    """

    id: str
    name: str
    goalQuantity: int
    jiraTicketKey: NotRequired[str]
    jiraTicketSummary: NotRequired[str]
    jiraPartNumber: NotRequired[str]
    jiraPriority: NotRequired[str]
    jiraEpicLink: NotRequired[str]
    jiraLabels: NotRequired[list[str]]
    createdAt: str
    updatedAt: str
    progress: NotRequired[JobProgress]


class NewPath(TypedDict):
    """
    POST /api/paths.
    """

    job_id: str
    name: str
    goal_quantity: int
    steps: list[NewStep]
    advancement_mode: NotRequired[Literal["strict", "flexible"]]
    idempotency_key: NotRequired[str]


class NewRule(TypedDict):
    """
    POST /api/integrations/ticketing/rules.
    """

    name: str
    enabled: NotRequired[bool]
    position: NotRequired[int]
    when: NotRequired[ConditionEntry]
    ticket: NotRequired[RuleTicketEntry]
    daily_limit: NotRequired[int]
    on_recurrence: NotRequired[Literal["comment", "reopen", "nothing"]]
    idempotency_key: NotRequired[str]


class Path(TypedDict):
    """
    A route through the shop floor: the steps that a job's serial numbers go through, in order.
    """

    id: str
    jobId: str
    name: str
    goalQuantity: int
    advancementMode: NotRequired[Literal["strict", "flexible"]]
    steps: list[ProcessStep]
    createdAt: str
    updatedAt: str


class PathChange(TypedDict):
    """
    PUT /api/paths/{id}.
    """

    name: NotRequired[str]
    goal_quantity: NotRequired[int]
    advancement_mode: NotRequired[Literal["strict", "flexible"]]
    steps: NotRequired[list[StepEntry]]


class PathDetails(TypedDict):
    """
    A path and the distribution of its serial numbers.
    """

    id: str
    jobId: str
    name: str
    goalQuantity: int
    advancementMode: NotRequired[Literal["strict", "flexible"]]
    steps: list[ProcessStep]
    createdAt: str
    updatedAt: str
    distribution: list[StepCount]
    completedCount: int
    scrappedCount: int


class Rule(TypedDict):
    """
    Makes the tickets of the anomalies that it fits.
    """

    id: int
    name: str
    enabled: bool
    position: int
    when: RuleCondition
    ticket: RuleTicket
    daily_limit: int
    on_recurrence: Literal["comment", "reopen", "nothing"]
    created: str
    updated: str
    tickets_today: NotRequired[int]
    beyond_limit_today: NotRequired[int]
    broken: NotRequired[Breakage]


class RulePatch(TypedDict):
    """
    PUT /api/integrations/ticketing/rules/{id}: changes what is given; repairs a broken rule.
    """

    name: NotRequired[str]
    enabled: NotRequired[bool]
    position: NotRequired[int]
    when: NotRequired[ConditionEntry]
    ticket: NotRequired[RuleTicketEntry]
    daily_limit: NotRequired[int]
    on_recurrence: NotRequired[Literal["comment", "reopen", "nothing"]]


class SearchTicketsAnswer(TypedDict):
    items: list[TicketSummary]
    total: int
    page: int
    size: int
    pages: int


SerialEvent = TypedDict(
    "SerialEvent",
    {
        "at": str,
        "action": Literal["created", "advanced", "skipped_to", "completed", "scrapped", "force_completed"],
        "from": NotRequired[StepName],
        "to": NotRequired[StepName],
        "by": NotRequired[str],
        "operator": NotRequired[str],
        "reason": NotRequired[str],
        "bypassed": NotRequired[list[Bypassed]],
    },
)


class TicketAnswer(TypedDict):
    """
    What creating a ticket answers.
    """

    ticket: LinkedTicket
    anomaly_id: int
    integration_id: int
    message: str


GetSerialHistoryAnswer: TypeAlias = list[SerialEvent]


class JobDetails(TypedDict):
    """
    A job with its paths, in the order of their creation, and its progress.
    """

    id: str
    name: str
    goalQuantity: int
    jiraTicketKey: NotRequired[str]
    jiraTicketSummary: NotRequired[str]
    jiraPartNumber: NotRequired[str]
    jiraPriority: NotRequired[str]
    jiraEpicLink: NotRequired[str]
    jiraLabels: NotRequired[list[str]]
    createdAt: str
    updatedAt: str
    paths: list[Path]
    progress: JobProgress


ListJobsAnswer: TypeAlias = list[ListedJob]


class ListRulesAnswer(TypedDict):
    items: list[Rule]
    total: int
    page: int
    size: int
    pages: int


#: Each operation's method, its path, and whether it takes an Idempotency-Key.
OPERATIONS: dict[str, tuple[str, str, bool]] = {
    "reportAnomaly": ("POST", "/api/anomalies", True),
    "listAnomalies": ("GET", "/api/anomalies", False),
    "getAnomaly": ("GET", "/api/anomalies/{anomaly_id}", False),
    "changeAnomaly": ("PUT", "/api/anomalies/{anomaly_id}", False),
    "removeAnomaly": ("DELETE", "/api/anomalies/{anomaly_id}", False),
    "listComments": ("GET", "/api/anomalies/{anomaly_id}/comments", False),
    "addComment": ("POST", "/api/anomalies/{anomaly_id}/comments", True),
    "getAnomalyHistory": ("GET", "/api/anomalies/{anomaly_id}/history", False),
    "listLinks": ("GET", "/api/anomalies/{anomaly_id}/ticket-links", False),
    "addLink": ("POST", "/api/anomalies/{anomaly_id}/ticket-links", True),
    "removeLink": ("DELETE", "/api/anomalies/{anomaly_id}/ticket-links/{link_id}", False),
    "refreshLink": ("POST", "/api/anomalies/{anomaly_id}/ticket-links/{link_id}/refresh", False),
    "createConnectSession": ("POST", "/api/backend/connect-sessions", False),
    "checkConnection": ("GET", "/api/backend/connection-info/check-connection-validity", False),
    "getAccessToken": ("GET", "/api/backend/connection-info/get-access-token", False),
    "getRefreshToken": ("GET", "/api/backend/connection-info/get-connection-credentials", False),
    "listConnections": ("GET", "/api/backend/connections", False),
    "deleteConnection": ("DELETE", "/api/backend/connections/{external_id}", False),
    "putApiToken": ("PUT", "/api/backend/connections/{external_id}/api-token", False),
    "getConnectionHistory": ("GET", "/api/backend/connections/{external_id}/history", False),
    "testConnection": ("POST", "/api/backend/connections/{external_id}/test", False),
    "createTicket": ("POST", "/api/backend/jira/create-ticket", True),
    "deleteIssue": ("DELETE", "/api/backend/jira/delete-issue", False),
    "editIssue": ("PUT", "/api/backend/jira/edit-issue", False),
    "getActiveSprintsForProject": ("GET", "/api/backend/jira/get-active-sprints-for-project", False),
    "getAllSprintsForProject": ("GET", "/api/backend/jira/get-all-sprints-for-project", False),
    "getBoardsForProject": ("GET", "/api/backend/jira/get-boards-for-project", False),
    "getIssueDetails": ("GET", "/api/backend/jira/get-issue-details", False),
    "getProjects": ("GET", "/api/backend/jira/get-projects", False),
    "getSelectedProject": ("GET", "/api/backend/jira/get-selected-project", False),
    "getTicketsForProject": ("GET", "/api/backend/jira/get-tickets-for-project", False),
    "getTicketsForSprint": ("GET", "/api/backend/jira/get-tickets-for-sprint", False),
    "selectProject": ("POST", "/api/backend/jira/select-project", False),
    "createConnection": ("POST", "/api/frontend/finalize-connection/jira/create-connection", False),
    "listSites": ("GET", "/api/frontend/finalize-connection/jira/fetch-available-sites", False),
    "completeConsent": ("GET", "/api/frontend/oauth/authorization-callback/{provider}", False),
    "beginConsent": ("POST", "/api/frontend/oauth/initiate-oauth-flow", False),
    "getIntegration": ("GET", "/api/integrations/ticketing", False),
    "createIntegration": ("POST", "/api/integrations/ticketing", True),
    "changeIntegration": ("PUT", "/api/integrations/ticketing", False),
    "deleteIntegration": ("DELETE", "/api/integrations/ticketing", False),
    "createAnomalyTicket": ("POST", "/api/integrations/ticketing/anomalies/{anomaly_id}/tickets", True),
    "getFormSpecification": ("GET", "/api/integrations/ticketing/form-specification", False),
    "listRules": ("GET", "/api/integrations/ticketing/rules", False),
    "createRule": ("POST", "/api/integrations/ticketing/rules", True),
    "getRule": ("GET", "/api/integrations/ticketing/rules/{rule_id}", False),
    "changeRule": ("PUT", "/api/integrations/ticketing/rules/{rule_id}", False),
    "deleteRule": ("DELETE", "/api/integrations/ticketing/rules/{rule_id}", False),
    "testRule": ("POST", "/api/integrations/ticketing/rules/{rule_id}/test", False),
    "testIntegration": ("POST", "/api/integrations/ticketing/test", False),
    "searchTickets": ("GET", "/api/integrations/ticketing/tickets/search", False),
    "getTicket": ("GET", "/api/integrations/ticketing/tickets/{ticket_id}", False),
    "makeWebhookSecret": ("POST", "/api/integrations/ticketing/webhook", False),
    "commentOnJob": ("POST", "/api/jira/comment", True),
    "linkJob": ("POST", "/api/jira/link", True),
    "unlinkJob": ("DELETE", "/api/jira/link/{jobId}", False),
    "pushJob": ("POST", "/api/jira/push", True),
    "pushAllJobs": ("POST", "/api/jira/push-all", True),
    "listPushes": ("GET", "/api/jira/pushes", False),
    "retryPushes": ("POST", "/api/jira/pushes/retry", False),
    "listJobTickets": ("GET", "/api/jira/tickets", False),
    "getJobTicket": ("GET", "/api/jira/tickets/{key}", False),
    "createJob": ("POST", "/api/jobs", True),
    "listJobs": ("GET", "/api/jobs", False),
    "getJob": ("GET", "/api/jobs/{id}", False),
    "changeJob": ("PUT", "/api/jobs/{id}", False),
    "deleteJob": ("DELETE", "/api/jobs/{id}", False),
    "getJobFlow": ("GET", "/api/jobs/{id}/flow", False),
    "getJobHistory": ("GET", "/api/jobs/{id}/history", False),
    "getOperations": ("GET", "/api/operations", False),
    "redriveQueue": ("POST", "/api/operations/redrive", False),
    "endStop": ("DELETE", "/api/operations/stops/{site}", False),
    "createPath": ("POST", "/api/paths", True),
    "getPath": ("GET", "/api/paths/{id}", False),
    "changePath": ("PUT", "/api/paths/{id}", False),
    "deletePath": ("DELETE", "/api/paths/{id}", False),
    "getPathFlow": ("GET", "/api/paths/{id}/flow", False),
    "createSerials": ("POST", "/api/serials", True),
    "listSerials": ("GET", "/api/serials", False),
    "advanceSerials": ("POST", "/api/serials/advance", False),
    "getSerial": ("GET", "/api/serials/{id}", False),
    "advanceSerial": ("POST", "/api/serials/{id}/advance", False),
    "advanceSerialTo": ("POST", "/api/serials/{id}/advance-to", False),
    "forceCompleteSerial": ("POST", "/api/serials/{id}/force-complete", False),
    "getSerialHistory": ("GET", "/api/serials/{id}/history", False),
    "scrapSerial": ("POST", "/api/serials/{id}/scrap", False),
    "getSettings": ("GET", "/api/settings", False),
    "changeSettings": ("PUT", "/api/settings", False),
    "getSettingsHistory": ("GET", "/api/settings/history", False),
    "receiveWebhook": ("POST", "/api/webhooks/jira", False),
    "chooseSite": ("GET", "/finalize-connection/jira/{connection_code}", False),
    "getHealth": ("GET", "/health", False),
    "getOpenapi": ("GET", "/openapi.json", False),
}
