"""Jira's rate limits, as a container remembers them.

A quota that is spent stays spent for everyone who shares it, so the next call does not ask again before the
reset: it waits if there is time, and is refused at once if there is none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

#: The first pause of several that grow, where Jira names none.
BACKOFF_SECONDS = 0.5
#: A spent quota without a time of its end is asked again after this long.
QUOTA_SECONDS = 5.0

GLOBAL_QUOTA = "jira-quota-global-based"
BURST = "jira-burst-based"
ISSUE_WRITES = "jira-per-issue-on-write"
#: These are over in seconds.
BRIEF = frozenset({BURST, ISSUE_WRITES})

#: So many notes are far more than a container has limits in force.
MOST_NOTES = 500


@dataclass(frozen=True, slots=True)
class Scope:
    """What the limits of one call are counted by.

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
        """Return the name of what a 429 with this ``RateLimit-Reason`` holds up.

        An unknown reason counts as a quota of the site.
        """
        if reason == GLOBAL_QUOTA:
            return f"quota {self.quota}"
        if reason == BURST:
            return f"burst {self.site} {self.endpoint}"
        if reason == ISSUE_WRITES and self.issue is not None:
            return f"issue {self.site} {self.issue}"
        return f"site {self.site}"

    def names(self) -> tuple[str, ...]:
        """Return the names of everything that can hold this call up."""
        return (
            f"quota {self.quota}",
            f"site {self.site}",
            f"burst {self.site} {self.endpoint}",
            f"issue {self.site} {self.issue}",
        )


@dataclass(slots=True)
class RateLimits:
    """The limits that a container knows to be in force.

    Attributes
    ----------
    monotonic
        Seconds on a clock that never goes back.
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
        """Return for how many seconds a call is held up, and by which limit."""
        with self._lock:
            until, reason = max(
                (self._until.get(name, (0.0, None)) for name in scope.names()), key=lambda note: note[0]
            )
        return max(0.0, until - self.monotonic()), reason

    def _forget_past(self) -> None:
        now = self.monotonic()
        self._until = {name: note for name, note in self._until.items() if note[0] > now}
