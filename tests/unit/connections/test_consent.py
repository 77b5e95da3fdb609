"""The consent flow, from a backend's wish to a connection, and every way to cheat on it."""

from __future__ import annotations

import io
import logging
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from jobticket.connections.model import ConnectionId
from jobticket.connections.sessions import digest, new_secret
from tests.support.consent_flow import CREATE, DATA_TEAM, INITIATE, PLANT_NORTH, PLANT_SOUTH, SITES
from tests.support.faults import refused
from tests.support.gateway import Gateway, LambdaContext
from tests.unit.conftest import client, gateway
from tests.unit.connections.conftest import Product, raw_items, sent_twice

EXPIRED = "Connection ID not found: session is either expired or does not exist"
BAD_STATE = "Invalid state or expired state. Please try again."
RETURN_URL = "http://localhost:3000/done?tab=jira#end"


def connections_of(product: Product) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = product.backend.get("/api/backend/connections").json()["connections"]
    return found


# --- the whole way ------------------------------------------------------------------------------------------


def test_a_user_connects_a_site(product: Product) -> None:
    walk = product.walk()
    walk.to_choice(sites=(PLANT_NORTH, DATA_TEAM), return_url=RETURN_URL)
    assert connections_of(product) == []
    sites = walk.sites()
    assert [site["site_id"] for site in sites.json()["sites"]] == [PLANT_NORTH, DATA_TEAM]
    assert set(sites.json()["sites"][0]) == {"site_id", "site_name", "site_url", "avatar_url"}
    made = walk.create(DATA_TEAM)
    assert made.json() == {"success": True, "return_url": RETURN_URL}
    (connection,) = connections_of(product)
    assert (connection["kind"], connection["site_name"], connection["status"]) == (
        "oauth",
        "Data Team",
        "valid",
    )
    assert product.access_token().status == 200


def test_the_answer_names_no_return_url_where_there_is_none(product: Product) -> None:
    walk = product.walk()
    walk.to_choice()
    assert walk.create().json() == {"success": True}


def test_the_default_return_url(product: Product) -> None:
    product.configure(default_return_url="https://app.example/home")
    walk = product.walk()
    walk.to_choice()
    assert walk.create().json()["return_url"] == "https://app.example/home"


def test_the_authorization_uri(product: Product) -> None:
    uri = product.walk().initiate().json()["authorization_uri"]
    query = {name: values[0] for name, values in parse_qs(urlsplit(uri).query, strict_parsing=True).items()}
    assert len(query.pop("state")) >= 43  # 256 bits
    assert query == {
        "audience": "api.atlassian.com",
        "client_id": "local-client-id",
        "scope": "read:jira-work write:jira-work read:jira-user offline_access",
        "redirect_uri": "http://127.0.0.1:8000/api/frontend/oauth/authorization-callback/jira",
        "response_type": "code",
        "prompt": "consent",
    }


def test_the_connection_lives_a_year(product: Product) -> None:
    product.walk().to_connection()
    assert product.validity()["is_expired"] is False
    product.elapsed += timedelta(days=365)
    validity = product.validity()
    assert (validity["exists"], validity["is_expired"], validity["is_invalid"]) == (True, True, False)
    answered = product.access_token()
    assert answered.status == 403
    assert answered.json() == {
        "error": "Connection is invalid or expired. Please reauthorize the connection.",
        "needs_reauthorization": True,
    }


def test_nothing_of_an_existing_connection_changes_before_the_end(product: Product) -> None:
    product.walk().to_connection()
    before = product.access_token().json()
    product.configure(connect_mode="open")
    walk = product.walk()
    token = connect_token(product)
    walk.to_choice(headers={"x_connect_token": token})
    assert product.access_token().json() == before
    walk.create()
    assert product.access_token().json() != before


# --- authorizing again --------------------------------------------------------------------------------------


def connect_token(product: Product, **options: Any) -> str:
    body = {"provider": "jira", "external_id": "team-1"} | options
    answered = product.backend.post("/api/backend/connect-sessions", body)
    assert answered.status == 201, answered.text
    return str(answered.json()["connect_token"])


def _select(product: Product, project_id: str | None) -> None:
    product.connections.access.store.select_project(ConnectionId("jira", "team-1"), project_id)


@pytest.mark.parametrize(("site", "kept"), [(PLANT_NORTH, "10000"), (PLANT_SOUTH, None)])
def test_the_project_stays_if_the_site_does(product: Product, site: str, kept: str | None) -> None:
    product.walk().to_connection()
    _select(product, "10000")
    walk = product.walk()
    token = connect_token(product)
    walk.to_choice(headers={"x_connect_token": token}, sites=(PLANT_NORTH, PLANT_SOUTH))
    walk.create(site)
    assert connections_of(product)[0]["selected_project_id"] == kept


