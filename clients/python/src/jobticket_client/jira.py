"""Jira operations over a connection."""

from __future__ import annotations

from typing import Any, Unpack

from jobticket_client import generated as api
from jobticket_client.connections import Connections
from jobticket_client.resource import Resource

Id = str | int


class Jira(Resource):
    """Jira operations, each over the connection whose external id comes first.

    Lists are whole; one that is too large for an answer raises TooLarge.
    Without ``project_id`` the project counts that was selected.
    """

    def projects(self, external_id: str) -> api.GetProjectsAnswer:
        """Return the projects that the connection sees, and which one is selected."""
        return self._read("getProjects", external_id)

    def select_project(self, external_id: str, project_id: Id | None) -> None:
        """Select a project for calls that name none; None selects none."""
        self._over(external_id, "selectProject", {"external_id": external_id, "jira_project_id": project_id})

    def selected_project(self, external_id: str) -> str | None:
        return self._read("getSelectedProject", external_id)["jira_project_id"]

    def tickets(
        self, external_id: str, project_id: Id | None = None, *, include_sprint: bool = False
    ) -> api.GetTicketsForProjectAnswer:
        query = {"jira_project_id": project_id, "include_sprint": include_sprint}
        return self._read("getTicketsForProject", external_id, **query)

    def boards(self, external_id: str, project_id: Id | None = None) -> api.GetBoardsForProjectAnswer:
        return self._read("getBoardsForProject", external_id, jira_project_id=project_id)

    def sprints(self, external_id: str, project_id: Id | None = None) -> api.GetAllSprintsForProjectAnswer:
        return self._read("getAllSprintsForProject", external_id, jira_project_id=project_id)

    def active_sprints(
        self, external_id: str, project_id: Id | None = None
    ) -> api.GetActiveSprintsForProjectAnswer:
        return self._read("getActiveSprintsForProject", external_id, jira_project_id=project_id)

    def sprint_tickets(self, external_id: str, sprint_id: Id) -> api.GetTicketsForSprintAnswer:
        return self._read("getTicketsForSprint", external_id, sprint_id=sprint_id)

    def issue(self, external_id: str, id_or_key: Id) -> api.GetIssueDetailsAnswerIssue:
        """Return an issue with all its fields."""
        return self._read("getIssueDetails", external_id, issue_id_or_key=id_or_key)["issue"]

    def create_ticket(self, **ticket: Unpack[api.CreateTicketBody]) -> api.CreateTicketAnswerTicket:
        """Create a ticket, once however often the answer is lost."""
        return self._over(ticket["external_id"], "createTicket", ticket)["ticket"]

    def edit_issue(self, **edit: Unpack[api.EditIssueBody]) -> api.EditIssueAnswer:
        """Change what is given; Conflict if the issue has changed since ``expected_updated``."""
        return self._over(edit["external_id"], "editIssue", edit)

    def delete_issue(self, external_id: str, id_or_key: Id, *, delete_subtasks: bool = False) -> None:
        query = {"external_id": external_id, "issue_id_or_key": id_or_key, "delete_subtasks": delete_subtasks}
        self._over(external_id, "deleteIssue", query=query)

    def _read(self, operation: str, external_id: str, **query: Any) -> Any:
        return self._over(external_id, operation, query={"external_id": external_id, **query})

    def _over(self, external_id: str, operation: str, body: Any = None, **request: Any) -> Any:
        with Connections(self._transport).reconnecting(external_id):
            return self._call(operation, body, **request)
