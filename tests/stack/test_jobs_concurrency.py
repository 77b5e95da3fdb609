"""Many clients at once, through HTTP and the deployed function, on a table that loses answers and conflicts."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest
import requests
from jobticket_client.generated import NewStep, Path, SerialNumber

from tests.support.deployed import Stack
from tests.support.dynamodb_between import Between, between
from tests.support.shop_floor import counted, recount

MOVED = "Serial has been moved by someone else"
COMPLETED = "Serial number is already completed"


@pytest.fixture(scope="module")
def table(stack: Stack) -> Iterator[Between]:
    with between(stack) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def calm(table: Between) -> None:
    table.calm()


def new_path(stack: Stack, steps: int) -> Path:
    job = stack.api().jobs.create(name="Crowd", goal_quantity=1000)
    named: list[NewStep] = [{"name": f"S{n}"} for n in range(steps)]
    return stack.api().paths.create(job_id=job["id"], name="Main", goal_quantity=1000, steps=named)


def new_serials(stack: Stack, path: Path, quantity: int) -> list[str]:
    return [serial["id"] for serial in stack.api().serials.create(path_id=path["id"], quantity=quantity)]


def require_exact_counts(stack: Stack, path: Path, total: int) -> list[SerialNumber]:
    serials = list(stack.api().serials.list(path["id"]))
    shown = stack.api().paths.get(path["id"])
    assert counted(shown) == recount(serials, len(path["steps"]))
    assert sum(counted(shown)) == len(serials) == total
    assert len({serial["id"] for serial in serials}) == total
    return serials


class Crowd:
    """Clients that start at the same moment, each with a connection of its own."""

    def __init__(self, stack: Stack, size: int) -> None:
        self._stack = stack
        self._start = threading.Barrier(size)
        self.size = size

    def work(self, client: Callable[[int, Callable[..., requests.Response]], Any]) -> list[Any]:
        def one(number: int) -> Any:
            with requests.Session() as session:
                session.trust_env = False

                def send(method: str, path: str, **options: Any) -> requests.Response:
                    headers = {"Authorization": f"Bearer {self._stack.keys['*']}"} | options.pop(
                        "headers", {}
                    )
                    return session.request(
                        method, self._stack.url + path, headers=headers, timeout=240, **options
                    )

                self._start.wait(240)
                return client(number, send)

        with ThreadPoolExecutor(self.size) as pool:
            return [future.result() for future in [pool.submit(one, n) for n in range(self.size)]]


def test_fifty_clients_with_lost_answers_count_every_serial_once(stack: Stack, table: Between) -> None:
    path = new_path(stack, steps=4)
    serials = new_serials(stack, path, 100)
    table.lost_answers, table.lost_requests = 0.05, 0.02

    def client(number: int, send: Callable[..., requests.Response]) -> list[tuple[str, int, str]]:
        random = Random(number)
        told = []
        for _ in range(8):
            serial = random.choice(serials)
            body = {"fromStepIndex": random.randrange(4)} if random.random() < 0.3 else {}
            answer = send("POST", f"/api/serials/{serial}/advance", json=body)
            told.append((serial, answer.status_code, answer.json().get("message", "")))
        return told

    told = [outcome for outcomes in Crowd(stack, 50).work(client) for outcome in outcomes]
    seen = dict(table.seen)
    table.calm()
    outcomes = Counter((status, text.rstrip("0123456789")) for _, status, text in told)
    print(f"\n{len(told)} moves by 50 clients: {dict(outcomes)}; at the table: {seen}")  # noqa: T201
    assert set(outcomes) <= {(200, ""), (400, COMPLETED), (409, MOVED), (409, "Serial is not at step ")}
    assert min(seen["answers lost"], seen["requests lost"], seen["conflicts"]) > 0

    # Every answer is true: a serial stands exactly as many steps on as moves of it were confirmed.
    confirmed = Counter(serial for serial, status, _ in told if status == 200)
    for serial in require_exact_counts(stack, path, total=100):
        steps_on = 4 if serial["status"] == "completed" else serial["currentStepIndex"]
        assert steps_on == confirmed[serial["id"]], serial


def test_twenty_creators_get_numbers_of_their_own_without_gaps(stack: Stack, table: Between) -> None:
    path = new_path(stack, steps=3)
    table.lost_answers, table.lost_requests = 0.2, 0.1

    def client(number: int, send: Callable[..., requests.Response]) -> list[str]:
        answer = send("POST", "/api/serials", json={"pathId": path["id"], "quantity": 1000})
        assert answer.status_code == 201, answer.text
        return [serial["id"] for serial in answer.json()]

    batches = Crowd(stack, 20).work(client)
    print(f"\n20 creators of 1,000 serials each; at the table: {dict(table.seen)}")  # noqa: T201
    table.calm()
    for batch in batches:
        numbers = [int(serial.removeprefix("SN-")) for serial in batch]
        assert numbers == list(range(numbers[0], numbers[0] + 1000))
    everything = [serial for batch in batches for serial in batch]
    assert len(set(everything)) == 20_000
    assert counted(stack.api().paths.get(path["id"])) == [20_000, 0, 0, 0, 0]
    found = [serial["id"] for serial in stack.api().serials.list(path["id"], page_size=500)]
    assert sorted(found) == sorted(everything)


def test_sixteen_clients_on_one_path_see_no_conflict_of_counters(stack: Stack, table: Between) -> None:
    path = new_path(stack, steps=4)
    serials = new_serials(stack, path, 16 * 10)

    def client(number: int, send: Callable[..., requests.Response]) -> Counter[int]:
        mine = serials[number::16]
        return Counter(send("POST", f"/api/serials/{serial}/advance").status_code for serial in mine)

    began = time.perf_counter()
    statuses: Counter[int] = sum(Crowd(stack, 16).work(client), Counter())
    seconds = time.perf_counter() - began
    print(  # noqa: T201
        f"\n{statuses.total()} moves of one path by 16 clients in {seconds:.1f} s: {statuses.total() / seconds:.0f}/s; "
        f"statuses {dict(statuses)}; at the table: {dict(table.seen)}"
    )
    # Each client moves serials that nobody else moves: whatever conflicts there were, were over the counters.
    assert statuses == {200: 160}
    assert table.seen["conflicts"] > 0
    require_exact_counts(stack, path, total=160)


@pytest.mark.parametrize(
    ("body", "refusal"), [({}, MOVED), ({"fromStepIndex": 0}, "Serial is not at step 0")]
)
def test_of_two_clients_at_the_same_serial_one_moves_it(
    stack: Stack, table: Between, body: dict[str, int], refusal: str
) -> None:
    """Both have read the serial before either writes: the table lets no transaction pass before both are there."""
    path = new_path(stack, steps=4)
    for serial in new_serials(stack, path, 10):
        table.together = 2

        def client(
            number: int, send: Callable[..., requests.Response], serial: str = serial
        ) -> tuple[int, str]:
            answer = send("POST", f"/api/serials/{serial}/advance", json=body)
            return answer.status_code, answer.json().get("message", "")

        told = sorted(Crowd(stack, 2).work(client))
        table.together = 1
        assert told == [(200, ""), (409, refusal)]
        assert stack.api().serials.get(serial)["currentStepIndex"] == 1
    require_exact_counts(stack, path, total=10)
