"""Jobs, paths, serial numbers, and how jobs use Jira."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

from jobticket_client import generated as api
from jobticket_client.resource import PAGE_SIZE, Resource, camel


class Jobs(Resource):
    """Jobs: what is to be made, how many, and for which Jira ticket."""

    def create(self, *, idempotency_key: str | None = None, **job: Unpack[api.NewJob]) -> api.Job:
        """Create a job."""
        return self._call("createJob", camel(job), idempotency_key=idempotency_key)

    def list(self, *, page_size: int = PAGE_SIZE) -> Iterator[api.Job]:
        """Yield all jobs, newest first."""
        return self._by_cursor("listJobs", None, page_size)

    def get(self, job_id: str) -> api.JobDetails:
        """Return a job with its paths and progress."""
        return self._call("getJob", id=job_id)

    def change(self, job_id: str, **change: Unpack[api.JobChange]) -> api.Job:
        """Change a job's name or goal."""
        return self._call("changeJob", camel(change), id=job_id)

    def delete(self, job_id: str) -> None:
        """Delete a job without paths."""
        self._call("deleteJob", id=job_id)

    def link(self, *, idempotency_key: str | None = None, **link: Unpack[api.JobLink]) -> api.Job:
        """Link a job to a ticket; without ``job_id``, create one from the ticket."""
        return self._call("linkJob", camel(link), idempotency_key=idempotency_key)["job"]

    def unlink(self, job_id: str) -> None:
        """Forget a job's ticket. Nothing changes in Jira."""
        self._call("unlinkJob", jobId=job_id)

    def push(self, job_id: str, *, idempotency_key: str | None = None) -> api.PushJobAnswer:
        """Append a table with the job's status to its ticket; ``success`` tells whether Jira took it."""
        return self._call("pushJob", {"jobId": job_id}, idempotency_key=idempotency_key)

    def push_all(self, *, idempotency_key: str | None = None) -> api.PushAllJobsAnswer:
        """Begin a push of all linked jobs."""
        return self._call("pushAllJobs", idempotency_key=idempotency_key)

    def comment(self, job_id: str, *, idempotency_key: str | None = None) -> api.CommentOnJobAnswer:
        """Post the job's status as a comment on its ticket; ``success`` tells whether Jira took it."""
        return self._call("commentOnJob", {"jobId": job_id}, idempotency_key=idempotency_key)

    def pushes(
        self, *, job_id: str | None = None, status: str | None = None, page_size: int = PAGE_SIZE
    ) -> Iterator[api.PushEntry]:
        """Yield scheduled pushes and what became of them, newest first."""
        return self._by_cursor("listPushes", "pushes", page_size, {"jobId": job_id, "status": status})

    def tickets(self) -> api.ListJobTicketsAnswer:
        """Return the open tickets of the project of the settings."""
        return self._call("listJobTickets")

    def ticket(self, key: str) -> api.JiraTicket:
        """Return one ticket as a job would take it over."""
        return self._call("getJobTicket", key=key)


class Paths(Resource):
    """Paths: the steps that a job's parts go through."""

    def create(self, *, idempotency_key: str | None = None, **path: Unpack[api.NewPath]) -> api.Path:
        """Create a path of process steps."""
        return self._call("createPath", camel(path), idempotency_key=idempotency_key)

    def get(self, path_id: str) -> api.PathDetails:
        """Return a path and where its serial numbers are."""
        return self._call("getPath", id=path_id)

    def change(self, path_id: str, **change: Unpack[api.PathChange]) -> api.Path:
        """Change a path. Steps keep their identity by their id."""
        return self._call("changePath", camel(change), id=path_id)

    def delete(self, path_id: str) -> None:
        """Delete a path without serial numbers."""
        self._call("deletePath", id=path_id)


class Serials(Resource):
    """Serial numbers and their moves.

    After a lost answer an advance is repeated only with ``from_step_index``: else it could happen twice.
    """

    def create(
        self, *, idempotency_key: str | None = None, **batch: Unpack[api.NewSerials]
    ) -> list[api.SerialNumber]:
        """Create serial numbers at the first step of a path."""
        return self._call("createSerials", camel(batch), idempotency_key=idempotency_key)

    def list(
        self, path_id: str, *, status: str | None = None, page_size: int = PAGE_SIZE
    ) -> Iterator[api.SerialNumber]:
        """Yield the serial numbers of a path."""
        return self._by_cursor("listSerials", None, page_size, {"pathId": path_id, "status": status})

    def get(self, serial_id: str) -> api.SerialNumber:
        """Return a serial number."""
        return self._call("getSerial", id=serial_id)

    def advance(self, serial_id: str, **move: Unpack[api.AdvanceOne]) -> api.SerialNumber:
        """Move a serial number one step forward; with ``from_step_index`` only from that step."""
        return self._call("advanceSerial", camel(move), id=serial_id, repeatable="from_step_index" in move)

    def advance_all(self, **move: Unpack[api.AdvanceBatch]) -> api.AdvanceSerialsAnswer:
        """Move up to 100 serial numbers one step forward, each on its own."""
        return self._call("advanceSerials", camel(move), repeatable="from_step_index" in move)

    def advance_to(self, serial_id: str, **move: Unpack[api.AdvanceTo]) -> api.AdvanceSerialToAnswer:
        """Move a serial number to a later step; the number of steps means completed."""
        return self._call("advanceSerialTo", camel(move), id=serial_id)

    def scrap(self, serial_id: str, **scrap: Unpack[api.Scrap]) -> api.SerialNumber:
        """Scrap a serial number for good."""
        return self._call("scrapSerial", camel(scrap), id=serial_id)

    def force_complete(self, serial_id: str, **why: Unpack[api.ForceComplete]) -> api.SerialNumber:
        """Complete a serial number that has not gone through all steps."""
        return self._call("forceCompleteSerial", camel(why), id=serial_id)


class Settings(Resource):
    """How jobs use Jira."""

    def get(self) -> api.JobSettings:
        """Return the settings."""
        return self._call("getSettings")

    def change(self, **change: Unpack[api.SettingsChange]) -> api.JobSettings:
        """Change the settings that are given."""
        return self._call("changeSettings", camel(change))
