"""Each row of the seed's tables, by the table's name and the row's (seed 004)."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.gateway import Gateway
from tests.unit.ticketing.conftest import ANOMALY, CREDENTIALS, INTEGRATION, Atlassian, Shop

SAMPLE_TICKET = {
    "ticket_id", "ticket_number", "title", "description", "status", "priority", "urgency", "impact",
    "category", "subcategory", "created_at", "updated_at", "resolved_at", "closed_at", "assigned_to",
    "assigned_group", "requester", "url", "comments_count", "metadata",
}  # fmt: skip
SAMPLE_FOUND = {
    "ticket_id", "ticket_number", "title", "description", "status", "priority", "created_at", "updated_at",
    "assigned_to", "url",
}  # fmt: skip
SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def setup_body(atlassian: Atlassian, **more: Any) -> dict[str, Any]:
    body = {"type": "jira", "api_url": atlassian.url, "api_access_token": CREDENTIALS}
    return {name: value for name, value in (body | more).items() if value is not None}


class TestConnectionProperties:
    def test_host(self, api: Gateway, atlassian: Atlassian) -> None:
        for host, text in [
            (None, "api_url is required"),
            ("jira.example", "api_url must start with https://"),
            (f"{atlassian.url}?x=1", "api_url must not have a query or a fragment"),
            (atlassian.url.replace("//", "//me@"), "api_url must not have user info"),
        ]:
            answer = api.post(INTEGRATION, setup_body(atlassian, api_url=host))
            assert (answer.status, answer.json()) == (400, {"detail": text})

    def test_credentials(self, api: Gateway, atlassian: Atlassian) -> None:
        for token, text in [
            (None, "api_access_token is required"),
            (":", "api_access_token must be email:api_token or a personal access token"),
            ("a b", "api_access_token must be email:api_token or a personal access token"),
        ]:
            answer = api.post(INTEGRATION, setup_body(atlassian, api_access_token=token))
            assert (answer.status, answer.json()) == (400, {"detail": text})
        connected = api.post(INTEGRATION, setup_body(atlassian))
        assert connected.status == 201
        assert connected.json()["status"] == "Connected"
        assert "local-api-token" not in connected.text


class TestDataFlow:
    def test_create_ticket_from_anomaly(self, shop: Shop) -> None:
        ticket = shop.ticket(shop.anomaly()["id"])
        assert shop.atlassian.issue(ticket["ticket_number"])["fields"]["summary"] == "summary of ticket"

    def test_acknowledge_anomaly(self, shop: Shop) -> None:
        anomaly = shop.anomaly()["id"]
        shop.ticket(anomaly)
        shop.set_status(anomaly, "Acknowledged")
        shop.worker.run()
        (told,) = shop.atlassian.comments("MISC-1")
        assert re.fullmatch(r"\[[-\d]+ [:\d]+ UTC\] Qualytics Anomaly Status: Acknowledged", told)

    def test_archive_anomaly_resolve(self, shop: Shop) -> None:
        anomaly = shop.anomaly()["id"]
        shop.ticket(anomaly)
        shop.api.delete(f"/api/anomalies/{anomaly}?archive=true&status=Resolved&comment=by%20hand")
        shop.worker.run()
        status, comment = shop.atlassian.comments("MISC-1")
        assert status.endswith("UTC] Qualytics Anomaly Status: Resolved")
        assert comment == "Comment from Qualytics: by hand"

    def test_add_comment_to_anomaly(self, shop: Shop) -> None:
        anomaly = shop.anomaly()["id"]
        shop.ticket(anomaly)
        shop.comment(anomaly, "on it")
        shop.worker.run()
        assert shop.atlassian.comments("MISC-1") == ["Comment from Qualytics: on it"]

    def test_link_existing_ticket(self, shop: Shop) -> None:
        anomaly = shop.anomaly()["id"]
        link = shop.link(anomaly, "PI-42")
        assert (link["ticket_number"], link["origin"], link["status"]) == ("PI-42", "linked", "In Progress")
        shop.worker.run()
        (told,) = shop.atlassian.comments("PI-42")
        assert told.startswith("Qualytics Anomaly Linked [")


class TestWhatGetsSynced:
    test_new_ticket = TestDataFlow.test_create_ticket_from_anomaly
    test_anomaly_status_change = TestDataFlow.test_acknowledge_anomaly
    test_anomaly_comment = TestDataFlow.test_add_comment_to_anomaly

    def test_issue_status_is_not_read_and_not_changed(self, shop: Shop) -> None:
        anomaly = shop.anomaly()["id"]
        shop.link(anomaly, "PI-42")
        shop.api.delete(f"/api/anomalies/{anomaly}?status=Resolved")
        shop.worker.run()
        assert shop.atlassian.issue("PI-42")["fields"]["status"]["name"] == "In Progress"
        _transition(shop, "PI-42", "31")
        assert shop.api.get(f"/api/anomalies/{anomaly}").json()["status"] == "Resolved"
        # Only when somebody asks for it does the link show what the ticket looks like.
        (link,) = shop.links(anomaly)
        assert link["status"] == "In Progress"
        path = f"/api/anomalies/{anomaly}/ticket-links/{link['id']}/refresh"
        assert shop.api.post(path).json()["status"] == "Done"

    def test_issue_comments_are_not_read(self, shop: Shop) -> None:
        anomaly = shop.anomaly()["id"]
        shop.link(anomaly, "PI-42")
        shop.worker.run()
        assert ("GET", "/rest/api/2/issue/10042/comment") not in shop.atlassian.asked()
        assert shop.api.get(f"/api/anomalies/{anomaly}/comments").json()["total"] == 0

    def test_issue_closure_is_not_read(self, shop: Shop) -> None:
        anomaly = shop.anomaly()["id"]
        shop.link(anomaly, "PI-42")
        _transition(shop, "PI-42", "31")
        shop.worker.run()
        assert shop.api.get(f"/api/anomalies/{anomaly}").json()["status"] == "Active"


def _transition(shop: Shop, key: str, number: str) -> None:
    url = f"{shop.atlassian.url}/rest/api/2/issue/{key}/transitions"
    body = {"transition": {"id": number}}
    assert shop.atlassian.session.post(url, json=body, auth=("demo@example.com", "local-api-token")).ok


class TestCurrentLimitations:
    test_change_issue_status = TestWhatGetsSynced.test_issue_status_is_not_read_and_not_changed
    test_add_comments = TestWhatGetsSynced.test_issue_comments_are_not_read
    test_close_or_resolve_issue = TestWhatGetsSynced.test_issue_closure_is_not_read

    def test_reassign_issue(self, shop: Shop) -> None:
        anomaly = shop.anomaly()["id"]
        before = shop.link(anomaly, "PI-42")
        shop.worker.run()
        (after,) = shop.links(anomaly)
        assert before.keys() == after.keys()
        assert not [name for name in after if "assign" in name]


class TestFieldMapping:
    def test_summary(self, shop: Shop) -> None:
        shop.ticket(shop.anomaly()["id"], title="T" * 300)
        assert shop.atlassian.issue("MISC-1")["fields"]["summary"] == "T" * 254 + "…"

    def test_description(self, shop: Shop) -> None:
        shop.ticket(shop.anomaly()["id"], description="what the user wrote")
        described = shop.atlassian.issue("MISC-1")["fields"]["description"]
        user, rule, block = described.split("\n\n", 2)
        assert (user, rule) == ("what the user wrote", "----")
        assert block.startswith("Qualytics Anomaly Linked [")

    def test_priority(self, shop: Shop) -> None:
        assert shop.ticket(shop.anomaly()["id"], priority="High")["priority"] == "High"
        assert shop.atlassian.issue("MISC-1")["fields"]["priority"]["name"] == "High"


class TestAutoPopulatedFields:
    def test_description(self, shop: Shop) -> None:
        detected = "2025-12-21T01:48:42.988233+00:00"
        checks = [{"message": "is not unique", "field": "CUSTOMER_ID"}, {"message": "too many rows"}]
        anomaly = shop.anomaly(detected=detected, failed_checks=checks)["id"]
        shop.set_status(anomaly, "Acknowledged")
        ticket = shop.ticket(anomaly)
        lines = [line for line in ticket["description"].split("\n") if line]
        assert lines[:2] == ["description of the ticket", "---"]
        assert re.fullmatch(r"Qualytics Anomaly Linked \[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\]", lines[2])
        assert lines[3:] == [
            f"Anomaly ID: {anomaly}",
            "Status: Acknowledged",
            "Type: shape",
            "Detected: 2025-12-21 01:48:42.988233+00:00",
            "Failed Checks:",
            "- CUSTOMER_ID: is not unique",
            "- too many rows",
            f"View in Qualytics: https://quality.example/datastores/1/anomalies?id={anomaly}",
        ]

    test_comments_on_updates = TestDataFlow.test_archive_anomaly_resolve


class TestKeyBenefits:
    def test_bidirectional_navigation(self, shop: Shop) -> None:
        anomaly = shop.anomaly()["id"]
        ticket = shop.ticket(anomaly)
        shop.worker.run()
        (back,) = shop.atlassian.get(f"issue/{ticket['ticket_number']}/remotelink")
        assert back["object"]["url"] == f"https://quality.example/datastores/1/anomalies?id={anomaly}"
        assert shop.links(anomaly)[0]["url"] == f"{shop.atlassian.url}/browse/MISC-1"

    def test_multiple_tickets_can_be_linked_to_a_single_anomaly(self, shop: Shop) -> None:
        anomaly = shop.anomaly()["id"]
        for key in ("PI-1", "PI-2"):
            shop.link(anomaly, key)
        assert [link["ticket_number"] for link in shop.links(anomaly)] == ["PI-1", "PI-2"]


class TestTroubleshooting:
    """A problem of each kind has words of its own, when the integration is set up and when it is used."""

    @pytest.fixture
    def texts(self, api: Gateway, atlassian: Atlassian, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
        """What each row's problem is answered with at set-up."""
        monkeypatch.setattr("jobticket.jira.client.BACKOFF_SECONDS", 0)
        answers = {}
        answers["connection failed"] = api.post(
            INTEGRATION, setup_body(atlassian, api_url="http://127.0.0.1:9")
        )
        answers["401"] = api.post(INTEGRATION, setup_body(atlassian, api_access_token="demo@example.com:no"))
        atlassian.fault({"path": "/myself", "status": 403, "times": None})
        answers["403"] = api.post(INTEGRATION, setup_body(atlassian))
        atlassian.control(faults=[])
        answers["project"] = api.post(INTEGRATION, setup_body(atlassian, project_key="NOPE"))
        answers["issue type"] = api.post(
            INTEGRATION, setup_body(atlassian, project_key="MISC", issue_type="Wish")
        )
        atlassian.fault({"path": "/myself", "held": True, "times": None})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("jobticket.connections.connector.VERIFY_SECONDS", 0.2)
            answers["timeout"] = api.post(INTEGRATION, setup_body(atlassian))
        atlassian.control(faults=[])
        assert {answer.status for answer in answers.values()} == {400}
        assert api.get(INTEGRATION).status == 404  # nothing was stored
        return {name: str(answer.json()["detail"]) for name, answer in answers.items()}

    def test_connection_failed(self, texts: dict[str, str]) -> None:
        assert texts["connection failed"].startswith("Connection failed: check the host")

    def test_401_unauthorized(self, texts: dict[str, str], shop: Shop) -> None:
        assert texts["401"].startswith("Incorrect credentials")
        shop.atlassian.fault({"path": "/issue/", "status": 401, "times": None})
        answer = shop.api.get(f"{INTEGRATION}/tickets/PI-1")
        assert (answer.status, "credentials are not correct" in answer.text) == (502, True)

    def test_403_forbidden(self, texts: dict[str, str], shop: Shop) -> None:
        assert "lacks permission" in texts["403"]
        shop.atlassian.control(read_only_projects=["MISC"])
        answer = shop.create_ticket(shop.anomaly()["id"])
        assert (answer.status, "lacks a permission" in answer.text) == (502, True)

    def test_project_not_found(self, texts: dict[str, str], shop: Shop) -> None:
        assert texts["project"].startswith("Project not found: NOPE")
        answer = shop.create_ticket(shop.anomaly()["id"], project_key="NOPE")
        assert (answer.status, answer.json()["detail"]) == (400, texts["project"])

    def test_issue_type_not_found(self, texts: dict[str, str], shop: Shop) -> None:
        assert texts["issue type"].startswith("Issue type not found: Wish")
        answer = shop.create_ticket(shop.anomaly()["id"], issue_type="Wish")
        assert (answer.status, answer.json()["detail"]) == (400, texts["issue type"])

    def test_network_timeout(
        self, texts: dict[str, str], shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert texts["timeout"].startswith("Network timeout")
        monkeypatch.setattr("jobticket.jira.client.READ_SECONDS", 0.5)
        shop.atlassian.fault({"path": "/issue/", "held": True, "times": None})
        answer = shop.api.get(f"{INTEGRATION}/tickets/PI-1")
        assert (answer.status, answer.json()["detail"]) == (
            504,
            "Network timeout: Jira did not answer in time",
        )

    def test_all_of_them_are_told_apart(self, texts: dict[str, str]) -> None:
        assert len({text[:20] for text in texts.values()}) == 6


class TestSamplePayloads:
    def test_create_ticket(self, shop: Shop) -> None:
        anomaly = shop.anomaly()["id"]
        body = {
            "title": "summary of ticket",
            "description": "description of the ticket",
            "priority": "Medium",
        }
        answer = shop.api.post(f"{INTEGRATION}/anomalies/{anomaly}/tickets", body)
        assert answer.status == 201
        made = answer.json()
        ticket = made.pop("ticket")
        assert made == {
            "anomaly_id": anomaly,
            "integration_id": 1,
            "message": f"Ticket MISC-1 created and linked to anomaly {anomaly}",
        }
        assert set(ticket) == SAMPLE_TICKET
        nulls = {name for name, value in ticket.items() if value is None}
        assert nulls == {
            "urgency", "impact", "subcategory", "resolved_at", "closed_at", "assigned_to", "assigned_group",
            "comments_count",
        }  # fmt: skip
        assert ticket["ticket_number"] == "MISC-1"
        assert ticket["ticket_id"].isdigit()
        assert SECONDS.fullmatch(ticket["created_at"])
        assert (ticket["title"], ticket["priority"], ticket["category"]) == (
            "summary of ticket",
            "Medium",
            "Task",
        )
        assert ticket["metadata"] == {"project_key": "MISC", "issue_type": "Task"}
        assert ticket["requester"] == "Dana Demo"
        assert shop.api.get(f"{INTEGRATION}/tickets/{ticket['ticket_id']}").json() == ticket

    def test_search_tickets(self, shop: Shop) -> None:
        answer = shop.api.get(f"{INTEGRATION}/tickets/search?query=deburring").json()
        assert {name: answer[name] for name in ("total", "page", "size", "pages")} == {
            "total": 1,
            "page": 1,
            "size": 50,
            "pages": 1,
        }
        (found,) = answer["items"]
        assert set(found) == SAMPLE_FOUND
        assert (found["ticket_number"], found["title"]) == ("PI-1", "Set up the new deburring cell")


class TestEndpoints:
    """Each endpoint of the two tables answers."""

    @pytest.mark.parametrize(
        ("method", "path", "body", "status"),
        [
            ("GET", f"{INTEGRATION}/form-specification", None, 200),
            ("GET", f"{INTEGRATION}/tickets/search", None, 200),
            ("GET", f"{INTEGRATION}/tickets/PI-42", None, 200),
            ("POST", f"{INTEGRATION}/anomalies/1/tickets", {"title": "T"}, 201),
            ("GET", "/api/anomalies/1/ticket-links", None, 200),
            ("POST", "/api/anomalies/1/ticket-links", {"ticket_id": "PI-1"}, 201),
            ("DELETE", "/api/anomalies/1/ticket-links/1", None, 204),
        ],
    )
    def test_endpoint(self, shop: Shop, method: str, path: str, body: Any, status: int) -> None:
        shop.api.post("/api/anomalies", ANOMALY)
        shop.link(1, "PI-7")
        assert shop.api.call(method, path, body).status == status
