"""What a job remembers of its last pushed table, so that a table that says the same is not pushed again."""

from __future__ import annotations

from boto3.dynamodb.conditions import Attr

from jobticket.jobs.layout import JOB_SORT, job_pk
from jobticket.store.table import Table, Update
from jobticket.store.unit_of_work import write_if_current

#: Attributes of the job's own item: they go with it, and with its ticket.
PUSHED_ATTRIBUTES = ("pushed_fingerprint", "pushed_run")


def read_pushed(table: Table, job_id: str) -> tuple[str | None, str | None]:
    """Return the fingerprint of a job's last table, and the run that pushed it, None if a person did."""
    item = table.get(job_pk(job_id), JOB_SORT, attributes=PUSHED_ATTRIBUTES) or {}
    return item.get("pushed_fingerprint"), item.get("pushed_run")


def remember_pushed(table: Table, job_id: str, ticket_key: str, shown: str, run: str | None) -> None:
    """Remember a table by its fingerprint, unless the job was deleted or has another ticket by now."""
    known = {"pushed_fingerprint": shown} if run is None else {"pushed_fingerprint": shown, "pushed_run": run}
    gone = ["pushed_run"] if run is None else []
    same_ticket = Attr("jira_ticket_key").eq(ticket_key)
    write_if_current(table, Update(job_pk(job_id), JOB_SORT, set=known, remove=gone, condition=same_ticket))
