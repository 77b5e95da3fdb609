"""Credentials without OAuth, through the function."""

from __future__ import annotations

import base64
import io
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest

from jobticket.clock import Deadline
from jobticket.store.table import Update
from jobticket.web.paging import encode_cursor
from tests.support.gateway import Gateway
from tests.unit.conftest import client, gateway
from tests.unit.connections.conftest import MYSELF, SERVER_MYSELF, raw_items
from tests.unit.jira.wire import WireJira, answer, hang_up

URL = "/api/backend/connections/{}/api-token"
CREDENTIALS = "mia@example.com:ATATT-very-secret"


def put(api: Gateway, jira: WireJira, external_id: str = "team-1", **changes: Any) -> Any:
    body = {"provider": "jira", "host": jira.url, "credentials": CREDENTIALS} | changes
    return api.put(URL.format(quote(external_id, safe="")), body)


def test_connects_cloud(api: Gateway, jira: WireJira) -> None:
    jira.acts = [answer(body=MYSELF)]
    answered = put(api, jira)
    assert answered.status == 200
    assert answered.json() == {
        "external_id": "team-1",
        "kind": "api_token",
        "via": "site",
        "host": jira.url,
        "account": {"displayName": "Mia Krystof", "accountId": "5b10a2844c20165700ede21g"},
    }
    (sent,) = jira.requests
    assert sent.target == "/rest/api/2/myself"
    assert sent.headers["authorization"] == "Basic " + base64.b64encode(CREDENTIALS.encode()).decode()


def test_connects_a_data_center(api: Gateway, jira: WireJira) -> None:
    jira.acts = [answer(404), answer(body=SERVER_MYSELF)]
    answered = put(api, jira, credentials="NjE2MDk3NTE2OTEw")
    assert answered.json()["kind"] == "personal_access_token"
    assert answered.json()["account"] == {"displayName": "Mia Krystof", "name": "mkrystof"}
    asked, sent = jira.requests
    assert asked.target == "/_edge/tenant_info"
    assert "authorization" not in asked.headers
    assert sent.headers["authorization"] == "Bearer NjE2MDk3NTE2OTEw"


def test_the_client_of_a_connection(function: ModuleType, api: Gateway, jira: WireJira) -> None:
    jira.acts = [answer(body=SERVER_MYSELF), answer(body={"key": "A-1"})]
    put(api, jira)
    client = function.access.client_for("team-1", deadline=Deadline.after(5))
    assert (client.site.deployment, client.is_cloud) == ("data_center", False)
    assert client.get("/rest/api/2/issue/{issue}", issue="A-1") == {"key": "A-1"}
    assert client.browse_url("A-1") == f"{jira.url}/browse/A-1"


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (answer(401), "Incorrect credentials"),
        (answer(403), "lacks permission"),
        (answer(404), "Connection failed"),
        (answer(302, headers={"Location": "https://elsewhere.example"}), "Connection failed"),
        (answer(raw=b"<html>"), "Connection failed"),
        (answer(body={"not": "an account"}), "Connection failed"),
        (answer(body=[]), "Connection failed"),
    ],
    ids=["401", "403", "404", "redirect", "html", "other", "list"],
)
def test_credentials_that_do_not_work_are_not_stored(
    api: Gateway, jira: WireJira, act: Any, text: str
) -> None:
    jira.acts = [act]
    answered = put(api, jira)
    assert answered.status == 400
    assert text in answered.json()["error"]
    assert raw_items() == []


