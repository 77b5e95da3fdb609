"""The texts that tickets get (contract: ticketing.md, What is synced). Pure: values in, wiki markup out.

What comes from an anomaly is data: it is escaped line by line, so that it arrives as it was written and never
as markup. What does not fit is cut, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from jobticket import clock
from jobticket.jira.markup import escape
from jobticket.ticketing.model import Anomaly, FailedCheck

LONGEST_SUMMARY = 255
LONGEST_TEXT = 32_767

ELLIPSIS = "…"
CUT_TEXT = "\n\n… (cut here: Jira holds 32,767 characters)"

#: A rule in wiki markup. Three hyphens, as plain text shows a rule, would become a dash.
RULE = "----"

_LINE_BREAK = re.compile(r"\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]+")
#: The end of a text that was cut inside an escape: a reference without its semicolon, or half a backslash.
_TORN = re.compile(r"(?:&(?:#\d{0,7})?|(?<!\\)(?:\\\\)*\\)\Z")


@dataclass(frozen=True, slots=True)
class Wording:
    """How this deployment names itself to the readers of tickets.

    Attributes
    ----------
    name
        Such as Qualytics.
    base_url
        Where people see anomalies, without a slash at the end.
    """

    name: str
    base_url: str

    def anomaly_url(self, anomaly: Anomaly) -> str:
        return f"{self.base_url}/datastores/{anomaly.datastore.id}/anomalies?id={anomaly.id}"

    def block(self, anomaly: Anomaly, at: datetime, limit: int = LONGEST_TEXT) -> str:
        """Return the anomaly's details as a ticket shows them.

        Parameters
        ----------
        at
            When anomaly and ticket were linked.
        limit
            How many characters it may have.
        """
        head = "\n".join(self._head(anomaly, at))
        checks = "\n".join(_check_lines(anomaly.failed_checks))
        # A list ends with a blank line: without it the next line would belong to the last check.
        tail = f"\n\nView in {escape(self.name)}: {self.anomaly_url(anomaly)}"
        return fit(f"{head}\n{checks}", tail, limit)

    def _head(self, anomaly: Anomaly, at: datetime) -> Iterable[str]:
        yield f"{escape(self.name)} Anomaly Linked [{utc(at)}]"
        yield f"Anomaly ID: {anomaly.id}"
        yield f"Status: {anomaly.status}"
        yield f"Type: {anomaly.type}"
        yield f"Detected: {clock.parse_iso(anomaly.detected).isoformat(' ', 'microseconds')}"
        yield "Failed Checks:"

    def description(self, user_text: str | None, anomaly: Anomaly, at: datetime) -> str:
        """Return a new ticket's description: what the user wrote, a rule, the block.

        If it is too long, either of the two keeps at least about half of the room.
        """
        text = plain_lines(user_text or "")
        rule = f"\n\n{RULE}\n" if text else f"{RULE}\n"
        room = LONGEST_TEXT - len(rule)
        block = self.block(anomaly, at, max(room - length(text), room // 2))
        return fit(text, rule + block)

    def status_comment(self, status: str, at: datetime) -> str:
        return f"[{utc(at)}] {escape(self.name)} Anomaly Status: {status}"

    def comment(self, message: str) -> str:
        return cut(f"Comment from {escape(self.name)}: {plain_lines(message)}")

    def backlink(self, anomaly: Anomaly) -> dict[str, object]:
        """Return the remote link from an issue to the anomaly. Sent again, it replaces itself."""
        title = summary(f"{self.name} anomaly {anomaly.id} ({anomaly.datastore.name})")
        return {
            "globalId": f"jobticket-anomaly-{anomaly.id}",
            "application": {"type": "jobticket", "name": self.name},
            "relationship": "anomaly",
            "object": {"url": self.anomaly_url(anomaly), "title": title},
        }


def _check_lines(checks: Iterable[FailedCheck]) -> Iterable[str]:
    for check in checks:
        message = escape(check.message)
        yield f"- {escape(check.field)}: {message}" if check.field else f"- {message}"


def plain_lines(text: str) -> str:
    """Escape a text of several lines and keep its lines."""
    return "\n".join(escape(line) for line in _LINE_BREAK.split(text)).strip("\n")


def utc(moment: datetime) -> str:
    """Write a moment as the seed does.

    Examples
    --------
    >>> utc(datetime(2024, 1, 15, 10, 30, tzinfo=UTC))
    '2024-01-15 10:30:00 UTC'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def length(text: str) -> int:
    """Return how many characters Jira counts: as a Java program it counts an emoji twice."""
    return len(text) + sum(character > "\uffff" for character in text)


def _first(text: str, limit: int) -> str:
    """Return as much of a text's beginning as Jira counts ``limit`` characters of."""
    start = text[: max(0, limit)]
    while start and (over := length(start) - limit) > 0:
        start = start[: -((over + 1) // 2)]
    return start


def summary(title: str) -> str:
    """Return a title as Jira takes it: one line of at most 255 characters, visibly cut. It is no markup."""
    line = " ".join(_CONTROL.sub(" ", title).split())
    if length(line) <= LONGEST_SUMMARY:
        return line
    return _first(line, LONGEST_SUMMARY - 1).rstrip() + ELLIPSIS


def cut(markup: str) -> str:
    """Return escaped text as Jira takes it, visibly cut if it is too long."""
    return fit(markup, "")


def fit(markup: str, tail: str, limit: int = LONGEST_TEXT) -> str:
    """Put escaped text before a tail that must stay whole, cutting the former."""
    room = limit - length(tail)
    if length(markup) <= room:
        return markup + tail
    return _TORN.sub("", _first(markup, room - length(CUT_TEXT))) + CUT_TEXT + tail
