"""Creating a ticket for an anomaly, once, whatever breaks on the way.

Jira's creation of an issue has no idempotency key. So the attempt is remembered before Jira is called, with
a label that the new issue carries. An attempt that never ended, or whose outcome is not known, is settled
before anything else is created for the anomaly: its label is searched for, until the search index must have
caught up. Found, the ticket is linked; not found, there is none.
"""

from __future__ import annotations

import hashlib
import json
import math
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from boto3.dynamodb.conditions import Attr

from jobticket import clock
from jobticket.errors import ConflictError, InvalidError, RefusalError, UnavailableError, UpstreamError
from jobticket.jira import shapes
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraError, JiraStatusError
from jobticket.observability import logger
from jobticket.store.table import ConditionFailedError, Delete, Item, Table, Update, Write
from jobticket.ticketing import links, tickets
from jobticket.ticketing.changes import Loaded, load
from jobticket.ticketing.integrations import StoredIntegration, issue_type_not_found, project_not_found
from jobticket.ticketing.layout import ATTEMPT, anomaly_pk
from jobticket.ticketing.model import Anomaly, Ticket, TicketAnswer, TicketMetadata
from jobticket.ticketing.outbox import Event
from jobticket.ticketing.refusals import refused_by_jira, sentence
from jobticket.ticketing.text import Wording, summary

if TYPE_CHECKING:
    from jobticket.ticketing.bodies import NewTicket

#: Longer than any request lives: an attempt this old has no living maker.
LEASE = timedelta(seconds=30)
#: How long Jira's search index may lag behind.
SEARCH = timedelta(seconds=60)
#: How soon a caller who is told to wait shall ask again.
ASK_AGAIN = 5

DEFAULT_ISSUE_TYPE = "Task"

UNKNOWN = "It is not known yet whether Jira created the ticket. Please try again."
UNRECOVERABLE = (
    "It is not known whether Jira created the ticket, and the project's screen has no labels by which it "
    "could be found. Please look in Jira before you try again."
)

