"""Access tokens: who refreshes, who waits, and what every way of failing leaves behind."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.client
import pytest

from jobticket.clock import Deadline
from jobticket.connections import tokens as tokens_module
from jobticket.connections.atlassian import (
    AppRefusedError,
    AtlassianUnavailableError,
    Grant,
    GrantDeadError,
)
from jobticket.connections.connection_store import ConnectionStore
from jobticket.connections.errors import (
    ConnectionNotFoundError,
    ConnectionUnavailableError,
    ReauthorizationNeededError,
)
from jobticket.connections.layout import history_of
from jobticket.connections.model import REFRESH_FIELD, Connection, ConnectionId
from jobticket.connections.refreshes import RefreshStore
from jobticket.connections.tokens import LEASE, TokenSource
from jobticket.connections.vault import Vault
from jobticket.errors import InvalidError
from jobticket.history.records import page_of_records
from jobticket.jira.client import Pace
from jobticket.store.lease import Lease
from jobticket.store.table import Table
from tests.support.consents import store_consent
from tests.support.tables import stamp
from tests.unit.conftest import client
from tests.unit.connections.conftest import raw_items, sent_twice

TEAM = ConnectionId("jira", "team-1")
START = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)

Answer = Callable[[str], Grant]


@dataclass
class World:
    """Time, chance, and an Atlassian that answers what the test says."""

    now: datetime = START
    answers: list[Answer] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    waits: list[Callable[[], None]] = field(default_factory=list)
    slept: float = 0.0

    def prepare(self) -> None:
        """Have the app's secret at hand."""

    def refresh(self, refresh_token: str, _deadline: Deadline) -> Grant:
        self.sent.append(refresh_token)
        return self.answers.pop(0)(refresh_token)

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.now += timedelta(seconds=seconds)
        if self.waits:
            self.waits.pop(0)()

    def monotonic(self) -> float:
        return self.now.timestamp()

    def deadline(self, seconds: float = 27.0) -> Deadline:
        return Deadline.after(seconds, self.monotonic)


def gives(number: int) -> Answer:
    return lambda _token: Grant(f"access-{number}", f"refresh-{number}", 3600)


def raises(error: Exception) -> Answer:
    def answer(_token: str) -> Grant:
        raise error

    return answer


UNKNOWN_OUTCOME = AtlassianUnavailableError("lost", outcome_unknown=True)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def store(table: Table) -> ConnectionStore:
    return ConnectionStore(table)


@pytest.fixture
def vault(table: Table, world: World) -> Vault:
    return Vault(table, lambda: client("kms"), "alias/jobticket", lambda: world.now)


@pytest.fixture
def make_source(store: ConnectionStore, vault: Vault, world: World) -> Callable[[], TokenSource]:
    def make() -> TokenSource:
        app: Any = world
        return TokenSource(store, vault, app, now=lambda: world.now, pace=Pace(world.sleep, lambda: 0.5))

    return make


@pytest.fixture
def source(make_source: Callable[[], TokenSource]) -> TokenSource:
    return make_source()


@pytest.fixture
def cold(table: Table, vault: Vault) -> Connection:
    """A connection without an access token."""
    return store_consent(table, vault, seconds_left=0, authorized_at=START)


def stored(store: ConnectionStore) -> Connection:
    found = store.get(TEAM)
    assert found is not None
    return found


def refresh_token(store: ConnectionStore, vault: Vault) -> str:
    return vault.open(TEAM, REFRESH_FIELD, stored(store).secret)


# --- the ordinary way ---------------------------------------------------------------------------------------


def test_refreshes_once_and_keeps_what_it_got(
    source: TokenSource, world: World, store: ConnectionStore, vault: Vault, cold: Connection
) -> None:
    world.answers = [gives(2)]
    first = source.access_token(TEAM, world.deadline())
    second = source.access_token(TEAM, world.deadline())
    assert (first.text, second.text) == ("access-2", "access-2")
    assert first.expires_at == START + timedelta(hours=1)
    assert world.sent == ["refresh-1"]
    assert refresh_token(store, vault) == "refresh-2"
    after = stored(store)
    assert (after.version, after.last_refreshed_at, after.lease, after.unfinished_since) == (
        2,
        START,
        None,
        None,
    )


