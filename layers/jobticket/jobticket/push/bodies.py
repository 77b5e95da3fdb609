"""Request bodies of the Jira side of jobs. The order of the fields is the order of the checks."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, ValidationInfo, field_validator

from jobticket.web.validation import Body, FilledText, ListOf, LongText, RequiredText, WholeNumber, sentence


class JobReference(Body):
    """POST /api/jira/push and POST /api/jira/comment."""

    job_id: RequiredText


class JobLink(Body):
    """POST /api/jira/link: links a job, or without ``jobId`` creates one."""

    job_id: FilledText | None = None
    ticket_key: RequiredText
    goal_quantity: WholeNumber | None = None


class OperationsBody(Body):
    """A body of the operator's routes. Its names are written as they are, in snake case."""

    model_config = ConfigDict(alias_generator=None)


class Redrive(OperationsBody):
    """POST /api/operations/redrive."""

    queue: RequiredText


class PushRetry(OperationsBody):
    """POST /api/jira/pushes/retry: of a run, what failed for some jobs, with one error, or at all."""

    run_id: RequiredText
    job_ids: Annotated[list[RequiredText], ListOf] | None = None
    error: LongText | None = None

    @field_validator("error")
    @classmethod
    def _alone(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("job_ids") is not None:
            raise sentence("job_ids and error cannot be given together")
        return value
