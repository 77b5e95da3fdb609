"""Jobs, paths, serial numbers, and how jobs use Jira."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

from jobticket_client import generated as api
from jobticket_client.resource import PAGE_SIZE, Resource


class Jobs(Resource):
    """Jobs: what is to be made, how many, and for which Jira ticket."""

    def create(self, **job: Unpack[api.NewJob]) -> api.Job:
        return self._call_in_camel("createJob", job)

    def list(
        self, *, search: str | None = None, state: str | None = None, page_size: int = PAGE_SIZE
    ) -> Iterator[api.Job]:
        """Yield jobs, newest first; ``state`` is ``open`` or ``done``."""
        return self._by_cursor("listJobs", None, page_size, {"search": search, "state": state})

    def get(self, job_id: str) -> api.JobDetails:
        """Return a job with its paths and progress."""
        return self._call("getJob", id=job_id)

    def change(self, job_id: str, **change: Unpack[api.JobChange]) -> api.Job:
        return self._call_in_camel("changeJob", change, id=job_id)

    def delete(self, job_id: str) -> None:
        """Delete a job without paths."""
        self._call("deleteJob", id=job_id)

    def link(self, **link: Unpack[api.JobLink]) -> api.Job:
        """Link a job to a ticket; without ``job_id``, create one from the ticket."""
        return self._call_in_camel("linkJob", link)["job"]

    def unlink(self, job_id: str) -> None:
        """Forget a job's ticket. Nothing changes in Jira."""
        self._call("unlinkJob", jobId=job_id)

    def push(self, job_id: str, *, idempotency_key: str | None = None) -> api.PushJobAnswer:
        """Append a table with the job's status to its ticket; ``success`` tells whether Jira took it."""
        return self._call("pushJob", {"jobId": job_id}, idempotency_key=idempotency_key)

    def push_all(self, *, idempotency_key: str | None = None) -> api.PushAllJobsAnswer:
        return self._call("pushAllJobs", idempotency_key=idempotency_key)

    def comment(self, job_id: str, *, idempotency_key: str | None = None) -> api.CommentOnJobAnswer:
        """Post the job's status as a comment on its ticket; ``success`` tells whether Jira took it."""
        return self._call("commentOnJob", {"jobId": job_id}, idempotency_key=idempotency_key)

    def pushes(
        self, *, job_id: str | None = None, status: str | None = None, page_size: int = PAGE_SIZE
    ) -> Iterator[api.PushEntry]:
        """Yield scheduled pushes and what became of them, newest first."""
        return self._by_cursor("listPushes", "pushes", page_size, {"jobId": job_id, "status": status})

    def retry_pushes(self, **pushes: Unpack[api.PushRetry]) -> api.RetryPushesAnswer:
        """Push failed jobs of a run again: those named, or those that failed for one reason."""
        return self._call("retryPushes", pushes)

    def history(self, job_id: str, *, page_size: int = PAGE_SIZE) -> Iterator[api.JobEvent]:
        return self._by_cursor("getJobHistory", None, page_size, id=job_id)

    def flow(self, job_id: str, *, days: int = 30) -> api.JobFlow:
        """Return what was completed and scrapped on each of the last days."""
        return self._call("getJobFlow", query={"days": days}, id=job_id)

    def tickets(self) -> api.ListJobTicketsAnswer:
        """Return the open tickets of the project of the settings."""
        return self._call("listJobTickets")

    def ticket(self, key: str) -> api.JiraTicket:
        """Return one ticket as a job would take it over."""
        return self._call("getJobTicket", key=key)


class Paths(Resource):
    """Paths: the steps that a job's parts go through."""

    def create(self, **path: Unpack[api.NewPath]) -> api.Path:
        return self._call_in_camel("createPath", path)

    def get(self, path_id: str) -> api.PathDetails:
        """Return a path and where its serial numbers are."""
        return self._call("getPath", id=path_id)

    def change(self, path_id: str, **change: Unpack[api.PathChange]) -> api.Path:
        """Change a path. Steps keep their identity by their id."""
        return self._call_in_camel("changePath", change, id=path_id)

    def flow(self, path_id: str, *, days: int = 30) -> api.PathFlow:
        """Return what entered each step, and stood there, on each of the last days."""
        return self._call("getPathFlow", query={"days": days}, id=path_id)

    def delete(self, path_id: str) -> None:
        """Delete a path without serial numbers."""
        self._call("deletePath", id=path_id)


class Serials(Resource):
    """Serial numbers and their moves.

    After a lost answer an advance is repeated only with ``from_step_index``: else it could happen twice.
    """

    def create(self, **batch: Unpack[api.NewSerials]) -> list[api.SerialNumber]:
        """Create serial numbers at the first step of a path."""
        return self._call_in_camel("createSerials", batch)

    def list(
        self, path_id: str, *, status: str | None = None, page_size: int = PAGE_SIZE
    ) -> Iterator[api.SerialNumber]:
        """Yield the serial numbers of a path."""
        return self._by_cursor("listSerials", None, page_size, {"pathId": path_id, "status": status})

    def get(self, serial_id: str) -> api.SerialNumber:
        return self._call("getSerial", id=serial_id)

    def history(self, serial_id: str, *, page_size: int = PAGE_SIZE) -> Iterator[api.SerialEvent]:
        """Yield who moved a part and when, oldest first."""
        return self._by_cursor("getSerialHistory", None, page_size, id=serial_id)

    def advance(self, serial_id: str, **move: Unpack[api.AdvanceOne]) -> api.SerialNumber:
        """Move a serial number one step forward; with ``from_step_index`` only from that step."""
        return self._call_in_camel("advanceSerial", move, id=serial_id, repeatable="from_step_index" in move)

    def advance_all(self, **move: Unpack[api.AdvanceBatch]) -> api.AdvanceSerialsAnswer:
        """Move up to 100 serial numbers one step forward, each on its own."""
        return self._call_in_camel("advanceSerials", move, repeatable="from_step_index" in move)

    def advance_to(self, serial_id: str, **move: Unpack[api.AdvanceTo]) -> api.AdvanceSerialToAnswer:
        """Move a serial number to a later step; the number of steps means completed."""
        return self._call_in_camel("advanceSerialTo", move, id=serial_id)

    def scrap(self, serial_id: str, **scrap: Unpack[api.Scrap]) -> api.SerialNumber:
        """Scrap a serial number for good."""
        return self._call_in_camel("scrapSerial", scrap, id=serial_id)

    def force_complete(self, serial_id: str, **why: Unpack[api.ForceComplete]) -> api.SerialNumber:
        """Complete a serial number that has not gone through all steps."""
        return self._call_in_camel("forceCompleteSerial", why, id=serial_id)


class Settings(Resource):
    """How jobs use Jira."""

    def get(self) -> api.JobSettings:
        return self._call("getSettings")

    def change(self, **change: Unpack[api.SettingsChange]) -> api.JobSettings:
        """Change the settings that are given."""
        return self._call_in_camel("changeSettings", change)

    def history(self, *, page_size: int = PAGE_SIZE) -> Iterator[api.JobEvent]:
        return self._by_cursor("getSettingsHistory", None, page_size)


class Operations(Resource):
    """What operators see and set going again; needs the scope ``admin``."""

    def get(self) -> api.GetOperationsAnswer:
        """Return queues, stopped sites and the last runs."""
        return self._call("getOperations")

    def redrive(self, queue: str) -> api.RedriveQueueAnswer:
        """Send a queue's dead letters again."""
        return self._call("redriveQueue", {"queue": queue})

    def end_stop(self, site: str) -> None:
        """End a site's stop."""
        self._call("endStop", site=site)