def test_a_refresh_does_not_move_the_end_of_the_grant(
    source: TokenSource, world: World, store: ConnectionStore, cold: Connection
) -> None:
    world.now += timedelta(days=40)
    world.answers = [gives(2)]
    source.access_token(TEAM, world.deadline())
    assert stored(store).expires_at == START + timedelta(days=365)


def test_gives_no_token_that_is_about_to_end(source: TokenSource, world: World, cold: Connection) -> None:
    world.answers = [gives(2), gives(3)]
    source.access_token(TEAM, world.deadline())
    world.now += timedelta(hours=1) - tokens_module.MARGIN - timedelta(seconds=1)
    assert source.access_token(TEAM, world.deadline()).text == "access-2"
    world.now += timedelta(seconds=1)
    assert source.access_token(TEAM, world.deadline()).text == "access-3"


def test_an_expired_token_that_dynamodb_has_not_deleted_is_not_given(
    source: TokenSource, world: World, cold: Connection
) -> None:
    world.answers = [gives(2), gives(3)]
    source.access_token(TEAM, world.deadline())
    world.now += timedelta(days=2)
    (item,) = [item for item in raw_items() if item["sk"]["S"] == "ACCESS"]
    assert int(item["expires_at"]["N"]) < world.now.timestamp()
    assert source.access_token(TEAM, world.deadline()).text == "access-3"


def test_short_lived_tokens_are_used_for_half_their_life(
    source: TokenSource, world: World, cold: Connection
) -> None:
    world.answers = [lambda _: Grant("short", "r", 60), gives(3)]
    source.access_token(TEAM, world.deadline())
    world.now += timedelta(seconds=29)
    assert source.access_token(TEAM, world.deadline()).text == "short"
    world.now += timedelta(seconds=1)
    assert source.access_token(TEAM, world.deadline()).text == "access-3"


def test_no_token_outlives_its_grant(source: TokenSource, world: World, table: Table, vault: Vault) -> None:
    store_consent(table, vault, seconds_left=0, authorized_at=START - timedelta(days=365, minutes=-10))
    world.answers = [gives(2)]
    assert source.access_token(TEAM, world.deadline()).text == "access-2"
    world.now += timedelta(minutes=10)
    with pytest.raises(ReauthorizationNeededError):
        source.access_token(TEAM, world.deadline())


def test_what_is_not_there(source: TokenSource, world: World) -> None:
    with pytest.raises(ConnectionNotFoundError):
        source.access_token(TEAM, world.deadline())


def test_credentials_have_no_tokens(
    source: TokenSource, world: World, store: ConnectionStore, cold: Connection
) -> None:
    store.replace(replace(cold, kind="api_token", expires_at=None), stamp())
    with pytest.raises(InvalidError, match=r"^Connection has no OAuth tokens$"):
        source.access_token(TEAM, world.deadline())


def test_an_app_without_rotation_keeps_its_refresh_token(
    source: TokenSource, world: World, store: ConnectionStore, vault: Vault, cold: Connection
) -> None:
    world.answers = [lambda _: Grant("access-2", None, 3600)]
    source.access_token(TEAM, world.deadline())
    assert refresh_token(store, vault) == "refresh-1"


# --- what fails, and what that leaves -----------------------------------------------------------------------


@pytest.mark.parametrize("code", ["invalid_grant", "unauthorized_client"])
def test_a_dead_grant_is_said_from_the_first_call_on(
    source: TokenSource, world: World, store: ConnectionStore, cold: Connection, code: str
) -> None:
    world.answers = [raises(GrantDeadError(code))]
    for _ in range(2):
        with pytest.raises(ReauthorizationNeededError):
            source.access_token(TEAM, world.deadline())
    assert stored(store).invalid
    assert stored(store).lease is None
    assert world.sent == ["refresh-1"]


