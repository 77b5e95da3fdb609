"""Secrets at rest: sealed by the application, on top of the table's own encryption.

A secret is sealed with AES-256-GCM under a data key. It is bound to its connection and field: a ciphertext
that is copied into another row does not open there. A data key serves one calendar month, not one connection.
It is stored in the connections table wrapped by KMS; containers keep it unwrapped in memory. Each ciphertext
begins with its key's name, so older ones stay readable after a rotation. A data key whose row has
``retired_at`` seals nothing new: another one is made.

Data keys have a purpose, which KMS checks. Consents under way have their own, so that the public function
that keeps them cannot open a connection. It seals new connections with a ``Sealer``: under data keys that it
has made itself, and without the right to unwrap one.

A sealed secret is: version (1 byte), length of the key's name (1), the name, nonce (12), ciphertext and tag.
"""

from __future__ import annotations

import hashlib
import itertools
import secrets
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import boto3

from jobticket import clock
from jobticket.aws import configuration, limited
from jobticket.dataclass import dataclass
from jobticket.store.table import Item, Put, Table
from jobticket.store.unit_of_work import ABSENT, StaleError, write

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from mypy_boto3_kms import KMSClient

    from jobticket.connections.model import ConnectionId

FORMAT = 1
NONCE_BYTES = 12
SORT_KEY = "DATA_KEY"
#: Data keys that a ``Sealer`` has made. Its role may write no others: it cannot plant one for a ``Vault``.
SEALERS = "sealer-"
#: A consent ends a year after it was given, and what a ``Sealer`` has sealed ends with it.
SEALERS_KEPT = timedelta(days=400)
#: A retired data key seals nothing new after this time.
LOOK_AGAIN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Purpose:
    """The purpose of data keys: its name for KMS, and how they are stored."""

    name: str
    key_prefix: str
    #: When the table may delete a data key; None if an operator deletes it.
    kept: timedelta | None = None


CONNECTIONS = Purpose("connections", "DATA_KEY#")
#: A data key seals for a month, and what it seals lives for minutes.
CONSENTS = Purpose("consents", "CONSENT_KEY#", kept=timedelta(days=40))


class VaultError(Exception):
    """A ciphertext was changed, or moved from another row."""


class DataKeyGoneError(VaultError):
    """An operator has deleted the data key: the secret is lost."""


def kms_client() -> KMSClient:
    """Make the container's KMS client."""
    return limited(boto3.client("kms", config=configuration()))


class Sealer:
    """Seals secrets under data keys of its own, and opens none. The KMS key wraps the data keys."""

    def __init__(
        self,
        table: Table,
        kms: Callable[[], KMSClient],
        key_arn: str,
        now: Callable[[], datetime] = clock.now,
        purpose: Purpose = CONNECTIONS,
    ) -> None:
        self._table = table
        self._kms = kms
        self._key_arn = key_arn
        self._now = now
        self._purpose = purpose
        self._data_keys: dict[str, AESGCM] = {}
        self._sealing: tuple[str, datetime] | None = None
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Fetch the present data key if need be, so that the next secret can certainly be sealed."""
        self._sealing_key()

    def seal(self, connection: ConnectionId, field: str, secret: str) -> bytes:
        """Return the secret, encrypted for this field of this connection."""
        name, data_key = self._sealing_key()
        nonce = secrets.token_bytes(NONCE_BYTES)
        header = bytes((FORMAT, len(name))) + name.encode()
        ciphertext = data_key.encrypt(nonce, secret.encode(), _bound_to(connection, field, header))
        return header + nonce + ciphertext

    def _sealing_key(self) -> tuple[str, AESGCM]:
        """Return the name of the data key for new secrets, and the key."""
        period = self._period()
        with self._lock:
            if self._sealing is not None:
                name, looked_at = self._sealing
                known = name.startswith(period) and name in self._data_keys
                if known and self._now() - looked_at < LOOK_AGAIN:
                    return name, self._data_keys[name]
            name = self._choose(period)
            self._sealing = name, self._now()
            return name, self._data_keys[name]

    def _period(self) -> str:
        return SEALERS + data_key_name(self._now(), self._key_arn)

    def _choose(self, period: str) -> str:
        """Return the name of this container's data key, of a new one if it was retired."""
        if self._sealing is not None:
            name, _ = self._sealing
            item = self._row(name)
            if name.startswith(period) and item is not None and "retired_at" not in item:
                return name
        name = f"{period}-{secrets.token_hex(8)}"
        plaintext, wrapped = self._generate(name)
        self._table.put(self._item(name, wrapped, SEALERS_KEPT))
        self._data_keys[name] = _cipher(plaintext)
        return name

    def _generate(self, name: str) -> tuple[bytes, bytes]:
        made = self._kms().generate_data_key(
            KeyId=self._key_arn, KeySpec="AES_256", EncryptionContext=self._context(name)
        )
        return made["Plaintext"], made["CiphertextBlob"]

    def _row(self, name: str) -> Item | None:
        return self._table.get(self._purpose.key_prefix + name, SORT_KEY)

    def _item(self, name: str, wrapped: bytes, kept: timedelta | None) -> Item:
        item: Item = {
            "pk": self._purpose.key_prefix + name,
            "sk": SORT_KEY,
            "wrapped": wrapped,
            "kms_key": self._key_arn,
            "created_at": clock.iso_milliseconds(self._now()),
        }
        return item if kept is None else item | {"expires_at": clock.epoch(self._now() + kept)}

    def _context(self, name: str) -> dict[str, str]:
        return {"purpose": self._purpose.name, "data_key": name}


