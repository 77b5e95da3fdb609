"""Whatever Jira or Atlassian answers, the product answers properly, stores only what it can store, and goes on.

Each member of each answer that the code reads is replaced in turn by each kind of nonsense.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
import requests

from jobticket import clock
from jobticket.connections.model import ConnectionId
from jobticket.jira.client import Pace
from local.atlassian.testing import running
from tests.support.consent_flow import Atlassian, Browser, Walk
from tests.support.emulation import AccountTemplate
from tests.support.gateway import Gateway, HttpAnswer
from tests.support.poison import HOSTILE, LONG, PATH, Poison
from tests.unit.conftest import account, client, gateway, load_function

#: Texts of any length, as people write them.
PROSE = {"description", "goal"}
#: Members with a fixed form, or that become part of an address.
FORMED = {
    "id",
    "key",
    "ticket_id",
    "ticket_number",
    "jiraTicketKey",
    "url",
    "site_id",
    "site_url",
    "project_key",
}
CREDENTIALS = "demo@example.com:local-api-token"


@pytest.fixture(scope="module")
def atlassian_url() -> Iterator[str]:
    with running() as url:
        yield url


@pytest.fixture(scope="module")
def functions(atlassian_url: str) -> dict[str, ModuleType]:
    """Containers of this module's own, for its own Atlassian; other tests keep theirs."""
    made = {}
    with pytest.MonkeyPatch.context() as patch, account():
        patch.setenv("ATLASSIAN_AUTH_URL", atlassian_url)
        patch.setenv("ATLASSIAN_API_URL", atlassian_url)
        patch.setenv("CONNECT_MODE", "open")
        for name in ("connections", "jira", "job_sync", "jobs", "oauth", "ticketing"):
            warm = sys.modules.pop(f"functions.{name}.app", None)
            made[name] = load_function(name, cold=True)
            del sys.modules[f"functions.{name}.app"]
            if warm is not None:
                sys.modules[f"functions.{name}.app"] = warm
    return made


