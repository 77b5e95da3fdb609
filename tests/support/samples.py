"""The functions of ``functions/``, their sample events, and the data that the events name."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobticket.connections.vault import CONSENTS, Vault
from jobticket.history.records import Stamp
from jobticket.jobs import layout, serials
from jobticket.jobs import model as jobs
from jobticket.push.runs.run import Runs
from jobticket.push.runs.sites import SITES
from jobticket.store.table import Journal, Table
from jobticket.store.unit_of_work import UnitOfWork
from tests.support.consents import store_consent

ROOT = Path(__file__).parents[2]
FUNCTIONS = sorted(folder.parent.name for folder in ROOT.glob("functions/*/app.py"))
EVENTS = {name: sorted((ROOT / "events" / name).glob("*.json")) for name in FUNCTIONS}
MOMENT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def event_of(path: Path) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(path.read_text())
    return event


def lacks_jira(answer: dict[str, Any]) -> bool:
    """Tell whether this is how the Jira operations say that Jira, or Atlassian, cannot be reached."""
    if answer["statusCode"] not in (500, 503):
        return False
    return str(json.loads(answer["body"]).get("error", "")).startswith("Failed to ")


def _journal() -> Journal:
    return Journal(os.environ["HISTORY_TABLE"], 730)


def seed(dynamodb: Any, kms: Any) -> None:
    """Put in what the samples name."""
    _seed_jobs(dynamodb)
    connections = Table(dynamodb, os.environ["CONNECTIONS_TABLE"], _journal())
    data_keys = connections, lambda: kms, os.environ["ENCRYPTION_KEY"]
    store_consent(connections, Vault(*data_keys), "team-1")
    Vault(*data_keys, purpose=CONSENTS).prepare()


def seed_operations(dynamodb: Any, sqs: Any) -> None:
    """Put in what the samples of the operator's routes name: queues, a run, a stop."""
    for variable in ("PUSH_QUEUE", "PUSH_DEAD_LETTERS", "FAILED_EVENTS_QUEUE", "EVENT_DEAD_LETTERS"):
        sqs.create_queue(QueueName=os.environ[variable].rpartition("/")[2])
    for variable in ("TICKET_EVENTS_QUEUE", "TICKET_EVENTS_DEAD_LETTERS"):
        sqs.create_queue(QueueName=os.environ[variable].rpartition("/")[2], Attributes={"FifoQueue": "true"})
    table = Table(dynamodb, os.environ["JOBS_TABLE"])
    Runs(table).begin("2026-11-22T02:00:00.000Z", "schedule")
    stop = {"stopped_until": 4_102_444_800_000, "stopped_at": 0, "reason": "jira-quota-global-based"}
    table.put({"pk": SITES, "sk": "app oauth", **stop})


def _seed_jobs(dynamodb: Any) -> None:
    """Put in what the samples of the jobs function name: two jobs, two paths, 20 serial numbers."""
    table = Table(dynamodb, os.environ["JOBS_TABLE"], _journal())
    stamps: dict[str, Any] = {
        "created_at": "2026-11-22T09:30:00.000Z",
        "updated_at": "2026-11-22T09:30:00.000Z",
    }
    order = jobs.Job(id="job_BracketOrder", name="JOB-2024-001", goal_quantity=50, **stamps)
    planned = jobs.Job(id="job_PlannedOrder", name="JOB-2024-002", goal_quantity=50, **stamps)
    table.put(layout.job_item(order) | {"path_count": 2})
    table.put(layout.job_item(planned))
    for path_id in ("path_MillingRoute", "path_ReworkRoute1"):
        steps = [jobs.ProcessStep(id=f"step_{n:012d}", name=f"Step {n}", order=n) for n in range(3)]
        path = jobs.Path(
            id=path_id,
            job_id=order.id,
            name="Milling",
            goal_quantity=50,
            advancement_mode="flexible",
            steps=steps,
            **stamps,
        )
        table.put(layout.path_item(path))
        table.put({"pk": layout.path_pk(path_id), "sk": layout.PATH_SORT, "job_id": order.id})
    with UnitOfWork(table) as work:
        stamp = Stamp(MOMENT, "shop-floor")
        serials.create_serials(work, serials.Numbers(table, 20), stamp, path_id="path_MillingRoute")
