"""Tickets by rule: planned with the report of an anomaly, made later by the queue's worker, once.

The plan is an event of the outbox like any other, for an issue that does not exist yet. The ticket's link and
the event's end commit together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from boto3.dynamodb.conditions import Attr, Key

from jobticket import clock
from jobticket.dataclass import dataclass, replace
from jobticket.errors import ConflictError, InvalidError, NotFoundError, RefusalError
from jobticket.history.records import Stamp
from jobticket.jira.client import JiraClient
from jobticket.jira.documents.limits import fitted
from jobticket.jira.documents.wiki import to_wiki
from jobticket.jira.errors import JiraError
from jobticket.observability import logger
from jobticket.store.table import Delete, Put, Table
from jobticket.store.unit_of_work import UnitOfWork, attempts
from jobticket.ticketing import integration, links, rules
from jobticket.ticketing.explanations import translated
from jobticket.ticketing.integration import StoredIntegration
from jobticket.ticketing.layout import ANOMALY, Issue, anomaly_pk
from jobticket.ticketing.linked_tickets import plain, read_ticket
from jobticket.ticketing.model import (
    Anomaly,
    AnomalyLink,
    LinkedTicket,
    Rule,
    RuleTicketDraft,
    RuleTrial,
    TicketDraft,
)
from jobticket.ticketing.new_ticket import RULE, TicketCreation, UnrecoverableError
from jobticket.ticketing.outbox import Event, TicketNotice
from jobticket.ticketing.recent import RecentChoices
from jobticket.ticketing.revisions import Revision, load, revise, revising
from jobticket.ticketing.text import Wording


def plan(work: UnitOfWork, anomaly: Anomaly, former_id: int | None, now: datetime) -> Sequence[Event]:
    """Add the event that makes a new anomaly's ticket, if a rule fits.

    The former anomaly had the fingerprint before, and was archived not long ago.
    """
    rule = rules.first_fitting(rules.all_rules(work.table), anomaly)
    stored = None if rule is None else integration.find(work.table)
    if rule is None or stored is None:
        return ()
    event = Event(
        Issue.to_make(stored.integration.id, anomaly.id),
        anomaly.id,
        link_id=0,
        stamp=clock.epoch_milliseconds(now),
        kind="ticket",
        at=now,
        site=stored.site,
        rule_id=rule.id,
        former_id=former_id if rule.on_recurrence == "reopen" else None,
    )
    work.add(Put(event.item()))
    return [event]


def tell_of_recurrence(work: UnitOfWork, anomaly: Anomaly, stamp: Stamp) -> Sequence[Event]:
    """Revise an open anomaly that was detected again, and tell its rules' tickets, each once a day.

    Returns nothing, and adds nothing, if no ticket needs news.
    """
    telling = set(rules.with_comments(rules.all_rules(work.table)))
    if not telling:
        return ()
    loaded = load(work.table, anomaly.id)
    if loaded.anomaly.archived or loaded.anomaly.detected_count != anomaly.detected_count - 1:
        return ()  # the condition of the plain count will not hold either
    today = stamp.moment[:10]
    live = {each.link_id: each for each in loaded.live}
    due = [
        link
        for link in loaded.links
        if link.rule_id in telling
        and link.id in live
        and links.kept(work.table, link).get("told_on") != today
    ]
    if not due:
        return ()
    for link in due:
        work.add(links.change(link, set={"told_on": today}))
    revision = Revision(set={"detected_count": anomaly.detected_count}, links=[live[link.id] for link in due])
    revision.notices = [TicketNotice("recurrence", count=anomaly.detected_count)]
    # A plain detection is counted without a revision.
    revision.condition = Attr("detected_count").eq(loaded.anomaly.detected_count)
    return revise(work, loaded, revision, stamp)


def draft_of(rule: Rule, anomaly: Anomaly) -> TicketDraft:
    """Return the ticket that a rule makes."""
    ticket = rule.ticket
    return TicketDraft(
        title=rules.title_of(rule, anomaly),
        priority=ticket.priority,
        project_key=ticket.project_key,
        issue_type=ticket.issue_type,
    )


def try_rule(table: Table, rule: Rule, anomaly: Anomaly, wording: Wording, now: datetime) -> RuleTrial:
    """Tell what a rule would do with an anomaly. Nothing is sent."""
    stored, draft = integration.find(table), draft_of(rule, anomaly)
    usual = stored.integration if stored else None
    maker = rules.first_fitting(rules.all_rules(table), anomaly)
    described = fitted(partial(wording.description, None, anomaly, now), is_cloud=False)
    ticket = RuleTicketDraft(
        title=draft.title,
        description=plain(to_wiki(described)),
        priority=draft.priority,
        project_key=draft.project_key or (usual.project_key if usual else None),
        issue_type=draft.issue_type or (usual.issue_type if usual else None),
    )
    return RuleTrial(ticket=ticket, fits=rules.fits(rule, anomaly), made_by=maker.id if maker else None)


class BrokenRuleError(Exception):
    """Jira refuses a rule's ticket for good; the rule is suspended now."""


