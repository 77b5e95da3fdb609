"""boto3 clients of the emulated account."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

from local.emulator import ACCOUNT_KEY, REGION


class Aws:
    """Makes clients that talk to the emulator as the account's root."""

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url
        self._session = boto3.session.Session(
            aws_access_key_id=ACCOUNT_KEY, aws_secret_access_key=ACCOUNT_KEY, region_name=REGION
        )

    def client(self, service: str) -> Any:
        """Make a client. Its type depends on a string, so the stubs do not know it here."""
        # A proxy in the environment is for other hosts. Of many callers at once, the emulator lets some wait.
        config = Config(proxies={}, connect_timeout=60, read_timeout=60, retries={"total_max_attempts": 2})
        return self._session.client(service, endpoint_url=self.endpoint_url, config=config)  # type: ignore[call-overload]
