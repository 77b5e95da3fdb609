"""The history on the deployed stack: each function writes it with its own role."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.support.deployed import Stack

CLIENTS = 8


def test_moves_of_many_clients_are_each_told_once(stack: Stack) -> None:
    def send(method: str, url: str, body: Any = None) -> Any:
        return stack.request(method, url, json=body)

    job = send("POST", "/api/jobs", {"name": "History", "goalQuantity": 5}).json()
    steps = [{"name": name} for name in ("CNC", "Deburr", "QC")]
    body = {"jobId": job["id"], "name": "Route", "goalQuantity": 5, "steps": steps}
    path = send("POST", "/api/paths", body).json()
    serials = send("POST", "/api/serials", {"pathId": path["id"], "quantity": 5}).json()

    def advance(client: int) -> int:
        answers = [
            send("POST", f"/api/serials/{serial['id']}/advance", {"operator": f"Client {client}"})
            for serial in serials
        ]
        return sum(answer.status_code == 200 for answer in answers)

    with ThreadPoolExecutor(CLIENTS) as pool:
        answered = sum(pool.map(advance, range(CLIENTS)))

    told = [send("GET", f"/api/serials/{serial['id']}/history").json() for serial in serials]
    assert sum(len(events) - 1 for events in told) == answered
    for events in told:
        reached = [event["to"]["stepName"] for event in events if "to" in event]
        assert reached == ["CNC", "Deburr", "QC"][: len(reached)]
    (today,) = send("GET", f"/api/paths/{path['id']}/flow?days=1").json()["days"]
    shown = send("GET", f"/api/paths/{path['id']}").json()
    assert [*today["standing"].values()] == [step["serialCount"] for step in shown["distribution"]]
    assert sum(today["entered"].values()) + today["completed"] == 5 + answered
    assert [event["action"] for event in send("GET", f"/api/jobs/{job['id']}/history").json()] == [
        "created",
        "path_added",
    ]
