"""The integration, its form, searching tickets, and links."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import quote

import pytest

from jobticket.jira.lookup import text_jql
from jobticket.ticketing.linked_tickets import plain
from tests.support.gateway import Gateway
from tests.support.tables import stamp
from tests.unit.conftest import client
from tests.unit.ticketing.conftest import CREDENTIALS, INTEGRATION, Atlassian, Shop, connections

LINK = {
    "id", "anomaly_id", "integration_id", "ticket_id", "ticket_number", "title", "status", "url", "origin",
    "created", "last_synced", "last_sync_error",
}  # fmt: skip


def found(shop: Shop, query: str, more: str = "") -> list[str]:
    answer = shop.api.get(f"{INTEGRATION}/tickets/search?query={quote(query)}{more}")
    assert answer.status == 200, answer.text
    return [item["ticket_number"] for item in answer.json()["items"]]


class TestIntegration:
    def test_there_is_one_at_a_time(self, shop: Shop) -> None:
        body = {"type": "jira", "api_url": shop.atlassian.url, "api_access_token": CREDENTIALS}
        second = shop.api.post(INTEGRATION, body)
        assert (second.status, second.json()) == (
            409,
            {"detail": "There is a ticketing integration already. Delete it first."},
        )
        shown = shop.api.get(INTEGRATION).json()
        assert shown == {
            "id": 1,
            "type": "jira",
            "api_url": shop.atlassian.url,
            "external_id": None,
            "project_key": "MISC",
            "issue_type": None,
            "status": "Connected",
            "created": shown["created"],
            "updated": shown["created"],
        }

    def test_its_secret_is_sealed_and_goes_with_it(self, shop: Shop) -> None:
        for name in ("ticketing", "connections"):
            assert "local-api-token" not in str(client("dynamodb").scan(TableName=name))
        assert [name.rpartition("-")[0] for name in connections()] == ["CONNECTION#ticketing#integration-1"]
        assert shop.api.delete(INTEGRATION).status == 204
        assert connections() == []
        assert shop.api.get(INTEGRATION).status == 404
        assert shop.api.delete(INTEGRATION).status == 404

    def test_a_refused_one_leaves_nothing_behind(self, api: Gateway, atlassian: Atlassian) -> None:
        body = {"type": "jira", "api_url": atlassian.url, "api_access_token": CREDENTIALS}
        assert api.post(INTEGRATION, body | {"project_key": "NOPE"}).status == 400
        refused = api.post(INTEGRATION, body | {"issue_type": "Wish"})
        assert refused.json() == {"detail": "Issue type not found: Wish does not exist at this site"}
        assert connections() == []
        assert api.post(INTEGRATION, body | {"issue_type": "Bug"}).status == 201

    def test_it_can_use_an_existing_connection(
        self, api: Gateway, atlassian: Atlassian, function: Any
    ) -> None:
        from jobticket.clock import Deadline
        from jobticket.connections.credentials import checked_login
        from jobticket.connections.model import ConnectionId

        missing = api.post(INTEGRATION, {"type": "jira", "external_id": "team-1"})
        assert missing.json() == {"detail": "The Jira connection team-1 does not exist"}
        function.connector.connect(
            ConnectionId("jira", "team-1"),
            atlassian.url,
            checked_login(CREDENTIALS),
            stamp=stamp(),
            deadline=Deadline.after(20),
        )
        both = {"type": "jira", "external_id": "team-1", "api_url": atlassian.url}
        assert api.post(INTEGRATION, both).status == 400
        made = api.post(INTEGRATION, {"type": "jira", "external_id": "team-1"}).json()
        assert (made["external_id"], made["api_url"]) == ("team-1", atlassian.url)
        assert api.delete(INTEGRATION).status == 204
        assert connections() == ["CONNECTION#jira#team-1"]  # it is not the integration's to delete

    def test_a_change_is_partial_and_checked_again(self, shop: Shop) -> None:
        changed = shop.api.put(INTEGRATION, {"project_key": "SCRUM", "issue_type": "Bug"}).json()
        assert (changed["project_key"], changed["issue_type"]) == ("SCRUM", "Bug")
        for body, text in [
            ({"project_key": "NOPE"}, "Project not found: NOPE"),
            ({"issue_type": "Wish"}, "Issue type not found: Wish"),
            ({"api_access_token": "demo@example.com:no"}, "Incorrect credentials"),
            ({"api_url": shop.atlassian.url}, "api_access_token is required"),
            ({"external_id": "nobody"}, "The Jira connection nobody does not exist"),
        ]:
            answer = shop.api.put(INTEGRATION, body)
            assert (answer.status, answer.json()["detail"].startswith(text)) == (400, True), answer.text
        assert shop.api.get(INTEGRATION).json() == changed
        assert shop.api.put(INTEGRATION, {"api_access_token": CREDENTIALS}).status == 200
        cleared = shop.api.put(INTEGRATION, {"project_key": "", "issue_type": ""}).json()
        assert (cleared["project_key"], cleared["issue_type"]) == (None, None)

    def test_a_refused_change_leaves_the_credentials_in_use(self, shop: Shop) -> None:
        def stored() -> Any:
            return client("dynamodb").scan(TableName="connections")["Items"]

        before = stored()
        refused = shop.api.put(INTEGRATION, {"api_access_token": CREDENTIALS, "project_key": "NOPE"})
        assert refused.status == 400
        assert stored() == before

    def test_new_credentials_take_the_place_of_the_old_ones(self, shop: Shop) -> None:
        (before,) = connections()
        assert shop.api.put(INTEGRATION, {"api_access_token": CREDENTIALS}).status == 200
        (after,) = connections()
        assert before != after
        assert shop.ticket(shop.anomaly()["id"])["ticket_number"] == "MISC-1"

    def test_changes_at_the_same_time_leave_one_set_of_credentials(
        self, shop: Shop, function: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        check = function.integrations._check_defaults

        def overtaken(*arguments: Any) -> None:
            monkeypatch.setattr(function.integrations, "_check_defaults", check)
            assert shop.api.put(INTEGRATION, {"api_access_token": CREDENTIALS}).status == 200
            check(*arguments)

        monkeypatch.setattr(function.integrations, "_check_defaults", overtaken)
        assert shop.api.put(INTEGRATION, {"api_access_token": CREDENTIALS}).status == 409
        assert len(connections()) == 1
        assert shop.api.post(f"{INTEGRATION}/test").json() == {"status": "Connected"}

    def test_a_connection_to_another_site_is_not_used_until_somebody_says_so(self, shop: Shop) -> None:
        anomaly = shop.anomaly()["id"]
        link = shop.link(anomaly, "PI-42")
        shop.worker.run()
        shop.lead_elsewhere("https://other.atlassian.net")
        shop.atlassian.forget()
        text = f"The connection no longer leads to {shop.atlassian.url}. To use the other site, save again"
        refused = [
            shop.create_ticket(anomaly),
            shop.api.post(f"/api/anomalies/{anomaly}/ticket-links", {"ticket_id": "PI-1"}),
            shop.api.get(f"{INTEGRATION}/tickets/search?query=x"),
            shop.api.get(f"{INTEGRATION}/tickets/PI-1"),
            shop.api.get(f"{INTEGRATION}/form-specification"),
            shop.api.post(f"/api/anomalies/{anomaly}/ticket-links/{link['id']}/refresh"),
        ]
        assert {(answer.status, answer.json()["detail"]) for answer in refused} == {(502, text)}
        assert shop.atlassian.asked() == []
        assert shop.links(anomaly)[0]["last_sync_error"] == text
        assert shop.api.post(f"{INTEGRATION}/test").json() == {"status": "Error", "error": text}
        saved = shop.api.put(INTEGRATION, {}).json()
        assert (saved["api_url"], saved["status"]) == ("https://other.atlassian.net", "Connected")
        assert shop.create_ticket(anomaly).status == 201

    def test_a_test_says_what_is_wrong(self, shop: Shop) -> None:
        path = f"{INTEGRATION}/test"
        assert shop.api.post(path).json() == {"status": "Connected"}
        shop.atlassian.fault({"path": "/myself", "status": 401, "times": None})
        answer = shop.api.post(path).json()
        assert (answer["status"], "Incorrect credentials" in answer["error"]) == ("Error", True)
        assert shop.api.get(INTEGRATION).json()["status"] == "Error"
        shop.atlassian.control(faults=[])
        assert shop.api.post(path).json() == {"status": "Connected"}
        assert shop.api.get(INTEGRATION).json()["status"] == "Connected"

    def test_no_secret_reaches_the_log(
        self, api: Gateway, atlassian: Atlassian, caplog: pytest.LogCaptureFixture, capsys: Any
    ) -> None:
        caplog.set_level(logging.DEBUG)
        body = {"type": "jira", "api_url": atlassian.url, "api_access_token": CREDENTIALS}
        api.post(INTEGRATION, body)
        api.post(INTEGRATION, body | {"api_access_token": "demo@example.com:other-secret"})
        printed = capsys.readouterr()
        for secret in ("local-api-token", "other-secret"):
            assert secret not in caplog.text + printed.out + printed.err


class TestForm:
    def test_choices_are_live(self, shop: Shop) -> None:
        form = shop.api.get(f"{INTEGRATION}/form-specification").json()
        assert (form["integration_id"], form["type"]) == (1, "jira")
        by_field = {entry["field"]: entry for entry in form["properties"]}
        assert list(by_field) == ["title", "description", "priority", "project_key", "issue_type"]
        assert by_field["title"] == {
            "field": "title",
            "title": "Summary",
            "type": "string",
            "required": True,
            "max_length": 255,
        }
        priorities = [value["value"] for value in by_field["priority"]["values"]]
        assert priorities == ["Highest", "High", "Medium", "Low", "Lowest"]
        assert {"label": "Miscellaneous (MISC)", "value": "MISC"} in by_field["project_key"]["values"]
        assert (by_field["project_key"]["default"], by_field["project_key"]["required"]) == ("MISC", False)
        types = [value["value"] for value in by_field["issue_type"]["values"]]
        assert "Task" in types
        assert "Sub-task" not in types
        assert len(shop.atlassian.asked()) == 3

    def test_on_a_data_center(self, shop: Shop) -> None:
        shop.be_data_center()
        form = shop.api.get(f"{INTEGRATION}/form-specification").json()
        assert all(entry["values"] for entry in form["properties"] if entry["type"] == "enum")


class TestSearch:
    def test_by_key(self, shop: Shop) -> None:
        assert found(shop, "pi-42") == ["PI-42"]
        assert len(shop.atlassian.asked()) == 1

    def test_by_words_of_the_summary(self, shop: Shop) -> None:
        assert found(shop, "housings 1234567") == ["PI-42"]
        assert found(shop, "deburr") == ["PI-1"]
        assert found(shop, "PI-9999") == []

    @pytest.mark.parametrize(
        "query",
        [
            '"',
            '") OR project = PI OR summary ~ ("',
            "\\",
            "*",
            "a AND",
            "{}[]^~?:",
            "\x00",
            "x" * 5000,
            "🔩",
            "NOT",
        ],
    )
    def test_a_query_is_never_jql(self, shop: Shop, query: str) -> None:
        assert found(shop, query) == []

    def test_without_a_query_it_shows_what_changed_last_in_the_project(self, shop: Shop) -> None:
        shop.ticket(shop.anomaly()["id"])
        assert found(shop, "") == ["MISC-1"]

    def test_pages(self, shop: Shop) -> None:
        pages = [
            shop.api.get(f"{INTEGRATION}/tickets/search?query=order&size=10&page={page}").json()
            for page in range(1, 6)
        ]
        keys = [item["ticket_number"] for page in pages for item in page["items"]]
        assert len(keys) == len(set(keys)) == pages[-1]["total"]
        assert pages[0]["pages"] == pages[-1]["pages"] == 5
        assert len(shop.atlassian.asked()) <= 3 * 5
        deep = shop.api.get(f"{INTEGRATION}/tickets/search?query=order&size=100&page=11")
        assert deep.status == 400

    def test_on_a_data_center(self, shop: Shop) -> None:
        shop.be_data_center()
        answer = shop.api.get(f"{INTEGRATION}/tickets/search?query=order&size=10&page=2").json()
        assert (len(answer["items"]), answer["page"]) == (10, 2)
        assert len(shop.atlassian.asked()) == 1

    def test_words_cannot_be_operators(self) -> None:
        assert text_jql("a AND b", None) == 'summary ~ "a and b*" ORDER BY updated DESC'
        assert plain(r"a\_b &#58; \[x\] C:\new") == r"a_b : [x] C:\new"


class TestTicket:
    @pytest.mark.parametrize("name", ["PI-42", "10042", "pi-42"])
    def test_by_id_or_key(self, shop: Shop, name: str) -> None:
        assert shop.api.get(f"{INTEGRATION}/tickets/{name}").json()["ticket_number"] == "PI-42"

    @pytest.mark.parametrize("name", ["PI-9999", "999999", "x", "..%2Fmyself", "PI-1%3Fexpand"])
    def test_what_is_no_ticket_is_not_found(self, shop: Shop, name: str) -> None:
        answer = shop.api.get(f"{INTEGRATION}/tickets/{name}")
        assert answer.status == 404
        assert answer.json()["detail"].startswith("Ticket not found: ")

    def test_times_are_utc(self, shop: Shop) -> None:
        # The emulated site's clock is two hours east.
        raw = shop.atlassian.issue("PI-42")["fields"]["created"]
        shown = shop.api.get(f"{INTEGRATION}/tickets/PI-42").json()["created_at"]
        assert raw.endswith("+0200")
        assert int(shown[11:13]) == (int(raw[11:13]) - 2) % 24


class TestLinks:
    def test_a_link_has_the_documented_keys(self, shop: Shop) -> None:
        anomaly = shop.anomaly()["id"]
        link = shop.link(anomaly, "10042")
        assert set(link) == LINK
        assert link["ticket_number"] == "PI-42"
        listed = shop.api.get(f"/api/anomalies/{anomaly}/ticket-links").json()
        assert listed == {"items": [link], "total": 1, "page": 1, "size": 50, "pages": 1}
        second = shop.link(anomaly, "PI-1")
        listed = shop.api.get(f"/api/anomalies/{anomaly}/ticket-links?page=2&size=1").json()
        assert listed == {"items": [second], "total": 2, "page": 2, "size": 1, "pages": 2}

    def test_the_pair_again_is_refused(self, shop: Shop) -> None:
        anomaly = shop.anomaly()["id"]
        shop.link(anomaly, "PI-42")
        for name in ("PI-42", "10042"):
            again = shop.api.post(f"/api/anomalies/{anomaly}/ticket-links", {"ticket_id": name})
            assert (again.status, again.json()) == (
                409,
                {"detail": f"Ticket PI-42 is already linked to anomaly {anomaly}"},
            )
        other = shop.anomaly()["id"]
        assert shop.link(other, "PI-42")["anomaly_id"] == other

    @pytest.mark.parametrize(
        ("body", "status", "text"),
        [
            ({}, 400, "ticket_id is required"),
            ({"ticket_id": ""}, 400, "ticket_id is required"),
            ({"ticket_id": "a b"}, 400, "ticket_id must be the id or the key of a ticket"),
            ({"ticket_id": True}, 400, "ticket_id must be a string"),
            ({"ticket_id": "PI-9999"}, 404, "Ticket not found: PI-9999"),
        ],
    )
    def test_a_faulty_link_is_refused(self, shop: Shop, body: Any, status: int, text: str) -> None:
        anomaly = shop.anomaly()["id"]
        answer = shop.api.post(f"/api/anomalies/{anomaly}/ticket-links", body)
        assert (answer.status, answer.json()) == (status, {"detail": text})

    def test_an_anomaly_has_at_most_40(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("jobticket.ticketing.links.MOST_LINKS", 2)
        anomaly = shop.anomaly()["id"]
        for key in ("PI-1", "PI-2"):
            shop.link(anomaly, key)
        refused = shop.api.post(f"/api/anomalies/{anomaly}/ticket-links", {"ticket_id": "PI-3"})
        assert refused.status == 409
        assert shop.create_ticket(anomaly).status == 409
        assert shop.atlassian.issues() == 0

    def test_unknown_links_are_not_found(self, shop: Shop) -> None:
        anomaly = shop.anomaly()["id"]
        for number in ("1", "x"):
            for method, more in (("DELETE", ""), ("POST", "/refresh")):
                answer = shop.api.call(method, f"/api/anomalies/{anomaly}/ticket-links/{number}{more}")
                assert (answer.status, answer.json()) == (404, {"detail": f"Ticket link not found: {number}"})

    def test_a_refresh_that_fails_shows_why(self, shop: Shop) -> None:
        anomaly = shop.anomaly()["id"]
        link = shop.link(anomaly, "PI-42")
        shop.atlassian.fault({"method": "GET", "path": "/issue/10042$", "status": 404})
        path = f"/api/anomalies/{anomaly}/ticket-links/{link['id']}/refresh"
        refused = shop.api.post(path)
        assert (refused.status, refused.json()) == (404, {"detail": "Ticket not found: 10042"})
        assert shop.links(anomaly)[0]["last_sync_error"] == "Ticket not found: 10042"
        assert shop.api.post(path).json()["last_sync_error"] is None

    def test_a_repeat_with_an_idempotency_key_gets_the_first_link(self, shop: Shop) -> None:
        anomaly = shop.anomaly()["id"]
        path, headers = f"/api/anomalies/{anomaly}/ticket-links", {"Idempotency-Key": "link"}
        first, second = (shop.api.post(path, {"ticket_id": "PI-42"}, headers=headers) for _ in range(2))
        assert (first.status, second.status) == (201, 201)
        assert first.json() == second.json()
        shop.worker.run()
        assert len(shop.atlassian.comments("PI-42")) == 1
