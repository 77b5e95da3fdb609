"""Any human text, any history of pushes, any limit, a Jira that hands markup back otherwise than it was given.

A ticket is written to by people and by pushes in turn. What people wrote is put between marks, so that it
can be found again without the code under test.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from jobticket.push.description import Plan, has_arrived, own_tables, plan, replan
from jobticket.push.edits import Change, Mark, lost_edit
from jobticket.push.limits import length
from jobticket.push.table import PathStatus, sections
from tests.unit.push.jira_markup import KINDS, Jira

DAY = date(2026, 1, 1)
MARKED = re.compile(r"«(\d+):.*?:\1»", re.DOTALL)
PUSHED = re.compile(r"PUSH(\d+)X(\d+)")

#: What people write: prose, their own tables, quotations of ours, markup that is open or half closed.
PIECES = st.lists(
    st.sampled_from(
        [
            "plain text",
            "*bold*",
            "*Main Route*",
            "\n",
            "\n\n",
            "\n\n\n",
            " ",
            "\\",
            "|",
            "||",
            "{",
            "{code",
            "h1. Title\n",
            "* item\n* item\n",
            "----\n",
            "[link|http://example.com]",
            "\n\n*Mine*\n\n|| Date || CNC || Completed ||\n| 2026-11-22 | 5 | 1 |\n| 2026-11-23 | 4 | 2 |\n\n",
            "\n\n*Mine*\n\n|| Date || Remark ||\n| 2026-11-22 | good |\n\n",
            "\n\n{quote}\n\n*Q*\n\n|| Date || CNC || Completed ||\n| 2026-11-22 | 5 | 1 |\n\n{quote}\n\n",
            "\n\n{code}\n*Q*\n|| Date || CNC || Completed ||\n| 2026-11-22 | 5 | 1 |\n{code}\n\n",
            "\n\n|| Date || CNC || Completed ||\n| 2026-11-22 | 5 | 1 |\n\n",
        ]
    )
    | st.text(alphabet=st.characters(exclude_categories=["C"], exclude_characters="«»{}\\|"), max_size=30),
    max_size=6,
).map("".join)

NAMES = st.lists(
    st.sampled_from(
        ["Route", "|", "*", "{code}", "{quote}", "[x|y]", "\\", "h1.", "-", "_", "\n", "漢", "🙂", " "]
    ),
    max_size=5,
).map("".join)
STATUSES = st.lists(
    st.builds(
        PathStatus,
        NAMES,
        st.lists(st.tuples(NAMES.map(lambda name: f"S{name}"), st.integers(0, 10**4)), max_size=4).map(tuple),
        st.integers(0, 10**4),
    ),
    min_size=1,
    max_size=3,
)


@dataclass(frozen=True)
class Person:
    """A person writes above, below, right below the last line, or behind an own table."""

    where: str
    text: str


@dataclass(frozen=True)
class Push:
    """A push, and what a person writes between its read and its write, if anything."""

    paths: list[PathStatus]
    meanwhile: Person | None


PEOPLE = st.builds(Person, st.sampled_from(["above", "below", "right below", "between"]), PIECES)
PUSHES = st.builds(Push, STATUSES, st.none() | PEOPLE)


@dataclass
class Ticket:
    """A ticket in a Jira with a limit; people cannot write more than it takes."""

    jira: Jira
    limit: int
    description: str = ""
    comments: list[str] = field(default_factory=list)
    written: int = 0
    pushed: int = 0

    def edit(self, person: Person) -> None:
        mark = self.written
        edited = self.jira(self._with(person.where, f"«{mark}:{person.text}:{mark}»"))
        # A person sees that it does not fit, or what became of the markup, and leaves it.
        if (
            length(edited) <= self.limit
            and len(MARKED.findall(edited)) == mark + 1
            and self._tables_stand(edited)
        ):
            self.written += 1
            self.description = edited

    def _with(self, where: str, text: str) -> str:
        if where == "above":
            return f"{text}\n\n{self.description}"
        if where == "between" and (tables := own_tables(self.description)):
            at = tables[len(tables) // 2].end
            return f"{self.description[:at]}\n\n{text}{self.description[at:]}"
        return self.description + ("\n" if where == "right below" else "\n\n") + text

    def _tables_stand(self, edited: str) -> bool:
        """An open ``{code}`` can swallow tables: then they are text of the person who wrote it."""
        return len(own_tables(edited)) == len(own_tables(self.description))

    def push(self, push: Push) -> None:
        texts = sections(self._numbered(push.paths), DAY + timedelta(self.pushed), limit=self.limit)
        if not all(length(text) <= self.limit for text in texts):
            return
        read = self.description
        planned = plan(read, texts, limit=self.limit)
        self._comment(planned)
        if push.meanwhile and planned.description is not None:
            self.edit(push.meanwhile)
        replaced = self.description
        self._write(planned, read, texts)
        if planned.description is not None and replaced != self.description:
            mark = Mark.of(read, texts, planned, "")
            assert mark.moved == len(planned.moved)
            self._restore(Change(replaced, self.description), mark, planned, texts)
            assert lost_edit([Change(read, self.jira(planned.description))], mark) is None
        self.pushed += len(texts)

    def _restore(self, write: Change, mark: Mark, planned: Plan, texts: list[str]) -> None:
        lost = lost_edit([write], mark)
        if lost is None:
            return
        restored = replan(lost.text, texts, planned, limit=self.limit)
        self._comment(restored)
        self._write(restored, lost.text, texts)
        assert lost_edit([Change(write.after, self.description), write], mark) is None

    def _numbered(self, paths: list[PathStatus]) -> list[PathStatus]:
        return [
            PathStatus(f"PUSH{self.pushed + number}X{number}{path.name}", path.steps, path.completed)
            for number, path in enumerate(paths)
        ]

    def _comment(self, planned: Plan) -> None:
        assert all(length(comment) <= self.limit for comment in planned.comments)
        self.comments += [self.jira(comment) for comment in planned.comments]

    def _write(self, planned: Plan, read: str, texts: list[str]) -> None:
        if planned.description is None:
            return
        assert length(planned.description) <= self.limit
        self.description = self.jira(planned.description)
        if not planned.in_comment:
            answer = has_arrived(self.description, read=read, planned=planned.description, sections=texts)
            assert answer, "a write that arrived was not recognised"
            assert not has_arrived(read, read=read, planned=planned.description, sections=texts)

    def human_text(self) -> list[str]:
        return [match[0] for match in MARKED.finditer(self.description)]

    def tables(self) -> list[int]:
        """The numbers of the pushed tables: those in comments, then those in the description."""
        return [
            int(number) for text in [*self.comments, self.description] for number, _ in PUSHED.findall(text)
        ]


@given(
    st.sampled_from(sorted(KINDS)),
    st.integers(300, 3000),
    st.lists(PEOPLE | PUSHES, max_size=12),
)
def test_nothing_is_lost_whatever_happens(kind: str, limit: int, history: list[Person | Push]) -> None:
    ticket = Ticket(KINDS[kind], limit)
    for event in history:
        before = ticket.human_text()
        if isinstance(event, Person):
            ticket.edit(event)
            continue
        ticket.push(event)
        after = ticket.human_text()
        assert [text for text in after if text in before] == before
        assert len(after) == ticket.written
        assert ticket.tables() == list(range(ticket.pushed))
