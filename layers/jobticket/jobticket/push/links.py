"""Linking jobs to Jira tickets, and forgetting the link."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from boto3.dynamodb.conditions import Attr

from jobticket import clock
from jobticket.dynamo import ConditionFailedError, Table, Update, Write
from jobticket.errors import InvalidError
from jobticket.jobs.bodies import NewJob
from jobticket.jobs.jobs import create_job, get_job, job_not_found
from jobticket.jobs.layout import JOB_SORT, LINKED_ATTRIBUTES, is_id, job_pk, linked_attributes
from jobticket.jobs.model import Job
from jobticket.push.pushed import PUSHED_ATTRIBUTES
from jobticket.push.tickets import JiraTicket

__all__ = ["create_linked_job", "link_job", "require_unlinked", "unlink_job"]

#: A job's attributes that come from its ticket.
TICKET_FIELDS = (
    "jira_ticket_key",
    "jira_ticket_summary",
    "jira_part_number",
    "jira_priority",
    "jira_epic_link",
    "jira_labels",
)
MOST_LABELS = 100

Alongside = Callable[[Job], Sequence[Write]]


def _job_fields(ticket: JiraTicket) -> dict[str, Any]:
    """Return what a job keeps of its ticket, whose texts are no longer than a job's fields hold."""
    texts = {
        "jira_ticket_key": ticket.key,
        "jira_ticket_summary": ticket.summary,
        "jira_part_number": ticket.part_number,
        "jira_priority": ticket.priority,
        "jira_epic_link": ticket.epic_link,
    }
    kept: dict[str, Any] = {name: text for name, text in texts.items() if text}
    return {**kept, "jira_labels": ticket.labels[:MOST_LABELS]}


def require_unlinked(table: Table, job_id: str) -> None:
    """Refuse unless there is such a job and it has no ticket.

    Raises
    ------
    NotFoundError
        If there is no such job.
    InvalidError
        If it is linked already.
    """
    key = get_job(table, job_id).jira_ticket_key
    if key is not None:
        raise _linked(key)


def _linked(key: str) -> InvalidError:
    return InvalidError(f"Job is already linked to {key}")


def link_job(table: Table, job_id: str, ticket: JiraTicket, now: datetime, alongside: Alongside) -> Job:
    """Fill an unlinked job's Jira fields from a ticket.

    Parameters
    ----------
    alongside
        Given the job, returns the writes that commit together with it.

    Raises
    ------
    NotFoundError
        If there is no such job.
    InvalidError
        If it is linked already.
    """
    mark = secrets.token_urlsafe(12)
    changes = _job_fields(ticket) | {"updated_at": clock.iso_milliseconds(now)}
    job = replace(get_job(table, job_id), **changes)
    unlinked = Attr("pk").exists() & Attr("jira_ticket_key").not_exists()
    linked = {**changes, **linked_attributes(job_id), "linked_by": mark}
    write = Update(job_pk(job_id), JOB_SORT, set=linked, condition=unlinked)
    try:
        table.transact([write, *alongside(job)], token=mark)
    except ConditionFailedError as failed:
        if failed.position != 0:
            raise
        if failed.item is None:
            raise job_not_found(job_id) from None
        # Our own mark: the transaction had committed, and only the answer was lost.
        if failed.item.get("linked_by") != mark:
            raise _linked(failed.item["jira_ticket_key"]) from None
    return job


def create_linked_job(
    table: Table, ticket: JiraTicket, goal_quantity: int | None, now: datetime, alongside: Alongside
) -> Job:
    """Create a job for a ticket, named after its summary.

    Parameters
    ----------
    goal_quantity
        The job's goal; without it the ticket's, else 1.
    alongside
        Given the job, returns the writes that commit together with it.
    """
    body = NewJob(
        name=ticket.summary or ticket.key,
        goal_quantity=goal_quantity or _goal_of(ticket),
        **_job_fields(ticket),
    )
    return create_job(table, body, now, alongside)


def _goal_of(ticket: JiraTicket) -> int:
    goal = ticket.goal_quantity
    return goal if isinstance(goal, int) and 0 < goal <= 1_000_000_000 else 1


def unlink_job(table: Table, job_id: str, now: datetime) -> None:
    """Forget a job's ticket. Nothing changes in Jira, and the job can be linked again.

    Raises
    ------
    NotFoundError
        If there is no such job.
    """
    if not is_id("job", job_id):
        raise job_not_found(job_id)
    changes = {"updated_at": clock.iso_milliseconds(now)}
    forget = (*TICKET_FIELDS, *LINKED_ATTRIBUTES, *PUSHED_ATTRIBUTES, "linked_by")
    try:
        table.update(
            Update(job_pk(job_id), JOB_SORT, set=changes, remove=forget, condition=Attr("pk").exists())
        )
    except ConditionFailedError:
        raise job_not_found(job_id) from None
