"""What is kept of Jira's webhooks: the secret of the administrator's, and those registered for an OAuth app.

The secret is sealed under data keys with a purpose of their own, which lie in ticketing's table: the public
function that verifies webhooks can open nothing else with them.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime

from jobticket import clock
from jobticket.connections.model import ConnectionId
from jobticket.connections.vault import Purpose, Vault
from jobticket.dataclass import dataclass
from jobticket.store.table import Delete, Item, Table, Update
from jobticket.store.unit_of_work import PRESENT, write, write_if_current

#: The purpose of the data keys for webhooks' secrets. Their items' names begin with the prefix.
WEBHOOKS = Purpose("webhooks", "WEBHOOK_KEY#")
WEBHOOK = "WEBHOOK"
SEEN_PREFIX = "WEBHOOK_SEEN#"


@dataclass(frozen=True, slots=True)
class Registration:
    """Dynamic webhooks as Jira registered them, for the OAuth connection of this external id."""

    external_id: str
    webhook_ids: tuple[int, ...]
    expires_at: datetime
    checked_at: datetime  #: when Jira last had them


class WebhookStore:
    """One item for each integration, and one for each webhook that was taken, until its time is over.

    Parameters
    ----------
    vault
        One of the purpose ``WEBHOOKS``, over the same table.
    """

    def __init__(self, table: Table, vault: Vault) -> None:
        self._table = table
        self._vault = vault

    def make_secret(self, integration_id: int) -> str:
        """Make the integration's secret, in place of an earlier one, and return it: it is shown only now."""
        secret = secrets.token_urlsafe(32)
        sealed = self._vault.seal(_bound_to(integration_id), "webhook_secret", secret)
        write(self._table, Update(_pk(integration_id), WEBHOOK, set={"secret": sealed}))
        return secret

    def secret(self, integration_id: int) -> str | None:
        """Return the secret of the administrator's webhook, if one was made."""
        item = self._table.get(_pk(integration_id), WEBHOOK)
        if item is None or "secret" not in item:
            return None
        return self._vault.open(_bound_to(integration_id), "webhook_secret", item["secret"])

    def register(self, integration_id: int, registration: Registration) -> None:
        """Remember dynamic webhooks, or their new expiry, in place of earlier ones."""
        values = {
            "external_id": registration.external_id,
            "webhook_ids": list(registration.webhook_ids),
            "registered_until": clock.epoch(registration.expires_at),
            "registered_at": clock.epoch(registration.checked_at),
        }
        write(self._table, Update(_pk(integration_id), WEBHOOK, set=values))

    def registration(self, integration_id: int) -> Registration | None:
        item = self._table.get(_pk(integration_id), WEBHOOK)
        return None if item is None else _registration_from(item)

    def unregister(self, integration_id: int) -> None:
        """Forget dynamic webhooks; the administrator's secret stays."""
        removed = ("external_id", "webhook_ids", "registered_until", "registered_at")
        write_if_current(self._table, Update(_pk(integration_id), WEBHOOK, remove=removed, condition=PRESENT))

    def removal(self, integration_id: int) -> Delete:
        """Return the write that ends all webhooks of an integration, for the unit that removes it."""
        return Delete(_pk(integration_id), WEBHOOK)

    def was_seen(self, signed: bytes) -> bool:
        """Tell whether exactly this was taken before. DynamoDB deletes late, which does no harm here."""
        return self._table.get(_seen_pk(signed), WEBHOOK) is not None

    def remember(self, signed: bytes, until: datetime) -> None:
        """Remember what was taken, until its own time is over."""
        item: Item = {"pk": _seen_pk(signed), "sk": WEBHOOK, "expires_at": clock.epoch(until)}
        self._table.put(item)


def _pk(integration_id: int) -> str:
    return f"{WEBHOOK}#{integration_id}"


def _seen_pk(signed: bytes) -> str:
    return SEEN_PREFIX + hashlib.sha256(signed).hexdigest()


def _bound_to(integration_id: int) -> ConnectionId:
    return ConnectionId("ticketing", str(integration_id))


def _registration_from(item: Item) -> Registration | None:
    if "webhook_ids" not in item:
        return None
    until, checked = item["registered_until"], item.get("registered_at", 0)
    moments = [datetime.fromtimestamp(moment, UTC) for moment in (until, checked)]
    return Registration(item["external_id"], tuple(item["webhook_ids"]), *moments)