def test_a_death_is_logged_and_counted_once(
    source: TokenSource, world: World, cold: Connection, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    counted: list[str] = []
    monkeypatch.setattr(tokens_module, "count", counted.append)
    world.answers = [raises(GrantDeadError("invalid_grant"))]
    for _ in range(3):
        with pytest.raises(ReauthorizationNeededError):
            source.access_token(TEAM, world.deadline())
    assert counted == ["ConnectionDied"]
    assert [record.message for record in caplog.records].count("connection must be authorized again") == 1


@pytest.mark.parametrize(
    ("error", "begun"),
    [
        (AtlassianUnavailableError("429", outcome_unknown=False, retry_after=7), False),
        (AtlassianUnavailableError("500", outcome_unknown=True), True),
        (AtlassianUnavailableError("timeout", outcome_unknown=True), True),
        (AtlassianUnavailableError("refused", outcome_unknown=False), False),
        (AppRefusedError("invalid_client"), False),
        (AppRefusedError("access_denied"), False),
    ],
    ids=["429", "500", "timeout", "unreachable", "invalid_client", "access_denied"],
)
def test_trouble_that_is_not_the_grants_leaves_it_valid(
    source: TokenSource,
    world: World,
    store: ConnectionStore,
    cold: Connection,
    error: Exception,
    begun: bool,
) -> None:
    world.answers = [raises(error), gives(2)]
    with pytest.raises(ConnectionUnavailableError) as caught:
        source.access_token(TEAM, world.deadline())
    assert caught.value.message == "Failed to refresh access token"
    assert caught.value.retry_after
    after = stored(store)
    assert (after.invalid, after.lease) == (False, None)
    assert (after.unfinished_since is not None) is begun
    world.now += timedelta(seconds=caught.value.retry_after)
    assert source.access_token(TEAM, world.deadline()).text == "access-2"
    assert world.sent == ["refresh-1", "refresh-1"]
    assert stored(store).unfinished_since is None


def test_whoever_waited_takes_the_word_of_whoever_asked(
    make_source: Callable[[], TokenSource], world: World, cold: Connection
) -> None:
    asker, waiter, newcomer = make_source(), make_source(), make_source()
    waited: list[ConnectionUnavailableError] = []

    def fail(_token: str) -> Grant:
        # A waiter has come meanwhile, and finds the failure when it looks again.
        world.waits = [asker_fails]
        with pytest.raises(ConnectionUnavailableError) as caught:
            waiter.access_token(TEAM, world.deadline())
        waited.append(caught.value)
        raise UNKNOWN_OUTCOME

    def asker_fails() -> None:
        held = stored(waiter._store)
        assert held.lease is not None
        RefreshStore(waiter._store.table).release(held, held.lease, begun=True, failed_at=world.now)

    world.answers = [fail, gives(2)]
    with pytest.raises(ConnectionUnavailableError):
        asker.access_token(TEAM, world.deadline())
    assert len(waited) == 1
    assert world.sent == ["refresh-1"]
    assert newcomer.access_token(TEAM, world.deadline()).text == "access-2"


def test_nobody_asks_before_atlassian_wants_to_be_asked(
    source: TokenSource, make_source: Callable[[], TokenSource], world: World, cold: Connection
) -> None:
    world.answers = [
        raises(AtlassianUnavailableError("429", outcome_unknown=False, retry_after=30)),
        gives(2),
    ]
    with pytest.raises(ConnectionUnavailableError):
        source.access_token(TEAM, world.deadline())
    world.now += timedelta(seconds=10)
    with pytest.raises(ConnectionUnavailableError) as caught:
        make_source().access_token(TEAM, world.deadline())
    assert caught.value.retry_after == 20
    assert world.sent == ["refresh-1"]
    world.now += timedelta(seconds=20)
    assert source.access_token(TEAM, world.deadline()).text == "access-2"


def test_says_when_atlassian_wants_to_be_asked_again(
    source: TokenSource, world: World, cold: Connection
) -> None:
    world.answers = [raises(AtlassianUnavailableError("429", outcome_unknown=False, retry_after=42))]
    with pytest.raises(ConnectionUnavailableError) as caught:
        source.access_token(TEAM, world.deadline())
    assert caught.value.retry_after == 42


def test_an_app_that_is_refused_is_told_to_its_operator(
    source: TokenSource, world: World, cold: Connection, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    counted: list[str] = []
    monkeypatch.setattr(tokens_module, "count", counted.append)
    world.answers = [raises(AppRefusedError("invalid_client"))]
    with pytest.raises(ConnectionUnavailableError):
        source.access_token(TEAM, world.deadline())
    assert counted == ["AppRefused"]
    assert any(record.levelname == "ERROR" for record in caplog.records)


def test_a_refresh_token_is_not_spent_when_its_successor_could_not_be_kept(
    source: TokenSource,
    world: World,
    vault: Vault,
    store: ConnectionStore,
    cold: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise ConnectionError("KMS is away")

    monkeypatch.setattr(vault, "prepare", fail)
    with pytest.raises(ConnectionError):
        source.access_token(TEAM, world.deadline())
    assert world.sent == []
    assert (stored(store).lease, stored(store).unfinished_since) == (None, None)


def test_a_lease_is_given_back_when_the_apps_secret_cannot_be_read(
    source: TokenSource,
    world: World,
    store: ConnectionStore,
    cold: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise ConnectionError("the secret store is away")

    monkeypatch.setattr(world, "prepare", fail)
    with pytest.raises(ConnectionError):
        source.access_token(TEAM, world.deadline())
    assert world.sent == []
    assert (stored(store).lease, stored(store).unfinished_since) == (None, None)


# --- dying half-way -----------------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for the end of the process: nothing that handles exceptions sees it coming."""


@pytest.fixture
def die_before_writing(
    source: TokenSource, world: World, cold: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let a refresh end between Atlassian's answer and the write of it."""
    with monkeypatch.context() as patch:

        def die(*_: Any) -> bool:
            raise Killed

        patch.setattr(RefreshStore, "succeed", die)
        world.answers = [gives(2)]
        with pytest.raises(Killed):
            source.access_token(TEAM, world.deadline())


def test_the_next_caller_recovers_with_the_same_token(
    die_before_writing: None,
    make_source: Callable[[], TokenSource],
    world: World,
    store: ConnectionStore,
    vault: Vault,
) -> None:
    assert stored(store).lease is not None
    world.answers = [gives(3)]
    assert make_source().access_token(TEAM, world.deadline()).text == "access-3"
    assert world.sent == ["refresh-1", "refresh-1"]
    # It waited for the dead one's lease to run out, not longer, and well within Atlassian's ten minutes.
    assert LEASE.total_seconds() <= world.slept < LEASE.total_seconds() + 2
    after = stored(store)
    assert (after.invalid, after.lease, after.unfinished_since) == (False, None, None)
    assert refresh_token(store, vault) == "refresh-3"


def test_it_is_known_as_unfinished_until_then(die_before_writing: None, world: World, table: Table) -> None:
    refreshes = RefreshStore(table)
    world.now += LEASE + timedelta(seconds=1)
    assert list(refreshes.unfinished(world.now - LEASE)) == [TEAM]


def test_the_time_of_the_first_try_is_kept(
    die_before_writing: None, make_source: Callable[[], TokenSource], world: World, store: ConnectionStore
) -> None:
    world.now += LEASE
    world.answers = [raises(AtlassianUnavailableError("429", outcome_unknown=False))]
    with pytest.raises(ConnectionUnavailableError):
        make_source().access_token(TEAM, world.deadline())
    # The 429 says nothing of what became of the first try.
    assert stored(store).unfinished_since == START


# --- races --------------------------------------------------------------------------------------------------


def test_a_lease_whose_grant_was_lost_on_the_way_is_taken_all_the_same(
    source: TokenSource, world: World, cold: Connection
) -> None:
    world.answers = [gives(2)]
    with sent_twice("UpdateItem") as repeated:
        assert source.access_token(TEAM, world.deadline()).text == "access-2"
    assert (repeated, world.slept) == (["UpdateItem"], 0.0)


def test_losers_wait_for_the_winner(
    make_source: Callable[[], TokenSource], world: World, cold: Connection
) -> None:
    winner, loser = make_source(), make_source()
    got: list[str] = []

    def answer(_token: str) -> Grant:
        # While the winner is at Atlassian, a loser comes; the winner goes on when it has slept twice.
        world.waits = [lambda: None, lambda: None]
        with pytest.raises(ConnectionUnavailableError):
            loser.access_token(TEAM, world.deadline(1.0))
        return Grant("access-2", "refresh-2", 3600)

    world.answers = [answer]
    got.append(winner.access_token(TEAM, world.deadline()).text)
    got.append(loser.access_token(TEAM, world.deadline()).text)
    assert got == ["access-2", "access-2"]
    assert world.sent == ["refresh-1"]


def test_waiting_too_long_is_busy_and_never_reauthorize(
    source: TokenSource, world: World, store: ConnectionStore, table: Table, cold: Connection
) -> None:
    RefreshStore(table).begin(cold, Lease.begin(world.now, timedelta(hours=1)), world.now)
    with pytest.raises(ConnectionUnavailableError):
        source.access_token(TEAM, world.deadline())
    assert world.sent == []
    assert not stored(store).invalid


def test_a_refresh_that_ended_between_look_and_lease_is_not_done_again(
    source: TokenSource,
    make_source: Callable[[], TokenSource],
    world: World,
    cold: Connection,
    monkeypatch: pytest.MonkeyPatch,
    store: ConnectionStore,
) -> None:
    other = make_source()
    world.answers = [gives(2)]
    read = store.get_with_token

    def interleaved(name: ConnectionId) -> Any:
        # The token was looked at before the other's write, the connection after it.
        monkeypatch.setattr(store, "get_with_token", read)
        other.refreshed(TEAM, world.deadline())
        return stored(store), None

    monkeypatch.setattr(store, "get_with_token", interleaved)
    assert source.refreshed(TEAM, world.deadline()).text == "access-2"
    assert world.sent == ["refresh-1"]
    assert stored(store).lease is None


def test_a_refresh_token_older_than_the_newest_is_never_sent(
    source: TokenSource,
    make_source: Callable[[], TokenSource],
    world: World,
    cold: Connection,
    monkeypatch: pytest.MonkeyPatch,
    store: ConnectionStore,
) -> None:
    """Not even by a caller that has slept between its look at the connection and its lease."""
    other = make_source()
    world.answers = [gives(2), gives(3)]
    read = store.get_with_token

    def interleaved(name: ConnectionId) -> Any:
        seen = read(name)
        monkeypatch.setattr(store, "get_with_token", read)
        other.refreshed(TEAM, world.deadline())
        world.now += timedelta(hours=2)  # what the other got has expired again
        return seen

    monkeypatch.setattr(store, "get_with_token", interleaved)
    assert source.refreshed(TEAM, Deadline.after(60, lambda: 0.0)).text == "access-3"
    assert world.sent == ["refresh-1", "refresh-2"]


def overtaken(world: World, other: TokenSource, then: Answer) -> Answer:
    """Let a call at Atlassian last beyond its lease, and another caller refresh meanwhile."""

    def answer(token: str) -> Grant:
        world.now += LEASE + timedelta(seconds=1)
        other.access_token(TEAM, world.deadline())
        return then(token)

    return answer


def test_of_two_refreshes_the_first_to_be_written_counts(
    make_source: Callable[[], TokenSource],
    world: World,
    cold: Connection,
    store: ConnectionStore,
    vault: Vault,
) -> None:
    slow, quick = make_source(), make_source()
    world.answers = [overtaken(world, quick, gives(9)), gives(2)]
    assert slow.access_token(TEAM, world.deadline(60)).text == "access-2"
    assert refresh_token(store, vault) == "refresh-2"


@pytest.mark.parametrize("error", [GrantDeadError("invalid_grant"), UNKNOWN_OUTCOME], ids=["dead", "unknown"])
def test_a_lost_race_never_marks_a_connection_invalid(
    make_source: Callable[[], TokenSource],
    world: World,
    cold: Connection,
    store: ConnectionStore,
    error: Exception,
) -> None:
    slow, quick = make_source(), make_source()
    world.answers = [overtaken(world, quick, raises(error)), gives(2)]
    if isinstance(error, GrantDeadError):
        assert slow.access_token(TEAM, world.deadline(60)).text == "access-2"
    else:
        with pytest.raises(ConnectionUnavailableError):
            slow.access_token(TEAM, world.deadline(60))
    assert not stored(store).invalid
    assert stored(store).unfinished_since is None


def test_whoever_lost_the_lease_may_not_judge_while_the_other_is_still_asking(
    make_source: Callable[[], TokenSource],
    world: World,
    cold: Connection,
    store: ConnectionStore,
    table: Table,
) -> None:
    slow = make_source()

    def answer(_token: str) -> Grant:
        world.now += LEASE + timedelta(seconds=1)
        lease = Lease.begin(world.now, timedelta(seconds=1))
        held = RefreshStore(table).begin(stored(store), lease, world.now)
        assert held is not None
        raise GrantDeadError("invalid_grant")

    world.answers = [answer, gives(2)]
    assert slow.access_token(TEAM, world.deadline(60)).text == "access-2"
    assert not stored(store).invalid


def test_a_late_success_mends_a_verdict(
    make_source: Callable[[], TokenSource], world: World, cold: Connection, store: ConnectionStore
) -> None:
    slow, quick = make_source(), make_source()

    def answer(_token: str) -> Grant:
        world.now += LEASE + timedelta(seconds=1)
        with pytest.raises(ReauthorizationNeededError):
            quick.access_token(TEAM, world.deadline())
        assert stored(store).invalid
        return Grant("access-3", "refresh-3", 3600)

    world.answers = [answer, raises(GrantDeadError("invalid_grant"))]
    assert slow.access_token(TEAM, world.deadline(60)).text == "access-3"
    assert not stored(store).invalid
    records, _ = page_of_records(store.table, history_of(TEAM), world.now, None, None)
    assert {each["action"] for each in records} == {"authorized", "marked_invalid", "marked_valid"}


@pytest.mark.parametrize(
    "outcome",
    [gives(9), raises(GrantDeadError("invalid_grant")), raises(UNKNOWN_OUTCOME)],
    ids=["success", "dead", "unknown"],
)
def test_a_new_authorization_is_never_overwritten(
    source: TokenSource,
    world: World,
    table: Table,
    vault: Vault,
    store: ConnectionStore,
    cold: Connection,
    outcome: Answer,
) -> None:
    def answer(token: str) -> Grant:
        store_consent(
            table,
            vault,
            refresh_token="new-refresh",
            access_token="new-access",
            authorized_at=START,
            seconds_left=10**9,
        )
        return outcome(token)

    world.answers = [answer]
    with contextlib.suppress(ConnectionUnavailableError):  # the answer to an unknown outcome
        assert source.access_token(TEAM, world.deadline()).text == "new-access"
    after = stored(store)
    assert refresh_token(store, vault) == "new-refresh"
    assert (after.invalid, after.lease, after.unfinished_since, after.version) == (False, None, None, 1)
    assert source.access_token(TEAM, world.deadline()).text == "new-access"


def test_a_connection_removed_meanwhile_stays_removed(
    source: TokenSource, world: World, store: ConnectionStore, cold: Connection
) -> None:
    def answer(_token: str) -> Grant:
        store.delete(TEAM, stamp())
        return Grant("access-2", "refresh-2", 3600)

    world.answers = [answer]
    with pytest.raises(ConnectionNotFoundError):
        source.access_token(TEAM, world.deadline())
    assert [item for item in raw_items() if item["pk"]["S"].startswith("CONNECTION#")] == []


# --- Jira refuses a cached token ----------------------------------------------------------------------------


def test_a_refused_token_is_dropped_and_replaced(source: TokenSource, world: World, cold: Connection) -> None:
    world.answers = [gives(2), gives(3)]
    source.access_token(TEAM, world.deadline())
    assert source.renewed(TEAM, "access-2", world.deadline()).text == "access-3"
    assert source.access_token(TEAM, world.deadline()).text == "access-3"


def test_a_token_that_another_caller_has_replaced_is_taken_over(
    source: TokenSource, world: World, cold: Connection
) -> None:
    world.answers = [gives(2)]
    source.access_token(TEAM, world.deadline())
    assert source.renewed(TEAM, "an older one", world.deadline()).text == "access-2"
    assert world.sent == ["refresh-1"]


# --- cost ---------------------------------------------------------------------------------------------------


class Calls:
    """Counts what is asked of AWS."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[str] = []
        call = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

        def counted(target: Any, operation: str, parameters: Any) -> Any:
            self.made.append(f"{target.meta.service_model.service_name}:{operation}")
            return call(target, operation, parameters)

        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", counted)


def test_a_warm_container_reads_once_and_asks_nobody_else(
    source: TokenSource, world: World, cold: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.answers = [gives(2)]
    source.access_token(TEAM, world.deadline())
    calls = Calls(monkeypatch)
    source.access_token(TEAM, world.deadline())
    assert calls.made == ["dynamodb:GetItem"]


def test_a_call_ends_before_its_lease_and_a_wait_after_it() -> None:
    lease = LEASE.total_seconds()
    assert lease > tokens_module.TOKEN_CALL_SECONDS
    assert lease < tokens_module.WAIT_SECONDS
