"""Creating an issue for a caller, with the texts of that operation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from jobticket.errors import RefusalError, UnavailableError
from jobticket.jira import create_once
from jobticket.jira.answers import meant_by_creation
from jobticket.jira.bodies import INVALID_TICKET
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraError, JiraRateLimitedError, JiraStatusError
from jobticket.jira.issue_lists import TICKET_FIELDS, show_ticket
from jobticket.jira.issues import ISSUE, fields_of
from jobticket.jira.listing import Row
from jobticket.jira.model import NewIssue
from jobticket.jira.refusals import Texts, refusal_of

CREATE_TEXTS = Texts(
    "Failed to create Jira ticket",
    invalid=INVALID_TICKET,
    forbidden="Access denied to create issue",
    missing="Project or issue type not found",
)
UNSETTLED = "It is not known yet whether the ticket was created. Repeat the request."


class KeptRefusalError(Exception):
    """Every repeat of the request gets the same refusal."""

    def __init__(self, refusal: RefusalError) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def create_issue(
    client: JiraClient,
    issue: NewIssue,
    project: str,
    memory: create_once.Memory,
    *,
    now: Callable[[], datetime],
    sleep: Callable[[float], None],
) -> Row:
    """Create an issue once, in a project by id or key, and return it as the answers show it.

    RefusalError if Jira refuses, or the outcome of a try is not known yet; KeptRefusalError if a repeat makes
    no difference, and the request has a mark by which it is recognised.
    """
    fields = {"project": {"id" if project.isdigit() else "key": project}, **fields_of(client, issue)}
    try:
        created = create_once.CreateOnce(client, fields, memory, now, sleep).run()
    except create_once.UnsettledError as unsettled:
        raise _unsettled(unsettled.seconds, unsettled.details) from unsettled
    except create_once.FinalError as final:
        if isinstance(final.cause, JiraStatusError):
            final.cause.retry_after = None  # a repeat would create a second one
        refusal = refusal_of(final.cause, CREATE_TEXTS, write=True)
        raise refusal if memory.mark is None else KeptRefusalError(refusal) from final
    except JiraError as error:
        if error.outcome_unknown and error.transient and not isinstance(error, JiraRateLimitedError):
            raise _unsettled(create_once.COME_BACK_SECONDS, error.details) from error  # the search has failed
        raise refusal_of(meant_by_creation(error), CREATE_TEXTS, write=error.outcome_unknown) from error
    return _read_back(client, created, issue)


def _unsettled(seconds: int, said: dict[str, Any]) -> UnavailableError:
    details = {"outcome_unknown": True, **({"details": said} if said else {})}
    return UnavailableError(UNSETTLED, details=details, retry_after=seconds)


def _read_back(client: JiraClient, created: create_once.Created, issue: NewIssue) -> Row:
    try:
        fields = ",".join(TICKET_FIELDS)
        return show_ticket(client.get(ISSUE, issue=created.id, params={"fields": fields}))
    except (JiraError, RefusalError, ValueError, KeyError, AttributeError):
        # It exists, even if it cannot be read.
        unknown: dict[str, Any] = dict.fromkeys(("status", "assignee", "priority", "created", "updated"))
        return {"id": created.id, "key": created.key, "summary": issue.summary, **unknown}
