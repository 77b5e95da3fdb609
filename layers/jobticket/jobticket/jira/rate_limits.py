"""Jira's rate limits, as a container remembers them.

Everything that shares a spent quota is held up until its reset. A call waits if it has the time, and is
refused at once if not.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

#: The first of several growing pauses, where Jira names no time.
BACKOFF_SECONDS = 0.5
#: The same for a quota.
QUOTA_SECONDS = 5.0

GLOBAL_QUOTA = "jira-quota-global-based"
BURST = "jira-burst-based"
ISSUE_WRITES = "jira-per-issue-on-write"
#: Limits that are over in seconds.
BRIEF = frozenset({BURST, ISSUE_WRITES})

#: Far more than the limits in force at any time.
MOST_NOTES = 500


@dataclass(frozen=True, slots=True)
class Scope:
    """What one call counts towards.

    Attributes
    ----------
    quota
        Everything that shares the app's quota.
    site
        The site called.
    endpoint
        The method and the path's template.
    issue
        The issue written to, if it is one.
    """

    quota: str
    site: str
    endpoint: str
    issue: str | None = None

    def limited(self, reason: str | None) -> str:
        """Return the name of what a 429 with this ``RateLimit-Reason`` holds up; if unknown, the site."""
        if reason == GLOBAL_QUOTA:
            return f"quota {self.quota}"
        if reason == BURST:
            return f"burst {self.site} {self.endpoint}"
        if reason == ISSUE_WRITES and self.issue is not None:
            return f"issue {self.site} {self.issue}"
        return f"site {self.site}"

    def names(self) -> tuple[str, ...]:
        """Return the names of all limits that can hold this call up."""
        return (
            f"quota {self.quota}",
            f"site {self.site}",
            f"burst {self.site} {self.endpoint}",
            f"issue {self.site} {self.issue}",
        )


@dataclass(slots=True)
class RateLimits:
    """The limits in force, as far as a container knows.

    Attributes
    ----------
    monotonic
        A clock in seconds.
    """

    monotonic: Callable[[], float] = time.monotonic
    _until: dict[str, tuple[float, str | None]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, scope: Scope, reason: str | None, seconds: float) -> None:
        """Remember that Jira asked for a pause."""
        until = self.monotonic() + seconds
        name = scope.limited(reason)
        with self._lock:
            if len(self._until) >= MOST_NOTES:
                self._forget_past()
            if self._until.get(name, (0.0, None))[0] < until:
                self._until[name] = (until, reason)

    def pause(self, scope: Scope) -> tuple[float, str | None]:
        """Return how many seconds a call is held up, and by which limit."""
        with self._lock:
            until, reason = max(
                (self._until.get(name, (0.0, None)) for name in scope.names()), key=lambda note: note[0]
            )
        return max(0.0, until - self.monotonic()), reason

    def _forget_past(self) -> None:
        now = self.monotonic()
        self._until = {name: note for name, note in self._until.items() if note[0] > now}
