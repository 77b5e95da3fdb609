"""Following tickets: what people do to a ticket reaches its links, and its anomalies by ``status_in``.

A look reads a ticket under the lease of its issue, so it never sees our own move half done. What the
product moved is no news: a link remembers in which status its ticket was last seen. The sweep asks Jira in
one search what has changed since the last one. It wakes a look for each linked ticket that looks different.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from math import ceil

from boto3.dynamodb.conditions import Attr, ConditionBase

from jobticket import clock
from jobticket.clock import Deadline
from jobticket.connections.access import JiraAccess
from jobticket.dataclass import dataclass
from jobticket.errors import ConflictError, NotFoundError
from jobticket.history.records import Stamp
from jobticket.jira import transitions
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraError, JiraNotFoundError
from jobticket.jira.listing import Row
from jobticket.jira.lookup import look_up, show_found
from jobticket.jira.search import Search
from jobticket.jira.transitions import is_same
from jobticket.observability import logger
from jobticket.store.table import Item, Table, Update
from jobticket.store.unit_of_work import PRESENT, UnitOfWork, commit_if_current, write_if_current
from jobticket.ticketing import anomalies, integration, links
from jobticket.ticketing.integration import StoredIntegration
from jobticket.ticketing.layout import SWEEP, TICKET, Issue, linked_anomalies
from jobticket.ticketing.model import ARCHIVED, AnomalyLink
from jobticket.ticketing.outbox import GRACE, Event, keep_look
from jobticket.ticketing.revisions import Loaded, Revision, load, revise, revising

#: What of a ticket a link shows.
SEEN = ("status", "summary", "key")
#: Jira's index may lag, and its search knows whole minutes.
MARGIN = timedelta(minutes=3)
#: A sweep looks back no further.
LONGEST = timedelta(days=30)
GONE = "Ticket not found: it was deleted, or the account may not see it"


@dataclass(frozen=True, slots=True)
class Looked:
    """The outcome of a look at a ticket: events for other tickets, and how many links are in conflict now."""

    events: Sequence[Event] = ()
    conflicts: int = 0


@dataclass
class Look:
    """One look at an issue.

    Attributes
    ----------
    since
        Up to when, in milliseconds, every change of the ticket was looked at.
    """

    table: Table
    stored: StoredIntegration
    client: JiraClient
    issue: Issue
    now: datetime
    since: int = 0

    def take(self) -> Looked:
        """Read the ticket, and let its links and their anomalies follow.

        Raises
        ------
        JiraError
            If the ticket cannot be read.
        """
        ticket = self.table.get(self.issue.pk, TICKET) or {}
        linked = linked_anomalies(ticket)
        self.since = ticket.get("unlooked", searched_until(self.table))
        if not linked:
            end_look(self.table, self.issue, {}, ticket)
            return Looked()
        try:
            row = look_up(self.client, self.issue.ticket_id)
        except JiraNotFoundError:
            for anomaly_id in linked:
                self._note_gone(anomaly_id)
            end_look(self.table, self.issue, {}, ticket)
            return Looked()
        events: list[Event] = []
        conflicts, mover = 0, Mover(self.client, self.issue.ticket_id)
        for anomaly_id, link_id in linked.items():
            following = _Following(self, anomaly_id, link_id, row, mover, ticket.get("moving"))
            events += following.run()
            conflicts += following.is_conflict
        seen = {name: row[name] for name in SEEN if row[name] is not None}
        end_look(self.table, self.issue, seen, ticket)
        return Looked(events, conflicts)

    def _note_gone(self, anomaly_id: int) -> None:
        with contextlib.suppress(NotFoundError):
            loaded = load(self.table, anomaly_id)
            link = self.link_in(loaded)
            if link is not None and link.last_sync_error != GONE:
                work = UnitOfWork(self.table)
                work.add(links.change(link, set={"last_sync_error": GONE}))
                for write in links.looks_at_others(loaded, link, self.now):
                    work.add(write)
                commit_if_current(work)

    def link_in(self, loaded: Loaded) -> AnomalyLink | None:
        return links.find_pair(loaded, self.issue.integration_id, self.issue.ticket_id)


def end_look(table: Table, issue: Issue, seen: Item, ticket: Item | None = None) -> None:
    """Store how a ticket was seen, and that it needs no look, unless ``ticket`` was asked for again since."""
    ended = ["moving", "unlooked", "due_pk", "due_at"]
    same: ConditionBase = PRESENT
    if ticket is not None:
        same &= Attr("due_at").eq(ticket["due_at"]) if "due_at" in ticket else Attr("due_at").not_exists()
    write_if_current(table, Update(issue.pk, TICKET, set=seen, remove=ended, condition=same))


@dataclass
class Mover:
    """Who last moved an issue; read once, and only if an anomaly changes."""

    client: JiraClient
    issue: str
    _name: str | None = None

    @property
    def name(self) -> str:
        if self._name is None:
            try:
                self._name = transitions.who_moved(self.client, self.issue) or ""
            except JiraError:
                self._name = ""
        return f"Jira: {self._name}" if self._name else "Jira"


@dataclass
class _Following:
    """Lets one link and its anomaly follow a ticket, in one unit of work."""

    look: Look
    anomaly_id: int
    link_id: int
    row: Row
    mover: Mover
    moving: str | None  #: where the product has moved the ticket since the last look
    is_conflict: bool = False

    def run(self) -> list[Event]:
        events: list[Event] = []
        try:
            for work in revising(self.look.table):
                with work:
                    events = self._add(work)
        except ConflictError as error:
            # Another open anomaly has the fingerprint.
            with contextlib.suppress(NotFoundError):
                link = self.look.link_in(load(self.look.table, self.anomaly_id))
                if link is not None:
                    values = self._values() | {"last_sync_error": error.message}
                    links.note(self.look.table, link, self.look.now, values)
            return []
        return events

    def _add(self, work: UnitOfWork) -> list[Event]:
        table = self.look.table
        try:
            loaded = load(table, self.anomaly_id)
        except NotFoundError:
            return []
        link = self.look.link_in(loaded)
        if link is None or link.id != self.link_id or all(live.link_id != link.id for live in loaded.live):
            return []
        kept, now = links.kept(table, link), self.look.now
        wanted = self._wanted(kept, loaded)
        if wanted is not None and loaded.status_stamp > max(kept.get("looked", 0), self.look.since):
            self.is_conflict = True
            both = links.conflict(self.row["status"], loaded.anomaly.status, loaded.status_stamp, now)
            links.add_note(work, link, now, both, (), self.moving)
            return []
        open_one = self._open_one(loaded, link) if wanted in ARCHIVED else None
        if wanted is not None and open_one is None:
            return self._follow(work, loaded, link, wanted)
        values = self._values()
        if open_one is not None:
            values["held"] = loaded.status_stamp
            if open_one.status:
                # If that one is closed or unlinked meanwhile, this is decided again.
                work.add(links.change(open_one, set={"status": open_one.status}))
        links.add_note(work, link, now, values, self._ended(link, kept), self.moving)
        return []

    def _wanted(self, kept: dict[str, object], loaded: Loaded) -> str | None:
        """Return the status that the anomaly must get; None if the ticket's status is no news for it."""
        status, seen = self.row["status"], kept.get("seen")
        wanted = self.look.stored.integration.meaning_of(status)
        if seen is None or is_same(status, self.moving) or wanted in (None, loaded.anomaly.status):
            return None
        # What waited for other tickets is still news, unless the anomaly was changed here since.
        is_held = wanted in ARCHIVED and kept.get("held") == loaded.status_stamp
        return None if is_same(status, str(seen)) and not is_held else wanted

    def _open_one(self, loaded: Loaded, link: AnomalyLink) -> AnomalyLink | None:
        """Return another ticket that does not say that the anomaly is archived; a deleted one has no say."""
        means = self.look.stored.integration.meaning_of
        others = [other for other in loaded.links if other.id != link.id and other.last_sync_error != GONE]
        open_ones = [other for other in others if means(other.status) not in ARCHIVED]
        return next((other for other in open_ones if _is_live(other, loaded)), None)

    def _follow(self, work: UnitOfWork, loaded: Loaded, link: AnomalyLink, wanted: str) -> list[Event]:
        stamp = Stamp(self.look.now, self.mover.name)
        revision = Revision(follows=True, records=links.moves(link, self.row["status"]))
        revision.notices = anomalies.set_status(work, revision, loaded, wanted, stamp.at)
        revision.links = [live for live in loaded.live if live.link_id != link.id]
        work.add(links.change(link, set=self._values(), remove=["conflict", "last_sync_error", "held"]))
        logger.info("an anomaly follows its ticket", anomaly=self.anomaly_id, status=wanted)
        return revise(work, loaded, revision, stamp)

    def _ended(self, link: AnomalyLink, kept: dict[str, object]) -> list[str]:
        """Return what the link says no more, now that its ticket was seen."""
        moved = not is_same(self.row["status"], str(kept.get("seen", "")))
        return ["conflict", "last_sync_error"] if moved or link.last_sync_error == GONE else []

    def _values(self) -> dict[str, object]:
        """Return what the link shows of its ticket now."""
        key = self.row["key"]
        shown = {
            "ticket_number": key,
            "title": self.row["summary"],
            "url": self.look.client.browse_url(key),
            "last_synced": clock.iso_milliseconds(self.look.now),
        }
        return links.seen_values(self.row["status"], self.look.now) | shown


