"""Anomalies over HTTP: reporting, listing, changing, archiving, commenting."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jobticket.ticketing import revisions
from jobticket.ticketing.model import STATUSES
from tests.support.gateway import Gateway
from tests.unit.conftest import client, gateway
from tests.unit.ticketing.conftest import ANOMALY, CHECK, INTEGRATION, Time

KEYS = {
    "id", "type", "status", "archived", "datastore", "container", "failed_checks", "weight", "fingerprint",
    "description", "detected", "detected_count", "created", "updated",
}  # fmt: skip


def report(api: Gateway, **more: Any) -> dict[str, Any]:
    answer = api.post("/api/anomalies", ANOMALY | more)
    assert answer.status in (200, 201), answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_an_anomaly_is_kept_as_it_was_reported(api: Gateway) -> None:
    full = {
        "type": "record",
        "datastore": {"id": 7, "name": "CRM"},
        "container": {"id": 9, "name": "CUSTOMER"},
        "failed_checks": [{"message": "is not unique", "field": "ID", "rule_type": "unique"}, CHECK],
        "weight": 2.5,
        "fingerprint": -4711,
        "description": "Duplicate customers",
        "detected": "2025-12-21T02:48:42.988233+01:00",
    }
    made = api.post("/api/anomalies", full)
    assert made.status == 201
    shown = made.json()
    assert set(shown) == KEYS
    assert shown["id"] == 1
    assert (shown["status"], shown["archived"], shown["detected_count"]) == ("Active", False, 1)
    assert shown["detected"] == "2025-12-21T01:48:42.988233Z"
    assert shown["failed_checks"][1] == {**CHECK, "field": None, "rule_type": None}
    for name in ("type", "datastore", "container", "weight", "fingerprint", "description"):
        assert shown[name] == full[name]
    assert api.get("/api/anomalies/1").json() == shown


def test_ids_are_whole_numbers_that_are_never_given_again(api: Gateway) -> None:
    assert [report(api)["id"] for _ in range(3)] == [1, 2, 3]
    assert api.delete("/api/anomalies/3?archive=false").status == 204
    assert report(api)["id"] == 4


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"type": None}, "type is required"),
        ({"type": "row"}, "type must be one of: record, shape"),
        ({"datastore": None}, "datastore is required"),
        ({"datastore": "CRM"}, "datastore must be an object"),
        ({"datastore": {"name": "CRM"}}, "datastore.id is required"),
        ({"datastore": {"id": "1", "name": "CRM"}}, "datastore.id must be a number"),
        ({"datastore": {"id": 1, "name": " "}}, "datastore.name is required"),
        ({"failed_checks": []}, "failed_checks is required"),
        ({"failed_checks": {}}, "failed_checks must be an array"),
        ({"failed_checks": [{"field": "A"}]}, "failed_checks[0].message is required"),
        ({"failed_checks": [{"message": 1}]}, "failed_checks[0].message must be a string"),
        ({"failed_checks": [CHECK] * 101}, "failed_checks must have at most 100 entries"),
        ({"failed_checks": ["x"]}, "failed_checks[0] must be an object"),
        ({"weight": "7"}, "weight must be a number"),
        ({"weight": True}, "weight must be a number"),
        ({"fingerprint": []}, "fingerprint must be a string or an integer"),
        ({"fingerprint": 10**38}, "fingerprint must have at most 38 digits"),
        ({"description": "x" * 100_001}, "description must be at most 100000 characters"),
        ({"detected": "yesterday"}, "detected must be an ISO 8601 timestamp"),
        ({"detected": 5}, "detected must be a string"),
        (
            {"failed_checks": [{"message": "x" * 100_000}] * 4},
            "The anomaly is too large: at most 307200 bytes",
        ),
    ],
)
def test_a_faulty_report_is_refused(api: Gateway, change: dict[str, Any], text: str) -> None:
    answer = api.post("/api/anomalies", ANOMALY | change)
    assert (answer.status, answer.json()) == (400, {"detail": text})
    assert api.get("/api/anomalies").json()["total"] == 0


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"weight": 5e-324}, {"weight": 0}),
        ({"weight": -0.0}, {"weight": 0}),
        ({"weight": 1e-9}, {"weight": 1e-9}),
        ({"weight": -1_000_000_000}, {"weight": -1_000_000_000}),
        ({"fingerprint": 1 - 10**38}, {"fingerprint": 1 - 10**38}),
        ({"fingerprint": " "}, {"fingerprint": None}),
        ({"detected": "0001-01-02T00:00:00Z"}, {"detected": "0001-01-02T00:00:00.000Z"}),
        ({"detected": "2025-01-01"}, {"detected": "2025-01-01T00:00:00.000Z"}),
    ],
)
def test_what_lies_at_the_edges_is_kept(api: Gateway, change: dict[str, Any], shown: dict[str, Any]) -> None:
    made = report(api, **change)
    assert made == made | shown
    assert json.dumps(api.get("/api/anomalies/1").json()) == json.dumps(made)  # -0.0 is not 0


def test_an_anomaly_stays_small_enough_to_be_kept(api: Gateway) -> None:
    report(api, failed_checks=[{"message": "x" * 100_000}] * 2)
    refused = api.put("/api/anomalies/1", {"status": "Acknowledged", "description": "\u00e4" * 99_000})
    assert (refused.status, refused.json()) == (
        400,
        {"detail": "The anomaly is too large: at most 307200 bytes"},
    )
    assert api.get("/api/anomalies/1").json()["status"] == "Active"
    assert api.put("/api/anomalies/1", {"description": "y" * 100_000}).status == 200


def test_an_open_anomaly_is_detected_again_by_its_fingerprint(api: Gateway) -> None:
    first = api.post("/api/anomalies", ANOMALY | {"fingerprint": "f1"})
    again = api.post("/api/anomalies", ANOMALY | {"fingerprint": "f1", "type": "record"})
    assert (first.status, again.status) == (201, 200)
    assert again.json() == first.json() | {"detected_count": 2, "updated": again.json()["updated"]}
    api.delete("/api/anomalies/1")
    fresh = api.post("/api/anomalies", ANOMALY | {"fingerprint": "f1"})
    assert (fresh.status, fresh.json()["id"]) == (201, 2)
    restored = api.put("/api/anomalies/1", {"status": "Active"})
    assert (restored.status, restored.json()) == (
        409,
        {"detail": "Another open anomaly has the same fingerprint: 2"},
    )
    api.delete("/api/anomalies/2?archive=false")
    assert api.put("/api/anomalies/1", {"status": "Active"}).json()["status"] == "Acknowledged"
    assert report(api, fingerprint="f1")["id"] == 1


def test_reports_of_one_fingerprint_at_the_same_time_are_one_anomaly(api: Gateway) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: report(api, fingerprint="f"), range(16)))
    assert len({answer["id"] for answer in answers}) == 1
    (only,) = api.get("/api/anomalies").json()["items"]
    assert only["detected_count"] == 16


def test_a_repeat_with_an_idempotency_key_counts_nothing_twice(api: Gateway) -> None:
    headers = {"Idempotency-Key": "scan-1"}
    body = ANOMALY | {"fingerprint": 1}
    first, second = (api.post("/api/anomalies", body, headers=headers) for _ in range(2))
    assert (first.status, first.json()) == (second.status, second.json())
    assert api.get("/api/anomalies").json()["items"][0]["detected_count"] == 1


def listed(api: Gateway, query: str = "") -> list[int]:
    return [item["id"] for item in api.get(f"/api/anomalies{query}").json()["items"]]


def test_the_list_is_newest_first_in_pages_with_totals(api: Gateway) -> None:
    for number in range(1, 24):
        report(api, datastore={"id": number % 3 + 1, "name": "S"}, type=("shape", "record")[number % 2])
        if number % 4 == 0:
            api.delete(f"/api/anomalies/{number}?status=Duplicate")
        if number % 5 == 0:
            api.put(f"/api/anomalies/{number}", {"status": "Acknowledged"})
    everything = list(range(23, 0, -1))
    pages = [api.get(f"/api/anomalies?page={page}&size=7").json() for page in (1, 2, 3, 4, 5)]
    assert [item["id"] for page in pages for item in page["items"]] == everything
    assert {(page["total"], page["size"], page["pages"]) for page in pages} == {(23, 7, 4)}
    assert [len(page["items"]) for page in pages] == [7, 7, 7, 2, 0]
    everyone = {item["id"]: item for page in pages for item in page["items"]}

    def expected(**wanted: Any) -> list[int]:
        return [n for n in everything if all(everyone[n][key] == value for key, value in wanted.items())]

    assert listed(api, "?archived=true") == expected(archived=True)
    assert listed(api, "?archived=false") == expected(archived=False)
    assert listed(api, "?type=record") == expected(type="record")
    for status in STATUSES:
        assert listed(api, f"?status={status}") == expected(status=status)
    second = [n for n in everything if everyone[n]["datastore"]["id"] == 2]
    assert listed(api, "?datastore=2") == second
    assert listed(api, "?datastore=2&archived=false&type=shape") == [
        n for n in second if n in expected(archived=False, type="shape")
    ]
    assert listed(api, "?status=Active&archived=true") == []
    assert listed(api, "?datastore=99") == []


def test_totals_stay_exact_under_many_changes_at_once(api: Gateway) -> None:
    for _ in range(12):
        report(api)

    def change(number: int) -> None:
        path = f"/api/anomalies/{number % 12 + 1}"
        if number % 3 == 0:
            api.delete(f"{path}?status=Invalid")
        else:
            api.put(path, {"status": "Acknowledged" if number % 3 == 1 else "Active"})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(change, range(60)))
    shown = api.get("/api/anomalies?size=100").json()
    for status in STATUSES:
        count = sum(item["status"] == status for item in shown["items"])
        assert api.get(f"/api/anomalies?status={status}").json()["total"] == count


def test_a_page_costs_what_it_shows_and_not_what_there_is(api: Gateway, function: Any) -> None:
    for _ in range(30):
        report(api)
    asked: list[str] = []
    call = function.table._client._make_api_call

    def counted(operation: str, parameters: Any) -> Any:
        asked.append(operation)
        return call(operation, parameters)

    function.table._client._make_api_call = counted
    api.get("/api/anomalies?size=5")
    del function.table._client._make_api_call
    assert asked == ["Query", "Query", "BatchGetItem"]  # the counts, the one state there is, the page


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("?page=0", "page must be an integer from 1 to 1000000"),
        ("?page=x", "page must be an integer from 1 to 1000000"),
        ("?size=101", "size must be an integer from 1 to 100"),
        ("?size=-1", "size must be an integer from 1 to 100"),
        ("?status=active", f"status must be one of: {', '.join(STATUSES)}"),
        ("?type=row", "type must be one of: record, shape"),
        ("?datastore=CRM", "datastore must be an integer from 1 to 1000000000000000"),
        ("?archived=yes", "archived must be true or false"),
    ],
)
def test_a_faulty_filter_is_refused(api: Gateway, query: str, text: str) -> None:
    answer = api.get(f"/api/anomalies{query}")
    assert (answer.status, answer.json()) == (400, {"detail": text})


def test_statuses_change_as_the_contract_says(api: Gateway, clock: Time) -> None:
    made = report(api)
    changed = api.put("/api/anomalies/1", {"status": "Acknowledged", "description": "why"}).json()
    assert changed == made | {
        "status": "Acknowledged",
        "description": "why",
        "updated": changed["updated"],
    }
    assert api.put("/api/anomalies/1", {"status": "Resolved"}).json() == {
        "detail": "status must be one of: Active, Acknowledged"
    }
    assert api.delete("/api/anomalies/1?archive=true&status=Active").json() == {
        "detail": "status must be one of: Resolved, Duplicate, Invalid, Discarded"
    }
    for status in ("Resolved", "Duplicate", "Invalid", "Discarded"):
        answer = api.delete(f"/api/anomalies/1?archive=true&status={status}")
        assert (answer.status, answer.body) == (204, b"")
        shown = api.get("/api/anomalies/1").json()
        assert (shown["status"], shown["archived"]) == (status, True)
    assert api.put("/api/anomalies/1", {"description": ""}).json()["description"] is None
    restored = api.put("/api/anomalies/1", {"status": "Active"}).json()
    assert (restored["status"], restored["archived"]) == ("Acknowledged", False)
    assert api.put("/api/anomalies/1", {}).json() == restored


def test_archiving_can_bring_a_comment(api: Gateway) -> None:
    report(api)
    api.delete("/api/anomalies/1?archive=true&status=Resolved&comment=merged%20by%20hand")
    api.delete("/api/anomalies/1", {"comment": "said in the body"})
    api.delete("/api/anomalies/1?comment=%20&status=Invalid")
    comments = api.get("/api/anomalies/1/comments").json()
    assert [comment["message"] for comment in comments["items"]] == ["merged by hand", "said in the body"]
    assert api.get("/api/anomalies/1").json()["status"] == "Invalid"


@pytest.mark.parametrize(
    ("comment", "text"),
    [
        (1, "comment must be a string"),
        ("x" * 100_001, "comment must be at most 100000 characters"),
        ("\U0001f4a5" * 100_000, "comment must be at most 307200 bytes"),
    ],
)
def test_a_faulty_comment_archives_nothing(api: Gateway, comment: Any, text: str) -> None:
    report(api)
    refused = api.delete("/api/anomalies/1", {"comment": comment})
    assert (refused.status, refused.json()) == (400, {"detail": text})
    assert api.get("/api/anomalies/1").json()["status"] == "Active"


def test_deleting_leaves_nothing(api: Gateway) -> None:
    report(api, fingerprint="f")
    api.post("/api/anomalies/1/comments", {"message": "one"})
    assert api.delete("/api/anomalies/1?archive=false").status == 204
    for method, path in [("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "/comments")]:
        answer = api.call(method, f"/api/anomalies/1{path}", {} if method == "PUT" else None)
        assert (answer.status, answer.json()) == (404, {"detail": "Anomaly not found: 1"})
    kept = {item["pk"]["S"] for item in client("dynamodb").scan(TableName="ticketing")["Items"]}
    assert not any(pk.startswith(("ANOMALY", "FINGERPRINT", "ISSUE")) for pk in kept)
    assert api.get("/api/anomalies").json()["total"] == 0


def test_an_anomaly_that_others_change_all_the_time_is_deleted_whole_or_not_at_all(
    api: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(api, fingerprint="f")
    quicker: list[str] = []

    def load_and_be_overtaken(*arguments: Any) -> Any:
        loaded = revisions.load(*arguments)
        if (
            not quicker or quicker[-1] == "done"
        ):  # not for the comment itself, which loads the anomaly as well
            quicker.append("under way")
            assert api.post("/api/anomalies/1/comments", {"message": "quicker"}).status == 201
            quicker[-1] = "done"
        return loaded

    with monkeypatch.context() as patch:
        patch.setattr("jobticket.ticketing.anomalies.load", load_and_be_overtaken)
        refused = api.delete("/api/anomalies/1?archive=false")
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert api.get("/api/anomalies").json()["total"] == 1
    assert api.get("/api/anomalies/1/comments").json()["total"] == len(quicker) == 20
    assert api.delete("/api/anomalies/1?archive=false").status == 204
    assert report(api, fingerprint="f")["id"] == 2


@pytest.mark.parametrize("number", ["0", "99", "x", "1.5", "-1", "9" * 40, "%00"])
def test_an_unknown_anomaly_is_not_found(api: Gateway, number: str) -> None:
    for method, path, body in [
        ("GET", "", None),
        ("PUT", "", {"status": "Active"}),
        ("DELETE", "?archive=false", None),
        ("DELETE", "", None),
        ("POST", "/comments", {"message": "x"}),
        ("GET", "/ticket-links", None),
        ("DELETE", "/ticket-links/1", None),
        ("POST", "/ticket-links/1/refresh", None),
    ]:
        answer = api.call(method, f"/api/anomalies/{number}{path}", body)
        assert answer.status == 404, (method, path)
        assert answer.json()["detail"].startswith("Anomaly not found: ")


def test_comments_are_listed_in_their_order(api: Gateway) -> None:
    report(api)
    for number in range(5):
        made = api.post("/api/anomalies/1/comments", {"message": f" comment {number}\nsecond line "})
        assert made.status == 201
        assert made.json() == {
            "id": number + 1,
            "anomaly_id": 1,
            "message": f"comment {number}\nsecond line",
            "created": made.json()["created"],
        }
    second = api.get("/api/anomalies/1/comments?page=2&size=2").json()
    assert [comment["id"] for comment in second["items"]] == [3, 4]
    assert (second["total"], second["pages"]) == (5, 3)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "message is required"),
        ({"message": "  "}, "message is required"),
        ({"message": 1}, "message must be a string"),
        ({"message": "x" * 100_001}, "message must be at most 100000 characters"),
        ({"message": "\U0001f4a5" * 100_000}, "message must be at most 307200 bytes"),
    ],
)
def test_a_faulty_comment_is_refused(api: Gateway, body: dict[str, Any], text: str) -> None:
    report(api)
    answer = api.post("/api/anomalies/1/comments", body)
    assert (answer.status, answer.json()) == (400, {"detail": text})


def test_the_scope_is_ticketing_and_of_the_integration_admin(function: Any) -> None:
    people = {key: gateway(function, key) for key in ("only-ticketing", "only-admin", "only-jobs")}
    assert people["only-ticketing"].get("/api/anomalies").status == 200
    refused = people["only-jobs"].get("/api/anomalies")
    assert (refused.status, refused.json()) == (
        403,
        {"detail": "This key does not have the scope: ticketing"},
    )
    assert gateway(function, None).get("/api/anomalies").json() == {"detail": "Invalid secret key"}
    for method in ("POST", "PUT", "DELETE"):
        assert people["only-ticketing"].call(method, INTEGRATION, {}).status == 403
        assert people["only-admin"].call(method, INTEGRATION, {}).status in (400, 404)
