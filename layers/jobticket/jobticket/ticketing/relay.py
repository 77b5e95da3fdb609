"""The relay: tells an issue the events of its outbox, in order, each once.

One worker at a time holds the lease of an issue. Before a comment is posted its event is stored as tried.
Only after a try whose outcome is unknown is Jira asked whether it has the comment. What may succeed later is
tried again, and later events of the issue wait for it. What Jira refuses for good is kept as failed and shown
on the link, for a person to retry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

from boto3.dynamodb.conditions import Attr

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.connections.access import JiraAccess
from jobticket.errors import RefusalError
from jobticket.jira.client import JiraClient
from jobticket.jira.comment_once import EventComment, comment_once, was_posted
from jobticket.jira.documents.limits import fitted
from jobticket.jira.documents.model import Document
from jobticket.jira.errors import (
    JiraError,
    JiraForbiddenError,
    JiraRefusedCredentialsError,
    JiraStatusError,
    JiraTimeoutError,
)
from jobticket.observability import logger
from jobticket.store.lease import HeldError, hold
from jobticket.store.table import Delete, Item, Table, Update
from jobticket.store.unit_of_work import PRESENT, StaleError, UnitOfWork, write_if_current
from jobticket.ticketing import integration, outbox
from jobticket.ticketing.explanations import sentence, translated
from jobticket.ticketing.integration import StoredIntegration
from jobticket.ticketing.layout import (
    ANOMALY,
    LEASE,
    UNDELIVERED,
    Issue,
    anomaly_from,
    anomaly_pk,
    comment_sort,
)
from jobticket.ticketing.links import note_error
from jobticket.ticketing.model import AnomalyLink
from jobticket.ticketing.outbox import Event
from jobticket.ticketing.text import Wording

#: Of one wake-up; the queue's redrive policy has the same number.
MOST_TRIES = 12
#: Longer than the function runs: a lease this old has no living holder.
LEASE_TIME = timedelta(seconds=75)
SHORTEST_PAUSE = 5.0
LONGEST_PAUSE = 900.0
#: After a failed try the queue repeats the wake-up; the sweep waits this much longer.
SWEEP_MARGIN = timedelta(minutes=10)
#: How long an event is kept that Jira has refused.
FAILED_KEPT = timedelta(days=90)
#: Jira may still carry out a call that timed out; it is not repeated before this has passed.
SETTLING = timedelta(seconds=60)
#: With less time than this left, no event is begun.
LEAST_SECONDS = 5.0
NOT_YET_KNOWN = "Network timeout: it is not known yet whether Jira took the comment"


@dataclass(frozen=True, slots=True)
class Relayed:
    """What became of an issue's events."""

    delivered: int = 0
    dropped: int = 0
    failed: int = 0
    retry_after: float | None = None


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


def pause_before(tries: int, asked: float | None, chance: float) -> float:
    """Return the seconds to wait before the next try."""
    pause = min(LONGEST_PAUSE, SHORTEST_PAUSE * 2.0 ** min(tries - 1, 20))
    return max(pause, asked or 0.0) * (1 + 0.2 * chance)