def test_a_lost_connection(api: Gateway, jira: WireJira, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobticket.jira.client.BACKOFF_SECONDS", 0)
    jira.acts = [hang_up] * 9
    assert "Connection failed" in put(api, jira).json()["error"]


def test_a_network_time_out(api: Gateway, jira: WireJira, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobticket.connections.connector.VERIFY_SECONDS", 0.2)
    jira.acts = [jira.silent] * 9
    assert "Network timeout" in put(api, jira).json()["error"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"provider": None}, "Missing provider or external_id"),
        ({"provider": "Jira"}, "Invalid provider. Ensure that all provider names are lowercase."),
        ({"provider": 7}, "Invalid provider. Ensure that all provider names are lowercase."),
        ({"host": None}, "host is required"),
        ({"host": 5}, "host is required"),
        ({"host": "jira.example"}, "host must start with https://"),
        ({"host": "ftp://jira.example"}, "host must start with https://"),
        ({"host": "  "}, "host is required"),
        ({"host": "https://jira.example/a//b"}, "host is not a valid URL"),
        ({"host": "https://jira.example/../jira"}, "host is not a valid URL"),
        ({"host": "https://jira.example/%2e%2e"}, "host is not a valid URL"),
        ({"host": "https://jira.example/ji ra"}, "host is not a valid URL"),
        ({"host": "https://jira.example?x=1"}, "host must not have a query or a fragment"),
        ({"host": "https://jira.example/jira#x"}, "host must not have a query or a fragment"),
        ({"host": "https://user:pass@jira.example"}, "host must not have user info"),
        ({"host": "https://jira.example\\@evil.example"}, "host must not have user info"),
        ({"host": "https://jira.example\\evil.example"}, "host is not a valid URL"),
        ({"host": "https://jira example"}, "host is not a valid URL"),
        ({"host": "https://"}, "host must start with https://"),
        ({"host": "https://jira.example:99999"}, "host is not a valid URL"),
        ({"host": "https://[::1"}, "host is not a valid URL"),
        ({"host": "https://" + "x" * 300}, "host is not a valid URL"),
        ({"credentials": None}, "credentials is required"),
        ({"credentials": "  "}, "credentials is required"),
        ({"credentials": ["a"]}, "credentials is required"),
        (
            {"credentials": "mia@example.com:"},
            "credentials must be email:api_token or a personal access token",
        ),
        ({"credentials": ":x"}, "credentials must be email:api_token or a personal access token"),
        ({"credentials": "a\r\nX: y"}, "credentials must be email:api_token or a personal access token"),
        ({"credentials": "two words"}, "credentials must be email:api_token or a personal access token"),
        ({"credentials": "x" * 5000}, "credentials must be email:api_token or a personal access token"),
    ],
)
def test_faulty_bodies(api: Gateway, jira: WireJira, changes: dict[str, Any], text: str) -> None:
    answered = put(api, jira, **changes)
    assert (answered.status, answered.json()) == (400, {"error": text})
    assert jira.requests == []


@pytest.mark.parametrize(
    "host", ["http://10.0.0.1", "http://192.168.1.1:8080", "http://[fd12::1]", "http://169.254.170.2"]
)
def test_hosts_that_must_not_be_connected_to(api: Gateway, jira: WireJira, host: str) -> None:
    answered = put(api, jira, host=host)
    assert answered.status == 400
    assert answered.json() == {"error": "host resolves to an address that this deployment does not allow"}


@pytest.mark.parametrize("force", [True, False], ids=["gone", "being deleted"])
def test_a_private_authority_that_cannot_be_read(api: Gateway, jira: WireJira, force: bool) -> None:
    client("secretsmanager").delete_secret(
        SecretId="private-ca", **({"ForceDeleteWithoutRecovery": True} if force else {})
    )
    answered = put(api, jira, host="https://localhost:1")
    assert (answered.status, answered.headers["retry-after"]) == (503, "5")
    assert answered.json() == {"error": "The private certificate authority cannot be read"}


