"""Flow: what came, finished and was lost on each day, and what stood where at its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobticket import clock
from tests.support.faults import Faults
from tests.support.gateway import Gateway
from tests.support.interleave import between
from tests.support.shop_floor import advance, new_job, new_path, new_serials
from tests.unit.conftest import client

TODAY = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


class Days:
    """The time, of which a test says how many days before today it is."""

    def __init__(self) -> None:
        self.ago = 0

    def now(self) -> datetime:
        return TODAY - timedelta(days=self.ago)


@pytest.fixture
def days(monkeypatch: pytest.MonkeyPatch) -> Days:
    days = Days()
    monkeypatch.setattr(clock, "now", days.now)
    return days


def flow(api: Gateway, path: dict[str, Any], number: int = 3) -> list[list[Any]]:
    """Return the flow of a path as rows: date, entered and standing by step, completed, scrapped."""
    answer = api.get(f"/api/paths/{path['id']}/flow?days={number}")
    assert answer.status == 200, answer.text
    shown = answer.json()
    steps = [step["id"] for step in path["steps"]]
    assert shown["pathId"] == path["id"]
    for day in shown["days"]:
        assert list(day["entered"]) == list(day["standing"]) == steps
    return [
        [
            day["date"],
            [*day["entered"].values()],
            [*day["standing"].values()],
            day["completed"],
            day["scrapped"],
        ]
        for day in shown["days"]
    ]


def test_each_day_has_a_row_with_its_moves_and_what_stood_at_its_end(jobs_api: Gateway, days: Days) -> None:
    days.ago = 3
    path = new_path(jobs_api, steps=("CNC", "QC"))
    ids = [serial["id"] for serial in new_serials(jobs_api, path["id"], 20)]
    days.ago = 2
    for serial in ids[:5]:
        advance(jobs_api, serial)
    advance(jobs_api, ids[0])
    days.ago = 0
    jobs_api.post(f"/api/serials/{ids[1]}/scrap", {"reason": "damaged"})
    jobs_api.post(f"/api/serials/{ids[19]}/force-complete")
    assert flow(jobs_api, path, 5) == [
        ["2026-11-23", [0, 0], [0, 0], 0, 0],
        ["2026-11-24", [20, 0], [20, 0], 0, 0],
        ["2026-11-25", [0, 5], [15, 4], 1, 0],
        ["2026-11-26", [0, 0], [15, 4], 0, 0],
        ["2026-11-27", [0, 0], [14, 3], 1, 1],
    ]


def test_a_job_sums_its_paths(jobs_api: Gateway, days: Days) -> None:
    days.ago = 1
    job = new_job(jobs_api, goalQuantity=7)
    for quantity in (3, 2):
        path = new_path(jobs_api, job["id"], steps=("CNC",))
        first, *_ = new_serials(jobs_api, path["id"], quantity)
        advance(jobs_api, first["id"])
    days.ago = 0
    new_serials(jobs_api, path["id"], 4)
    jobs_api.post("/api/serials/SN-00002/scrap", {"reason": "damaged"})
    rows = jobs_api.get(f"/api/jobs/{job['id']}/flow?days=3").json()
    assert rows == {
        "jobId": job["id"],
        "days": [
            {"date": "2026-11-25", "completed": 0, "scrapped": 0, "total": 0, "goal": 7},
            {"date": "2026-11-26", "completed": 2, "scrapped": 0, "total": 5, "goal": 7},
            {"date": "2026-11-27", "completed": 0, "scrapped": 1, "total": 9, "goal": 7},
        ],
    }


def test_thirty_days_are_shown_by_default(jobs_api: Gateway, days: Days) -> None:
    path = new_path(jobs_api)
    assert len(jobs_api.get(f"/api/paths/{path['id']}/flow").json()["days"]) == 30


@pytest.mark.parametrize("number", ["0", "401", "x", "-1", "1.5"])
@pytest.mark.parametrize("kind", ["paths", "jobs"])
def test_a_number_of_days_out_of_range_is_refused(jobs_api: Gateway, kind: str, number: str) -> None:
    path = new_path(jobs_api)
    identifier = path["id" if kind == "paths" else "jobId"]
    answer = jobs_api.get(f"/api/{kind}/{identifier}/flow?days={number}")
    assert (answer.status, answer.json()["message"]) == (400, "days must be an integer from 1 to 400")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("/api/paths/path_AAAAAAAAAAAA/flow", "Path not found: path_AAAAAAAAAAAA"),
        ("/api/jobs/job_AAAAAAAAAAAA/flow", "Job not found: job_AAAAAAAAAAAA"),
        ("/api/jobs/job_AAAAAAAAAAAA/history", "Job not found: job_AAAAAAAAAAAA"),
    ],
)
def test_what_does_not_exist_is_not_found(jobs_api: Gateway, url: str, message: str) -> None:
    answer = jobs_api.get(url)
    assert (answer.status, answer.json()["message"]) == (404, message)


def test_serial_numbers_older_than_the_history_count(jobs_api: Gateway, days: Days) -> None:
    path = new_path(jobs_api, steps=("CNC", "QC"))
    serials = new_serials(jobs_api, path["id"], 3)
    for item in client("dynamodb").scan(TableName="history")["Items"]:
        client("dynamodb").delete_item(TableName="history", Key={name: item[name] for name in ("pk", "sk")})
    advance(jobs_api, serials[0]["id"])
    assert flow(jobs_api, path, 2) == [
        ["2026-11-26", [0, 0], [3, 0], 0, 0],
        ["2026-11-27", [0, 1], [2, 1], 0, 0],
    ]


def test_a_move_during_the_reading_counts_on_its_own_day(
    jobs_api: Gateway, days: Days, faults: Faults
) -> None:
    """Were the counts read before the move and the flow after it, yesterday would show the move."""
    days.ago = 1
    path = new_path(jobs_api, steps=("CNC", "QC"))
    serial = new_serials(jobs_api, path["id"])[0]["id"]
    days.ago = 0
    queries = 0
    real = faults.client

    class Moving:
        """Moves the serial number after the counts were read, and before the flow is."""

        def __getattr__(self, name: str) -> Any:
            nonlocal queries
            queries += name == "query"
            if name == "query" and queries == 2:
                faults.client = real
                advance(jobs_api, serial)
            return getattr(real, name)

    faults.client = Moving()
    assert flow(jobs_api, path, 2) == [
        ["2026-11-26", [1, 0], [1, 0], 0, 0],
        ["2026-11-27", [0, 1], [0, 1], 0, 0],
    ]
    assert queries == 2


def test_the_counts_of_a_fast_clock_do_not_change_today(jobs_api: Gateway, days: Days) -> None:
    path = new_path(jobs_api, steps=("CNC", "QC"))
    serial = new_serials(jobs_api, path["id"])[0]["id"]
    days.ago = -1
    advance(jobs_api, serial)
    days.ago = 0
    assert flow(jobs_api, path, 1) == [["2026-11-27", [1, 0], [1, 0], 0, 0]]


# --- the history of jobs and settings -----------------------------------------------------------------------


def told(api: Gateway, url: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = api.get(url).json()
    for event in events:
        del event["at"]
        assert event.pop("by") == "every-scope"
    return events


def test_a_job_tells_of_itself_and_its_paths(jobs_api: Gateway) -> None:
    job = new_job(jobs_api, name="Housing", jiraTicketKey="PI-1")
    url = f"/api/jobs/{job['id']}"
    jobs_api.put(url, {"name": "Housing B", "goalQuantity": 50})
    jobs_api.put(url, {})
    path = new_path(jobs_api, job["id"], steps=("CNC",), name="Route")
    jobs_api.put(f"/api/paths/{path['id']}", {"name": "Other", "steps": [{"name": "Mill"}]})
    mill = jobs_api.get(f"/api/paths/{path['id']}").json()["steps"][0]["id"]
    jobs_api.delete(f"/api/paths/{path['id']}")
    jobs_api.delete(url)
    of_path = {"pathId": path["id"], "pathName": "Route"}
    cnc = {"id": path["steps"][0]["id"], "name": "CNC", "order": 0, "optional": False}
    assert told(jobs_api, f"{url}/history") == [
        {"action": "created", "name": "Housing", "ticketKey": "PI-1"},
        {"action": "changed", "changes": {"name": {"before": "Housing", "after": "Housing B"}}},
        {"action": "path_added", **of_path},
        {
            "action": "path_changed",
            **of_path,
            "changes": {
                "name": {"before": "Route", "after": "Other"},
                "steps": {"before": [cnc], "after": [{**cnc, "id": mill, "name": "Mill"}]},
            },
        },
        {"action": "path_removed", **of_path, "pathName": "Other"},
        {"action": "deleted"},
    ]


def test_of_two_changes_at_once_both_tell_the_truth(jobs_api: Gateway, faults: Faults) -> None:
    job = new_job(jobs_api, name="A")
    url = f"/api/jobs/{job['id']}"
    between(faults, "transact_write_items", lambda: jobs_api.put(url, {"name": "B"}))
    assert jobs_api.put(url, {"name": "C"}).json()["name"] == "C"
    changes = [event["changes"]["name"] for event in told(jobs_api, f"{url}/history")[1:]]
    assert changes == [{"before": "A", "after": "B"}, {"before": "B", "after": "C"}]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_change_whose_answer_was_lost_is_told_once(jobs_api: Gateway, faults: Faults, when: Any) -> None:
    job = new_job(jobs_api, name="A")
    faults.fail("transact_write_items", when)
    assert jobs_api.put(f"/api/jobs/{job['id']}", {"name": "B"}).status == 200
    assert len(told(jobs_api, f"/api/jobs/{job['id']}/history")) == 2


def test_settings_tell_who_changed_them(jobs_api: Gateway) -> None:
    jobs_api.put(
        "/api/settings",
        {"enabled": True, "externalId": "plant", "fieldMappings": {"epicLink": "customfield_1"}},
    )
    jobs_api.put("/api/settings", {"externalId": "", "enabled": True})
    assert told(jobs_api, "/api/settings/history") == [
        {
            "action": "changed",
            "changes": {
                "enabled": {"before": False, "after": True},
                "externalId": {"after": "plant"},
                "fieldMappings": {
                    "before": {
                        "partNumber": "customfield_10908",
                        "goalQuantity": "customfield_10900",
                        "epicLink": "customfield_10014",
                    },
                    "after": {
                        "partNumber": "customfield_10908",
                        "goalQuantity": "customfield_10900",
                        "epicLink": "customfield_1",
                    },
                },
            },
        },
        {"action": "changed", "changes": {"externalId": {"before": "plant"}}},
    ]
