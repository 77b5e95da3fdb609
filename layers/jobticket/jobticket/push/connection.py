"""The Jira that jobs are pushed to: the connection that the settings name."""

from __future__ import annotations

from jobticket.clock import Deadline
from jobticket.connections.access import JiraAccess
from jobticket.connections.errors import (
    ConnectionNotFoundError,
    ConnectionUnavailableError,
    ReauthorizationNeededError,
    SecretUnreadableError,
)
from jobticket.errors import InvalidError
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraError
from jobticket.jira.keys import MalformedKeyError
from jobticket.jobs.model import JobSettings


class NoConnectionError(Exception):
    """The settings name no connection."""


#: What can go wrong on the way to Jira; ``explain`` words it.
FAILURES = (
    JiraError,
    MalformedKeyError,
    NoConnectionError,
    ConnectionNotFoundError,
    ConnectionUnavailableError,
    ReauthorizationNeededError,
    SecretUnreadableError,
)


def explain(failure: BaseException) -> str:
    """Return the sentence for the caller: which connection does not work, or what Jira said."""
    if isinstance(failure, JiraError):
        return str(failure)
    return str(getattr(failure, "explanation", failure))


def require_enabled(settings: JobSettings) -> None:
    """Refuse while the integration is switched off."""
    if not settings.enabled:
        raise InvalidError("Jira integration is not enabled")


def require_push_enabled(settings: JobSettings) -> None:
    """Refuse while the integration or pushes are switched off."""
    require_enabled(settings)
    if not settings.push_enabled:
        raise InvalidError("Jira push is not enabled")


def open_client(access: JiraAccess, settings: JobSettings, deadline: Deadline) -> JiraClient:
    """Return a client for the Jira that the settings name; one of ``FAILURES`` if it does not work."""
    if settings.external_id is None:
        raise NoConnectionError("No Jira connection is chosen: externalId is not set in the settings")
    return access.client_for(settings.external_id, deadline=deadline)
