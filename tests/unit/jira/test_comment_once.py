"""Posting a comment once, at an emulated Jira of either kind."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobticket.jira.client import JiraClient
from jobticket.jira.comment_once import EventComment, comment_once, was_posted
from jobticket.jira.documents.model import Document, Paragraph, Text
from jobticket.jira.documents.wiki import to_wiki
from jobticket.jira.errors import (
    JiraError,
    JiraForbiddenError,
    JiraMalformedAnswerError,
    JiraNotFoundError,
    JiraStatusError,
    JiraTimeoutError,
)
from tests.unit.jira.emulated import EmulatedJira

CONTENT: Document = (Paragraph((Text("Anomaly Status", True), Text(": *Resolved* {x}"))),)
COMMENT = EventComment("PI-42", CONTENT, "event-1")
POST = {"method": "POST", "path": "/comment$"}
LIST = {"method": "GET", "path": "/comment$"}
LOST = POST | {"drop": "after"}
NEVER_ARRIVED = POST | {"drop": "before"}


@dataclass(frozen=True)
class Quirks:
    """What some Jiras do to comment properties; ``persons`` shows every comment as another person's."""

    lists_properties: bool = True
    keeps_properties: bool = True
    persons: bool = False


NORMAL = Quirks()
UNLISTED = Quirks(lists_properties=False)
WITHOUT_PROPERTIES = Quirks(lists_properties=False, keeps_properties=False)


@dataclass
class QuirkyClient:
    """A client of a Jira that has quirks."""

    client: JiraClient
    quirks: Quirks

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def get(self, template: str, **options: Any) -> Any:
        answer = self.client.get(template, **options)
        if not template.endswith("/comment") or (self.quirks.lists_properties and not self.quirks.persons):
            return answer
        for comment in answer["comments"]:
            if not self.quirks.lists_properties:
                del comment["properties"]
            if self.quirks.persons:
                comment["author"] = {"accountId": "712020:other", "name": "other", "key": "JIRAUSER9"}
        return answer

    def post(self, template: str, *, json: Any, **options: Any) -> Any:
        if not self.quirks.keeps_properties:
            json = {name: value for name, value in json.items() if name != "properties"}
        return self.client.post(template, json=json, **options)


@dataclass
class Jira:
    """One try of the product after another, at one issue."""

    emulated: EmulatedJira
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def client(self, quirks: Quirks = NORMAL) -> Any:
        return QuirkyClient(self.emulated.client(), quirks)

    def comment(
        self,
        *,
        tried: bool = False,
        settling: bool = False,
        what: EventComment = COMMENT,
        quirks: Quirks = NORMAL,
        seconds: float = 20,
    ) -> None:
        comment_once(
            QuirkyClient(self.emulated.client(seconds), quirks),  # type: ignore[arg-type]
            what,
            first_try=self.began,
            tried=tried,
            settling=self.client(quirks) if settling else None,
        )

    def fault(self, *faults: dict[str, Any]) -> None:
        self.emulated.fault(*faults)

    def asked(self, method: str) -> list[str]:
        return self.emulated.asked(method, "/issue/")

    def comments(self) -> list[dict[str, Any]]:
        version = 3 if self.emulated.kind == "cloud" else 2
        answer = self.emulated.client().get(
            f"/rest/api/{version}/issue/{{issue}}/comment",
            issue="PI-42",
            params={"expand": "properties", "maxResults": 1000},
        )
        began = self.began - timedelta(seconds=2)
        return [each for each in answer["comments"] if datetime.fromisoformat(each["created"]) >= began]

    def type(self, text: str) -> None:
        """Comment by hand, with the account that the product uses."""
        path = "/rest/api/2/issue/{issue}/comment"
        self.emulated.client().post(path, issue="PI-42", json={"body": text})


@pytest.fixture
def on_cloud(cloud: EmulatedJira) -> Jira:
    return Jira(cloud)


@pytest.fixture
def on_data_center(data_center: EmulatedJira) -> Jira:
    return Jira(data_center)


@pytest.fixture
def jira(either: EmulatedJira) -> Jira:
    return Jira(either)


class TestFirstTry:
    def test_is_one_call_that_carries_the_event(self, jira: Jira) -> None:
        jira.comment()
        assert len(jira.asked("POST")) == 1
        assert jira.asked("GET") == []
        (comment,) = jira.comments()
        assert comment["properties"] == [{"key": "jobticket", "value": {"event": "event-1"}}]

    def test_is_a_document_on_cloud(self, on_cloud: Jira) -> None:
        on_cloud.comment()
        (comment,) = on_cloud.comments()
        (paragraph,) = comment["body"]["content"]
        assert paragraph["content"] == [
            {"type": "text", "text": "Anomaly Status", "marks": [{"type": "strong"}]},
            {"type": "text", "text": ": *Resolved* {x}"},
        ]

    def test_is_wiki_markup_on_a_data_center(self, on_data_center: Jira) -> None:
        on_data_center.comment()
        (comment,) = on_data_center.comments()
        assert comment["body"] == r"*Anomaly Status*: \*Resolved* \{x\}"

    def test_does_not_look_for_an_equal_one(self, jira: Jira) -> None:
        jira.comment()
        jira.comment(what=EventComment("PI-42", CONTENT, "event-2"))
        assert len(jira.comments()) == 2


