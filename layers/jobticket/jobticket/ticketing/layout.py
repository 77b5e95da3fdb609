"""How ticketing lies in its table.

==========================  ===============================  =================================================
pk                          sk                               item
==========================  ===============================  =================================================
COUNTER#<kind>              COUNTER                          the last number given to an anomaly, a link, …
ANOMALY#<id>                ANOMALY                          the anomaly; in both indexes of anomalies
ANOMALY#<id>                ANOMALY#LINK#<integr>#<ticket>   a link: its key allows each pair once
ANOMALY#<id>                COMMENT#<id>                     a comment
ANOMALY#<id>                TICKET_ATTEMPT                   a creation of a ticket that has not ended
FINGERPRINT#<digest>        FINGERPRINT                      the open anomaly of this fingerprint
COUNTS#<all | datastore>    <shard>                          how many anomalies of each status and type
ISSUE#<integr>#<ticket>     EVENT#<stamp>#<anomaly>          an event that the ticket has not got yet
ISSUE#<integr>#<ticket>     LEASE                            the lease of the worker that tells it
ISSUE#<integr>#<ticket>     TICKET                           its links, and how it was when last read
ISSUE#<integr>#NEW-<id>     EVENT#<stamp>#<anomaly>          an anomaly's ticket, which a rule is to make
SWEEP                       SWEEP                            since when changes of tickets were not looked for
INTEGRATION                 INTEGRATION                      the ticketing integration
WEBHOOK#<integr>            WEBHOOK                          the secret of its webhooks, and those registered
WEBHOOK_SEEN#<digest>       WEBHOOK                          a webhook that was taken
WEBHOOK_KEY#<name>          DATA_KEY                         a data key for these secrets
RULES                       RULE#<id>                        a rule that makes tickets
RULES                       COUNT                            how many rules there are
RULE_DAY#<id>               <date>                           which anomalies got a rule's tickets on a day
IDEMPOTENCY#<digest>        IDEMPOTENCY                      an answer given to a request with that header
==========================  ===============================  =================================================

Indexes: ``anomalies_by_state`` (status and type) and ``anomalies_by_datastore`` (the same within a
datastore), keys only, newest last; ``undelivered``, which holds only waiting events, by the time at which the
sweep looks after them.

An anomaly's ``stamp`` rises with every change of the anomaly or its links. Changes commit only on the stamp
that they read, and tickets get news in its order. It is the time in milliseconds, or one more than the last
stamp where clocks disagree.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any, Self

from jobticket.dataclass import dataclass
from jobticket.shown import Shown
from jobticket.store.table import Item, Table, Update
from jobticket.ticketing.model import ARCHIVED, Anomaly, Container, Datastore, FailedCheck

ANOMALY = "ANOMALY"
ATTEMPT = "TICKET_ATTEMPT"
FINGERPRINT = "FINGERPRINT"
INTEGRATION = "INTEGRATION"
LEASE = "LEASE"
RULES = "RULES"
RULE_PREFIX = "RULE#"
TICKET = "TICKET"
SWEEP = "SWEEP"
EVENT_PREFIX = "EVENT#"
COMMENT_PREFIX = "COMMENT#"

BY_STATE = "anomalies_by_state"
BY_DATASTORE = "anomalies_by_datastore"
UNDELIVERED_INDEX = "undelivered"
#: The one partition of that index.
UNDELIVERED = "UNDELIVERED"


@dataclass(frozen=True, slots=True)
class Issue:
    """A Jira issue as the outbox names it: by number, which stays when the issue moves."""

    integration_id: int
    ticket_id: str

    @classmethod
    def to_make(cls, integration_id: int, anomaly_id: int) -> Self:
        """Return the placeholder of an anomaly's issue until a rule has made it."""
        return cls(integration_id, f"NEW-{anomaly_id}")

    @property
    def pk(self) -> str:
        return f"ISSUE#{self.integration_id}#{self.ticket_id}"

    @property
    def group(self) -> str:
        """The queue's message group, within which messages keep their order."""
        return f"{self.integration_id}-{self.ticket_id}"


def next_number(table: Table, kind: str) -> int:
    """Return the next number of a kind. It is never given again, even if it stays unused."""
    return int(table.update(Update(f"COUNTER#{kind}", "COUNTER", add={"last": 1}))["last"])


def anomaly_pk(anomaly_id: int) -> str:
    return f"ANOMALY#{anomaly_id}"


def comment_sort(comment_id: int) -> str:
    return f"{COMMENT_PREFIX}{comment_id:012d}"


def link_sort(integration_id: int, ticket_id: str) -> str:
    return f"ANOMALY#LINK#{integration_id}#{ticket_id}"


def ticket_member(anomaly_id: int) -> str:
    """Return the attribute of a ticket's item that holds an anomaly's link."""
    return f"anomaly_{anomaly_id}"


def linked_anomalies(ticket: Item) -> dict[int, int]:
    """Return the links of a ticket's item, by anomaly."""
    prefix = ticket_member(0)[:-1]
    return {int(name[len(prefix) :]): link for name, link in ticket.items() if name.startswith(prefix)}


def event_sort(stamp: int, anomaly_id: int) -> str:
    return f"{EVENT_PREFIX}{stamp:016d}#{anomaly_id:012d}"


def fingerprint_pk(fingerprint: str | int) -> str:
    return "FINGERPRINT#" + hashlib.sha256(str(fingerprint).encode()).hexdigest()


def place(status: str, kind: str, datastore_id: int) -> Item:
    """Return where an anomaly stands in the indexes."""
    return {"state_pk": f"{status}#{kind}", "store_pk": f"{datastore_id}#{status}#{kind}"}


def as_stored(value: Any) -> Any:
    """Return a value as the table takes it: objects without None, no floats."""
    if isinstance(value, Shown):
        value = vars(value)
    if isinstance(value, dict):
        return {name: as_stored(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [as_stored(each) for each in value]
    return Decimal(repr(value)) if isinstance(value, float) else value


def anomaly_item(anomaly: Anomaly, stamp: int) -> Item:
    """Return a new anomaly's item."""
    item: Item = as_stored(anomaly)
    del item["archived"]
    return item | {
        "pk": anomaly_pk(anomaly.id),
        "sk": ANOMALY,
        "stamp": stamp,
        "number": anomaly.id,
        **place(anomaly.status, anomaly.type, anomaly.datastore.id),
    }


def anomaly_from(item: Item) -> Anomaly:
    container = item.get("container")
    parts = {
        "archived": item["status"] in ARCHIVED,
        "datastore": Datastore.of(item["datastore"]),
        "container": None if container is None else Container.of(container),
        "failed_checks": [FailedCheck.of(check) for check in item["failed_checks"]],
    }
    return Anomaly.of({**item, **parts})
