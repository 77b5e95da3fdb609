"""What a job remembers of its last pushed table, so that one that says the same is not pushed again."""

from __future__ import annotations

from dataclasses import dataclass

from boto3.dynamodb.conditions import Attr

from jobticket.jobs.layout import JOB_SORT, job_pk
from jobticket.store.table import Table, Update
from jobticket.store.unit_of_work import write_if_current

#: Attributes of the job's own item: they go with it, and with its ticket.
PUSHED_ATTRIBUTES = ("pushed_fingerprint", "pushed_run")


@dataclass(frozen=True, slots=True)
class Pushed:
    """The last table of a job.

    Attributes
    ----------
    fingerprint
        What it said, and to which ticket; None if there is none.
    run
        The run that pushed it; None if a person did.
    """

    fingerprint: str | None = None
    run: str | None = None


def read_pushed(table: Table, job_id: str) -> Pushed:
    """Return what a job remembers."""
    item = table.get(job_pk(job_id), JOB_SORT, attributes=PUSHED_ATTRIBUTES) or {}
    return Pushed(item.get("pushed_fingerprint"), item.get("pushed_run"))


def remember_pushed(table: Table, job_id: str, ticket_key: str, shown: str, run: str | None) -> None:
    """Remember a table by its fingerprint, unless the job was deleted or has another ticket by now."""
    values = {"pushed_fingerprint": shown}
    write = Update(
        job_pk(job_id),
        JOB_SORT,
        set=values if run is None else {**values, "pushed_run": run},
        remove=["pushed_run"] if run is None else [],
        condition=Attr("jira_ticket_key").eq(ticket_key),
    )
    write_if_current(table, write)
