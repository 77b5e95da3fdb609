"""The ticketing integration: one Jira, and the account that is used there. There is one at a time.

Its own credentials are kept as a connection of the provider ``ticketing``, sealed like all others. Callers
cannot choose the names of that provider.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Literal

from boto3.dynamodb.conditions import Attr, ConditionBase

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.connections.access import JiraAccess
from jobticket.connections.connector import TokenConnector
from jobticket.connections.credentials import advice_on, checked_login
from jobticket.connections.errors import (
    ConnectionNotFoundError,
    ConnectionUnavailableError,
    ReauthorizationNeededError,
)
from jobticket.connections.model import ConnectionId
from jobticket.connections.report import ask_account
from jobticket.dataclass import dataclass, replace
from jobticket.errors import ConflictError, InvalidError, NotFoundError, UpstreamError
from jobticket.history.records import Stamp
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraError, JiraNotFoundError
from jobticket.store.table import Delete, Item, Put, Table, Update
from jobticket.store.unit_of_work import ABSENT, UnitOfWork, attempts, write, write_if_current
from jobticket.ticketing.layout import INTEGRATION, as_stored, next_number
from jobticket.ticketing.model import Integration, IntegrationSettings
from jobticket.ticketing.recent import RecentChoices
from jobticket.ticketing.recent import find as find_choice

#: The providers of the integration's own credentials and of everybody's connections.
PROVIDER = "ticketing"
JIRA = "jira"
#: What may be set beside the connection.
OPTIONS = ("project_key", "issue_type", "status_out", "status_in", "reopen_status")

NOT_CONFIGURED = "No ticketing integration is configured"


@dataclass(frozen=True, slots=True)
class Source:
    """A connection that works, and the site that it leads to."""

    provider: str
    connection: str
    site: str

    @property
    def name(self) -> ConnectionId:
        return ConnectionId(self.provider, self.connection)

    def values(self) -> dict[str, Any]:
        """Return what the integration's item holds of it."""
        shown = {"api_url": self.site, "external_id": self.connection if self.provider == JIRA else None}
        return {"provider": self.provider, "connection": self.connection, "site": self.site, **shown}


@dataclass(frozen=True, slots=True)
class StoredIntegration:
    """The integration, and the connection that it uses."""

    integration: Integration
    source: Source
    #: Whether Jira has an address to send webhooks to.
    has_webhook: bool = False

    @property
    def follows(self) -> bool:
        """Whether linked tickets are looked at again."""
        return self.has_webhook or bool(self.integration.status_out or self.integration.status_in)

    @property
    def site(self) -> str:
        return self.source.site

    def unchanged(self) -> ConditionBase:
        """Return the condition that it is the same integration, over the same connection."""
        same = Attr("provider").eq(self.source.provider) & Attr("connection").eq(self.source.connection)
        return Attr("id").eq(self.integration.id) & same


def find(table: Table) -> StoredIntegration | None:
    """Return the integration, if there is one."""
    item = table.get(INTEGRATION, INTEGRATION)
    return None if item is None else _stored_from(item)


def _stored_from(item: Item) -> StoredIntegration:
    source = Source(item["provider"], item["connection"], item["site"])
    return StoredIntegration(Integration.of(item), source, "webhook" in item)


class OtherSiteError(UpstreamError):
    """The integration's connection was authorized again, for another site.

    The numbers of issues mean other issues there. So nothing is read or written until the integration is
    saved again.
    """

    def __init__(self, stored: StoredIntegration) -> None:
        super().__init__(
            f"The connection no longer leads to {stored.site}. To use the other site, save again"
        )


def client_of(access: JiraAccess, stored: StoredIntegration, deadline: Deadline) -> JiraClient:
    """Return a client for an integration's Jira."""
    client = access.client_for(stored.source.connection, stored.source.provider, deadline=deadline)
    if client.site.browse_url != stored.site:
        raise OtherSiteError(stored)
    return client


def _options(settings: IntegrationSettings, old: Integration | None = None) -> dict[str, Any]:
    """Return the options as they will be; an empty one is removed."""
    given = {name: getattr(settings, name) for name in OPTIONS}
    return {
        name: getattr(old, name, None) if value is None else value or None for name, value in given.items()
    }


