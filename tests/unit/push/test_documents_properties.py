"""Any document, any history of pushes, edits, lost answers and limits: no node of a person's is lost or altered."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobticket.jira.documents.adf import to_adf
from jobticket.jira.documents.model import Document
from jobticket.jira.errors import JiraStatusError, JiraUnreachableError
from jobticket.push.appending import KEPT_IN_COMMENT, Appended, Appending, Try
from jobticket.push.descriptions import Description, Nodes
from jobticket.push.edits import DescriptionChange, Mark, Snapshot
from jobticket.push.status import PathStatus, json_length, sections
from jobticket.push.tables import Content, find_tables
from local.atlassian.adf.nodes import plain_text
from local.atlassian.adf.to_wiki import to_markup
from tests.support.any_document import Node, document, documents

DAY = date(2026, 11, 22)
NAMES = st.sampled_from(["Main Route", "a|b", "{code}", ":)", "[~accountid:5b10]", "{{m}}", "漢🙂", "-5-"])
STATUSES = st.lists(
    st.builds(
        PathStatus,
        NAMES,
        st.lists(st.tuples(NAMES, st.integers(0, 99)), max_size=3).map(tuple),
        st.integers(0, 99),
    ),
    min_size=1,
    max_size=2,
)
Fate = Literal["answered", "lost before", "lost after"]


@dataclass(frozen=True)
class Push:
    """A push: what a person saves between its read and its write, and what becomes of the write's answer."""

    paths: list[PathStatus]
    meanwhile: Node | None
    fate: Fate


PUSHES = st.builds(
    Push, STATUSES, st.none() | documents(2), st.sampled_from(["answered", "lost before", "lost after"])
)


@dataclass
class MemoryTicket:
    """A ticket of Cloud in memory; stands for ``PushedTicket``."""

    limit: int
    stored: Node = field(default_factory=lambda: document([]))
    changes: list[DescriptionChange] = field(default_factory=list)
    comments: dict[str, Node] = field(default_factory=dict)
    push: Push | None = None
    key: str = "PI-7"

    def now(self) -> datetime:
        return datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=len(self.changes))

    def wait(self, seconds: float) -> None:
        pass

    def measure(self, content: Document) -> int:
        return json_length(content)

    def read(self, *, again: bool = False) -> Snapshot:
        return Snapshot(self.key, Nodes.read(copy.deepcopy(self.stored)), tuple(reversed(self.changes)))

    def save(self, new: Node) -> None:
        if new != self.stored:
            before, after = to_markup(self.stored), to_markup(new)
            self.changes.append(DescriptionChange(str(len(self.changes)), before, after))
            self.stored = copy.deepcopy(new)

    def write(self, description: Description) -> Snapshot:
        push, self.push = self.push, None
        if push and push.meanwhile is not None:
            self.save(push.meanwhile)
        value: Any = description.value()
        if push and push.fate == "lost before":
            raise JiraUnreachableError("lost", outcome_unknown=True)
        if description.size > self.limit:
            raise JiraStatusError(400, "Bad Request", messages=("CONTENT_LIMIT_EXCEEDED",))
        self.save(value)
        if push and push.fate == "lost after":
            raise JiraUnreachableError("lost", outcome_unknown=True)
        return self.read()

    def comment(self, content: Document, event: str, _first_try: datetime, *, tried: bool) -> None:
        assert tried or event not in self.comments
        self.comments.setdefault(event, to_adf(content))

    def has_comment(self, _content: Document, event: str, _first_try: datetime) -> bool:
        return event in self.comments


def run(ticket: Any, push: Push, number: int) -> tuple[Appended, Mark]:
    kept: list[dict[str, Any]] = []

    attempt = Try(f"push {number}", None, kept.append)
    appended = Appending(ticket, ticket.read(), push.paths, DAY, attempt).run()
    return appended, Mark.of(json.loads(json.dumps(kept[-1])))


def contents_of(push: Push) -> list[Content]:
    return [
        table.content
        for content in sections(push.paths, DAY, json_length)
        for table in find_tables(to_adf(content))
    ]


def tables_on(ticket: MemoryTicket) -> list[Content]:
    texts = [*ticket.comments.values(), ticket.stored]
    return [table.content for text in texts for table in find_tables(text)]


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(documents(), st.sampled_from([6_000, 1_000_000]), st.lists(PUSHES, min_size=1, max_size=4))
def test_no_node_of_a_persons_is_lost_or_altered(original: Node, limit: int, pushes: list[Push]) -> None:
    ticket = MemoryTicket(limit)
    ticket.save(original)
    for number, push in enumerate(pushes):
        before, known = ticket.stored, tables_on(ticket)
        ticket.push = push
        appended, _ = run(ticket, push, number)
        assert appended.unchecked is None
        if push.meanwhile is None:
            assert sorted(tables_on(ticket), key=repr) == sorted([*known, *contents_of(push)], key=repr)
        _assert_kept(ticket, before, push)


def _assert_kept(ticket: MemoryTicket, before: Node, push: Push) -> None:
    now = ticket.stored["content"]
    if push.meanwhile is None or push.meanwhile == before:
        assert _persons(now)[: len(_persons(before["content"]))] == _persons(before["content"])
        return
    texts = [plain_text(ticket.stored), *map(plain_text, ticket.comments.values())]
    told = " ".join(texts)
    edited = push.meanwhile["content"]
    in_description = now[: len(edited)] == edited
    kept = all(word in told for word in to_markup(push.meanwhile).split())
    assert in_description or kept or not to_markup(push.meanwhile).strip(), KEPT_IN_COMMENT


def _persons(content: list[Node]) -> list[Node]:
    ours = {n for table in find_tables(document(content)) for n in range(table.start, table.end)}
    return [node for number, node in enumerate(content) if number not in ours]


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(documents(), STATUSES, st.booleans())
def test_a_try_after_a_crash_adds_one_table_and_keeps_every_node(
    original: Node, paths: list[PathStatus], arrived: bool
) -> None:
    ticket = MemoryTicket(1_000_000)
    ticket.save(original)
    push = Push(paths, None, "answered")
    if arrived:
        _, mark = run(ticket, push, 1)
        appended, _ = _again(ticket, push, mark)
        assert appended.by == "earlier"
    else:
        other = copy.deepcopy(ticket)
        _, mark = run(other, push, 1)
        appended, _ = _again(ticket, push, mark)
        assert appended.by == "this"
    assert ticket.stored["content"][: len(original["content"])] == original["content"]
    added = find_tables(ticket.stored)[len(find_tables(original)) :]
    assert [table.content for table in added] == contents_of(push)


def _again(ticket: Any, push: Push, mark: Mark) -> tuple[Appended, Mark]:
    appending = Appending(ticket, ticket.read(), push.paths, DAY, Try("push 1", mark.as_item()))
    return appending.run(), mark
