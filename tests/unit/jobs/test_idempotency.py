"""Repeated POSTs with an ``Idempotency-Key``."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from jobticket import clock
from jobticket.web import idempotency
from tests.support.faults import CRASH, WRITES, Crash, Faults, cancelled, refused
from tests.support.gateway import Gateway, HttpAnswer
from tests.support.interleave import between
from tests.support.shop_floor import new_job, new_path, require_exact_counts
from tests.unit.conftest import gateway

JOB = {"name": "J", "goalQuantity": 1}
UNDER_WAY = "A request with this Idempotency-Key is under way"


class Now:
    """The time as the functions see it; it stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = clock.now()

    def __call__(self) -> datetime:
        return self.moment

    def wait(self, **time: float) -> None:
        self.moment += timedelta(**time)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Now:
    stopped = Now()
    monkeypatch.setattr(clock, "now", stopped)
    return stopped


def create(api: Gateway, key: str = "k", body: Any = None, url: str = "/api/jobs") -> HttpAnswer:
    return api.post(url, JOB if body is None else body, headers={"Idempotency-Key": key})


def jobs(api: Gateway) -> int:
    return len(api.get("/api/jobs").json())


def test_a_repeat_gets_the_first_answer_for_a_day(jobs_api: Gateway, now: Now) -> None:
    first = create(jobs_api)
    jobs_api.put(f"/api/jobs/{first.json()['id']}", {"name": "Renamed"})
    now.wait(hours=23, minutes=59, seconds=58)
    again = create(jobs_api, body={"goalQuantity": 1, "name": "J"})
    assert (again.status, again.body) == (201, first.body)
    assert jobs(jobs_api) == 1
    now.wait(seconds=2)
    assert create(jobs_api).json()["id"] != first.json()["id"]
    assert jobs(jobs_api) == 2


def test_every_creation_takes_a_key(jobs_api: Gateway) -> None:
    job = new_job(jobs_api)
    body: dict[str, Any] = {"jobId": job["id"], "name": "Main", "goalQuantity": 1, "steps": [{"name": "CNC"}]}
    paths = [create(jobs_api, body=body, url="/api/paths") for _ in range(2)]
    assert [answer.status for answer in paths] == [201, 201]
    assert paths[0].body == paths[1].body
    path_id = paths[0].json()["id"]
    serials = [
        create(jobs_api, body={"pathId": path_id, "quantity": 1000}, url="/api/serials") for _ in range(3)
    ]
    assert [answer.status for answer in serials] == [201] * 3
    assert serials[0].body == serials[1].body == serials[2].body
    assert require_exact_counts(jobs_api, path_id) == [1000, 0, 0]
    assert len(jobs_api.get(f"/api/jobs/{job['id']}").json()["paths"]) == 1


@pytest.mark.parametrize(
    "body", [{"name": "Other", "goalQuantity": 1}, JOB | {"goalQuantity": 2}, JOB | {"x": 1}]
)
def test_another_request_under_the_same_key_is_refused(jobs_api: Gateway, body: dict[str, Any]) -> None:
    create(jobs_api)
    answer = create(jobs_api, body=body)
    expected = {"statusCode": 422, "message": "Idempotency-Key was used with another request"}
    assert (answer.status, answer.json()) == (422, expected)
    assert jobs(jobs_api) == 1


def test_a_key_belongs_to_its_caller_and_its_route(jobs_function: Any) -> None:
    everyone, tablet = gateway(jobs_function), gateway(jobs_function, "only-jobs")
    first = create(everyone)
    assert create(tablet).json()["id"] != first.json()["id"]
    path = {"jobId": first.json()["id"], "name": "Main", "goalQuantity": 1, "steps": [{"name": "CNC"}]}
    assert create(everyone, body=path, url="/api/paths").status == 201
    assert jobs(everyone) == 2


@pytest.mark.parametrize(("key", "status"), [("", 400), ("x" * 256, 400), ("x", 201), ("ü 💡" * 51, 201)])
def test_a_key_has_1_to_255_characters(jobs_api: Gateway, key: str, status: int) -> None:
    answer = create(jobs_api, key)
    assert answer.status == status
    if status == 400:
        assert answer.json()["message"] == "Idempotency-Key must have 1 to 255 characters"
        assert jobs(jobs_api) == 0


def test_no_error_is_kept(jobs_api: Gateway) -> None:
    job = new_job(jobs_api)
    unknown = {"pathId": "path_000000000000", "quantity": 1}
    assert [create(jobs_api, body=unknown, url="/api/serials").status for _ in range(2)] == [404, 404]
    path = new_path(jobs_api, job["id"])
    known = {"pathId": path["id"], "quantity": 1}
    assert create(jobs_api, body=known, url="/api/serials").status == 201
    assert create(jobs_api, "other", body={}).json()["message"] == "name is required"
    assert create(jobs_api, "other").status == 201


def test_a_repeat_while_the_first_is_under_way_is_told_to_wait(
    jobs_api: Gateway, faults: Faults, now: Now
) -> None:
    repeats: list[HttpAnswer] = []
    between(faults, "transact_write_items", lambda: repeats.append(create(jobs_api)))
    first = create(jobs_api)
    assert first.status == 201
    assert repeats[0].json() == {"statusCode": 409, "message": UNDER_WAY}
    assert repeats[0].status == 409
    assert 1 <= int(repeats[0].headers["retry-after"]) <= 60
    assert create(jobs_api).body == first.body
    assert jobs(jobs_api) == 1


