"""What all workers know of a site: until when it is stopped, and how many push to it.

Each site has one item, all in one partition, so that the sweep reads them by one query. A worker's view of
them may be a second old, so a stop may be a second late. The places at a site are leases in a partition of
its own.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from boto3.dynamodb.conditions import Attr, Key

from jobticket import clock
from jobticket.store.lease import HeldError, Lease, give_back, take
from jobticket.store.table import Item, Table, Update
from jobticket.store.unit_of_work import write_if_current

if TYPE_CHECKING:  # the scheduler needs nothing of Jira
    from jobticket.jira.client import Site
    from jobticket.push.runs.decisions import Verdict

SITES = "PUSH_SITES"
#: How old a worker's view may be.
FRESH_SECONDS = 1.0
#: A site is forgotten after so long without pushes.
KEPT = timedelta(days=30)
#: How long a place is held: longer than a push takes, and not so long that dead workers keep others out.
HELD = timedelta(seconds=60)
#: After so many failures in a row, of any jobs, a site is stopped for a while.
TROUBLES = 8
FIRST_QUARANTINE_SECONDS = 30.0
LONGEST_QUARANTINE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Stopped:
    """Until when a site is stopped, and why."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Place:
    """One of the places at a site: its holder may push there until its lease expires."""

    site: str
    number: int
    lease: Lease


def places_pk(site: str) -> str:
    return f"PUSH_PLACES#{site}"


def app_key(quota: str) -> str:
    """Return the key of the item that stops a whole app."""
    return f"quota {quota}"


def quarantine(troubles: int) -> float:
    """Return for how long a site is stopped after so many failures in a row, 0 for not at all."""
    if troubles < TROUBLES:
        return 0.0
    doubled: float = FIRST_QUARANTINE_SECONDS * 2 ** (troubles // TROUBLES - 1)
    return min(LONGEST_QUARANTINE_SECONDS, doubled)


@dataclass(slots=True)
class Sites:
    """What is known of the sites; at most ``places`` workers push to one at once. One per container."""

    table: Table
    places: int = 20
    now: Callable[[], datetime] = clock.now
    monotonic: Callable[[], float] = time.monotonic
    _seen: dict[str, tuple[float, Item]] = field(default_factory=dict)

    def stopped(self, site: Site) -> Stopped | None:
        """Return what stops a site, itself or its app; None if it is open."""
        now = clock.epoch_milliseconds(self.now())
        notes = [self._look(site.api_url), self._look(app_key(site.quota_key))]
        note = max(notes, key=lambda item: int(item.get("stopped_until", 0)))
        until = int(note.get("stopped_until", 0))
        if until <= now:
            return None
        return Stopped(self.now() + timedelta(milliseconds=until - now), str(note.get("reason", "")))

    def _look(self, key: str) -> Item:
        read_at, item = self._seen.get(key, (float("-inf"), {}))
        if self.monotonic() - read_at >= FRESH_SECONDS:
            item = self.table.get(SITES, key) or {}
            self._seen[key] = (self.monotonic(), item)
        return item

    def know(self, site: Site) -> None:
        """Let the sweep know a site. Most calls find it known and write nothing."""
        item = self._look(site.api_url)
        if "quota" not in item or item.get("expires_at", 0) < clock.epoch(self.now() + KEPT / 2):
            known = {"quota": site.quota_key, "expires_at": clock.epoch(self.now() + KEPT)}
            item = self.table.update(Update(SITES, site.api_url, set=known))
            self._seen[site.api_url] = (self.monotonic(), item)

    def enter(self, site: Site) -> Place | None:
        """Take a place at a site; None if all are taken."""
        self.know(site)
        now = self.now()
        lease = Lease.begin(now, HELD)
        expiry = {"expires_at": clock.epoch(lease.until + HELD)}
        for number in self._free_places(site.api_url, now):
            with contextlib.suppress(HeldError):
                take(self.table, places_pk(site.api_url), str(number), lease, now, also=expiry)
                return Place(site.api_url, number, lease)
        return None

    def _free_places(self, key: str, now: datetime) -> list[int]:
        held = {
            item["sk"]
            for item in self.table.query_all(Key("pk").eq(places_pk(key)))
            if (lease := Lease.of(item)) is not None and lease.left(now) > 0
        }
        return [number for number in range(self.places) if str(number) not in held]

    def leave(self, place: Place) -> None:
        """Give a place back."""
        give_back(self.table, places_pk(place.site), str(place.number), place.lease)

    def failed(self, site: Site, verdict: Verdict) -> Stopped | None:
        """Stop what a failure asks to stop; return what stops this site now."""
        if verdict.stop is not None:
            key = app_key(site.quota_key) if verdict.stop.whole_app else site.api_url
            self._stop(key, verdict.stop.seconds, verdict.stop.reason)
        if verdict.trouble:
            item = self.table.update(Update(SITES, site.api_url, add={"troubles": 1}))
            self._seen[site.api_url] = (self.monotonic(), item)
            troubles = int(item["troubles"])
            if troubles % TROUBLES == 0:
                self._stop(site.api_url, quarantine(troubles), f"{troubles} failures in a row")
        return self.stopped(site)

    def succeeded(self, site: Site) -> None:
        """Forget a site's failures."""
        _, item = self._seen.get(site.api_url, (0.0, {}))
        if item.get("troubles"):
            self._seen.pop(site.api_url, None)
            self.table.update(Update(SITES, site.api_url, set={"troubles": 0}))

    def _stop(self, key: str, seconds: float, reason: str) -> None:
        now = self.now()
        until = clock.epoch_milliseconds(now + timedelta(seconds=seconds))
        expires_at = clock.epoch(now + KEPT)
        longer = Attr("stopped_until").not_exists() | Attr("stopped_until").lt(until)
        stop = {"stopped_until": until, "reason": reason, "expires_at": expires_at}
        self._seen.pop(key, None)
        write_if_current(self.table, Update(SITES, key, set=stop, condition=longer))  # a longer stop stays

    def known(self) -> dict[str, bool]:
        """Return the known sites, and whether each is open."""
        now = clock.epoch_milliseconds(self.now())
        items = {item["sk"]: item for item in self.table.query_all(Key("pk").eq(SITES))}

        def is_open(key: str) -> bool:
            return int(items.get(key, {}).get("stopped_until", 0)) <= now

        sites = {key: item for key, item in items.items() if "quota" in item}
        return {key: is_open(key) and is_open(app_key(item["quota"])) for key, item in sites.items()}
