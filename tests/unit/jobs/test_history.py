"""Who moved a serial number and when: recorded in the transaction of the move, and told in order."""

from __future__ import annotations

from typing import Any

import pytest

from jobticket import clock
from tests.support.faults import Faults
from tests.support.gateway import Gateway
from tests.support.shop_floor import new_path, new_serials
from tests.unit.conftest import client


def history(api: Gateway, serial: str, query: str = "") -> list[dict[str, Any]]:
    answer = api.get(f"/api/serials/{serial}/history{query}")
    assert answer.status == 200, answer.text
    told: list[dict[str, Any]] = answer.json()
    return told


def place(path: dict[str, Any], index: int) -> dict[str, str]:
    return {"stepId": path["steps"][index]["id"], "stepName": path["steps"][index]["name"]}


@pytest.fixture
def path(jobs_api: Gateway) -> dict[str, Any]:
    steps = ("CNC", {"name": "Deburr", "optional": True}, "Wash", "QC")
    return new_path(jobs_api, steps=steps, advancementMode="flexible")


@pytest.fixture
def serial(jobs_api: Gateway, path: dict[str, Any]) -> str:
    return str(new_serials(jobs_api, path["id"])[0]["id"])


def test_a_new_serial_number_tells_of_its_creation(jobs_api: Gateway, path: Any, serial: str) -> None:
    (created,) = history(jobs_api, serial)
    assert created.pop("at") == jobs_api.get(f"/api/serials/{serial}").json()["createdAt"]
    assert created == {"action": "created", "to": place(path, 0), "by": "every-scope"}


def test_each_move_tells_who_moved_and_where_to(jobs_api: Gateway, path: Any, serial: str) -> None:
    url = f"/api/serials/{serial}"
    jobs_api.post(f"{url}/advance-to", {"targetStepIndex": 3, "operator": " Anna Nowak "})
    jobs_api.post(f"{url}/advance")
    skipped, completed = history(jobs_api, serial)[1:]
    assert skipped.pop("at") <= completed.pop("at")
    assert skipped == {
        "action": "skipped_to",
        "from": place(path, 0),
        "to": place(path, 3),
        "by": "every-scope",
        "operator": "Anna Nowak",
        "bypassed": [
            {**place(path, 1), "classification": "skipped"},
            {**place(path, 2), "classification": "deferred"},
        ],
    }
    assert completed == {"action": "completed", "from": place(path, 3), "by": "every-scope"}


@pytest.mark.parametrize(
    ("route", "body", "told"),
    [
        ("advance", {}, {"action": "advanced", "to": 1}),
        ("advance-to", {"targetStepIndex": 1}, {"action": "advanced", "to": 1}),
        ("scrap", {"reason": "damaged"}, {"action": "scrapped", "reason": "damaged"}),
        ("force-complete", {"reason": "urgent"}, {"action": "force_completed", "reason": "urgent"}),
    ],
)
def test_each_kind_of_move_is_recorded(
    jobs_api: Gateway, path: Any, serial: str, route: str, body: Any, told: dict[str, Any]
) -> None:
    answer = jobs_api.post(f"/api/serials/{serial}/{route}", {**body, "operator": "Jan"})
    assert answer.status == 200, answer.text
    event = history(jobs_api, serial)[-1]
    del event["at"]
    expected = {"from": place(path, 0), "by": "every-scope", "operator": "Jan", **told}
    assert event == expected | ({"to": place(path, 1)} if "to" in told else {})


def test_a_batch_tells_of_each_serial_number(jobs_api: Gateway, path: Any) -> None:
    ids = [serial["id"] for serial in new_serials(jobs_api, path["id"], 3)]
    jobs_api.post("/api/serials/advance", {"serialIds": ids, "operator": "Jan"})
    assert [history(jobs_api, serial)[-1]["operator"] for serial in ids] == ["Jan"] * 3


def test_steps_bear_the_names_that_they_have_now(jobs_api: Gateway, path: Any, serial: str) -> None:
    jobs_api.post(f"/api/serials/{serial}/advance")
    renamed = [{"id": step["id"], "name": f"New {step['name']}"} for step in path["steps"]]
    assert jobs_api.put(f"/api/paths/{path['id']}", {"steps": renamed}).status == 200
    assert history(jobs_api, serial)[1]["to"] == {"stepId": path["steps"][1]["id"], "stepName": "New Deburr"}


