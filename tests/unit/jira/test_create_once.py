"""Creating an issue once, at an emulated Jira of either kind, with a memory in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobticket.errors import RefusalError
from jobticket.jira.client import JiraClient
from jobticket.jira.create_once import (
    SEARCH_LAG,
    UNLABELLED,
    Created,
    CreateOnce,
    UnsettledError,
    UntraceableError,
    label_of,
)
from jobticket.jira.errors import JiraError, JiraForbiddenError, JiraMalformedAnswerError, JiraStatusError
from tests.unit.jira.emulated import EmulatedJira

MARK = "0123456789abcdef0123456789abcdef"
FIELDS = {"project": {"key": "PI"}, "issuetype": {"id": "10001"}, "summary": "New", "labels": ["line-4"]}
POST = {"method": "POST", "path": "/rest/api/2/issue$"}
LOST = POST | {"drop": "after"}
NEVER_ARRIVED = POST | {"drop": "before"}
SEARCH = {"method": "POST", "path": "/search"}
NO_LABELS = {"body": {"errors": {"labels": "Field 'labels' cannot be set."}}, "status": 400}


@dataclass
class Memory:
    """What one request remembers; ``notes`` tells in which order."""

    mark: str | None = MARK
    settles_at: datetime | None = None
    memo: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)

    def begin(self, settles_at: datetime, memo: dict[str, Any] | None = None) -> None:
        self.settles_at, self.memo = settles_at, memo
        self.notes.append("begin" if memo is None else "begin unlabelled")

    def undone(self) -> None:
        self.settles_at = self.memo = None
        self.notes.append("undone")


@dataclass
class Shop:
    """One request that creates an issue, tried as often as a test likes."""

    jira: EmulatedJira
    memory: Memory = field(default_factory=Memory)
    passed: float = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.passed)

    def creation(self, client: JiraClient | None = None) -> CreateOnce:
        client = client or self.jira.client()
        return CreateOnce(client, FIELDS, self.memory, self.now, lambda _seconds: None)

    def create(self) -> Created:
        return self.creation().run()

    def issue(self, key: str) -> dict[str, Any]:
        fields: dict[str, Any] = self.jira.client().get("/rest/api/2/issue/{issue}", issue=key)["fields"]
        return fields

    def issues(self) -> int:
        """How many issues there are besides those of the emulated site's own data."""
        project = self.jira.session.get(f"{self.jira.url}/_control").json()["sites"][0]["projects"]
        return int(project["PI"]) - 44


@pytest.fixture
def shop(either: EmulatedJira) -> Shop:
    return Shop(either)


class TestFirstTry:
    def test_is_one_call_that_labels_the_issue(self, shop: Shop) -> None:
        created = shop.create()
        assert created.key == "PI-45"
        assert shop.jira.asked("POST") == ["/rest/api/2/issue"]
        assert sorted(shop.issue("PI-45")["labels"]) == ["jobticket-0123456789abcdef01234567", "line-4"]

    def test_is_remembered_before_jira_is_called(self, shop: Shop) -> None:
        shop.jira.fault(POST | {"status": 500})
        begun = shop.now()
        with pytest.raises(UnsettledError):
            shop.create()
        assert shop.memory.notes[0] == "begin"
        assert shop.memory.settles_at is not None
        assert shop.memory.settles_at >= begun + SEARCH_LAG

    def test_without_a_mark_has_no_label(self, shop: Shop) -> None:
        shop.memory.mark = None
        shop.create()
        assert shop.issue("PI-45")["labels"] == ["line-4"]
        assert shop.memory.notes == ["begin unlabelled"]

    @pytest.mark.parametrize("status", [400, 403, 404, 413])
    def test_a_refusal_leaves_nothing(self, shop: Shop, status: int) -> None:
        shop.jira.fault(POST | {"status": status, "body": {"errors": {"summary": "No."}}})
        with pytest.raises(JiraStatusError) as raised:
            shop.create()
        assert (raised.value.status, raised.value.outcome_unknown) == (status, False)
        assert shop.memory.notes == ["begin", "undone"]

    def test_without_a_credential_leaves_nothing(self, shop: Shop) -> None:
        def refused(*_given: Any, **_options: Any) -> Any:
            raise RefusalError("reauthorize")

        client = shop.jira.client()
        client.post = refused  # type: ignore[method-assign]
        with pytest.raises(RefusalError):
            shop.creation(client).run()
        assert shop.memory.notes == ["begin", "undone"]


