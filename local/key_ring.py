"""Put the callers' keys into the secret that the functions read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from local.aws import Aws
from local.settings import Caller

__all__ = ["as_key_ring", "seed_key_ring"]


def seed_key_ring(aws: Aws, secret: str, callers: Iterable[Caller]) -> None:
    """Write the ring, unless it stands there already."""
    secrets = aws.client("secretsmanager")
    ring = as_key_ring(callers)
    if secrets.get_secret_value(SecretId=secret)["SecretString"] != ring:
        secrets.put_secret_value(SecretId=secret, SecretString=ring)


def as_key_ring(callers: Iterable[Caller]) -> str:
    """The secret's value: keys as hashes alone."""
    keys = [
        {
            "name": caller.name,
            "sha256": hashlib.sha256(caller.key.encode()).hexdigest(),
            "scopes": list(caller.scopes),
        }
        for caller in callers
    ]
    return json.dumps({"keys": keys})