class TestLostAnswer:
    def test_without_time_to_settle_is_the_callers(self, jira: Jira) -> None:
        jira.fault(LOST)
        with pytest.raises(JiraError) as raised:
            jira.comment()
        assert raised.value.outcome_unknown
        assert jira.asked("GET") == []

    @pytest.mark.parametrize("quirks", [NORMAL, UNLISTED])
    def test_is_found_by_the_next_try(self, jira: Jira, quirks: Quirks) -> None:
        jira.fault(LOST)
        with pytest.raises(JiraError):
            jira.comment()
        jira.comment(tried=True, quirks=quirks)
        assert len(jira.comments()) == 1

    @pytest.mark.parametrize("quirks", [NORMAL, UNLISTED])
    def test_is_settled_at_once(self, jira: Jira, quirks: Quirks) -> None:
        jira.fault(LOST)
        jira.comment(settling=True, quirks=quirks)
        assert len(jira.comments()) == 1
        assert len(jira.asked("POST")) == 1

    @pytest.mark.parametrize("settling", [True, False])
    def test_of_a_call_that_never_arrived_is_sent_again(self, jira: Jira, settling: bool) -> None:
        jira.fault(NEVER_ARRIVED)
        if settling:
            jira.comment(settling=True)
        else:
            with pytest.raises(JiraError):
                jira.comment()
            jira.comment(tried=True)
        assert len(jira.comments()) == 1

    def test_stays_unknown_where_the_comments_cannot_be_read(self, jira: Jira) -> None:
        jira.fault(LOST, LIST | {"status": 403, "times": None, "body": {}})
        with pytest.raises(JiraError) as raised:
            jira.comment(settling=True)
        assert raised.value.outcome_unknown
        assert not isinstance(raised.value, JiraForbiddenError)
        with pytest.raises(JiraForbiddenError) as later:
            jira.comment(tried=True)
        assert later.value.outcome_unknown
        assert len(jira.asked("POST")) == 1

    @pytest.mark.parametrize("late", ["timeout", "gateway"])
    def test_of_a_call_that_may_still_be_at_work_is_never_sent_again(self, jira: Jira, late: str) -> None:
        # The slow one does nothing in the end: it would come into the next test.
        jira.fault(POST | {"status": 504} | ({"held": True} if late == "timeout" else {}))
        kind = JiraTimeoutError if late == "timeout" else JiraStatusError
        with pytest.raises(kind) as raised:
            jira.comment(settling=True, seconds=2.0 if late == "timeout" else 20.0)
        assert raised.value.outcome_unknown
        assert len(jira.asked("POST")) <= 1

    @pytest.mark.parametrize("status", [500, 502, 503])
    def test_a_failure_that_left_nothing_is_a_refusal(self, jira: Jira, status: int) -> None:
        jira.fault(POST | {"status": status})
        with pytest.raises(JiraStatusError) as raised:
            jira.comment(settling=True)
        assert (raised.value.status, raised.value.outcome_unknown) == (status, False)
        assert jira.comments() == []

    def test_is_found_behind_many_others(self, jira: Jira) -> None:
        jira.fault(LOST)
        with pytest.raises(JiraError):
            jira.comment()
        for number in range(102):
            jira.type(f"Comment {number}")
        jira.comment(tried=True)
        assert sum(bool(each["properties"]) for each in jira.comments()) == 1


class TestWhatIsOurs:
    def test_not_another_event_with_the_same_text(self, jira: Jira) -> None:
        jira.comment(what=EventComment("PI-42", CONTENT, "event-0"))
        jira.comment(tried=True)
        assert len(jira.comments()) == 2

    @pytest.mark.parametrize("quirks", [NORMAL, UNLISTED])
    def test_not_a_persons_equal_text_though_the_account_is_ours(
        self, on_cloud: Jira, quirks: Quirks
    ) -> None:
        on_cloud.type(to_wiki(CONTENT))
        on_cloud.comment(tried=True, quirks=quirks)
        assert len(on_cloud.comments()) == 2

    def test_not_one_that_was_there_before_the_first_try(self, jira: Jira) -> None:
        jira.comment()
        jira.began = datetime.now(UTC) + timedelta(hours=1)
        assert not was_posted(jira.client(), COMMENT, jira.began)

    def test_one_that_jiras_clock_dates_before_the_first_try(self, jira: Jira) -> None:
        jira.comment()
        assert was_posted(jira.client(), COMMENT, datetime.now(UTC) + timedelta(minutes=4))


