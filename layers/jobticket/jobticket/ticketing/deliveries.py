"""Telling an issue one event: a comment, the link back to the anomaly, a transition."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import partial
from typing import Any

from jobticket.dataclass import dataclass, replace
from jobticket.jira import transitions
from jobticket.jira.client import JiraClient
from jobticket.jira.comment_once import EventComment, comment_once, was_posted
from jobticket.jira.documents.limits import fitted
from jobticket.jira.documents.model import Document
from jobticket.jira.errors import (
    JiraError,
    JiraForbiddenError,
    JiraStatusError,
    JiraTimeoutError,
)
from jobticket.jira.transitions import NoTransitionError, TicketStanding
from jobticket.observability import logger
from jobticket.store.table import Item, Table, Update
from jobticket.store.unit_of_work import PRESENT, write_if_current
from jobticket.ticketing import links
from jobticket.ticketing.explanations import sentence
from jobticket.ticketing.integration import StoredIntegration
from jobticket.ticketing.layout import (
    ANOMALY,
    TICKET,
    anomaly_from,
    anomaly_pk,
    comment_sort,
    linked_anomalies,
)
from jobticket.ticketing.model import OPEN, AnomalyLink
from jobticket.ticketing.outbox import Event
from jobticket.ticketing.text import Wording

#: Jira may still carry out a call that timed out; it is not repeated before this has passed.
SETTLING = timedelta(seconds=60)
NOT_YET_KNOWN = "Network timeout: it is not known yet whether Jira took the comment"
MOVE_NOT_YET_KNOWN = "Network timeout: it is not known yet whether Jira moved the ticket"


class Told(Enum):
    """What became of an event."""

    GONE = auto()  #: its subject was deleted
    TOLD = auto()
    NEEDLESS = auto()
    CONFLICT = auto()  #: people moved the ticket
    WAITS = auto()  #: the ticket is not closed while another of its anomalies is open


@dataclass
class TransientError(Exception):
    """An event could not be delivered now, but may be later."""

    reason: str
    untouched: bool  #: whether Jira has certainly not carried it out
    settles_at: datetime | None = None  #: until when Jira may still carry it out
    retry_after: float | None = None

    def __str__(self) -> str:
        return self.reason


class LastingError(Exception):
    """Jira refuses an event, however often it is tried."""


@dataclass
class Delivery:
    """Tells issues events."""

    table: Table
    wording: Wording
    now: Callable[[], datetime]

    def tell(self, event: Event, link: AnomalyLink, stored: StoredIntegration, client: JiraClient) -> Told:
        """Tell an event's issue.

        Raises
        ------
        TransientError, LastingError
            If that failed.
        """
        if event.kind == "backlink":
            return self._send_backlink(event, client)
        if event.kind != "move":
            content = self._content(event)
            if content is None:
                return Told.GONE
            document = fitted(content, is_cloud=client.is_cloud)
            comment = EventComment(event.issue.ticket_id, document, event.id)
            if not self._found(event, comment, client) and not self._post(event, comment, client):
                return Told.GONE
            if event.target is None:
                return Told.TOLD
            event = replace(event, kind="move", tried_at=None, settles_at=None)
            if not update_event(self.table, event, {"kind": "move", "tried_at": None, "settles_at": None}):
                return Told.GONE
        return self._move(event, link, stored, client)

    # ---------------------------------------------------------------------------------------------- comments

    def _found(self, event: Event, comment: EventComment, client: JiraClient) -> bool:
        """While Jira may be working on an earlier try, only look whether it has the comment."""
        left = self._settling(event)
        if event.tried_at is None or left <= 0:
            return False
        try:
            if was_posted(client, comment, event.tried_at):
                return True
        except JiraError as error:
            raise judged(error, untouched=False, settles_at=event.settles_at) from None
        raise TransientError(NOT_YET_KNOWN, untouched=False, settles_at=event.settles_at, retry_after=left)

    def _settling(self, event: Event) -> float:
        return (event.settles_at - self.now()).total_seconds() if event.settles_at else 0.0

    def _post(self, event: Event, comment: EventComment, client: JiraClient) -> bool:
        if not self._note_try(event):
            return False
        tried = event.tried_at is not None
        try:
            comment_once(client, comment, first_try=event.tried_at or self.now(), tried=tried)
        except JiraError as error:
            raise self._unsettled(error, tried=tried) from None
        return True

    def _note_try(self, event: Event) -> bool:
        """Mark the event as tried, before Jira is called; False if the event is gone."""
        now = self.now()
        tried_at = (event.tried_at or now).isoformat()
        tried = {"tried_at": tried_at, "settles_at": (now + SETTLING).isoformat()}
        return update_event(self.table, event, tried)

    def _unsettled(self, error: JiraError, *, tried: bool) -> TransientError | LastingError:
        untouched = not error.outcome_unknown and not tried
        at_work = error.outcome_unknown and isinstance(error, JiraTimeoutError)
        return judged(error, untouched=untouched, settles_at=self.now() + SETTLING if at_work else None)

    def _content(self, event: Event) -> Callable[[int], Document] | None:
        """Return what makes the comment of an event for a limit, None if its subject was deleted."""
        if event.kind == "status":
            return lambda _limit: self.wording.status_comment(event.status or "", event.at)
        if event.kind == "recurrence":
            return lambda _limit: self.wording.recurrence(event.at, event.count or 0)
        if event.kind == "comment":
            comment = self._read(event, comment_sort(event.comment_id or 0))
            return None if comment is None else partial(self.wording.comment, comment["message"])
        anomaly = self._read(event, ANOMALY)
        return None if anomaly is None else partial(self.wording.block, anomaly_from(anomaly), event.at)

    def _read(self, event: Event, sort_key: str) -> Item | None:
        return self.table.get(anomaly_pk(event.anomaly_id), sort_key)

    def _send_backlink(self, event: Event, client: JiraClient) -> Told:
        anomaly = self._read(event, ANOMALY)
        if anomaly is None:
            return Told.GONE
        path = "/rest/api/2/issue/{issue}/remotelink"
        link = self.wording.backlink(anomaly_from(anomaly))
        try:
            # The same globalId replaces the link, so a repeat does no harm.
            client.post(path, issue=event.issue.ticket_id, json=link, repeatable=True)
        except JiraForbiddenError as error:
            # Nothing else needs this permission.
            raise LastingError(f"{sentence(error)}. The link back needs the permission Link Issues") from None
        except JiraError as error:
            raise judged(error, untouched=True) from None
        return Told.TOLD

    # ------------------------------------------------------------------------------------------- transitions

    def _move(self, event: Event, link: AnomalyLink, stored: StoredIntegration, client: JiraClient) -> Told:
        """Move the ticket to the event's status, unless that is not wanted any more."""
        anomaly, kept = self._read(event, ANOMALY), self._read(event, event.link_sk)
        if anomaly is None or kept is None:
            return Told.GONE
        ticket = self.table.get(event.issue.pk, TICKET) or {}
        if (unwanted := self._unwanted(event, anomaly, kept, ticket, stored)) is not None:
            return unwanted
        target, ours = event.target or "", ticket.get("moving")
        if (left := self._settling(event)) > 0:
            raise TransientError(
                MOVE_NOT_YET_KNOWN, untouched=False, settles_at=event.settles_at, retry_after=left
            )
        try:
            standing = transitions.read_standing(client, event.issue.ticket_id)
            if standing.is_at(target):
                self._note_place(link, standing.status)
                return Told.TOLD
            if self._moved_too(standing, (kept.get("seen"), ours), anomaly, stored):
                stamp = anomaly.get("status_stamp", 0)
                both = links.conflict(standing.status, anomaly["status"], stamp, self.now())
                links.note(self.table, link, self.now(), both)
                return Told.CONFLICT
            transition = standing.towards(target)
            if not self._note_try(event) or not links.note_move(self.table, link, transition.leads_to):
                return Told.GONE
            transitions.move(client, event.issue.ticket_id, transition)
        except NoTransitionError as error:
            raise LastingError(f"{error}. The ticket was not moved") from None
        except JiraError as error:
            if not error.outcome_unknown:
                links.note_move(self.table, link, ours)
            raise self._unsettled(error, tried=event.tried_at is not None) from None
        self._note_place(link, transition.leads_to)
        return Told.TOLD

    def _unwanted(
        self, event: Event, anomaly: Item, kept: Item, ticket: Item, stored: StoredIntegration
    ) -> Told | None:
        """Return why a ticket is not to be moved now; None if it is."""
        is_in_conflict = kept.get("conflict") == anomaly.get("status_stamp", 0)
        if event.status is None:  # a former ticket is reopened
            wanted = anomaly["status"] in OPEN
        else:
            wanted = transitions.is_same(stored.integration.target_of(anomaly["status"]), event.target)
        if is_in_conflict or not wanted:
            return Told.NEEDLESS
        if anomaly["status"] in OPEN:
            return None
        others = [number for number in linked_anomalies(ticket) if number != event.anomaly_id]
        found = self.table.get_all([(anomaly_pk(number), ANOMALY) for number in others])
        return Told.WAITS if any(item["status"] in OPEN for item in found) else None

    def _moved_too(
        self,
        standing: TicketStanding,
        known: tuple[str | None, str | None],
        anomaly: Item,
        stored: StoredIntegration,
    ) -> bool:
        """Tell whether people have moved the ticket since the last look, and the anomaly would follow."""
        seen, ours = known
        if seen is None or standing.is_at(seen) or standing.is_at(ours or ""):
            return False
        return stored.integration.meaning_of(standing.status) not in (None, anomaly["status"])

    def _note_place(self, link: AnomalyLink, status: str) -> None:
        now = self.now()
        # Where the product has given a ticket a status, or found it there, that is no news later.
        links.note(self.table, link, now, links.seen_values(status, now), ["conflict", "held"])
        logger.info("a ticket was moved", ticket=link.ticket_id)


def update_event(table: Table, event: Event, changes: dict[str, Any]) -> bool:
    """Set attributes of an event, and remove those that are None; False if the event is gone."""
    update = Update(
        event.issue.pk,
        event.sk,
        set={name: value for name, value in changes.items() if value is not None},
        remove=[name for name, value in changes.items() if value is None],
        condition=PRESENT,
    )
    return write_if_current(table, update) is not None


def judged(
    error: JiraError, *, untouched: bool, settles_at: datetime | None = None
) -> TransientError | LastingError:
    """Return whether an event is refused for good, or may be delivered later."""
    # Refused credentials are put right at the connection. The event itself is not refused.
    if not error.transient and not error.of_connection:
        return LastingError(sentence(error))
    asked = error.retry_after if isinstance(error, JiraStatusError) else None
    return TransientError(sentence(error), untouched=untouched, settles_at=settles_at, retry_after=asked)
