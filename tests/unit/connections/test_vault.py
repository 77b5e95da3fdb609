"""Secrets at rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobticket.connections.model import GRANT_LIFETIME, ConnectionId
from jobticket.connections.vault import CONSENTS, Sealer, Vault, VaultError
from jobticket.store.table import Table, Update
from tests.unit.conftest import client

TEAM = ConnectionId("jira", "team-1")
OTHER = ConnectionId("jira", "team-2")
NOVEMBER = datetime(2026, 11, 22, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


class CountingKms:
    """KMS, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self) -> Any:
        return self

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            self.asked.append(name)
            return getattr(client("kms"), name)(**arguments)

        return call


@pytest.fixture
def kms() -> CountingKms:
    return CountingKms()


def vault(table: Table, kms: CountingKms, now: datetime = NOVEMBER) -> Vault:
    return Vault(table, kms, "alias/jobticket", lambda: now)


def test_opens_what_it_sealed(table: Table, kms: CountingKms) -> None:
    sealed = vault(table, kms).seal(TEAM, "refresh_token", "hush ü")
    assert b"hush" not in sealed
    assert vault(table, kms).open(TEAM, "refresh_token", sealed) == "hush ü"


def test_the_same_secret_never_looks_the_same(table: Table, kms: CountingKms) -> None:
    one = vault(table, kms)
    assert one.seal(TEAM, "f", "hush") != one.seal(TEAM, "f", "hush")


@pytest.mark.parametrize(("name", "field"), [(OTHER, "refresh_token"), (TEAM, "access_token")])
def test_a_copied_ciphertext_opens_nowhere_else(
    table: Table, kms: CountingKms, name: ConnectionId, field: str
) -> None:
    one = vault(table, kms)
    sealed = one.seal(TEAM, "refresh_token", "hush")
    with pytest.raises(VaultError):
        one.open(name, field, sealed)


def test_names_cannot_be_shifted_into_each_other(table: Table, kms: CountingKms) -> None:
    one = vault(table, kms)
    sealed = one.seal(ConnectionId("jira", "ab"), "c", "hush")
    with pytest.raises(VaultError):
        one.open(ConnectionId("jira", "a"), "bc", sealed)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(position=st.integers(0, 200), bit=st.integers(0, 7))
def test_a_changed_ciphertext_is_noticed(table: Table, kms: CountingKms, position: int, bit: int) -> None:
    one = vault(table, kms)
    sealed = bytearray(one.seal(TEAM, "f", "hush"))
    sealed[position % len(sealed)] ^= 1 << bit
    with pytest.raises(VaultError):
        one.open(TEAM, "f", bytes(sealed))


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x02\x01a", b"\x01\xff" + b"a" * 20, b"plain text"])
def test_what_is_not_sealed_at_all(table: Table, kms: CountingKms, sealed: bytes) -> None:
    with pytest.raises(VaultError):
        vault(table, kms).open(TEAM, "f", sealed)


def test_asks_kms_once_a_container(table: Table, kms: CountingKms) -> None:
    one = vault(table, kms)
    for _ in range(3):
        one.open(TEAM, "f", one.seal(TEAM, "f", "hush"))
    assert kms.asked == ["generate_data_key"]
    cold = vault(table, kms)
    sealed = one.seal(OTHER, "f", "hush")
    for _ in range(3):
        cold.open(OTHER, "f", sealed)
    assert kms.asked == ["generate_data_key", "decrypt"]


def test_a_new_month_has_a_new_key_and_old_secrets_stay_readable(table: Table, kms: CountingKms) -> None:
    old = vault(table, kms).seal(TEAM, "f", "hush")
    new = vault(table, kms, DECEMBER).seal(TEAM, "f", "hush")
    assert old[2:12] != new[2:12]
    later = vault(table, kms, DECEMBER)
    assert later.open(TEAM, "f", old) == later.open(TEAM, "f", new) == "hush"


def test_a_retired_data_key_seals_nothing_new(table: Table, kms: CountingKms) -> None:
    clock = [NOVEMBER]
    one = Vault(table, kms, "alias/jobticket", lambda: clock[0])
    old = one.seal(TEAM, "f", "hush")
    (item,) = client("dynamodb").scan(TableName=table.name)["Items"]
    client("dynamodb").update_item(
        TableName=table.name,
        Key={"pk": item["pk"], "sk": item["sk"]},
        UpdateExpression="SET retired_at = :now",
        ExpressionAttributeValues={":now": {"S": "2026-11-22T00:00:00.000Z"}},
    )
    fresh = vault(table, kms)
    new = fresh.seal(TEAM, "f", "hush")
    assert (fresh.is_current(old), fresh.is_current(new)) == (False, True)
    assert fresh.open(TEAM, "f", old) == fresh.open(TEAM, "f", new) == "hush"
    # A container that knew it before finds out within minutes.
    clock[0] += timedelta(minutes=5)
    assert fresh.is_current(one.seal(TEAM, "f", "hush"))


def test_another_kms_key_is_used_at_once_and_the_old_one_stays_readable(
    table: Table, kms: CountingKms
) -> None:
    old = vault(table, kms).seal(TEAM, "f", "hush")
    arn = client("kms").create_key()["KeyMetadata"]["Arn"]
    rotated = Vault(table, kms, arn, lambda: NOVEMBER)
    new = rotated.seal(TEAM, "f", "hush")
    assert old[2:18] != new[2:18]
    assert rotated.open(TEAM, "f", old) == "hush"


