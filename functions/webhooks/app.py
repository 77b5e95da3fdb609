"""Takes Jira's webhooks: verifies who sent them, and wakes the worker that looks at the ticket."""

from __future__ import annotations

import functools
import hashlib
import re
from datetime import datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from jobticket import clock
from jobticket.config import Settings
from jobticket.connections.atlassian import AppRefusedError, AppSecret
from jobticket.connections.vault import Vault, kms_client
from jobticket.errors import UnauthenticatedError, UnavailableError
from jobticket.observability import logger
from jobticket.secret_store import fetch_secret, secrets_client
from jobticket.store.table import Table, dynamodb_client
from jobticket.ticketing.layout import INTEGRATION, Issue
from jobticket.ticketing.wakeups import Wakeups, sqs_client
from jobticket.ticketing.webhook_signatures import body_expiry, token_expiry
from jobticket.ticketing.webhook_store import WEBHOOKS, WebhookStore
from jobticket.web.api import RETRY_SECONDS, Answer, Api, Request
from jobticket.web.routes import routes_of

LARGEST_BODY = 64 * 1024
REFUSED = UnauthenticatedError("Not a webhook of Jira, or not a new one")


class WebhooksSettings(Settings):
    """The environment of this function."""

    ticketing_table: str
    ticket_events_queue: str
    encryption_key: str
    atlassian_app_secret: str


config = WebhooksSettings.from_environment()
table = Table(dynamodb_client(), config.ticketing_table)
store = WebhookStore(
    table, Vault(table, functools.cache(kms_client), config.encryption_key, purpose=WEBHOOKS)
)
secrets = functools.cache(secrets_client)
app_secret = AppSecret(lambda: fetch_secret(secrets(), config.atlassian_app_secret))
wakeups = Wakeups(sqs_client(), config.ticket_events_queue)
api = Api(routes_of(__name__))


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request of API Gateway."""
    return api.resolve(event, context)


@api.route("receiveWebhook")
def receive_webhook(request: Request) -> Answer:
    proof = _proof(request)
    integration_id, until = _verified(request.raw_body, *proof, clock.now())
    signed = proof[1].encode() + b"\n" + request.raw_body
    if store.was_seen(signed):
        raise REFUSED
    ticket_id = _ticket_id(request.json)
    if ticket_id is not None:
        digest = hashlib.sha256(request.raw_body).hexdigest()
        if not wakeups.look(Issue(integration_id, ticket_id), digest):
            raise UnavailableError("The ticket cannot be looked at for now.", retry_after=RETRY_SECONDS)
    # Last: Jira sends again what could not be taken, and that must not look like a replay.
    store.remember(signed, until)
    return Answer(202)


def _proof(request: Request) -> tuple[str, str]:
    """Return what is said to prove the sender: a kind and a value. A large body is not even hashed."""
    if len(request.raw_body) <= LARGEST_BODY:
        if signature := request.headers.get("x-hub-signature"):
            return "hmac", signature
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() in ("bearer", "jwt"):
            return "jwt", token.strip()
    raise REFUSED


def _verified(body: bytes, kind: str, proof: str, now: datetime) -> tuple[int, datetime]:
    """Return the integration that a webhook is for, and until when it counts as new."""
    until = None
    if kind == "jwt":
        until = token_expiry(proof, _app_secret(), now)
        if until is None:
            raise REFUSED
    integration = table.get(INTEGRATION, INTEGRATION)
    if integration is None:
        raise REFUSED
    if kind == "hmac":
        secret = store.secret(integration["id"])
        until = body_expiry(body, proof, secret, now) if secret else None
    if until is None:
        raise REFUSED
    return integration["id"], until


def _app_secret() -> str:
    try:
        return app_secret().client_secret
    except AppRefusedError:
        raise REFUSED from None  # no app is set up, so nothing can be signed with its secret


def _ticket_id(event: dict[str, Any]) -> str | None:
    """Return the number of the issue that an event is about, if it is about one."""
    issue = event.get("issue")
    number = issue.get("id") if isinstance(issue, dict) else None
    return number if isinstance(number, str) and re.fullmatch(r"[0-9]{1,19}", number) else None
