"""Reading a distribution costs the same however many serial numbers there are."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.distribution_cost import FEW, MANY, costs
from tests.support.faults import Faults
from tests.support.gateway import Gateway
from tests.support.shop_floor import advance, new_job, new_path, new_serials
from tests.unit.conftest import client


def test_100_000_serials_cost_what_20_do(aws: None) -> None:
    few, many = (costs(client("dynamodb"), "jobs", quantity) for quantity in (FEW, MANY))
    assert {request: (cost.calls, cost.units) for request, cost in few.items()} == {
        request: (cost.calls, cost.units) for request, cost in many.items()
    }
    assert few["GET /api/jobs/{id}"].calls == 1
    assert few["GET /api/paths/{id}"].calls == 2


@pytest.mark.parametrize("moved", [0, 30])
def test_no_serial_is_read_for_a_distribution(jobs_api: Gateway, faults: Faults, moved: int) -> None:
    job = new_job(jobs_api)
    path = new_path(jobs_api, job["id"])
    for serial in new_serials(jobs_api, path["id"], 30)[:moved]:
        advance(jobs_api, serial["id"])
    for url, expected in {f"/api/jobs/{job['id']}": 10, f"/api/paths/{path['id']}": 10}.items():
        read: list[Any] = []
        real = faults.client

        class Reading:
            def __getattr__(self, name: str, real: Any = real, read: list[Any] = read) -> Any:
                def call(**parameters: Any) -> Any:
                    answer = getattr(real, name)(**parameters)
                    read.extend(answer.get("Items", [answer["Item"]] if "Item" in answer else []))
                    return answer

                return call

        faults.client = Reading()
        assert jobs_api.get(url).status == 200
        faults.client = real
        assert not [item for item in read if item["sk"]["S"].startswith(("SN#", "BATCH#"))]
        assert len(read) == expected
