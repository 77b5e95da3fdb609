"""What tickets say about anomalies, as documents. Text of people stays text: nothing in it is markup.

A ``limit`` is the most characters of a document's markup; see ``documents.limits.fitted``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from jobticket import clock
from jobticket.dataclass import dataclass
from jobticket.jira.documents.limits import cut, cut_line, length
from jobticket.jira.documents.model import (
    BulletList,
    Document,
    HorizontalRule,
    Paragraph,
    plain_line,
    plain_text,
)
from jobticket.jira.documents.wiki import to_wiki
from jobticket.ticketing.model import Anomaly, FailedCheck


@dataclass(frozen=True, slots=True)
class Wording:
    """How this deployment names itself in tickets."""

    name: str
    base_url: str

    def anomaly_url(self, anomaly: Anomaly) -> str:
        return f"{self.base_url}/datastores/{anomaly.datastore.id}/anomalies?id={anomaly.id}"

    def block(self, anomaly: Anomaly, at: datetime, limit: int) -> Document:
        """Return the anomaly's details, linked at a moment. The link back to it is never cut."""
        head = (Paragraph(plain_line(line), tight=n > 0) for n, line in enumerate(self._head(anomaly, at)))
        checks = BulletList(tuple(plain_line(_check_line(check)) for check in anomaly.failed_checks))
        back = Paragraph(plain_line(f"View in {self.name}: {self.anomaly_url(anomaly)}"))
        return cut((*head, checks), limit, tail=(back,))

    def _head(self, anomaly: Anomaly, at: datetime) -> Iterator[str]:
        yield f"{self.name} Anomaly Linked [{utc(at)}]"
        yield f"Anomaly ID: {anomaly.id}"
        yield f"Status: {anomaly.status}"
        yield f"Type: {anomaly.type}"
        yield f"Detected: {clock.parse_iso(anomaly.detected).isoformat(' ', 'microseconds')}"
        yield "Failed Checks:"

    def description(self, user_text: str | None, anomaly: Anomaly, at: datetime, limit: int) -> Document:
        """Return a new ticket's description: the user's text, a rule, the block.

        If it is too long, each of the two keeps at least about half of the space.
        """
        user = plain_text(user_text or "")
        room = limit - length("\n\n" + to_wiki((HorizontalRule(),)) + "\n\n")
        block = self.block(anomaly, at, max(room - length(to_wiki(user)), room // 2))
        return cut(user, limit, tail=(HorizontalRule(), *block))

    def status_comment(self, status: str, at: datetime) -> Document:
        return (Paragraph(plain_line(f"[{utc(at)}] {self.name} Anomaly Status: {status}")),)

    def recurrence(self, at: datetime, count: int) -> Document:
        return (Paragraph(plain_line(f"Detected again [{utc(at)}], {count} times so far")),)

    def comment(self, message: str, limit: int) -> Document:
        return cut(plain_text(f"Comment from {self.name}: {message}"), limit)

    def backlink(self, anomaly: Anomaly) -> dict[str, object]:
        """Return the remote link from an issue to the anomaly. The same ``globalId`` replaces it."""
        title = cut_line(f"{self.name} anomaly {anomaly.id} ({anomaly.datastore.name})")
        return {
            "globalId": f"jobticket-anomaly-{anomaly.id}",
            "application": {"type": "jobticket", "name": self.name},
            "relationship": "anomaly",
            "object": {"url": self.anomaly_url(anomaly), "title": title},
        }


def _check_line(check: FailedCheck) -> str:
    return f"{check.field}: {check.message}" if check.field else check.message


def utc(moment: datetime) -> str:
    """Write a moment as tickets show it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
