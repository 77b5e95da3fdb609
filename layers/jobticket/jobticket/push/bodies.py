"""Request bodies of the Jira side of jobs. The order of the fields is the order of the checks."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from jobticket.web.validation import Body, RequiredText, ShortText, WholeNumber

__all__ = ["JobReference", "TicketLink"]


class JobReference(Body):
    """POST /api/jira/push and POST /api/jira/comment."""

    job_id: RequiredText


class TicketLink(Body):
    """POST /api/jira/link: links a job, or without ``jobId`` creates one."""

    job_id: Annotated[ShortText, AfterValidator(lambda text: text or None)] | None = None
    ticket_key: RequiredText
    goal_quantity: WholeNumber | None = None
