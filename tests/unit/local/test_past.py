"""The demonstration's past: what is dated back in the tables still tells one story."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from local import past
from tests.support.gateway import Gateway
from tests.support.shop_floor import advance, new_path, new_serials
from tests.unit.conftest import client

OUTPUTS = {"HistoryTableName": "history", "JobsTableName": "jobs"}


def test_history_serial_numbers_and_flow_agree(jobs_api: Gateway) -> None:
    path = new_path(jobs_api, steps=past.STEPS)
    serials = [serial["id"] for serial in new_serials(jobs_api, path["id"], 4)]
    for serial, moves in zip(serials, (3, 2, 1, 0), strict=True):
        advance(jobs_api, serial, moves)
    jobs_api.post(f"/api/serials/{serials[2]}/scrap", {"reason": "damaged"})
    past.date_back(client("dynamodb"), OUTPUTS, path["id"], serials)

    told = [jobs_api.get(f"/api/serials/{serial}/history").json() for serial in serials]
    begun = datetime.now(UTC) - timedelta(weeks=past.WEEKS, hours=2)
    for serial, events in zip(serials, told, strict=True):
        shown = jobs_api.get(f"/api/serials/{serial}").json()
        moments = [event["at"] for event in events]
        assert moments == sorted(moments)
        assert moments[0] >= begun.isoformat()
        assert (shown["createdAt"], shown["updatedAt"]) == (moments[0], moments[-1])
        assert shown.get("scrappedAt") in (None, moments[-1])
    days = jobs_api.get(f"/api/paths/{path['id']}/flow?days=25").json()["days"]
    for day in days:
        at_its_end = str(date.fromisoformat(day["date"]) + timedelta(days=1))
        entered = sum(event["at"] < at_its_end for events in told for event in events[:1])
        ended = sum(
            event["at"] < at_its_end and event["action"] in ("completed", "scrapped")
            for events in told
            for event in events
        )
        assert sum(day["standing"].values()) == entered - ended
    assert sum(day["completed"] for day in days) == 1
    assert sum(day["scrapped"] for day in days) == 1
