"""Linking jobs to Jira tickets, and forgetting the link."""

from __future__ import annotations

from typing import Any

from boto3.dynamodb.conditions import Attr

from jobticket.dataclass import replace
from jobticket.errors import InvalidError
from jobticket.history.records import Stamp, record
from jobticket.jobs.jobs import create_job, get_job, job_not_found
from jobticket.jobs.layout import JOB_SORT, LINKED_ATTRIBUTES, job_pk, linked_attributes, unchanged
from jobticket.jobs.model import Job
from jobticket.push.pushing import PUSHED_ATTRIBUTES
from jobticket.push.tickets import JiraTicket
from jobticket.store.table import Item, Table, Update
from jobticket.store.unit_of_work import PRESENT, UnitOfWork, attempts

#: A job's attributes that come from its ticket's.
_TEXTS = {
    "jira_ticket_key": "key",
    "jira_ticket_summary": "summary",
    "jira_part_number": "part_number",
    "jira_priority": "priority",
    "jira_epic_link": "epic_link",
}
TICKET_FIELDS = (*_TEXTS, "jira_labels")
MOST_LABELS = 100


def _job_fields(ticket: JiraTicket) -> dict[str, Any]:
    kept: dict[str, Any] = {name: text for name, of in _TEXTS.items() if (text := getattr(ticket, of))}
    return {**kept, "jira_labels": ticket.labels[:MOST_LABELS]}


def require_unlinked(table: Table, job_id: str) -> None:
    """Refuse if there is no such job, or it is linked already."""
    key = get_job(table, job_id).jira_ticket_key
    if key is not None:
        raise _linked(key)


def _linked(key: str) -> InvalidError:
    return InvalidError(f"Job is already linked to {key}")


def link_job(work: UnitOfWork, job_id: str, ticket: JiraTicket, stamp: Stamp) -> Job:
    """Add to a unit of work that a job gets its Jira fields from a ticket.

    NotFoundError if there is no such job, InvalidError if it is linked; also when the unit commits.
    """
    job = get_job(work.table, job_id)
    stamp = stamp.after(job.updated_at)
    changes = _job_fields(ticket) | {"updated_at": stamp.moment}
    unlinked = PRESENT & Attr("jira_ticket_key").not_exists()
    linked = {**changes, **linked_attributes(job_id)}

    def refusal(item: Item | None) -> Exception:
        return job_not_found(job_id) if item is None else _linked(item["jira_ticket_key"])

    work.add(Update(job_pk(job_id), JOB_SORT, set=linked, condition=unlinked), otherwise=refusal)
    record(work, stamp, job_pk(job_id), "linked", ticket_key=ticket.key)
    return replace(job, **changes)


def create_linked_job(work: UnitOfWork, ticket: JiraTicket, goal_quantity: int | None, stamp: Stamp) -> Job:
    """Add a new job to a unit of work, named after its ticket. Its goal is given, the ticket's, or 1."""
    name, goal = ticket.summary or ticket.key, goal_quantity or _goal_of(ticket)
    return create_job(work, stamp, name=name, goal_quantity=goal, **_job_fields(ticket))


def _goal_of(ticket: JiraTicket) -> int:
    goal = ticket.goal_quantity
    return goal if isinstance(goal, int) and 0 < goal <= 1_000_000_000 else 1


def unlink_job(table: Table, job_id: str, stamp: Stamp) -> None:
    """Forget a job's ticket. Nothing changes in Jira, and the job can be linked again."""
    forget = (*TICKET_FIELDS, *LINKED_ATTRIBUTES, *PUSHED_ATTRIBUTES)
    for work in attempts(table):
        with work:
            job = get_job(table, job_id)
            stamp = stamp.after(job.updated_at)
            stored, condition = {"updated_at": stamp.moment}, unchanged(job.updated_at)
            work.add(Update(job_pk(job_id), JOB_SORT, set=stored, remove=forget, condition=condition))
            if job.jira_ticket_key is not None:
                record(work, stamp, job_pk(job_id), "unlinked", ticket_key=job.jira_ticket_key)
