"""The ticketing integration: which Jira, and as whom. There is one at a time.

Credentials of its own are kept as a connection of the provider ``ticketing``, whose names callers cannot
choose: sealed, and opened, like all others.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from boto3.dynamodb.conditions import Attr

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.connections.access import JiraAccess
from jobticket.connections.credentials import TokenConnector, explain
from jobticket.connections.errors import (
    ConnectionNotFoundError,
    ConnectionUnavailableError,
    ReauthorizationNeededError,
)
from jobticket.connections.model import ConnectionId
from jobticket.errors import ConflictError, InvalidError, NotFoundError, UpstreamError
from jobticket.jira import shapes
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraError, JiraNotFoundError
from jobticket.store.table import ConditionFailedError, Item, Put, Table, Update, Write
from jobticket.ticketing.layout import INTEGRATION, integration_from, next_number
from jobticket.ticketing.model import Integration

if TYPE_CHECKING:
    from jobticket.ticketing.bodies import IntegrationChange, NewIntegration

#: The provider of the integration's own credentials, and of everybody's connections.
PROVIDER = "ticketing"
JIRA = "jira"

_EXISTS = Attr("pk").exists()


@dataclass(frozen=True, slots=True)
class StoredIntegration:
    """The integration and what of it is not shown.

    Attributes
    ----------
    provider, connection
        Which connection it uses.
    site
        Where people see its tickets: what makes two sites the same.
    """

    integration: Integration
    provider: str
    connection: str
    site: str

    @property
    def name(self) -> ConnectionId:
        return ConnectionId(self.provider, self.connection)


@dataclass(frozen=True, slots=True)
class _Source:
    """A connection that works, and the site that it leads to."""

    provider: str
    connection: str
    site: str

    @property
    def name(self) -> ConnectionId:
        return ConnectionId(self.provider, self.connection)

    @property
    def shown(self) -> Item:
        name = self.connection if self.provider == JIRA else None
        return {
            "provider": self.provider,
            "connection": self.connection,
            "site": self.site,
            "api_url": self.site,
            "external_id": name,
        }


def find(table: Table) -> StoredIntegration | None:
    """Return the integration, None if there is none."""
    item = table.get(INTEGRATION, INTEGRATION)
    return None if item is None else _stored_from(item)


def _stored_from(item: Item) -> StoredIntegration:
    return StoredIntegration(integration_from(item), item["provider"], item["connection"], item["site"])


class OtherSiteError(UpstreamError):
    """The integration's connection was authorized again, for another site.

    An issue's number is somebody else's issue there, so nothing is read or written until the integration is
    saved again.
    """

    def __init__(self, stored: StoredIntegration) -> None:
        super().__init__(
            f"The connection no longer leads to {stored.site}. To use the other site, save again"
        )


def client_of(access: JiraAccess, stored: StoredIntegration, deadline: Deadline) -> JiraClient:
    """Return a client for an integration's Jira.

    Raises
    ------
    OtherSiteError
        If the connection leads elsewhere by now.
    RefusalError
        As ``JiraAccess.client_for``.
    """
    client = access.client_for(stored.connection, stored.provider, deadline=deadline)
    if client.site.browse_url != stored.site:
        raise OtherSiteError(stored)
    return client


class Integrations:
    """Sets up, checks and removes the integration.

    Parameters
    ----------
    table
        The ticketing table.
    access, connector
        The connections.
    """

    def __init__(self, table: Table, access: JiraAccess, connector: TokenConnector) -> None:
        self._table = table
        self._access = access
        self._connector = connector

    def get(self) -> StoredIntegration:
        """Return the integration.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        stored = find(self._table)
        if stored is None:
            raise NotFoundError("No ticketing integration is configured")
        return stored

    def client(self, stored: StoredIntegration, deadline: Deadline) -> JiraClient:
        """Return a client for the integration's Jira; see ``client_of`` for its errors."""
        return client_of(self._access, stored, deadline)

    def create(self, body: NewIntegration, now: datetime, deadline: Deadline, record: Any) -> Integration:
        """Check everything that the body names, and store it.

        Parameters
        ----------
        record
            Given the integration, returns the writes that commit with it.

        Raises
        ------
        ConflictError
            If there is an integration already.
        InvalidError
            With a sentence of its own for each thing that can be wrong; nothing is stored then.
        """
        self._require_none()
        number = next_number(self._table, "INTEGRATION")
        source = self._source(number, body, now, deadline)
        project, issue_type = body.project_key or None, body.issue_type or None
        try:
            self._check_defaults(source, project, issue_type, deadline)
            return self._store(number, source, project, issue_type, now, record)
        except Exception:
            self._forget(source)
            raise

    def _store(
        self,
        number: int,
        source: _Source,
        project: str | None,
        issue_type: str | None,
        now: datetime,
        record: Any,
    ) -> Integration:
        moment = clock.iso_milliseconds(now)
        values = {
            **source.shown,
            "id": number,
            "type": JIRA,
            "project_key": project,
            "issue_type": issue_type,
            "status": "Connected",
            "created": moment,
            "updated": moment,
        }
        item = {name: value for name, value in values.items() if value is not None}
        integration = integration_from(item)
        put = Put({**item, "pk": INTEGRATION, "sk": INTEGRATION}, Attr("pk").not_exists())
        writes: Sequence[Write] = [put, *record(integration)]
        try:
            self._table.transact(writes, token=secrets.token_urlsafe(24))
        except ConditionFailedError as failed:
            if not (failed.position == 0 and failed.item and failed.item["id"] == number):
                raise _second() from None
        return integration

    def change(self, body: IntegrationChange, now: datetime, deadline: Deadline) -> Integration:
        """Change what the body names, after checking the whole again.

        Raises
        ------
        NotFoundError
            If there is no integration.
        InvalidError
            As ``create``.
        """
        stored = self.get()
        source = self._changed_source(stored, body, now, deadline)
        project = stored.integration.project_key if body.project_key is None else body.project_key or None
        issue_type = stored.integration.issue_type if body.issue_type is None else body.issue_type or None
        try:
            self._check_defaults(source, project, issue_type, deadline)
            changed = self._write_change(stored, source, project, issue_type, now)
        except Exception:
            if source.name != stored.name:
                self._forget(source)
            raise
        if source.name != stored.name:
            self._forget(stored)
        return changed

    def _write_change(
        self,
        stored: StoredIntegration,
        source: _Source,
        project: str | None,
        issue_type: str | None,
        now: datetime,
    ) -> Integration:
        values = {**source.shown, "project_key": project, "issue_type": issue_type, "status": "Connected"}
        update = Update(
            INTEGRATION,
            INTEGRATION,
            set={name: value for name, value in values.items() if value is not None}
            | {"updated": clock.iso_milliseconds(now)},
            remove=[name for name, value in values.items() if value is None],
            condition=Attr("id").eq(stored.integration.id)
            & Attr("provider").eq(stored.provider)
            & Attr("connection").eq(stored.connection),
        )
        try:
            return integration_from(self._table.update(update))
        except ConditionFailedError as failed:
            if failed.item is None or failed.item["id"] != stored.integration.id:
                raise NotFoundError("No ticketing integration is configured") from None
            if _stored_from(failed.item).name == source.name:
                return integration_from(failed.item)  # written, only the first answer was lost
            raise ConflictError("The integration is being changed by others. Please try again.") from None

    def delete(self) -> None:
        """Remove the integration and its own credentials. Links stay, and nothing is sent any more.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        stored = self.get()
        # The integration first: an interruption leaves sealed credentials that nothing refers to, not an
        # integration that cannot work.
        try:
            removed = self._table.delete(INTEGRATION, INTEGRATION, Attr("id").eq(stored.integration.id))
        except ConditionFailedError:
            return
        self._forget(_stored_from(removed) if removed else stored)

    def test(self, now: datetime, deadline: Deadline) -> tuple[Literal["Connected", "Error"], str | None]:
        """Ask Jira who we are; remember and return the outcome."""
        stored = self.get()
        try:
            source = self._ask(stored.provider, stored.connection, deadline)
            if source.site != stored.site:
                raise OtherSiteError(stored)
            status: Literal["Connected", "Error"] = "Connected"
            reason = None
        except (InvalidError, OtherSiteError) as error:
            status, reason = "Error", error.message
        if status != stored.integration.status:
            self._remember(stored, status, now)
        return status, reason

    def _remember(self, stored: StoredIntegration, status: str, now: datetime) -> None:
        same = Attr("id").eq(stored.integration.id)
        change = {"status": status, "updated": clock.iso_milliseconds(now)}
        try:
            self._table.update(Update(INTEGRATION, INTEGRATION, set=change, condition=same))
        except ConditionFailedError:
            return  # removed meanwhile

    def _require_none(self) -> None:
        if find(self._table) is not None:
            raise _second()

    def _source(
        self, number: int, body: NewIntegration | IntegrationChange, now: datetime, deadline: Deadline
    ) -> _Source:
        if body.external_id is not None:
            if body.api_url is not None or body.api_access_token is not None:
                raise InvalidError(
                    "Either external_id or api_url and api_access_token must be given, not both"
                )
            return self._ask(JIRA, body.external_id, deadline)
        if body.api_url is None:
            raise InvalidError("api_url is required")
        if body.api_access_token is None:
            raise InvalidError("api_access_token is required")
        return self._connect(number, body.api_url, body.api_access_token, now, deadline)

    def _changed_source(
        self, stored: StoredIntegration, body: IntegrationChange, now: datetime, deadline: Deadline
    ) -> _Source:
        if body.external_id is None and body.api_url is None and body.api_access_token is None:
            return self._ask(stored.provider, stored.connection, deadline)
        if body.external_id is None and body.api_url is None and stored.provider == PROVIDER:
            # A new token for the same host. The other way round is refused: a stored token must not be sent
            # to a host that was named without it.
            body = body.model_copy(update={"api_url": stored.integration.api_url})
        return self._source(stored.integration.id, body, now, deadline)

    def _connect(self, number: int, api_url: str, token: str, now: datetime, deadline: Deadline) -> _Source:
        # A name of its own each time: what is refused further on has not touched the credentials in use.
        name = ConnectionId(PROVIDER, f"integration-{number}-{secrets.token_hex(4)}")
        try:
            connection, _ = self._connector.connect(name, api_url, token, now=now, deadline=deadline)
        except InvalidError as error:
            raise InvalidError(_in_our_words(error.message)) from None
        return _Source(PROVIDER, name.external_id, connection.site_url)

    def _ask(self, provider: str, connection: str, deadline: Deadline) -> _Source:
        """Return the connection if Jira takes it.

        Raises
        ------
        InvalidError
            Saying what is wrong with it.
        """
        try:
            client = self._access.client_for(connection, provider, deadline=deadline)
            client.get("/rest/api/2/myself")
        except (ConnectionNotFoundError, ReauthorizationNeededError, ConnectionUnavailableError) as error:
            raise InvalidError(error.explanation) from None
        except JiraError as error:
            raise InvalidError(_in_our_words(explain(error))) from None
        return _Source(provider, connection, client.site.browse_url)

    def _check_defaults(
        self, source: _Source, project: str | None, issue_type: str | None, deadline: Deadline
    ) -> None:
        """Refuse a default project or issue type that does not exist."""
        if project is None and issue_type is None:
            return
        client = self._access.client_for(source.connection, source.provider, deadline=deadline)
        try:
            known = _issue_types(client, project)
        except JiraNotFoundError:
            raise InvalidError(project_not_found(str(project))) from None
        except JiraError as error:
            raise InvalidError(_in_our_words(explain(error))) from None
        if issue_type is not None and issue_type not in known:
            raise InvalidError(issue_type_not_found(issue_type, project))

    def _forget(self, source: _Source | StoredIntegration) -> None:
        """Remove credentials of the integration's own; a connection of somebody's is not ours to remove."""
        if source.provider == PROVIDER:
            self._access.store.delete(source.name)


def project_not_found(project: str) -> str:
    return f"Project not found: {project}. Check the key, and that the account has access to the project"


def issue_type_not_found(issue_type: str, project: str | None) -> str:
    place = "at this site" if project is None else f"in the project {project}"
    return f"Issue type not found: {issue_type} does not exist {place}"


def _issue_types(client: JiraClient, project: str | None) -> set[str]:
    """Return the names of a project's issue types, or of the whole site's."""
    if project is None:
        found = client.get("/rest/api/2/issuetype")
    else:
        shown = client.get("/rest/api/2/project/{project}", project=project)
        found = shown.get("issueTypes") if isinstance(shown, dict) else None
    return set(shapes.names(found))


def _second() -> ConflictError:
    return ConflictError("There is a ticketing integration already. Delete it first.")


def _in_our_words(sentence: str) -> str:
    """Name the integration's fields, where a sentence names those of a connection."""
    for theirs, ours in (("host ", "api_url "), ("credentials is ", "api_access_token is ")):
        if sentence.startswith(theirs):
            return ours + sentence.removeprefix(theirs)
    return sentence.replace("credentials must be", "api_access_token must be")