def test_authorizing_again_mends_a_dead_connection(product: Product) -> None:
    product.walk().to_connection()
    product.atlassian.revoke()
    product.elapsed += timedelta(hours=1)
    assert product.access_token().status == 403
    assert product.validity()["is_invalid"] is True
    product.walk().to_connection()  # also without a connect token: there is nothing to hijack
    assert product.validity()["is_invalid"] is False
    assert product.access_token().status == 200


def test_a_consent_takes_the_place_of_credentials(product: Product) -> None:
    product.backend.put(
        "/api/backend/connections/team-1/api-token",
        {
            "provider": "jira",
            "host": product.atlassian.url,
            "credentials": "demo@example.com:local-api-token",
        },
    )
    walk = product.walk()
    assert walk.initiate().status == 409
    walk.to_connection(headers={"x_connect_token": connect_token(product)})
    assert [entry["kind"] for entry in connections_of(product)] == ["oauth"]


# --- who may begin ------------------------------------------------------------------------------------------


def test_a_deployment_in_the_cloud_wants_a_connect_token(product: Product) -> None:
    product.configure(connect_mode="token")
    refused = product.walk().initiate()
    assert (refused.status, refused.json()) == (401, {"error": "A connect token is required"})
    product.walk().to_connection(headers={"x_connect_token": connect_token(product)})


def test_a_key_with_the_scope_will_do(product: Product) -> None:
    product.configure(connect_mode="token")
    begun = product.walk().initiate(headers={"Authorization": "Bearer only-tokens"})
    assert begun.status == 200


@pytest.mark.parametrize("token", ["spent or made up", "of another connection"])
def test_a_key_with_the_scope_needs_no_good_connect_token(product: Product, token: str) -> None:
    product.walk().to_connection()
    product.configure(connect_mode="token")
    if token == "of another connection":
        token = connect_token(product, external_id="team-2")
    headers = {"Authorization": "Bearer only-tokens", "x_connect_token": token}
    walk = product.walk()
    walk.to_choice(headers=headers)
    assert walk.create().status == 200


@pytest.mark.parametrize("token", [None, "made up"])
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"provider": "other", "external_id": "x"},
        {"provider": "jira", "external_id": "x", "return_url": "https://evil.example/"},
    ],
    ids=["empty", "provider", "return_url"],
)
def test_who_asks_is_looked_at_before_what(product: Product, body: dict[str, str], token: str | None) -> None:
    product.configure(connect_mode="token")
    headers = {} if token is None else {"x-connect-token": token}
    assert gateway(product.oauth, None).post(INITIATE, body, headers=headers).status == 401
    assert gateway(product.oauth, "unknown").post(INITIATE, body, headers=headers).status == 401
    assert gateway(product.oauth, "only-jobs").post(INITIATE, body, headers=headers).status == 403
    known = gateway(product.oauth, None)
    assert known.post(INITIATE, body, headers={"x-connect-token": connect_token(product)}).status == 400


@pytest.mark.parametrize(
    ("key", "status"), [("only-jobs", 403), ("only-jira", 403), ("only-admin", 403), ("unknown", 401)]
)
def test_a_key_without_the_scope_is_refused(product: Product, key: str, status: int) -> None:
    refused = product.walk().initiate(headers={"Authorization": f"Bearer {key}"})
    assert refused.status == status


def test_a_connect_token_may_be_used_for_a_second_try_and_is_spent_at_the_end(product: Product) -> None:
    product.configure(connect_mode="token")
    token = connect_token(product)
    first, second = product.walk(), product.walk()
    first.to_choice(headers={"x_connect_token": token})
    second.to_choice(headers={"x_connect_token": token})
    assert second.create().status == 200
    spent = first.create()
    assert (spent.status, spent.json()) == (403, {"error": "The connect token has been used"})
    again = product.walk().initiate(headers={"x_connect_token": token})
    assert (again.status, again.json()) == (401, {"error": "Invalid or expired connect token"})


@pytest.mark.parametrize(
    "asked",
    [{"external_id": "team-2"}, {"return_url": "http://localhost:3000/other"}],
    ids=["connection", "return_url"],
)
def test_a_connect_token_is_for_exactly_one_thing(product: Product, asked: dict[str, str]) -> None:
    token = connect_token(product, return_url="http://localhost:3000/mine")
    external_id = asked.pop("external_id", "team-1")
    refused = product.walk().initiate(external_id, headers={"x_connect_token": token}, **asked)
    assert refused.status == 403


