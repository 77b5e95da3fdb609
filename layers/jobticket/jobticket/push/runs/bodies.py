"""Request bodies of the operator's routes."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, ValidationInfo, field_validator

from jobticket.web.validation import Body, ListOf, LongText, RequiredText, sentence


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