def test_two_containers_that_make_the_first_key_agree(table: Table, kms: CountingKms) -> None:
    quick, slow = vault(table, kms), vault(table, kms)
    read = table.get
    seen: list[bytes] = []

    def get(pk: str, sk: str, **options: Any) -> Any:
        found = read(pk, sk, **options)
        if not seen:
            # Between the slow one's look and its write, the quick one makes the key.
            seen.append(quick.seal(TEAM, "f", "quick"))
        return found

    slow._table = Table(client("dynamodb"), table.name)
    slow._table.get = get  # type: ignore[method-assign]
    sealed = slow.seal(TEAM, "f", "slow")
    third = vault(table, kms)
    assert third.open(TEAM, "f", sealed) == "slow"
    assert third.open(TEAM, "f", seen[0]) == "quick"


def test_a_wrapped_key_moved_under_another_name_does_not_open(table: Table, kms: CountingKms) -> None:
    one = vault(table, kms)
    one.seal(TEAM, "f", "hush")
    vault(table, kms, DECEMBER).seal(TEAM, "f", "hush")
    november, december = (
        item
        for item in client("dynamodb").scan(TableName=table.name)["Items"]
        if item["sk"]["S"] == "DATA_KEY"
    )
    client("dynamodb").put_item(TableName=table.name, Item=november | {"pk": december["pk"]})
    name = december["pk"]["S"].removeprefix("DATA_KEY#")
    fresh = Vault(table, kms, "alias/jobticket", lambda: NOVEMBER)
    with pytest.raises(client("kms").exceptions.InvalidCiphertextException):
        fresh._data_key(name)


# --- who may seal and not open ------------------------------------------------------------------------------


def sealer(table: Table, kms: CountingKms, now: Callable[[], datetime] = lambda: NOVEMBER) -> Sealer:
    return Sealer(table, kms, "alias/jobticket", now)


def test_others_open_what_a_sealer_sealed(table: Table, kms: CountingKms) -> None:
    one = sealer(table, kms)
    sealed = [one.seal(TEAM, field, "hush") for field in ("access_token", "refresh_token")]
    assert kms.asked == ["generate_data_key"]
    opening = vault(table, kms)
    assert opening.open(TEAM, "access_token", sealed[0]) == opening.open(TEAM, "refresh_token", sealed[1])
    assert not any(map(opening.is_current, sealed)), "they are sealed anew in their time"


def test_a_sealers_data_key_is_its_own(table: Table, kms: CountingKms) -> None:
    """Nobody else's secret is under the data key that it has in its memory."""
    sealed = {one.seal(TEAM, "f", "hush")[2:30] for one in (sealer(table, kms), sealer(table, kms))}
    shared = vault(table, kms)
    sealed.add(shared.seal(TEAM, "f", "hush")[2:30])
    assert len(sealed) == 3
    assert kms.asked == ["generate_data_key"] * 3


@pytest.mark.parametrize("retires", [True, False])
def test_a_sealer_gives_up_a_data_key_that_was_retired(table: Table, kms: CountingKms, retires: bool) -> None:
    moment = [NOVEMBER]
    one = sealer(table, kms, lambda: moment[0])
    one.prepare()
    ((name, _),) = [one._sealing] if one._sealing else []
    if retires:
        table.update(Update(f"DATA_KEY#{name}", "DATA_KEY", set={"retired_at": "2026-11-22"}))
    moment[0] += timedelta(minutes=5)
    one.prepare()
    assert kms.asked == ["generate_data_key"] * (2 if retires else 1)
    moment[0] = DECEMBER
    one.prepare()
    assert len(kms.asked) == (3 if retires else 2)


def test_a_purpose_opens_nothing_of_another(table: Table, kms: CountingKms) -> None:
    of_consents = Vault(table, kms, "alias/jobticket", lambda: NOVEMBER, CONSENTS)
    sealed = sealer(table, kms).seal(TEAM, "f", "hush")
    with pytest.raises(VaultError):
        of_consents.open(TEAM, "f", sealed)
    # Nor with the other's data key under the name of one of its own: KMS looks at the purpose.
    name = sealed[2 : 2 + sealed[1]].decode()
    row = table.get(f"DATA_KEY#{name}", "DATA_KEY") or {}
    table.put(row | {"pk": f"CONSENT_KEY#{name}"})
    with pytest.raises(ClientError):
        of_consents.open(TEAM, "f", sealed)


def test_data_keys_are_kept_as_long_as_their_secrets(table: Table, kms: CountingKms) -> None:
    Vault(table, kms, "alias/jobticket", lambda: NOVEMBER, CONSENTS).prepare()
    sealer(table, kms).prepare()
    vault(table, kms).prepare()
    rows = client("dynamodb").scan(TableName="connections")["Items"]
    kept = {
        row["pk"]["S"].split("2026")[0]: int(row["expires_at"]["N"]) - NOVEMBER.timestamp()
        for row in rows
        if "expires_at" in row
    }
    assert len(rows) == 3
    assert kept.keys() == {"CONSENT_KEY#", "DATA_KEY#sealer-"}
    assert kept["CONSENT_KEY#"] > timedelta(days=32).total_seconds()
    assert kept["DATA_KEY#sealer-"] > (GRANT_LIFETIME + timedelta(days=32)).total_seconds()
