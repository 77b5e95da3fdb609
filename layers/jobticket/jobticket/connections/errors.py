"""Why a connection does not work.

::

    RefusalError
    ├── ConnectionNotFoundError       401  no connection has that name
    ├── ReauthorizationNeededError    403  its grant or its credentials are dead; needs_reauthorization
    └── ConnectionUnavailableError    503  Atlassian or AWS fails, the grant is alive; try again
        └── AuthorityUnreadableError  503  the secret of the private certificate authority cannot be read
    VaultError
    └── SecretUnreadableError         its secret was changed, or its data key is gone: a fault, not a refusal

Clients compare the messages: they stay as they are. ``explanation`` names the connection, for callers whose
answer must say which one does not work.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobticket.connections.model import ConnectionId
from jobticket.connections.vault import VaultError
from jobticket.errors import REAUTHORIZE, ForbiddenError, UnauthenticatedError, UnavailableError


class ConnectionNotFoundError(UnauthenticatedError):
    def __init__(self, name: ConnectionId) -> None:
        super().__init__("Connection not found")
        self.explanation = f"The Jira connection {name.external_id} does not exist"


class ReauthorizationNeededError(ForbiddenError):
    def __init__(self, name: ConnectionId, missing_scopes: Sequence[str] = ()) -> None:
        lacks = {"missing_scopes": list(missing_scopes)} if missing_scopes else {}
        super().__init__(REAUTHORIZE, details={"needs_reauthorization": True, **lacks})
        self.explanation = f"The Jira connection {name.external_id} must be authorized again"


class ConnectionUnavailableError(UnavailableError):
    def __init__(self, name: ConnectionId, *, retry_after: int = 5) -> None:
        super().__init__("Failed to refresh access token", retry_after=retry_after)
        self.explanation = f"The Jira connection {name.external_id} could not get an access token for now"


class AuthorityUnreadableError(ConnectionUnavailableError):
    def __init__(self, fault: str = "cannot be read") -> None:
        UnavailableError.__init__(self, f"The private certificate authority {fault}", retry_after=5)
        self.explanation = self.message


class SecretUnreadableError(VaultError):
    def __init__(self, name: ConnectionId, cause: VaultError) -> None:
        super().__init__(str(cause))
        self.explanation = f"The credentials of the Jira connection {name.external_id} cannot be read"
