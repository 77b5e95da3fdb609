from __future__ import annotations

from typing import Any

from tests.unit.deployment.privileges.driving import Driven

STEPS = [{"name": "CNC"}, {"name": "Deburr"}, {"name": "QC"}]


def drive(jobs: Driven) -> None:
    job = _job(jobs, "Housing")
    path = _path(jobs, job["id"])
    jobs.call("PUT", f"/api/jobs/{job['id']}", {"goalQuantity": 60})
    jobs.call("PUT", f"/api/paths/{path['id']}", {"name": "Other route", "steps": STEPS})
    _move(jobs, path["id"])
    for url in ("/api/jobs", "/api/jobs?limit=1"):
        jobs.call("GET", url)
    for url in (f"/api/jobs/{job['id']}", f"/api/paths/{path['id']}"):
        jobs.call("GET", url)
        jobs.call("GET", f"{url}/flow")
    for url in (f"/api/jobs/{job['id']}", "/api/serials/SN-00001", "/api/settings"):
        jobs.call("GET", f"{url}/history")
    jobs.call("PUT", "/api/settings", {"enabled": True, "projectKey": "PI"})
    jobs.call("GET", "/api/settings")
    _create_once(jobs)
    _delete(jobs)


def _job(jobs: Driven, name: str) -> dict[str, Any]:
    job: dict[str, Any] = jobs.call("POST", "/api/jobs", {"name": name, "goalQuantity": 50}).json()
    return job


def _path(jobs: Driven, job_id: str) -> dict[str, Any]:
    body = {
        "jobId": job_id,
        "name": "Route",
        "goalQuantity": 50,
        "advancementMode": "flexible",
        "steps": STEPS,
    }
    path: dict[str, Any] = jobs.call("POST", "/api/paths", body).json()
    return path


def _move(jobs: Driven, path_id: str) -> None:
    made = [jobs.call("POST", "/api/serials", {"pathId": path_id, "quantity": 3}).json() for _ in range(2)]
    first, second, third, *rest = [serial["id"] for serials in made for serial in serials]
    jobs.call("POST", f"/api/serials/{first}/advance", {"fromStepIndex": 0})
    jobs.call("POST", f"/api/serials/{first}/advance-to", {"targetStepIndex": 2})
    jobs.call("POST", "/api/serials/advance", {"serialIds": rest, "fromStepIndex": 0})
    jobs.call("POST", f"/api/serials/{second}/scrap", {"reason": "damaged"})
    jobs.call("POST", f"/api/serials/{third}/force-complete", {"reason": "urgent"})
    jobs.call("GET", f"/api/serials/{first}")
    for query in ("", "&status=completed", "&limit=1"):
        jobs.call("GET", f"/api/serials?pathId={path_id}{query}")


def _create_once(jobs: Driven) -> None:
    """Take a key, use it again, and have one freed by a refusal."""
    body = {"name": "Once", "goalQuantity": 1}
    for _ in range(2):
        jobs.call("POST", "/api/jobs", body, headers={"Idempotency-Key": "once"})
    refused = {"jobId": "job_none", "name": "Route", "goalQuantity": 1, "steps": STEPS}
    jobs.call("POST", "/api/paths", refused, expect=404, headers={"Idempotency-Key": "refused"})


def _delete(jobs: Driven) -> None:
    job = _job(jobs, "To be deleted")
    path = _path(jobs, job["id"])
    jobs.call("DELETE", f"/api/paths/{path['id']}")
    jobs.call("DELETE", f"/api/jobs/{job['id']}")
