"""Serial numbers over HTTP: their moves, their counts, and the effect of faults on both."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, get_args
from urllib.parse import unquote

import pytest

from jobticket.jobs.model import ScrapReason
from tests.support.faults import CRASH, WRITES, Crash, Faults, cancelled, refused
from tests.support.gateway import Gateway
from tests.support.interleave import between
from tests.support.shop_floor import advance, new_job, new_path, new_serials, require_exact_counts

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
MOVED = "Serial has been moved by someone else"


@pytest.fixture
def path(jobs_api: Gateway) -> dict[str, Any]:
    return new_path(jobs_api)


@pytest.fixture
def serial(jobs_api: Gateway, path: dict[str, Any]) -> dict[str, Any]:
    return new_serials(jobs_api, path["id"])[0]


def message(answer: Any, status: int = 400) -> str:
    assert answer.status == status, answer.text
    body = answer.json()
    assert set(body) == {"statusCode", "message"}
    assert body["statusCode"] == status
    text: str = body["message"]
    return text


# -------------------------------------------------------------------------------------------------- creation


def test_serials_start_at_the_first_step_with_consecutive_numbers(
    jobs_api: Gateway, path: dict[str, Any]
) -> None:
    answer = jobs_api.post("/api/serials", {"pathId": path["id"], "quantity": 3, "jobId": path["jobId"]})
    assert answer.status == 201
    serials = answer.json()
    assert [serial["id"] for serial in serials] == ["SN-00001", "SN-00002", "SN-00003"]
    assert TIMESTAMP.fullmatch(serials[0]["createdAt"])
    for serial in serials:
        assert serial == {
            "id": serial["id"],
            "jobId": path["jobId"],
            "pathId": path["id"],
            "currentStepIndex": 0,
            "status": "in_progress",
            "forceCompleted": False,
            "createdAt": serials[0]["createdAt"],
            "updatedAt": serials[0]["createdAt"],
        }
        assert jobs_api.get(f"/api/serials/{serial['id']}").json() == serial
    assert require_exact_counts(jobs_api, path["id"]) == [3, 0, 0, 0, 0]


def test_numbers_go_on_over_all_paths_and_are_never_used_again(jobs_api: Gateway) -> None:
    first, second = new_path(jobs_api), new_path(jobs_api)
    ids = [
        serial["id"]
        for path, quantity in [(first, 2), (second, 1), (first, 4)]
        for serial in new_serials(jobs_api, path["id"], quantity)
    ]
    assert ids == [f"SN-{number:05d}" for number in range(1, 8)]
    assert [serial["id"] for serial in jobs_api.get(f"/api/serials?pathId={first['id']}").json()] == [
        ids[index] for index in (0, 1, 3, 4, 5, 6)
    ]
    for path in (first, second):
        require_exact_counts(jobs_api, path["id"])


def test_numbers_beyond_five_digits_stay_in_order(
    jobs_api: Gateway, jobs_function: Any, path: dict[str, Any]
) -> None:
    jobs_function.table.put({"pk": "COUNTER#SERIALS", "sk": "COUNTER", "last": 99_997})
    ids = [serial["id"] for serial in new_serials(jobs_api, path["id"], 5)]
    assert ids == ["SN-99998", "SN-99999", "SN-100000", "SN-100001", "SN-100002"]
    for serial in ids:
        advance(jobs_api, serial)
    assert [s["id"] for s in jobs_api.get(f"/api/serials?pathId={path['id']}").json()] == ids
    assert jobs_api.get("/api/serials/SN-0100000").status == 404


def test_a_thousand_serials_are_one_call_and_one_transaction(
    jobs_api: Gateway, faults: Faults, path: dict[str, Any]
) -> None:
    faults.calls.clear()
    serials = new_serials(jobs_api, path["id"], 1000)
    assert [serial["id"] for serial in serials] == [f"SN-{number:05d}" for number in range(1, 1001)]
    assert [name for name in faults.operations() if name in WRITES] == ["update_item", "transact_write_items"]
    assert require_exact_counts(jobs_api, path["id"]) == [1000, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "pathId is required"),
        ({"pathId": " ", "quantity": 1}, "pathId is required"),
        ({"pathId": 7, "quantity": 1}, "pathId must be a string"),
        ({"path_id": "path_000000000000", "quantity": 1}, "pathId is required"),
        ({"pathId": "path_000000000000"}, "quantity is required"),
        ({"pathId": "path_000000000000", "quantity": None}, "quantity is required"),
        ({"pathId": "p", "quantity": "5"}, "quantity must be a number"),
        ({"pathId": "p", "quantity": True}, "quantity must be a number"),
        ({"pathId": "p", "quantity": {}}, "quantity must be a number"),
        ({"pathId": "p", "quantity": 1.5}, "quantity must be an integer"),
        ({"pathId": "p", "quantity": -1.5}, "quantity must be an integer"),
        ({"pathId": "p", "quantity": 0}, "quantity must be greater than 0"),
        ({"pathId": "p", "quantity": -3}, "quantity must be greater than 0"),
        ({"pathId": "p", "quantity": 1001}, "quantity must be at most 1000"),
        ({"pathId": "p", "quantity": 10**300}, "quantity must be at most 1000"),
        ({"pathId": "p", "quantity": 1e300}, "quantity must be at most 1000"),
        ({"pathId": "p", "quantity": 1, "jobId": 1}, "jobId must be a string"),
    ],
)
def test_a_faulty_creation_is_refused_and_takes_no_number(
    jobs_api: Gateway, path: dict[str, Any], body: dict[str, Any], expected: str
) -> None:
    assert message(jobs_api.post("/api/serials", body)) == expected
    assert new_serials(jobs_api, path["id"])[0]["id"] == "SN-00001"


def test_a_creation_needs_the_path_and_the_job_it_belongs_to(jobs_api: Gateway, path: dict[str, Any]) -> None:
    other = new_job(jobs_api)
    unknown = {"pathId": "path_000000000000", "quantity": 1, "jobId": other["id"]}
    assert message(jobs_api.post("/api/serials", unknown), 404) == "Path not found: path_000000000000"
    foreign = {"pathId": path["id"], "quantity": 1, "jobId": other["id"]}
    assert message(jobs_api.post("/api/serials", foreign)) == f"Path does not belong to job {other['id']}"
    assert require_exact_counts(jobs_api, path["id"]) == [0, 0, 0, 0, 0]
    blank = jobs_api.post("/api/serials", {"pathId": path["id"], "quantity": 1, "jobId": " "})
    assert blank.json()[0]["id"] == "SN-00001"


@pytest.mark.parametrize(
    "serial_id",
    ["SN-00002", "SN-1", "SN-000001", "SN-0000١", "SN-9999999999999", "x", "sn-00001", "%00"],
)
def test_an_unknown_serial_is_not_found(jobs_api: Gateway, serial: dict[str, Any], serial_id: str) -> None:
    expected = f"SerialNumber not found: {unquote(serial_id)}"
    assert message(jobs_api.get(f"/api/serials/{serial_id}"), 404) == expected
    for action, body in {
        "advance": {},
        "advance-to": {"targetStepIndex": 1},
        "scrap": {"reason": "damaged"},
        "force-complete": None,
    }.items():
        assert message(jobs_api.post(f"/api/serials/{serial_id}/{action}", body), 404) == expected
    assert message(jobs_api.post(f"/api/serials/{serial_id}/scrap", {}), 404) == expected
    result = jobs_api.post("/api/serials/advance", {"serialIds": [unquote(serial_id)]}).json()["results"][0]
    assert (result["success"], result["error"]) == (False, expected)


# ----------------------------------------------------------------------------------------------------- moves


def test_a_serial_goes_step_by_step_to_completion(
    jobs_api: Gateway, path: dict[str, Any], serial: dict[str, Any]
) -> None:
    indexes = []
    for _ in range(3):
        moved = advance(jobs_api, serial["id"])
        indexes.append((moved["currentStepIndex"], moved["status"]))
        assert jobs_api.get(f"/api/serials/{serial['id']}").json() == moved
    assert indexes == [(1, "in_progress"), (2, "in_progress"), (-1, "completed")]
    assert moved == serial | {
        "currentStepIndex": -1,
        "status": "completed",
        "updatedAt": moved["updatedAt"],
    }
    refusal = jobs_api.post(f"/api/serials/{serial['id']}/advance")
    assert message(refusal) == "Serial number is already completed"
    assert require_exact_counts(jobs_api, path["id"]) == [0, 0, 0, 1, 0]


def test_a_doubled_click_moves_once(jobs_api: Gateway, path: dict[str, Any], serial: dict[str, Any]) -> None:
    url = f"/api/serials/{serial['id']}/advance"
    assert jobs_api.post(url, {"fromStepIndex": 0}).json()["currentStepIndex"] == 1
    assert message(jobs_api.post(url, {"fromStepIndex": 0}), 409) == "Serial is not at step 0"
    assert message(jobs_api.post(url, {"fromStepIndex": 2}), 409) == "Serial is not at step 2"
    for index in (-5, 10**30):
        assert message(jobs_api.post(url, {"fromStepIndex": index}), 409) == f"Serial is not at step {index}"
    assert jobs_api.post(url, {"fromStepIndex": 1.0}).status == 200
    assert jobs_api.post(url, {"fromStepIndex": 2}).json()["status"] == "completed"
    assert message(jobs_api.post(url, {"fromStepIndex": 2}), 409) == "Serial is not at step 2"
    assert message(jobs_api.post(url, {"fromStepIndex": -1})) == "Serial number is already completed"
    assert require_exact_counts(jobs_api, path["id"]) == [0, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1", "must be a number"),
        (True, "must be a number"),
        ([], "must be a number"),
        (0.5, "must be an integer"),
        (float("nan"), "must be a number"),
    ],
)
def test_an_index_must_be_an_integer(
    jobs_api: Gateway, serial: dict[str, Any], value: Any, expected: str
) -> None:
    url = f"/api/serials/{serial['id']}"
    faulty = jobs_api.post(f"{url}/advance", {"fromStepIndex": value})
    assert message(faulty) == f"fromStepIndex {expected}"
    batch = jobs_api.post("/api/serials/advance", {"serialIds": ["SN-00001"], "fromStepIndex": value})
    assert message(batch) == f"fromStepIndex {expected}"
    faulty = jobs_api.post(f"{url}/advance-to", {"targetStepIndex": value})
    assert message(faulty) == f"targetStepIndex {expected}"
    assert jobs_api.get(url).json() == serial


def test_a_scrapped_serial_stays_where_it_was(
    jobs_api: Gateway, path: dict[str, Any], serial: dict[str, Any]
) -> None:
    at_step = advance(jobs_api, serial["id"])
    url = f"/api/serials/{serial['id']}"
    answer = jobs_api.post(f"{url}/scrap", {"reason": " other ", "explanation": " fell off the cart "})
    scrapped = answer.json()
    assert answer.status == 200
    assert scrapped == at_step | {
        "status": "scrapped",
        "scrapReason": "other",
        "scrapExplanation": "fell off the cart",
        "scrapStepId": path["steps"][1]["id"],
        "scrappedAt": scrapped["updatedAt"],
        "updatedAt": scrapped["updatedAt"],
    }
    assert TIMESTAMP.fullmatch(scrapped["scrappedAt"])
    assert jobs_api.get(url).json() == scrapped
    for action, body, expected in [
        ("scrap", {"reason": "damaged"}, "Serial is already scrapped"),
        ("scrap", {}, "Serial is already scrapped"),
        ("advance", {}, "Cannot advance a scrapped serial"),
        ("advance", {"fromStepIndex": 1}, "Cannot advance a scrapped serial"),
        ("advance-to", {"targetStepIndex": 2}, "Cannot advance a scrapped serial"),
        ("force-complete", {}, "Cannot force-complete a scrapped serial"),
    ]:
        assert message(jobs_api.post(f"{url}/{action}", body)) == expected
    assert jobs_api.get(url).json() == scrapped
    assert require_exact_counts(jobs_api, path["id"]) == [0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "Scrap reason is required"),
        ({"reason": None}, "Scrap reason is required"),
        ({"reason": "  "}, "Scrap reason is required"),
        ({"reason": 5}, "reason must be a string"),
        (
            {"reason": "bad_mood"},
            f"Scrap reason must be one of: {', '.join(get_args(ScrapReason))}",
        ),
        ({"reason": "other"}, "Explanation is required when scrap reason is other"),
        ({"reason": "other", "explanation": " \n"}, "Explanation is required when scrap reason is other"),
        ({"reason": "other", "explanation": None}, "Explanation is required when scrap reason is other"),
        ({"reason": "damaged", "explanation": 5}, "explanation must be a string"),
        ({"reason": "damaged", "explanation": "x" * 2001}, "explanation must be at most 2000 characters"),
    ],
)
def test_a_faulty_scrap_is_refused(
    jobs_api: Gateway, path: dict[str, Any], serial: dict[str, Any], body: dict[str, Any], expected: str
) -> None:
    assert message(jobs_api.post(f"/api/serials/{serial['id']}/scrap", body)) == expected
    assert jobs_api.get(f"/api/serials/{serial['id']}").json() == serial
    assert require_exact_counts(jobs_api, path["id"]) == [1, 0, 0, 0, 0]


def test_a_completed_serial_cannot_be_scrapped(jobs_api: Gateway, serial: dict[str, Any]) -> None:
    advance(jobs_api, serial["id"], 3)
    for body in ({}, {"reason": "damaged"}):
        refusal = jobs_api.post(f"/api/serials/{serial['id']}/scrap", body)
        assert message(refusal) == "Cannot scrap a completed serial"


@pytest.mark.parametrize("reason", [None, " the last test is not needed ", ""])
def test_a_serial_is_completed_by_force(
    jobs_api: Gateway, path: dict[str, Any], serial: dict[str, Any], reason: str | None
) -> None:
    advance(jobs_api, serial["id"])
    answer = jobs_api.post(f"/api/serials/{serial['id']}/force-complete", {"reason": reason})
    completed = answer.json()
    assert answer.status == 200
    expected = serial | {
        "currentStepIndex": -1,
        "status": "completed",
        "forceCompleted": True,
        "forceCompletedAt": completed["updatedAt"],
        "updatedAt": completed["updatedAt"],
    }
    assert completed == expected | ({"forceCompletedReason": reason.strip()} if reason else {})
    assert jobs_api.get(f"/api/serials/{serial['id']}").json() == completed
    for action in ("force-complete", "advance"):
        refusal = jobs_api.post(f"/api/serials/{serial['id']}/{action}")
        assert message(refusal) == "Serial number is already completed"
    refusal = jobs_api.post(f"/api/serials/{serial['id']}/advance-to", {"targetStepIndex": 3})
    assert message(refusal) == "Serial number is already completed"
    assert require_exact_counts(jobs_api, path["id"]) == [0, 0, 0, 1, 0]


def test_a_reason_of_the_wrong_kind_is_refused(jobs_api: Gateway, serial: dict[str, Any]) -> None:
    url = f"/api/serials/{serial['id']}/force-complete"
    assert message(jobs_api.post(url, {"reason": 1})) == "reason must be a string"
    assert message(jobs_api.post(url, {"reason": "x" * 2001})) == "reason must be at most 2000 characters"
    assert jobs_api.post(url, {"reason": "x" * 2000}).status == 200


# ------------------------------------------------------------------------------------------------ advance-to


@pytest.fixture
def flexible(jobs_api: Gateway) -> dict[str, Any]:
    steps: list[str | dict[str, Any]]
    steps = ["CNC", {"name": "Deburr", "optional": True}, "Wash", {"name": "Paint", "optional": True}, "QC"]
    return new_path(jobs_api, steps=steps, advancementMode="flexible")


def test_bypassed_steps_are_told_and_classified(jobs_api: Gateway, flexible: dict[str, Any]) -> None:
    first, second = new_serials(jobs_api, flexible["id"], 2)
    answer = jobs_api.post(f"/api/serials/{first['id']}/advance-to", {"targetStepIndex": 4})
    assert answer.status == 200
    assert set(answer.json()) == {"serial", "bypassed"}
    assert answer.json()["serial"]["currentStepIndex"] == 4
    steps = flexible["steps"]
    assert answer.json()["bypassed"] == [
        {"stepId": steps[1]["id"], "stepName": "Deburr", "classification": "skipped"},
        {"stepId": steps[2]["id"], "stepName": "Wash", "classification": "deferred"},
        {"stepId": steps[3]["id"], "stepName": "Paint", "classification": "skipped"},
    ]
    answer = jobs_api.post(f"/api/serials/{second['id']}/advance-to", {"targetStepIndex": 5})
    assert (answer.json()["serial"]["status"], answer.json()["serial"]["currentStepIndex"]) == (
        "completed",
        -1,
    )
    assert answer.json()["serial"]["forceCompleted"] is False
    assert [step["stepName"] for step in answer.json()["bypassed"]] == ["Deburr", "Wash", "Paint", "QC"]
    assert require_exact_counts(jobs_api, flexible["id"]) == [0, 0, 0, 0, 1, 1, 0]


def test_the_next_step_bypasses_nothing_in_either_mode(
    jobs_api: Gateway, path: dict[str, Any], serial: dict[str, Any]
) -> None:
    for target in (1, 2, 3):
        answer = jobs_api.post(f"/api/serials/{serial['id']}/advance-to", {"targetStepIndex": target})
        assert (answer.status, answer.json()["bypassed"]) == (200, [])
    assert answer.json()["serial"]["status"] == "completed"
    assert require_exact_counts(jobs_api, path["id"]) == [0, 0, 0, 1, 0]


def test_a_target_must_lie_ahead_in_range_and_within_the_mode(
    jobs_api: Gateway, path: dict[str, Any], serial: dict[str, Any]
) -> None:
    url = f"/api/serials/{serial['id']}/advance-to"
    advance(jobs_api, serial["id"])
    behind = "Cannot advance to a step at or before the current position"
    beyond = "Target step index is out of range"
    strict = "Path is in strict mode: can only advance to the next step"
    assert message(jobs_api.post(url, {})) == "targetStepIndex is required"
    assert message(jobs_api.post(url, {"targetStepIndex": None})) == "targetStepIndex is required"
    for target, expected in {
        0: behind,
        1: behind,
        -1: behind,
        -(10**30): behind,
        4: beyond,
        10**30: beyond,
        1e300: beyond,
        3: strict,
    }.items():
        assert message(jobs_api.post(url, {"targetStepIndex": target})) == expected
    jobs_api.put(f"/api/paths/{path['id']}", {"advancementMode": "flexible"})
    assert message(jobs_api.post(url, {"targetStepIndex": 4})) == beyond
    assert jobs_api.post(url, {"targetStepIndex": 3}).json()["serial"]["status"] == "completed"


# ------------------------------------------------------------------------------------------------ batch moves


def test_in_a_batch_each_serial_stands_for_itself(jobs_api: Gateway, path: dict[str, Any]) -> None:
    ids = [serial["id"] for serial in new_serials(jobs_api, path["id"], 20)]
    advance(jobs_api, ids[1], 3)
    jobs_api.post(f"/api/serials/{ids[2]}/scrap", {"reason": "damaged"})
    wanted = [ids[3], ids[1], "SN-77777", ids[2], ids[0], *ids[4:], "nonsense"]
    answer = jobs_api.post("/api/serials/advance", {"serialIds": wanted})
    body = answer.json()
    assert answer.status == 200
    assert set(body) == {"advanced", "failed", "results"}
    assert (body["advanced"], body["failed"]) == (18, 4)
    assert [result["serialId"] for result in body["results"]] == wanted
    errors = {result["serialId"]: result["error"] for result in body["results"] if not result["success"]}
    assert errors == {
        ids[1]: "Serial number is already completed",
        ids[2]: "Cannot advance a scrapped serial",
        "SN-77777": "SerialNumber not found: SN-77777",
        "nonsense": "SerialNumber not found: nonsense",
    }
    for result in body["results"]:
        assert set(result) == {"serialId", "success", "serial" if result["success"] else "error"}
        if result["success"]:
            assert result["serial"] == jobs_api.get(f"/api/serials/{result['serialId']}").json()
            assert result["serial"]["currentStepIndex"] == 1
    assert require_exact_counts(jobs_api, path["id"]) == [0, 18, 0, 1, 1]


def test_in_a_batch_the_index_holds_for_each_and_a_doubled_scan_moves_once(
    jobs_api: Gateway, path: dict[str, Any]
) -> None:
    ids = [serial["id"] for serial in new_serials(jobs_api, path["id"], 3)]
    advance(jobs_api, ids[1])
    body = jobs_api.post("/api/serials/advance", {"serialIds": ids, "fromStepIndex": 0}).json()
    assert [result.get("error") for result in body["results"]] == [None, "Serial is not at step 0", None]
    body = jobs_api.post("/api/serials/advance", {"serialIds": [ids[0], ids[0]]}).json()
    assert (body["advanced"], body["failed"]) == (1, 1)
    assert body["results"][1]["error"] == "Serial is given more than once"
    assert require_exact_counts(jobs_api, path["id"]) == [0, 2, 1, 0, 0]


@pytest.mark.parametrize(
    ("serials", "expected"),
    [
        (None, "serialIds is required"),
        ([], "serialIds is required"),
        ("SN-00001", "serialIds must be an array"),
        ({"0": "SN-00001"}, "serialIds must be an array"),
        ([1], "serialIds[0] must be a string"),
        (["SN-00001", None], "serialIds[1] must be a string"),
        (["SN-00001", " "], "serialIds[1] is required"),
        (["SN-00001"] * 101, "serialIds must have at most 100 entries"),
        (["x" * 256], "serialIds[0] must be at most 255 characters"),
    ],
)
def test_a_faulty_batch_moves_nothing(
    jobs_api: Gateway, path: dict[str, Any], serial: dict[str, Any], serials: Any, expected: str
) -> None:
    assert message(jobs_api.post("/api/serials/advance", {"serialIds": serials})) == expected
    assert require_exact_counts(jobs_api, path["id"]) == [1, 0, 0, 0, 0]


def test_a_hundred_serials_move_in_one_call(jobs_api: Gateway, path: dict[str, Any]) -> None:
    ids = [serial["id"] for serial in new_serials(jobs_api, path["id"], 100)]
    assert jobs_api.post("/api/serials/advance", {"serialIds": ids}).json()["advanced"] == 100
    assert require_exact_counts(jobs_api, path["id"]) == [0, 100, 0, 0, 0]


def test_a_fault_at_one_serial_of_a_batch_hides_nothing_of_the_others(
    jobs_api: Gateway, faults: Faults, path: dict[str, Any]
) -> None:
    ids = [serial["id"] for serial in new_serials(jobs_api, path["id"], 5)]
    faults.fail("transact_write_items", "before", refused("AccessDeniedException"), skip=2)
    answer = jobs_api.post("/api/serials/advance", {"serialIds": ids})
    assert answer.status == 200
    assert (answer.json()["advanced"], answer.json()["failed"]) == (4, 1)
    (failed,) = (result for result in answer.json()["results"] if not result["success"])
    assert failed["error"] == "Internal Server Error"
    assert require_exact_counts(jobs_api, path["id"]) == [1, 4, 0, 0, 0]


# ----------------------------------------------------------------------------------------------------- lists


def test_serials_are_listed_by_number_status_and_page(jobs_api: Gateway, path: dict[str, Any]) -> None:
    ids: list[str] = []
    other = new_path(jobs_api, path["jobId"])
    for _ in range(3):
        ids += [serial["id"] for serial in new_serials(jobs_api, path["id"], 6)]
        new_serials(jobs_api, other["id"], 3)
    for number in (0, 5, 6, 11, 17):
        advance(jobs_api, ids[number], 1 + number % 2)
    for number in (2, 12):
        jobs_api.post(f"/api/serials/{ids[number]}/scrap", {"reason": "damaged"})
    for number in (5, 16):
        jobs_api.post(f"/api/serials/{ids[number]}/force-complete")
    everything = jobs_api.get(f"/api/serials?pathId={path['id']}").json()
    assert [serial["id"] for serial in everything] == ids
    for status in ("in_progress", "completed", "scrapped", None):
        expected = [serial for serial in everything if status in (None, serial["status"])]
        url = f"/api/serials?pathId={path['id']}" + (f"&status={status}" if status else "")
        for limit in (1, 2, len(expected) - 1, len(expected), len(expected) + 1, 500):
            if limit > 0:
                assert pages(jobs_api, f"{url}&limit={limit}", limit) == expected
        assert jobs_api.get(url).json() == expected


def pages(api: Gateway, url: str, limit: int) -> list[dict[str, Any]]:
    """Follow the cursors to the end; only the last page may hold less than its limit, and none is empty."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = api.get(url + (f"&cursor={cursor}" if cursor else ""))
        page = answer.json()
        cursor = answer.headers.get("x-next-cursor")
        assert 0 < len(page) <= limit
        assert cursor is None or len(page) == limit
        found += page
    return found


