"""The relay: tells an issue the events of its outbox, in order, each once.

One worker at a time holds the lease of an issue. Before a comment is posted its event is stored as tried.
Only after a try whose outcome is unknown is Jira asked whether it has the comment. What may succeed later is
tried again, and later events of the issue wait for it. What Jira refuses for good is kept as failed and shown
on the link, for a person to retry.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from boto3.dynamodb.conditions import Attr, ConditionBase

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.connections.access import JiraAccess
from jobticket.dataclass import dataclass, field, replace
from jobticket.errors import RefusalError
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraError
from jobticket.observability import logger
from jobticket.store.lease import HeldError, hold
from jobticket.store.table import Delete, Table, Update
from jobticket.store.unit_of_work import PRESENT, StaleError, UnitOfWork, discard
from jobticket.ticketing import integration, outbox
from jobticket.ticketing.deliveries import (
    Delivery,
    LastingError,
    Told,
    TransientError,
    judged,
    update_event,
)
from jobticket.ticketing.explanations import translated
from jobticket.ticketing.integration import Source, StoredIntegration
from jobticket.ticketing.layout import LEASE, UNDELIVERED, Issue, anomaly_pk
from jobticket.ticketing.links import adopt, note_error
from jobticket.ticketing.model import ARCHIVED, AnomalyLink
from jobticket.ticketing.outbox import Event
from jobticket.ticketing.recent import RecentChoices
from jobticket.ticketing.rule_tickets import BrokenRuleError, RuleTickets
from jobticket.ticketing.sync_in import Look, end_look
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
#: The most for a rule's ticket: less than the lease of its attempt.
CREATION_SECONDS = 25.0
#: The events that tell of a status, or move the ticket to one.
MOVING = ("status", "move")
#: With less time than this left, no event is begun.
LEAST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Relayed:
    """What became of an issue's events."""

    delivered: int = 0
    dropped: int = 0
    failed: int = 0
    broken: int = 0  #: rules that are broken now
    conflicts: int = 0
    retry_after: float | None = None  #: seconds until the rest is tried again
    events: Sequence[Event] = ()  #: what follows for other issues, to be woken


def pause_before(tries: int, asked: float | None, chance: float) -> float:
    """Return the seconds to wait before the next try."""
    pause = min(LONGEST_PAUSE, SHORTEST_PAUSE * 2.0 ** min(tries - 1, 20))
    return max(pause, asked or 0.0) * (1 + 0.2 * chance)


@dataclass
class Clients:
    """Clients for Jira during one wake-up."""

    access: JiraAccess
    deadline: Deadline
    known: dict[Source, JiraClient] = field(default_factory=dict)

    def of(self, stored: StoredIntegration, seconds: float | None = None) -> JiraClient:
        """Return the client for an integration; with a limit of its own, a new one.

        Raises
        ------
        TransientError
            If the connection does not work.
        """
        if seconds is None and stored.source in self.known:
            return self.known[stored.source]
        deadline = self.deadline if seconds is None else self.deadline.sooner(seconds)
        try:
            with translated():
                client = integration.client_of(self.access, stored, deadline)
        except RefusalError as error:
            raise TransientError(error.message, untouched=True) from None
        return client if seconds is not None else self.known.setdefault(stored.source, client)


def _in_order(events: Sequence[Event]) -> list[Event]:
    """Return the events to deliver, oldest first, then the parked ones, of which the newest closes."""
    waiting = [event for event in events if not event.failed]
    parked = [event for event in reversed(waiting) if event.parked]
    return [event for event in waiting if not event.parked] + parked


def _is_here(event: Event, stored: StoredIntegration) -> bool:
    return stored.integration.id == event.issue.integration_id and stored.site == event.site


