"""Paths and their steps over HTTP."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

import pytest

from jobticket import clock
from tests.support.faults import Faults
from tests.support.gateway import Gateway
from tests.support.interleave import between
from tests.support.shop_floor import advance, counted, new_job, new_path, new_serials, require_exact_counts

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
STEP = {"name": "CNC"}


def test_a_path_is_created_with_its_steps_in_order(jobs_api: Gateway) -> None:
    job = new_job(jobs_api)
    answer = jobs_api.post(
        "/api/paths",
        {
            "id": "path_mine",
            "jobId": f" {job['id']} ",
            "name": " Main Route ",
            "goalQuantity": 25.0,
            "steps": [
                {"name": " CNC ", "location": " Hall 1 ", "optional": True, "order": 9},
                {"name": "QC", "location": "  ", "optional": None, "id": 42},
            ],
        },
    )
    path = answer.json()
    assert answer.status == 201
    assert re.fullmatch(r"path_[A-Za-z0-9_-]{12}", path["id"])
    assert TIMESTAMP.fullmatch(path["createdAt"])
    steps = path.pop("steps")
    assert path == {
        "id": path["id"],
        "jobId": job["id"],
        "name": "Main Route",
        "goalQuantity": 25,
        "advancementMode": "strict",
        "createdAt": path["createdAt"],
        "updatedAt": path["createdAt"],
    }
    assert all(re.fullmatch(r"step_[A-Za-z0-9_-]{12}", step["id"]) for step in steps)
    assert len({step["id"] for step in steps}) == 2
    assert [{name: value for name, value in step.items() if name != "id"} for step in steps] == [
        {"name": "CNC", "order": 0, "location": "Hall 1", "optional": True},
        {"name": "QC", "order": 1, "optional": False},
    ]


FAULTY = [
    ({}, "jobId is required"),
    ({"jobId": " "}, "jobId is required"),
    ({"jobId": 5}, "jobId must be a string"),
    ({"jobId": "job_000000000000"}, "name is required"),
    ({"name": "  "}, "name is required"),
    ({"name": {}}, "name must be a string"),
    ({"name": "x" * 256}, "name must be at most 255 characters"),
    ({"goalQuantity": None}, "goalQuantity is required"),
    ({"goal_quantity": 5, "goalQuantity": None}, "goalQuantity is required"),
    ({"goalQuantity": "5"}, "goalQuantity must be a number"),
    ({"goalQuantity": -1}, "goalQuantity must be greater than 0"),
    ({"goalQuantity": 0.5}, "goalQuantity must be an integer"),
    ({"steps": None}, "steps is required"),
    ({"steps": []}, "steps is required"),
    ({"steps": {}}, "steps must be an array"),
    ({"steps": "CNC"}, "steps must be an array"),
    ({"steps": [STEP] * 101}, "steps must have at most 100 entries"),
    ({"steps": [STEP, {}]}, "steps[1].name is required"),
    ({"steps": [STEP, {"name": " "}]}, "steps[1].name is required"),
    ({"steps": [STEP, None]}, "steps[1] must be an object"),
    ({"steps": ["CNC"]}, "steps[0] must be an object"),
    ({"steps": [{"name": 1}]}, "steps[0].name must be a string"),
    ({"steps": [{"name": "x" * 256}]}, "steps[0].name must be at most 255 characters"),
    ({"steps": [STEP | {"location": 1}]}, "steps[0].location must be a string"),
    ({"steps": [STEP | {"location": "x" * 256}]}, "steps[0].location must be at most 255 characters"),
    ({"steps": [STEP | {"optional": "yes"}]}, "steps[0].optional must be a boolean"),
    ({"steps": [STEP | {"optional": 1}]}, "steps[0].optional must be a boolean"),
    ({"advancementMode": "loose"}, "advancementMode must be one of: strict, flexible"),
    ({"advancementMode": ""}, "advancementMode must be one of: strict, flexible"),
    ({"advancementMode": 1}, "advancementMode must be a string"),
]


@pytest.mark.parametrize(("change", "message"), FAULTY)
def test_a_faulty_path_is_refused_in_the_documented_words(
    jobs_api: Gateway, change: dict[str, Any], message: str
) -> None:
    valid = {"jobId": "job_000000000000", "name": "Main", "goalQuantity": 1, "steps": [STEP]}
    body = change if "required" in message and set(change) <= {"jobId"} else valid | change
    answer = jobs_api.post("/api/paths", body)
    assert (answer.status, answer.json()) == (400, {"statusCode": 400, "message": message})


def test_the_checks_come_in_the_documented_order(jobs_api: Gateway) -> None:
    body: dict[str, Any] = {"steps": [{}], "advancementMode": "x"}
    corrections: list[tuple[str, dict[str, Any]]] = [
        ("jobId is required", {"jobId": "job_000000000000"}),
        ("name is required", {"name": "Main"}),
        ("goalQuantity is required", {"goalQuantity": "1"}),
        ("goalQuantity must be a number", {"goalQuantity": -0.5}),
        ("goalQuantity must be greater than 0", {"goalQuantity": 1.5}),
        ("goalQuantity must be an integer", {"goalQuantity": 1, "steps": []}),
        ("steps is required", {"steps": [{}]}),
        ("steps[0].name is required", {"steps": [STEP]}),
        ("advancementMode must be one of: strict, flexible", {"advancementMode": "flexible"}),
        ("Job not found: job_000000000000", {}),
    ]
    for message, correction in corrections:
        assert jobs_api.post("/api/paths", body).json()["message"] == message
        body |= correction


@pytest.mark.parametrize("job_id", ["job_000000000000", "x", "path_000000000000", "job_\u0000", "💡"])
def test_a_path_needs_a_job(jobs_api: Gateway, job_id: str) -> None:
    answer = jobs_api.post(
        "/api/paths", {"jobId": job_id, "name": "Main", "goalQuantity": 1, "steps": [STEP]}
    )
    expected = {"statusCode": 404, "message": f"Job not found: {job_id}"}
    assert (answer.status, answer.json()) == (404, expected)


@pytest.mark.parametrize(
    "path_id", ["path_000000000000", "job_000000000000", "x", "%F0%9F%94%A9", "a" * 3000]
)
def test_an_unknown_path_is_not_found(jobs_api: Gateway, path_id: str) -> None:
    expected = {"statusCode": 404, "message": f"Path not found: {unquote(path_id)}"}
    for method, body in [("GET", None), ("PUT", {}), ("PUT", {"name": ""}), ("DELETE", None)]:
        answer = jobs_api.call(method, f"/api/paths/{path_id}", body)
        assert (answer.status, answer.json()) == (404, expected)


def test_a_path_of_a_hundred_long_steps_is_kept_and_answered_again(jobs_api: Gateway) -> None:
    """The largest path there can be, with its answer kept for the key, stays below the size of an item."""
    from random import Random

    random = Random(1)
    long = ["".join(chr(random.randrange(0x4E00, 0x9FFF)) for _ in range(255)) for _ in range(200)]
    steps = [{"name": long[n], "location": long[n + 100]} for n in range(100)]
    body = {"jobId": new_job(jobs_api)["id"], "name": "Main", "goalQuantity": 1, "steps": steps}
    answers = [jobs_api.post("/api/paths", body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    shown = jobs_api.get(f"/api/paths/{answers[0].json()['id']}").json()
    assert [step["name"] for step in shown["steps"]] == long[:100]


def test_a_path_shows_its_distribution(jobs_api: Gateway) -> None:
    path = new_path(jobs_api, steps=[{"name": "CNC", "location": "Hall 1"}, "Deburr", "QC"])
    serials = [serial["id"] for serial in new_serials(jobs_api, path["id"], 7)]
    advance(jobs_api, serials[0], 3)
    advance(jobs_api, serials[1], 1)
    advance(jobs_api, serials[2], 1)
    advance(jobs_api, serials[3], 1)
    jobs_api.post(f"/api/serials/{serials[4]}/scrap", {"reason": "damaged"})
    shown = jobs_api.get(f"/api/paths/{path['id']}").json()
    steps = path["steps"]
    assert shown.pop("distribution") == [
        {
            "stepId": steps[0]["id"],
            "stepName": "CNC",
            "stepOrder": 0,
            "location": "Hall 1",
            "serialCount": 2,
            "isBottleneck": False,
        },
        {
            "stepId": steps[1]["id"],
            "stepName": "Deburr",
            "stepOrder": 1,
            "serialCount": 3,
            "isBottleneck": True,
        },
        {"stepId": steps[2]["id"], "stepName": "QC", "stepOrder": 2, "serialCount": 0, "isBottleneck": False},
    ]
    assert (shown.pop("completedCount"), shown.pop("scrappedCount")) == (1, 1)
    assert shown == path
    assert require_exact_counts(jobs_api, path["id"]) == [2, 3, 0, 1, 1]


def test_a_job_shows_its_paths_in_the_order_of_their_creation(
    jobs_api: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import timedelta

    job = new_job(jobs_api, goalQuantity=10)
    start = clock.now()
    for second in range(6):
        moment = start + timedelta(seconds=second)
        monkeypatch.setattr(clock, "now", lambda moment=moment: moment)
        new_path(jobs_api, job["id"], name=f"Route {second}")
    shown = jobs_api.get(f"/api/jobs/{job['id']}").json()
    assert [path["name"] for path in shown["paths"]] == [f"Route {second}" for second in range(6)]
    assert [part["pathName"] for part in shown["progress"]["pathProgress"]] == [
        path["name"] for path in shown["paths"]
    ]
    assert set(shown) == {*job, "paths", "progress"}


def test_a_change_touches_what_it_names(jobs_api: Gateway) -> None:
    path = new_path(jobs_api)
    url = f"/api/paths/{path['id']}"
    changed = jobs_api.put(
        url,
        {
            "name": " Side ",
            "goalQuantity": 7,
            "advancementMode": "flexible",
            "jobId": "job_other",
            "id": "x",
            "steps": None,
        },
    )
    assert changed.status == 200
    expected = path | {"name": "Side", "goalQuantity": 7, "advancementMode": "flexible"}
    assert changed.json() == expected | {"updatedAt": changed.json()["updatedAt"]}
    assert jobs_api.put(url, {}).json() | {"updatedAt": ""} == expected | {"updatedAt": ""}
    assert jobs_api.put(url).status == 200


def test_new_steps_replace_the_list_and_known_ids_stay(jobs_api: Gateway) -> None:
    path = new_path(jobs_api)
    cnc, deburr, qc = path["steps"]
    changed = jobs_api.put(
        f"/api/paths/{path['id']}",
        {
            "steps": [
                {"id": qc["id"], "name": "Check"},
                {"name": "Pack"},
                {"id": "step_mine", "name": "Ship"},
                {"id": " ", "name": "Bill"},
                {"id": cnc["id"], "name": "CNC", "location": "Hall 2", "optional": True},
            ]
        },
    ).json()["steps"]
    assert [step["name"] for step in changed] == ["Check", "Pack", "Ship", "Bill", "CNC"]
    assert [step["order"] for step in changed] == [0, 1, 2, 3, 4]
    ids = [step["id"] for step in changed]
    assert (ids[0], ids[4]) == (qc["id"], cnc["id"])
    assert len(set(ids)) == 5
    assert not {deburr["id"], "step_mine", ""} & set(ids)
    assert changed[4] == cnc | {"order": 4, "location": "Hall 2", "optional": True}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"name": ""}, "name cannot be empty"),
        ({"name": 1}, "name must be a string"),
        ({"goalQuantity": 0}, "goalQuantity must be greater than 0"),
        ({"goalQuantity": []}, "goalQuantity must be a number"),
        ({"advancementMode": "x"}, "advancementMode must be one of: strict, flexible"),
        ({"steps": []}, "steps is required"),
        ({"steps": [{}]}, "steps[0].name is required"),
        ({"steps": [{"id": 7, "name": "CNC"}]}, "steps[0].id must be a string"),
    ],
)
def test_a_faulty_change_changes_nothing(jobs_api: Gateway, body: dict[str, Any], message: str) -> None:
    path = new_path(jobs_api)
    answer = jobs_api.put(f"/api/paths/{path['id']}", body)
    assert (answer.status, answer.json()) == (400, {"statusCode": 400, "message": message})
    assert jobs_api.get(f"/api/jobs/{path['jobId']}").json()["paths"] == [path]


def test_a_step_cannot_stand_in_a_path_twice(jobs_api: Gateway) -> None:
    path = new_path(jobs_api)
    steps = [path["steps"][0], path["steps"][0]]
    answer = jobs_api.put(f"/api/paths/{path['id']}", {"steps": steps})
    assert (answer.status, answer.json()["message"]) == (400, "steps[1].id is given twice")


def test_with_serials_only_what_steps_are_called_can_change(jobs_api: Gateway) -> None:
    path = new_path(jobs_api)
    new_serials(jobs_api, path["id"])
    url = f"/api/paths/{path['id']}"
    cnc, deburr, qc = path["steps"]
    for steps in [
        [cnc, deburr],
        [cnc, deburr, qc, {"name": "Pack"}],
        [deburr, cnc, qc],
        [{"name": step["name"]} for step in path["steps"]],
        [cnc, deburr, qc | {"id": "step_000000000000"}],
    ]:
        refused = jobs_api.put(url, {"steps": steps, "name": "Other"})
        expected = {"statusCode": 400, "message": "Cannot change steps: the path has serial numbers"}
        assert (refused.status, refused.json()) == (400, expected)
    assert jobs_api.get(f"/api/jobs/{path['jobId']}").json()["paths"] == [path]

    renamed = [cnc | {"name": "Mill"}, deburr | {"location": "Hall 3"}, qc | {"optional": True}]
    answer = jobs_api.put(url, {"steps": renamed, "goalQuantity": 3, "advancementMode": "flexible"})
    assert (answer.status, answer.json()["steps"]) == (200, renamed)
    assert require_exact_counts(jobs_api, path["id"]) == [1, 0, 0, 0, 0]


def test_a_path_is_deleted_with_everything_of_it(jobs_api: Gateway) -> None:
    job = new_job(jobs_api)
    keep, drop = new_path(jobs_api, job["id"]), new_path(jobs_api, job["id"])
    deleted = jobs_api.delete(f"/api/paths/{drop['id']}")
    assert (deleted.status, deleted.body) == (204, b"")
    assert jobs_api.get(f"/api/paths/{drop['id']}").status == 404
    assert jobs_api.delete(f"/api/paths/{drop['id']}").status == 404
    assert jobs_api.post("/api/serials", {"pathId": drop["id"], "quantity": 1}).status == 404
    assert jobs_api.get(f"/api/jobs/{job['id']}").json()["paths"] == [keep]
    refused = jobs_api.delete(f"/api/jobs/{job['id']}").json()
    assert refused["message"] == "Cannot delete job: it has 1 path(s). Remove all paths first."


@pytest.mark.parametrize("end", ["scrap", "force-complete", None])
def test_a_path_with_serials_cannot_be_deleted_even_if_all_are_finished(
    jobs_api: Gateway, end: str | None
) -> None:
    path = new_path(jobs_api)
    (serial,) = new_serials(jobs_api, path["id"])
    if end:
        assert jobs_api.post(f"/api/serials/{serial['id']}/{end}", {"reason": "damaged"}).status == 200
    refused = jobs_api.delete(f"/api/paths/{path['id']}")
    expected = {"statusCode": 400, "message": "Cannot delete path with serial numbers attached"}
    assert (refused.status, refused.json()) == (400, expected)
    require_exact_counts(jobs_api, path["id"])


def test_a_job_deleted_meanwhile_leaves_no_path(jobs_api: Gateway, faults: Faults) -> None:
    job = new_job(jobs_api)
    between(faults, "transact_write_items", lambda: jobs_api.delete(f"/api/jobs/{job['id']}"))
    answer = jobs_api.post(
        "/api/paths", {"jobId": job["id"], "name": "Main", "goalQuantity": 1, "steps": [STEP]}
    )
    assert (answer.status, answer.json()["message"]) == (404, f"Job not found: {job['id']}")
    assert faults.client.scan(TableName="jobs")["Items"] == []


def test_a_path_created_meanwhile_keeps_its_job(jobs_api: Gateway, faults: Faults) -> None:
    job = new_job(jobs_api)
    between(faults, "transact_write_items", lambda: new_path(jobs_api, job["id"]))
    assert jobs_api.delete(f"/api/jobs/{job['id']}").status == 400
    assert len(jobs_api.get(f"/api/jobs/{job['id']}").json()["paths"]) == 1


def test_serials_created_meanwhile_keep_their_path(jobs_api: Gateway, faults: Faults) -> None:
    path = new_path(jobs_api)
    between(faults, "transact_write_items", lambda: new_serials(jobs_api, path["id"], 3))
    refused = jobs_api.delete(f"/api/paths/{path['id']}")
    assert refused.json()["message"] == "Cannot delete path with serial numbers attached"
    assert require_exact_counts(jobs_api, path["id"]) == [3, 0, 0, 0, 0]


def test_serials_created_meanwhile_keep_their_steps(jobs_api: Gateway, faults: Faults) -> None:
    path = new_path(jobs_api)
    between(faults, "transact_write_items", lambda: new_serials(jobs_api, path["id"], 3))
    refused = jobs_api.put(f"/api/paths/{path['id']}", {"steps": [{"name": "Only"}]})
    assert refused.json()["message"] == "Cannot change steps: the path has serial numbers"
    assert counted(jobs_api.get(f"/api/paths/{path['id']}").json()) == [3, 0, 0, 0, 0]


@pytest.mark.parametrize("url", ["/api/jobs", "/api/paths"])
def test_a_creation_whose_answer_is_lost_happens_once(jobs_api: Gateway, faults: Faults, url: str) -> None:
    job = new_job(jobs_api)
    bodies: dict[str, Any] = {
        "/api/jobs": {"name": "J", "goalQuantity": 1},
        "/api/paths": {"jobId": job["id"], "name": "Main", "goalQuantity": 1, "steps": [STEP]},
    }
    before = len(faults.client.scan(TableName="jobs")["Items"])
    faults.fail("transact_write_items", "after")
    made = jobs_api.post(url, bodies[url])
    assert made.status == 201
    shown = jobs_api.get(f"{url}/{made.json()['id']}")
    assert shown.json() | made.json() == shown.json()
    added = len(faults.client.scan(TableName="jobs")["Items"]) - before
    assert added == {"/api/jobs": 1, "/api/paths": 2}[url]
    paths = jobs_api.get(f"/api/jobs/{job['id']}").json()["paths"]
    assert len(paths) == {"/api/jobs": 0, "/api/paths": 1}[url]


@pytest.mark.parametrize("url", ["/api/jobs", "/api/paths"])
def test_a_deletion_that_never_arrived_is_tried_again(jobs_api: Gateway, faults: Faults, url: str) -> None:
    path = new_path(jobs_api)
    job = new_job(jobs_api)
    made = {"/api/jobs": job, "/api/paths": path}[url]["id"]
    faults.fail("transact_write_items", "before", times=3)
    assert jobs_api.delete(f"{url}/{made}").status == 204
    assert jobs_api.get(f"{url}/{made}").status == 404
    tokens = [call["ClientRequestToken"] for name, call in faults.calls if name == "transact_write_items"]
    assert len(tokens[-4:]) == 4
    assert len(set(tokens[-4:])) == 1
