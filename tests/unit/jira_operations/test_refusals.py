"""Who is refused, in which order, with which words; and what Jira's troubles become."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobticket.clock import now
from tests.support.gateway import Gateway, LambdaContext
from tests.unit.jira_operations.conftest import (
    AUTH,
    PASSWORD,
    PERSONAL_TOKEN,
    Atlassian,
    Jira,
    Time,
    connect,
)

EVENTS = Path(__file__).parents[3] / "events" / "jira"
READS: dict[str, dict[str, Any]] = {
    "get-projects": {},
    "get-tickets-for-project": {"jira_project_id": "10000"},
    "get-boards-for-project": {"jira_project_id": "10001"},
    "get-all-sprints-for-project": {"jira_project_id": "10001"},
    "get-active-sprints-for-project": {"jira_project_id": "10001"},
    "get-tickets-for-sprint": {"sprint_id": "2"},
    "get-issue-details": {"issue_id_or_key": "PI-42"},
}
WRITES: dict[str, tuple[str, dict[str, Any]]] = {
    "edit-issue": ("PUT", {"issue_id_or_key": "PI-42", "summary": "New"}),
    "create-ticket": ("POST", {"jira_project_id": "10000", "summary": "New", "issue_type_id": "10001"}),
    "delete-issue": ("DELETE", {"issue_id_or_key": "PI-42"}),
}
FAILED = {
    "get-projects": "Failed to fetch Jira projects",
    "get-tickets-for-project": "Failed to fetch Jira tickets",
    "get-boards-for-project": "Failed to fetch Jira boards",
    "get-all-sprints-for-project": "Failed to fetch Jira sprints",
    "get-active-sprints-for-project": "Failed to fetch active Jira sprints",
    "get-tickets-for-sprint": "Failed to fetch Jira tickets for sprint",
    "get-issue-details": "Failed to fetch Jira issue",
    "edit-issue": "Failed to update Jira issue",
    "create-ticket": "Failed to create Jira ticket",
    "delete-issue": "Failed to delete Jira issue",
}
DEAD = {
    "error": "Connection is invalid or expired. Please reauthorize the connection.",
    "needs_reauthorization": True,
}


def call(jira: Jira, name: str, **changes: Any) -> Any:
    if name in WRITES:
        method, body = WRITES[name]
        return jira.send(method, name, **(body | changes))
    return jira.get(name, **(READS.get(name, {}) | changes))


every = pytest.mark.parametrize("name", [*READS, *WRITES])
every_read = pytest.mark.parametrize("name", READS)


class TestOrderOfChecks:
    """Key, parameters, connection, token, project, Jira."""

    @every
    def test_the_key_comes_first(self, jira: Jira, name: str) -> None:
        strangers = Gateway(jira.api._api, jira.api._handler, "wrong")
        answer = call(Jira(strangers, ""), name)
        assert (answer.status, answer.json()) == (401, {"error": "Invalid secret key"})

    @every
    def test_then_its_scope(self, jira: Jira, name: str) -> None:
        answer = call(Jira(Gateway(jira.api._api, jira.api._handler, "only-tokens"), ""), name)
        assert (answer.status, answer.json()) == (403, {"error": "This key does not have the scope: jira"})

    @pytest.mark.parametrize("name", [*READS, "get-selected-project", "edit-issue"])
    def test_then_the_parameters(self, jira: Jira, name: str) -> None:
        answer = call(Jira(jira.api, ""), name)
        assert (answer.status, answer.json()) == (400, {"error": "Missing external_id"})

    def test_the_connection_before_the_other_parameters(self, jira: Jira) -> None:
        answer = Jira(jira.api, "").get("get-tickets-for-project", include_sprint="perhaps")
        assert (answer.status, answer.json()) == (400, {"error": "Missing external_id"})

    @pytest.mark.parametrize(
        ("method", "name", "body", "text"),
        [
            ("POST", "select-project", {}, "Missing external_id or jira_project_id"),
            ("POST", "select-project", {"external_id": "x"}, "Missing external_id or jira_project_id"),
            ("POST", "select-project", {"jira_project_id": "1"}, "Missing external_id or jira_project_id"),
            ("DELETE", "delete-issue", {}, "Missing required fields: external_id or issue_id_or_key"),
            (
                "DELETE",
                "delete-issue",
                {"external_id": "x"},
                "Missing required fields: external_id or issue_id_or_key",
            ),
            (
                "DELETE",
                "delete-issue",
                {"external_id": "x", "issue_id_or_key": "?"},
                "Invalid issue id or key",
            ),
            ("PUT", "edit-issue", {"external_id": "x"}, "Missing issue_id_or_key"),
            ("PUT", "edit-issue", {"external_id": 7}, "external_id must be a string of 1 to 255 characters"),
        ],
    )
    def test_bodies(self, jira: Jira, method: str, name: str, body: dict[str, Any], text: str) -> None:
        answer = jira.api.call(method, f"/api/backend/jira/{name}", body)
        assert (answer.status, answer.json()) == (400, {"error": text})

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("get-tickets-for-sprint", "Missing sprint_id"),
            ("get-issue-details", "Missing issue_id_or_key"),
            ("get-issue", "Missing issue_id_or_key"),
        ],
    )
    def test_queries(self, jira: Jira, name: str, text: str) -> None:
        answer = Jira(jira.api, "nobody").get(name)
        assert (answer.status, answer.json()) == (400, {"error": text})

    @pytest.mark.parametrize("name", [*READS, *WRITES, "get-selected-project"])
    def test_then_the_connection(self, jira: Jira, name: str) -> None:
        answer = call(Jira(jira.api, "nobody"), name)
        assert (answer.status, answer.json()) == (401, {"error": "Connection not found"})

    def test_a_connection_to_select_for(self, jira: Jira) -> None:
        answer = Jira(jira.api, "nobody").send("POST", "select-project", jira_project_id="10000")
        assert (answer.status, answer.json()) == (401, {"error": "Connection not found"})

    @every
    def test_then_whether_it_is_still_good(
        self, jira: Jira, function: Any, atlassian: Atlassian, name: str
    ) -> None:
        connect(function, atlassian.url, external_id="dead", invalid=True)
        changes = {"jira_project_id": None} if name == "create-ticket" else {}
        answer = call(Jira(jira.api, "dead"), name, **changes)
        assert (answer.status, answer.json()) == (403, DEAD)
        assert atlassian.asked() == []

    def test_a_consent_that_has_ended(self, jira: Jira, function: Any, atlassian: Atlassian) -> None:
        connect(function, atlassian.url, external_id="old", kind="oauth", expires_at=now())
        answer = call(Jira(jira.api, "old"), "get-tickets-for-project", jira_project_id="")
        assert (answer.status, answer.json()) == (403, DEAD)

    @pytest.mark.parametrize("name", ["selected-project", "selected-project-id"])
    def test_the_selection_needs_no_good_connection(
        self, jira: Jira, function: Any, atlassian: Atlassian, name: str
    ) -> None:
        connect(function, atlassian.url, external_id="dead", invalid=True)
        dead = Jira(jira.api, "dead")
        assert dead.send("POST", "select-project", jira_project_id="10000").status == 200
        assert dead.get(f"get-{name}").json() == {"jira_project_id": "10000"}

    @pytest.mark.parametrize("name", [name for name in READS if name.endswith("-for-project")])
    def test_then_the_project(self, jira: Jira, atlassian: Atlassian, name: str) -> None:
        answer = call(jira, name, jira_project_id="")
        assert answer.status == 400
        assert answer.json() == {"error": "No project selected and no project ID provided"}
        assert atlassian.asked() == []

    @pytest.mark.parametrize("limit", ["0", "501", "x", "-1", "1.5"])
    @pytest.mark.parametrize("name", [name for name in READS if name != "get-issue-details"])
    def test_limits(self, jira: Jira, name: str, limit: str) -> None:
        answer = call(jira, name, limit=limit)
        assert (answer.status, answer.json()["error"]) == (400, "limit must be an integer from 1 to 500")

    @pytest.mark.parametrize("cursor", ["", "x", "!!", "bnVsbA", "W10", "WyJwcm9qZWN0cyIsLTFd"])
    @pytest.mark.parametrize("name", [name for name in READS if name != "get-issue-details"])
    def test_cursors(self, jira: Jira, atlassian: Atlassian, name: str, cursor: str) -> None:
        answer = call(jira, name, cursor=cursor)
        assert (answer.status, answer.json()) == (400, {"error": "Invalid cursor"})
        assert atlassian.asked() == []


EVIL = [
    "PI-42/../../serverInfo",
    "../myself",
    "..",
    ".",
    "PI-42%2f..%2f..%2fmyself",
    "PI-42?expand=changelog",
    "PI-42#x",
    "PI-42;x",
    "PI-42 ",
    "\nPI-42",
    "PI-42\x00",
    "PI-42' OR '1'='1",
    '10000" OR project = "SCRUM',
    "10000 OR project = SCRUM",
    "10000) OR (project is not EMPTY",
    "PI\\",
    "https://example.com/",
    "//example.com",
    "@example.com",
    "PI-٤٢",
    "-1",
    "1e5",
    "0x10",
]


class TestInjection:
    """Nothing that is not an id or a key leaves the product; and what leaves it goes to the own site only."""

    @pytest.mark.parametrize(
        ("name", "parameter", "text"),
        [
            ("get-tickets-for-project", "jira_project_id", "Invalid jira_project_id"),
            ("get-boards-for-project", "jira_project_id", "Invalid jira_project_id"),
            ("get-all-sprints-for-project", "jira_project_id", "Invalid jira_project_id"),
            ("get-active-sprints-for-project", "jira_project_id", "Invalid jira_project_id"),
            ("get-tickets-for-sprint", "sprint_id", "Invalid sprint_id"),
            ("get-issue-details", "issue_id_or_key", "Invalid issue id or key"),
            ("edit-issue", "issue_id_or_key", "Invalid issue id or key"),
            ("delete-issue", "issue_id_or_key", "Invalid issue id or key"),
            ("create-ticket", "jira_project_id", "Invalid jira_project_id"),
        ],
    )
    def test_is_refused(self, jira: Jira, atlassian: Atlassian, name: str, parameter: str, text: str) -> None:
        for evil in EVIL:
            answer = call(jira, name, **{parameter: evil})
            assert (answer.status, answer.json()) == (400, {"error": text}), evil
        assert atlassian.asked() == []

    def test_is_not_selected(self, jira: Jira) -> None:
        for evil in EVIL:
            answer = jira.send("POST", "select-project", jira_project_id=evil)
            assert (answer.status, answer.json()) == (400, {"error": "Invalid jira_project_id"}), evil

    @pytest.mark.parametrize("key", ["B7-214-68901", "2013PROJECT-1"])
    def test_keys_of_a_data_center_are_asked_for(self, server: Jira, atlassian: Atlassian, key: str) -> None:
        answer = call(server, "get-issue-details", issue_id_or_key=key)
        assert (answer.status, answer.json()["error"]) == (404, "Issue not found")
        call(server, "get-tickets-for-project", jira_project_id=key.rpartition("-")[0])
        asked = [each["path"] for each in atlassian.asked()]
        assert asked == [f"/rest/api/2/issue/{key}", "/rest/api/2/search"]

    @pytest.mark.parametrize("word", ["AND", "OR", "NOT", "EMPTY", "ORDER", "null", "2013P", "B7-214"])
    def test_keys_that_are_words_of_jql_stay_keys(self, jira: Jira, atlassian: Atlassian, word: str) -> None:
        atlassian.control(record_bodies=True)
        call(jira, "get-tickets-for-project", jira_project_id=word)
        asked = {call["body"]["jql"] for call in atlassian.asked()}
        assert asked == {f'project = "{word}" ORDER BY key DESC'}

    def test_a_summary_is_only_text(self, jira: Jira, atlassian: Atlassian) -> None:
        text = '"}}, "fields": {"summary": "x"'
        created = call(jira, "create-ticket", summary=text).json()["ticket"]
        assert created["summary"] == text

    def test_no_call_goes_to_another_site_of_the_same_grant(self, jira: Jira, atlassian: Atlassian) -> None:
        for name in (*READS, *WRITES):
            call(jira, name)
        assert all(each["path"].startswith("/rest/") for each in atlassian.asked())


class TestTroubleAtJira:
    @every_read
    @pytest.mark.parametrize("status", [502, 503, 504])
    def test_reads_are_tried_again(self, jira: Jira, atlassian: Atlassian, name: str, status: int) -> None:
        atlassian.fault({"path": "/rest/", "status": status, "times": 2})
        assert call(jira, name).status == 200

    @every_read
    def test_reads_survive_resets(self, jira: Jira, atlassian: Atlassian, name: str) -> None:
        atlassian.fault(
            {"path": "/rest/", "drop": "before"},
            {"path": "/rest/", "drop": "after"},
            {"path": "/rest/", "truncate_bytes": 20},
        )
        assert call(jira, name).status == 200

    @every
    def test_what_lasts_is_a_failure(self, jira: Jira, atlassian: Atlassian, name: str) -> None:
        atlassian.fault(
            {"path": "/rest/", "status": 500, "times": None, "body": {"errorMessages": ["Broken."]}}
        )
        answer = call(jira, name)
        assert (answer.status, answer.json()["error"]) == (500, FAILED[name])
        assert answer.json()["details"] == {"errorMessages": ["Broken."]}

    @every
    @pytest.mark.parametrize("body", ["<html>Down</html>", {"unexpected": True}, [], None])
    def test_answers_that_are_none(self, jira: Jira, atlassian: Atlassian, name: str, body: Any) -> None:
        atlassian.fault({"path": "/rest/", "status": 200, "times": None, "body": body})
        answer = call(jira, name)
        if name == "delete-issue" and not isinstance(body, str):
            assert answer.status == 204  # nothing is expected of the answer but that it is Jira's
        elif name == "edit-issue" and not isinstance(body, str):
            assert answer.status == 200  # written; only the read-back made no sense
        else:
            assert (answer.status, answer.json()["error"]) == (500, FAILED[name])

    @every
    def test_jira_that_does_not_answer(
        self, jira: Jira, atlassian: Atlassian, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setattr("jobticket.web.api.LONGEST_WORK_SECONDS", 0.12)
        atlassian.fault({"path": "/rest/", "held": True, "times": None, "status": 500})
        answer = call(jira, name)
        assert (answer.status, answer.json()["error"]) == (504, "Jira did not answer in time")

    @every
    def test_credentials_that_jira_refuses(self, jira: Jira, atlassian: Atlassian, name: str) -> None:
        atlassian.fault({"path": "/rest/", "status": 401, "times": None, "body": {}})
        answer = call(jira, name)
        assert (answer.status, answer.json()) == (403, DEAD)

    @every
    def test_credentials_that_do_not_fit_any_more(
        self, jira: Jira, function: Any, atlassian: Atlassian, name: str
    ) -> None:
        """Cloud's own host takes them for nobody's: empty lists and 404, which are not the truth."""
        connect(function, atlassian.url, credentials=f"{AUTH[0]}:revoked")
        answer = call(jira, name)
        assert (answer.status, answer.json()) == (403, DEAD)

    @every
    def test_nothing_secret_is_told(self, jira: Jira, atlassian: Atlassian, name: str, capsys: Any) -> None:
        secret = AUTH[1]
        said = {"errorMessages": [f"Basic {secret} is wrong: {secret}"], "errors": {secret: secret}}
        for status in (400, 403, 404, 500):
            atlassian.fault({"path": "/rest/", "status": status, "times": None, "body": said})
            answer = call(jira, name)
            assert answer.status >= 400
            assert secret not in answer.text
        assert secret not in capsys.readouterr().out


class TestRateLimits:
    REASONS = (
        "jira-quota-global-based",
        "jira-quota-tenant-based",
        "jira-burst-based",
        "jira-per-issue-on-write",
        "something-new",
        None,
    )

    def limit(
        self, atlassian: Atlassian, reason: str | None, retry_after: int | None, times: int | None
    ) -> None:
        headers = {"RateLimit-Reason": reason, "Retry-After": retry_after and str(retry_after)}
        atlassian.fault(
            {
                "path": "/rest/",
                "status": 429,
                "times": times,
                "headers": {name: value for name, value in headers.items() if value},
                "body": {"errorMessages": ["Rate limit exceeded."]},
            }
        )

    @every
    @pytest.mark.parametrize("reason", REASONS)
    def test_a_short_one_is_waited_for(
        self, jira: Jira, atlassian: Atlassian, passing: Time, name: str, reason: str | None
    ) -> None:
        self.limit(atlassian, reason, 2, times=1)
        assert call(jira, name).status in {200, 201, 204}
        assert round(max(passing.slept)) == 2

    @every
    @pytest.mark.parametrize("reason", [None, "jira-quota-tenant-based", "jira-burst-based"])
    def test_one_without_retry_after(
        self, jira: Jira, atlassian: Atlassian, passing: Time, name: str, reason: str | None
    ) -> None:
        self.limit(atlassian, reason, None, times=1)
        assert call(jira, name).status in {200, 201, 204}
        assert max(passing.slept) > 0.2

    @every
    @pytest.mark.parametrize("reason", REASONS)
    def test_a_long_one_is_passed_on(
        self, jira: Jira, atlassian: Atlassian, passing: Time, name: str, reason: str | None
    ) -> None:
        self.limit(atlassian, reason, 900, times=None)
        answer = call(jira, name)
        assert answer.status == 429
        assert int(answer.headers["retry-after"]) in range(895, 901)
        assert answer.json()["error"] == "Jira's rate limit is reached. Try again later."

    def test_what_jira_says_of_a_limit_comes_along(self, jira: Jira, atlassian: Atlassian) -> None:
        self.limit(atlassian, "jira-burst-based", 900, times=None)
        answer = call(jira, "get-issue-details")
        assert answer.json()["details"] == {"errorMessages": ["Rate limit exceeded."]}

    def test_what_is_known_to_be_limited_is_not_asked_again(self, jira: Jira, atlassian: Atlassian) -> None:
        self.limit(atlassian, "jira-quota-tenant-based", 900, times=1)
        assert call(jira, "get-projects").status == 429
        asked = len(atlassian.asked())
        assert call(jira, "get-issue-details").status == 429
        assert len(atlassian.asked()) == asked

    def test_a_limited_account_of_a_data_center_holds_up_no_other(
        self, server: Jira, function: Any, atlassian: Atlassian
    ) -> None:
        password: dict[str, Any] = {"credentials": PASSWORD, "authorization": "another"}
        connect(function, atlassian.url, external_id="b", deployment="data_center", **password)
        other = Jira(server.api, "b")
        atlassian.fault({"path": "/rest/", "status": 429, "headers": {"Retry-After": "9223372036854775807"}})
        limited = call(server, "get-issue-details")
        assert (limited.status, limited.headers["retry-after"]) == (429, "86400")
        asked = len(atlassian.asked())
        assert call(server, "get-projects").status == 429
        assert len(atlassian.asked()) == asked
        for name in READS:
            assert call(other, name).status == 200

    def test_new_credentials_forget_a_limit(
        self, server: Jira, function: Any, atlassian: Atlassian, passing: Time
    ) -> None:
        atlassian.fault({"path": "/rest/", "status": 429, "headers": {"Retry-After": "9223372036854775807"}})
        assert call(server, "get-issue-details").status == 429
        assert call(server, "get-issue-details").status == 429
        passing.passed += 60
        again: dict[str, Any] = {
            "kind": "personal_access_token",
            "credentials": PERSONAL_TOKEN,
            "authorization": "second",
        }
        connect(function, atlassian.url, external_id="server", deployment="data_center", **again)
        assert call(server, "get-issue-details").status == 200

    @every
    def test_no_limited_write_happens_twice(self, jira: Jira, atlassian: Atlassian, name: str) -> None:
        self.limit(atlassian, "jira-burst-based", 1, times=2)
        call(jira, name)
        done = [
            c for c in atlassian.asked() if c["method"] in {"PUT", "DELETE"} or c["path"].endswith("/issue")
        ]
        assert sum(c["status"] in {200, 201, 204} for c in done if c["method"] != "GET") <= 1

    @every_read
    def test_unavailable_for_longer_than_can_be_waited(
        self, jira: Jira, atlassian: Atlassian, name: str
    ) -> None:
        atlassian.fault({"path": "/rest/", "status": 503, "times": None, "headers": {"Retry-After": "120"}})
        answer = call(jira, name)
        assert (answer.status, answer.headers["retry-after"]) == (429, "120")


class TestAliases:
    @pytest.mark.parametrize("prefix", ["/api/backend/jira", "/api/backend/integration-helpers/jira"])
    @pytest.mark.parametrize(
        ("alias", "name", "query"),
        [
            *((name, name, query) for name, query in READS.items()),
            ("get-selected-project", "get-selected-project", {}),
            ("get-all-projects", "get-projects", {}),
            ("get-selected-project-id", "get-selected-project", {}),
            ("get-issue", "get-issue-details", {"issue_key": "PI-42"}),
        ],
    )
    def test_answer_alike(
        self, jira: Jira, prefix: str, alias: str, name: str, query: dict[str, Any]
    ) -> None:
        direct = call(jira, name).json()
        assert Jira(jira.api, prefix=prefix).get(alias, **query).json() == direct

    def test_writes(self, jira: Jira) -> None:
        other = Jira(jira.api, prefix="/api/backend/integration-helpers/jira")
        assert other.send("POST", "select-project", jira_project_id="10000").status == 200
        assert [call(other, name).status for name in WRITES] == [200, 201, 204]


def test_each_route_has_a_sample_event_that_it_answers(jira: Jira, function: Any) -> None:
    events = [json.loads(path.read_text()) for path in EVENTS.glob("*.json")]
    routes = {(route.method, route.path) for route in function.api.routes}
    assert {(event["httpMethod"], event["resource"]) for event in events} == routes
    for event in events:
        event["headers"]["Authorization"] = "Bearer every-scope"
        assert function.handler(event, LambdaContext())["statusCode"] != 500
