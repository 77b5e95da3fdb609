"""What is kept of webhooks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jobticket.connections.vault import CONNECTIONS, Vault, VaultError
from jobticket.store.table import Table
from jobticket.ticketing.webhook_store import WEBHOOKS, Registration, WebhookStore
from tests.unit.conftest import client

NOW, LATER = datetime(2029, 12, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def table(aws: None) -> Table:
    return Table(client("dynamodb"), "ticketing")


@pytest.fixture
def store(table: Table) -> WebhookStore:
    return WebhookStore(table, Vault(table, lambda: client("kms"), "alias/jobticket", purpose=WEBHOOKS))


def test_a_secret_replaces_the_earlier_one_and_is_kept_sealed(store: WebhookStore, table: Table) -> None:
    assert store.secret(1) is None
    first, second = store.make_secret(1), store.make_secret(1)
    assert first != second
    assert store.secret(1) == second
    assert store.secret(2) is None
    item = table.get("WEBHOOK#1", "WEBHOOK") or {}
    assert second.encode() not in item["secret"]


def test_a_secret_opens_for_its_integration_alone(store: WebhookStore, table: Table) -> None:
    store.make_secret(1)
    item = table.get("WEBHOOK#1", "WEBHOOK") or {}
    table.put({**item, "pk": "WEBHOOK#2"})
    with pytest.raises(VaultError):
        store.secret(2)
    other = Vault(table, lambda: client("kms"), "alias/jobticket", purpose=CONNECTIONS)
    with pytest.raises(VaultError):
        WebhookStore(table, other).secret(1)


def test_registrations_come_and_go_beside_the_secret(store: WebhookStore, table: Table) -> None:
    secret = store.make_secret(1)
    assert store.registration(1) is None
    known = Registration("team-a", (1000, 1001), LATER, NOW)
    store.register(1, known)
    assert store.registration(1) == known
    store.unregister(1)
    assert (store.registration(1), store.secret(1)) == (None, secret)
    gone = store.removal(1)
    table.delete(gone.pk, gone.sk)
    store.unregister(1)
    assert table.get("WEBHOOK#1", "WEBHOOK") is None


def test_what_was_taken_is_known_again(store: WebhookStore) -> None:
    store.remember(b"token and body", LATER)
    assert store.was_seen(b"token and body")
    assert not store.was_seen(b"token and another body")
