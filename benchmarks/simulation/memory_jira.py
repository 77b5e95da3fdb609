"""Jira sites in memory, behind what looks like a session of requests: the real client talks to them.

They fail as sites do: refuse, answer late, lose answers before and after the work, answer HTML, limit. And
people edit descriptions at the worst moment: right before a push's write.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

import requests

from benchmarks.simulation.virtual_time import VirtualTime
from local.atlassian.adf.to_wiki import to_markup

LATENCY = (0.12, 0.3)


Document = dict[str, Any]


@dataclass(frozen=True)
class Quirks:
    """How often what goes wrong, as shares of all calls."""

    failing: float = 0.2
    edits: float = 0.02


@dataclass
class Issue:
    """A ticket.

    Attributes
    ----------
    edits
        What people wrote into it; each a text of its own.
    """

    key: str
    description: Document
    histories: list[dict[str, Any]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    edits: list[str] = field(default_factory=list)


@dataclass
class SiteState:
    """A site.

    Attributes
    ----------
    out_of_quota
        From when until when every call is refused.
    points
        Shared with the other sites of the same app: how many points an hour has.
    """

    name: str
    issues: dict[str, Issue] = field(default_factory=dict)
    out_of_quota: tuple[float, float] | None = None
    app: AppQuota | None = None
    calls_per_second: int = 100
    calls: int = 0
    points: int = 0
    busy_seconds: float = 0.0
    limited: int = 0
    failed: int = 0
    recent: deque[float] = field(default_factory=deque)


@dataclass
class AppQuota:
    """The points that the sites of one app share."""

    an_hour: int
    used: int = 0
    hour: int = 0
    total: int = 0


@dataclass
class _Answer:
    """What the transport needs of ``requests.Response``."""

    status_code: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""

    def __enter__(self) -> _Answer:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def iter_content(self, _size: int) -> Iterator[bytes]:
        yield self.body


class MemoryJira:
    """All sites, as a session reaches them."""

    def __init__(
        self,
        time: VirtualTime,
        sites: list[SiteState],
        chance: random.Random,
        quirks: Quirks,
        maybe_die: Callable[[], None],
    ) -> None:
        self.sites = {site.name: site for site in sites}
        self._time = time
        self._chance = chance
        self._quirks = quirks
        self._maybe_die = maybe_die
        self._number = 0

    def request(self, method: str, url: str, *, params: Any, data: Any, timeout: Any, **_: Any) -> _Answer:
        """Answer as ``requests.Session.request`` does."""
        self._time.require_alive()
        parts = urlsplit(url)
        site = self.sites[str(parts.hostname)]
        began = self._time.seconds
        try:
            return self._served(site, method, parts.path, params, data, timeout)
        finally:
            site.busy_seconds += self._time.seconds - began

    def _served(
        self, site: SiteState, method: str, path: str, params: Any, data: Any, timeout: Any
    ) -> _Answer:
        self._time.sleep(self._chance.uniform(*LATENCY))
        self._maybe_die()
        limited = self._limit(site)
        if limited is not None:
            return limited
        answer = self._maybe_fail(site, method, path, params or {}, data, timeout[1])
        self._maybe_die()
        return answer

    def _limit(self, site: SiteState) -> _Answer | None:
        now = self._time.seconds
        if site.out_of_quota is not None and site.out_of_quota[0] <= now < site.out_of_quota[1]:
            site.limited += 1
            return _too_many("jira-quota-tenant-based", site.out_of_quota[1] - now)
        while site.recent and site.recent[0] <= now - 1:
            site.recent.popleft()
        if len(site.recent) >= site.calls_per_second:
            site.limited += 1
            return _too_many("jira-burst-based", 1)
        if site.app is not None:
            if int(now // 3600) != site.app.hour:
                site.app.hour, site.app.used = int(now // 3600), 0
            if site.app.used >= site.app.an_hour:
                site.limited += 1
                return _too_many("jira-quota-global-based", 3600 - now % 3600)
        site.recent.append(now)
        site.calls += 1
        return None

    def _maybe_fail(
        self, site: SiteState, method: str, path: str, params: Any, data: Any, patience: float
    ) -> _Answer:
        def work() -> _Answer:
            return self._answer(site, method, path, params, json.loads(data) if data else None)

        if self._chance.random() >= self._quirks.failing:
            return work()
        site.failed += 1
        kind = self._chance.choice(
            ["refused", "refused late", "lost before", "lost after", "late", "html", "burst", "broken"]
        )
        if kind in ("refused late", "lost after", "late", "broken"):
            done = work()
        if kind in ("refused", "refused late"):
            return _Answer(503, b"", reason="Service Unavailable")
        if kind in ("lost before", "lost after"):
            raise requests.ConnectionError("Connection aborted")
        if kind == "late":
            self._time.sleep(patience)
            raise requests.ReadTimeout("no answer")
        if kind == "html":
            return _Answer(502, b"<html>Bad gateway</html>", reason="Bad Gateway")
        if kind == "burst":
            site.busy_seconds += 3
            return _too_many("jira-burst-based", 2)
        return _Answer(200, b"<html>Log in" if done.status_code == 200 else b"\x00")

    def _answer(self, site: SiteState, method: str, path: str, params: Any, body: Any) -> _Answer:
        # /rest/api/3/issue/KEY[/comment]
        segments = path.strip("/").split("/")
        issue = site.issues[unquote(segments[4])]
        if site.app is not None:
            points = 2 if method == "GET" else 1
            site.points += points
            site.app.used += points
            site.app.total += points
        match method, segments[5:]:
            case "GET", []:
                return _json(self._shown(issue, params))
            case "PUT", []:
                self._maybe_edit(issue)
                self._write(issue, body["fields"]["description"])
                return _json(self._shown(issue, params))
            case "GET", ["comment"]:
                start = params["startAt"]
                newest = issue.comments[::-1][start : start + params["maxResults"]]
                return _json({"comments": newest})
            case "POST", ["comment"]:
                comment = {"id": str(len(issue.comments)), "created": self._stamp(), **body}
                issue.comments.append(comment)
                return _json({"id": comment["id"]}, 201)
        raise LookupError(f"{method} {path}")

    def _shown(self, issue: Issue, params: Any) -> dict[str, Any]:
        shown: dict[str, Any] = {"key": issue.key, "fields": {"description": issue.description}}
        if params.get("expand") == "changelog":
            shown["changelog"] = {"histories": issue.histories[::-1][:100]}
        return shown

    def _maybe_edit(self, issue: Issue) -> None:
        if self._chance.random() < self._quirks.edits:
            self.edit(issue)

    def edit(self, issue: Issue) -> None:
        """Let a person add a line, above everything or below."""
        self._number += 1
        line = (
            f"Note {self._number}: checked by {self._chance.choice(['Ann', 'Bo', 'Cy'])} («{self._number}»)"
        )
        issue.edits.append(line)
        added = [self._edit_node(line)]
        old = issue.description["content"]
        content = [*added, *old] if self._chance.random() < 0.5 else [*old, *added]
        self._write(issue, {**issue.description, "content": content})

    def _edit_node(self, line: str) -> dict[str, Any]:
        """Return a plain paragraph, or now and then one that markup does not tell all of."""
        node: dict[str, Any] = {"type": "paragraph", "content": [{"type": "text", "text": line}]}
        if self._chance.random() < 0.2:
            node["content"][0]["marks"] = [{"type": "strong"}]
        return node

    def _write(self, issue: Issue, document: Document) -> None:
        if document == issue.description:
            return
        self._number += 1
        before, after = to_markup(issue.description), to_markup(document)
        change = {"field": "description", "fromString": before, "toString": after}
        issue.histories.append({"id": str(self._number), "created": self._stamp(), "items": [change]})
        issue.description = document

    def _stamp(self) -> str:
        return (self._time.now() + timedelta(0)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"


def _json(body: Any, status: int = 200) -> _Answer:
    return _Answer(status, json.dumps(body).encode())


def _too_many(reason: str, seconds: float) -> _Answer:
    headers = {"RateLimit-Reason": reason, "Retry-After": str(int(seconds) + 1)}
    return _Answer(429, b"{}", headers, "Too Many Requests")