@pytest.mark.parametrize("operation", ["put_item", "transact_write_items"])
def test_a_dead_claim_is_taken_over_once_its_lease_has_ended(
    jobs_api: Gateway, faults: Faults, now: Now, operation: str
) -> None:
    when: Any = {"put_item": "after", "transact_write_items": "before"}[operation]
    faults.fail(operation, when, CRASH)
    with pytest.raises(Crash):
        create(jobs_api)
    waiting = create(jobs_api)
    assert (waiting.status, waiting.headers["retry-after"]) == (409, "60")
    now.wait(seconds=59)
    waiting = create(jobs_api)
    assert (waiting.status, waiting.headers["retry-after"]) == (409, "1")
    assert create(jobs_api, body=JOB | {"name": "Other"}).status == 422
    now.wait(seconds=1)
    first = create(jobs_api)
    assert first.status == 201
    assert create(jobs_api).body == first.body
    assert jobs(jobs_api) == 1


def test_of_two_who_take_over_one_does(jobs_api: Gateway, faults: Faults, now: Now) -> None:
    faults.fail("put_item", "after", CRASH)
    with pytest.raises(Crash):
        create(jobs_api)
    now.wait(seconds=60)
    winner: list[HttpAnswer] = []
    real, calls = faults.client, iter([None, lambda: winner.append(create(jobs_api))])

    class BeforeTheSecondPut:
        def __getattr__(self, name: str) -> Any:
            if name == "put_item" and (other := next(calls, None)):
                faults.client = real
                other()
            return getattr(real, name)

    faults.client = BeforeTheSecondPut()
    loser = create(jobs_api)
    assert winner[0].status == 201
    assert (loser.status, loser.json()["message"]) == (409, UNDER_WAY)
    assert create(jobs_api).body == winner[0].body
    assert jobs(jobs_api) == 1


def test_a_holder_that_comes_back_after_a_take_over_has_no_effect(
    jobs_api: Gateway, faults: Faults, now: Now
) -> None:
    taken: list[HttpAnswer] = []

    def overtake() -> None:
        now.wait(seconds=61)
        taken.append(create(jobs_api))

    between(faults, "transact_write_items", overtake)
    late = create(jobs_api)
    assert taken[0].status == 201
    assert late.status == 409
    assert create(jobs_api).body == taken[0].body
    assert jobs(jobs_api) == 1


@pytest.mark.parametrize("times", [1, 2])
def test_a_lost_answer_to_a_claim_or_a_take_over_is_recognised(
    jobs_api: Gateway, faults: Faults, now: Now, times: int
) -> None:
    """The client repeats a write whose answer it lost: the condition fails then, on the repeat's own mark."""
    if times == 2:
        faults.fail("put_item", "after", CRASH)
        with pytest.raises(Crash):
            create(jobs_api)
        now.wait(seconds=60)

    class Repeating:
        def __init__(self, client: Any) -> None:
            self.client = client

        def __getattr__(self, name: str) -> Any:
            method = getattr(self.client, name)
            if name != "put_item":
                return method

            def twice(**parameters: Any) -> Any:
                try:
                    method(**parameters)
                finally:
                    answer = method(**parameters)
                return answer

            return twice

    faults.client = Repeating(faults.client)
    assert create(jobs_api).status == 201
    assert jobs(jobs_api) == 1


@pytest.mark.parametrize("error", [refused("ThrottlingException", operation="DeleteItem"), None])
def test_a_key_that_cannot_be_freed_spoils_no_answer(
    jobs_api: Gateway, faults: Faults, now: Now, error: Any
) -> None:
    options = {"error": error} if error else {}
    faults.fail("delete_item", "before", **options)
    unknown = {"pathId": "path_000000000000", "quantity": 1}
    answer = create(jobs_api, body=unknown, url="/api/serials")
    assert (answer.status, answer.json()["message"]) == (404, "Path not found: path_000000000000")
    assert create(jobs_api, body=unknown, url="/api/serials").status == 409  # until the lease ends
    now.wait(seconds=60)
    assert create(jobs_api, body=unknown, url="/api/serials").status == 404


def test_an_unknown_outcome_is_settled_by_the_repeat(jobs_api: Gateway, faults: Faults, now: Now) -> None:
    """The transaction commits, but no answer ever comes: 503, and the repeat gets what was made."""
    faults.fail("transact_write_items", "after")
    faults.fail("transact_write_items", "before", cancelled("TransactionConflict"), times=10_000)
    unknown = create(jobs_api)
    assert (unknown.status, unknown.headers["retry-after"]) == (503, "5")
    faults.clear()
    first = create(jobs_api)
    assert first.status == 201
    assert [job["id"] for job in jobs_api.get("/api/jobs").json()] == [first.json()["id"]]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation", ["put_item", "transact_write_items"])
def test_a_crash_at_any_write_then_a_repeat_makes_one(
    jobs_api: Gateway, faults: Faults, now: Now, operation: str, when: Any
) -> None:
    faults.fail(operation, when, CRASH)
    with pytest.raises(Crash):
        create(jobs_api)
    assert [name for name in faults.operations() if name in WRITES][-1] == operation
    now.wait(seconds=60)
    first = create(jobs_api)
    assert first.status == 201
    assert create(jobs_api).body == first.body
    assert jobs(jobs_api) == 1


def test_a_body_that_can_be_read_and_not_be_written_down_is_refused(
    jobs_api: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python reads and writes nested JSON on stacks of different depths."""

    def too_deep(*_: Any, **__: Any) -> str:
        raise RecursionError

    monkeypatch.setattr(idempotency, "json", SimpleNamespace(dumps=too_deep))
    answer = create(jobs_api)
    assert (answer.status, answer.json()["message"]) == (400, "Invalid JSON body")
    assert jobs(jobs_api) == 0