@dataclass
class RuleTickets:
    """Makes the tickets that were planned."""

    table: Table
    recent: RecentChoices
    wording: Wording
    now: Callable[[], datetime]

    def make(self, event: Event, stored: StoredIntegration, client: JiraClient) -> Sequence[Event] | None:
        """Make an event's ticket and link it; return the events that follow, None if nothing was made.

        RefusalError if it cannot be made now, BrokenRuleError if it cannot be made at all.
        """
        rule = rules.find_rule(self.table, event.rule_id or 0)
        try:
            loaded = load(self.table, event.anomaly_id)
        except NotFoundError:
            return None
        if rule is None or not rule.enabled or rule.broken is not None:
            return None
        if any(link.rule_id == rule.id for link in loaded.links):
            return None
        former = self._former_ticket(event, stored, client)
        if former is not None:
            return self._reopen(event, rule, stored, former)
        if not rules.take_place(self.table, rule, event.anomaly_id, self.now()):
            self._end(event, rule)
            return None
        try:
            return self._create(event, rule, loaded.anomaly, stored, client)
        except ConflictError:
            return None  # the anomaly has too many links
        except RefusalError as refusal:
            if not is_lasting(refusal):
                raise
            self._break(event, rule, refusal)
            raise BrokenRuleError(refusal.message) from None

    def _create(
        self, event: Event, rule: Rule, anomaly: Anomaly, stored: StoredIntegration, client: JiraClient
    ) -> Sequence[Event]:
        draft = draft_of(rule, anomaly)
        if rules.is_last(self.table, rule, anomaly.id, self.now()):
            draft = replace(draft, description=rules.limit_note(rule))
        creation = TicketCreation(self.table, stored, client, self.recent, self.wording, RULE, self.now)
        with translated(), creation.created(anomaly.id, draft, request=f"{RULE} {rule.id}") as made:
            for work in revising(self.table):
                with work:
                    work.add(Delete(event.issue.pk, event.sk))
                    _, events = creation.link(work, made)
        return events

    def _former_ticket(
        self, event: Event, stored: StoredIntegration, client: JiraClient
    ) -> LinkedTicket | None:
        """Return the ticket of the former anomaly: its rule's, or else its oldest that is still there."""
        if event.former_id is None:
            return None
        former = self.table.query_all(
            Key("pk").eq(anomaly_pk(event.former_id)) & Key("sk").begins_with(f"{ANOMALY}#LINK#")
        )
        here = [
            AnomalyLink.of(item)
            for item in former
            if item["integration_id"] == stored.integration.id and item["site"] == stored.site
        ]
        for link in sorted(here, key=lambda each: (each.origin != "rule", each.id)):
            try:
                with translated():
                    return read_ticket(client, link.ticket_id)
            except RefusalError as refusal:
                # Deleted, or not to be read any more.
                if not isinstance(refusal, NotFoundError) and not is_lasting(refusal):
                    raise
        return None

    def _reopen(
        self, event: Event, rule: Rule, stored: StoredIntegration, ticket: LinkedTicket
    ) -> Sequence[Event]:
        status = stored.integration.reopen_status
        move = () if status is None else (TicketNotice("move", target=status),)
        events: Sequence[Event] = ()
        for work in revising(self.table):
            with work:
                work.add(Delete(event.issue.pk, event.sk))
                loaded = load(self.table, event.anomaly_id)
                if links.find_pair(loaded, stored.integration.id, ticket.ticket_id) is None:
                    stamp = Stamp(self.now(), RULE)
                    _, events = links.add_link(
                        work, event.anomaly_id, stored, ticket, "linked", stamp, rule_id=rule.id, more=move
                    )
        return events

    def _end(self, event: Event, rule: Rule) -> None:
        logger.info("a rule's daily limit is reached", rule=rule.id, anomaly=event.anomaly_id)
        for work in attempts(self.table):
            with work:
                work.add(Delete(event.issue.pk, event.sk))
                rules.count_beyond(work, rule, self.now())

    def _break(self, event: Event, rule: Rule, refusal: RefusalError) -> None:
        logger.error("a rule is broken", rule=rule.id, anomaly=event.anomaly_id)
        for work in attempts(self.table):
            with work:
                known = rules.find_rule(self.table, rule.id)
                work.add(Delete(event.issue.pk, event.sk))
                # A rule that was saved meanwhile is not broken.
                if known is not None and known.updated == rule.updated:
                    details = f"The ticket of anomaly {event.anomaly_id} was refused"
                    rules.break_rule(work, rule, refusal.message, details, self.now())


def is_lasting(refusal: RefusalError) -> bool:
    """Tell whether a ticket will be refused each time. Refused credentials are put right elsewhere."""
    if isinstance(refusal, InvalidError | UnrecoverableError):
        return True
    cause = refusal.__cause__
    return isinstance(cause, JiraError) and not cause.transient and not cause.of_connection