def test_a_connect_token_brings_its_return_url(product: Product) -> None:
    token = connect_token(product, return_url=RETURN_URL)
    walk = product.walk()
    walk.to_choice(headers={"x_connect_token": token})
    assert walk.create().json()["return_url"] == RETURN_URL


def test_a_connect_token_without_a_return_url_takes_none(product: Product) -> None:
    refused = product.walk().initiate(
        return_url=RETURN_URL, headers={"x_connect_token": connect_token(product)}
    )
    assert refused.status == 403


@pytest.mark.parametrize(
    ("asked", "lives"), [({}, 900), ({"expires_in": 60}, 60), ({"expires_in": 3600}, 3600)]
)
def test_a_connect_token_expires_though_it_is_still_stored(
    product: Product, asked: dict[str, int], lives: int
) -> None:
    token = connect_token(product, **asked)
    product.elapsed += timedelta(seconds=lives - 1)
    assert product.walk().initiate(headers={"x_connect_token": token}).status == 200
    product.elapsed += timedelta(seconds=2)
    assert product.walk().initiate(headers={"x_connect_token": token}).status == 401


@pytest.mark.parametrize("seconds", [0, 3601, -1, 1.5, "60", True])
def test_a_connect_tokens_life_has_limits(product: Product, seconds: Any) -> None:
    body = {"provider": "jira", "external_id": "team-1", "expires_in": seconds}
    answered = product.backend.post("/api/backend/connect-sessions", body)
    assert answered.json() == {"error": "expires_in must be an integer from 1 to 3600"}


def test_open_mode_takes_no_connection_that_works(product: Product) -> None:
    product.walk().to_connection()
    refused = product.walk().initiate()
    assert refused.status == 409
    assert refused.json() == {
        "error": "A connection already exists for this external_id. Reauthorize it with a connect token."
    }


def test_open_mode_takes_none_that_came_about_meanwhile(product: Product) -> None:
    attacker, user = product.walk(), product.walk()
    attacker.to_choice()
    user.to_choice()
    assert user.create().status == 200
    before = product.access_token().json()
    assert attacker.create().status == 409
    assert product.access_token().json() == before


def test_open_mode_does_not_begin_twice_for_one_that_is_invalid_and_was_mended(product: Product) -> None:
    product.walk().to_connection()
    product.atlassian.revoke()
    product.elapsed += timedelta(hours=1)
    assert product.access_token().status == 403
    attacker, user = product.walk(), product.walk()
    attacker.to_choice()
    user.to_connection()
    assert attacker.create().status == 409


def test_open_mode_takes_none_that_comes_about_just_before_the_write(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    attacker, user = product.walk(), product.walk()
    attacker.to_choice()
    user.to_choice()
    table = product.oauth.access.store.table
    commit = table.transact

    def late(*arguments: Any, **options: Any) -> Any:
        # The attacker's request has found nothing that it would replace.
        monkeypatch.setattr(table, "transact", commit)
        assert user.create().status == 200
        return commit(*arguments, **options)

    monkeypatch.setattr(table, "transact", late)
    assert attacker.create().status == 409
    (connection,) = connections_of(product)
    assert connection["status"] == "valid"


# --- bad requests -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "Missing provider or external_id"),
        ({"provider": "jira"}, "Missing provider or external_id"),
        ({"external_id": "x"}, "Missing provider or external_id"),
        (
            {"provider": "Jira", "external_id": "x"},
            "Invalid provider. Ensure that all provider names are lowercase.",
        ),
        ({"provider": "jira", "external_id": 7}, "external_id must be a string of 1 to 255 characters"),
        (
            {"provider": "jira", "external_id": "x" * 256},
            "external_id must be a string of 1 to 255 characters",
        ),
        ({"provider": "jira", "external_id": ["x"]}, "external_id must be a string of 1 to 255 characters"),
    ],
)
def test_faulty_beginnings(product: Product, body: dict[str, Any], text: str) -> None:
    api = gateway(product.oauth, None)
    answered = api.post(INITIATE, body)
    assert (answered.status, answered.json()) == (400, {"error": text})
    assert product.backend.post("/api/backend/connect-sessions", body).json() == {"error": text}


def test_a_slash_at_the_end_of_the_path(product: Product) -> None:
    """API Gateway routes it to the same resource, and passes the path on as it came."""
    event = gateway(product.oauth, None).event("POST", INITIATE, {"provider": "jira", "external_id": "x"})
    event["path"] = event["requestContext"]["path"] = INITIATE + "/"
    assert product.oauth.handler(event, LambdaContext())["statusCode"] == 200


