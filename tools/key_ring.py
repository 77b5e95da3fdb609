"""Add, list and remove the keys of callers.

    python -m tools.key_ring --secret <KeyRingSecretArn> list
    python -m tools.key_ring --secret <KeyRingSecretArn> add tablets --scopes jobs
    python -m tools.key_ring --secret <KeyRingSecretArn> remove tablets

The ring holds hashes, so a key is shown only once, when it is made. A new key works within 30 seconds. A
removed key stops working within 5 minutes. To rotate: add a second key, hand it out, remove the first.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import secrets
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

#: The scopes that functions know (jobticket.web.authentication).
SCOPES = ("jobs", "jira", "tokens", "ticketing", "admin", "*")

Entry = dict[str, Any]
_DIGEST = re.compile("[0-9a-f]{64}")


class KeyRingError(Exception):
    """The ring cannot be changed like this."""


def is_good(entry: Any) -> bool:
    """Tell whether functions accept an entry; they ignore all others."""
    match entry:
        case {"name": str(), "sha256": str(digest), "scopes": [*scopes]}:
            return bool(_DIGEST.fullmatch(digest)) and all(scope in SCOPES for scope in scopes)
        case _:
            return False


def add(keys: Sequence[Entry], name: str, scopes: Sequence[str], key: str) -> list[Entry]:
    """Return the ring with one more key.

    Raises
    ------
    KeyRingError
        If the name is taken, or a scope is missing or unknown.
    """
    if any(_name(entry) == name for entry in keys):
        raise KeyRingError(f"There is a key named {name} already; give the new one another name")
    if not scopes:
        raise KeyRingError(f"A key needs a scope. There are {', '.join(SCOPES)}")
    if unknown := set(scopes) - set(SCOPES):
        raise KeyRingError(f"No such scope: {', '.join(sorted(unknown))}. There are {', '.join(SCOPES)}")
    digest = hashlib.sha256(key.encode()).hexdigest()
    return [*keys, {"name": name, "sha256": digest, "scopes": list(scopes)}]


def remove(keys: Sequence[Entry], name: str) -> list[Entry]:
    """Return the ring without a key.

    Raises
    ------
    KeyRingError
        If no key has the name.
    """
    kept = [entry for entry in keys if _name(entry) != name]
    if len(kept) == len(keys):
        raise KeyRingError(f"There is no key named {name}")
    return kept


def _name(entry: Any) -> str:
    return str(entry.get("name", "")) if isinstance(entry, dict) else ""


def _line(entry: Any) -> str:
    told = (
        ",".join(entry["scopes"]) if is_good(entry) else "malformed: the functions leave it out. Remove it."
    )
    return f"{_name(entry)}\t{told}"


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.key_ring", description="The keys of callers.")
    parser.add_argument("--secret", required=True, help="the stack's output KeyRingSecretArn")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list")
    adding = commands.add_parser("add")
    adding.add_argument("name")
    adding.add_argument("--scopes", required=True, help="with commas between: " + ", ".join(SCOPES))
    commands.add_parser("remove").add_argument("name")
    return parser.parse_args(given)


def _keys(client: SecretsManagerClient, secret: str) -> list[Entry]:
    try:
        text = client.get_secret_value(SecretId=secret)["SecretString"]
    except client.exceptions.ResourceNotFoundException:
        client.describe_secret(SecretId=secret)  # raises if the secret itself is missing
        return []  # no key was ever added
    try:
        ring = json.loads(text)
    except ValueError:
        ring = None
    match ring:
        case {"keys": [*keys]}:
            return keys
        case {} if not ring:  # as the functions take it
            return []
        case _:  # the error must not show the text: it may be a secret
            raise KeyRingError('The secret is no key ring. Put in {"keys": []} and add the keys anew')


def main(given: Sequence[str] | None = None) -> None:
    """Run the command."""
    arguments = _arguments(given)
    client = boto3.client("secretsmanager")
    keys = _keys(client, arguments.secret)
    if arguments.command == "list":
        for entry in keys:
            print(_line(entry))
        return
    made = f"jtk_{secrets.token_urlsafe(32)}"
    if arguments.command == "add":
        keys = add(keys, arguments.name, arguments.scopes.split(","), made)
    else:
        keys = remove(keys, arguments.name)
    client.put_secret_value(SecretId=arguments.secret, SecretString=json.dumps({"keys": keys}))
    if arguments.command == "add":
        print(made)


if __name__ == "__main__":
    try:
        main()
    except KeyRingError as error:
        sys.exit(f"Error: {error}")