#: Returns the writes that commit with the answer; see ``jobticket.web.idempotency``.
Record = Callable[[TicketAnswer], Sequence[Write]]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A creation that has begun.

    Attributes
    ----------
    label
        What the issue is recognised by.
    request
        A digest of what was asked for.
    lease_until
        Until when its maker may be at work.
    search_until
        When a search that does not find the label proves that there is no issue.
    labelled
        Whether the issue has the label: the screens of some projects have no labels.
    """

    label: str
    request: str
    site: str
    lease_until: datetime
    search_until: datetime
    labelled: bool = True

    @classmethod
    def begin(cls, request: str, site: str, now: datetime) -> Self:
        lease_until = now + LEASE
        label = f"jobticket-{secrets.token_hex(8)}"
        return cls(label, request, site, lease_until, lease_until + SEARCH)

    @classmethod
    def of(cls, item: Item) -> Self:
        return cls(
            item["label"],
            item["request"],
            item["site"],
            clock.parse_iso(item["lease_until"]),
            clock.parse_iso(item["search_until"]),
            item.get("labelled", True),
        )

    def item(self, anomaly_id: int) -> Item:
        return {
            "pk": anomaly_pk(anomaly_id),
            "sk": ATTEMPT,
            "label": self.label,
            "request": self.request,
            "site": self.site,
            "lease_until": self.lease_until.isoformat(),
            "search_until": self.search_until.isoformat(),
        }


class Creation:
    """Creates tickets at the integration's Jira.

    Parameters
    ----------
    table
        The ticketing table.
    stored
        The integration.
    client
        Its Jira.
    wording
        How the deployment names itself.
    now
        The time.
    """

    def __init__(
        self,
        table: Table,
        stored: StoredIntegration,
        client: JiraClient,
        wording: Wording,
        now: Callable[[], datetime],
    ) -> None:
        self._table = table
        self._stored = stored
        self._client = client
        self._wording = wording
        self._now = now

    def create(self, anomaly_id: int, body: NewTicket, record: Record) -> tuple[TicketAnswer, list[Event]]:
        """Create a ticket and link it: two calls to Jira, one more after an attempt that was not settled.

        Raises
        ------
        NotFoundError
            If there is no such anomaly.
        InvalidError
            If Jira refuses a field.
        UnavailableError
            503, while it is not known what became of an earlier attempt, or of this one.
        RefusalError
            What else goes wrong at Jira; nothing was created then.
        """
        loaded = load(self._table, anomaly_id)
        links.require_room(loaded)
        request = _digest(body)
        fields = self._fields(loaded.anomaly, body)
        earlier = self._settle(anomaly_id)
        if earlier is not None:
            attempt, found = earlier
            if attempt.request == request:
                return self._link(loaded, found, attempt, record)
            # Another ticket was asked for then; it gets its link, and this one is made as well.
            self._link(loaded, found, attempt, lambda _answer: ())
        attempt = self._begin(anomaly_id, request)
        ticket = self._make(anomaly_id, attempt, fields)
        try:
            return self._link(loaded, ticket, attempt, record)
        except Exception:
            self._note_unknown(anomaly_id, attempt)  # the next call finds it, and need not wait for this one
            raise

    def _fields(self, anomaly: Anomaly, body: NewTicket) -> dict[str, Any]:
        project = body.project_key or self._stored.integration.project_key
        if project is None:
            raise InvalidError("project_key is required")
        title = summary(body.title)
        if not title:
            raise InvalidError("title is required")
        issue_type = body.issue_type or self._stored.integration.issue_type or DEFAULT_ISSUE_TYPE
        fields: dict[str, Any] = {
            "project": {"key": project},
            "issuetype": {"name": issue_type},
            "summary": title,
            "description": self._wording.description(body.description, anomaly, self._now()),
        }
        if body.priority is not None:
            fields["priority"] = {"name": body.priority}
        return fields

    def _settle(self, anomaly_id: int) -> tuple[Attempt, Ticket] | None:
        """Find out what became of an earlier attempt; None if there is none, or nothing came of it."""
        item = self._table.get(anomaly_pk(anomaly_id), ATTEMPT)
        if item is None:
            return None
        attempt = Attempt.of(item)
        if attempt.site != self._stored.site:
            self._forget(anomaly_id, attempt)
            return None
        now = self._now()
        if now < attempt.lease_until:
            raise UnavailableError(
                "A ticket for this anomaly is being created. Please try again.",
                retry_after=_seconds(attempt.lease_until - now),
            )
        if not attempt.labelled:
            self._forget(anomaly_id, attempt)
            raise UpstreamError(f"An earlier request for a ticket was cut short. {UNRECOVERABLE}")
        found = tickets.find_by_label(self._client, attempt.label)
        if found is not None:
            return attempt, found
        if now < attempt.search_until:
            raise UnavailableError(UNKNOWN, retry_after=_seconds(attempt.search_until - now))
        self._forget(anomaly_id, attempt)
        return None

    def _begin(self, anomaly_id: int, request: str) -> Attempt:
        attempt = Attempt.begin(request, self._stored.site, self._now())
        try:
            self._table.put(attempt.item(anomaly_id), Attr("pk").not_exists())
        except ConditionFailedError as failed:
            if failed.item is None or failed.item.get("label") != attempt.label:
                raise UnavailableError(
                    "A ticket for this anomaly is being created. Please try again.", retry_after=ASK_AGAIN
                ) from None
        return attempt

    def _make(self, anomaly_id: int, attempt: Attempt, fields: dict[str, Any]) -> Ticket:
        try:
            made = self._post({**fields, "labels": [attempt.label]})
        except JiraError as error:
            if error.outcome_unknown:
                self._note_unknown(anomaly_id, attempt)
                raise UnavailableError(f"{sentence(error)}. {UNKNOWN}", retry_after=ASK_AGAIN) from None
            if not _is_about_labels(error):
                self._forget(anomaly_id, attempt)
                raise _refused(error, fields) from None
            made = self._make_unlabelled(anomaly_id, attempt, fields)
        return self._read(str(made["key"]), str(made["id"]), fields)

    def _make_unlabelled(self, anomaly_id: int, attempt: Attempt, fields: dict[str, Any]) -> Any:
        """Create the issue in a project whose screen has no labels; a lost answer cannot be recovered."""
        self._note(anomaly_id, attempt, labelled=False)
        try:
            return self._post(fields)
        except JiraError as error:
            self._forget(anomaly_id, attempt)
            if error.outcome_unknown:
                raise UpstreamError(f"{sentence(error)}. {UNRECOVERABLE}") from None
            raise _refused(error, fields) from None

    def _post(self, fields: dict[str, Any]) -> Any:
        made = self._client.post("/rest/api/2/issue", json={"fields": fields})
        return shapes.created_ticket(made)

    def _read(self, key: str, number: str, fields: dict[str, Any]) -> Ticket:
        """Read the new ticket; if that fails, answer with what is known of it: it exists."""
        try:
            return tickets.read_ticket(self._client, number)
        except (JiraError, RefusalError) as error:
            logger.warning("a new ticket could not be read", reason=type(error).__name__)
        return Ticket(
            ticket_id=number,
            ticket_number=key,
            title=fields["summary"],
            description=tickets.plain(fields["description"]),
            priority=fields.get("priority", {}).get("name"),
            category=fields["issuetype"]["name"],
            url=self._client.browse_url(key),
            metadata=TicketMetadata(
                project_key=fields["project"]["key"], issue_type=fields["issuetype"]["name"]
            ),
        )

    def _link(
        self, loaded: Loaded, ticket: Ticket, attempt: Attempt, record: Record
    ) -> tuple[TicketAnswer, list[Event]]:
        """Link the ticket, and end the attempt, in one transaction."""
        anomaly_id = loaded.anomaly.id
        number = self._stored.integration.id
        answer = TicketAnswer(
            ticket=ticket,
            anomaly_id=anomaly_id,
            integration_id=number,
            message=f"Ticket {ticket.ticket_number} created and linked to anomaly {anomaly_id}",
        )
        try:
            _, events = links.add_link(
                self._table,
                anomaly_id,
                self._stored,
                ticket,
                "created",
                self._now(),
                lambda _link: [*_ending(anomaly_id, attempt), *record(answer)],
            )
        except (ConflictError, ConditionFailedError):
            # Somebody else has settled the same attempt, or linked its ticket by hand.
            if links.find_pair(load(self._table, anomaly_id), number, ticket.ticket_id) is None:
                raise
            self._forget(anomaly_id, attempt)
            self._record(record(answer))
            return answer, []
        return answer, events

    def _record(self, writes: Sequence[Write]) -> None:
        if writes:
            self._table.transact(writes, token=secrets.token_urlsafe(24))

    def _note_unknown(self, anomaly_id: int, attempt: Attempt) -> None:
        """Let the next call search at once: this maker has given up."""
        now = self._now()
        self._note(
            anomaly_id,
            attempt,
            lease_until=now.isoformat(),
            search_until=(now + SEARCH).isoformat(),
        )

    def _note(self, anomaly_id: int, attempt: Attempt, **changes: Any) -> None:
        same = Attr("label").eq(attempt.label)
        update = Update(anomaly_pk(anomaly_id), ATTEMPT, set=changes, condition=same)
        try:
            self._table.update(update)
        except ConditionFailedError:
            return  # settled by somebody else

    def _forget(self, anomaly_id: int, attempt: Attempt) -> None:
        for write in _ending(anomaly_id, attempt):
            try:
                self._table.delete(write.pk, write.sk, write.condition)
            except ConditionFailedError:
                return  # settled by somebody else


def _ending(anomaly_id: int, attempt: Attempt) -> Iterator[Delete]:
    yield Delete(anomaly_pk(anomaly_id), ATTEMPT, Attr("label").eq(attempt.label))


def _digest(body: NewTicket) -> str:
    return hashlib.sha256(json.dumps(body.model_dump(), sort_keys=True).encode()).hexdigest()


def _seconds(wait: timedelta) -> int:
    return max(1, min(ASK_AGAIN, math.ceil(wait.total_seconds())))


def _is_about_labels(error: JiraError) -> bool:
    return (
        isinstance(error, JiraStatusError) and error.status == 400 and set(error.field_errors) == {"labels"}
    )


def _refused(error: JiraError, fields: dict[str, Any]) -> RefusalError:
    """Say which field Jira does not take."""
    if not isinstance(error, JiraStatusError) or error.status != 400:
        return refused_by_jira(error)
    project, issue_type = fields["project"]["key"], fields["issuetype"]["name"]
    if "project" in error.field_errors:
        return InvalidError(project_not_found(project))
    if "issuetype" in error.field_errors:
        return InvalidError(issue_type_not_found(issue_type, project))
    said = [*error.messages, *(f"{name}: {text}" for name, text in error.field_errors.items())]
    return InvalidError(f"Jira refused the ticket: {' '.join(said)}" if said else sentence(error))