def test_an_empty_path_lists_nothing(jobs_api: Gateway, path: dict[str, Any]) -> None:
    answer = jobs_api.get(f"/api/serials?pathId={path['id']}&limit=5")
    assert (answer.status, answer.json(), answer.headers.get("x-next-cursor")) == (200, [], None)


@pytest.mark.parametrize(
    ("query", "status", "expected"),
    [
        ("", 400, "pathId is required"),
        ("pathId=", 400, "pathId is required"),
        ("pathId=%20", 400, "pathId is required"),
        ("pathId=x", 404, "Path not found: x"),
        (
            "pathId=x&status=lost",
            400,
            "status must be one of: in_progress, completed, scrapped",
        ),
        ("pathId=x&status=", 400, "status must be one of: in_progress, completed, scrapped"),
        ("pathId=x&limit=0", 400, "limit must be an integer from 1 to 500"),
        ("pathId=x&limit=501", 400, "limit must be an integer from 1 to 500"),
        ("pathId=x&cursor=", 400, "Invalid cursor"),
        ("pathId=x&cursor=LTE", 400, "Invalid cursor"),  # -1
        ("pathId=x&cursor=dHJ1ZQ", 400, "Invalid cursor"),  # true
        ("pathId=x&cursor=MS41", 400, "Invalid cursor"),  # 1.5
        ("pathId=x&cursor=MTAwMDAwMDAwMDAwMA", 400, "Invalid cursor"),  # 10**12
        ("pathId=x&cursor=💡", 400, "Invalid cursor"),
    ],
)
def test_a_faulty_list_is_refused(jobs_api: Gateway, query: str, status: int, expected: str) -> None:
    assert message(jobs_api.get(f"/api/serials?{query}"), status) == expected


