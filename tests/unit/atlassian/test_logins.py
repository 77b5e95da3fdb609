"""Who may come in where: scoped tokens, service accounts, client credentials, and a Data Center's CAPTCHA."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from local.atlassian.default_data import DATA_TEAM, PLANT_NORTH, PLANT_SOUTH
from local.atlassian.testing import running
from tests.unit.atlassian.conftest import Auth, Caller

MYSELF = "/rest/api/2/myself"
ISSUE = "/rest/api/2/issue/PI-42"
SCOPED = ("scoped@example.com", "local-scoped-token")
SERVICE = "local-service-token"


def _gateway(base_url: str, **credentials: Any) -> Caller:
    return Caller(f"{base_url}/ex/jira/{PLANT_NORTH}", **credentials)


def _service_token(auth: Auth, **changes: str) -> requests.Response:
    client = {"client_id": "local-service-client", "client_secret": "local-service-secret"}
    return auth.token(**{"grant_type": "client_credentials", **client, **changes})


def test_anybody_learns_a_sites_cloud_id(nobody: Caller) -> None:
    assert nobody.get("/_edge/tenant_info").json() == {"cloudId": PLANT_NORTH}
    assert nobody.get("/sites/data-team/_edge/tenant_info").json() == {"cloudId": DATA_TEAM}
    assert nobody.get("/sites/nowhere/_edge/tenant_info").status_code == 404
    nobody.control(data_center=True)
    assert nobody.get("/_edge/tenant_info").status_code == 404


@pytest.mark.parametrize(
    ("credentials", "name"),
    [({"auth": SCOPED}, "Sasha Scoped"), ({"bearer": SERVICE}, "Jobticket service")],
    ids=["scoped token", "service account"],
)
def test_some_tokens_are_good_at_the_gateway_only(
    base_url: str, credentials: dict[str, Any], name: str
) -> None:
    gateway = _gateway(base_url, **credentials)
    assert gateway.get(MYSELF).json()["displayName"] == name
    issue = gateway.get(ISSUE).json()
    assert issue["self"] == f"{gateway.base_url}/rest/api/2/issue/10042"
    assert gateway("PUT", ISSUE, {"fields": {"summary": "x"}}).status_code == 204
    board = gateway.get("/rest/agile/1.0/board/1").json()
    assert board["self"] == f"{gateway.base_url}/rest/agile/1.0/board/1"
    at_site = Caller(base_url, **credentials)
    expected = 403 if "bearer" in credentials else 401
    assert {at_site.get(path).status_code for path in (MYSELF, ISSUE, "/rest/api/2/project")} == {expected}


def test_a_bearer_token_at_a_cloud_site_is_taken_for_a_session(base_url: str) -> None:
    answer = Caller(base_url, bearer=SERVICE).get(MYSELF)
    assert (answer.status_code, answer.json()) == (
        403,
        {"error": "Failed to parse Connect Session Auth Token"},
    )


@pytest.mark.parametrize(
    "credentials",
    [
        {"auth": ("demo@example.com", "local-api-token")},
        {"auth": ("demo@example.com", "local-scoped-token")},
        {"auth": ("scoped@example.com", "wrong")},
        {"auth": ("kim@example.com", "")},
        {"bearer": "local-scoped-token"},
        {"bearer": "wrong"},
        {},
    ],
    ids=str,
)
def test_other_credentials_are_not_good_at_the_gateway(base_url: str, credentials: dict[str, Any]) -> None:
    answer = _gateway(base_url, **credentials).get(MYSELF)
    assert (answer.status_code, answer.json()) == (401, {"code": 401, "message": "Unauthorized"})


@pytest.mark.parametrize("credentials", [{"auth": SCOPED}, {"bearer": SERVICE}], ids=str)
def test_tokens_have_scopes(base_url: str, credentials: dict[str, Any]) -> None:
    gateway = _gateway(base_url, **credentials)
    gateway_control = Caller(base_url)
    gateway_control.control(token_scopes=["read:jira-user"])
    assert gateway.get(MYSELF).status_code == 200
    answer = gateway.get(ISSUE)
    assert (answer.status_code, answer.json()["message"]) == (401, "Unauthorized; scope does not match")


def test_client_credentials(auth: Auth) -> None:
    answer = _service_token(auth)
    tokens = answer.json()
    assert (answer.status_code, tokens["expires_in"], "refresh_token" in tokens) == (200, 3600, False)
    for site in (PLANT_NORTH, PLANT_SOUTH):
        me = auth.gateway(tokens["access_token"], site).get(MYSELF).json()
        assert me["displayName"] == "Jobticket service"
    # Two tokens live side by side.
    other = _service_token(auth).json()["access_token"]
    assert other != tokens["access_token"]
    assert auth.gateway(tokens["access_token"]).get(MYSELF).status_code == 200
    assert Caller(auth.base_url, bearer=other).get(MYSELF).status_code == 403
    auth.control(clock_offset_seconds=3601)
    assert auth.gateway(other).get(MYSELF).status_code == 401
    assert [each["grant_type"] for each in auth.requests() if "grant_type" in each] == [
        "client_credentials"
    ] * 2


def test_each_client_gets_its_own_kind_of_token_only(auth: Auth) -> None:
    assert _service_token(auth, client_secret="wrong").status_code == 401
    assert (
        _service_token(auth, client_id="local-client-id", client_secret="local-client-secret").status_code
        == 401
    )
    refresh = auth.tokens()["refresh_token"]
    assert _service_token(auth, grant_type="refresh_token", refresh_token=refresh).status_code == 401
    auth.control(access_token_seconds=60, token_scopes=["read:jira-user"])
    tokens = _service_token(auth).json()
    assert (tokens["expires_in"], tokens["scope"]) == (60, "read:jira-user")
    assert auth.gateway(tokens["access_token"]).get(ISSUE).json()["code"] == 401


def test_points_are_counted_for_apps_alone(auth: Auth) -> None:
    auth.control(rate_limits={"points_per_hour": 1})
    client = auth.gateway(_service_token(auth).json()["access_token"])
    assert [client.get(MYSELF).status_code for _ in range(2)] == [200, 429]
    scoped = _gateway(auth.base_url, auth=SCOPED)
    assert [scoped.get(MYSELF).status_code for _ in range(2)] == [200, 200]


@pytest.fixture
def data_center() -> Iterator[str]:
    with running(data_center=True) as base_url:
        yield base_url


def _demo(base_url: str, password: str = "local-password") -> Caller:
    return Caller(base_url, ("demo", password))


def test_too_many_failed_logins_ask_for_a_captcha(data_center: str) -> None:
    dead, right = _demo(data_center, "dead"), _demo(data_center)
    first = dead.get(ISSUE)
    assert (first.status_code, first.headers["X-Seraph-LoginReason"]) == (401, "AUTHENTICATED_FAILED")
    # A login that works forgives what went before.
    assert right.get(ISSUE).headers["X-Seraph-LoginReason"] == "OK"
    assert [dead.get(ISSUE).status_code for _ in range(4)] == [401, 401, 401, 403]
    refused = right.get(ISSUE)
    assert refused.status_code == 403
    assert refused.headers["X-Seraph-LoginReason"] == "AUTHENTICATION_DENIED"
    denied = refused.headers["X-Authentication-Denied-Reason"]
    assert denied == f"CAPTCHA_CHALLENGE; login-url={data_center}/login.jsp"
    # A personal token is no login, and another account is not meant.
    assert Caller(data_center, bearer="local-personal-token").get(ISSUE).status_code == 200
    assert Caller(data_center, ("robin", "local-robin-password")).get(ISSUE).status_code == 200


@pytest.mark.parametrize(("password", "status"), [("local-password", 200), ("wrong", 403)])
def test_a_login_in_a_browser_ends_the_captcha(data_center: str, password: str, status: int) -> None:
    for _ in range(3):
        _demo(data_center, "dead").get(ISSUE)
    refused = _demo(data_center).get(ISSUE)
    page = refused.headers["X-Authentication-Denied-Reason"].partition("login-url=")[2]
    assert "<form" in requests.get(page, timeout=60).text
    answer = requests.post(page, data={"os_username": "demo", "os_password": password}, timeout=60)
    assert answer.status_code == (200 if status == 200 else 401)
    assert _demo(data_center).get(ISSUE).status_code == status


def test_captcha_can_be_off_and_is_forgotten(data_center: str) -> None:
    control = Caller(data_center)
    control.control(captcha_after=None)
    assert [_demo(data_center, "dead").get(ISSUE).status_code for _ in range(5)] == [401] * 5
    control.control(captcha_after=1)
    assert _demo(data_center).get(ISSUE).status_code == 403
    control("DELETE", "/_control")
    control.control(data_center=True)
    assert _demo(data_center).get(ISSUE).status_code == 200


@pytest.mark.parametrize(
    ("form", "failed"),
    [
        ("plain", "AUTHENTICATED_FAILED"),
        ("repeated", "OUT, AUTHENTICATED_FAILED"),
        ("listed", "OUT, AUTHENTICATED_FAILED"),
    ],
)
def test_the_outcome_of_a_login_may_be_a_list(nobody: Caller, form: str, failed: str) -> None:
    nobody.control(login_reason=form)
    answer = Caller(nobody.base_url, ("demo@example.com", "wrong")).get("/rest/api/2/project")
    assert (answer.status_code, answer.json()) == (200, [])
    assert answer.headers["X-Seraph-LoginReason"] == failed
    assert len(answer.raw.headers.getlist("X-Seraph-LoginReason")) == (2 if form == "repeated" else 1)
    nobody.control(data_center=True)
    taken = _demo(nobody.base_url).get(ISSUE)
    assert (taken.status_code, taken.headers["X-Seraph-LoginReason"].endswith("OK")) == (200, True)


def test_a_data_center_under_a_context_path(data_center: str) -> None:
    Caller(data_center).control(context_path="/apps/jira")
    inside = _demo(f"{data_center}/apps/jira")
    issue = inside.get(ISSUE).json()
    assert issue["self"].startswith(f"{data_center}/apps/jira/rest/api/2/issue/")
    assert inside.get("/rest/api/2/serverInfo").json()["baseUrl"] == f"{data_center}/apps/jira"
    page = inside.get("/browse/PI-42")
    assert page.status_code == 200
    assert re.search(r'action="http://[^"]+/apps/jira/browse/PI-42"', page.text)
    for wrong in ("", "/apps", "/other", "/apps/jira/more"):
        outside = _demo(f"{data_center}{wrong}")
        assert outside.get(ISSUE).status_code == 404, wrong
        assert outside.get("/browse/PI-42").status_code == 404, wrong
    dead = _demo(f"{data_center}/apps/jira", "dead")
    denied = [dead.get(ISSUE) for _ in range(4)][-1].headers["X-Authentication-Denied-Reason"]
    assert denied.endswith(f"login-url={data_center}/apps/jira/login.jsp")
    assert requests.get(denied.partition("login-url=")[2], timeout=60).status_code == 200


@pytest.mark.parametrize("key", ["B7", "2013PROJECT", "B7-214"])
def test_keys_of_a_data_center(data_center: str, key: str) -> None:
    demo = _demo(data_center)
    (made,) = demo("POST", "/_control/issues", {"project": key, "count": 1}).json()["issues"]
    assert demo.get(f"/rest/api/2/issue/{made}").json()["key"] == made == f"{key}-1"
    assert demo.get("/rest/api/2/search", jql=f'key = "{made}"').json()["total"] == 1
    assert demo.get("/rest/api/2/search", jql=f'project = "{key}"').json()["total"] == 1
