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

    def call(self, method: str, path: str, body: Any = None, *, status: int = 200, **options: Any) -> Any:
        answer = self.stack.request(method, path, json=body, **options)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

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
        body = {"name": "JOB-2024-001", "goalQuantity": 50, "jiraTicketKey": ticket}
        job_id = str(self.call("POST", "/api/jobs", body, status=201)["id"])
        steps = [{"name": "CNC"}, {"name": "Deburr"}, {"name": "QC"}]
        route = {"jobId": job_id, "name": path, "goalQuantity": 50, "steps": steps}
        path_id = self.call("POST", "/api/paths", route, status=201)["id"]
        self.call("POST", "/api/serials", {"pathId": path_id, "quantity": 5}, status=201)
        return job_id

    def push(self, job_id: str) -> Any:
        return self.call("POST", "/api/jira/push", {"jobId": job_id})


@pytest.fixture
def floor(stack: Stack) -> Iterator[Floor]:
    floor = Floor(stack)
    host = {"host": stack.atlassian_url, "credentials": ":".join(USER)}
    connection = f"/api/backend/connections/{CONNECTION}/api-token"
    floor.call("PUT", connection, {"provider": "jira", **host})
    settings = {"enabled": True, "pushEnabled": True, "externalId": CONNECTION, "projectKey": "PI"}
    floor.call("PUT", "/api/settings", settings)
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
    assert floor.call("POST", "/api/jira/comment", {"jobId": job_id}) == {"success": True}
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
    listed = floor.call("GET", "/api/jira/tickets")
    assert listed["error"] is None
    assert key in [ticket["key"] for ticket in listed["tickets"]]
    assert floor.call("GET", f"/api/jira/tickets/{key}")["partNumber"] == "1234567-001"
    job = floor.call("POST", "/api/jira/link", {"ticketKey": key}, status=201)["job"]
    assert (job["jiraTicketKey"], job["name"], job["goalQuantity"]) == (key, "Housings 1234567-001", 1)
    floor.call("DELETE", f"/api/jira/link/{job['id']}", status=204)
    assert "jiraTicketKey" not in floor.call("GET", f"/api/jobs/{job['id']}")
    again = {"ticketKey": key, "jobId": job["id"]}
    assert floor.call("POST", "/api/jira/link", again)["job"]["jiraTicketKey"] == key
