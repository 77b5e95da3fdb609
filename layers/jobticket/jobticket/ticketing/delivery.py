"""Telling an issue what it is still to be told: in order, each event once.

One worker at a time holds an issue. Before a comment is sent its event is noted as tried, so that a try whose
outcome is not known is told from the first one: only then Jira is asked whether a comment carries the event's
mark. What may pass is tried again later, and everything behind it waits. What will not pass stays behind as
failed, shown on the link, for a person to retry.
"""

from __future__ import annotations

import functools
import math
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from boto3.dynamodb.conditions import Attr

from jobticket import clock, foreign
from jobticket.clock import Deadline
from jobticket.connections.access import JiraAccess
from jobticket.connections.errors import (
    ConnectionNotFoundError,
    ConnectionUnavailableError,
    ReauthorizationNeededError,
)
from jobticket.jira import shapes
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import (
    JiraError,
    JiraForbiddenError,
    JiraMalformedAnswerError,
    JiraRefusedCredentialsError,
    JiraStatusError,
    JiraTimeoutError,
)
from jobticket.jira.listing import rows_of
from jobticket.observability import logger
from jobticket.store.table import ConditionFailedError, Delete, Table, Update, Write
from jobticket.ticketing import integrations, outbox
from jobticket.ticketing.integrations import OtherSiteError, StoredIntegration
from jobticket.ticketing.layout import (
    ANOMALY,
    LEASE,
    UNDELIVERED,
    Issue,
    anomaly_from,
    anomaly_pk,
    comment_sort,
    link_from,
)
from jobticket.ticketing.links import note_error
from jobticket.ticketing.model import Link
from jobticket.ticketing.outbox import Event
from jobticket.ticketing.refusals import sentence
from jobticket.ticketing.text import Wording

#: The comment property that names the event.
MARK = "jobticket"

#: Of one wake-up; the queue's redrive policy has the same number.
MOST_TRIES = 12
#: Longer than the function runs: a lease this old has no living holder.
LEASE_TIME = timedelta(seconds=75)
SHORTEST_PAUSE = 5.0
LONGEST_PAUSE = 900.0
#: After a failed try the queue sends the wake-up again; the sweep leaves it this much more time.
SWEEP_MARGIN = timedelta(minutes=10)
#: What failed for good, and was not retried, is forgotten after this long.
FAILED_KEPT = timedelta(days=90)
#: A call that timed out may still be at work in Jira; it is not repeated before this has passed.
SETTLING = timedelta(seconds=60)
#: With less time than this left, no event is begun.
LEAST_SECONDS = 5.0
#: Jira's clock and ours may disagree by this much.
SKEW = timedelta(minutes=5)
COMMENTS_PAGE = 100
MOST_COMMENT_PAGES = 50

