"""Consent, codes, rotating tokens, sites and scopes."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from local.atlassian.default_data import DANA, PLANT_NORTH, PLANT_SOUTH, PLANT_WIKI, ROBIN
from tests.unit.atlassian.conftest import REDIRECT_URI, Auth, Caller

DAY = 86_400


def test_the_consent_page_names_account_sites_scopes_and_the_way_back(auth: Auth) -> None:
    page = auth.get("/authorize", **auth.parameters())
    assert page.status_code == 200
    for text in ("Dana Demo", "Plant North", "Plant South", "Data Team", "Create and edit tickets"):
        assert text in page.text
    assert "127.0.0.1:8000" in page.text
    assert "Plant Wiki" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "<script" not in page.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "other"},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "http://127.0.0.1@evil.example/"},
        {"response_type": "token"},
        {"audience": "other"},
        {"state": ""},
        {"scope": ""},
        {"scope": "read:jira-work, write:jira-work"},
    ],
)
def test_a_wrong_request_is_never_sent_back_to_the_app(auth: Auth, wrong: dict[str, str]) -> None:
    page = auth.get("/authorize", **auth.parameters(**wrong))
    assert page.status_code == 400
    assert "Location" not in page.headers
    assert auth.decide(PLANT_NORTH, **wrong).status_code == 400


def test_what_the_app_sends_is_escaped_on_the_page(auth: Auth) -> None:
    page = auth.get("/authorize", **auth.parameters(state='"><b>x'))
    assert "<b>x" not in page.text


@pytest.mark.parametrize("redirect_uri", ["https://localhost:9443/cb", "http://127.0.0.1:1/cb?a=b"])
def test_accepting_sends_a_code_and_the_state_back(auth: Auth, redirect_uri: str) -> None:
    answer = auth.decide(PLANT_NORTH, redirect_uri=redirect_uri)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(redirect_uri.partition("?")[0])
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert query["state"] == ["some state&more"]
    assert auth.exchange(query["code"][0], redirect_uri).status_code == 200


def test_denying_sends_access_denied_back(auth: Auth) -> None:
    query = parse_qs(urlsplit(auth.decide(PLANT_NORTH, decision="deny").headers["Location"]).query)
    assert query["error"] == ["access_denied"]
    assert query["state"] == ["some state&more"]
    assert "code" not in query


def test_accepting_without_a_site_asks_again(auth: Auth) -> None:
    page = auth.decide()
    assert page.status_code == 400
    assert "Choose at least one site." in page.text
    assert auth.decide(PLANT_WIKI).status_code == 400


def test_a_code_buys_tokens_once(auth: Auth) -> None:
    code = auth.code()
    tokens = auth.exchange(code)
    assert tokens.json().keys() == {"access_token", "refresh_token", "expires_in", "token_type", "scope"}
    assert tokens.json()["expires_in"] == 3600
    assert tokens.headers["Cache-Control"] == "no-store"
    again = auth.exchange(code)
    assert (again.status_code, again.json()["error"]) == (403, "invalid_grant")


def test_a_code_is_bound_to_its_redirect_uri(auth: Auth) -> None:
    assert auth.exchange(auth.code(), "http://127.0.0.1:8000/other").status_code == 403


def test_a_code_lives_for_minutes(auth: Auth) -> None:
    code = auth.code()
    auth.control(clock_offset_seconds=301)
    assert auth.exchange(code).status_code == 403


def test_without_offline_access_there_is_no_refresh_token(auth: Auth) -> None:
    assert "refresh_token" not in auth.tokens(scope="read:jira-work")


def test_a_wrong_client_is_the_operators_fault(auth: Auth) -> None:
    answer = auth.token(grant_type="refresh_token", refresh_token="x", client_secret="wrong")
    assert (answer.status_code, answer.json()["error"]) == (401, "access_denied")


@pytest.mark.parametrize(
    "body", [{"grant_type": "refresh_token"}, {"grant_type": "authorization_code", "code": "x"}]
)
def test_missing_parameters_are_named(auth: Auth, body: dict[str, str]) -> None:
    assert auth.token(**body).json()["error"] == "invalid_request"


def test_other_grant_types_and_bodies_are_refused(auth: Auth) -> None:
    assert auth.token(grant_type="password").json()["error"] == "unsupported_grant_type"
    answer = auth.session.post(auth.base_url + "/oauth/token", data="grant_type=refresh_token", timeout=60)
    assert answer.status_code == 400


def test_refresh_tokens_rotate(auth: Auth) -> None:
    first = auth.tokens()
    second = auth.refresh(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert auth.gateway(second["access_token"]).get("/rest/api/2/myself").status_code == 200
    # The earlier access token lives on until it expires.
    assert auth.gateway(first["access_token"]).get("/rest/api/2/myself").status_code == 200


def test_the_previous_refresh_token_works_for_ten_more_minutes(auth: Auth) -> None:
    first = auth.tokens()["refresh_token"]
    second = auth.refresh(first).json()["refresh_token"]
    auth.control(clock_offset_seconds=590)
    assert auth.refresh(first).status_code == 200
    auth.control(clock_offset_seconds=610)
    dead = auth.refresh(first)
    assert dead.status_code == 403
    assert dead.json() == {
        "error": "invalid_grant",
        "error_description": "Unknown or invalid refresh token.",
    }
    # ... and takes the whole family with it.
    assert auth.refresh(second).status_code == 403


def test_the_token_before_the_previous_one_ends_the_family_at_once(auth: Auth) -> None:
    first = auth.tokens()
    second = auth.refresh(first["refresh_token"]).json()["refresh_token"]
    third = auth.refresh(second).json()
    assert auth.refresh(first["refresh_token"]).status_code == 403
    assert auth.refresh(third["refresh_token"]).status_code == 403
    assert auth.gateway(third["access_token"]).get("/rest/api/2/myself").status_code == 401


def test_a_grant_ends_after_90_idle_days_and_after_a_year(auth: Auth) -> None:
    token = auth.tokens()["refresh_token"]
    for day in range(80, 361, 80):
        auth.control(clock_offset_seconds=day * DAY)
        token = auth.refresh(token).json()["refresh_token"]
    auth.control(clock_offset_seconds=366 * DAY)
    assert auth.refresh(token).status_code == 403
    idle = auth.tokens()["refresh_token"]
    auth.control(clock_offset_seconds=(366 + 91) * DAY)
    assert auth.refresh(idle).status_code == 403


def test_access_tokens_expire(auth: Auth) -> None:
    auth.control(access_token_seconds=60)
    tokens = auth.tokens()
    assert tokens["expires_in"] == 60
    auth.control(clock_offset_seconds=61)
    answer = auth.gateway(tokens["access_token"]).get("/rest/api/2/myself")
    assert (answer.status_code, answer.json()) == (401, {"code": 401, "message": "Unauthorized"})


@pytest.mark.parametrize("by", ["refresh_token", "account", "grant", "everything"])
def test_a_grant_can_be_revoked(auth: Auth, by: str) -> None:
    tokens = auth.tokens()
    others = auth.tokens(account=ROBIN.account_id)
    named = {
        "refresh_token": {"refresh_token": tokens["refresh_token"]},
        "account": {"account": DANA.account_id},
        "grant": {"grant": auth.get("/_control").json()["grants"][0]["id"]},
        "everything": {},
    }
    revoked = auth("POST", "/_control/revoke", named[by]).json()["revoked"]
    assert revoked == (2 if by == "everything" else 1)
    assert auth.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert auth.gateway(tokens["access_token"]).get("/rest/api/2/myself").status_code == 401
    assert (auth.refresh(others["refresh_token"]).status_code == 200) is (by != "everything")


def _sites(auth: Auth, access_token: str) -> dict[str, list[str]]:
    found = Caller(auth.base_url, bearer=access_token).get("/oauth/token/accessible-resources").json()
    assert all(each.keys() == {"id", "url", "name", "scopes", "avatarUrl"} for each in found)
    return {each["id"]: each["scopes"] for each in found}


def test_the_list_of_sites_has_one_of_another_product(auth: Auth) -> None:
    sites = _sites(auth, auth.tokens()["access_token"])
    assert sites.keys() == {PLANT_NORTH, PLANT_WIKI}
    assert sites[PLANT_WIKI] == ["read:confluence-space.summary"]
    assert "read:jira-work" in sites[PLANT_NORTH]
    assert "offline_access" not in sites[PLANT_NORTH]


def test_a_second_consent_widens_every_grant_of_that_user(auth: Auth) -> None:
    first = auth.tokens()["access_token"]
    robins = auth.tokens(account=ROBIN.account_id)["access_token"]
    assert auth.gateway(first, PLANT_SOUTH).get("/rest/api/2/myself").status_code == 403
    auth.tokens(PLANT_SOUTH)
    assert PLANT_SOUTH in _sites(auth, first)
    assert auth.gateway(first, PLANT_SOUTH).get("/rest/api/2/myself").status_code == 200
    assert PLANT_SOUTH not in _sites(auth, robins)


def test_the_gateway_knows_only_its_own_tokens_and_sites(auth: Auth, jira: Caller) -> None:
    token = auth.tokens()["access_token"]
    for bearer in ("wrong", "local-personal-token", ""):
        assert auth.gateway(bearer).get("/rest/api/2/myself").status_code == 401
    assert jira.get(f"/ex/jira/{PLANT_NORTH}/rest/api/2/myself").status_code == 401
    assert auth.gateway(token, "no-such-site").get("/rest/api/2/myself").status_code == 404
    assert auth.gateway(token, PLANT_WIKI).get("/rest/api/2/myself").status_code == 404
    assert auth.gateway(token).get("/rest/api/2/nothing").status_code == 404
    # An OAuth token is no use on the site's own host.
    assert Caller(auth.base_url, bearer=token).get("/rest/api/2/myself").status_code == 403


def test_links_of_answers_go_through_the_gateway(auth: Auth) -> None:
    gateway = auth.gateway(auth.tokens()["access_token"])
    issue = gateway.get("/rest/api/2/issue/PI-42").json()
    assert issue["self"] == f"{gateway.base_url}/rest/api/2/issue/10042"


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("read:jira-work", "PUT", "/rest/api/2/issue/PI-42"),
        ("read:jira-work", "GET", "/rest/api/2/myself"),
        ("read:jira-work", "GET", "/rest/agile/1.0/board"),
        ("read:board-scope:jira-software", "GET", "/rest/agile/1.0/board"),
        ("read:sprint:jira-software", "GET", "/rest/agile/1.0/sprint/2/issue"),
        ("read:jira-user", "GET", "/rest/api/2/issue/PI-42"),
    ],
)
def test_a_missing_scope_is_a_401(auth: Auth, scope: str, method: str, path: str) -> None:
    gateway = auth.gateway(auth.tokens(scope=scope)["access_token"])
    answer = gateway(method, path, {"fields": {"summary": "x"}} if method == "PUT" else None)
    assert answer.status_code == 401
    assert answer.json() == {"code": 401, "message": "Unauthorized; scope does not match"}
    auth.control(scope_mismatch_status=403)
    assert gateway(method, path).status_code == 403


def test_the_account_needs_its_own_scope(auth: Auth) -> None:
    path = "/me"
    assert Caller(auth.base_url, bearer=auth.tokens()["access_token"]).get(path).status_code == 403
    token = auth.tokens(scope="read:me")["access_token"]
    assert Caller(auth.base_url, bearer=token).get(path).json()["email"] == "demo@example.com"


def test_the_log_tells_grant_types_and_no_secrets(auth: Auth) -> None:
    tokens = auth.tokens()
    auth.refresh(tokens["refresh_token"])
    log = auth.requests()
    assert [each.get("grant_type") for each in log] == [None, "authorization_code", "refresh_token"]
    assert tokens["refresh_token"] not in str(log)
    assert tokens["access_token"] not in str(log)
    assert REDIRECT_URI not in str([each for each in log if each["path"] == "/oauth/token"])
