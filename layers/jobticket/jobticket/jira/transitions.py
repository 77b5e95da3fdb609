"""Moving an issue to a status, by the transition that leads there."""

from __future__ import annotations

from typing import Any

from jobticket import foreign
from jobticket.dataclass import dataclass
from jobticket.jira import shapes
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraMalformedAnswerError
from jobticket.jira.issues import ISSUE


class NoTransitionError(Exception):
    """Not exactly one transition leads to a status."""


@dataclass(frozen=True, slots=True)
class Transition:
    id: str
    leads_to: str


@dataclass(frozen=True, slots=True)
class TicketStanding:
    """An issue's status, and the transitions that the account may use from there."""

    status: str
    transitions: list[Transition]

    def is_at(self, status: str) -> bool:
        return is_same(self.status, status)

    def towards(self, status: str) -> Transition:
        """Return the one transition that leads to a status, or raise ``NoTransitionError``."""
        match [each for each in self.transitions if is_same(each.leads_to, status)]:
            case [only]:
                return only
            case []:
                raise NoTransitionError(f'No transition leads from "{self.status}" to "{status}"')
            case several:
                text = f'{len(several)} transitions lead from "{self.status}" to "{status}"'
                raise NoTransitionError(f"{text}; exactly one must")


def is_same(name: str | None, other: str | None) -> bool:
    """Compare two names of statuses, as Jira does."""
    return (name or "").strip().casefold() == (other or "").strip().casefold()


def read_standing(client: JiraClient, issue: str) -> TicketStanding:
    """Read an issue's status, and then its transitions."""
    answer = client.get(ISSUE, issue=issue, params={"fields": "status"})
    status = shapes.named(foreign.member(answer, "fields", "status"))
    found = foreign.member(client.get(f"{ISSUE}/transitions", issue=issue), "transitions")
    if status is None or not isinstance(found, list):
        raise JiraMalformedAnswerError("Jira's answer has no status or no transitions")
    return TicketStanding(status, [known for each in found if (known := _transition(each)) is not None])


def move(client: JiraClient, issue: str, transition: Transition) -> None:
    """Send an issue through a transition. After a lost answer its status tells what became of it."""
    client.post(f"{ISSUE}/transitions", issue=issue, json={"transition": {"id": transition.id}})


def who_moved(client: JiraClient, issue: str) -> str | None:
    """Return who last changed an issue's status, None if Jira does not say."""
    answer = client.get(ISSUE, issue=issue, params={"fields": "status", "expand": "changelog"})
    histories = foreign.entries(foreign.member(answer, "changelog", "histories"))
    moves = [each for each in histories if _is_move(each)]
    newest = max(moves, key=lambda each: shapes.date(each.get("created")) or "", default=None)
    return shapes.named(foreign.member(newest, "author"), "displayName")


def _transition(found: Any) -> Transition | None:
    number, leads_to = shapes.named(found, "id"), shapes.named(foreign.member(found, "to"))
    return None if number is None or leads_to is None else Transition(number, leads_to)


def _is_move(history: Any) -> bool:
    items = foreign.entries(foreign.member(history, "items"))
    return any(foreign.member(item, "field") == "status" for item in items)
