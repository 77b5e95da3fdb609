"""Secrets at rest: sealed by the application, on top of the table's own encryption.

A secret is sealed with AES-256-GCM under a data key, bound to its connection and field, so that a ciphertext
copied into another row opens nowhere. Data keys serve one rotation period, not one connection; they lie in
the connections table wrapped by KMS, and unwrapped in the memory of the containers that needed them. The name
of the data key stands in front of each ciphertext, so that older ones stay readable after a rotation. A data
key whose row has ``retired_at`` seals nothing new: another one is made.

Data keys have a purpose, which KMS checks. Consents under way have theirs, so that the public function that
keeps them cannot open a connection. It writes new connections with a ``Sealer``: under data keys that it has
just had made, and with no right to have one unwrapped.

A sealed secret is: version (1 byte), length of the key's name (1), the name, nonce (12), ciphertext and tag.
"""

from __future__ import annotations

import hashlib
import itertools
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import boto3
from boto3.dynamodb.conditions import Attr

from jobticket import clock
from jobticket.aws import configuration, limited
from jobticket.store.table import ConditionFailedError, Item, Table

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from mypy_boto3_kms import KMSClient

    from jobticket.connections.model import ConnectionId

FORMAT = 1
NONCE_BYTES = 12
SORT_KEY = "DATA_KEY"
#: Data keys that a ``Sealer`` has made. Its role may write no others: it cannot plant one for everybody.
SEALERS = "sealer-"
#: A consent ends a year after it was given, and what a ``Sealer`` has sealed ends with it.
SEALERS_KEPT = timedelta(days=400)
#: A data key that was retired is not used for new secrets any more within this time.
LOOK_AGAIN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Purpose:
    """What data keys are for.

    Attributes
    ----------
    name
        The purpose in KMS's encryption context.
    prefix
        What their partition keys begin with.
    kept
        When the table may delete a data key; None where an operator does.
    """

    name: str
    prefix: str
    kept: timedelta | None = None


CONNECTIONS = Purpose("connections", "DATA_KEY#")
#: A data key serves a month, and what it seals lives for minutes.
CONSENTS = Purpose("consents", "CONSENT_KEY#", kept=timedelta(days=40))


class VaultError(Exception):
    """A ciphertext does not belong where it was found, or was changed."""


class DataKeyGoneError(VaultError):
    """An operator has thrown away the data key: the secret is lost, and nobody has tampered with it."""


def kms_client() -> KMSClient:
    """Make the container's KMS client."""
    return limited(boto3.client("kms", config=configuration()))


class Sealer:
    """Seals secrets under data keys of its own, and opens none.

    Parameters
    ----------
    table
        Where the wrapped data keys lie.
    kms
        Gives the KMS client when a data key must be made or unwrapped: most containers never ask.
    key_arn
        The KMS key that wraps data keys.
    now
        The time: a data key serves one calendar month.
    purpose
        What the data keys are for.
    """

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
        """Have the present data key at hand, so that what must be sealed next certainly can be."""
        self._sealing_key()

    def seal(self, connection: ConnectionId, field: str, secret: str) -> bytes:
        """Return the secret, encrypted for this field of this connection."""
        name, data_key = self._sealing_key()
        nonce = secrets.token_bytes(NONCE_BYTES)
        header = bytes((FORMAT, len(name))) + name.encode()
        ciphertext = data_key.encrypt(nonce, secret.encode(), _bound_to(connection, field, header))
        return header + nonce + ciphertext

    def _sealing_key(self) -> tuple[str, AESGCM]:
        """Return the data key that new secrets are sealed with, and its name."""
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
        """Return the name of this container's data key unless it was retired; make another if need be."""
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
        return self._table.get(self._purpose.prefix + name, SORT_KEY)

    def _item(self, name: str, wrapped: bytes, kept: timedelta | None) -> Item:
        item: Item = {
            "pk": self._purpose.prefix + name,
            "sk": SORT_KEY,
            "wrapped": wrapped,
            "kms_key": self._key_arn,
            "created_at": clock.iso_milliseconds(self._now()),
        }
        return item if kept is None else item | {"expires_at": clock.epoch(self._now() + kept)}

    def _context(self, name: str) -> dict[str, str]:
        return {"purpose": self._purpose.name, "data_key": name}


class Vault(Sealer):
    """Seals secrets under data keys that all containers share. Opens these, and what a ``Sealer`` sealed."""

    def open(self, connection: ConnectionId, field: str, sealed: bytes) -> str:
        """Return the secret that was sealed for this field of this connection.

        Raises
        ------
        VaultError
            If it was sealed for another one, was changed, or its data key is gone.
        """
        from cryptography.exceptions import InvalidTag

        header, nonce, ciphertext = _split(sealed)
        data_key = self._data_key(header[2:].decode("ascii", "replace"))
        try:
            return data_key.decrypt(nonce, ciphertext, _bound_to(connection, field, header)).decode()
        except InvalidTag:
            raise VaultError(f"the {field} of a connection cannot be opened") from None

    def is_current(self, sealed: bytes) -> bool:
        """Tell whether a secret is sealed with the data key that new ones are sealed with."""
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
        """Return the name of the period's data key that has not been retired; make it if need be."""
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
        item = self._item(name, wrapped, self._purpose.kept)
        try:
            self._table.put(item, Attr("pk").not_exists())
        except ConditionFailedError as failed:
            # Another container was quicker. Its key counts, or this one's ciphertexts could not be opened.
            winner = failed.item or self._row(name) or {}
            return self._unwrap(name, winner["wrapped"], winner["kms_key"])
        return plaintext

    def _unwrap(self, name: str, wrapped: bytes, key_arn: str) -> bytes:
        # The row names the KMS key, and the function's role decides which it may be.
        answer = self._kms().decrypt(
            KeyId=key_arn, CiphertextBlob=wrapped, EncryptionContext=self._context(name)
        )
        return answer["Plaintext"]


def data_key_name(now: datetime, key_arn: str) -> str:
    """Return what data keys of a moment are called: another month or another KMS key, another data key."""
    return f"{now:%Y-%m}-{hashlib.sha256(key_arn.encode()).hexdigest()[:8]}"


def _cipher(key: bytes) -> AESGCM:
    # Not at the top: most functions that can reach a connection rarely do, and this import costs their start.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _split(sealed: bytes) -> tuple[bytes, bytes, bytes]:
    start = 2 + sealed[1] if len(sealed) > 1 else 0
    if start == 0 or sealed[0] != FORMAT or len(sealed) <= start + NONCE_BYTES:
        raise VaultError("not a sealed secret")
    return sealed[:start], sealed[start : start + NONCE_BYTES], sealed[start + NONCE_BYTES :]


def _bound_to(connection: ConnectionId, field: str, header: bytes) -> bytes:
    """Return the associated data: parts with their lengths, so that no two places share one."""
    parts = (header, connection.provider.encode(), connection.external_id.encode(), field.encode())
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
