from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from jobticket import clock
from jobticket.connections.vault import Vault
from jobticket.jobs.settings import change_settings
from local.atlassian.default_data import PLANT_NORTH
from tests.support.consents import store_consent
from tests.support.gateway import LambdaContext
from tests.support.tables import recorded, stamp
from tests.unit.atlassian.conftest import Auth
from tests.unit.conftest import FORMER_KEY, client
from tests.unit.deployment.privileges.driving import Driven
from tests.unit.deployment.privileges.scenarios.job_sync import _linked_job, _use

RUN = "2026-11-22T02:00:00.000Z"


def drive(push_worker: Driven) -> None:
    client("sqs").create_queue(QueueName="pushes")
    job_id = _linked_job()
    _refresh_tokens(push_worker, job_id)
    push_worker.connect("plant-north")
    _use("plant-north")
    push_worker.control(faults=[{"method": "PUT", "path": "/issue/", "status": 503}])
    _take(push_worker, _message(RUN, job_id))
    push_worker.control(faults=[])
    _take(push_worker, _message("2026-11-22T03:00:00.000Z", job_id))
    # The same again, a job that is not there, and a message for which there is no time.
    _take(push_worker, _message("2026-11-22T03:00:00.000Z", job_id, "job_AAAAAAAAAAAA"))
    push_worker.handle(_message("2026-11-22T04:00:00.000Z", job_id), LambdaContext(remaining_ms=9_000))


def _take(push_worker: Driven, message: Mapping[str, Any]) -> None:
    assert push_worker.handle(message, LambdaContext(remaining_ms=150_000)) == {"batchItemFailures": []}


def _refresh_tokens(push_worker: Driven, job_id: str) -> None:
    """Push through consents without a good access token; their secrets are of another month and KMS key."""
    change_settings(recorded(client("dynamodb"), "jobs"), stamp(), skip_unchanged=False)
    table = recorded(client("dynamodb"), "connections")
    earlier = clock.now() - timedelta(days=40)
    good = Auth(push_worker.atlassian).tokens()["refresh_token"]
    consents = [("good", good, "alias/jobticket"), ("dead", "revoked", FORMER_KEY)]
    for hour, (external_id, refresh_token, key) in enumerate(consents):
        vault = Vault(table, functools.partial(client, "kms"), key, lambda: earlier)
        store_consent(
            table,
            vault,
            external_id,
            refresh_token=refresh_token,
            seconds_left=0,
            api_url=push_worker.atlassian,
            site_id=PLANT_NORTH,
        )
        _use(external_id)
        _take(push_worker, _message(f"2026-11-22T0{hour}:00:00.000Z", job_id))


def _message(run: str, *job_ids: str) -> Mapping[str, Any]:
    body = {"run": run, "by": "schedule", "jobs": job_ids}
    record = {
        "messageId": "1",
        "receiptHandle": "none",
        "body": json.dumps(body),
        "attributes": {"ApproximateReceiveCount": "1"},
    }
    return {"Records": [record]}