def test_malformed_json(product: Product) -> None:
    for url in (INITIATE, CREATE):
        answered = gateway(product.oauth, None).post(url, "{")
        assert (answered.status, answered.json()) == (400, {"error": "Invalid JSON body"})


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:3001/",
        "https://localhost:3000/",
        "http://localhost:3000.evil.example/",
        "http://localhost:3000@evil.example/",
        "http://evil.example/http://localhost:3000",
        "http://localhost:3000\\@evil.example/",
        "//localhost:3000/",
        "javascript:alert(1)//http://localhost:3000",
        "http://localhost",
        " http://localhost:3000/",
        "http://localhost:3000/a b",
        "http://localhost:3000/\r\nLocation: http://evil.example",
        "http://localhost:3000/" + "x" * 3000,
        "http://app.example/",
        7,
        ["http://localhost:3000/"],
    ],
)
def test_return_urls_to_elsewhere(product: Product, url: Any) -> None:
    answered = product.walk().initiate(return_url=url)
    assert (answered.status, answered.json()) == (400, {"error": "return_url is not allowed"})
    body = {"provider": "jira", "external_id": "x", "return_url": url}
    assert product.backend.post("/api/backend/connect-sessions", body).status == 400


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:3000",
        "http://LOCALHOST:3000/x",
        "https://app.example/y?z#w",
        "https://app.example:443",
        "",
        None,
    ],
)
def test_return_urls_of_configured_origins(product: Product, url: str | None) -> None:
    assert product.walk().initiate(return_url=url).status == 200


def test_without_an_app_nobody_is_sent_to_atlassian(product: Product) -> None:
    secret = product.oauth.access.app._secret
    secret.forget()
    with product.monkeypatch.context() as patch:
        patch.setattr(secret, "_fetch", lambda: '{"client_id":"","client_secret":""}')
        answered = product.walk().initiate()
    assert answered.status == 503
    assert "app secret" in answered.json()["error"]
    assert product.walk().initiate().status == 200


def test_without_a_public_url_there_is_no_way_back(product: Product) -> None:
    product.configure(public_url="")
    assert product.walk().initiate().status == 503


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", "Missing connection_code"),
        ("?connection_code=", "Missing connection_code"),
        ("?connection_code=x", EXPIRED),
    ],
)
def test_faulty_questions_for_sites(product: Product, query: str, text: str) -> None:
    answered = gateway(product.oauth, None).get(SITES + query)
    assert (answered.status, answered.json()) == (400, {"error": text})


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"connection_code": "x"},
        {"site_id": "x"},
        {"connection_code": "", "site_id": "x"},
        {"connection_code": 5, "site_id": "x"},
        {"connection_code": "x", "site_id": ["x"]},
    ],
)
def test_faulty_choices(product: Product, body: dict[str, Any]) -> None:
    answered = gateway(product.oauth, None).post(CREATE, body)
    assert (answered.status, answered.json()) == (400, {"error": "Missing connection_code or site_id"})


# --- states -------------------------------------------------------------------------------------------------


def test_a_state_works_once(product: Product) -> None:
    walk = product.walk()
    sent = walk.consent(walk.initiate().json()["authorization_uri"])
    assert walk.come_back(sent).status == 302
    again = walk.come_back(sent)
    assert (again.status, again.json()) == (400, {"error": BAD_STATE})


def test_a_state_is_used_up_even_if_the_exchange_fails(product: Product) -> None:
    walk = product.walk()
    sent = walk.consent(walk.initiate().json()["authorization_uri"])
    failed = walk.come_back(sent | {"code": "made up"})
    assert (failed.status, failed.json()) == (
        400,
        {"error": "Failed to exchange authorization code for tokens"},
    )
    assert walk.come_back(sent).json() == {"error": BAD_STATE}


def test_a_state_expires_though_it_is_still_stored(product: Product) -> None:
    walk = product.walk()
    sent = walk.consent(walk.initiate().json()["authorization_uri"])
    product.elapsed += timedelta(seconds=600)
    assert any(item["pk"]["S"].startswith("STATE#") for item in raw_items())
    assert walk.come_back(sent).json() == {"error": BAD_STATE}


def test_a_lost_answer_of_the_database_stops_no_step(product: Product) -> None:
    walk = product.walk()
    with sent_twice("PutItem") as repeated:
        begun = walk.initiate()
    assert (begun.status, repeated) == (200, ["PutItem"])
    sent = walk.consent(begun.json()["authorization_uri"])
    with sent_twice("PutItem") as repeated:
        assert walk.come_back(sent).status == 302
    assert repeated
    with sent_twice("TransactWriteItems") as repeated:
        assert walk.create().status == 200
    assert repeated
    assert len(connections_of(product)) == 1


