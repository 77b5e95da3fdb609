"""Creates a ticket for an anomaly, once, whatever fails on the way.

``jira.create_once`` creates the issue. Here is what it needs to remember: an attempt, stored with the anomaly
before Jira is called. An attempt that did not end, or whose outcome is unknown, is settled before anything
else is created for the anomaly.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Self

from boto3.dynamodb.conditions import Attr

from jobticket import clock
from jobticket.dataclass import asdict, dataclass
from jobticket.errors import InvalidError, RefusalError, UnavailableError, UpstreamError
from jobticket.history.records import Stamp
from jobticket.jira.client import JiraClient
from jobticket.jira.create_once import (
    COME_BACK_SECONDS,
    UNLABELLED,
    Created,
    CreateOnce,
    UnsettledError,
    UntraceableError,
)
from jobticket.jira.documents.adf import to_adf
from jobticket.jira.documents.limits import cut_line, fitted
from jobticket.jira.documents.model import Document
from jobticket.jira.documents.wiki import to_wiki
from jobticket.jira.errors import JiraError, JiraNotFoundError, JiraStatusError, words_of
from jobticket.jira.listing import Row
from jobticket.jira.transitions import is_same
from jobticket.observability import logger
from jobticket.store import lease
from jobticket.store.lease import HeldError, Lease
from jobticket.store.table import Delete, Item, Put, Table, Update
from jobticket.store.unit_of_work import ABSENT, StaleError, UnitOfWork, discard, write, write_if_current
from jobticket.ticketing import links
from jobticket.ticketing.explanations import refused_by_jira, sentence
from jobticket.ticketing.integration import StoredIntegration, issue_type_not_found, project_not_found
from jobticket.ticketing.layout import ATTEMPT, anomaly_pk
from jobticket.ticketing.linked_tickets import plain, read_ticket
from jobticket.ticketing.model import Anomaly, LinkedTicket, TicketAnswer, TicketDraft, TicketMetadata
from jobticket.ticketing.outbox import Event, TicketNotice
from jobticket.ticketing.recent import USUAL_TYPE, RecentChoices, default_type, find
from jobticket.ticketing.revisions import load
from jobticket.ticketing.text import Wording

#: Longer than any request lives: an attempt this old has no living maker.
LEASE = timedelta(seconds=30)

#: Who makes a rule's ticket. Its request is this and the rule's id.
RULE = "rule"

UNKNOWN = "It is not known yet whether Jira created the ticket. Please try again."
UNRECOVERABLE = (
    "It is not known whether Jira created the ticket, and the project's screen has no labels by which it "
    "could be found. Please look in Jira before you try again."
)


class UnrecoverableError(UpstreamError):
    """A ticket may exist that cannot be found."""


def _digest(draft: TicketDraft) -> str:
    return hashlib.sha256(json.dumps(asdict(draft), sort_keys=True).encode()).hexdigest()


def _being_created(seconds: float = COME_BACK_SECONDS) -> UnavailableError:
    return UnavailableError(
        "A ticket for this anomaly is being created. Please try again.",
        retry_after=max(1, min(COME_BACK_SECONDS, math.ceil(seconds))),
    )


@dataclass(slots=True)
class Attempt:
    """A creation that has begun: what ``CreateOnce`` remembers."""

    table: Table
    anomaly_id: int
    #: Names the attempt; the issue's label is made from it.
    mark: str
    #: A digest of the request, and who made it.
    request: str
    by: str
    site: str
    #: Held while its maker is working.
    lease: Lease
    #: Until when an issue of this attempt may still be found.
    settles_at: datetime | None = None
    #: Whether the issue has the label. The screens of some projects have no labels.
    labelled: bool = True
    #: Each creation has an attempt of its own.
    memo: ClassVar[None] = None

    @classmethod
    def new(cls, table: Table, anomaly_id: int, request: str, by: str, site: str, now: datetime) -> Self:
        return cls(table, anomaly_id, secrets.token_hex(8), request, by, site, Lease.begin(now, LEASE))

    @classmethod
    def take(cls, table: Table, anomaly_id: int, by: str, now: datetime) -> Self | None:
        """Take over the anomaly's earlier attempt, if there is one; ``by`` is who asks now."""
        item = table.get(anomaly_pk(anomaly_id), ATTEMPT)
        if item is None:
            return None
        taken = Lease.begin(now, LEASE)
        same = Attr("mark").eq(item["mark"])
        try:
            lease.take(table, anomaly_pk(anomaly_id), ATTEMPT, taken, now, condition=same)
        except HeldError as held:
            raise _being_created(held.seconds) from None
        except StaleError:
            raise _being_created() from None
        settles_at = clock.parse_iso(item["settles_at"])
        labelled = item.get("memo") != UNLABELLED
        asked = item["mark"], item["request"], item.get("by", by), item["site"]
        return cls(table, anomaly_id, *asked, taken, settles_at, labelled)

    @property
    def rule_id(self) -> int | None:
        """The rule that makes the ticket; None for a person."""
        name, _, number = self.request.partition(" ")
        return int(number) if name == RULE else None

    def begin(self, settles_at: datetime, memo: dict[str, Any] | None = None) -> None:
        """Store that an issue may exist."""
        item: Item = {
            "pk": anomaly_pk(self.anomaly_id),
            "sk": ATTEMPT,
            "mark": self.mark,
            "request": self.request,
            "by": self.by,
            "site": self.site,
            "settles_at": settles_at.isoformat(),
            **({"memo": memo} if memo else {}),
            **self.lease.attributes(),
        }
        write(self.table, Put(item, ABSENT | self.lease.held()), otherwise=_being_created())

    def undone(self) -> None:
        """Forget the attempt: there is no issue, or it cannot be found."""
        discard(self.table, self.deletion())

    def deletion(self) -> Delete:
        """Return the write that ends the attempt."""
        return Delete(anomaly_pk(self.anomaly_id), ATTEMPT, self.lease.held())

    def hand_on(self, now: datetime) -> None:
        """End the lease, so that the next request settles the attempt at once."""
        ended = Lease(self.lease.owner, now).attributes()
        update = Update(anomaly_pk(self.anomaly_id), ATTEMPT, set=ended, condition=self.lease.held())
        write_if_current(self.table, update)


