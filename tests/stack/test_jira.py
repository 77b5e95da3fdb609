"""The Jira operations over HTTP, on the deployed stack and the emulated Jira (contract: jira.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from jobticket_client.errors import NotFound

from tests.support.deployed import Stack

CONNECTION = "jira-operations"
CREDENTIALS = "demo@example.com:local-api-token"
PREFIXES = ("/api/backend/jira", "/api/backend/integration-helpers/jira")


class Product:
    """The Jira operations of one connection, through the deployed API."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def get(self, name: str, *, prefix: str = PREFIXES[0], **query: Any) -> requests.Response:
        return self.stack.request(
            "GET", f"{prefix}/{name}", scope="jira", params={"external_id": CONNECTION} | query
        )

    def send(self, method: str, name: str, key: str | None = None, **body: Any) -> requests.Response:
        return self.stack.request(
            method,
            f"{PREFIXES[0]}/{name}",
            scope="jira",
            json={"external_id": CONNECTION} | body,
            headers={} if key is None else {"Idempotency-Key": key},
        )

    def control(self, method: str, path: str, body: Any = None) -> Any:
        with requests.Session() as session:
            session.trust_env = False
            url = f"{self.stack.atlassian_url}/_control{path}"
            answer = session.request(method, url, json=body, timeout=60)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def fault(self, **fault: Any) -> None:
        self.control("PUT", "", {"faults": [fault]})


@pytest.fixture
def product(stack: Stack) -> Iterator[Product]:
    product = Product(stack)
    stack.api("tokens").connections.put_credentials(
        CONNECTION, provider="jira", host=stack.atlassian_url, credentials=CREDENTIALS
    )
    yield product
    product.control("PUT", "", {"faults": [], "latency_ms": 0})


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    ("name", "query", "member"),
    [
        ("get-projects", {}, "projects"),
        ("get-all-projects", {}, "projects"),
        ("get-tickets-for-project", {"jira_project_id": "SCRUM", "include_sprint": "true"}, "tickets"),
        ("get-boards-for-project", {"jira_project_id": "SCRUM"}, "boards"),
        ("get-all-sprints-for-project", {"jira_project_id": "SCRUM"}, "boards"),
        ("get-active-sprints-for-project", {"jira_project_id": "SCRUM"}, "boards"),
        ("get-tickets-for-sprint", {"sprint_id": "2"}, "tickets"),
        ("get-issue-details", {"issue_id_or_key": "PI-1"}, "issue"),
        ("get-issue", {"issue_key": "PI-1"}, "issue"),
    ],
)
def test_reads(product: Product, prefix: str, name: str, query: dict[str, str], member: str) -> None:
    answer = product.get(name, prefix=prefix, **query)
    assert answer.status_code == 200, answer.text
    assert answer.json()[member]


def test_selects_a_project(product: Product) -> None:
    assert product.send("POST", "select-project", jira_project_id="10001").json() == {"success": True}
    assert product.get("get-selected-project").json() == {"jira_project_id": "10001"}
    assert product.get("get-selected-project-id").json() == {"jira_project_id": "10001"}
    assert product.get("get-tickets-for-project").json()["total"] >= 12
    assert product.send("POST", "select-project", jira_project_id=None).status_code == 200
    refused = product.get("get-tickets-for-project")
    assert refused.json() == {"error": "No project selected and no project ID provided"}


def test_a_ticket_lives_and_ends(product: Product) -> None:
    jira = product.stack.api("jira").jira
    key = jira.create_ticket(
        external_id=CONNECTION, jira_project_id="MISC", summary="From the stack", issue_type_id="10001"
    )["key"]
    edited = jira.edit_issue(external_id=CONNECTION, issue_id_or_key=key, priority_id="1")["issue"]
    assert edited["priority"]
    assert edited["priority"]["name"] == "Highest"
    jira.delete_issue(CONNECTION, key)
    with pytest.raises(NotFound):
        jira.issue(CONNECTION, key)


def test_one_ticket_of_many_requests_with_one_key(product: Product) -> None:
    body = {"jira_project_id": "MISC", "summary": "Once", "issue_type_id": "10001"}

    def create(_number: int) -> requests.Response:
        return product.send("POST", "create-ticket", key="stack-once", **body)

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(create, range(6)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    (ticket,) = {json.dumps(a.json()["ticket"]) for a in answers if a.status_code == 201}
    assert product.send("POST", "create-ticket", key="stack-once", **body).json() == {
        "ticket": json.loads(ticket)
    }


def test_a_lost_answer_is_settled(product: Product) -> None:
    product.fault(method="POST", path="/issue$", drop="after")
    before = misc(product)
    body = {"jira_project_id": "MISC", "summary": "Lost", "issue_type_id": "10001"}
    made = product.send("POST", "create-ticket", key="stack-lost", **body)
    assert made.status_code == 201, made.text
    assert product.send("POST", "create-ticket", key="stack-lost", **body).json() == made.json()
    assert misc(product) == before + 1


def misc(product: Product) -> int:
    count: int = product.control("GET", "")["sites"][0]["projects"]["MISC"]
    return count


def test_a_long_project_comes_whole_and_compressed(product: Product) -> None:
    product.control("POST", "/issues", {"project": "STACKLONG", "count": 2300})
    answer = product.get("get-tickets-for-project", jira_project_id="STACKLONG")
    keys = [ticket["key"] for ticket in answer.json()["tickets"]]
    assert keys == [f"STACKLONG-{number}" for number in range(2300, 0, -1)]
    assert answer.headers["Content-Encoding"] == "gzip"


def test_limits_are_passed_on(product: Product) -> None:
    headers = {"Retry-After": "600", "RateLimit-Reason": "jira-burst-based"}
    product.fault(path="/issue/PI-3", status=429, headers=headers)
    answer = product.get("get-issue-details", issue_id_or_key="PI-3")
    assert answer.status_code == 429
    assert 400 <= int(answer.headers["Retry-After"]) <= 600


@pytest.mark.parametrize("scope", [None, "jobs", "tokens", "admin"])
def test_keys_of_other_scopes_open_nothing(product: Product, scope: str | None) -> None:
    answer = product.stack.request(
        "GET", f"{PREFIXES[0]}/get-projects", scope=scope, params={"external_id": CONNECTION}
    )
    assert answer.status_code == (401 if scope is None else 403)


def test_no_connection(product: Product) -> None:
    answer = product.get("get-projects", external_id="nobody")
    assert (answer.status_code, answer.json()) == (401, {"error": "Connection not found"})
