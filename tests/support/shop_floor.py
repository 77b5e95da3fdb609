"""Jobs, paths and serial numbers for tests, and the recount that every distribution must agree with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.gateway import Gateway


def new_job(api: Gateway, **members: Any) -> dict[str, Any]:
    answer = api.post("/api/jobs", {"name": "JOB-2024-001", "goalQuantity": 50, **members})
    assert answer.status == 201, answer.text
    job: dict[str, Any] = answer.json()
    return job


def new_path(
    api: Gateway,
    job_id: str | None = None,
    steps: Sequence[str | dict[str, Any]] = ("CNC", "Deburr", "QC"),
    **members: Any,
) -> dict[str, Any]:
    body = {
        "jobId": job_id or new_job(api)["id"],
        "name": "Main Route",
        "goalQuantity": 50,
        "steps": [{"name": step} if isinstance(step, str) else step for step in steps],
        **members,
    }
    answer = api.post("/api/paths", body)
    assert answer.status == 201, answer.text
    path: dict[str, Any] = answer.json()
    return path


def new_serials(api: Gateway, path_id: str, quantity: int = 1) -> list[dict[str, Any]]:
    answer = api.post("/api/serials", {"pathId": path_id, "quantity": quantity})
    assert answer.status == 201, answer.text
    serials: list[dict[str, Any]] = answer.json()
    return serials


def advance(api: Gateway, serial_id: str, times: int = 1) -> dict[str, Any]:
    serial: dict[str, Any] = {}
    for _ in range(times):
        answer = api.post(f"/api/serials/{serial_id}/advance")
        assert answer.status == 200, answer.text
        serial = answer.json()
    return serial


def recount(serials: Sequence[Mapping[str, Any]], steps: int) -> list[int]:
    """Count serial numbers one by one: at each step, completed, scrapped."""
    places: Counter[int | str] = Counter()
    for serial in serials:
        assert (serial["status"] == "completed") == (serial["currentStepIndex"] == -1), serial
        if serial["status"] == "in_progress":
            places[serial["currentStepIndex"]] += 1
        else:
            places[serial["status"]] += 1
    return [*(places[index] for index in range(steps)), places["completed"], places["scrapped"]]


def counted(path: Mapping[str, Any]) -> list[int]:
    """Return the counts that GET /api/paths/{id} shows, in the same order."""
    steps = [step["serialCount"] for step in path["distribution"]]
    return [*steps, path["completedCount"], path["scrappedCount"]]


def require_exact_counts(api: Gateway, path_id: str) -> list[int]:
    """Compare a path's distribution and its job's progress with a recount of its listed serial numbers."""
    path = api.get(f"/api/paths/{path_id}").json()
    serials = api.get(f"/api/serials?pathId={path_id}").json()
    ids = [serial["id"] for serial in serials]
    assert len(set(ids)) == len(ids)
    counts = counted(path)
    assert counts == recount(serials, len(path["steps"]))
    assert sum(counts) == len(serials)
    assert [step["isBottleneck"] for step in path["distribution"]] == [
        count == max(counts[:-2]) > 0 for count in counts[:-2]
    ]
    progress = api.get(f"/api/jobs/{path['jobId']}").json()["progress"]["pathProgress"]
    (of_path,) = (part for part in progress if part["pathId"] == path_id)
    assert of_path["totalSerials"] == len(serials)
    assert [of_path["completedSerials"], of_path["scrappedSerials"]] == counts[-2:]
    return counts
