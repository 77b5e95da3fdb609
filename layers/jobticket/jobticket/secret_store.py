"""The part of Secrets Manager that the product uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3

from jobticket.aws import configuration, limited

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


def secrets_client() -> SecretsManagerClient:
    return limited(boto3.client("secretsmanager", config=configuration()))


def fetch_secret(client: SecretsManagerClient, secret_id: str) -> str:
    """Read a secret's current text; an empty object until an operator has set a value."""
    try:
        return client.get_secret_value(SecretId=secret_id)["SecretString"]
    except client.exceptions.ResourceNotFoundException as missing:
        # A deleted secret has the same code. That is a fault; only the text differs.
        if "staging label" in str(missing):
            return "{}"
        raise