@dataclass
class Relay:
    """Delivers the events of issues."""

    table: Table
    access: JiraAccess
    wording: Wording
    chance: Callable[[], float]
    now: Callable[[], datetime] = clock.now
    recent: RecentChoices = field(default_factory=lambda: RecentChoices(time.monotonic))

    def __post_init__(self) -> None:
        self._delivery = Delivery(self.table, self.wording, self.now)
        self._rule_tickets = RuleTickets(self.table, self.recent, self.wording, self.now)

    def tell(self, issue: Issue, deadline: Deadline, *, tries: int = 1, look: bool = False) -> Relayed:
        """Deliver an issue's events, oldest first, up to one that cannot be delivered now.

        Parameters
        ----------
        tries
            How often this wake-up was received.
        look
            Whether to look at the ticket then.
        """
        try:
            with hold(self.table, issue.pk, LEASE, LEASE_TIME, now=self.now):
                done = self._tell_all(issue, deadline, tries)
                return self._look(issue, deadline, tries, done) if look else done
        except HeldError as held:
            return Relayed(retry_after=max(1.0, held.seconds))

    def _tell_all(self, issue: Issue, deadline: Deadline, tries: int) -> Relayed:
        done = Relayed()
        clients = Clients(self.access, deadline)
        events = outbox.pending(self.table, issue)
        failed = [event for event in events if event.failed]
        closed = False
        for event in _in_order(events):
            if event.parked and closed:
                self._drop(event)
                continue
            if deadline.left() < LEAST_SECONDS:
                return replace(done, retry_after=1.0)
            # Each time: it may be removed meanwhile.
            stored = integration.find(self.table)
            link = self._live_link(event, stored)
            try:
                if stored is None or not _is_here(event, stored):
                    told: Told | Sequence[Event] = Told.GONE
                elif event.kind == "ticket":
                    told = self._make_ticket(event, stored, clients)
                else:
                    told = self._delivery.tell(event, link, stored, clients.of(stored)) if link else Told.GONE
            except TransientError as error:
                return replace(done, retry_after=self._postpone(event, link, error, tries))
            except BrokenRuleError:
                done = replace(done, failed=done.failed + 1, broken=done.broken + 1)
                continue
            except LastingError as error:
                self._give_up(event, link, str(error))
                failed.append(event)
                done = replace(done, failed=done.failed + 1)
                continue
            if event.kind in MOVING and told is not Told.GONE:
                failed = [each for each in failed if not self._overtakes(event, each)]
            lacking = {each.link_id for each in failed}
            done = self._ended(event, told, done, in_step=event.link_id not in lacking)
            closed |= told is Told.TOLD and event.target is not None and event.status in ARCHIVED
        return done

    def _overtakes(self, event: Event, failed: Event) -> bool:
        """Forget a refused move once its ticket got a later status of the anomaly."""
        if failed.link_id != event.link_id:
            return False
        move = Delete(failed.issue.pk, failed.sk, Attr("kind").eq("move"))
        return discard(self.table, move) is None

    def _look(self, issue: Issue, deadline: Deadline, tries: int, done: Relayed) -> Relayed:
        """Let the issue's links and anomalies follow it."""
        stored = integration.find(self.table)
        if stored is None or stored.integration.id != issue.integration_id or not stored.follows:
            end_look(self.table, issue, {})
            return done
        try:
            if deadline.left() < LEAST_SECONDS:
                raise TransientError("no time is left", untouched=True, retry_after=1.0)
            client = Clients(self.access, deadline).of(stored)
            try:
                looked = Look(self.table, stored, client, issue, self.now()).take()
            except JiraError as error:
                raise judged(error, untouched=True) from None
        except TransientError as error:
            pause = pause_before(tries, error.retry_after, self.chance())
            outbox.keep_look(self.table, issue, self.now() + timedelta(seconds=pause) + SWEEP_MARGIN)
            if tries >= MOST_TRIES:
                return done  # no dead letter: the sweep continues
            return replace(done, retry_after=max(pause, done.retry_after or 0.0))
        except LastingError:
            logger.warning("a ticket cannot be read", ticket=issue.ticket_id)
            end_look(self.table, issue, {})
            return done
        return replace(
            done, conflicts=done.conflicts + looked.conflicts, events=[*done.events, *looked.events]
        )

    def _ended(self, event: Event, told: Told | Sequence[Event], done: Relayed, *, in_step: bool) -> Relayed:
        if told is Told.GONE:
            self._drop(event)
            return replace(done, dropped=done.dropped + 1)
        if not isinstance(told, Told):
            return replace(done, delivered=done.delivered + 1, events=[*done.events, *told])
        if told is Told.WAITS and event.parked:
            return done
        self._settle(event, told, in_step=in_step)
        conflicts = done.conflicts + (told is Told.CONFLICT)
        return replace(done, delivered=done.delivered + 1, conflicts=conflicts)

    def _live_link(self, event: Event, stored: StoredIntegration | None) -> AnomalyLink | None:
        """Return the link that an event is for, None if nothing may be sent for it any more."""
        if stored is None or event.kind == "ticket" or not _is_here(event, stored):
            return None
        item = self.table.get(anomaly_pk(event.anomaly_id), event.link_sk)
        return adopt(self.table, item) if item is not None and item["id"] == event.link_id else None

    def _make_ticket(
        self, event: Event, stored: StoredIntegration, clients: Clients
    ) -> Told | Sequence[Event]:
        try:
            made = self._rule_tickets.make(event, stored, clients.of(stored, CREATION_SECONDS))
        except RefusalError as refusal:
            raise TransientError(refusal.message, untouched=True, retry_after=refusal.retry_after) from None
        return Told.GONE if made is None else made

    # ------------------------------------------------------------------------------------------ its outcome

    def _settle(self, event: Event, told: Told, *, in_step: bool) -> None:
        """Remove or park a delivered event, note it on the link. A link that lacks nothing loses its error.

        A conflict lasts until the anomaly moves again, or the ticket does.
        """
        ended: Delete | Update = Delete(event.issue.pk, event.sk)
        if told is Told.WAITS:
            rest = ["due_pk", "due_at", "tried_at"]
            ended = Update(ended.pk, ended.sk, set={"parked": True}, remove=rest, condition=PRESENT)
        agrees: ConditionBase = Attr("conflict").not_exists()
        if event.kind in MOVING and told in (Told.TOLD, Told.WAITS):
            agrees |= Attr("conflict").lt(event.stamp)
        for condition, gone in ((agrees, ["last_sync_error", "conflict"]), (PRESENT, [])):
            if gone and not in_step:
                continue
            work = UnitOfWork(self.table)
            work.add(ended)
            work.add(
                Update(
                    anomaly_pk(event.anomaly_id),
                    event.link_sk,
                    set={"last_synced": clock.iso_milliseconds(self.now())},
                    remove=gone,
                    condition=Attr("id").eq(event.link_id) & condition,
                )
            )
            with contextlib.suppress(StaleError):
                work.commit()
                return
        self._drop(event)  # unlinked meanwhile

    def _postpone(self, event: Event, link: AnomalyLink | None, error: TransientError, tries: int) -> float:
        pause = pause_before(tries, error.retry_after, self.chance())
        given_up = tries >= MOST_TRIES
        settles_at, due_at = error.settles_at, self.now() + timedelta(seconds=pause) + SWEEP_MARGIN
        changes = {
            "attempts": event.attempts + 1,
            "settles_at": settles_at.isoformat() if settles_at else None,
            # The sweep leaves it, for its tries are used up. The next wake-up, or a retry, begins with it.
            "due_pk": None if given_up else UNDELIVERED,
            "due_at": None if given_up else outbox.due(due_at),
        }
        update_event(self.table, event, changes | ({"tried_at": None} if error.untouched else {}))
        if link is not None:
            note_error(self.table, link, f"{error}. Given up; retry it." if given_up else str(error))
        logger.warning("not delivered", event=event.id, kind=event.kind, tries=tries, given_up=given_up)
        return pause

    def _give_up(self, event: Event, link: AnomalyLink | None, reason: str) -> None:
        expires_at = clock.epoch(self.now() + FAILED_KEPT)
        rest = {"due_pk": None, "due_at": None, "settles_at": None}
        update_event(self.table, event, {"failed": True, "expires_at": expires_at, **rest})
        if link is not None:
            note_error(self.table, link, reason)
        logger.error("cannot be delivered", event=event.id, kind=event.kind)

    def _drop(self, event: Event) -> None:
        self.table.delete(event.issue.pk, event.sk)
