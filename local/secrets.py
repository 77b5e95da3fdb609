"""Fill the stack's secrets, as an operator does in an account."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from local.atlassian.registered import CLIENT_ID, CLIENT_SECRET
from local.aws import Aws
from local.settings import Caller


def fill_secrets(aws: Aws, outputs: Mapping[str, str], callers: Iterable[Caller]) -> None:
    """Write the keys of callers, and the emulated Atlassian's app unless another one is set."""
    client = aws.client("secretsmanager")
    ring = _as_key_ring(callers)
    if _value(client, outputs["KeyRingSecretArn"]) != ring:
        client.put_secret_value(SecretId=outputs["KeyRingSecretArn"], SecretString=ring)
    if _value(client, outputs["AtlassianAppSecretArn"]) is None:
        app = json.dumps({"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET})
        client.put_secret_value(SecretId=outputs["AtlassianAppSecretArn"], SecretString=app)


def _value(client: Any, secret: str) -> str | None:
    try:
        value: str = client.get_secret_value(SecretId=secret)["SecretString"]
    except client.exceptions.ResourceNotFoundException:
        return None
    return value or None  # the emulator empties a secret if a newer template has no value for it


def _as_key_ring(callers: Iterable[Caller]) -> str:
    """Return the secret's value: only hashes of keys."""
    keys = [
        {
            "name": caller.name,
            "sha256": hashlib.sha256(caller.key.encode()).hexdigest(),
            "scopes": list(caller.scopes),
        }
        for caller in callers
    ]
    return json.dumps({"keys": keys})
