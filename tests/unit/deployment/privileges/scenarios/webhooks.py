from __future__ import annotations

import hashlib
import hmac
import json

from jobticket import clock
from jobticket.connections.vault import Vault
from jobticket.store.table import Table
from jobticket.ticketing.webhook_store import WEBHOOKS, WebhookStore
from local.atlassian.webhooks import App, signed_token
from tests.unit.conftest import FORMER_KEY, client
from tests.unit.deployment.privileges.driving import Driven

ROUTE = "/api/webhooks/jira"


def drive(webhooks: Driven) -> None:
    client("sqs").create_queue(QueueName="ticket-events.fifo", Attributes={"FifoQueue": "true"})
    table = Table(client("dynamodb"), "ticketing")
    table.put({"pk": "INTEGRATION", "sk": "INTEGRATION", "id": 1})
    now = clock.epoch_milliseconds(clock.now())
    app = App("local-client-id", "local-client-secret")
    for number, key in enumerate(("alias/jobticket", FORMER_KEY)):
        store = WebhookStore(table, Vault(table, lambda: client("kms"), key, purpose=WEBHOOKS))
        body = json.dumps({"timestamp": now + number, "issue": {"id": "10001"}})
        digest = hmac.new(store.make_secret(1).encode(), body.encode(), hashlib.sha256).hexdigest()
        signed = {"X-Hub-Signature": f"sha256={digest}"}
        webhooks.call("POST", ROUTE, body, key=None, headers=signed)
        webhooks.call("POST", ROUTE, body, key=None, headers=signed, expect=401)
    token = signed_token(app, now / 1000)
    webhooks.call("POST", ROUTE, {"issue": {"id": "1"}}, key=None, headers={"Authorization": f"JWT {token}"})
