"""Webhooks at Jira, which make it prompt that anomalies follow tickets. Without them, the sweep does it.

Nothing here may stop what it belongs to: a registration that fails costs at most five minutes a change.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from jobticket.clock import Deadline
from jobticket.connections.access import JiraAccess
from jobticket.dataclass import dataclass, replace
from jobticket.errors import RefusalError
from jobticket.jira import dynamic_webhooks
from jobticket.jira.client import JiraClient
from jobticket.jira.dynamic_webhooks import NotRegisteredError
from jobticket.jira.errors import JiraError
from jobticket.jira.projects import list_projects
from jobticket.observability import count, logger
from jobticket.store.table import Table, Update
from jobticket.store.unit_of_work import StaleError, write
from jobticket.ticketing import integration
from jobticket.ticketing.integration import StoredIntegration
from jobticket.ticketing.layout import INTEGRATION
from jobticket.ticketing.webhook_store import Registration, WebhookStore

#: Where Jira sends its webhooks.
PATH = "/api/webhooks/jira"
#: Jira forgets a webhook after 30 days.
LIFE = timedelta(days=30)
#: How often Jira is asked whether it still has a webhook.
CHECKED_EVERY = timedelta(days=1)
#: With less than this left, a webhook is extended; with less than that, an alarm rings.
EXTENDED_WITHIN = timedelta(days=15)
ALARMING = timedelta(days=5)
#: A filter names so many projects; the tickets of others are followed by the sweep.
MOST_PROJECTS = 100

FAULTS = (JiraError, RefusalError, NotRegisteredError, StaleError)


@dataclass
class Webhooks:
    """Registers, keeps and removes the webhooks of the integration."""

    table: Table
    store: WebhookStore
    access: JiraAccess
    public_url: str

    @property
    def url(self) -> str:
        return self.public_url + PATH

    def make_secret(self, stored: StoredIntegration) -> str:
        """Make the secret of an administrator's webhook; it is shown only now."""
        secret = self.store.make_secret(stored.integration.id)
        self._note(stored)
        return secret

    def register(self, now: datetime, deadline: Deadline) -> None:
        """Register webhooks for the present integration, if its connection may, in place of earlier ones."""
        stored = integration.find(self.table)
        if stored is None:
            return
        earlier = self.store.registration(stored.integration.id)
        if earlier is not None and earlier.external_id != stored.source.connection:
            self.remove(stored, deadline.sooner(5.0))  # time is left to register
        if not self._may_register(stored):
            return
        try:
            client = integration.client_of(self.access, stored, deadline)
            former = dynamic_webhooks.registered(client, self.url)
            if former:
                dynamic_webhooks.remove(client, sorted(former))
            self._register(client, stored, now)
        except FAULTS as fault:
            logger.warning("no webhook was registered", reason=str(fault))

    def _register(self, client: JiraClient, stored: StoredIntegration, now: datetime) -> None:
        projects = [row["key"] for row in list_projects(client, 0, MOST_PROJECTS).rows]
        number = dynamic_webhooks.register(client, self.url, projects)
        made = Registration(stored.source.connection, (number,), now + LIFE, checked_at=now)
        self.store.register(stored.integration.id, made)
        self._note(stored)

    def _may_register(self, stored: StoredIntegration) -> bool:
        connection = self.access.store.get(stored.source.name)
        granted = connection.scopes if connection is not None and connection.kind == "oauth" else None
        return dynamic_webhooks.SCOPE in (granted or "").split()

    def remove(self, stored: StoredIntegration, deadline: Deadline) -> None:
        """Remove the webhooks of an integration from Jira, as far as it can be reached."""
        registration = self.store.registration(stored.integration.id)
        if registration is None:
            return
        try:
            dynamic_webhooks.remove(self._client(registration, deadline), registration.webhook_ids)
        except FAULTS as fault:
            logger.warning("a webhook was not removed; it will expire", reason=str(fault))
        self.store.unregister(stored.integration.id)

    def keep(self, now: datetime, deadline: Deadline) -> None:
        """Once a day, extend what will expire, and register again what Jira has forgotten."""
        stored = integration.find(self.table)
        registration = None if stored is None else self.store.registration(stored.integration.id)
        if stored is None or registration is None or registration.external_id != stored.source.connection:
            return  # what another connection has registered expires, if it could not be removed
        if now - registration.checked_at < CHECKED_EVERY:
            return
        try:
            self._keep(stored, registration, now, deadline)
        except FAULTS as fault:
            logger.warning("a webhook was not kept", reason=str(fault))
            if registration.expires_at - now < ALARMING:
                count("WebhooksExpiring", 1)

    def _keep(
        self, stored: StoredIntegration, registration: Registration, now: datetime, deadline: Deadline
    ) -> None:
        client, ids = self._client(registration, deadline), registration.webhook_ids
        # Extending does not report missing ones.
        if not set(ids) <= set(dynamic_webhooks.registered(client, self.url)):
            self._register(client, stored, now)
            return
        until = registration.expires_at
        if until - now <= EXTENDED_WITHIN:
            until = dynamic_webhooks.extend(client, ids)
        self.store.register(stored.integration.id, replace(registration, expires_at=until, checked_at=now))

    def _client(self, registration: Registration, deadline: Deadline) -> JiraClient:
        return self.access.client_for(registration.external_id, integration.JIRA, deadline=deadline)

    def _note(self, stored: StoredIntegration) -> None:
        """Let tickets be followed from now on, for Jira will call."""
        write(
            self.table, Update(INTEGRATION, INTEGRATION, set={"webhook": True}, condition=stored.unchanged())
        )