#: Refusals that say "not now" and not "no".
PASSING = frozenset({401, 408, 409, 423, 425, 429})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an issue's events.

    Attributes
    ----------
    delivered, dropped, failed
        How many were sent, were no longer to be sent, and will not be tried again by themselves.
    retry_after
        Seconds after which the rest shall be tried again; None if there is no rest.
    """

    delivered: int = 0
    dropped: int = 0
    failed: int = 0
    retry_after: float | None = None


class PassingError(Exception):
    """An event could not be delivered for now.

    Attributes
    ----------
    untouched
        Whether Jira has certainly not carried it out.
    settles_at
        Until when Jira may still be carrying it out.
    retry_after
        Seconds that Jira asks to wait.
    """

    def __init__(
        self,
        reason: str,
        *,
        untouched: bool,
        settles_at: datetime | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.untouched = untouched
        self.settles_at = settles_at
        self.retry_after = retry_after


class LastingError(Exception):
    """Jira will not take an event, however often it is tried."""


def is_lasting(error: JiraError) -> bool:
    """Tell whether trying again makes no sense: Jira answered, and refused what it was given."""
    return isinstance(error, JiraStatusError) and 400 <= error.status < 500 and error.status not in PASSING


def pause_before(tries: int, asked: float | None, chance: float) -> float:
    """Return the seconds to wait before the next try.

    Parameters
    ----------
    tries
        How many have failed.
    asked
        What Jira asked for; never less than that.
    chance
        From 0 to 1; spreads what failed together.
    """
    pause = min(LONGEST_PAUSE, SHORTEST_PAUSE * 2.0 ** min(tries - 1, 20))
    return max(pause, asked or 0.0) * (1 + 0.2 * chance)


class Deliveries:
    """Delivers the events of issues.

    Parameters
    ----------
    table
        The ticketing table.
    access
        The connections.
    wording
        How the deployment names itself.
    now
        The time.
    chance
        Random numbers from 0 to 1.
    """

    def __init__(
        self,
        table: Table,
        access: JiraAccess,
        wording: Wording,
        *,
        now: Callable[[], datetime] = clock.now,
        chance: Callable[[], float],
    ) -> None:
        self._table = table
        self._access = access
        self._wording = wording
        self._now = now
        self._chance = chance

    def deliver(self, issue: Issue, deadline: Deadline, *, tries: int = 1) -> Outcome:
        """Deliver what an issue is to be told, oldest first, up to what cannot be delivered for now.

        Parameters
        ----------
        tries
            How often this wake-up has come; the last one gives up until somebody retries.
        """
        owner = secrets.token_urlsafe(12)
        held = self._take(issue, owner)
        if held is not None:
            return Outcome(retry_after=held)
        try:
            return self._deliver_all(issue, deadline, tries)
        finally:
            self._release(issue, owner)

    def _deliver_all(self, issue: Issue, deadline: Deadline, tries: int) -> Outcome:
        done = Outcome()

        @functools.cache
        def client_of(stored: StoredIntegration) -> JiraClient:
            return self._client(stored, deadline)

        events = outbox.pending(self._table, issue)
        lacking = {event.link_id for event in events if event.failed}
        for event in events:
            if event.failed:
                continue
            if deadline.left() < LEAST_SECONDS:
                return replace(done, retry_after=1.0)
            # Each time: it may be removed while this is at work.
            stored = integrations.find(self._table)
            link = self._live_link(event, stored)
            if link is None or stored is None:
                self._table.delete(issue.pk, event.sk)
                done = replace(done, dropped=done.dropped + 1)
                continue
            try:
                sent = self._deliver(event, client_of(stored))
            except PassingError as error:
                return replace(done, retry_after=self._postpone(event, link, error, tries))
            except LastingError as error:
                self._give_up(event, link, str(error))
                lacking.add(event.link_id)
                done = replace(done, failed=done.failed + 1)
                continue
            if sent:
                self._settle(event, in_step=event.link_id not in lacking)
                done = replace(done, delivered=done.delivered + 1)
            else:
                done = replace(done, dropped=done.dropped + 1)
        return done

    def _live_link(self, event: Event, stored: StoredIntegration | None) -> Link | None:
        """Return the link that an event is for, None if nothing must be sent for it any more."""
        if stored is None or stored.integration.id != event.issue.integration_id:
            return None
        if stored.site != event.site:
            return None
        item = self._table.get(anomaly_pk(event.anomaly_id), event.link_sk)
        link = None if item is None else link_from(item)
        return link if link is not None and link.id == event.link_id else None

    def _client(self, stored: StoredIntegration, deadline: Deadline) -> JiraClient:
        try:
            return integrations.client_of(self._access, stored, deadline)
        except (
            ConnectionNotFoundError,
            ReauthorizationNeededError,
            ConnectionUnavailableError,
        ) as error:
            raise PassingError(error.explanation, untouched=True) from None
        except OtherSiteError as error:
            raise PassingError(error.message, untouched=True) from None

    # ------------------------------------------------------------------------------------------ one event

    def _deliver(self, event: Event, client: JiraClient) -> bool:
        """Tell the issue; False if there is nothing left to tell."""
        if event.kind == "backlink":
            return self._send_backlink(event, client)
        text = self._text(event)
        if text is None:
            self._table.delete(event.issue.pk, event.sk)
            return False
        if event.tried_at is not None and self._was_sent(event, client):
            return True
        if not self._note_try(event):
            return False
        body = {"body": text, "properties": [{"key": MARK, "value": {"event": event.id}}]}
        try:
            client.post("/rest/api/2/issue/{issue}/comment", issue=event.issue.ticket_id, json=body)
        except JiraError as error:
            untouched = not error.outcome_unknown and event.tried_at is None
            at_work = error.outcome_unknown and isinstance(error, JiraTimeoutError)
            settles_at = self._now() + SETTLING if at_work else None
            raise _judged(error, untouched=untouched, settles_at=settles_at) from None
        return True

    def _was_sent(self, event: Event, client: JiraClient) -> bool:
        """Tell whether an earlier try has reached the issue after all.

        Raises
        ------
        PassingError
            If that cannot be told yet.
        """
        try:
            if _has_mark(client, event):
                return True
        except JiraError as error:
            # Only the look failed; whether the comment is there is as unknown as before.
            raise _judged(error, untouched=False, settles_at=event.settles_at) from None
        left = (event.settles_at - self._now()).total_seconds() if event.settles_at else 0.0
        if left > 0:
            raise PassingError(
                "Network timeout: it is not known yet whether Jira took the comment",
                untouched=False,
                settles_at=event.settles_at,
                retry_after=left,
            )
        return False

    def _send_backlink(self, event: Event, client: JiraClient) -> bool:
        item = self._table.get(anomaly_pk(event.anomaly_id), ANOMALY)
        if item is None:
            self._table.delete(event.issue.pk, event.sk)
            return False
        link = self._wording.backlink(anomaly_from(item))
        try:
            # The same globalId replaces: it may be sent as often as need be.
            client.post(
                "/rest/api/2/issue/{issue}/remotelink",
                issue=event.issue.ticket_id,
                json=link,
                repeatable=True,
            )
        except JiraForbiddenError as error:
            # Not among the permissions that all the rest needs.
            raise LastingError(f"{sentence(error)}. The link back needs the permission Link Issues") from None
        except JiraError as error:
            raise _judged(error, untouched=True) from None
        return True

    def _text(self, event: Event) -> str | None:
        """Return the comment that tells of an event, None if what it tells of is gone."""
        if event.kind == "status":
            return self._wording.status_comment(event.status or "", event.at)
        if event.kind == "comment":
            item = self._table.get(anomaly_pk(event.anomaly_id), comment_sort(event.comment_id or 0))
            return None if item is None else self._wording.comment(item["message"])
        item = self._table.get(anomaly_pk(event.anomaly_id), ANOMALY)
        return None if item is None else self._wording.block(anomaly_from(item), event.at)

    def _note_try(self, event: Event) -> bool:
        """Remember, before Jira is called, that the comment may be there; False if the event is gone."""
        now = self._now()
        tried = {
            "tried_at": (event.tried_at or now).isoformat(),
            "settles_at": (now + SETTLING).isoformat(),
        }
        return self._update(event, Update(event.issue.pk, event.sk, set=tried, condition=_EXISTS))

    def _settle(self, event: Event, *, in_step: bool) -> None:
        """Forget a delivered event and show it on the link, whose error stays unless the link is in step."""
        synced = Update(
            anomaly_pk(event.anomaly_id),
            event.link_sk,
            set={"last_synced": clock.iso_milliseconds(self._now())},
            remove=["last_sync_error"] if in_step else [],
            condition=Attr("id").eq(event.link_id),
        )
        writes: Sequence[Write] = [Delete(event.issue.pk, event.sk), synced]
        try:
            self._table.transact(writes, token=secrets.token_urlsafe(24))
        except ConditionFailedError:
            self._table.delete(event.issue.pk, event.sk)  # unlinked while it was being told

    def _postpone(self, event: Event, link: Link, error: PassingError, tries: int) -> float:
        pause = pause_before(tries, error.retry_after, self._chance())
        changes: dict[str, Any] = {"attempts": event.attempts + 1}
        removed = ["tried_at"] if error.untouched else []
        if error.settles_at is None:
            removed.append("settles_at")
        else:
            changes["settles_at"] = error.settles_at.isoformat()
        given_up = tries >= MOST_TRIES
        if given_up:
            # The sweep lets it rest. The next wake-up of the issue, or a retry, begins with it.
            removed += ["due_pk", "due_at"]
        else:
            changes["due_at"] = outbox.due(self._now() + timedelta(seconds=pause) + SWEEP_MARGIN)
            changes["due_pk"] = UNDELIVERED
        self._update(
            event,
            Update(event.issue.pk, event.sk, set=changes, remove=removed, condition=_EXISTS),
        )
        note_error(self._table, link, f"{error}. Given up; retry it." if given_up else str(error))
        logger.warning("not delivered", event=event.id, kind=event.kind, tries=tries, given_up=given_up)
        return pause

    def _give_up(self, event: Event, link: Link, reason: str) -> None:
        failed = {"failed": True, "expires_at": clock.epoch(self._now() + FAILED_KEPT)}
        removed = ["due_pk", "due_at", "settles_at"]
        self._update(
            event,
            Update(event.issue.pk, event.sk, set=failed, remove=removed, condition=_EXISTS),
        )
        note_error(self._table, link, reason)
        logger.error("cannot be delivered", event=event.id, kind=event.kind)

    def _update(self, event: Event, update: Update) -> bool:
        try:
            self._table.update(update)
        except ConditionFailedError:
            logger.info("an event was dropped meanwhile", event=event.id)
            return False
        return True

    # ------------------------------------------------------------------------------------------ the lease

    def _take(self, issue: Issue, owner: str) -> float | None:
        """Take the issue; return the seconds for which somebody else holds it, None if it was taken."""
        now = self._now()
        lease = Update(
            issue.pk,
            LEASE,
            set={
                "owner": owner,
                "lease_until": math.ceil((now + LEASE_TIME).timestamp()),
                "expires_at": clock.epoch(now + timedelta(days=1)),
            },
            condition=Attr("owner").not_exists() | Attr("lease_until").lte(clock.epoch(now)),
        )
        try:
            self._table.update(lease)
        except ConditionFailedError as failed:
            held = failed.item or {}
            if held.get("owner") == owner:
                return None  # the write had arrived, only its first answer was lost
            return max(1.0, float(held.get("lease_until", 0)) - now.timestamp())
        return None

    def _release(self, issue: Issue, owner: str) -> None:
        try:
            self._table.delete(issue.pk, LEASE, Attr("owner").eq(owner))
        except ConditionFailedError:
            logger.warning("the lease of an issue ran out", ticket=issue.ticket_id)


_EXISTS = Attr("pk").exists()


def _judged(
    error: JiraError, *, untouched: bool, settles_at: datetime | None = None
) -> PassingError | LastingError:
    if is_lasting(error) and not isinstance(error, JiraRefusedCredentialsError):
        return LastingError(sentence(error))
    asked = error.retry_after if isinstance(error, JiraStatusError) else None
    return PassingError(sentence(error), untouched=untouched, settles_at=settles_at, retry_after=asked)


def _has_mark(client: JiraClient, event: Event) -> bool:
    """Tell whether the issue has a comment that an earlier try of this event made."""
    return any(_mark_of(client, comment) == event.id for comment in _comments_since(client, event))


def _comments_since(client: JiraClient, event: Event) -> Iterator[dict[str, Any]]:
    """Yield an issue's comments, newest first, back to those that are older than the first try."""
    assert event.tried_at is not None
    oldest = event.tried_at - SKEW
    for page in range(MOST_COMMENT_PAGES):
        answer = client.get(
            "/rest/api/2/issue/{issue}/comment",
            issue=event.issue.ticket_id,
            params={
                "orderBy": "-created",
                "startAt": page * COMMENTS_PAGE,
                "maxResults": COMMENTS_PAGE,
                "expand": "properties",
            },
        )
        comments = rows_of(answer, "comments")
        for comment in comments:
            created = foreign.moment(comment.get("created"))
            if created is None:
                raise JiraMalformedAnswerError("Jira's answer has a comment without a time")
            if created < oldest:
                return
            yield comment
        if len(comments) < COMMENTS_PAGE:
            return


def _mark_of(client: JiraClient, comment: dict[str, Any]) -> str | None:
    """Return the event that a comment's property names; where the list leaves properties out, ask for it."""
    properties = comment.get("properties")
    if not isinstance(properties, list):
        return _read_mark(client, str(shapes.id_of(comment.get("id"))))
    entries = (entry for entry in properties if isinstance(entry, dict))
    values = (entry.get("value") for entry in entries if entry.get("key") == MARK)
    return next((str(value.get("event")) for value in values if isinstance(value, dict)), None)


def _read_mark(client: JiraClient, comment_id: str) -> str | None:
    try:
        answer = client.get(
            "/rest/api/2/comment/{comment}/properties/{property}", comment=comment_id, property=MARK
        )
    except JiraStatusError as error:
        if error.status == 404:
            return None
        raise
    value = answer.get("value") if isinstance(answer, dict) else None
    return str(value.get("event")) if isinstance(value, dict) else None
