"""Connections in their table.

======================  ==============  ======================================================
pk                      sk              what
======================  ==============  ======================================================
``CONNECTION#p#id``     ``CONNECTION``  the connection; its secret sealed; its lease (``refreshes``)
``CONNECTION#p#id``     ``ACCESS``      its access token, sealed, while there is a good one
``STATE#hash`` …        ``SESSION``     what a user has begun and not finished (``sessions``)
``CONSENTS#p#id``       ``GENERATION``  what a deletion has ended (``sessions``)
``DATA_KEY#name``       ``DATA_KEY``    a wrapped data key (``vault``)
``CONSENT_KEY#name``    ``DATA_KEY``    one for the tokens of consents under way
======================  ==============  ======================================================

The index ``connections_by_id`` lists connections by external id and holds no secret. ``expires_at`` is the
table's TTL attribute; a connection keeps its end in ``expires_on``, because an expired one can still be
asked about.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from boto3.dynamodb.conditions import Attr, ConditionBase, Key

from jobticket import clock
from jobticket.connections.model import AccessToken, Connection, ConnectionId, Lease
from jobticket.errors import UnavailableError
from jobticket.store.table import ConditionFailedError, Delete, Item, Put, Table, Update, Write

INDEX = "connections_by_id"
LIST_KEY = "CONNECTIONS"
#: A replacement meets another change of the same connection rarely, and twice in a row hardly ever.
TRIES = 5
#: What is read of a connection that is to be replaced: no secret. A role may be held to these.
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


def new_authorization() -> str:
    """Return a name for one act of authorization."""
    return secrets.token_urlsafe(12)


@dataclass(frozen=True, slots=True)
class ConnectionPage:
    """Some connections, without their secrets.

    Attributes
    ----------
    last
        The one after which the next page starts; None on the last page.
    """

    connections: list[Connection]
    last: ConnectionId | None


class ConnectionStore:
    """Reads and writes connections.

    Parameters
    ----------
    table
        The connections table.
    """

    def __init__(self, table: Table) -> None:
        self.table = table

    def get(self, name: ConnectionId) -> Connection | None:
        """Read a connection."""
        item = self.table.get(partition(name), "CONNECTION")
        return None if item is None else connection_of(item)

    def outline(self, name: ConnectionId) -> Connection | None:
        """Read a connection without its secret."""
        item = self.table.get(partition(name), "CONNECTION", attributes=OUTLINE)
        return None if item is None else connection_of(item)

    def get_with_token(self, name: ConnectionId) -> tuple[Connection | None, AccessToken | None]:
        """Read a connection and its cached access token in one call.

        A transaction that commits meanwhile may show in one of them only: a token that Jira then refuses is
        replaced as any other.
        """
        items = {item["sk"]: item for item in self.table.query(Key("pk").eq(partition(name))).items}
        connection, token = items.get("CONNECTION"), items.get("ACCESS")
        return (
            None if connection is None else connection_of(connection),
            None if token is None else token_of(token),
        )

    def get_token(self, name: ConnectionId) -> AccessToken | None:
        """Read the cached access token alone.

        Whatever ends a connection removes its token in the same transaction: a token that is there is good.
        """
        item = self.table.get(partition(name), "ACCESS")
        return None if item is None else token_of(item)

    def replace(
        self,
        connection: Connection,
        token: AccessToken | None = None,
        *,
        permit: Callable[[Connection | None], None] = lambda _earlier: None,
        alongside: Sequence[Write] = (),
    ) -> Connection:
        """Write a newly authorized connection over whatever has its name, and return it as written.

        The project that was chosen stays chosen if the site is the same.

        Parameters
        ----------
        token
            Its first access token.
        permit
            Gets what would be replaced and raises if it must not be.
        alongside
            Writes that commit together with this one.

        Raises
        ------
        ConditionFailedError
            If one of ``alongside`` does not hold; ``position`` counts from 0 there.
        """
        for _ in range(TRIES):
            earlier = self.outline(connection.id)
            permit(earlier)
            merged = with_project_of(connection, earlier)
            writes: list[Write] = [
                Put(item_of(merged), unchanged(earlier)),
                Delete(partition(connection.id), "ACCESS") if token is None else put_token(merged, token),
            ]
            try:
                self.table.transact([*writes, *alongside], token=secrets.token_hex(16))
            except ConditionFailedError as failed:
                if failed.position >= len(writes):
                    raise ConditionFailedError({failed.position - len(writes): failed.item}) from failed
                continue
            return merged
        raise UnavailableError("The connection is being changed by others", retry_after=1)

    def drop_token(self, name: ConnectionId, token: AccessToken) -> None:
        """Forget a cached access token, unless another one has taken its place."""
        try:
            self.table.delete(partition(name), "ACCESS", Attr("token").eq(token.sealed))
        except ConditionFailedError:
            return

    def delete(self, name: ConnectionId, alongside: Sequence[Write] = ()) -> None:
        """Remove a connection and its token at once; nothing happens if there is none.

        Parameters
        ----------
        alongside
            Writes that commit together with this one.
        """
        self.table.transact(
            [Delete(partition(name), "CONNECTION"), Delete(partition(name), "ACCESS"), *alongside],
            token=secrets.token_hex(16),
        )

    def mark(self, connection: Connection, *, invalid: bool) -> None:
        """Say whether a connection without OAuth is refused, unless it was replaced meanwhile."""
        write = Update(
            partition(connection.id),
            "CONNECTION",
            set={"status": stored_status(invalid)},
            condition=Attr("authorization").eq(connection.authorization),
        )
        try:
            self.table.update(write)
        except ConditionFailedError:
            return

    def reseal(self, connection: Connection, secret: bytes) -> bool:
        """Replace a secret's ciphertext by another of the same secret; tell whether it was still there."""
        write = Update(
            partition(connection.id),
            "CONNECTION",
            set={"secret": secret},
            condition=Attr("secret").eq(connection.secret),
        )
        try:
            self.table.update(write)
        except ConditionFailedError:
            return False
        return True

    def select_project(self, name: ConnectionId, project_id: str | None) -> bool:
        """Choose the connection's project, or none; tell whether the connection exists."""
        chosen: Mapping[str, Any] = {} if project_id is None else {"selected_project_id": project_id}
        write = Update(
            partition(name),
            "CONNECTION",
            set=chosen,
            remove=() if chosen else ("selected_project_id",),
            condition=Attr("pk").exists(),
        )
        try:
            self.table.update(write)
        except ConditionFailedError:
            return False
        return True

    def page(self, limit: int, after: ConnectionId | None) -> ConnectionPage:
        """Read connections by external id, starting after one."""
        start = None if after is None else {"sk": "CONNECTION", **_keys(after)}
        page = self.table.query(Key("list_pk").eq(LIST_KEY), index=INDEX, limit=limit, start=start)
        connections = [connection_of(item) for item in page.items]
        return ConnectionPage(connections, connections[-1].id if page.next_key and connections else None)