class Product:
    """Every function that calls Jira, in front of the emulated Atlassian."""

    def __init__(
        self, atlassian_url: str, functions: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client("sqs").create_queue(QueueName="ticket-events.fifo", Attributes={"FifoQueue": "true"})
        self.url = atlassian_url
        self.modules = functions
        for module in self.modules.values():
            for place in (module, getattr(module, "access", None)):
                for holder in filter(None, (getattr(place, name, None) for name in ("vault", "sealer"))):
                    monkeypatch.setattr(holder, "_data_keys", {})
                    monkeypatch.setattr(holder, "_sealing", None)
            if hasattr(module, "access"):
                pace = Pace(sleep=lambda _seconds: None)
                monkeypatch.setattr(module.access, "_pace", pace)
                monkeypatch.setattr(module.access.tokens, "_pace", pace)
        self.poison = Poison(monkeypatch)

    def call(self, function: str, method: str, url: str, body: Any = None) -> HttpAnswer:
        return gateway(self.modules[function]).call(method, url, body, {})

    def connect(self) -> None:
        # More writes to one issue than Jira takes within two seconds, on a quick machine.
        limits = {"rate_limits": {"issue_writes_per_2s": None}}
        requests.put(f"{self.url}/_control", json=limits, timeout=10).raise_for_status()
        body = {"provider": "jira", "host": self.url, "credentials": CREDENTIALS}
        self.call("connections", "PUT", "/api/backend/connections/team-1/api-token", body)
        settings = {"enabled": True, "pushEnabled": True, "externalId": "team-1", "projectKey": "PI"}
        self.call("jobs", "PUT", "/api/settings", settings)
        self.call(
            "ticketing", "POST", "/api/integrations/ticketing", {"type": "jira", "external_id": "team-1"}
        )


@pytest.fixture(scope="module")
def connected() -> list[AccountTemplate]:
    """The account as the first connection leaves it, for the next tests to begin with."""
    return []


@pytest.fixture
def product(
    functions: dict[str, ModuleType],
    aws: None,
    atlassian_url: str,
    connected: list[AccountTemplate],
    monkeypatch: pytest.MonkeyPatch,
) -> Product:
    made = Product(atlassian_url, functions, monkeypatch)
    if not connected:
        connected.append(AccountTemplate(made.connect))
    connected[0].fill()
    return made


JIRA = "/api/backend/jira"
TEAM = "external_id=team-1"
READS = {
    "projects": ("jira", f"{JIRA}/get-projects?{TEAM}"),
    "tickets": ("jira", f"{JIRA}/get-tickets-for-project?{TEAM}&jira_project_id=SCRUM&include_sprint=true"),
    "boards": ("jira", f"{JIRA}/get-boards-for-project?{TEAM}&jira_project_id=SCRUM"),
    "sprints": ("jira", f"{JIRA}/get-all-sprints-for-project?{TEAM}&jira_project_id=SCRUM"),
    "sprint": ("jira", f"{JIRA}/get-tickets-for-sprint?{TEAM}&sprint_id=2"),
    "issue": ("jira", f"{JIRA}/get-issue-details?{TEAM}&issue_key=SCRUM-1"),
    "floor's tickets": ("job_sync", "/api/jira/tickets?limit=3"),
    "floor's ticket": ("job_sync", "/api/jira/tickets/PI-7"),
    "search": ("ticketing", "/api/integrations/ticketing/tickets/search?query=fixture"),
    "ticket": ("ticketing", "/api/integrations/ticketing/tickets/PI-7"),
    "form": ("ticketing", "/api/integrations/ticketing/form-specification"),
}


def assert_sound(answer: HttpAnswer, poisoned: str) -> None:
    assert "Internal Server Error" not in answer.text, poisoned
    if answer.text:
        body = json.loads(answer.text, parse_constant=lambda constant: pytest.fail(f"{poisoned}: {constant}"))
        json.dumps(body, ensure_ascii=False).encode()
        for name, value in members(body):
            if isinstance(value, str):
                assert name in PROSE or len(value) < len(LONG) / 2, (poisoned, name)
                assert name not in FORMED or PATH not in value, (poisoned, name)


def members(body: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(body, dict):
        for name, value in body.items():
            yield name, value
            # Jira's own values pass unchanged.
            yield from members(value) if name != "customFields" else ()
    elif isinstance(body, list):
        for entry in body:
            yield from members(entry)


@pytest.mark.parametrize("read", READS)
def test_reads(product: Product, read: str) -> None:
    function, url = READS[read]
    product.poison.names.clear()
    product.poison.replays = True
    good = product.call(function, "GET", url)
    assert good.status == 200, good.text
    names = sorted(product.poison.names)
    assert len(names) > 3
    for name in names:
        for value in HOSTILE.values():
            product.poison.put(name, value)
            assert_sound(product.call(function, "GET", url), name)
    product.poison.put(None)
    assert product.call(function, "GET", url).json() == good.json()


# --- what is kept -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", HOSTILE)
def test_credentials(product: Product, kind: str) -> None:
    """An account with hostile names is stored and shown."""
    of_team = "/api/backend/connections/team-2"
    body = {"provider": "jira", "host": product.url, "credentials": CREDENTIALS}
    for name in ("displayName", "accountId", "name"):
        product.poison.put(name, HOSTILE[kind])
        made = product.call("connections", "PUT", f"{of_team}/api-token", body)
        assert made.status in {200, 400}, made.text
        assert_sound(made, name)
        assert_sound(product.call("connections", "POST", f"{of_team}/test"), name)
    assert_keepable("connections")


def assert_keepable(table: str) -> None:
    """Require that stored values are short and that no key is a path."""
    for item in client("dynamodb").scan(TableName=table)["Items"]:
        for name, value in item.items():
            text = json.dumps(value.get("S", value.get("L", "")))
            assert len(text) < len(LONG), name
            assert PATH not in text or name not in {"ticket_number", "ticket_id", "jira_ticket_key", "url"}


def walked(product: Product, atlassian: Atlassian) -> list[HttpAnswer]:
    """Go through a consent as far as possible."""
    walk = Walk(Browser(sending(product)), atlassian)
    answers = [walk.initiate("team-3")]
    if answers[0].status == 200:
        answers.append(walk.come_back(walk.consent(answers[0].json()["authorization_uri"])))
    if walk.code:
        answers += [walk.page(), walk.sites(), walk.create()]
    return answers


def sending(product: Product) -> Any:
    oauth: ModuleType = product.modules["oauth"]
    return Gateway(oauth.api, oauth.handler, None).call


CONSENTED = (
    "access_token",
    "refresh_token",
    "expires_in",
    "id",
    "name",
    "url",
    "avatarUrl",
    "scopes",
    "displayName",
)


@pytest.mark.parametrize("kind", HOSTILE)
def test_consents(product: Product, kind: str) -> None:
    atlassian = Atlassian(product.url)
    for name in CONSENTED:
        product.poison.put(name, HOSTILE[kind])
        for answer in walked(product, atlassian):
            assert "Internal Server Error" not in answer.text, name
            assert answer.status in {200, 302, 400, 502}, (name, answer.text)
            assert len(answer.text) < len(LONG), name
        product.poison.put(None)
        token = product.call("connections", "GET", f"{TOKEN}&external_id=team-3")
        assert token.status in {200, 401}, (name, token.text)
        assert product.call("connections", "DELETE", "/api/backend/connections/team-3").status == 204
    assert_keepable("connections")
    atlassian.close()


TOKEN = "/api/backend/connection-info/get-access-token?provider=jira"


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("name", ["access_token", "refresh_token", "expires_in"])
def test_refreshes(product: Product, kind: str, name: str) -> None:
    atlassian = Atlassian(product.url)
    assert walked(product, atlassian)[-1].status == 200
    atlassian.close()
    name_of = ConnectionId("jira", "team-3")
    store = product.modules["connections"].access.store
    store.drop_token(name_of, store.get_token(name_of))
    product.poison.put(name, HOSTILE[kind])
    answer = product.call("connections", "GET", f"{TOKEN}&external_id=team-3")
    if answer.status != 200:
        assert (answer.status, answer.json()) == (503, {"error": "Failed to refresh access token"})
        return
    left = clock.parse_iso(answer.json()["expires_at"]) - clock.now()
    assert timedelta(0) < left <= timedelta(days=30)


@pytest.mark.parametrize("kind", HOSTILE)
def test_jobs_of_tickets(product: Product, kind: str) -> None:
    product.poison.replays = True
    good = product.call("job_sync", "POST", "/api/jira/link", {"ticketKey": "PI-7"})
    assert good.status == 201, good.text
    for name in sorted(product.poison.names):
        product.poison.put(name, HOSTILE[kind])
        answer = product.call("job_sync", "POST", "/api/jira/link", {"ticketKey": "PI-7"})
        assert_sound(answer, name)
    assert_keepable("jobs")


@pytest.mark.parametrize("kind", HOSTILE)
def test_pushes(product: Product, kind: str) -> None:
    job = product.call("job_sync", "POST", "/api/jira/link", {"ticketKey": "PI-7"}).json()["job"]["id"]
    path = {"jobId": job, "name": "Route", "goalQuantity": 5, "steps": [{"name": "CNC"}]}
    assert product.call("jobs", "POST", "/api/paths", path).status == 201
    assert product.call("job_sync", "POST", "/api/jira/push", {"jobId": job}).json()["success"]
    for route in ("push", "comment"):
        for name in (
            "key",
            "fields",
            "description",
            "changelog",
            "histories",
            "comments",
            "id",
            "created",
            "body",
        ):
            product.poison.put(name, HOSTILE[kind])
            assert_sound(product.call("job_sync", "POST", f"/api/jira/{route}", {"jobId": job}), name)
    assert_keepable("jobs")


ANOMALY = {
    "type": "shape",
    "datastore": {"id": 1, "name": "CRM"},
    "failed_checks": [{"message": "is empty", "field": "NAME"}],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_tickets_of_anomalies(product: Product, kind: str) -> None:
    for number, name in enumerate(
        ("key", "id", "summary", "status", "fields", "project", "issuetype", "created")
    ):
        product.poison.put(None)
        body = ANOMALY | {"fingerprint": f"{number}"}
        anomaly = product.call("ticketing", "POST", "/api/anomalies", body).json()["id"]
        product.poison.put(name, HOSTILE[kind])
        links = f"/api/anomalies/{anomaly}/ticket-links"
        assert_sound(product.call("ticketing", "POST", links, {"ticket_id": "SCRUM-1"}), name)
        create = f"/api/integrations/ticketing/anomalies/{anomaly}/tickets"
        made = product.call("ticketing", "POST", create, {"title": "Look", "project_key": "SCRUM"})
        assert_sound(made, name)
        assert_sound(product.call("ticketing", "GET", links), name)
    assert_keepable("ticketing")


@pytest.mark.parametrize("kind", HOSTILE)
def test_writes(product: Product, kind: str) -> None:
    ticket = {"external_id": "team-1", "jira_project_id": "SCRUM", "summary": "F", "issue_type_id": "10001"}
    edit = {"external_id": "team-1", "issue_id_or_key": "SCRUM-1", "summary": "Other"}
    for name in ("key", "id", "summary", "status", "fields", "assignee", "priority", "updated"):
        product.poison.put(name, HOSTILE[kind])
        assert_sound(product.call("jira", "POST", f"{JIRA}/create-ticket", ticket), name)
        assert_sound(product.call("jira", "PUT", f"{JIRA}/edit-issue", edit), name)
