"""Data anomalies, their tickets, and the integration that makes these."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Unpack

from jobticket_client import generated as api
from jobticket_client.resource import PAGE_SIZE, Resource

Archived = Literal["Resolved", "Duplicate", "Invalid", "Discarded"]


class Anomalies(Resource):
    """Anomalies and their tickets."""

    def create(self, **anomaly: Unpack[api.NewAnomaly]) -> api.Anomaly:
        """Report an anomaly. An open one with the same fingerprint is returned, its count raised."""
        return self._call("reportAnomaly", anomaly)

    def list(
        self,
        *,
        status: str | None = None,
        type: str | None = None,  # noqa: A002  # as the API names it
        datastore: int | None = None,
        archived: bool | None = None,
        page_size: int = PAGE_SIZE,
    ) -> Iterator[api.Anomaly]:
        """Yield anomalies, newest first."""
        query = {"status": status, "type": type, "datastore": datastore, "archived": archived}
        return self._by_number("listAnomalies", page_size, query)

    def get(self, anomaly_id: int) -> api.Anomaly:
        return self._call("getAnomaly", anomaly_id=anomaly_id)

    def change(self, anomaly_id: int, **change: Unpack[api.AnomalyPatch]) -> api.Anomaly:
        """Change an anomaly's status or description; its tickets get the news."""
        return self._call("changeAnomaly", change, anomaly_id=anomaly_id)

    def archive(self, anomaly_id: int, status: Archived, *, comment: str | None = None) -> None:
        """Archive an anomaly; its tickets get the news."""
        query = {"archive": True, "status": status, "comment": comment}
        self._call("removeAnomaly", query=query, anomaly_id=anomaly_id)

    def delete(self, anomaly_id: int) -> None:
        """Delete an anomaly for good. Its tickets stay."""
        self._call("removeAnomaly", query={"archive": False}, anomaly_id=anomaly_id)

    def history(self, anomaly_id: int, *, page_size: int = PAGE_SIZE) -> Iterator[api.AnomalyEvent]:
        return self._by_cursor("getAnomalyHistory", None, page_size, anomaly_id=anomaly_id)

    def comments(self, anomaly_id: int, *, page_size: int = PAGE_SIZE) -> Iterator[api.AnomalyComment]:
        return self._by_number("listComments", page_size, anomaly_id=anomaly_id)

    def comment(
        self, anomaly_id: int, message: str, *, idempotency_key: str | None = None
    ) -> api.AnomalyComment:
        """Comment on an anomaly; its tickets get the comment."""
        body = {"message": message}
        return self._call("addComment", body, idempotency_key=idempotency_key, anomaly_id=anomaly_id)

    def create_ticket(self, anomaly_id: int, **ticket: Unpack[api.NewAnomalyTicket]) -> api.TicketAnswer:
        """Create a ticket for an anomaly, once however often the answer is lost."""
        return self._call("createAnomalyTicket", ticket, anomaly_id=anomaly_id)

    def links(self, anomaly_id: int, *, page_size: int = PAGE_SIZE) -> Iterator[api.AnomalyLink]:
        return self._by_number("listLinks", page_size, anomaly_id=anomaly_id)

    def link(self, anomaly_id: int, ticket_id: str, *, idempotency_key: str | None = None) -> api.AnomalyLink:
        """Link an existing ticket, by id or key."""
        body = {"ticket_id": ticket_id}
        return self._call("addLink", body, idempotency_key=idempotency_key, anomaly_id=anomaly_id)

    def unlink(self, anomaly_id: int, link_id: int) -> None:
        """Remove a link. The ticket stays."""
        self._call("removeLink", anomaly_id=anomaly_id, link_id=link_id)

    def refresh_link(self, anomaly_id: int, link_id: int) -> api.AnomalyLink:
        """Read the ticket's status again, and send what failed before."""
        return self._call("refreshLink", anomaly_id=anomaly_id, link_id=link_id)


class Integration(Resource):
    """The integration: where tickets are made."""

    def get(self) -> api.Integration:
        return self._call("getIntegration")

    def create(self, **integration: Unpack[api.NewIntegration]) -> api.Integration:
        """Set up tickets: over a connection, or with an address and a token of its own."""
        return self._call("createIntegration", integration)

    def change(self, **change: Unpack[api.IntegrationPatch]) -> api.Integration:
        """Change what is given; it is tried before it is stored."""
        return self._call("changeIntegration", change)

    def delete(self) -> None:
        """Remove the integration. Links stay as history, and are not kept in step any more."""
        self._call("deleteIntegration")

    def test(self) -> api.TestIntegrationAnswer:
        return self._call("testIntegration")

    def form(self) -> api.FormSpecification:
        """Return the fields of a form for new tickets, with the values that Jira has."""
        return self._call("getFormSpecification")

    def search(self, query: str, *, page_size: int = PAGE_SIZE) -> Iterator[api.TicketSummary]:
        """Yield tickets whose key or summary fits."""
        return self._by_number("searchTickets", page_size, {"query": query})

    def ticket(self, ticket_id: str) -> api.LinkedTicket:
        return self._call("getTicket", ticket_id=ticket_id)

    def make_webhook_secret(self) -> api.MakeWebhookSecretAnswer:
        """Make a new secret for Jira's webhook. It is shown only now."""
        return self._call("makeWebhookSecret")


class Rules(Resource):
    """Rules: which anomalies get a ticket by themselves."""

    def list(self, *, page_size: int = PAGE_SIZE) -> Iterator[api.Rule]:
        return self._by_number("listRules", page_size)

    def create(self, **rule: Unpack[api.NewRule]) -> api.Rule:
        return self._call("createRule", rule)

    def get(self, rule_id: int) -> api.Rule:
        return self._call("getRule", rule_id=rule_id)

    def change(self, rule_id: int, **change: Unpack[api.RulePatch]) -> api.Rule:
        """Change what is given; a broken rule works again."""
        return self._call("changeRule", change, rule_id=rule_id)

    def delete(self, rule_id: int) -> None:
        self._call("deleteRule", rule_id=rule_id)

    def test(self, rule_id: int, anomaly_id: int) -> api.RuleTrial:
        """Return the ticket that a rule would make for an anomaly. Nothing is sent."""
        return self._call("testRule", {"anomaly_id": anomaly_id}, rule_id=rule_id)
