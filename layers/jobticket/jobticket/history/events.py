"""Events on a bus of EventBridge: what the history records, for other systems.

A change arrives at least once, and the changes of one subject in their order. A repeat has the same ``id``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import boto3

from jobticket.aws import AWS_FAULTS, configuration, limited
from jobticket.dataclass import dataclass
from jobticket.observability import logger
from jobticket.shown import with_humps
from jobticket.store.table import Item

SOURCE = "jobticket"
#: What EventBridge takes in one call.
MOST_ENTRIES = 10
#: A call holds 256 KB. A change of many steps is sent without its former values.
MOST_BYTES = 240_000
MOST_OF_AN_EVENT = 60_000
#: Attributes of a record that are only the table's.
_KEYS = ("pk", "sk", "expires_at", "written_by")
#: The detail type by the kind of subject and the action, or by the kind alone. What is not here is not sent.
TYPES = {
    ("JOB", "created"): "Job Created",
    ("JOB", "linked"): "Job Linked",
    ("JOB", "pushed"): "Push Finished",
    "JOB": "Job Changed",
    ("SERIAL", "completed"): "Serial Number Completed",
    ("SERIAL", "force_completed"): "Serial Number Completed",
    ("SERIAL", "scrapped"): "Serial Number Scrapped",
    "SERIAL": "Serial Number Moved",
    ("CONNECTION", "marked_invalid"): "Connection Needs Authorization",
    ("CONNECTION", "expiring"): "Connection Expiring",
    ("ANOMALY", "ticket_moved"): "Ticket Moved",
    "ANOMALY": "Anomaly Changed",
}
_SUBJECTS: dict[str, tuple[str, type]] = {
    "JOB": ("jobId", str),
    "SERIAL": ("serialId", str),
    "CONNECTION": ("externalId", str),
    "ANOMALY": ("anomalyId", int),
}


def events_client() -> Any:
    return limited(boto3.client("events", config=configuration()))


@dataclass(frozen=True, slots=True)
class BusEvent:
    """An event, its detail also as JSON, and the place in the stream of its record."""

    place: str
    subject: str
    type: str
    at: str
    detail: Mapping[str, Any]
    text: bytes


def event_of(record: Item, place: str = "") -> BusEvent | None:
    """Return what is sent of a record, None if it is nothing."""
    kind, _, name = record["pk"].partition("#")
    type_ = TYPES.get((kind, record["action"])) or TYPES.get(kind)
    if type_ is None:
        return None
    told = {with_humps(key): value for key, value in record.items() if key not in _KEYS}
    member, form = _SUBJECTS[kind]
    detail = {"id": f"{record['pk']}/{record['sk']}", member: form(name), **told}
    if len(text := _json(detail)) > MOST_OF_AN_EVENT:
        detail.pop("changes", None)
        text = _json(detail)
    return BusEvent(place, record["pk"], type_, record["at"], detail, text)


def _json(detail: Mapping[str, Any]) -> bytes:
    return json.dumps(detail, ensure_ascii=False).encode()


def send(client: Any, bus: str, events: Iterable[BusEvent]) -> str | None:
    """Send events in their order; return the place of the first that was not sent, and nothing after it was.

    One call holds one event of a subject at most. So a call that fails in part leaves no gap before an event.
    """
    for events_of_call in _calls(events):
        entries: Any = [
            {
                "EventBusName": bus,
                "Source": SOURCE,
                "DetailType": event.type,
                "Time": event.at,
                "Detail": event.text.decode(),
            }
            for event in events_of_call
        ]
        try:
            answer = client.put_events(Entries=entries)
        except AWS_FAULTS:
            logger.exception("events were not sent", number=len(entries))
            return events_of_call[0].place
        for event, entry in zip(events_of_call, answer["Entries"], strict=True):
            if "ErrorCode" in entry:
                logger.error("an event was not sent", id=event.detail["id"], reason=entry["ErrorCode"])
                return event.place
    return None


def _calls(events: Iterable[BusEvent]) -> Iterator[list[BusEvent]]:
    call: list[BusEvent] = []
    size = 0
    for event in events:
        full = len(call) == MOST_ENTRIES or size + len(event.text) > MOST_BYTES
        if call and (full or event.subject in {other.subject for other in call}):
            yield call
            call, size = [], 0
        call.append(event)
        size += len(event.text)
    if call:
        yield call