def test_trouble_at_aws_uses_up_no_state(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser gets a page to load again, and the same way back works once the trouble is over."""
    walk = product.walk()
    sent = walk.consent(walk.initiate().json()["authorization_uri"])
    with monkeypatch.context() as patch:
        patch.setattr(product.oauth.vault, "_kms", _out_of_order)
        page = walk.come_back(sent, Accept="text/html")
        assert (page.status, page.headers["cache-control"]) == (503, "no-store")
        assert page.headers["retry-after"] == "5"
        assert "<h1>Connecting Jira is not possible for now</h1>" in page.text
        answered = walk.come_back(sent)
        assert (answered.status, answered.json()) == (
            503,
            {"error": "The sign-in cannot be completed for now. Please try again."},
        )
        assert answered.headers["retry-after"] == "5"
    assert walk.come_back(sent).status == 302
    vault = product.oauth.vault
    with monkeypatch.context() as patch:
        patch.setattr(vault, "_kms", _out_of_order)
        patch.setattr(vault, "_data_keys", {})
        page = walk.page()
        assert (page.status, "not possible for now" in page.text) == (503, True)
        assert page.headers["retry-after"] == "5"
    assert walk.page().status == 200


def _out_of_order() -> Any:
    raise refused("KMSInternalException", 500, "GenerateDataKey")


def test_a_guessed_state(product: Product) -> None:
    walk = product.walk()
    sent = walk.consent(walk.initiate().json()["authorization_uri"])
    assert walk.come_back(sent | {"state": "A" * 43}).json() == {"error": BAD_STATE}
    assert walk.come_back(sent | {"state": "ü\ud800".encode("utf-8", "replace").decode()}).status == 400


def test_a_foreign_state(product: Product) -> None:
    """One that was made for another provider, or by another deployment of the same app."""
    walk = product.walk()
    sent = walk.consent(walk.initiate().json()["authorization_uri"])
    sessions, until = product.oauth.sessions, product.now() + timedelta(minutes=5)
    record = {"provider": "another", "external_id": "team-1", "may_replace": True}
    sessions.put("STATE", digest("STATE", "of another provider"), record, until)
    for state in ("of another provider", new_secret()):
        answered = walk.come_back(sent | {"state": state})
        assert (answered.status, answered.json()) == (400, {"error": BAD_STATE})
    assert product.atlassian.token_calls("authorization_code") == 0
    assert not [item for item in raw_items() if item["pk"]["S"].startswith("PENDING#")]


def test_a_state_is_no_code_and_a_code_no_state(product: Product) -> None:
    walk = product.walk()
    state = parse_qs(urlsplit(walk.initiate().json()["authorization_uri"]).query)["state"][0]
    other = product.walk()
    other.to_choice("team-2")
    assert other.come_back({"state": other.code, "code": "x"}).json() == {"error": BAD_STATE}
    walk.code = state
    assert walk.sites().json() == {"error": EXPIRED}
    assert walk.create().json() == {"error": EXPIRED}
    token = connect_token(product)
    walk.code = token
    assert walk.sites().json() == {"error": EXPIRED}
    assert product.walk().initiate(headers={"x_connect_token": state}).status == 401


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
@pytest.mark.parametrize("way", ["state", "code", "denied", "given"])
def test_nothing_keeps_what_comes_of_a_return(product: Product, way: str, accept: str) -> None:
    walk = product.walk()
    uri = walk.initiate().json()["authorization_uri"]
    sent = walk.consent(uri, accept=way != "denied")
    changed = {"state": {"state": "x"}, "code": {"code": "x"}}.get(way, {})
    answered = walk.come_back(sent | changed, Accept=accept)
    assert answered.status == (302 if way == "given" else 400)
    assert answered.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("missing", ["code", "state"])
def test_an_incomplete_return(product: Product, missing: str) -> None:
    walk = product.walk()
    sent = walk.consent(walk.initiate().json()["authorization_uri"])
    kept = {name: value for name, value in sent.items() if name != missing}
    answered = walk.come_back(kept)
    assert (answered.status, answered.json()) == (400, {"error": "Invalid request"})
    assert walk.come_back(sent).status == 302  # nothing was used up


def test_another_provider(product: Product) -> None:
    walk = product.walk()
    sent = walk.consent(walk.initiate().json()["authorization_uri"])
    url = f"/api/frontend/oauth/authorization-callback/other?state={sent['state']}&code={sent['code']}"
    assert walk.browser.call("GET", url).json() == {"error": "Invalid request"}


# --- the user says no ---------------------------------------------------------------------------------------


def test_a_denial_leads_back(product: Product) -> None:
    walk = product.walk()
    sent = walk.consent(walk.initiate(return_url=RETURN_URL).json()["authorization_uri"], accept=False)
    back = walk.come_back(sent)
    assert back.status == 302
    assert back.headers["location"] == "http://localhost:3000/done?tab=jira&error=access_denied#end"
    assert walk.come_back(sent).status == 400


def test_a_denial_without_a_way_back_is_a_page(product: Product) -> None:
    walk = product.walk()
    sent = walk.consent(walk.initiate().json()["authorization_uri"], accept=False)
    page = walk.come_back(sent, Accept="text/html")
    assert page.status == 400
    assert "Access was not granted" in page.text


def test_a_denial_is_told_to_others_in_a_word(product: Product) -> None:
    walk = product.walk()
    sent = walk.consent(walk.initiate().json()["authorization_uri"], accept=False)
    answered = walk.come_back(sent)
    assert (answered.status, answered.json()) == (400, {"error": "access_denied"})


def test_an_error_of_atlassian_adds_nothing_of_its_own(product: Product) -> None:
    walk = product.walk()
    sent = walk.consent(walk.initiate(return_url=RETURN_URL).json()["authorization_uri"], accept=False)
    back = walk.come_back(sent | {"error": "x&evil=1\r\n"})
    assert "error=server_error#" in back.headers["location"]


# --- pending connections ------------------------------------------------------------------------------------


def test_a_code_is_used_up(product: Product) -> None:
    walk = product.walk()
    walk.to_connection()
    for answered in (walk.create(), walk.sites()):
        assert (answered.status, answered.json()) == (400, {"error": EXPIRED})
    assert len(connections_of(product)) == 1


def test_two_submits_give_one_connection(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    walk = product.walk()
    walk.to_choice(sites=(PLANT_NORTH, PLANT_SOUTH))
    consent = product.oauth.consent
    ask = consent.app.sites
    inner: list[Any] = []

    def sites(*arguments: Any) -> Any:
        # Both have read the pending connection before either of them writes.
        monkeypatch.setattr(consent.app, "sites", ask)
        inner.append(walk.create(PLANT_SOUTH))
        return ask(*arguments)

    monkeypatch.setattr(consent.app, "sites", sites)
    outer = walk.create(PLANT_NORTH)
    assert (inner[0].status, outer.status) == (200, 400)
    assert outer.json() == {"error": EXPIRED}
    assert [entry["site_name"] for entry in connections_of(product)] == ["Plant South"]


def test_a_code_expires_though_it_is_still_stored(product: Product) -> None:
    walk = product.walk()
    walk.to_choice()
    product.elapsed += timedelta(minutes=15)
    assert any(item["pk"]["S"].startswith("PENDING#") for item in raw_items())
    assert walk.create().json() == {"error": EXPIRED}
    assert walk.sites().json() == {"error": EXPIRED}
    assert "This page has expired" in walk.page().text


@pytest.mark.parametrize(
    "site",
    [
        PLANT_SOUTH,
        "../../x",
        "..",
        f"{PLANT_NORTH}/../{PLANT_SOUTH}",
        f"{PLANT_NORTH}?x",
        f"{PLANT_NORTH}#",
        "%2e%2e",
        f" {PLANT_NORTH}",
    ],
)
def test_a_site_that_was_not_granted(product: Product, site: str) -> None:
    walk = product.walk()
    walk.to_choice(sites=(PLANT_NORTH,))
    answered = walk.create(site)
    assert (answered.status, answered.json()) == (400, {"error": "The site is not one of those granted"})
    assert walk.create().status == 200  # the code is still good


def test_a_leaked_link_is_worth_nothing(product: Product) -> None:
    walk, thief = product.walk(), product.walk()
    walk.to_choice()
    thief.code = walk.code
    assert thief.page().status == 403
    assert "This link belongs to another browser" in thief.page().text
    assert thief.sites().status == 403
    assert thief.create().status == 403
    # Nor is it with the cookie of another consent.
    thief.to_choice("team-2")
    name, value = next(iter(thief.browser.cookies.items()))
    own = next(iter(walk.browser.cookies))
    thief.browser.cookies[own] = value
    thief.code = walk.code
    assert thief.create().status == 403
    assert walk.create().status == 200
    assert name != own


@pytest.mark.parametrize(("key", "status"), [("only-tokens", 200), ("only-jira", 403), ("unknown", 401)])
def test_a_backend_may_finalize_with_its_key(product: Product, key: str, status: int) -> None:
    walk, backend = product.walk(), product.walk()
    walk.to_choice()
    backend.code = walk.code
    assert backend.sites(Authorization=f"Bearer {key}").status == status
    assert backend.create(Authorization=f"Bearer {key}").status == status


def test_a_good_key_is_enough_though_a_cookie_is_not_the_right_one(product: Product) -> None:
    walk, backend = product.walk(), product.walk()
    walk.to_choice()
    backend.code = walk.code
    backend.browser.cookies = dict.fromkeys(walk.browser.cookies, "stale")
    assert backend.sites().status == 403
    with_key = {"Authorization": "Bearer only-tokens"}
    assert backend.page().status == 403
    assert backend.sites(**with_key).status == backend.create(**with_key).status == 200


@pytest.mark.parametrize("authorization", ["Bearer unknown", "Bearer only-jira", "Basic c3RhZ2luZzp4"])
def test_the_right_cookie_is_enough_though_a_header_is_no_good_key(
    product: Product, authorization: str
) -> None:
    walk = product.walk()
    walk.to_choice()
    assert walk.sites(Authorization=authorization).status == 200
    assert walk.create(Authorization=authorization).status == 200


def test_two_tabs_do_not_take_each_others_cookie(product: Product) -> None:
    one = product.walk()
    other = product.walk()
    other.browser = one.browser
    one.to_choice("team-1")
    other.to_choice("team-2")
    assert one.create().status == 200
    assert other.create().status == 200


def test_the_cookie_in_the_cloud(product: Product) -> None:
    product.configure(environment="prod")
    walk = product.walk()
    begun = walk.initiate(headers={"Authorization": "Bearer every-scope"})
    (cookie,) = walk.come_back(walk.consent(begun.json()["authorization_uri"])).cookies
    name, _, attributes = cookie.partition("=")
    assert name.startswith("__Host-")
    assert {"Path=/", "HttpOnly", "Secure", "SameSite=Lax", "Max-Age=900"} <= set(attributes.split("; "))
    assert walk.create().cookies == []  # it stays: with it, the page says what was chosen


# --- when Atlassian is in trouble ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 429},
        {"status": 200, "body": "<html>"},
        {"drop": "after"},
        {"status": 403, "body": {"error": "invalid_grant"}},
        {"status": 401, "body": {"error": "invalid_client"}},
    ],
    ids=["500", "429", "html", "lost", "grant", "client"],
)
def test_an_exchange_that_fails(product: Product, fault: dict[str, Any]) -> None:
    walk = product.walk()
    sent = walk.consent(walk.initiate().json()["authorization_uri"])
    product.atlassian.control(faults=[{"method": "POST", "path": "/oauth/token", **fault}])
    answered = walk.come_back(sent)
    assert (answered.status, answered.json()) == (
        400,
        {"error": "Failed to exchange authorization code for tokens"},
    )


def test_an_app_that_is_refused_at_the_exchange_is_told_to_its_operator(
    product: Product, log: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    walk = product.walk()
    sent = walk.consent(walk.initiate().json()["authorization_uri"])
    product.atlassian.control(
        faults=[{"path": "/oauth/token", "status": 401, "body": {"error": "invalid_client"}}]
    )
    assert walk.come_back(sent).status == 400
    assert "Atlassian refuses the app" in log.getvalue()
    assert '"AppRefused"' in capfd.readouterr().out


@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"status": 401}, {"status": 200, "body": {}}, {"drop": "after"}]
)
def test_sites_that_cannot_be_fetched(product: Product, fault: dict[str, Any]) -> None:
    walk = product.walk()
    walk.to_choice()
    product.atlassian.control(faults=[{"path": "accessible-resources", "times": None, **fault}])
    for answered in (walk.sites(), walk.create()):
        assert (answered.status, answered.json()) == (502, {"error": "Failed to fetch Jira sites"})
    assert walk.page().status == 502
    product.atlassian.reset()
    assert walk.create().status == 200


def test_an_app_without_offline_access(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobticket.connections.atlassian.with_offline_access", lambda scopes: scopes)
    walk = product.walk()
    sent = walk.consent(walk.initiate().json()["authorization_uri"])
    assert walk.come_back(sent).json() == {"error": "Failed to exchange authorization code for tokens"}


# --- other origins ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [INITIATE, CREATE, SITES])
def test_pages_of_configured_origins_may_ask(product: Product, url: str) -> None:
    api = gateway(product.oauth, None)
    for origin in ("http://localhost:3000", "https://app.example"):
        answered = api.call("OPTIONS", url, headers={"Origin": origin})
        assert answered.status == 204
        assert answered.headers["access-control-allow-origin"] == origin
        assert "x-connect-token" in answered.headers["access-control-allow-headers"]
        assert "access-control-allow-credentials" not in answered.headers
        assert "Origin" in answered.headers["vary"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3001", None])
def test_pages_of_other_origins_may_not(product: Product, origin: str | None) -> None:
    api = gateway(product.oauth, None)
    headers = {} if origin is None else {"Origin": origin}
    for answered in (api.call("OPTIONS", INITIATE, headers=headers), api.post(INITIATE, {}, headers=headers)):
        assert "access-control-allow-origin" not in answered.headers
        assert "Origin" in answered.headers["vary"]


def test_refusals_can_be_read_by_configured_origins(product: Product) -> None:
    answered = gateway(product.oauth, None).post(INITIATE, {}, headers={"Origin": "http://localhost:3000"})
    assert answered.status == 400
    assert answered.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert answered.headers["access-control-expose-headers"] == "Retry-After"


# --- nothing secret in clear --------------------------------------------------------------------------------


def test_no_row_and_no_line_of_the_log_holds_a_secret(
    product: Product, capfd: pytest.CaptureFixture[str], log: io.StringIO
) -> None:
    """The whole flow with refreshes, denials and faults; then everything written is searched."""
    token = connect_token(product)
    walk = product.walk()
    begun = walk.initiate(headers={"x_connect_token": token})
    sent = walk.consent(begun.json()["authorization_uri"])
    walk.come_back(sent)
    walk.page()
    rows = [repr(raw_items())]
    walk.create()
    rows.append(repr(raw_items()))
    secrets = [token, sent["state"], sent["code"], walk.code, *walk.browser.cookies.values()]
    for _ in range(2):
        secrets += _tokens(product.backend)
        product.elapsed += timedelta(hours=1)
    product.atlassian.control(faults=[{"path": "/oauth/token", "status": 500}])
    assert product.access_token().status == 503
    product.atlassian.revoke()
    assert product.access_token().status == 403
    rows.append(repr(raw_items()))
    secrets += ["local-client-secret", "every-scope"]
    written = "".join([*rows, log.getvalue(), *capfd.readouterr()])
    assert "connection must be authorized again" in written
    assert [secret for secret in secrets if secret and secret in written] == []
    assert len([secret for secret in secrets if secret]) >= 10


def test_no_library_writes_secrets_into_the_log_of_whoever_looks_for_a_fault(
    product: Product, caplog: pytest.LogCaptureFixture
) -> None:
    """With the log level DEBUG, Lambda's runtime sets the root logger so, and every library writes there."""
    with caplog.at_level(logging.DEBUG):
        walk = product.walk()
        begun = walk.initiate()
        sent = walk.consent(begun.json()["authorization_uri"])
        product.oauth.access.app._secret.forget()
        walk.come_back(sent)
        walk.create()
        secrets = ["local-client-secret", *sent.values(), walk.code, *_tokens(product.backend)]
    assert "answered" in caplog.text
    assert [secret for secret in secrets if secret in caplog.text] == []


def _tokens(backend: Gateway) -> list[str]:
    query = "?provider=jira&external_id=team-1"
    credentials = backend.get(f"/api/backend/connection-info/get-connection-credentials{query}").json()
    issued = backend.get(f"/api/backend/connection-info/get-access-token{query}").json()
    return [credentials["refresh_token"], issued["access_token"]]


def test_a_ciphertext_moved_to_another_row_opens_nothing(product: Product) -> None:
    product.walk().to_connection("team-1")
    product.walk().to_connection("team-2")
    dynamodb = client("dynamodb")
    rows = {(item["pk"]["S"], item["sk"]["S"]): item for item in raw_items()}
    for sort_key, attribute in (("CONNECTION", "secret"), ("ACCESS", "token")):
        stolen = rows["CONNECTION#jira#team-1", sort_key][attribute]
        target = rows["CONNECTION#jira#team-2", sort_key] | {attribute: stolen}
        dynamodb.put_item(TableName="connections", Item=target)
    query = "?provider=jira&external_id=team-2"
    for route in ("get-access-token", "get-connection-credentials"):
        answered = product.backend.get(f"/api/backend/connection-info/{route}{query}")
        assert (answered.status, answered.json()) == (503, {"error": "Failed to refresh access token"})
