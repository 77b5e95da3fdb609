"""Request bodies of the Jira side of jobs. The order of the fields is the order of the checks."""

from __future__ import annotations

from jobticket.web.validation import Body, FilledText, RequiredText, WholeNumber


class JobReference(Body):
    """POST /api/jira/push and POST /api/jira/comment."""

    job_id: RequiredText


class JobLink(Body):
    """POST /api/jira/link: links a job, or without ``jobId`` creates one."""

    job_id: FilledText | None = None
    ticket_key: RequiredText
    goal_quantity: WholeNumber | None = None