@dataclass
class Integrations:
    """Sets up, checks and removes the integration."""

    table: Table
    access: JiraAccess
    connector: TokenConnector
    recent: RecentChoices

    def get(self) -> StoredIntegration:
        """Return the integration."""
        stored = find(self.table)
        if stored is None:
            raise NotFoundError(NOT_CONFIGURED)
        return stored

    @contextlib.contextmanager
    def created(
        self, work: UnitOfWork, settings: IntegrationSettings, stamp: Stamp, deadline: Deadline
    ) -> Iterator[Integration]:
        """Check all settings and add the integration to a unit of work, for a ``with`` block that commits it.

        If anything fails, the block's commit too, new credentials are removed again.

        Raises
        ------
        ConflictError
            If there is an integration already.
        InvalidError
            With a sentence of its own for each fault; then nothing is stored.
        """
        if find(self.table) is not None:
            raise _second()
        number = next_number(self.table, "INTEGRATION")
        source = self._source(number, settings, stamp, deadline)
        options = _options(settings)
        try:
            self._check_defaults(source, options, deadline)
            yield self._add(work, number, source, options, stamp.at)
        except Exception:
            self.forget(source, stamp)
            raise

    def _add(
        self, work: UnitOfWork, number: int, source: Source, options: dict[str, Any], now: datetime
    ) -> Integration:
        moment = clock.iso_milliseconds(now)
        fixed = {"id": number, "type": JIRA, "status": "Connected", "created": moment, "updated": moment}
        item = as_stored(source.values() | options) | fixed
        put = Put({**item, "pk": INTEGRATION, "sk": INTEGRATION}, ABSENT)
        work.add(put, otherwise=_second())
        return Integration.of(item)

    def change(self, settings: IntegrationSettings, stamp: Stamp, deadline: Deadline) -> Integration:
        """Change what is given, after checking the whole again."""
        stored = self.get()
        source = self._changed_source(stored, settings, stamp, deadline)
        options = _options(settings, stored.integration)
        try:
            self._check_defaults(source, options, deadline)
            changed = self._write_change(stored, source, options, stamp.at)
        except Exception:
            if source.name != stored.source.name:
                self.forget(source, stamp)
            raise
        if source.name != stored.source.name:
            self.forget(stored.source, stamp)
        return changed

    def _write_change(
        self, stored: StoredIntegration, source: Source, options: dict[str, Any], now: datetime
    ) -> Integration:
        values = source.values() | options
        update = Update(
            INTEGRATION,
            INTEGRATION,
            set=as_stored(values) | {"status": "Connected", "updated": clock.iso_milliseconds(now)},
            remove=[name for name, value in values.items() if value is None],
            condition=stored.unchanged(),
        )

        def overtaken(item: Item | None) -> Exception:
            if item is None or item["id"] != stored.integration.id:
                return NotFoundError(NOT_CONFIGURED)
            return ConflictError("The integration is being changed by others. Please try again.")

        return Integration.of(write(self.table, update, otherwise=overtaken) or {})

    def delete(self, webhooks_removal: Callable[[int], Delete], stamp: Stamp) -> None:
        """Remove the integration and its own credentials. Links stay, and nothing is sent any more."""
        # The integration first: an interruption leaves sealed credentials that nothing refers to, not an
        # integration that cannot work.
        for work in attempts(self.table):
            with work:
                stored = self.get()
                work.add(Delete(INTEGRATION, INTEGRATION, stored.unchanged()))
                work.add(webhooks_removal(stored.integration.id))
        self.forget(stored.source, stamp)

    def test(self, now: datetime, deadline: Deadline) -> tuple[Literal["Connected", "Error"], str | None]:
        """Ask Jira for the account; store and return the outcome."""
        stored = self.get()
        status: Literal["Connected", "Error"] = "Connected"
        reason = None
        try:
            source = self._ask(stored.source.provider, stored.source.connection, deadline)
            if source.site != stored.site:
                raise OtherSiteError(stored)
        except (InvalidError, OtherSiteError) as error:
            status, reason = "Error", error.message
        if status != stored.integration.status:
            change = {"status": status, "updated": clock.iso_milliseconds(now)}
            same = Attr("id").eq(stored.integration.id)
            write_if_current(self.table, Update(INTEGRATION, INTEGRATION, set=change, condition=same))
        return status, reason

    def forget(self, source: Source, stamp: Stamp) -> None:
        """Remove the integration's own credentials. Other connections are not removed."""
        if source.provider == PROVIDER:
            self.access.store.delete(source.name, stamp)

    def _source(self, number: int, settings: IntegrationSettings, stamp: Stamp, deadline: Deadline) -> Source:
        if settings.external_id is not None:
            if settings.api_url is not None or settings.api_access_token is not None:
                raise InvalidError(
                    "Either external_id or api_url and api_access_token must be given, not both"
                )
            return self._ask(JIRA, settings.external_id, deadline)
        if settings.api_url is None:
            raise InvalidError("api_url is required")
        if settings.api_access_token is None:
            raise InvalidError("api_access_token is required")
        return self._connect(number, settings.api_url, settings.api_access_token, stamp, deadline)

    def _changed_source(
        self, stored: StoredIntegration, settings: IntegrationSettings, stamp: Stamp, deadline: Deadline
    ) -> Source:
        if settings.external_id is None and settings.api_url is None:
            if settings.api_access_token is None:
                return self._ask(stored.source.provider, stored.source.connection, deadline)
            if stored.source.provider == PROVIDER:
                # A new token for the same host. A stored token must not be sent to a new host.
                settings = replace(settings, api_url=stored.integration.api_url)
        return self._source(stored.integration.id, settings, stamp, deadline)

    def _connect(self, number: int, api_url: str, token: str, stamp: Stamp, deadline: Deadline) -> Source:
        # A new name each time: a refusal later on leaves the credentials in use as they are.
        name = ConnectionId(PROVIDER, f"integration-{number}-{secrets.token_hex(4)}")
        try:
            login = checked_login(token)
            connection, _ = self.connector.connect(name, api_url, login, stamp=stamp, deadline=deadline)
        except InvalidError as error:
            raise InvalidError(_in_our_words(error.message), details=error.details) from None
        return Source(PROVIDER, name.external_id, connection.site_url)

    def _ask(self, provider: str, connection: str, deadline: Deadline) -> Source:
        """Return the connection if Jira accepts it."""
        try:
            found = self.access.connection(connection, provider)
            ask_account(self.access, found, deadline)
        except (ConnectionNotFoundError, ReauthorizationNeededError, ConnectionUnavailableError) as error:
            raise InvalidError(error.explanation) from None
        except JiraError as error:
            raise InvalidError(_in_our_words(advice_on(error))) from None
        return Source(provider, connection, found.site_url)

    def _check_defaults(self, source: Source, options: dict[str, Any], deadline: Deadline) -> None:
        """Refuse a default project or issue type that does not exist."""
        project, issue_type = options["project_key"], options["issue_type"]
        if project is None and issue_type is None:
            return
        client = self.access.client_for(source.connection, source.provider, deadline=deadline)
        try:
            known = self.recent.read_types(client, project)
        except JiraNotFoundError:
            raise InvalidError(project_not_found(project)) from None
        except JiraError as error:
            raise InvalidError(_in_our_words(advice_on(error))) from None
        if issue_type is not None and find_choice(known, issue_type) is None:
            raise InvalidError(issue_type_not_found(issue_type, project))


def project_not_found(project: str) -> str:
    return f"Project not found: {project}. Check the key, and that the account has access to the project"


def issue_type_not_found(issue_type: str, project: str | None) -> str:
    place = "at this site" if project is None else f"in the project {project}"
    return f"Issue type not found: {issue_type} does not exist {place}"


def _second() -> ConflictError:
    return ConflictError("There is a ticketing integration already. Delete it first.")


def _in_our_words(sentence: str) -> str:
    """Name the integration's fields in a sentence that names those of a connection."""
    for theirs, ours in (("host ", "api_url "), ("credentials is ", "api_access_token is ")):
        if sentence.startswith(theirs):
            return ours + sentence.removeprefix(theirs)
    return sentence.replace("credentials must be", "api_access_token must be")