def partition(name: ConnectionId) -> str:
    """Return the partition key of a connection."""
    return f"CONNECTION#{name}"


def _keys(name: ConnectionId) -> Item:
    return {
        "pk": partition(name),
        "list_pk": LIST_KEY,
        # A sort key holds 1,024 bytes: 255 characters of 4 bytes, and no provider besides.
        "list_sk": name.external_id,
    }


def unchanged(earlier: Connection | None) -> ConditionBase:
    """Return the condition that a connection is still what was read, as far as replacing it goes."""
    if earlier is None:
        return Attr("pk").not_exists()
    return (
        Attr("authorization").eq(earlier.authorization)
        & Attr("status").eq(stored_status(earlier.invalid))
        & same("selected_project_id", earlier.selected_project_id)
    )


def same(attribute: str, value: str | None) -> ConditionBase:
    """Return the condition that an attribute has a value, or that it is not there for None."""
    return Attr(attribute).not_exists() if value is None else Attr(attribute).eq(value)


def with_project_of(connection: Connection, earlier: Connection | None) -> Connection:
    """Return the new connection with the earlier one's project, if both are of the same site."""
    if earlier is None or not same_site(connection, earlier):
        return connection
    return replace(connection, selected_project_id=earlier.selected_project_id)


def same_site(one: Connection, other: Connection) -> bool:
    if one.site_id is not None and other.site_id is not None:
        return one.site_id == other.site_id
    return one.site_url == other.site_url


def item_of(connection: Connection) -> Item:
    """Return the connection as its item."""
    item = {
        **_keys(connection.id),
        "sk": "CONNECTION",
        "provider": connection.id.provider,
        "external_id": connection.id.external_id,
        "kind": connection.kind,
        "authorization": connection.authorization,
        "version": connection.version,
        "secret": connection.secret,
        "site_id": connection.site_id,
        "site_name": connection.site_name,
        "site_url": connection.site_url,
        "api_url": connection.api_url,
        "deployment": connection.deployment,
        "account": connection.account,
        "authorized_at": clock.iso_milliseconds(connection.authorized_at),
        "last_refreshed_at": _text(connection.last_refreshed_at),
        "expires_on": _text(connection.expires_at),
        "status": stored_status(connection.invalid),
        "selected_project_id": connection.selected_project_id,
    }
    return {name: value for name, value in item.items() if value is not None}


def connection_of(item: Item) -> Connection:
    """Return an item's connection; what an index leaves out stays empty."""
    return Connection(
        id=ConnectionId(item["provider"], item["external_id"]),
        kind=item["kind"],
        authorization=item.get("authorization", ""),
        version=item.get("version", 0),
        secret=item.get("secret", b""),
        site_id=item.get("site_id"),
        site_name=item["site_name"],
        site_url=item["site_url"],
        api_url=item.get("api_url", ""),
        deployment=item.get("deployment", "cloud"),
        account=item.get("account"),
        authorized_at=clock.parse_iso(item["authorized_at"]),
        last_refreshed_at=_moment(item.get("last_refreshed_at")),
        expires_at=_moment(item.get("expires_on")),
        invalid=item["status"] == "invalid",
        selected_project_id=item.get("selected_project_id"),
        lease=Lease(item["lease_owner"], clock.parse_iso(item["lease_until"]))
        if "lease_owner" in item
        else None,
        unfinished_since=_moment(item.get("unfinished_since")),
        failed_at=_moment(item.get("failed_at")),
        retry_at=_moment(item.get("retry_at")),
    )


def stored_status(invalid: bool) -> str:
    """Return the word that the table keeps: it does not know the time, so it has none for expired."""
    return "invalid" if invalid else "valid"


def put_token(connection: Connection, token: AccessToken) -> Put:
    """Return the write that caches a connection's access token."""
    return Put(
        {
            "pk": partition(connection.id),
            "sk": "ACCESS",
            "token": token.sealed,
            "usable_until": clock.iso_milliseconds(token.usable_until),
            "token_expires_at": clock.iso_milliseconds(token.expires_at),
            "expires_at": clock.epoch(token.usable_until),
        }
    )


def token_of(item: Item) -> AccessToken:
    """Return an item's access token."""
    return AccessToken(
        sealed=item["token"],
        usable_until=clock.parse_iso(item["usable_until"]),
        expires_at=clock.parse_iso(item["token_expires_at"]),
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else clock.iso_milliseconds(moment)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else clock.parse_iso(text)