class TestWithoutProperties:
    """A Data Center that keeps none."""

    def test_equal_text_of_our_own_account_is_ours(self, on_data_center: Jira) -> None:
        on_data_center.fault(LOST)
        on_data_center.comment(settling=True, quirks=WITHOUT_PROPERTIES)
        on_data_center.comment(tried=True, quirks=WITHOUT_PROPERTIES)
        assert len(on_data_center.comments()) == 1

    def test_equal_text_of_a_person_is_not(self, on_data_center: Jira) -> None:
        on_data_center.comment(quirks=WITHOUT_PROPERTIES)
        on_data_center.comment(tried=True, quirks=replace(WITHOUT_PROPERTIES, persons=True))
        assert len(on_data_center.comments()) == 2

    def test_other_text_of_our_own_account_is_not(self, on_data_center: Jira) -> None:
        on_data_center.type(to_wiki(CONTENT).replace("x", "y"))
        on_data_center.comment(tried=True, quirks=WITHOUT_PROPERTIES)
        assert len(on_data_center.comments()) == 2

    def test_equal_text_from_before_the_first_try_is_not(self, on_data_center: Jira) -> None:
        on_data_center.comment(quirks=WITHOUT_PROPERTIES)
        client = on_data_center.client(quirks=UNLISTED)
        assert not was_posted(client, COMMENT, datetime.now(UTC) + timedelta(hours=1))

    def test_an_account_that_jira_does_not_name_leaves_it_open(self, on_data_center: Jira) -> None:
        on_data_center.comment(quirks=WITHOUT_PROPERTIES)
        on_data_center.fault({"path": "/myself", "status": 403, "body": {}, "times": None})
        with pytest.raises(JiraForbiddenError) as raised:
            on_data_center.comment(tried=True, quirks=WITHOUT_PROPERTIES)
        assert raised.value.outcome_unknown
        assert len(on_data_center.comments()) == 1


class TestRefusals:
    @pytest.mark.parametrize("settling", [True, False])
    def test_an_issue_that_is_gone(self, jira: Jira, settling: bool) -> None:
        with pytest.raises(JiraNotFoundError) as raised:
            jira.comment(what=EventComment("PI-999", CONTENT, "event-1"), settling=settling)
        assert not raised.value.outcome_unknown

    @pytest.mark.parametrize("status", [400, 403, 413])
    def test_jiras_own(self, jira: Jira, status: int) -> None:
        jira.fault(POST | {"status": status, "body": {"errorMessages": ["No."]}})
        with pytest.raises(JiraStatusError) as raised:
            jira.comment(settling=True)
        assert (raised.value.status, raised.value.messages) == (status, ("No.",))
        assert not raised.value.outcome_unknown
        assert jira.comments() == []

    def test_is_known_to_be_one_after_an_earlier_try_left_nothing(self, jira: Jira) -> None:
        jira.fault(POST | {"status": 403, "body": {}})
        with pytest.raises(JiraForbiddenError) as raised:
            jira.comment(tried=True)
        assert not raised.value.outcome_unknown


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"comments": {}},
        {"comments": [17]},
        {"comments": [{"id": "1"}]},
        {"comments": [{"id": "1", "created": "yesterday"}]},
        {"comments": [{"id": "../1", "created": "2999-01-01T00:00:00.000+0000"}]},
    ],
)
def test_an_answer_that_is_not_jiras(jira: Jira, body: Any) -> None:
    jira.fault(LIST | {"status": 200, "body": body})
    with pytest.raises(JiraMalformedAnswerError) as raised:
        jira.comment(tried=True)
    assert raised.value.outcome_unknown
    assert jira.asked("POST") == []


@pytest.mark.parametrize(
    "properties", [[17], [{"key": "jobticket"}], [{"key": "jobticket", "value": "event-1"}]]
)
def test_a_property_that_is_not_ours(jira: Jira, properties: Any) -> None:
    found = {"id": "1", "created": "2999-01-01T00:00:00.000+0000", "properties": properties}
    jira.fault(LIST | {"status": 200, "body": {"comments": [found], "total": 1}})
    assert not was_posted(jira.client(), COMMENT, jira.began)


def test_a_list_without_an_end(jira: Jira) -> None:
    found = {"id": "1", "created": "2999-01-01T00:00:00.000+0000", "properties": []}
    jira.fault(LIST | {"status": 200, "body": {"comments": [found] * 100}, "times": None})
    with pytest.raises(JiraMalformedAnswerError):
        was_posted(jira.client(), COMMENT, jira.began)
