"""What answers tell about connections: never a secret."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.connections.access import JiraAccess
from jobticket.connections.account import Account, account_at
from jobticket.connections.credentials import Form, advice_on
from jobticket.connections.errors import SecretUnreadableError
from jobticket.connections.layout import written
from jobticket.connections.model import Connection, Kind
from jobticket.errors import REAUTHORIZE, RefusalError
from jobticket.jira.errors import JiraError, JiraRefusedCredentialsError

#: What to advise on is what the caller gave.
_FORMS: dict[Kind, Form] = {"personal_access_token": "bearer", "client_credentials": "client"}


def listed(connection: Connection, now: datetime) -> dict[str, Any]:
    """Return a connection as the list shows it."""
    return {
        "external_id": connection.id.external_id,
        "provider": connection.id.provider,
        "kind": connection.kind,
        "site_name": connection.site_name,
        "site_url": connection.site_url,
        "selected_project_id": connection.selected_project_id,
        "status": connection.status(now),
        "authorized_at": written(connection.authorized_at),
        "last_refreshed_at": written(connection.last_refreshed_at),
        "expires_at": written(connection.expires_at),
    }


def ask_account(access: JiraAccess, connection: Connection, deadline: Deadline) -> Account:
    """Ask Jira for the connection's account, even if its credentials were refused before.

    Credentials that Jira refuses are marked invalid, and valid once it accepts them again. A consent is
    judged by its refresh alone.
    """
    by_credentials = connection.kind != "oauth"
    try:
        account = account_at(access.unchecked_client(connection, deadline=deadline))
    except JiraRefusedCredentialsError:
        if by_credentials:
            access.store.mark(connection, clock.now(), invalid=True)
        raise
    if by_credentials and connection.invalid:
        access.store.mark(connection, clock.now(), invalid=False)
    return account


def test_connection(access: JiraAccess, connection: Connection, deadline: Deadline) -> dict[str, Any]:
    """Return whether the connection works, for the answer of its test."""
    try:
        account = ask_account(access, connection, deadline)
    except JiraError as error:
        if connection.kind == "oauth" and isinstance(error, JiraRefusedCredentialsError):
            return {"connected": False, "error": REAUTHORIZE}
        return {"connected": False, "error": advice_on(error, _FORMS.get(connection.kind, "basic"))}
    except RefusalError as refusal:
        return {"connected": False, "error": refusal.message}
    except SecretUnreadableError as fault:
        return {"connected": False, "error": fault.explanation}
    return {"connected": True, "account": account.as_json()}
