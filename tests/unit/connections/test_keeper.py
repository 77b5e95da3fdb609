"""The keeper: idle grants, unfinished refreshes, and what needs a person."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest

from jobticket.aws import AWS_FAULTS
from jobticket.clock import Deadline
from jobticket.connections import keeper as keeper_module
from jobticket.connections.keeper import idle_allowed
from jobticket.connections.model import ConnectionId
from jobticket.connections.refreshes import RefreshStore
from jobticket.connections.tokens import LEASE
from jobticket.store.lease import Lease
from jobticket.store.table import Update
from local.template import load_template
from tests.support.consents import store_consent
from tests.support.faults import PASSING_CALLS, Trouble, refused
from tests.support.gateway import LambdaContext
from tests.unit.conftest import client
from tests.unit.connections.conftest import Product

SWEEP = {"task": "sweep"}
FINISH = {"task": "finish"}
#: Beyond the longest rest that any connection is allowed.
LONG = timedelta(days=38)


def run(product: Product, event: dict[str, Any], seconds: int = 900) -> dict[str, Any]:
    answer: dict[str, Any] = product.keeper.handler(dict(event), LambdaContext(remaining_ms=seconds * 1000))
    return answer


def states(product: Product) -> dict[str, str]:
    listed = product.backend.get("/api/backend/connections").json()["connections"]
    return {entry["external_id"]: entry["status"] for entry in listed}


def test_a_sweep_refreshes_what_has_rested(product: Product) -> None:
    product.walk().to_connection("idle")
    product.elapsed += LONG
    product.walk().to_connection("used")
    assert run(product, SWEEP) == {"finished": 0, "swept": 1}
    assert product.atlassian.token_calls() == 1
    assert run(product, SWEEP)["swept"] == 0


@pytest.mark.parametrize("number", range(16))
def test_trouble_of_awss_at_any_call_costs_no_grant_and_no_days_sweep(
    product: Product, trouble: Trouble, number: int
) -> None:
    product.walk().to_connection()
    product.elapsed += LONG
    product.atlassian.control(clock_offset_seconds=product.elapsed.total_seconds())
    trouble.from_call(number, PASSING_CALLS[number % len(PASSING_CALLS)])
    try:
        run(product, SWEEP)
    except AWS_FAULTS:
        trouble.from_call(None)
        begun = product.keeper.access.store.table.get("SWEEP", "CONNECTIONS") is not None
        assert begun == (number > 0), "only its own call can keep a sweep from being remembered"
        product.elapsed += timedelta(minutes=5)
        run(product, FINISH if begun else SWEEP)
    trouble.from_call(None)
    for _ in range(2):
        product.elapsed += timedelta(days=1)
        run(product, SWEEP)
    assert states(product) == {"team-1": "valid"}
    assert product.access_token().status == 200
    assert product.atlassian.token_calls() <= 3


def test_what_is_used_now_and_then_is_left_alone(product: Product) -> None:
    product.walk().to_connection()
    product.elapsed += timedelta(days=29)
    run(product, SWEEP)
    assert product.atlassian.token_calls() == 0


def test_a_grant_that_nobody_uses_outlives_a_quarter_of_a_year(product: Product) -> None:
    product.walk().to_connection()
    for _ in range(10):
        product.elapsed += timedelta(days=30)
        product.atlassian.control(clock_offset_seconds=product.elapsed.total_seconds())
        run(product, SWEEP)
    assert product.access_token().status == 200


def test_without_the_keeper_it_does_not(product: Product) -> None:
    product.walk().to_connection()
    product.elapsed += timedelta(days=91)
    product.atlassian.control(clock_offset_seconds=product.elapsed.total_seconds())
    assert product.access_token().status == 403


def test_rests_are_spread_over_a_week() -> None:
    rests = [idle_allowed(ConnectionId("jira", f"team-{number}")).total_seconds() for number in range(700)]
    assert timedelta(days=30).total_seconds() <= min(rests)
    assert max(rests) < timedelta(days=37).total_seconds()
    days = [int(rest // 86_400) for rest in rests]
    assert all(days.count(day) > 60 for day in range(30, 37))


def test_credentials_need_no_refresh(product: Product) -> None:
    product.backend.put(
        "/api/backend/connections/team-1/api-token",
        {
            "provider": "jira",
            "host": product.atlassian.url,
            "credentials": "demo@example.com:local-api-token",
        },
    )
    product.elapsed += LONG
    assert run(product, SWEEP)["swept"] == 0


# --- metrics and people -------------------------------------------------------------------------------------


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    totals: dict[str, float] = {}

    def count(name: str, value: float = 1) -> None:
        totals[name] = totals.get(name, 0) + value

    monkeypatch.setattr(keeper_module, "count", count)
    return totals


def test_metrics_for_refreshed_failed_and_dead(product: Product, counted: dict[str, float]) -> None:
    for external_id in ("dead", "fails", "good"):
        product.walk().to_connection(external_id)
    product.elapsed += LONG
    product.atlassian.control(
        faults=[
            {"path": "/oauth/token", "status": 403, "body": {"error": "invalid_grant"}},
            {"path": "/oauth/token", "status": 500},
        ]
    )
    run(product, SWEEP)
    assert {name: value for name, value in counted.items() if value} == {
        "ConnectionsRefreshed": 1,
        "ConnectionRefreshesFailed": 1,
        "ConnectionsFoundDead": 1,
    }
    assert states(product) == {"dead": "invalid", "fails": "valid", "good": "valid"}


def test_warns_of_every_end_30_and_7_and_1_days_ahead_once(
    product: Product, log: io.StringIO, counted: dict[str, float]
) -> None:
    product.walk().to_connection("consent")
    end = product.now() + timedelta(days=363)
    product.backend.put(
        "/api/backend/connections/token/api-token",
        {
            "provider": "jira",
            "host": product.atlassian.url,
            "credentials": "demo@example.com:local-api-token",
            "token_expires_at": end.isoformat(),
        },
    )
    warned: dict[str, list[tuple[int, int]]] = {}
    product.atlassian.control(access_token_seconds=3600)
    for day in (60, 120, 180, 240, 300, 332, 333, 334, 335, 336, 355, 356, 357, 358, 361, 362, 363, 364):
        product.elapsed = timedelta(days=day)
        product.atlassian.control(clock_offset_seconds=product.elapsed.total_seconds())
        for _ in range(2):
            run(product, SWEEP)
        for line in map(json.loads, log.getvalue().splitlines()):
            if line["message"] == "connection expires soon":
                warned.setdefault(line["external_id"], []).append((day, line["days"]))
        log.truncate(log.seek(0))
    assert warned == {
        "token": [(333, 30), (356, 7), (362, 1)],
        "consent": [(335, 30), (358, 7), (364, 1)],
    }
    assert counted["ConnectionsExpiring"] == 6


def test_new_credentials_are_warned_of_anew(product: Product, log: io.StringIO) -> None:
    body = {
        "provider": "jira",
        "host": product.atlassian.url,
        "credentials": "demo@example.com:local-api-token",
        "token_expires_at": (product.now() + timedelta(days=20)).isoformat(),
    }
    for _ in range(2):
        product.backend.put("/api/backend/connections/team-1/api-token", body)
        run(product, SWEEP)
    assert log.getvalue().count("connection expires soon") == 2


def test_reports_what_needs_a_person(product: Product, log: io.StringIO) -> None:
    product.walk().to_connection("dies")
    product.walk().to_connection("ends")
    product.atlassian.control(
        faults=[{"path": "/oauth/token", "status": 403, "body": {"error": "invalid_grant"}}]
    )
    product.elapsed += timedelta(hours=1)
    product.access_token("dies")
    product.elapsed += timedelta(days=366)
    run(product, SWEEP)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    named = {line["external_id"] for line in lines if line["message"] == "connection needs a person"}
    assert named == {"dies", "ends"}
    (summary,) = [line for line in lines if line["message"] == "connections kept" and line["task"] == "sweep"]
    assert summary["needs_person"] == 2


def test_one_row_that_cannot_be_read_keeps_no_other_from_being_looked_after(
    product: Product, counted: dict[str, float]
) -> None:
    product.walk().to_connection("a-broken")
    product.walk().to_connection("b-good")
    key = {"pk": {"S": "CONNECTION#jira#a-broken"}, "sk": {"S": "CONNECTION"}}
    client("dynamodb").update_item(
        TableName="connections",
        Key=key,
        UpdateExpression="SET secret = :x",
        ExpressionAttributeValues={":x": {"B": b"\x01 nonsense"}},
    )
    product.elapsed += LONG
    assert run(product, SWEEP)["swept"] == 1
    assert counted["ConnectionRefreshesFailed"] == 1


# --- batches that can be gone on with -----------------------------------------------------------------------


def many(product: Product, number: int) -> None:
    """Make idle connections that share one grant's first refresh token; faults answer for it."""
    access = product.keeper.access
    for index in range(number):
        store_consent(
            access.store.table, access.vault, f"team-{index:03d}", seconds_left=0, authorized_at=product.now()
        )
    product.elapsed += LONG


