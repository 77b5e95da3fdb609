"""Deleting a connection ends the consents that are under way for it, at whatever step they are."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import botocore.client
import pytest

from tests.support.consent_flow import Walk
from tests.unit.conftest import client
from tests.unit.connections.conftest import Product, raw_items

OF_TEAM = "/api/backend/connections/team-1"
EXPIRED = {"error": "Connection ID not found: session is either expired or does not exist"}
BAD_STATE = {"error": "Invalid state or expired state. Please try again."}
BAD_TOKEN = {"error": "Invalid or expired connect token"}


def connect_token(product: Product, external_id: str = "team-1") -> str:
    body = {"provider": "jira", "external_id": external_id}
    token: str = product.backend.post("/api/backend/connect-sessions", body).json()["connect_token"]
    return token


def by_connect_token(product: Product) -> dict[str, str]:
    return {"x_connect_token": connect_token(product)}


def by_key(_product: Product) -> dict[str, str]:
    return {"Authorization": "Bearer every-scope"}


def in_open_mode(_product: Product) -> dict[str, str]:
    return {}


BEGINNINGS = [by_connect_token, by_key, in_open_mode]
Beginning = Callable[[Product], dict[str, str]]


def delete(product: Product) -> None:
    assert product.backend.delete(OF_TEAM).status == 204


def exists(product: Product, external_id: str = "team-1") -> bool:
    answer: bool = product.validity(external_id)["exists"]
    return answer


def test_a_connect_token(product: Product) -> None:
    headers, walk = by_connect_token(product), product.walk()
    delete(product)
    begun = walk.initiate(headers=headers)
    assert (begun.status, begun.json()) == (401, BAD_TOKEN)


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_state(product: Product, beginning: Beginning) -> None:
    walk = product.walk()
    sent = walk.consent(walk.initiate(headers=beginning(product)).json()["authorization_uri"])
    delete(product)
    back = walk.come_back(sent)
    assert (back.status, back.json()) == (400, BAD_STATE)
    assert product.atlassian.token_calls("authorization_code") == 0


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_consent_that_waits_for_its_site(product: Product, beginning: Beginning) -> None:
    walk = product.walk()
    walk.to_choice(headers=beginning(product))
    delete(product)
    for answered in (walk.sites(), walk.create(), walk.create(Authorization="Bearer every-scope")):
        assert (answered.status, answered.json()) == (400, EXPIRED)
    assert "This page has expired" in walk.page().text
    assert not exists(product)


def test_a_token_that_has_led_to_the_choice_begins_nothing_more(product: Product) -> None:
    headers, walk = by_connect_token(product), product.walk()
    walk.to_choice(headers=headers)
    delete(product)
    assert product.walk().initiate(headers=headers).status == 401


@pytest.mark.parametrize("beginning", BEGINNINGS)
@pytest.mark.parametrize("deletions", [1, 2])
def test_what_begins_after_it_goes_on(product: Product, beginning: Beginning, deletions: int) -> None:
    product.walk().to_connection()
    for _ in range(deletions):
        delete(product)
    product.walk().to_connection(headers=beginning(product))
    assert product.access_token().status == 200


def test_each_deletion_ends_what_was_begun_since_the_last(product: Product) -> None:
    delete(product)
    walk = product.walk()
    walk.to_choice()
    delete(product)
    assert walk.create().status == 400


def test_others_go_on(product: Product) -> None:
    walk, headers = product.walk(), {"x_connect_token": connect_token(product, "team-2")}
    walk.to_choice("team-2", headers=headers)
    delete(product)
    assert walk.create().status == 200


def test_credentials_over_a_connection_end_nothing(product: Product) -> None:
    walk, headers = product.walk(), by_connect_token(product)
    walk.to_choice(headers=headers)
    credentials = "demo@example.com:local-api-token"
    body = {"provider": "jira", "host": product.atlassian.url, "credentials": credentials}
    assert product.backend.put(f"{OF_TEAM}/api-token", body).status == 200
    assert walk.create().status == 200


def test_the_mark_is_dropped_once_nothing_older_can_be_good(product: Product) -> None:
    delete(product)
    walk = product.walk()
    walk.to_choice()
    (mark,) = (item for item in raw_items() if item["pk"]["S"].startswith("CONSENTS#"))
    # A connect token lives an hour, its state ten minutes, the choice fifteen.
    assert int(mark["expires_at"]["N"]) - product.now().timestamp() > 85 * 60
    client("dynamodb").delete_item(TableName="connections", Key={"pk": mark["pk"], "sk": mark["sk"]})
    assert walk.create().status == 200


@contextlib.contextmanager
def deleted_before_call(product: Product, number: int) -> Iterator[list[str]]:
    """Delete the connection just before a step's call of AWS with this number, from 0."""
    call = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]
    made: list[str] = []

    def counted(target: Any, operation: str, parameters: Any) -> Any:
        made.append(operation)
        if len(made) == number + 1:
            patch.setattr(botocore.client.BaseClient, "_make_api_call", call)
            delete(product)
            patch.setattr(botocore.client.BaseClient, "_make_api_call", counted)
        return call(target, operation, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.client.BaseClient, "_make_api_call", counted)
        yield made


def _come_back(walk: Walk, headers: dict[str, str]) -> Callable[[], Any]:
    sent = walk.consent(walk.initiate(headers=headers).json()["authorization_uri"])
    return lambda: walk.come_back(sent)


def _create(walk: Walk, headers: dict[str, str]) -> Callable[[], Any]:
    walk.to_choice(headers=headers)
    return walk.create


@pytest.mark.parametrize("beginning", [by_connect_token, in_open_mode])
@pytest.mark.parametrize("step", [_come_back, _create])
def test_a_deletion_in_the_midst_of_a_step(
    product: Product, step: Callable[..., Callable[[], Any]], beginning: Beginning
) -> None:
    """Whenever it comes, no connection is left of a consent that was begun before it."""
    number = 0
    while True:
        walk = product.walk()
        take = step(walk, beginning(product))
        with deleted_before_call(product, number) as made:
            answer = take()
        if len(made) <= number:
            break
        if step is _come_back and answer.status == 302:
            assert walk.create().status == 400, made[number]
        elif step is _create:
            assert answer.status == 400, made[number]
        assert not exists(product), made[number]
        number += 1
    assert number > 3


def test_a_connect_token_that_is_being_used_when_the_deletion_comes(product: Product) -> None:
    number = 0
    while True:
        headers, walk = by_connect_token(product), product.walk()
        with deleted_before_call(product, number) as made:
            begun = walk.initiate(headers=headers)
        if len(made) <= number:
            break
        if begun.status == 200:
            assert walk.come_back(walk.consent(begun.json()["authorization_uri"])).status == 400
        else:
            assert (begun.status, begun.json()) == (401, BAD_TOKEN)
        number += 1
    assert number > 1