@dataclass(frozen=True, slots=True)
class CreatedTicket:
    """A ticket that exists in Jira and is still to be linked."""

    ticket: LinkedTicket
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class _NewIssue:
    project: str
    type: Row
    priority: str | None
    title: str
    description: Document


@dataclass
class TicketCreation:
    """Creates tickets at the integration's Jira."""

    table: Table
    stored: StoredIntegration
    client: JiraClient
    recent: RecentChoices
    wording: Wording
    by: str
    now: Callable[[], datetime]

    @contextlib.contextmanager
    def created(
        self, anomaly_id: int, draft: TicketDraft, request: str | None = None
    ) -> Iterator[CreatedTicket]:
        """Create a ticket, or find the one of an earlier attempt, for a ``with`` block that links it.

        A repeat is recognised by its ``request``, by default the draft.
        """
        made = self._create(anomaly_id, draft, request or _digest(draft))
        try:
            yield made
        except Exception:
            made.attempt.hand_on(self.now())
            raise

    def link(self, work: UnitOfWork, made: CreatedTicket) -> tuple[TicketAnswer, list[Event]]:
        """Link a created ticket, and end its attempt, in one unit of work."""
        anomaly_id, ticket = made.attempt.anomaly_id, made.ticket
        number = self.stored.integration.id
        work.add(made.attempt.deletion(), otherwise=_being_created())
        answer = TicketAnswer(
            ticket=ticket,
            anomaly_id=anomaly_id,
            integration_id=number,
            message=f"Ticket {ticket.ticket_number} created and linked to anomaly {anomaly_id}",
        )
        loaded = load(self.table, anomaly_id)
        if links.find_pair(loaded, number, ticket.ticket_id) is not None:
            return answer, []  # somebody has linked it by hand
        stamp, rule_id = Stamp(self.now(), made.attempt.by), made.attempt.rule_id
        more = list(self._catch_up(loaded.anomaly, ticket))
        _, events = links.add_link(
            work, anomaly_id, self.stored, ticket, "created", stamp, rule_id=rule_id, more=more
        )
        return answer, events

    def _catch_up(self, anomaly: Anomaly, ticket: LinkedTicket) -> Iterator[TicketNotice]:
        """Yield the move to where the anomaly's status would have brought the ticket."""
        target = self.stored.integration.target_of(anomaly.status)
        if target is not None and not is_same(ticket.status, target):
            yield TicketNotice("move", status=anomaly.status, target=target)

    def _create(self, anomaly_id: int, draft: TicketDraft, request: str) -> CreatedTicket:
        loaded = load(self.table, anomaly_id)
        links.require_room(loaded)
        earlier = self._settle(anomaly_id)
        if earlier is not None:
            if earlier.attempt.request == request:
                return earlier
            # Another ticket was asked for. It gets its link, and then this one is created.
            work = UnitOfWork(self.table)
            self.link(work, earlier)
            work.commit()
        issue = self._issue(loaded.anomaly, draft)
        attempt = Attempt.new(self.table, anomaly_id, request, self.by, self.stored.site, self.now())
        return CreatedTicket(self._read(self._make(attempt, issue), issue), attempt)

    def _settle(self, anomaly_id: int) -> CreatedTicket | None:
        """Return the ticket of an earlier attempt, None if there is certainly none."""
        attempt = Attempt.take(self.table, anomaly_id, self.by, self.now())
        if attempt is None:
            return None
        if attempt.site != self.stored.site:
            attempt.undone()
            return None
        if not attempt.labelled:
            attempt.undone()
            raise UnrecoverableError(f"An earlier request for a ticket was cut short. {UNRECOVERABLE}")
        try:
            found = self._once(attempt, {}).earlier()
            ticket = None if found is None else read_ticket(self.client, found.id)
        except UnsettledError as unsettled:
            attempt.hand_on(self.now())
            raise UnavailableError(UNKNOWN, retry_after=unsettled.seconds) from None
        except Exception:
            attempt.hand_on(self.now())
            raise
        if ticket is None:
            attempt.undone()
            return None
        return CreatedTicket(ticket, attempt)

    def _once(self, attempt: Attempt, fields: dict[str, Any]) -> CreateOnce:
        # Without looks: what is unknown is settled by the next request.
        return CreateOnce(self.client, fields, attempt, self.now, time.sleep, looks=())

    def _make(self, attempt: Attempt, issue: _NewIssue) -> Created:
        try:
            return self._once(attempt, self._fields(issue)).run()
        except UnsettledError as unsettled:
            attempt.hand_on(self.now())
            text = f"{sentence(unsettled.cause)}. {UNKNOWN}" if unsettled.cause else UNKNOWN
            raise UnavailableError(text, retry_after=unsettled.seconds) from None
        except UntraceableError as lost:
            attempt.undone()
            raise UnrecoverableError(f"{sentence(lost.cause)}. {UNRECOVERABLE}") from None
        except JiraError as error:
            raise self._refused(error, issue.project) from error

    def _issue(self, anomaly: Anomaly, draft: TicketDraft) -> _NewIssue:
        project = draft.project_key or self.stored.integration.project_key
        if project is None:
            raise InvalidError("project_key is required")
        title = cut_line(draft.title)
        if not title:
            raise InvalidError("title is required")
        return _NewIssue(
            project,
            self._issue_type(project, draft.issue_type or self.stored.integration.issue_type),
            draft.priority,
            title,
            fitted(
                partial(self.wording.description, draft.description, anomaly, self.now()),
                is_cloud=self.client.is_cloud,
            ),
        )

    def _fields(self, issue: _NewIssue) -> dict[str, Any]:
        written = to_adf(issue.description) if self.client.is_cloud else to_wiki(issue.description)
        fields: dict[str, Any] = {
            "project": {"key": issue.project},
            "issuetype": {"id": issue.type["id"]},
            "summary": issue.title,
            "description": written,
        }
        if issue.priority is not None:
            known = find(self.recent.priorities(self.client), issue.priority)
            fields["priority"] = {"id": known["id"]} if known else {"name": issue.priority}
        return fields

    def _issue_type(self, project: str, wanted: str | None) -> Row:
        try:
            known = self.recent.issue_types(self.client, project)
        except JiraNotFoundError:
            raise InvalidError(project_not_found(project)) from None
        found = default_type(known) if wanted is None else find(known, wanted)
        if found is None:
            raise InvalidError(issue_type_not_found(wanted or USUAL_TYPE, project))
        return found

    def _read(self, created: Created, issue: _NewIssue) -> LinkedTicket:
        """Read the new ticket; if that fails, return what is known of it, for it exists."""
        try:
            return read_ticket(self.client, created.id)
        except (JiraError, RefusalError) as error:
            logger.warning("a new ticket could not be read", reason=type(error).__name__)
        return LinkedTicket(
            ticket_id=created.id,
            ticket_number=created.key,
            title=issue.title,
            description=plain(to_wiki(issue.description)),
            priority=issue.priority,
            category=issue.type["name"],
            url=self.client.browse_url(created.key),
            metadata=TicketMetadata(project_key=issue.project, issue_type=issue.type["name"]),
        )

    def _refused(self, error: JiraError, project: str) -> RefusalError:
        """Say which field Jira refuses."""
        if not isinstance(error, JiraStatusError) or error.status != 400:
            return refused_by_jira(error)
        self.recent.forget()  # a type or priority may be gone
        if "project" in error.field_errors:
            return InvalidError(project_not_found(project))
        said = words_of(error)
        return InvalidError(f"Jira refused the ticket: {said}" if said else sentence(error))
