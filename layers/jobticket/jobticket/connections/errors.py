"""Why there is no working connection.

::

    RefusalError
    ├── ConnectionNotFoundError       401  no connection has that name
    ├── ReauthorizationNeededError    403  its grant or its credentials are dead; needs_reauthorization
    └── ConnectionUnavailableError    503  Atlassian, not the grant, is the trouble; try again

Their message is the contract's text. ``explanation`` names the connection, for callers whose answer must say
which one does not work.
"""

from __future__ import annotations

from jobticket.connections.model import ConnectionId
from jobticket.errors import ForbiddenError, UnauthenticatedError, UnavailableError

__all__ = ["ConnectionNotFoundError", "ConnectionUnavailableError", "ReauthorizationNeededError"]


class ConnectionNotFoundError(UnauthenticatedError):
    def __init__(self, name: ConnectionId) -> None:
        super().__init__("Connection not found")
        self.explanation = f"The Jira connection {name.external_id} does not exist"


class ReauthorizationNeededError(ForbiddenError):
    def __init__(self, name: ConnectionId) -> None:
        super().__init__(
            "Connection is invalid or expired. Please reauthorize the connection.",
            details={"needs_reauthorization": True},
        )
        self.explanation = f"The Jira connection {name.external_id} must be authorized again"


class ConnectionUnavailableError(UnavailableError):
    def __init__(self, name: ConnectionId, *, retry_after: int = 5) -> None:
        super().__init__("Failed to refresh access token", retry_after=retry_after)
        self.explanation = f"The Jira connection {name.external_id} could not get an access token for now"
