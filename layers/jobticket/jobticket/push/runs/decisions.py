"""The verdict on a job whose push did not succeed. Pure: errors and numbers in, a verdict out.

A delay is not a failure: to wait for a limit, for a site that is down for everybody or for another push to
the same ticket costs no try. Only what went wrong with this very push does.
"""

from __future__ import annotations

from typing import Literal

from jobticket.connections.errors import ConnectionUnavailableError
from jobticket.dataclass import dataclass
from jobticket.jira.errors import JiraError, JiraRateLimitedError
from jobticket.jira.rate_limits import LONGEST_PAUSE_SECONDS
from jobticket.push.appending import UnsettledWriteError
from jobticket.push.pushing import LEASE
from jobticket.store.lease import HeldError

#: With the pauses of ``backoff``, a push fails after more than an hour of trouble of its own. Trouble of a
#: whole site costs it few tries, because the site is stopped (``jobticket.push.runs.sites.quarantine``).
MOST_TRIES = 40
FIRST_PAUSE_SECONDS = 15.0
LONGEST_BACKOFF_SECONDS = 120.0
#: A spent quota of which Jira does not say when it ends.
UNNAMED_QUOTA_SECONDS = 60.0
BRIEF_SECONDS = 5.0
BUSY_TICKET_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Stop:
    """What a limit stops, by its name, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The job's next state, after how many seconds, and whether a try is used up.

    ``stop`` is what must stop for that time; the job waits for it. ``trouble`` counts against the site.
    """

    becomes: Literal["waiting", "failed"]
    seconds: float = 0.0
    costs_try: bool = False
    stop: Stop | None = None
    trouble: bool = False


def judge(failure: Exception, tries: int, chance: float) -> Verdict:
    """Decide after so many tries; chance, from 0 to 1, spreads what would come back at the same moment."""
    if isinstance(failure, HeldError):
        return Verdict("waiting", BUSY_TICKET_SECONDS * (1 + chance))
    if isinstance(failure, JiraRateLimitedError):
        return _limited(failure, chance)
    trouble = isinstance(failure, JiraError) and failure.transient
    if not (trouble or isinstance(failure, ConnectionUnavailableError)):
        return Verdict("failed")
    if tries >= MOST_TRIES:
        return Verdict("failed", costs_try=True, trouble=trouble)
    pause = backoff(tries, chance)
    if isinstance(failure, UnsettledWriteError):
        # The ticket stays leased until the write cannot arrive any more.
        pause = max(pause, LEASE.total_seconds() + 1)
    return Verdict("waiting", pause, costs_try=True, trouble=trouble)


def _limited(failure: JiraRateLimitedError, chance: float) -> Verdict:
    held = failure.held
    if held is None or held.kind in ("endpoint", "issue"):
        seconds = min(failure.retry_after or BRIEF_SECONDS, LONGEST_PAUSE_SECONDS)
        return Verdict("waiting", seconds * (1 + chance))
    seconds = min(failure.retry_after or UNNAMED_QUOTA_SECONDS, LONGEST_PAUSE_SECONDS)
    return Verdict("waiting", seconds, stop=Stop(held.name, failure.limit or "rate limit"))


def backoff(tries: int, chance: float) -> float:
    """Return the pause before the next try: it doubles, and no two jobs keep step."""
    pause: float = min(LONGEST_BACKOFF_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (tries - 1))
    return pause * (0.75 + chance / 2)
