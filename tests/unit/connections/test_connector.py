"""Credentials of every kind at every kind of Jira: nobody has to know which they hold."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.connections.errors import ReauthorizationNeededError
from jobticket.jira.client import Pace
from jobticket.jira.errors import JiraError, JiraRefusedCredentialsError
from tests.support.consent_flow import PLANT_NORTH
from tests.unit.connections.conftest import Product, raw_items

URL = "/api/backend/connections/team-1/api-token"
INFO = "/api/backend/connection-info/{}?provider=jira&external_id=team-1"
DEMO = {"credentials": "demo@example.com:local-api-token"}
SCOPED = {"credentials": "scoped@example.com:local-scoped-token"}
SERVICE = {"credentials": "local-service-token"}
CLIENT = {"client_id": "local-service-client", "client_secret": "local-service-secret"}
ISSUE = "/rest/api/2/issue/PI-42"


def connect(product: Product, host: str | None = None, **given: Any) -> Any:
    return product.backend.put(URL, {"provider": "jira", "host": host or product.atlassian.url} | given)


def gateway_url(product: Product) -> str:
    return f"{product.atlassian.url}/ex/jira/{PLANT_NORTH}"


def summary(product: Product) -> Any:
    client = product.connections.access.client_for("team-1", deadline=Deadline.after(20))
    return client.get("/rest/api/2/issue/{issue}", issue="PI-42")["key"]


def status(product: Product) -> str:
    return str(product.backend.get("/api/backend/connections").json()["connections"][0]["status"])


# --- found by trying ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kind", "via"),
    [
        (DEMO, "api_token", "site"),
        (SCOPED, "api_token", "gateway"),
        (SERVICE, "api_token", "gateway"),
        (CLIENT, "client_credentials", "gateway"),
    ],
    ids=["token", "scoped", "service", "client"],
)
def test_a_cloud_site(product: Product, given: dict[str, str], kind: str, via: str) -> None:
    answered = connect(product, **given)
    assert answered.status == 200, answered.text
    told = answered.json()
    assert (told["kind"], told["via"], told["host"]) == (kind, via, product.atlassian.url)
    assert told["account"]["accountId"]
    product.atlassian.control(record_bodies=False)
    before = len(product.atlassian.asked("/_edge/tenant_info"))
    assert summary(product) == "PI-42"
    assert len(product.atlassian.asked("/_edge/tenant_info")) == before, "what worked is remembered"
    client = product.connections.access.client_for("team-1", deadline=Deadline.after(20))
    assert client.browse_url("PI-42") == f"{product.atlassian.url}/browse/PI-42"


@pytest.mark.parametrize("said", ["Basic Authentication has been disabled on this instance.", "You may not."])
def test_a_site_that_refuses_basic_with_403(product: Product, said: str) -> None:
    refusal = {"path": "^/rest/", "times": None, "status": 403, "body": {"message": said}}
    product.atlassian.control(faults=[refusal])
    assert connect(product, **SCOPED).json()["via"] == "gateway"
    wrong = connect(product, credentials="scoped@example.com:wrong").json()
    assert wrong["details"] == {"errorMessages": [said]}, "the site's refusal says more than the gateway's"


@pytest.mark.parametrize("around", [" {} ", "{}/", "{} /", " {}/ / "])
def test_blanks_and_slashes_around_a_host(product: Product, around: str) -> None:
    answered = connect(product, around.format(product.atlassian.url), **DEMO)
    assert answered.json()["host"] == product.atlassian.url


@pytest.mark.parametrize("given", [SCOPED, SERVICE, CLIENT], ids=["scoped", "service", "client"])
def test_the_gateways_own_url(product: Product, given: dict[str, str]) -> None:
    answered = connect(product, f" {gateway_url(product)}/ ", **given)
    assert answered.status == 200, answered.text
    assert (answered.json()["via"], answered.json()["host"]) == ("gateway", product.atlassian.url)
    assert summary(product) == "PI-42"


@pytest.mark.parametrize("path", ["", "/jira", "/apps/jira"])
@pytest.mark.parametrize(
    ("credentials", "kind"),
    [("demo:local-password", "api_token"), ("local-personal-token", "personal_access_token")],
)
def test_a_data_center(product: Product, path: str, credentials: str, kind: str) -> None:
    product.atlassian.control(data_center=True, context_path=path)
    answered = connect(product, f"  {product.atlassian.url}{path}// ", credentials=credentials)
    assert answered.status == 200, answered.text
    told = answered.json()
    assert (told["kind"], told["via"]) == (kind, "site")
    assert told["host"] == f"{product.atlassian.url}{path}"
    assert told["account"]["name"] == "demo"
    assert summary(product) == "PI-42"


def test_a_bearer_token_is_never_shown_to_a_cloud_site(product: Product) -> None:
    connect(product, **SERVICE)
    assert product.atlassian.asked("/rest/api/2/myself") == []


def test_the_form_of_what_is_given(product: Product) -> None:
    for given, text in (
        (CLIENT | DEMO, "Either credentials or client_id and client_secret must be given, not both"),
        ({"client_id": "x"}, "client_secret must be a text without blanks"),
        (CLIENT | {"client_id": "a b"}, "client_id must be a text without blanks"),
        (CLIENT | {"client_secret": 7}, "client_secret must be a text without blanks"),
        ({}, "credentials is required"),
        (DEMO | {"token_expires_at": "soon"}, "token_expires_at must be a timestamp of ISO 8601"),
        (DEMO | {"token_expires_at": 7}, "token_expires_at must be a timestamp of ISO 8601"),
        (DEMO | {"token_expires_at": "2020-01-01"}, "token_expires_at has passed"),
    ):
        answered = connect(product, **given)
        assert (answered.status, answered.json()) == (400, {"error": text})
    assert product.atlassian.asked("/rest/api/2/myself") == []


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"credentials": "scoped@example.com:wrong"}, "check the email and the token"),
        ({"credentials": "wrong"}, "given as email:token"),
        (CLIENT | {"client_secret": "wrong"}, "check client_id and client_secret"),
    ],
    ids=["basic", "bearer", "client"],
)
def test_credentials_that_work_nowhere(product: Product, given: dict[str, str], text: str) -> None:
    answered = connect(product, **given)
    assert answered.status == 400
    assert answered.json()["error"].startswith("Incorrect credentials: ")
    assert text in answered.json()["error"]
    assert [item for item in raw_items() if item["sk"]["S"] == "CONNECTION"] == []


def test_client_credentials_need_cloud(product: Product) -> None:
    product.atlassian.control(data_center=True)
    answered = connect(product, **CLIENT)
    assert answered.status == 400
    assert "Cloud only" in answered.json()["error"]


@pytest.mark.parametrize("fault", [{"status": 429}, {"status": 503}, {"drop": "before"}], ids=str)
def test_a_token_endpoint_in_trouble(product: Product, fault: dict[str, Any]) -> None:
    product.atlassian.control(faults=[{"path": "/oauth/token", **fault}])
    answered = connect(product, **CLIENT)
    assert answered.status == 400
    assert answered.json()["error"].startswith("Connection failed: Atlassian gives no access token")


# --- client credentials under the rules of tokens -----------------------------------------------------------


def test_client_credentials_have_an_access_token_and_no_refresh_token(product: Product) -> None:
    connect(product, **CLIENT)
    token = product.access_token()
    assert token.status == 200
    assert (token.json()["access_token"], token.headers["cache-control"]) != ("", "")
    assert product.atlassian.token_calls("client_credentials") == 1, "the first token is kept"
    refused = product.backend.get(INFO.format("get-connection-credentials"))
    assert (refused.status, refused.json()) == (400, {"error": "Connection has no refresh token"})
    assert product.validity()["is_expired"] is False
    product.elapsed += timedelta(hours=2)
    again = product.access_token()
    assert again.json()["access_token"] != token.json()["access_token"]
    assert product.atlassian.token_calls("client_credentials") == 2


def test_200_callers_on_a_cold_token_ask_once(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(product, **CLIENT)
    product.elapsed += timedelta(hours=2)
    product.atlassian.control(latency_ms=150)
    tokens = product.connections.access.tokens
    monkeypatch.setattr(tokens, "_pace", Pace())
    name = product.connections.access.connection("team-1").id
    start = threading.Barrier(200)

    def ask(_number: int) -> str:
        start.wait()
        return str(tokens.access_token(name, Deadline.after(60)).text)

    with ThreadPoolExecutor(200) as threads:
        issued = set(threads.map(ask, range(200)))
    assert len(issued) == 1
    assert product.atlassian.token_calls("client_credentials") == 2, "one at the beginning, one for all"


def test_a_token_that_jira_refuses_is_renewed(product: Product) -> None:
    connect(product, **CLIENT)
    product.atlassian.revoke()
    assert summary(product) == "PI-42"
    assert product.atlassian.token_calls("client_credentials") == 2
    assert status(product) == "valid"


def test_client_credentials_that_atlassian_refuses(product: Product) -> None:
    connect(product, **CLIENT)
    product.elapsed += timedelta(hours=2)
    refusal = {"status": 401, "body": {"error": "access_denied", "error_description": "Unauthorized"}}
    product.atlassian.control(faults=[{"path": "/oauth/token", "times": 1, **refusal}])
    for _ in range(2):
        refused = product.access_token()
        assert (refused.status, refused.json()["needs_reauthorization"]) == (403, True)
    assert product.atlassian.token_calls("client_credentials") == 2, "dead credentials are not sent again"
    assert status(product) == "invalid"
    told = product.backend.post("/api/backend/connections/team-1/test").json()
    assert told["connected"] is True, told
    assert status(product) == "valid"
    assert product.access_token().status == 200


# --- credentials that die -----------------------------------------------------------------------------------

UNAUTHORIZED = {"status": 401, "body": {"errorMessages": ["No."]}}


def refuse(product: Product, path: str, times: int | None = None) -> None:
    product.atlassian.control(faults=[{"path": path, "times": times, **UNAUTHORIZED}])


@pytest.mark.parametrize(
    "given", [DEMO, SCOPED, SERVICE, CLIENT], ids=["token", "scoped", "service", "client"]
)
def test_a_dead_credential_is_asked_about_once_and_marked(product: Product, given: dict[str, str]) -> None:
    connect(product, **given)
    refuse(product, "/rest/")
    before = _calls(product)
    for _ in range(3):
        with pytest.raises(ReauthorizationNeededError):
            summary(product)
    assert status(product) == "invalid"
    assert product.validity()["is_invalid"] is True
    assert _calls(product) - before == 2, "the call itself, and /myself"
    if given is CLIENT:
        assert product.access_token().status == 403

    tested = product.backend.post("/api/backend/connections/team-1/test").json()
    assert tested["connected"] is False
    product.atlassian.control(faults=[])
    assert product.backend.post("/api/backend/connections/team-1/test").json()["connected"] is True
    assert summary(product) == "PI-42"


def test_new_credentials_end_the_mark(product: Product) -> None:
    connect(product, **DEMO)
    refuse(product, "/rest/", times=2)
    with pytest.raises(ReauthorizationNeededError):
        summary(product)
    connect(product, **DEMO)
    assert summary(product) == "PI-42"


@pytest.mark.parametrize("given", [DEMO, SCOPED, CLIENT], ids=["token", "scoped", "client"])
def test_a_401_that_myself_does_not_confirm_marks_nothing(product: Product, given: dict[str, str]) -> None:
    connect(product, **given)
    refuse(product, ISSUE)
    with pytest.raises(JiraRefusedCredentialsError):
        summary(product)
    assert status(product) == "valid"


@pytest.mark.parametrize(
    "fault", [{"status": 503}, {"status": 429, "headers": {"Retry-After": "30"}}], ids=str
)
def test_a_myself_that_does_not_tell_marks_nothing(product: Product, fault: dict[str, Any]) -> None:
    connect(product, **DEMO)
    product.atlassian.control(
        faults=[{"path": ISSUE, "times": None, **UNAUTHORIZED}, {"path": "/myself", "times": None, **fault}]
    )
    client = product.connections.access.client_for("team-1", deadline=Deadline.after(2))
    with pytest.raises(JiraError):
        client.get("/rest/api/2/issue/{issue}", issue="PI-42")
    assert status(product) == "valid"


def test_calls_at_once_ask_once(product: Product) -> None:
    connect(product, **DEMO)
    refuse(product, "/rest/")
    client = product.connections.access.client_for("team-1", deadline=Deadline.after(20))
    start = threading.Barrier(5)

    def ask(_number: int) -> str:
        start.wait()
        with pytest.raises(ReauthorizationNeededError):
            client.get("/rest/api/2/issue/{issue}", issue="PI-42")
        return "dead"

    with ThreadPoolExecutor(5) as threads:
        assert list(threads.map(ask, range(5))) == ["dead"] * 5
    assert len(product.atlassian.asked("/rest/api/2/myself")) == 2, "connecting, and the one question"


def test_a_consent_is_judged_by_its_refresh_alone(product: Product) -> None:
    product.walk().to_connection()
    refuse(product, "/rest/")
    with pytest.raises(JiraRefusedCredentialsError):
        summary(product)
    assert status(product) == "valid"


def _calls(product: Product) -> int:
    paths = (ISSUE, "/rest/api/2/myself")
    prefixes = ("", f"/ex/jira/{PLANT_NORTH}")
    return sum(len(product.atlassian.asked(prefix + path)) for path in paths for prefix in prefixes)


# --- what Jira says, and what to do about it ----------------------------------------------------------------

MYSELF = "/rest/api/2/myself"
PAGE = "<html><body>Log in</body></html>"


@pytest.mark.parametrize(
    ("fault", "text", "details"),
    [
        ({"status": 401}, "Incorrect credentials: check the email and the token", None),
        (
            {"status": 403, "body": {"errorMessages": ["You may not."]}},
            "The account lacks permission",
            "You may not.",
        ),
        (
            {"status": 403, "body": {"error": "Failed to parse Connect Session Auth Token"}},
            "email:token",
            "Failed to parse Connect Session Auth Token",
        ),
        (
            {"status": 403, "body": {"message": "Basic Authentication has been disabled on this instance."}},
            "a personal access token",
            "Basic Authentication has been disabled on this instance.",
        ),
        (
            {
                "status": 403,
                "headers": {
                    "X-Seraph-LoginReason": "AUTHENTICATION_DENIED",
                    "X-Authentication-Denied-Reason": "CAPTCHA_CHALLENGE; login-url=https://x.example/login.jsp",
                },
            },
            "Jira asks for a CAPTCHA: log in once in a browser with this account, then try again",
            None,
        ),
        (
            {"status": 401, "body": {"code": 401, "message": "Unauthorized; scope does not match"}},
            "The token lacks a scope",
            "Unauthorized; scope does not match",
        ),
        (
            {"status": 200, "body": PAGE, "headers": {"Content-Type": "text/html"}},
            "a page instead of JSON",
            "a page",
        ),
        (
            {"status": 302, "headers": {"Location": "https://sso.example/login?x=1"}},
            "sso.example",
            "sso.example",
        ),
        ({"status": 200, "body": {"not": "an account"}}, "does not answer like Jira", None),
        ({"status": 404, "body": {"errorMessages": ["Dead link"]}}, "Connection failed", "Dead link"),
        ({"status": 500}, "Connection failed", None),
    ],
    ids=["401", "403", "bearer", "basic", "captcha", "scope", "page", "redirect", "other", "404", "500"],
)
def test_each_fault_has_a_text_of_its_own(
    product: Product, fault: dict[str, Any], text: str, details: str | None
) -> None:
    product.atlassian.control(data_center=True, faults=[{"path": MYSELF, "times": None, **fault}])
    answered = connect(product, credentials="demo:local-password")
    assert answered.status == 400
    assert text in answered.json()["error"]
    assert (details or "") in str(answered.json().get("details", ""))
    assert "x=1" not in answered.text
    assert [item for item in raw_items() if item["sk"]["S"] == "CONNECTION"] == []


def test_a_data_center_that_asks_for_a_captcha(product: Product) -> None:
    product.atlassian.control(data_center=True, captcha_after=3)
    for _ in range(3):
        assert "Incorrect" in connect(product, credentials="demo:wrong").json()["error"]
    assert "CAPTCHA" in connect(product, credentials="demo:local-password").json()["error"]


def test_a_dead_password_brings_no_captcha(product: Product) -> None:
    """Two tries, and then none, however often people ask: the third would lock the account."""
    product.atlassian.control(data_center=True, captcha_after=3)
    connect(product, credentials="demo:local-password")
    access = product.connections.access
    connection = access.connection("team-1")
    wrong = access.vault.seal(connection.id, connection.secret_field, "demo:changed")
    assert access.store.reseal(connection, wrong)
    for _ in range(5):
        with pytest.raises(ReauthorizationNeededError):
            summary(product)
    assert connect(product, credentials="demo:local-password").status == 200, "no CAPTCHA"


# --- ends that are known ------------------------------------------------------------------------------------


def test_the_end_of_a_token(product: Product) -> None:
    end = clock.now() + timedelta(days=10)
    assert connect(product, **DEMO, token_expires_at=clock.iso_milliseconds(end)).status == 200
    (entry,) = product.backend.get("/api/backend/connections").json()["connections"]
    assert (entry["expires_at"], entry["status"]) == (clock.iso_milliseconds(end), "valid")
    assert product.validity()["is_expired"] is False
    product.elapsed += timedelta(days=11)
    assert product.validity() == {
        "exists": True,
        "is_expired": True,
        "is_invalid": False,
        "expires_at": clock.iso_milliseconds(end),
    }
    with pytest.raises(ReauthorizationNeededError):
        summary(product)
    assert product.backend.post("/api/backend/connections/team-1/test").json()["connected"] is True