class TestLostAnswer:
    def test_is_settled_by_the_label(self, shop: Shop) -> None:
        shop.jira.fault(LOST)
        assert shop.create().key == "PI-45"
        assert shop.issues() == 1

    @pytest.mark.parametrize(
        "answer", [{}, {"id": "../1", "key": "PI-45"}, {"id": "1", "key": "PI-45/x"}, []]
    )
    def test_so_is_an_answer_that_names_no_issue(self, shop: Shop, answer: Any) -> None:
        shop.jira.fault(POST | {"status": 201, "body": answer})
        with pytest.raises(UnsettledError) as raised:
            shop.create()
        assert isinstance(raised.value.cause, JiraMalformedAnswerError)

    def test_is_found_by_a_repeat_once_the_index_has_caught_up(self, shop: Shop) -> None:
        shop.jira.fault(LOST)
        shop.jira.control(search_lag_ms=60_000_000)
        with pytest.raises(UnsettledError) as raised:
            shop.create()
        assert raised.value.cause is not None
        with pytest.raises(UnsettledError) as again:
            shop.create()
        assert 0 < again.value.seconds <= SEARCH_LAG.total_seconds()
        assert shop.issues() == 1

    def test_of_a_call_that_never_arrived_is_sent_again_after_the_lag_only(self, shop: Shop) -> None:
        shop.jira.fault(NEVER_ARRIVED)
        for _ in range(2):
            with pytest.raises(UnsettledError):
                shop.create()
        assert shop.issues() == 0
        shop.passed += SEARCH_LAG.total_seconds() + 1
        assert shop.create().key == "PI-45"
        assert shop.issues() == 1

    def test_a_search_that_fails_leaves_it_open(self, shop: Shop) -> None:
        shop.jira.fault(LOST, SEARCH | {"status": 403, "body": {}, "times": None})
        with pytest.raises(UnsettledError):
            shop.create()
        shop.passed += SEARCH_LAG.total_seconds() + 1
        with pytest.raises(JiraForbiddenError) as raised:
            shop.create()
        assert raised.value.outcome_unknown
        assert shop.issues() == 1

    @pytest.mark.parametrize(
        "found", [{}, {"id": "1"}, {"id": "1", "key": "../x"}, {"id": [], "key": "PI-1"}]
    )
    def test_a_search_that_finds_no_issue_of_jiras_leaves_it_open(self, shop: Shop, found: Any) -> None:
        shop.memory.settles_at = shop.now()
        shop.jira.fault(SEARCH | {"status": 200, "body": {"issues": [found], "isLast": True, "total": 1}})
        with pytest.raises(JiraError) as raised:
            shop.create()
        assert raised.value.outcome_unknown
        assert shop.issues() == 0


class TestEarlierTry:
    """A process that died: only its memory is left."""

    def test_is_found(self, shop: Shop) -> None:
        shop.create()
        shop.memory = Memory(settles_at=shop.now() + SEARCH_LAG)
        assert shop.creation().earlier() == shop.create()
        assert shop.issues() == 1

    def test_is_waited_for(self, shop: Shop) -> None:
        shop.memory.settles_at = shop.now() + timedelta(seconds=40)
        with pytest.raises(UnsettledError) as raised:
            shop.create()
        assert raised.value.seconds == 5
        assert raised.value.cause is None
        assert shop.issues() == 0

    def test_that_left_nothing_is_done_again(self, shop: Shop) -> None:
        shop.memory.settles_at = shop.now() - timedelta(seconds=1)
        assert shop.creation().earlier() is None
        assert shop.create().key == "PI-45"

    def test_of_another_mark_is_another_issue(self, shop: Shop) -> None:
        first = shop.create()
        shop.memory = Memory(mark="f" * 32, settles_at=shop.now())
        assert shop.create() != first
        assert label_of("f" * 32) in shop.issue("PI-46")["labels"]


class TestWithoutLabels:
    """A project whose screen has no labels."""

    def test_is_created_without_one(self, shop: Shop) -> None:
        shop.jira.fault(POST | NO_LABELS)
        shop.create()
        assert shop.issue("PI-45")["labels"] == ["line-4"]
        assert shop.memory.notes == ["begin", "undone", "begin unlabelled"]
        assert shop.memory.memo == UNLABELLED

    def test_a_lost_answer_stays_unknown(self, shop: Shop) -> None:
        shop.jira.fault(POST | NO_LABELS, LOST)
        with pytest.raises(UntraceableError) as raised:
            shop.create()
        assert raised.value.cause.outcome_unknown
        assert shop.memory.memo == UNLABELLED

    def test_is_waited_for_as_long_as_it_is_remembered(self, shop: Shop) -> None:
        shop.jira.fault(POST | NO_LABELS, LOST)
        with pytest.raises(UntraceableError):
            shop.create()
        with pytest.raises(UnsettledError) as raised:
            shop.create()
        assert raised.value.seconds > SEARCH_LAG.total_seconds()
        assert shop.issues() == 1

    def test_a_refusal_for_other_reasons_too_leaves_nothing(self, shop: Shop) -> None:
        shop.jira.fault(POST | NO_LABELS, POST | {"status": 400, "body": {"errors": {"summary": "No."}}})
        with pytest.raises(JiraStatusError):
            shop.create()
        assert shop.memory.notes == ["begin", "undone", "begin unlabelled", "undone"]
