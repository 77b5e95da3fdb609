"""The history on the deployed stack: each function writes it with its own role."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from jobticket_client.errors import Conflict, Invalid

from tests.support.deployed import Stack

CLIENTS = 8


def test_moves_of_many_clients_are_each_told_once(stack: Stack) -> None:
    api = stack.api()
    job = api.jobs.create(name="History", goal_quantity=5)["id"]
    path = api.paths.create(
        job_id=job, name="Route", goal_quantity=5, steps=[{"name": "CNC"}, {"name": "Deburr"}, {"name": "QC"}]
    )["id"]
    serials = [serial["id"] for serial in api.serials.create(path_id=path, quantity=5)]

    def advance(client: int) -> int:
        answered = 0
        for serial in serials:
            with suppress(Conflict, Invalid):
                api.serials.advance(serial, operator=f"Client {client}")
                answered += 1
        return answered

    with ThreadPoolExecutor(CLIENTS) as pool:
        answered = sum(pool.map(advance, range(CLIENTS)))

    told = [list(api.serials.history(serial)) for serial in serials]
    assert sum(len(events) - 1 for events in told) == answered
    for events in told:
        reached = [event["to"]["stepName"] for event in events if "to" in event]
        assert reached == ["CNC", "Deburr", "QC"][: len(reached)]
    (today,) = api.paths.flow(path, days=1)["days"]
    shown = api.paths.get(path)["distribution"]
    assert [*today["standing"].values()] == [step["serialCount"] for step in shown]
    assert sum(today["entered"].values()) + today["completed"] == 5 + answered
    assert [event["action"] for event in api.jobs.history(job)] == ["created", "path_added"]
