"""Creating a ticket, once.

Jira has no idempotency key for this. A caller's key becomes a label of the ticket, by which it can be found
again when nobody knows whether it was created: the answer was lost, or the function that asked died. Search
lags behind, so for a while a ticket that is not found may exist all the same. Until that while is over
nothing is created, and the caller is told to come back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from jobticket.errors import RefusalError, UnavailableError
from jobticket.jira import shapes
from jobticket.jira.bodies import INVALID_TICKET, NewTicket
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraError, JiraStatusError
from jobticket.jira.issues import ISSUE, named_assignee
from jobticket.jira.paging import Row
from jobticket.jira.refusals import Texts, refusal_of
from jobticket.jira.search import Search, quoted
from jobticket.jira.tickets import TICKET_FIELDS, show_ticket

__all__ = ["CREATE_TEXTS", "Creation", "Memory", "UntraceableError", "label_of"]

CREATE_TEXTS = Texts(
    "Failed to create Jira ticket",
    invalid=INVALID_TICKET,
    forbidden="Access denied to create issue",
    missing="Project or issue type not found",
)
UNSETTLED = "It is not known yet whether the ticket was created. Repeat the request."

#: After so long the search index has caught up: what is not found then does not exist.
SEARCH_LAG = timedelta(seconds=60)
#: How long a ticket without a label is remembered as one of which nobody knows: as long as the key itself.
NEVER_FOUND = timedelta(hours=24)
#: When to look within the request that lost the answer. After that the caller repeats it.
LOOKS = (0.0, 0.5, 1.0, 2.0, 3.0)
COME_BACK_SECONDS = 5


class Memory(Protocol):
    """What outlives the function: that a ticket may have been created.

    Attributes
    ----------
    mark
        A stable name of the request; None if it cannot be recognised when it is repeated.
    settles_at
        Until when a ticket of an earlier try may still come to light; None if there was no such try.
    """

    @property
    def mark(self) -> str | None: ...

    @property
    def settles_at(self) -> datetime | None: ...

    def begin(self, settles_at: datetime) -> None:
        """Remember that a ticket may exist."""

    def undone(self) -> None:
        """Remember that none does."""


class UntraceableError(Exception):
    """A ticket may have been created that nothing can be found by: the caller must be told, for good.

    Attributes
    ----------
    refusal
        What to tell.
    """

    def __init__(self, refusal: RefusalError) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def label_of(mark: str) -> str:
    """Return the label of the ticket that a request creates."""
    return f"jobticket-{mark[:24]}"


@dataclass(frozen=True, slots=True)
class Creation:
    """The creation of one ticket.

    Attributes
    ----------
    project
        The project's id or key.
    """

    client: JiraClient
    ticket: NewTicket
    project: str
    memory: Memory
    now: Callable[[], datetime]
    sleep: Callable[[float], None]

    def run(self) -> Row:
        """Return the ticket, newly created or found to exist.

        Raises
        ------
        RefusalError
            If Jira refuses, or it is not known yet what became of an earlier try.
        UntraceableError
            If nobody will ever know.
        """
        return self._found_of_earlier() or self._create(self._label())

    def _label(self) -> str | None:
        return None if self.memory.mark is None else label_of(self.memory.mark)

    def _found_of_earlier(self) -> Row | None:
        label, settles_at = self._label(), self.memory.settles_at
        if label is None or settles_at is None:
            return None
        try:
            found = self._find(label)
        except JiraError as error:
            error.outcome_unknown = True  # not of this look: of the creation that it looks for
            raise refusal_of(error, CREATE_TEXTS, write=True) from error
        left = (settles_at - self.now()).total_seconds()
        if found is None and left > 0:
            raise self._unsettled(left)
        return found

    def _create(self, label: str | None) -> Row:
        # Before the call: should this process die in it, whoever repeats the request must know of it.
        latest = self.now() + timedelta(seconds=self.client.deadline.left())
        self.memory.begin(latest + (SEARCH_LAG if label else NEVER_FOUND))
        try:
            created = self._post(label)
        except RefusalError:
            self.memory.undone()  # there was no credential to ask with
            raise
        except JiraError as error:
            if error.outcome_unknown:
                return self._settle(error, label)
            self.memory.undone()
            if label is not None and _refuses_labels(error):
                return self._create(None)
            raise _refusal(error) from error
        return self._read_back(created)

    def _post(self, label: str | None) -> Row:
        fields = fields_of(self.client, self.ticket, self.project)
        if label is not None:
            fields["labels"] = [label]
        created = self.client.post("/rest/api/2/issue", json={"fields": fields})
        return shapes.created_ticket(created)

    def _settle(self, error: JiraError, label: str | None) -> Row:
        """Find out what became of a call whose answer was lost."""
        if label is None:
            if isinstance(error, JiraStatusError):
                error.retry_after = None  # to come back then would be to create a second one
            refusal = refusal_of(error, CREATE_TEXTS, write=True)
            raise refusal if self.memory.mark is None else UntraceableError(refusal)
        self.memory.begin(self.now() + SEARCH_LAG)
        found = self._look_for(label)
        if found is None:
            raise self._unsettled(SEARCH_LAG.total_seconds()) from error
        return found

    def _look_for(self, label: str) -> Row | None:
        for pause in LOOKS:
            if pause >= self.client.deadline.left():
                return None
            self.sleep(pause)
            try:
                found = self._find(label)
            except JiraError:
                continue
            if found is not None:
                return found
        return None

    def _find(self, label: str) -> Row | None:
        jql = f"labels = {quoted(label)} ORDER BY key ASC"
        return next(iter(Search(self.client, jql, TICKET_FIELDS, show_ticket).some(1).rows), None)

    def _unsettled(self, left: float) -> UnavailableError:
        seconds = COME_BACK_SECONDS if left <= SEARCH_LAG.total_seconds() * 2 else int(left)
        return UnavailableError(UNSETTLED, details={"outcome_unknown": True}, retry_after=seconds)

    def _read_back(self, created: Row) -> Row:
        try:
            fields = ",".join(TICKET_FIELDS)
            return show_ticket(self.client.get(ISSUE, issue=created["id"], params={"fields": fields}))
        except (JiraError, RefusalError, ValueError, KeyError, AttributeError):
            # It is created. That it cannot be read is no reason to say otherwise.
            return known_of(created, self.ticket)


def fields_of(client: JiraClient, ticket: NewTicket, project: str) -> Row:
    """Return a new ticket's fields, as Jira takes them."""
    fields: Row = {
        "project": {"id" if project.isdigit() else "key": project},
        "summary": ticket.summary,
        "issuetype": {"id": ticket.issue_type},
    }
    if ticket.description is not None:
        fields["description"] = ticket.description
    if ticket.priority is not None:
        fields["priority"] = {"id": ticket.priority}
    if ticket.assignee is not None:
        fields["assignee"] = named_assignee(client, ticket.assignee)
    return fields


def known_of(created: Row, ticket: NewTicket) -> Row:
    """Return what is known of a ticket that was created and could not be read."""
    unknown: dict[str, Any] = dict.fromkeys(("status", "assignee", "priority", "created", "updated"))
    return {"id": created["id"], "key": created["key"], "summary": ticket.summary, **unknown}


def _refuses_labels(error: JiraError) -> bool:
    return isinstance(error, JiraStatusError) and error.status == 400 and "labels" in error.field_errors


def _refusal(error: JiraError) -> RefusalError:
    if isinstance(error, JiraStatusError) and error.status == 400:
        return refusal_of(_meant(error), CREATE_TEXTS)
    return refusal_of(error, CREATE_TEXTS)


def _meant(error: JiraStatusError) -> JiraStatusError:
    """Return a 400 as what it says: Jira puts a missing project or permission into words, not a status."""
    faulty = error.field_errors.keys()
    if not faulty <= {"project", "pid", "issuetype"}:
        return error
    said = (*error.messages, *error.field_errors.values())
    forbidden = any("permission" in text.lower() for text in said)
    if not faulty and not forbidden:
        return error
    return JiraStatusError(
        403 if forbidden else 404, error.reason, messages=error.messages, field_errors=error.field_errors
    )