def test_a_sweep_that_runs_out_of_time_goes_on_with_the_next_run(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "PAGE", 4)
    many(product, 10)
    keeper = product.keeper.keeper
    looked: list[str] = []
    time = [0.0]

    def keep(connection: Any, *_: Any) -> None:
        looked.append(connection.id.external_id)
        time[0] += 10

    monkeypatch.setattr(keeper, "_keep", keep)
    keeper.start_sweep()
    runs = 0
    while keeper.sweep(Deadline.after(85, lambda: time[0])) is not None:
        runs += 1
    assert runs == 2
    # A page that was broken off is gone on with where it was: even a page of connections that all take long ends.
    assert looked == [f"team-{index:03d}" for index in range(10)]


def test_a_long_sweep_makes_way_for_the_run_that_ends_unfinished_refreshes(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(product, 10)
    keeper = product.keeper.keeper
    given: list[float] = []
    monkeypatch.setattr(keeper, "sweep", lambda deadline: given.append(deadline.left()))
    run(product, SWEEP, seconds=900)
    run(product, FINISH, seconds=100)
    assert 200 < given[0] <= 240  # runs begin every 5 minutes, and one at a time
    assert given[1] <= 100


def test_a_sweep_that_dies_goes_on_where_it_stood(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "PAGE", 3)
    many(product, 9)
    keeper = product.keeper.keeper
    looked: list[str] = []

    class Killed(BaseException):
        pass

    def keep(connection: Any, *_: Any) -> None:
        if len(looked) == 5 and "killed" not in looked:
            looked.append("killed")
            raise Killed
        looked.append(connection.id.external_id)

    monkeypatch.setattr(keeper, "_keep", keep)
    keeper.start_sweep()
    with pytest.raises(Killed):
        keeper.sweep(Deadline.after(900))
    keeper.start_sweep()  # the next day's, which does not begin from the start
    keeper.sweep(Deadline.after(900))
    seen = [name for name in looked if name != "killed"]
    assert sorted(set(seen)) == [f"team-{index:03d}" for index in range(9)]
    assert seen.count("team-000") == 1
    assert keeper.sweep(Deadline.after(900)) is None


def test_runs_begin_well_within_the_reuse_interval() -> None:
    events = load_template()["Resources"]["ConnectionKeeperFunction"]["Properties"]["Events"]
    schedules = {
        json.loads(event["Properties"]["Input"])["task"]: event["Properties"]["ScheduleExpression"]
        for event in events.values()
    }
    assert schedules == {"finish": "rate(5 minutes)", "sweep": "cron(20 3 * * ? *)"}
    assert timedelta(minutes=5) + LEASE < timedelta(minutes=10)


# --- what was begun and never ended -------------------------------------------------------------------------


def lose_the_answer(product: Product) -> None:
    """Let a refresh be done at Atlassian and its answer be lost."""
    product.walk().to_connection()
    product.elapsed += timedelta(hours=1)
    product.atlassian.control(faults=[{"path": "/oauth/token", "drop": "after"}])
    assert product.access_token().status == 503


def test_a_lost_answer_is_made_up_for_within_the_reuse_interval(product: Product) -> None:
    lose_the_answer(product)
    product.elapsed += timedelta(minutes=5)
    product.atlassian.control(clock_offset_seconds=300)
    assert run(product, FINISH) == {"finished": 1, "swept": None}
    # Long after the interval, nobody has asked since, and the grant is alive.
    product.elapsed += timedelta(hours=2)
    product.atlassian.control(clock_offset_seconds=7500)
    assert product.access_token().status == 200
    assert states(product) == {"team-1": "valid"}


def test_without_the_keeper_it_would_be_lost(product: Product) -> None:
    lose_the_answer(product)
    product.atlassian.control(clock_offset_seconds=7500)
    assert product.access_token().status == 403


def test_a_function_that_died_is_made_up_for(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    product.walk().to_connection()
    product.elapsed += timedelta(hours=1)

    class Killed(BaseException):
        pass

    def die(*_: Any) -> bool:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(RefreshStore, "succeed", die)
        with pytest.raises(Killed):
            product.access_token()
    assert run(product, FINISH)["finished"] == 0  # its lease still runs
    product.elapsed += LEASE + timedelta(seconds=1)
    assert run(product, FINISH)["finished"] == 1
    assert run(product, FINISH)["finished"] == 0
    assert product.access_token().status == 200
    assert product.atlassian.token_calls() == 2


def test_what_cannot_be_ended_yet_is_tried_again(product: Product) -> None:
    lose_the_answer(product)
    product.elapsed += timedelta(minutes=1)
    product.atlassian.control(faults=[{"path": "/oauth/token", "status": 503}])
    assert run(product, FINISH)["finished"] == 0
    assert run(product, FINISH)["finished"] == 1


def test_a_token_that_is_fresh_already_does_not_hide_what_was_begun(product: Product) -> None:
    product.walk().to_connection()
    access = product.keeper.access
    refreshes = RefreshStore(access.store.table)
    connection = access.connection("team-1")
    refreshes.begin(connection, Lease.begin(product.now(), LEASE), product.now())
    product.elapsed += LEASE + timedelta(seconds=1)
    assert run(product, FINISH)["finished"] == 1
    assert access.connection("team-1").unfinished_since is None


def test_a_consent_that_ended_meanwhile_is_told_once(
    product: Product, log: io.StringIO, counted: dict[str, float], capfd: pytest.CaptureFixture[str]
) -> None:
    lose_the_answer(product)
    product.elapsed += timedelta(days=365)
    for _ in range(3):
        assert run(product, FINISH)["finished"] == 0
    told = [json.loads(line) for line in log.getvalue().splitlines()]
    (event,) = [line for line in told if line["message"] == "connection must be authorized again"]
    assert (event["external_id"], event["reason"]) == ("team-1", "expired")
    assert capfd.readouterr().out.count('"ConnectionDied":[1.0]') == counted["ConnectionsFoundDead"] == 1
    assert states(product) == {"team-1": "expired"}
    row = client("dynamodb").get_item(
        TableName="connections", Key={"pk": {"S": "CONNECTION#jira#team-1"}, "sk": {"S": "CONNECTION"}}
    )["Item"]
    assert not {"unfinished_pk", "unfinished_since", "lease_owner"} & set(row)
    assert product.atlassian.token_calls() == 1


def test_a_consent_that_was_given_anew_is_not_told_as_over(product: Product, log: io.StringIO) -> None:
    lose_the_answer(product)
    product.elapsed += timedelta(days=365)
    tokens = product.keeper.access.tokens
    give_up = tokens._refreshes.give_up

    def late(seen: Any) -> Any:
        product.walk().to_connection()
        return give_up(seen)

    product.monkeypatch.setattr(tokens._refreshes, "give_up", late)
    run(product, FINISH)
    assert "connection must be authorized again" not in log.getvalue()
    assert product.access_token().status == 200


# --- sealing anew -------------------------------------------------------------------------------------------


def _retire_data_keys(product: Product) -> list[str]:
    """Retire every data key, as an operator would, and return their names."""
    table = product.keeper.access.store.table
    names = [row["pk"]["S"] for row in client("dynamodb").scan(TableName=table.name)["Items"]]
    retired = [name for name in names if name.startswith("DATA_KEY#")]
    for name in retired:
        table.update(Update(name, "DATA_KEY", set={"retired_at": "2026-11-22T09:30:00.000Z"}))
    product.elapsed += timedelta(minutes=5)
    return retired


def test_all_secrets_can_be_sealed_anew_and_the_old_data_key_be_thrown_away(product: Product) -> None:
    product.walk().to_connection("by-consent")
    body = {
        "provider": "jira",
        "host": product.atlassian.url,
        "credentials": "demo@example.com:local-api-token",
    }
    product.backend.put("/api/backend/connections/by-token/api-token", body)
    retired = _retire_data_keys(product)
    assert run(product, {"task": "reseal"}) == {"resealed": 2, "failed": 0, "complete": True}
    assert run(product, {"task": "reseal"}) == {"resealed": 0, "failed": 0, "complete": True}
    table = product.keeper.access.store.table
    for name in retired:
        table.delete(name, "DATA_KEY")
    product.elapsed += timedelta(hours=1)
    _restart(product)
    assert product.access_token("by-consent").status == 200
    tested = product.backend.post("/api/backend/connections/by-token/test").json()
    assert tested["connected"] is True


class WithoutKey:
    """KMS as it is for a role that may not use one key (any more)."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __call__(self) -> Any:
        return self

    def __getattr__(self, operation: str) -> Any:
        def call(**parameters: Any) -> Any:
            if parameters["KeyId"] == self.key:
                raise refused("AccessDeniedException", operation=operation)
            return getattr(client("kms"), operation)(**parameters)

        return call


def test_another_kms_key_takes_over_and_the_former_can_be_done_without(product: Product) -> None:
    product.walk().to_connection()
    product.elapsed += timedelta(hours=1)
    key = client("kms").create_key()["KeyMetadata"]["Arn"]
    vaults = [module.access.vault for module in (product.keeper, product.connections)]
    usual = vaults[0]._kms
    for vault in vaults:
        product.monkeypatch.setattr(vault, "_key_arn", key)
        product.monkeypatch.setattr(vault, "_kms", WithoutKey("alias/jobticket"))
    _restart(product)
    assert product.access_token().status >= 500  # too soon: it cannot be opened yet, and is not given up
    assert states(product) == {"team-1": "valid"}

    product.monkeypatch.setattr(product.keeper.access.vault, "_kms", usual)
    assert run(product, {"task": "reseal"}) == {"resealed": 1, "failed": 0, "complete": True}
    assert product.access_token().status == 200


def _restart(product: Product) -> None:
    """Let every container forget the data keys that it has unwrapped."""
    for module in (product.keeper, product.connections):
        product.monkeypatch.setattr(module.access.vault, "_data_keys", {})
        product.monkeypatch.setattr(module.access.vault, "_sealing", None)


def test_a_cached_token_whose_data_key_is_gone_is_replaced(product: Product) -> None:
    product.walk().to_connection()
    retired = _retire_data_keys(product)
    assert run(product, {"task": "reseal"})["complete"] is True
    for name in retired:
        product.keeper.access.store.table.delete(name, "DATA_KEY")
    _restart(product)
    assert product.access_token().status == 200
    assert product.atlassian.token_calls() == 1


def test_what_cannot_be_opened_is_told(product: Product) -> None:
    product.walk().to_connection("broken")
    table = product.keeper.access.store.table
    row = table.get("CONNECTION#jira#broken", "CONNECTION")
    assert row is not None
    table.put(row | {"secret": row["secret"][:-1] + b"x"})
    _retire_data_keys(product)
    assert run(product, {"task": "reseal"}) == {"resealed": 0, "failed": 1, "complete": False}


def test_a_row_that_holds_no_sealed_secret_keeps_no_other_from_being_sealed_anew(product: Product) -> None:
    for name in ("a", "b"):
        product.walk().to_connection(name)
    table = product.keeper.access.store.table
    table.update(Update("CONNECTION#jira#a", "CONNECTION", set={"secret": b"x"}))
    _retire_data_keys(product)
    assert run(product, {"task": "reseal"}) == {"resealed": 1, "failed": 1, "complete": False}


def test_sealing_anew_does_not_undo_a_refresh(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    product.walk().to_connection()
    _retire_data_keys(product)
    vault = product.keeper.access.vault
    seal = vault.seal

    def interleaved(*arguments: Any) -> Any:
        monkeypatch.setattr(vault, "seal", seal)
        product.elapsed += timedelta(hours=1)
        assert product.access_token().status == 200
        return seal(*arguments)

    monkeypatch.setattr(vault, "seal", interleaved)
    assert run(product, {"task": "reseal"})["resealed"] == 0
    product.elapsed += timedelta(hours=1)
    assert product.access_token().status == 200
