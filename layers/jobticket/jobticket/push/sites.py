"""What all workers know of a site: until when they leave it alone, and who pushes to it.

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
    from jobticket.push.decisions import Verdict

SITES = "PUSH_SITES"
#: How old a worker's view may be.
FRESH_SECONDS = 1.0
#: A site that nothing was pushed to for so long is forgotten.
KEPT = timedelta(days=30)
#: How long a place is held: longer than a push takes, and not so long that dead workers keep others out.
HELD = timedelta(seconds=60)
#: A site whose last place was taken longer ago is not being pushed to.
ACTIVE = timedelta(seconds=20)
#: How old a worker's view of who is being pushed to may be.
NEIGHBOURS_FRESH_SECONDS = 10.0
#: So many failures in a row, of whichever jobs, and a site is left alone for a while.
TROUBLES = 8
FIRST_QUARANTINE_SECONDS = 30.0
LONGEST_QUARANTINE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Stopped:
    """A site that is left alone."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Place:
    """One of the places at a site: its holder may push there, for a time.

    Attributes
    ----------
    number
        None at a site that is alone: there they are not counted.
    """

    site: str
    number: int | None
    lease: Lease


def places_pk(site: str) -> str:
    """Return the partition of the places at a site."""
    return f"PUSH_PLACES#{site}"


def app_key(quota: str) -> str:
    """Return under which name the quota of a whole app is kept."""
    return f"quota {quota}"


def quarantine(troubles: int) -> float:
    """Return for how long a site is left alone after so many failures in a row, 0 for not at all."""
    if troubles < TROUBLES:
        return 0.0
    longest: float = min(
        LONGEST_QUARANTINE_SECONDS, FIRST_QUARANTINE_SECONDS * 2 ** (troubles // TROUBLES - 1)
    )
    return longest


@dataclass(slots=True)
class Sites:
    """What is known of the sites. One a container.

    Parameters
    ----------
    table
        The table of jobs.
    places
        How many workers may push to one site at once while there are others to push to.
    """

    table: Table
    places: int = 5
    now: Callable[[], datetime] = clock.now
    monotonic: Callable[[], float] = time.monotonic
    _seen: dict[str, tuple[float, Item]] = field(default_factory=dict)
    _neighbours: tuple[float, dict[str, int]] = (float("-inf"), {})

    def stopped(self, site: Site) -> Stopped | None:
        """Tell whether a site is left alone, for its own sake or for the app's."""
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

    def enter(self, site: Site) -> Place | None:
        """Take a place at a site; None if all are taken.

        A site that is alone has places for everybody. It is known to the sweep from its first place on.
        """
        now = self.now()
        lease = Lease.begin(now, HELD)
        crowded = self._has_neighbours(site.api_url)
        self.table.update(Update(SITES, site.api_url, set=self._entered(site, now)))
        if not crowded:
            return Place(site.api_url, None, lease)
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

    def know(self, site: Site) -> None:
        """Let the sweep know a site where jobs wait, though nobody may have been there yet."""
        if "quota" not in self._look(site.api_url):
            known = {"quota": site.quota_key, "expires_at": clock.epoch(self.now() + KEPT)}
            self.table.update(Update(SITES, site.api_url, set=known))
            self._seen.pop(site.api_url, None)

    def _entered(self, site: Site, now: datetime) -> Item:
        return {
            "quota": site.quota_key,
            "entered_at": clock.epoch_milliseconds(now),
            "expires_at": clock.epoch(now + KEPT),
        }

    def _has_neighbours(self, key: str) -> bool:
        """Tell whether other sites are being pushed to."""
        read_at, entered = self._neighbours
        if self.monotonic() - read_at >= NEIGHBOURS_FRESH_SECONDS:
            items = self.table.query_all(Key("pk").eq(SITES))
            entered = {item["sk"]: int(item.get("entered_at", 0)) for item in items}
            self._neighbours = self.monotonic(), entered
        active = clock.epoch_milliseconds(self.now() - ACTIVE)
        return any(at > active for other, at in entered.items() if other != key)

    def leave(self, place: Place) -> None:
        """Give a place back."""
        if place.number is not None:
            give_back(self.table, places_pk(place.site), str(place.number), place.lease)

    def failed(self, site: Site, verdict: Verdict) -> Stopped | None:
        """Stop what a failure asks to stop; return the stop that holds this site now."""
        if verdict.stop is not None:
            key = app_key(site.quota_key) if verdict.stop.whole_app else site.api_url
            self._stop(key, verdict.stop.seconds, verdict.stop.reason)
        if verdict.trouble:
            self._trouble(site)
        return self.stopped(site)

    def _trouble(self, site: Site) -> None:
        item = self.table.update(Update(SITES, site.api_url, add={"troubles": 1}))
        self._seen[site.api_url] = (self.monotonic(), item)
        troubles = int(item["troubles"])
        if troubles % TROUBLES == 0:
            self._stop(site.api_url, quarantine(troubles), f"{troubles} failures in a row")

    def succeeded(self, site: Site) -> None:
        """Forget a site's failures."""
        _, item = self._seen.get(site.api_url, (0.0, {}))
        if item.get("troubles"):
            self._seen.pop(site.api_url, None)
            self.table.update(Update(SITES, site.api_url, set={"troubles": 0}))

    def _stop(self, key: str, seconds: float, reason: str) -> None:
        now = self.now()
        until = clock.epoch_milliseconds(now + timedelta(seconds=seconds))
        write = Update(
            SITES,
            key,
            set={
                "stopped_until": until,
                "reason": reason,
                "expires_at": clock.epoch(now + KEPT),
            },
            condition=Attr("stopped_until").not_exists() | Attr("stopped_until").lt(until),
        )
        self._seen.pop(key, None)
        write_if_current(self.table, write)  # a longer stop stays

    def known(self) -> dict[str, bool]:
        """Return the sites that are known, and whether each is open: not left alone."""
        now = clock.epoch_milliseconds(self.now())
        items = {item["sk"]: item for item in self.table.query_all(Key("pk").eq(SITES))}

        def is_open(key: str) -> bool:
            return int(items.get(key, {}).get("stopped_until", 0)) <= now

        sites = {key: item for key, item in items.items() if "quota" in item}
        return {key: is_open(key) and is_open(app_key(item["quota"])) for key, item in sites.items()}
