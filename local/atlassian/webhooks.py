"""Webhooks: those that an app registers, those that an administrator sets up, and the calls that they make.

An app's are signed with a JWT under the app's secret, an administrator's with an HMAC under their own.
Atlassian documents how the token is signed, not its claims: these are the least that a receiver may expect.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import random
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from aiohttp import web

from local.atlassian.controls import Controls, WebhookSwitches
from local.atlassian.model import Webhook

#: What makes Jira try again, apart from a failed connection.
RETRIED: Final = frozenset({408, 409, 425, 429})
MOST_TRIES: Final = 6
_TOKEN_SECONDS = 180
_TIMEOUT = aiohttp.ClientTimeout(total=20)
_LOG_LENGTH = 2000


@dataclass(slots=True)
class Delivery:
    """One event for one URL. The identifier stays the same when it is sent again."""

    webhook: Webhook
    event: str
    issue: str
    body: bytes
    identifier: str = field(default_factory=lambda: secrets.token_hex(16))


@dataclass(frozen=True, slots=True)
class App:
    """What signs an app's webhooks."""

    client_id: str
    client_secret: str = field(repr=False)


class Sender:
    """Sends deliveries in the background, changed as the switches say."""

    def __init__(self, controls: Controls, app: App, now: Callable[[], float]) -> None:
        self._now = now
        self._controls = controls
        self._app = app
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.log: deque[dict[str, Any]] = deque(maxlen=_LOG_LENGTH)

    async def around(self, _app: web.Application) -> AsyncIterator[None]:
        """Run beside the application; what is still under way at its end is lost, as in a crash."""
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as self._session:
            yield
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def send(self, delivery: Delivery) -> None:
        """Send a delivery soon: once, twice or never."""
        switches = self._controls.webhooks
        entry = {
            "at": self._now(),
            "webhook": delivery.webhook.id,
            "event": delivery.event,
            "issue": delivery.issue,
            "identifier": delivery.identifier,
            "statuses": [],
        }
        self.log.append(entry)
        if random.random() < switches.lose:
            return
        for _ in range(2 if random.random() < switches.double else 1):
            task = asyncio.get_running_loop().create_task(self._deliver(delivery, switches, entry))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, delivery: Delivery, switches: WebhookSwitches, entry: dict[str, Any]) -> None:
        await asyncio.sleep(switches.delay_ms / 1000)
        for attempt in range(MOST_TRIES):
            headers = self._headers(delivery, attempt, switches.forge)
            status = await self._post(delivery, headers)
            entry["statuses"].append(status)
            if status is not None and status not in RETRIED and status < 500:
                return
            await asyncio.sleep(switches.retry_seconds)

    async def _post(self, delivery: Delivery, headers: dict[str, str]) -> int | None:
        assert self._session is not None
        try:
            async with self._session.post(
                _target(delivery.webhook), data=delivery.body, headers=headers, allow_redirects=False
            ) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return None

    def _headers(self, delivery: Delivery, attempt: int, forge: str | None) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Atlassian HttpClient unknown / JIRA-1001.0.0-SNAPSHOT (100290) / Default",
            "X-Atlassian-Webhook-Identifier": delivery.identifier,
        }
        if attempt:
            headers["X-Atlassian-Webhook-Retry"] = str(attempt)
        if delivery.webhook.app:
            scheme = self._controls.webhooks.scheme
            headers["Authorization"] = f"{scheme} {signed_token(self._app, self._now(), forge)}"
        elif delivery.webhook.secret and forge != "unsigned":
            secret = "forged" if forge else delivery.webhook.secret
            digest = hmac.new(secret.encode(), delivery.body, hashlib.sha256).hexdigest()
            headers["X-Hub-Signature"] = f"sha256={digest}"
        if forge == "unsigned":
            headers.pop("Authorization", None)
        return headers


def _target(webhook: Webhook) -> str:
    """Return where to send: an app's webhooks lose the query of their address."""
    parts = urlsplit(webhook.url)
    return urlunsplit(parts._replace(query="", fragment="")) if webhook.app else webhook.url


def signed_token(app: App, now: float, forge: str | None = None) -> str:
    """Return a JWT as Atlassian signs it, or one that somebody else has made up."""
    algorithm = forge if forge in ("none", "HS512", "RS256") else "HS256"
    issued = int(now) - 86_400 if forge == "expired" else int(now)
    claims = {"iss": app.client_id, "iat": issued, "exp": issued + _TOKEN_SECONDS}
    signed = f"{_segment({'typ': 'JWT', 'alg': algorithm})}.{_segment(claims)}"
    secret = "forged" if forge == "secret" else app.client_secret
    digest = hashlib.sha512 if algorithm == "HS512" else hashlib.sha256
    signature = b"" if algorithm == "none" else hmac.new(secret.encode(), signed.encode(), digest).digest()
    return f"{signed}.{_base64(signature)}"


def _segment(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
