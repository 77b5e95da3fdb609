"""What the connections table holds.

======================  ==============  ===========================================================
pk                      sk              what
======================  ==============  ===========================================================
``CONNECTION#p#id``     ``CONNECTION``  a connection, its secret sealed, and its lease (``refreshes``)
``CONNECTION#p#id``     ``ACCESS``      its cached access token, sealed
``STATE#hash`` …        ``SESSION``     a consent that is under way (``sessions``)
``CONSENTS#p#id``       ``GENERATION``  the mark of a deletion (``sessions``)
``DATA_KEY#name``       ``DATA_KEY``    a wrapped data key (``vault``)
``CONSENT_KEY#name``    ``DATA_KEY``    a wrapped data key for consents under way
``SWEEP``               ``CONNECTIONS`` where the keeper's sweep stands (``keeper``)
======================  ==============  ===========================================================

The index ``connections_by_id`` lists connections by external id and holds no secret. ``expires_at`` is the
table's TTL attribute. A connection keeps its end in ``expires_on``: it can be asked about after that.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase

from jobticket import clock
from jobticket.connections.model import AccessToken, Connection, ConnectionId
from jobticket.dataclass import fields
from jobticket.history.records import Stamp, record
from jobticket.store.lease import Lease
from jobticket.store.table import Delete, Item, Put, Update
from jobticket.store.unit_of_work import UnitOfWork

LIST_KEY = "CONNECTIONS"
#: The attributes of a connection that ``oauth`` may read: no secret.
OUTLINE = (
    "provider",
    "external_id",
    "kind",
    "authorization",
    "site_id",
    "site_name",
    "site_url",
    "authorized_at",
    "expires_on",
    "status",
    "selected_project_id",
)

#: Members and the attributes that hold them. Only ``expires_at`` has another name: that is the table's TTL.
STORED = {
    member.name: "expires_on" if member.name == "expires_at" else member.name
    for member in fields(Connection)
    if member.name not in {"id", "invalid", "lease"}
}
MOMENTS = {member.name for member in fields(Connection) if "datetime" in str(member.type)}
#: Placeholders for attributes that the index leaves out.
UNLISTED: Item = {
    "authorization": "",
    "version": 0,
    "secret": b"",
    "site_id": None,
    "api_url": "",
    "deployment": "cloud",
}


def partition(name: ConnectionId) -> str:
    """Return the partition key of a connection."""
    return f"CONNECTION#{name}"


def list_keys(name: ConnectionId) -> Item:
    """Return the keys of a connection in its partition and in the index."""
    # A sort key holds 1,024 bytes: 255 characters of 4 bytes, and no provider besides.
    return {"pk": partition(name), "list_pk": LIST_KEY, "list_sk": name.external_id}


def history_of(name: ConnectionId) -> str:
    """Return a connection as the history names it."""
    return f"CONNECTION#{name.external_id}"


def record_status(work: UnitOfWork, name: ConnectionId, stamp: Stamp, *, invalid: bool) -> None:
    """Add the record that a connection was refused, or is accepted again; by whom, not at whose request."""
    record(work, stamp, history_of(name), f"marked_{stored_status(invalid)}")


def same(attribute: str, value: str | None) -> ConditionBase:
    """Return the condition that an attribute has a value; for None, that it is missing."""
    return Attr(attribute).not_exists() if value is None else Attr(attribute).eq(value)


def item_of(connection: Connection) -> Item:
    """Return a connection's item."""
    members = {attribute: getattr(connection, name) for name, attribute in STORED.items()}
    present = {
        name: written(value) if isinstance(value, datetime) else value
        for name, value in members.items()
        if value is not None
    }
    return {
        **list_keys(connection.id),
        **present,
        "sk": "CONNECTION",
        "provider": connection.id.provider,
        "external_id": connection.id.external_id,
        "status": stored_status(connection.invalid),
    }


def connection_of(item: Item) -> Connection:
    """Return an item's connection; attributes that an index leaves out get a default."""
    stored = {name: item[attribute] for name, attribute in STORED.items() if attribute in item}
    moments = {name: clock.parse_iso(stored[name]) for name in MOMENTS & stored.keys()}
    return Connection(
        id=ConnectionId(item["provider"], item["external_id"]),
        invalid=item["status"] == "invalid",
        lease=Lease.of(item),
        **(UNLISTED | stored | moments),
    )


def connection_or_none(item: Item | None) -> Connection | None:
    """Return an item's connection, if there is an item."""
    return None if item is None else connection_of(item)


def stored_status(invalid: bool) -> str:
    """Return the stored status. It is never ``expired``: that follows from the time of reading."""
    return "invalid" if invalid else "valid"


def token_put(name: ConnectionId, token: AccessToken) -> Put:
    """Return the write that caches a connection's access token."""
    item = {
        "pk": partition(name),
        "sk": "ACCESS",
        "token": token.sealed,
        "usable_until": written(token.usable_until),
        "token_expires_at": written(token.expires_at),
        "expires_at": clock.epoch(token.usable_until),
    }
    return Put(item)


def token_deletion(name: ConnectionId, condition: ConditionBase | None = None) -> Delete:
    """Return the write that deletes a connection's access token."""
    return Delete(partition(name), "ACCESS", condition)


def update_of(name: ConnectionId, condition: ConditionBase, **changes: Any) -> Update:
    """Return the write that changes a connection."""
    return Update(partition(name), "CONNECTION", condition=condition, **changes)


def token_of(item: Item | None) -> AccessToken | None:
    """Return an item's access token, if there is an item."""
    if item is None:
        return None
    return AccessToken(
        sealed=item["token"],
        usable_until=clock.parse_iso(item["usable_until"]),
        expires_at=clock.parse_iso(item["token_expires_at"]),
    )


def written(moment: datetime | None) -> str | None:
    """Return a moment as items and answers have it."""
    return None if moment is None else clock.iso_milliseconds(moment)