def test_a_cursor_past_the_end_finds_nothing(jobs_api: Gateway, serial: dict[str, Any]) -> None:
    import base64

    cursor = base64.urlsafe_b64encode(b"999999999999").decode().rstrip("=")
    assert jobs_api.get(f"/api/serials?pathId={serial['pathId']}&cursor={cursor}").json() == []


def test_serials_of_a_batch_committed_while_listing_do_not_hide_moves(
    jobs_api: Gateway, jobs_function: Any, path: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moved serials of a batch that the list has not seen lie between those that it has."""
    unseen, seen = new_serials(jobs_api, path["id"], 2), new_serials(jobs_api, path["id"], 2)
    for serial in (unseen[0], seen[1]):
        advance(jobs_api, serial["id"])
    real = jobs_function.table.query_all
    hidden = "BATCH#000000000001"

    def query_all(*arguments: Any, **options: Any) -> Any:
        return (item for item in real(*arguments, **options) if item["sk"] != hidden)

    monkeypatch.setattr(type(jobs_function.table), "query_all", lambda self, *a, **o: query_all(*a, **o))
    listed = jobs_api.get(f"/api/serials?pathId={path['id']}").json()
    assert [(serial["id"], serial["currentStepIndex"]) for serial in listed] == [
        (seen[0]["id"], 0),
        (seen[1]["id"], 1),
    ]


# ---------------------------------------------------------------------------------- races and lost answers

MOVES: dict[str, tuple[dict[str, Any], list[int]]] = {
    "advance": ({}, [0, 1, 0, 0, 0]),
    "advance-to": ({"targetStepIndex": 1}, [0, 1, 0, 0, 0]),
    "scrap": ({"reason": "damaged"}, [0, 0, 0, 0, 1]),
    "force-complete": ({}, [0, 0, 0, 1, 0]),
}


@pytest.mark.parametrize("action", MOVES)
@pytest.mark.parametrize("moved_before", [False, True])
def test_a_move_whose_answer_is_lost_happens_once_and_succeeds(
    jobs_api: Gateway,
    faults: Faults,
    path: dict[str, Any],
    serial: dict[str, Any],
    action: str,
    moved_before: bool,
) -> None:
    body, expected = MOVES[action]
    if moved_before:
        path = new_path(jobs_api, steps=["Saw", "CNC", "Deburr"])
        (serial,) = new_serials(jobs_api, path["id"])
        advance(jobs_api, serial["id"])
        body = {"targetStepIndex": 2} if action == "advance-to" else body
        expected = [0, *expected[:2], *expected[3:]]
    faults.fail("transact_write_items", "after")
    answer = jobs_api.post(f"/api/serials/{serial['id']}/{action}", body)
    assert answer.status == 200
    moved = answer.json()["serial"] if action == "advance-to" else answer.json()
    assert moved == jobs_api.get(f"/api/serials/{serial['id']}").json()
    assert require_exact_counts(jobs_api, path["id"]) == expected


@pytest.mark.parametrize("action", MOVES)
def test_a_move_that_conflicts_only_over_the_counters_is_tried_again_unseen(
    jobs_api: Gateway, faults: Faults, path: dict[str, Any], serial: dict[str, Any], action: str
) -> None:
    body, expected = MOVES[action]
    faults.fail("transact_write_items", "before", cancelled("None", "TransactionConflict"), times=25)
    assert jobs_api.post(f"/api/serials/{serial['id']}/{action}", body).status == 200
    assert require_exact_counts(jobs_api, path["id"]) == expected
    sent = [json.dumps(call, sort_keys=True) for name, call in faults.calls if name == "transact_write_items"]
    assert len(sent[-26:]) == 26
    assert len(set(sent[-26:])) == 1  # the very same request: nothing was read again


@pytest.mark.parametrize("first", MOVES)
@pytest.mark.parametrize("second", MOVES)
@pytest.mark.parametrize("moved_before", [False, True])
def test_of_two_moves_at_once_one_succeeds(
    jobs_api: Gateway, faults: Faults, serial: dict[str, Any], first: str, second: str, moved_before: bool
) -> None:
    path = new_path(jobs_api, advancementMode="flexible")
    (serial,) = new_serials(jobs_api, path["id"])
    url = f"/api/serials/{serial['id']}"
    bodies = {name: body for name, (body, _) in MOVES.items()}
    if moved_before:
        advance(jobs_api, serial["id"])
        bodies["advance-to"] = {"targetStepIndex": 2}
    winner: list[Any] = []
    between(
        faults,
        "transact_write_items",
        lambda: winner.append(jobs_api.post(f"{url}/{second}", bodies[second])),
    )
    loser = jobs_api.post(f"{url}/{first}", bodies[first])
    assert winner[0].status == 200
    assert message(loser, 409) == MOVED
    shown = winner[0].json()["serial"] if second == "advance-to" else winner[0].json()
    assert jobs_api.get(url).json() == shown
    require_exact_counts(jobs_api, path["id"])


@pytest.mark.parametrize("second", MOVES)
def test_a_lost_race_with_an_index_is_the_conflict_of_that_check(
    jobs_api: Gateway, faults: Faults, serial: dict[str, Any], second: str
) -> None:
    url = f"/api/serials/{serial['id']}"
    between(faults, "transact_write_items", lambda: jobs_api.post(f"{url}/{second}", MOVES[second][0]))
    assert message(jobs_api.post(f"{url}/advance", {"fromStepIndex": 0}), 409) == "Serial is not at step 0"
    require_exact_counts(jobs_api, serial["pathId"])


def test_a_serial_moved_on_after_a_lost_answer_is_counted_once(
    jobs_api: Gateway, faults: Faults, path: dict[str, Any], serial: dict[str, Any]
) -> None:
    """Without DynamoDB's own memory of tokens, the later mark hides ours: a conflict, and exact counts."""
    url = f"/api/serials/{serial['id']}/advance"
    faults.fail("transact_write_items", "after")
    real, calls = faults.client, iter([None, lambda: jobs_api.post(url)])

    class MovedOn:
        def __getattr__(self, name: str) -> Any:
            if name == "transact_write_items" and (other := next(calls, None)):
                faults.client = real
                other()
            return getattr(real, name)

    faults.client = MovedOn()
    assert message(jobs_api.post(url), 409) == MOVED
    assert require_exact_counts(jobs_api, path["id"]) == [0, 0, 1, 0, 0]


@pytest.mark.parametrize("key", [None, "a-key"])
@pytest.mark.parametrize("quantity", [1, 150])
def test_a_creation_whose_answer_is_lost_happens_once(
    jobs_api: Gateway, faults: Faults, path: dict[str, Any], key: str | None, quantity: int
) -> None:
    headers = {"Idempotency-Key": key} if key else {}
    faults.fail("transact_write_items", "after")
    answer = jobs_api.post("/api/serials", {"pathId": path["id"], "quantity": quantity}, headers=headers)
    assert answer.status == 201
    assert len(answer.json()) == quantity
    assert jobs_api.get(f"/api/serials?pathId={path['id']}").json() == answer.json()
    assert require_exact_counts(jobs_api, path["id"]) == [quantity, 0, 0, 0, 0]


CREATION_WRITES = [("update_item", 0), ("transact_write_items", 0)]
CREATION_WRITES_WITH_KEY = [("put_item", 0), *CREATION_WRITES]


@pytest.mark.parametrize(
    ("key", "operation", "when"),
    [(None, name, when) for name, _ in CREATION_WRITES for when in ("before", "after")]
    + [("a-key", name, when) for name, _ in CREATION_WRITES_WITH_KEY for when in ("before", "after")],
)
@pytest.mark.parametrize("earlier", [0, 2])
def test_a_crash_between_any_two_writes_leaves_all_serials_or_none(
    jobs_api: Gateway,
    faults: Faults,
    path: dict[str, Any],
    key: str | None,
    operation: str,
    when: Any,
    earlier: int,
) -> None:
    if earlier:
        new_serials(jobs_api, path["id"], earlier)
    faults.calls.clear()
    faults.fail(operation, when, CRASH)
    headers = {"Idempotency-Key": key} if key else {}
    body = {"pathId": path["id"], "quantity": 20}
    with pytest.raises(Crash):
        jobs_api.post("/api/serials", body, headers=headers)
    written = [name for name in faults.operations() if name in WRITES]
    order = [name for name, _ in (CREATION_WRITES_WITH_KEY if key else CREATION_WRITES)]
    assert written == order[: order.index(operation) + 1]

    committed = (operation, when) not in {
        (name, at) for name in ("put_item", "update_item") for at in ("before", "after")
    } | {("transact_write_items", "before")}
    assert require_exact_counts(jobs_api, path["id"])[0] == earlier + (20 if committed else 0)
    listed = {serial["id"] for serial in jobs_api.get(f"/api/serials?pathId={path['id']}").json()}
    # No phantom: what is not listed cannot be found or moved.
    for number in {1, earlier or 1, earlier + 1, earlier + 20, earlier + 21, earlier + 40}:
        serial_id = f"SN-{number:05d}"
        assert (jobs_api.get(f"/api/serials/{serial_id}").status == 200) == (serial_id in listed)
        if serial_id not in listed:
            assert jobs_api.post(f"/api/serials/{serial_id}/advance").status == 404
    fresh = new_serials(jobs_api, path["id"], 20)
    assert not listed & {serial["id"] for serial in fresh}
    require_exact_counts(jobs_api, path["id"])


def test_steps_that_change_while_serials_are_created_are_the_ones_they_get(
    jobs_api: Gateway, faults: Faults, path: dict[str, Any]
) -> None:
    between(
        faults,
        "transact_write_items",
        lambda: jobs_api.put(f"/api/paths/{path['id']}", {"steps": [{"name": "Only"}]}),
    )
    serials = new_serials(jobs_api, path["id"], 4)
    assert [serial["id"] for serial in serials] == [f"SN-{number:05d}" for number in range(1, 5)]
    assert require_exact_counts(jobs_api, path["id"]) == [4, 0, 0]
    assert advance(jobs_api, serials[0]["id"])["status"] == "completed"


def test_a_path_deleted_while_serials_are_created_gets_none(
    jobs_api: Gateway, faults: Faults, path: dict[str, Any]
) -> None:
    between(faults, "transact_write_items", lambda: jobs_api.delete(f"/api/paths/{path['id']}"))
    answer = jobs_api.post("/api/serials", {"pathId": path["id"], "quantity": 5})
    assert message(answer, 404) == f"Path not found: {path['id']}"
    assert jobs_api.get("/api/serials/SN-00001").status == 404
    kinds = {item["sk"]["S"] for item in faults.client.scan(TableName="jobs")["Items"]}
    assert kinds == {"JOB", "COUNTER"}


def test_a_fault_of_the_database_is_a_plain_500_and_changes_nothing(
    jobs_api: Gateway, faults: Faults, path: dict[str, Any], serial: dict[str, Any]
) -> None:
    requests: list[Callable[[], Any]] = [
        lambda: jobs_api.post(f"/api/serials/{serial['id']}/advance"),
        lambda: jobs_api.post("/api/serials", {"pathId": path["id"], "quantity": 5}),
    ]
    for request in requests:
        faults.fail("transact_write_items", "before", refused("AccessDeniedException"))
        answer = request()
        expected = {"statusCode": 500, "message": "Internal Server Error"}
        assert (answer.status, answer.json()) == (500, expected)
        assert require_exact_counts(jobs_api, path["id"]) == [1, 0, 0, 0, 0]