def test_a_refused_move_leaves_no_record(jobs_api: Gateway, serial: str) -> None:
    assert jobs_api.post(f"/api/serials/{serial}/advance", {"fromStepIndex": 2}).status == 409
    assert jobs_api.post(f"/api/serials/{serial}/scrap", {"reason": "bad luck"}).status == 400
    assert len(history(jobs_api, serial)) == 1


def test_a_page_continues_where_the_last_one_ended(jobs_api: Gateway, path: Any, serial: str) -> None:
    for _ in path["steps"]:
        jobs_api.post(f"/api/serials/{serial}/advance")
    whole = history(jobs_api, serial)
    assert [event["action"] for event in whole] == [
        "created",
        "advanced",
        "advanced",
        "advanced",
        "completed",
    ]
    found: list[Any] = []
    url = f"/api/serials/{serial}/history?limit=2"
    cursor: str | None = ""
    while cursor is not None:
        answer = jobs_api.get(url + (f"&cursor={cursor}" if cursor else ""))
        found += answer.json()
        cursor = answer.headers.get("x-next-cursor")
    assert found == whole


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "cursor=x", "cursor=WzFd", "cursor=WyJhIiwxXQ"])
def test_bad_pages_are_refused(jobs_api: Gateway, serial: str, query: str) -> None:
    assert jobs_api.get(f"/api/serials/{serial}/history?{query}").status == 400


def test_an_unknown_serial_number_has_no_history(jobs_api: Gateway) -> None:
    answer = jobs_api.get("/api/serials/SN-00099/history")
    assert (answer.status, answer.json()["message"]) == (404, "SerialNumber not found: SN-00099")


@pytest.mark.parametrize("operator", ["x" * 101, 7])
@pytest.mark.parametrize("route", ["advance", "advance-to", "scrap", "force-complete"])
def test_an_operator_is_a_short_text(jobs_api: Gateway, serial: str, route: str, operator: Any) -> None:
    body = {"targetStepIndex": 1, "reason": "damaged", "operator": operator}
    answer = jobs_api.post(f"/api/serials/{serial}/{route}", body)
    assert answer.status == 400
    assert answer.json()["message"].startswith("operator must be a")


def test_a_move_is_one_call_of_the_database(jobs_api: Gateway, serial: str, faults: Faults) -> None:
    assert jobs_api.post(f"/api/serials/{serial}/advance").status == 200
    assert [name for name in faults.operations() if name not in ("query", "get_item")] == [
        "transact_write_items"
    ]
    (call,) = (parameters for name, parameters in faults.calls if name == "transact_write_items")
    written = [(*entry, next(iter(entry.values()))["TableName"]) for entry in call["TransactItems"]]
    assert written == [("Update", "jobs"), ("Update", "jobs"), ("Update", "history"), ("Put", "history")]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_leaves_one_record(jobs_api: Gateway, serial: str, faults: Faults, when: Any) -> None:
    faults.fail("transact_write_items", when)
    assert jobs_api.post(f"/api/serials/{serial}/advance").status == 200
    assert [event["action"] for event in history(jobs_api, serial)] == ["created", "advanced"]


def test_what_is_too_old_is_not_told_though_it_is_still_there(jobs_api: Gateway, serial: str) -> None:
    for _ in range(2):
        jobs_api.post(f"/api/serials/{serial}/advance")
    table = client("dynamodb")
    key = {"pk": {"S": f"SERIAL#{serial}"}, "sk": {"S": "000"}}
    table.update_item(
        TableName="history",
        Key=key,
        UpdateExpression="SET expires_at = :past",
        ExpressionAttributeValues={":past": {"N": "1"}},
    )
    assert [event["from"]["stepName"] for event in history(jobs_api, serial)[1:]] == ["Deburr"]


def test_the_history_keeps_an_item_for_as_long_as_the_setting_says(jobs_api: Gateway, serial: str) -> None:
    jobs_api.post(f"/api/serials/{serial}/advance")
    items = client("dynamodb").scan(TableName="history")["Items"]
    day = 24 * 60 * 60
    kept = {item["pk"]["S"].partition("#")[0]: int(item["expires_at"]["N"]) for item in items}
    at = jobs_api.get(f"/api/serials/{serial}").json()["updatedAt"]
    assert set(kept) == {"JOB", "SERIAL", "FLOW"}
    assert abs(kept["SERIAL"] - clock.epoch(clock.parse_iso(at)) - 730 * day) <= 1