class Vault(Sealer):
    """Seals secrets under data keys that all containers share; opens these, and those of a ``Sealer``."""

    def open(self, connection: ConnectionId, field: str, sealed: bytes) -> str:
        """Return the secret that was sealed for this field of this connection, or raise ``VaultError``."""
        from cryptography.exceptions import InvalidTag

        header, nonce, ciphertext = _split(sealed)
        data_key = self._data_key(header[2:].decode("ascii", "replace"))
        try:
            return data_key.decrypt(nonce, ciphertext, _bound_to(connection, field, header)).decode()
        except InvalidTag:
            raise VaultError(f"the {field} of a connection cannot be opened") from None

    def is_current(self, sealed: bytes) -> bool:
        """Tell whether a secret is sealed with the data key for new secrets."""
        return _split(sealed)[0][2:] == self._sealing_key()[0].encode()

    def _data_key(self, name: str) -> AESGCM:
        with self._lock:
            if name not in self._data_keys:
                item = self._row(name)
                if item is None:
                    raise DataKeyGoneError(f"the data key {name} does not exist")
                self._data_keys[name] = _cipher(self._unwrap(name, item["wrapped"], item["kms_key"]))
            return self._data_keys[name]

    def _period(self) -> str:
        return data_key_name(self._now(), self._key_arn)

    def _choose(self, period: str) -> str:
        """Return the name of the period's first data key that is not retired; make it if need be."""
        for number in itertools.count(1):
            name = f"{period}-{number}"
            item = self._row(name)
            if item is None:
                self._data_keys[name] = _cipher(self._make(name))
                break
            if "retired_at" not in item:
                if name not in self._data_keys:
                    self._data_keys[name] = _cipher(self._unwrap(name, item["wrapped"], item["kms_key"]))
                break
        return name

    def _make(self, name: str) -> bytes:
        plaintext, wrapped = self._generate(name)
        try:
            write(self._table, Put(self._item(name, wrapped, self._purpose.kept), ABSENT))
        except StaleError as stale:
            # Another container was quicker. Its key counts, or this one's ciphertexts could not be opened.
            winner = stale.item or self._row(name) or {}
            return self._unwrap(name, winner["wrapped"], winner["kms_key"])
        return plaintext

    def _unwrap(self, name: str, wrapped: bytes, key_arn: str) -> bytes:
        # The row names the KMS key; the function's role allows the right ones only.
        answer = self._kms().decrypt(
            KeyId=key_arn, CiphertextBlob=wrapped, EncryptionContext=self._context(name)
        )
        return answer["Plaintext"]


def data_key_name(now: datetime, key_arn: str) -> str:
    """Return the name of the data keys of a month and a KMS key."""
    return f"{now:%Y-%m}-{hashlib.sha256(key_arn.encode()).hexdigest()[:8]}"


def _cipher(key: bytes) -> AESGCM:
    # Imported late: it slows the start of functions, and most of their containers never need it.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _split(sealed: bytes) -> tuple[bytes, bytes, bytes]:
    start = 2 + sealed[1] if len(sealed) > 1 else 0
    if start == 0 or sealed[0] != FORMAT or len(sealed) <= start + NONCE_BYTES:
        raise VaultError("not a sealed secret")
    return sealed[:start], sealed[start : start + NONCE_BYTES], sealed[start + NONCE_BYTES :]


def _bound_to(connection: ConnectionId, field: str, header: bytes) -> bytes:
    """Return the associated data: each part with its length, so that it differs for every field."""
    parts = (header, connection.provider.encode(), connection.external_id.encode(), field.encode())
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