@dataclass
class Relay:
    """Delivers the events of issues."""

    table: Table
    access: JiraAccess
    wording: Wording
    chance: Callable[[], float]
    now: Callable[[], datetime] = clock.now

    def tell(self, issue: Issue, deadline: Deadline, *, tries: int = 1) -> Relayed:
        """Deliver an issue's events, oldest first, up to one that cannot be delivered now."""
        try:
            with hold(self.table, issue.pk, LEASE, LEASE_TIME, now=self.now):
                return self._tell_all(issue, deadline, tries)
        except HeldError as held:
            return Relayed(retry_after=max(1.0, held.seconds))

    def _tell_all(self, issue: Issue, deadline: Deadline, tries: int) -> Relayed:
        done = Relayed()

        @cache
        def client_of(stored: StoredIntegration) -> JiraClient:
            return self._client(stored, deadline)

        events = outbox.pending(self.table, issue)
        lacking = {event.link_id for event in events if event.failed}
        for event in events:
            if event.failed:
                continue
            if deadline.left() < LEAST_SECONDS:
                return replace(done, retry_after=1.0)
            # Each time: it may be removed meanwhile.
            stored = integration.find(self.table)
            link = self._live_link(event, stored)
            if link is None or stored is None:
                self._drop(event)
                done = replace(done, dropped=done.dropped + 1)
                continue
            try:
                sent = self._tell_one(event, client_of(stored))
            except TransientError as error:
                return replace(done, retry_after=self._postpone(event, link, error, tries))
            except LastingError as error:
                self._give_up(event, link, str(error))
                lacking.add(event.link_id)
                done = replace(done, failed=done.failed + 1)
                continue
            if sent:
                self._settle(event, in_step=event.link_id not in lacking)
            done = replace(done, delivered=done.delivered + sent, dropped=done.dropped + (not sent))
        return done

    def _live_link(self, event: Event, stored: StoredIntegration | None) -> AnomalyLink | None:
        """Return the link that an event is for, None if nothing may be sent for it any more."""
        if stored is None or stored.integration.id != event.issue.integration_id:
            return None
        if stored.site != event.site:
            return None
        item = self.table.get(anomaly_pk(event.anomaly_id), event.link_sk)
        return AnomalyLink.of(item) if item is not None and item["id"] == event.link_id else None

    def _client(self, stored: StoredIntegration, deadline: Deadline) -> JiraClient:
        try:
            with translated():
                return integration.client_of(self.access, stored, deadline)
        except RefusalError as error:
            raise TransientError(error.message, untouched=True) from None

    # ------------------------------------------------------------------------------------------ one event

    def _tell_one(self, event: Event, client: JiraClient) -> bool:
        """Tell the issue one event; False if there is nothing left to tell."""
        if event.kind == "backlink":
            return self._send_backlink(event, client)
        content = self._content(event)
        if content is None:
            self._drop(event)
            return False
        document = fitted(content, is_cloud=client.is_cloud)
        comment = EventComment(event.issue.ticket_id, document, event.id)
        return self._found(event, comment, client) or self._post(event, comment, client)

    def _found(self, event: Event, comment: EventComment, client: JiraClient) -> bool:
        """While Jira may be at work on an earlier try, only look whether it has the comment."""
        left = (event.settles_at - self.now()).total_seconds() if event.settles_at else 0.0
        if event.tried_at is None or left <= 0:
            return False
        try:
            if was_posted(client, comment, event.tried_at):
                return True
        except JiraError as error:
            raise _judged(error, untouched=False, settles_at=event.settles_at) from None
        raise TransientError(NOT_YET_KNOWN, untouched=False, settles_at=event.settles_at, retry_after=left)

    def _post(self, event: Event, comment: EventComment, client: JiraClient) -> bool:
        if not self._note_try(event):
            return False
        tried = event.tried_at is not None
        try:
            comment_once(client, comment, first_try=event.tried_at or self.now(), tried=tried)
        except JiraError as error:
            untouched = not error.outcome_unknown and not tried
            at_work = error.outcome_unknown and isinstance(error, JiraTimeoutError)
            settles_at = self.now() + SETTLING if at_work else None
            raise _judged(error, untouched=untouched, settles_at=settles_at) from None
        return True

    def _send_backlink(self, event: Event, client: JiraClient) -> bool:
        anomaly = self._read(event, ANOMALY)
        if anomaly is None:
            self._drop(event)
            return False
        path = "/rest/api/2/issue/{issue}/remotelink"
        link = self.wording.backlink(anomaly_from(anomaly))
        try:
            # The same globalId replaces the link, so a repeat does no harm.
            client.post(path, issue=event.issue.ticket_id, json=link, repeatable=True)
        except JiraForbiddenError as error:
            # Nothing else needs this permission.
            raise LastingError(f"{sentence(error)}. The link back needs the permission Link Issues") from None
        except JiraError as error:
            raise _judged(error, untouched=True) from None
        return True

    def _content(self, event: Event) -> Callable[[int], Document] | None:
        """Return what makes the comment of an event for a limit, None if its subject is gone."""
        if event.kind == "status":
            return lambda _limit: self.wording.status_comment(event.status or "", event.at)
        if event.kind == "comment":
            comment = self._read(event, comment_sort(event.comment_id or 0))
            return None if comment is None else partial(self.wording.comment, comment["message"])
        anomaly = self._read(event, ANOMALY)
        return None if anomaly is None else partial(self.wording.block, anomaly_from(anomaly), event.at)

    def _read(self, event: Event, sort_key: str) -> Item | None:
        return self.table.get(anomaly_pk(event.anomaly_id), sort_key)

    # ------------------------------------------------------------------------------------------ its outcome

    def _note_try(self, event: Event) -> bool:
        """Store, before Jira is called, that the comment may exist; False if the event is gone."""
        now = self.now()
        tried_at = (event.tried_at or now).isoformat()
        return self._update(event, {"tried_at": tried_at, "settles_at": (now + SETTLING).isoformat()})

    def _settle(self, event: Event, *, in_step: bool) -> None:
        """Remove a delivered event and note it on the link. A link that lacks nothing loses its error."""
        synced = Update(
            anomaly_pk(event.anomaly_id),
            event.link_sk,
            set={"last_synced": clock.iso_milliseconds(self.now())},
            remove=["last_sync_error"] if in_step else [],
            condition=Attr("id").eq(event.link_id),
        )
        work = UnitOfWork(self.table)
        work.add(Delete(event.issue.pk, event.sk))
        work.add(synced)
        try:
            work.commit()
        except StaleError:
            self._drop(event)  # unlinked meanwhile

    def _postpone(self, event: Event, link: AnomalyLink, error: TransientError, tries: int) -> float:
        pause = pause_before(tries, error.retry_after, self.chance())
        given_up = tries >= MOST_TRIES
        settles_at, due_at = error.settles_at, self.now() + timedelta(seconds=pause) + SWEEP_MARGIN
        changes = {
            "attempts": event.attempts + 1,
            "settles_at": settles_at.isoformat() if settles_at else None,
            # The sweep leaves what was given up. The issue's next wake-up, or a retry, begins with it.
            "due_pk": None if given_up else UNDELIVERED,
            "due_at": None if given_up else outbox.due(due_at),
        }
        self._update(event, changes | ({"tried_at": None} if error.untouched else {}))
        note_error(self.table, link, f"{error}. Given up; retry it." if given_up else str(error))
        logger.warning("not delivered", event=event.id, kind=event.kind, tries=tries, given_up=given_up)
        return pause

    def _give_up(self, event: Event, link: AnomalyLink, reason: str) -> None:
        expires_at = clock.epoch(self.now() + FAILED_KEPT)
        rest = {"due_pk": None, "due_at": None, "settles_at": None}
        self._update(event, {"failed": True, "expires_at": expires_at, **rest})
        note_error(self.table, link, reason)
        logger.error("cannot be delivered", event=event.id, kind=event.kind)

    def _drop(self, event: Event) -> None:
        self.table.delete(event.issue.pk, event.sk)

    def _update(self, event: Event, changes: dict[str, Any]) -> bool:
        """Set attributes of an event, and remove those that are None; False if the event is gone."""
        update = Update(
            event.issue.pk,
            event.sk,
            set={name: value for name, value in changes.items() if value is not None},
            remove=[name for name, value in changes.items() if value is None],
            condition=PRESENT,
        )
        return write_if_current(self.table, update) is not None


def _judged(
    error: JiraError, *, untouched: bool, settles_at: datetime | None = None
) -> TransientError | LastingError:
    # Refused credentials are put right at the connection. The event itself is not refused.
    if not error.transient and not isinstance(error, JiraRefusedCredentialsError):
        return LastingError(sentence(error))
    asked = error.retry_after if isinstance(error, JiraStatusError) else None
    return TransientError(sentence(error), untouched=untouched, settles_at=settles_at, retry_after=asked)
