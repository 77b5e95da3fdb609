"""Every request that the product sends to Jira, against Atlassian's published documents.

The functions are driven through everything they do (the scenarios of ``tests/unit/privileges``, and the Jira
operations in all their variants) in front of the emulated Atlassian, which writes down what it is asked.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from local.atlassian.testing import running
from tests.contract.jira_specification import NotDescribedError, Specification, specifications_folder
from tests.unit.conftest import aws as aws
from tests.unit.conftest import gateway, load_function
from tests.unit.deployment.privileges.driving import Driven
from tests.unit.deployment.privileges.recorder import Recorder
from tests.unit.jira_operations.conftest import PERSONAL_TOKEN, Jira, connect

FOLDER = specifications_folder()
pytestmark = pytest.mark.skipif(FOLDER is None, reason="Atlassian's OpenAPI documents are not here")

ROOT = Path(__file__).parents[2]
SCENARIOS = sorted(
    path.stem
    for path in (ROOT / "tests" / "unit" / "deployment" / "privileges" / "scenarios").glob("*.py")
    if not path.stem.startswith("_")
)
#: What the product asks and the documents, which are Cloud's, do not describe.
UNDESCRIBED: dict[str, str] = {}
#: What the documents describe and Cloud no longer has: it may be asked of a Data Center only.
REMOVED = {"/rest/api/2/search", "/rest/api/3/search"}

Call = dict[str, Any]


@pytest.fixture(scope="module")
def specification() -> Specification:
    assert FOLDER is not None
    return Specification(FOLDER)


@pytest.fixture
def atlassian(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with running(record_bodies=True) as url:
        monkeypatch.setenv("ATLASSIAN_AUTH_URL", url)
        monkeypatch.setenv("ATLASSIAN_API_URL", url)
        yield url


def recorded(url: str) -> list[Call]:
    """Return the calls of Jira's REST API that were made, each with its answer."""
    calls: list[Call] = requests.get(f"{url}/_control/requests", timeout=60).json()
    return [call for call in calls if "/rest/" in call["path"]]


def problems_of(specification: Specification, calls: list[Call], *, answers: bool = True) -> list[str]:
    found: dict[str, None] = {}
    for call in calls:
        name = f"{call['method']} {call['path']}"
        try:
            problems = specification.request_problems(
                call["method"], call["path"], call["query"], call["body"]
            )
            if answers and call["status"] is not None:
                problems += specification.answer_problems(
                    call["method"], call["path"], call["status"], call.get("answer")
                )
        except NotDescribedError:
            problems = [] if name in UNDESCRIBED else ["is not described, and not listed with a reason"]
        found |= dict.fromkeys(f"{name}: {problem}" for problem in problems)
    return list(found)


@pytest.mark.parametrize("folder", SCENARIOS)
def test_every_function(
    specification: Specification,
    folder: str,
    aws: None,
    atlassian: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scenario = importlib.import_module(f"tests.unit.deployment.privileges.scenarios.{folder}")
    scenario.drive(Driven(load_function(folder, cold=True), Recorder({}, monkeypatch), atlassian))
    calls = recorded(atlassian)
    assert problems_of(specification, calls) == []
    assert not any(call["path"] in REMOVED for call in calls)


def operations(jira: Jira) -> None:
    """Use every Jira operation in each way that asks Jira something else."""
    sprint: dict[str, Any] = {"include_sprint": "true"}
    parts: list[dict[str, Any]] = [{}, {"limit": 5}, {"limit": 150}]
    for query in parts:
        jira.get("get-projects", **query)
        jira.get("get-tickets-for-project", jira_project_id="LONG", **sprint, **query)
        jira.get("get-tickets-for-sprint", sprint_id=2, **query)
        for name in ("boards", "all-sprints", "active-sprints"):
            jira.get(f"get-{name}-for-project", jira_project_id="10001", **query)
    cursor = jira.get("get-tickets-for-project", jira_project_id="LONG", limit=5).headers["x-next-cursor"]
    jira.get("get-tickets-for-project", jira_project_id="LONG", limit=5, cursor=cursor)
    jira.get("get-issue-details", issue_id_or_key="PI-42")
    whom = "robin" if jira.external_id == "server" else "712020:6c1f7a52-0d3e-4f0b-9a55-2f1f3f0a1d02"
    fields: dict[str, Any] = {
        "summary": "New",
        "description": "A *bold* word",
        "priority_id": "2",
        "assignee_account_id": whom,
    }
    jira.send("PUT", "edit-issue", issue_id_or_key="PI-42", issue_type_id="10001", **fields)
    updated = jira.get("get-issue-details", issue_id_or_key="PI-42").json()["issue"]["updated"]
    jira.send(
        "PUT",
        "edit-issue",
        issue_id_or_key="PI-42",
        assignee_account_id="null",
        expected_updated=updated,
    )
    new: dict[str, Any] = fields | {"jira_project_id": "PI", "issue_type_id": "10001"}
    assert jira.send("POST", "create-ticket", **new).status == 201
    assert jira.send("POST", "create-ticket", headers={"Idempotency-Key": "order-17"}, **new).status == 201
    jira.send("DELETE", "delete-issue", issue_id_or_key="PI-42", delete_subtasks=True)


def lose_an_answer(url: str) -> None:
    """Let the next ticket's answer be lost, so that it is looked for."""
    fault = {"method": "POST", "path": "/issue$", "drop": "after"}
    requests.put(f"{url}/_control", json={"faults": [fault]}, timeout=60).raise_for_status()


def looked_for(jira: Jira) -> None:
    body: dict[str, Any] = {"jira_project_id": "PI", "summary": "Lost", "issue_type_id": "10001"}
    assert jira.send("POST", "create-ticket", headers={"Idempotency-Key": "lost"}, **body).status == 201


def test_every_jira_operation_on_cloud(specification: Specification, aws: None, atlassian: str) -> None:
    jira = prepared(atlassian)
    operations(jira)
    lose_an_answer(atlassian)
    looked_for(jira)
    calls = recorded(atlassian)
    assert {call["status"] for call in calls} <= {200, 201, 204, None}
    assert problems_of(specification, calls) == []
    assert not any(call["path"] in REMOVED for call in calls)
    asked = json.dumps([call["path"] for call in calls])
    for path in ("search/jql", "bulkfetch", "project/search", "/board", "/sprint/2/issue"):
        assert path in asked


def test_every_jira_operation_on_a_data_center(
    specification: Specification, aws: None, atlassian: str
) -> None:
    """Its answers are its own; what it is asked has the form of Cloud's calls of the same name."""
    jira = prepared(atlassian, data_center=True)
    operations(jira)
    lose_an_answer(atlassian)
    looked_for(jira)
    calls = recorded(atlassian)
    assert {call["status"] for call in calls} <= {200, 201, 204, None}
    assert problems_of(specification, calls, answers=False) == []
    assert not any("/rest/api/3/" in call["path"] or "search/jql" in call["path"] for call in calls)


def prepared(url: str, *, data_center: bool = False) -> Jira:
    requests.post(
        f"{url}/_control/issues", json={"project": "LONG", "count": 230}, timeout=60
    ).raise_for_status()
    function = load_function("jira", cold=True)
    if not data_center:
        connect(function, url)
        return Jira(gateway(function))
    requests.put(f"{url}/_control", json={"data_center": True}, timeout=60).raise_for_status()
    connect(
        function,
        url,
        external_id="server",
        kind="personal_access_token",
        credentials=PERSONAL_TOKEN,
        deployment="data_center",
    )
    return Jira(gateway(function), "server")
