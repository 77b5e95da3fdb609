"""Jira's rate limits, as a container remembers them.

A pause is kept for what it limits: the app, a site, an account, an endpoint or an issue. A call waits if it
has the time, and is refused at once if not. Jira's pauses hold for an hour at most: then
one call tries, and the others wait for its answer.

An account with a bucket of its own (Data Center) is paced after a refusal: its calls follow each other as
fast as the bucket fills.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from jobticket import clock
from jobticket.dataclass import dataclass, field

if TYPE_CHECKING:
    from jobticket.jira.client import Site

#: What a pause is about.
Kind = Literal["app", "site", "account", "endpoint", "issue"]

#: The first of several growing pauses, where Jira names no time.
BACKOFF_SECONDS = 0.5
#: The same for a quota.
QUOTA_SECONDS = 5.0
#: The longest that a pause is believed.
LONGEST_PAUSE_SECONDS = 3600.0
#: How long the call that tries may take before another one does.
TRIAL_SECONDS = 30.0

GLOBAL_QUOTA = "jira-quota-global-based"
TENANT_QUOTA = "jira-quota-tenant-based"
BURST = "jira-burst-based"
ISSUE_WRITES = "jira-per-issue-on-write"
#: Limits on calls a moment, not on calls an hour.
BURSTS: frozenset[Kind] = frozenset({"account", "endpoint", "issue"})

#: Far more than the limits in force at any time.
MOST_NOTES = 500


@dataclass(frozen=True, slots=True)
class Limit:
    """What a pause holds up; ``name`` is the same in every container."""

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """An account's bucket of calls: every ``interval`` seconds it gets ``fill`` more, up to ``size``."""

    interval: float
    fill: int
    size: int

    @property
    def gap(self) -> float:
        """Seconds from one call to the next at which the bucket never empties."""
        return self.interval / self.fill


@dataclass(frozen=True, slots=True)
class Scope:
    """What one call counts towards."""

    site: Site
    #: The method and the path's template.
    endpoint: str
    #: The issue written to, if it is one.
    issue: str | None = None

    def limited(self, reason: str | None) -> Limit:
        """Return what a 429 with this ``RateLimit-Reason`` holds up; if unknown, the account or the site."""
        if reason == GLOBAL_QUOTA:
            return Limit("app", f"app {self.site.quota_key}")
        if reason == BURST:
            return Limit("endpoint", f"endpoint {self.site.api_url} {self.endpoint}")
        if reason == ISSUE_WRITES and self.issue is not None:
            return Limit("issue", f"issue {self.site.api_url} {self.issue}")
        if reason != TENANT_QUOTA and self.site.account is not None:
            return Limit("account", f"account {self.site.account}")
        return Limit("site", f"site {self.site.api_url}")

    def names(self) -> tuple[str, ...]:
        """Return the names of all limits that can hold this call up."""
        url = self.site.api_url
        return (*self.lasting, f"endpoint {url} {self.endpoint}", f"issue {url} {self.issue}")

    @property
    def lasting(self) -> tuple[str, ...]:
        """The names of the limits that can hold up every call of a connection."""
        names = (f"app {self.site.quota_key}", f"site {self.site.api_url}")
        return names if self.site.account is None else (*names, f"account {self.site.account}")


@dataclass(frozen=True, slots=True)
class Pause:
    """How long a call is held up, by which limit, and with which ``RateLimit-Reason``."""

    seconds: float = 0.0
    limit: Limit | None = None
    reason: str | None = None


@dataclass(slots=True)
class _Note:
    """A pause in force: until when calls wait, and until when Jira wants them to."""

    limit: Limit
    reason: str | None
    until: float
    asked_until: float
    noted_at: datetime
    on_trial: bool = False


@dataclass(slots=True)
class _Paced:
    bucket: Bucket
    next_at: float
    ends_at: float


@dataclass(slots=True)
class RateLimits:
    """The limits in force, as far as a container knows."""

    #: A clock in seconds.
    monotonic: Callable[[], float] = time.monotonic
    _until: dict[str, _Note] = field(default_factory=dict)
    _paced: dict[str, _Paced] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, scope: Scope, reason: str | None, seconds: float, bucket: Bucket | None = None) -> Limit:
        """Remember that Jira asked for a pause; return what it holds up."""
        now, limit = self.monotonic(), scope.limited(reason)
        until = now + min(seconds, LONGEST_PAUSE_SECONDS)
        with self._lock:
            if len(self._until) >= MOST_NOTES:
                self._until = {name: note for name, note in self._until.items() if note.asked_until > now}
            known = self._known(limit.name, scope)
            if known is None or known.on_trial or known.until < until:
                self._until[limit.name] = _Note(limit, reason, until, now + seconds, clock.now())
            if bucket is not None:
                full = now + min(LONGEST_PAUSE_SECONDS, bucket.interval + bucket.size * bucket.gap)
                self._paced[limit.name] = _Paced(bucket, until, full)
        return limit

    def pause(self, scope: Scope, *, entering: bool = False) -> Pause:
        """Return what holds a call up.

        With ``entering`` the call is sent at once if nothing does. After an hour of a longer pause it is the
        one that tries, and holds up the others.
        """
        now = self.monotonic()
        with self._lock:
            notes = [note for name in scope.names() if (note := self._known(name, scope))]
            held = max((n for n in notes if n.until > now), key=lambda note: note.asked_until, default=None)
            if held is not None:
                return Pause(held.asked_until - now, held.limit, held.reason)
            for note in notes if entering else ():
                if note.asked_until > now:
                    note.until, note.on_trial = now + TRIAL_SECONDS, True
        return Pause()

    def turn(self, scope: Scope, most: float) -> float:
        """Return in how many seconds it is a paced call's turn; the turn is taken if that is not too late."""
        now = self.monotonic()
        with self._lock:
            paced = self._paced.get(scope.limited(None).name)
            if paced is None or paced.ends_at <= now:
                return 0.0
            at = max(now, paced.next_at)
            if at - now <= most:
                paced.next_at = at + paced.bucket.gap
            return at - now

    def passed(self, scope: Scope) -> None:
        """Forget the pauses on trial: Jira has let this call through."""
        with self._lock:
            for name in scope.names() if self._until else ():
                if (note := self._until.get(name)) is not None and note.on_trial:
                    del self._until[name]

    def _known(self, name: str, scope: Scope) -> _Note | None:
        note, authorized_at = self._until.get(name), scope.site.authorized_at
        if note is None or (authorized_at is not None and note.noted_at < authorized_at):
            return None
        return note