def _is_live(link: AnomalyLink, loaded: Loaded) -> bool:
    return any(live.link_id == link.id for live in loaded.live)


def searched_until(table: Table) -> int:
    """Return up to when the last sweep has certainly found every change, in milliseconds."""
    return int((table.get(SWEEP, SWEEP) or {}).get("began", 0))


def changed_tickets(table: Table, access: JiraAccess, now: datetime, deadline: Deadline) -> Iterator[Issue]:
    """Yield the linked tickets that look different from when they were last read, each noted as unlooked.

    It costs a search of what changed since the last sweep, a call for each 100 linked tickets among it, and
    a read of DynamoDB for each 100 changed ones. The caller ends it with ``note_sweep``.
    """
    stored = integration.find(table)
    if stored is None or not stored.follows:
        return
    client, last = integration.client_of(access, stored, deadline), searched_until(table)
    since = _minutes_since(last, now)
    search = Search(client, f"updated >= -{since}m ORDER BY updated ASC", ("summary", "status"), show_found)
    known: dict[str, Item] = {}

    def linked(ids: Sequence[str]) -> list[str]:
        keys = {Issue(stored.integration.id, number).pk: number for number in map(str, ids)}
        known.update((keys[item["pk"]], item) for item in table.get_all([(pk, TICKET) for pk in keys]))
        return [number for number in map(str, ids) if number in known]

    for row in search.chosen(linked):
        item = known[row["id"]]
        if any(row[name] is not None and row[name] != item.get(name) for name in SEEN):
            issue = Issue(stored.integration.id, row["id"])
            keep_look(table, issue, now + GRACE, item.get("unlooked", last))
            yield issue


def _minutes_since(last: int, now: datetime) -> int:
    return ceil(min(now - clock.from_milliseconds(last), LONGEST).total_seconds() / 60)


def note_sweep(table: Table, moment: datetime) -> None:
    """Store when a sweep began; Jira's index may not have had changes shortly before it."""
    table.put({"pk": SWEEP, "sk": SWEEP, "began": clock.epoch_milliseconds(moment - MARGIN)})