@pytest.mark.parametrize(
    "pem", ["{}", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----", "Zertifikat: ü"]
)
def test_a_private_authority_that_is_no_certificate(api: Gateway, jira: WireJira, pem: str) -> None:
    client("secretsmanager").update_secret(SecretId="private-ca", SecretString=pem)
    answered = put(api, jira, host="https://localhost:1")
    assert (answered.status, answered.headers["retry-after"]) == (503, "5")
    assert answered.json() == {"error": "The private certificate authority is not a PEM certificate"}


def test_a_redirect_gets_no_credentials(api: Gateway, jira: WireJira) -> None:
    jira.acts = [answer(307, headers={"Location": f"{jira.url}/elsewhere"}), answer(body=MYSELF)]
    assert put(api, jira).status == 400
    assert len(jira.requests) == 1


def test_the_external_id_of_the_query_wins(api: Gateway, jira: WireJira) -> None:
    jira.acts = [answer(body=MYSELF)]
    wanted = "a/b?c#d ü"
    body = {"provider": "jira", "host": jira.url, "credentials": CREDENTIALS}
    answered = api.put(URL.format("x") + f"?external_id={quote(wanted, safe='')}", body)
    assert answered.json()["external_id"] == wanted


def test_the_longest_external_id_fits_into_every_key(api: Gateway, jira: WireJira) -> None:
    jira.acts = [answer(body=MYSELF)]
    longest = "\N{FACTORY}" * 255
    body = {"provider": "jira", "host": jira.url, "credentials": CREDENTIALS}
    assert api.put(URL.format("x") + f"?external_id={quote(longest, safe='')}", body).status == 200
    (row,) = [item for item in raw_items() if item["sk"]["S"] == "CONNECTION"]
    assert len(row["pk"]["S"].encode()) <= 2048
    assert len(row["list_sk"]["S"].encode()) <= 1024
    assert [entry["external_id"] for entry in api.get("/api/backend/connections").json()["connections"]] == [
        longest
    ]


@pytest.mark.parametrize("external_id", ["x" * 256])
def test_overlong_external_ids(api: Gateway, jira: WireJira, external_id: str) -> None:
    answered = put(api, jira, external_id)
    assert answered.json() == {"error": "external_id must be a string of 1 to 255 characters"}


def test_replacing_keeps_the_project_of_the_same_site(
    function: ModuleType, api: Gateway, jira: WireJira
) -> None:
    jira.acts = [answer(body=MYSELF)] * 2
    put(api, jira)
    function.access.store.select_project(function.access.connection("team-1").id, "10000")
    put(api, jira, credentials="mia@example.com:other")
    listed = api.get("/api/backend/connections").json()["connections"]
    assert [entry["selected_project_id"] for entry in listed] == ["10000"]


def test_replacing_by_another_site_forgets_the_project(
    function: ModuleType, api: Gateway, jira: WireJira
) -> None:
    jira.acts = [answer(body=MYSELF)] * 2
    put(api, jira)
    function.access.store.select_project(function.access.connection("team-1").id, "10000")
    put(api, jira, host=jira.url.replace("127.0.0.1", "localhost"))
    assert function.access.connection("team-1").selected_project_id is None


def test_list(api: Gateway, jira: WireJira) -> None:
    jira.acts = [answer(body=MYSELF)] * 3
    for external_id in ("c", "a", "b"):
        put(api, jira, external_id)
    whole = api.get("/api/backend/connections").json()
    assert [entry["external_id"] for entry in whole["connections"]] == ["a", "b", "c"]
    assert whole["next_cursor"] is None
    entry = whole["connections"][0]
    assert entry.pop("authorized_at").endswith("Z")
    assert entry == {
        "external_id": "a",
        "provider": "jira",
        "kind": "api_token",
        "site_name": jira.url.removeprefix("http://"),
        "site_url": jira.url,
        "selected_project_id": None,
        "status": "valid",
        "last_refreshed_at": None,
        "expires_at": None,
    }
    first = api.get("/api/backend/connections?limit=2").json()
    second = api.get(f"/api/backend/connections?limit=2&cursor={first['next_cursor']}").json()
    assert [entry["external_id"] for entry in first["connections"]] == ["a", "b"]
    assert [entry["external_id"] for entry in second["connections"]] == ["c"]


#: Half of a surrogate pair, and what is too long for a key.
NO_NAMES = [encode_cursor(["jira", name]) for name in ("\ud800", "x" * 1100)]


@pytest.mark.parametrize("cursor", ["x", "W10", "WyIiLCIiXQ", "WzEsMl0", "bnVsbA", *NO_NAMES])
def test_bad_cursors(api: Gateway, cursor: str) -> None:
    answered = api.get(f"/api/backend/connections?cursor={cursor}")
    assert (answered.status, answered.json()) == (400, {"error": "Invalid cursor"})


def test_test_and_the_mark_of_refused_credentials(api: Gateway, jira: WireJira) -> None:
    jira.acts = [answer(body=MYSELF), answer(401), answer(503)]
    put(api, jira)
    url = "/api/backend/connections/team-1/test"

    refused = api.post(url).json()
    assert refused["connected"] is False
    assert "Incorrect credentials" in refused["error"]
    assert _status(api) == "invalid"

    jira.acts = [answer(body=MYSELF)]
    assert api.post(url).json() == {
        "connected": True,
        "account": {"displayName": "Mia Krystof", "accountId": "5b10a2844c20165700ede21g"},
    }
    assert _status(api) == "valid"


def test_refused_credentials_need_a_person(function: ModuleType, api: Gateway, jira: WireJira) -> None:
    from jobticket.connections.errors import ReauthorizationNeededError

    jira.acts = [answer(body=MYSELF), answer(401)]
    put(api, jira)
    api.post("/api/backend/connections/team-1/test")
    with pytest.raises(ReauthorizationNeededError) as caught:
        function.access.client_for("team-1", deadline=Deadline.after(20))
    assert caught.value.explanation == "The Jira connection team-1 must be authorized again"


@pytest.mark.parametrize("act", [answer(403), answer(raw=b"<html>")], ids=["403", "html"])
def test_other_trouble_leaves_no_mark(api: Gateway, jira: WireJira, act: Any) -> None:
    jira.acts = [answer(body=MYSELF), act]
    put(api, jira)
    assert api.post("/api/backend/connections/team-1/test").json()["connected"] is False
    assert _status(api) == "valid"


def _status(api: Gateway) -> str:
    return str(api.get("/api/backend/connections").json()["connections"][0]["status"])


def test_test_of_credentials_that_cannot_be_read(function: ModuleType, api: Gateway, jira: WireJira) -> None:
    jira.acts = [answer(body=MYSELF)]
    put(api, jira)
    row = Update("CONNECTION#jira#team-1", "CONNECTION", set={"secret": b"changed"})
    function.access.store.table.update(row)
    assert api.post("/api/backend/connections/team-1/test").json() == {
        "connected": False,
        "error": "The credentials of the Jira connection team-1 cannot be read",
    }


def test_test_of_what_is_not_there(api: Gateway) -> None:
    answered = api.post("/api/backend/connections/nobody/test")
    assert (answered.status, answered.json()) == (401, {"error": "Connection not found"})


def test_delete_is_at_once_and_idempotent(api: Gateway, jira: WireJira) -> None:
    jira.acts = [answer(body=MYSELF)]
    put(api, jira)
    for _ in range(2):
        answered = api.delete("/api/backend/connections/team-1")
        assert (answered.status, answered.body) == (204, b"")
    assert [item["pk"]["S"] for item in raw_items() if item["pk"]["S"].startswith("CONNECTION")] == []


@pytest.mark.parametrize("key", ["only-jobs", "only-jira", "only-ticketing", "only-admin"])
@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "/api/backend/connections"),
        ("PUT", URL.format("x")),
        ("POST", "/api/backend/connections/x/test"),
        ("DELETE", "/api/backend/connections/x"),
    ],
)
def test_needs_the_scope(function: ModuleType, method: str, url: str, key: str) -> None:
    answered = gateway(function, key).call(method, url)
    assert answered.status == 403
    assert answered.json() == {"error": "This key does not have the scope: tokens"}


def test_nothing_secret_is_stored_or_answered_or_logged(
    api: Gateway, jira: WireJira, capfd: pytest.CaptureFixture[str], log: io.StringIO
) -> None:
    jira.acts = [answer(body=MYSELF), answer(401, {"errorMessages": [f"bad {CREDENTIALS}"]})]
    answers = [put(api, jira).text, api.post("/api/backend/connections/team-1/test").text]
    answers.append(api.get("/api/backend/connections").text)
    seen = "".join([*answers, log.getvalue(), *capfd.readouterr(), repr(raw_items())])
    assert "answered" in seen
    encoded = base64.b64encode(CREDENTIALS.encode()).decode()
    for secret in ("ATATT-very-secret", encoded):
        assert secret not in seen
