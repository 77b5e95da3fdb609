"""Jobs and their Jira tickets, over HTTP on the deployed stack (contract: jobs.md, Jira side of jobs)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from jobticket.push.tables import find_tables_in_markup
from tests.support.deployed import Stack

CONNECTION = "pushes"
USER = ("demo@example.com", "local-api-token")


class Floor:
    """The shop floor and its Jira, through the deployed API."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.api = stack.api()

    def connect(self) -> None:
        host, credentials = self.stack.atlassian_url, ":".join(USER)
        self.api.connections.put_credentials(CONNECTION, provider="jira", host=host, credentials=credentials)
        self.api.settings.change(enabled=True, push_enabled=True, external_id=CONNECTION, project_key="PI")

    def jira(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        with requests.Session() as session:
            session.trust_env = False
            session.auth = USER
            url = self.stack.atlassian_url + path
            answer = session.request(method, url, json=body, params=query, timeout=60)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def ticket(self, description: str = "Build 50 housings.") -> str:
        issue = {"summary": "Housings 1234567-001", "description": description}
        body = {"project": {"key": "PI"}, "issuetype": {"name": "Task"}, **issue}
        return str(self.jira("POST", "/rest/api/2/issue", {"fields": body})["key"])

    def description(self, key: str) -> str:
        return str(self.jira("GET", f"/rest/api/2/issue/{key}")["fields"]["description"])

    def job(self, ticket: str, path: str = "Main Route") -> str:
        job = self.api.jobs.create(name="JOB-2024-001", goal_quantity=50, jira_ticket_key=ticket)["id"]
        path_id = self.api.paths.create(
            job_id=job,
            name=path,
            goal_quantity=50,
            steps=[{"name": "CNC"}, {"name": "Deburr"}, {"name": "QC"}],
        )["id"]
        self.api.serials.create(path_id=path_id, quantity=5)
        return job

    def push(self, job_id: str) -> Any:
        return self.api.jobs.push(job_id)


@pytest.fixture
def floor(stack: Stack) -> Iterator[Floor]:
    floor = Floor(stack)
    floor.connect()
    yield floor
    floor.jira("PUT", "/_control", {"faults": [], "latency_ms": 0})


def test_a_job_reaches_its_ticket(floor: Floor) -> None:
    key = floor.ticket()
    job_id = floor.job(key)
    assert floor.push(job_id) == {"success": True}
    after = floor.description(key)
    assert after.startswith("Build 50 housings.\n\n*Main Route*")
    (table,) = find_tables_in_markup(after)
    assert table.content.row[1:] == ("5", "0", "0", "0")
    assert floor.api.jobs.comment(job_id) == {"success": True}
    (comment,) = floor.jira("GET", f"/rest/api/2/issue/{key}/comment")["comments"]
    assert comment["body"].startswith("*Status Summary for JOB-2024-001*")


def test_pushes_at_the_same_moment_leave_all_their_tables(floor: Floor) -> None:
    key = floor.ticket()
    jobs = [floor.job(key, f"Route {number}") for number in range(4)]
    floor.jira("PUT", "/_control", {"latency_ms": 30})
    with ThreadPoolExecutor(len(jobs)) as pool:
        results = list(pool.map(floor.push, jobs))
    assert results == [{"success": True}] * len(jobs)
    after = floor.description(key)
    assert after.startswith("Build 50 housings.\n\n")
    assert sorted(table.content.path for table in find_tables_in_markup(after)) == [
        f"Route {n}" for n in range(4)
    ]


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_lost_answer_leaves_one_table(floor: Floor, drop: str) -> None:
    key = floor.ticket()
    job_id = floor.job(key)
    floor.jira("PUT", "/_control", {"faults": [{"method": "PUT", "path": f"/issue/{key}$", "drop": drop}]})
    assert floor.push(job_id) == {"success": True}
    assert len(find_tables_in_markup(floor.description(key))) == 1


def test_what_jira_refuses_is_told(floor: Floor) -> None:
    key = floor.ticket()
    job_id = floor.job(key)
    fault = {"method": "PUT", "path": f"/issue/{key}$", "status": 403}
    floor.jira("PUT", "/_control", {"faults": [fault]})
    assert floor.push(job_id) == {"success": False, "error": "Jira API error: 403 Forbidden"}
    assert floor.description(key) == "Build 50 housings."


def test_tickets_become_jobs_and_are_let_go(floor: Floor) -> None:
    key = floor.ticket()
    jobs = floor.api.jobs
    listed = jobs.tickets()
    assert listed["error"] is None
    assert key in [ticket["key"] for ticket in listed["tickets"]]
    assert jobs.ticket(key)["partNumber"] == "1234567-001"
    job = jobs.link(ticket_key=key)
    assert (job["jiraTicketKey"], job["name"], job["goalQuantity"]) == (key, "Housings 1234567-001", 1)
    jobs.unlink(job["id"])
    assert "jiraTicketKey" not in jobs.get(job["id"])
    assert jobs.link(ticket_key=key, job_id=job["id"])["jiraTicketKey"] == key
