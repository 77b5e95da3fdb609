"""What all workers know of a site: what is stopped there, until when, and how many push to it.

One partition has an item for each way to a site (one account's way, where accounts have limits of their own),
and one for each limit that was met (``jobticket.jira.rate_limits.Limit``). The sweep reads them by one query.
A worker's view of them may be a second old, so a stop may be a second late. The places at a site are leases
in a partition of its own.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from boto3.dynamodb.conditions import Attr, Key

from jobticket import clock
from jobticket.dataclass import dataclass, field, replace
from jobticket.shown import Shown
from jobticket.store.lease import HeldError, Lease, give_back, take
from jobticket.store.table import Item, Table, Update
from jobticket.store.unit_of_work import write_if_current

if TYPE_CHECKING:  # the scheduler needs nothing of Jira
    from jobticket.jira.client import Site
    from jobticket.push.runs.decisions import Verdict

SITES = "PUSH_SITES"
#: How old a worker's view may be.
FRESH_SECONDS = 1.0
#: A way is forgotten after this time without pushes. A container writes it again each day.
KEPT = timedelta(days=30)
A_DAY = timedelta(days=1)
#: How long a place is held: longer than a push takes, but short enough that dead workers do not block others.
HELD = timedelta(seconds=60)
#: After so many failures in a row, of any jobs, a site is stopped for a while.
TROUBLES = 8
FIRST_QUARANTINE_SECONDS = 30.0
LONGEST_QUARANTINE_SECONDS = 600.0


class SiteStop(Shown):
    """Something that is stopped: scheduled pushes leave it alone."""

    #: What is stopped, by its name: a site, an account, or an app.
    site: str
    #: When the stop ends.
    until: str
    #: Jira's reason, or how many failures there were.
    reason: str


@dataclass(frozen=True, slots=True)
class Place:
    """One of the places at a site: its holder may push there until its lease expires."""

    site: str
    number: int
    lease: Lease


def places_pk(site: str) -> str:
    return f"PUSH_PLACES#{site}"


def site_limit(site: Site) -> str:
    return f"site {site.api_url}"


def way_to(site: Site) -> str:
    """Return the key of a way to a site: jobs wait apart that different limits hold up."""
    return site.api_url if site.account is None else f"{site.api_url} {site.account}"


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
    _known: dict[str, datetime] = field(default_factory=dict)

    def stopped(self, site: Site) -> SiteStop | None:
        """Return what stops a site: itself, its app, or the account; None if nothing does."""
        stops = (self._stop_of(self._look(name), site.authorized_at) for name in site.limits)
        return max(filter(None, stops), key=lambda stop: stop.until, default=None)

    def resumed(self, site: Site) -> Site:
        """Return a site as if authorized when an operator ended its stop: no earlier pause counts."""
        moments = [item["resumed_at"] for item in map(self._look, site.limits) if "resumed_at" in item]
        resumed_at = clock.parse_iso(max(moments)) if moments else None
        if resumed_at is None or (site.authorized_at is not None and site.authorized_at > resumed_at):
            return site
        return replace(site, authorized_at=resumed_at)

    def _stop_of(self, item: Item, authorized_at: datetime | None) -> SiteStop | None:
        """Return the stop of an item, if it is in force. A new authorization ends earlier stops."""
        until = clock.from_milliseconds(item.get("stopped_until", 0))
        since = 0 if authorized_at is None else clock.epoch_milliseconds(authorized_at)
        if until <= self.now() or item.get("stopped_at", 0) < since:
            return None
        return SiteStop(site=item["sk"], until=clock.iso_milliseconds(until), reason=str(item["reason"]))

    def _look(self, key: str) -> Item:
        read_at, item = self._seen.get(key, (float("-inf"), {}))
        if self.monotonic() - read_at >= FRESH_SECONDS:
            item = self.table.get(SITES, key) or {}
            self._seen[key] = (self.monotonic(), item)
        return item

    def know(self, site: Site) -> None:
        """Let the sweep know a way to a site."""
        now, way = self.now(), way_to(site)
        known = f"{way} {site.authorized_at}"
        if known not in self._known or self._known[known] < now - A_DAY:
            told: Item = {"limits": list(site.limits), "expires_at": clock.epoch(now + KEPT)}
            if site.authorized_at is not None:
                told["authorized_at"] = clock.iso_milliseconds(site.authorized_at)
            self.table.update(Update(SITES, way, set=told))
            self._known[known] = now

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
        give_back(self.table, places_pk(place.site), str(place.number), place.lease)

    def failed(self, site: Site, verdict: Verdict) -> None:
        """Stop what a failure asks to stop."""
        if verdict.stop is not None:
            self._stop(site, verdict.stop.name, verdict.seconds, verdict.stop.reason)
        if verdict.trouble:
            name = site_limit(site)
            item = self.table.update(Update(SITES, name, add={"troubles": 1}))
            self._seen[name] = (self.monotonic(), item)
            troubles = int(item["troubles"])
            if troubles % TROUBLES == 0:
                self._stop(site, name, quarantine(troubles), f"{troubles} failures in a row")

    def succeeded(self, site: Site) -> None:
        """Forget a site's failures."""
        name = site_limit(site)
        _, item = self._seen.get(name, (0.0, {}))
        if item.get("troubles"):
            self._seen.pop(name, None)
            self.table.update(Update(SITES, name, set={"troubles": 0}))

    def _stop(self, site: Site, name: str, seconds: float, reason: str) -> None:
        now = self.now()
        until = clock.epoch_milliseconds(now + timedelta(seconds=seconds))
        stop = {"stopped_until": until, "stopped_at": clock.epoch_milliseconds(now), "reason": reason}
        longer = Attr("stopped_until").not_exists() | Attr("stopped_until").lt(until)
        if site.authorized_at is not None:
            longer |= Attr("stopped_at").lt(clock.epoch_milliseconds(site.authorized_at))
        self._seen.pop(name, None)
        kept = {**stop, "expires_at": clock.epoch(now + KEPT)}
        write_if_current(self.table, Update(SITES, name, set=kept, condition=longer))  # a longer stop stays

    def go_on(self, name: str) -> bool:
        """End a stop; tell whether there was one."""
        resumed = {"resumed_at": clock.iso_milliseconds(self.now())}
        stopped = Attr("stopped_until").exists()
        update = Update(SITES, name, set=resumed, remove=["stopped_until"], condition=stopped)
        return write_if_current(self.table, update) is not None

    def stops(self) -> list[SiteStop]:
        """Return the stops in force, what lasts longest first."""
        stops = [stop for item in self._items() if (stop := self._stop_of(item, None))]
        return sorted(stops, key=lambda stop: stop.until, reverse=True)

    def known(self) -> dict[str, bool]:
        """Return the known ways to sites, and whether each is open."""
        items = {item["sk"]: item for item in self._items()}

        def is_open(way: Item) -> bool:
            since = clock.parse_iso(way["authorized_at"]) if "authorized_at" in way else None
            return not any(self._stop_of(items.get(name, {}), since) for name in way["limits"])

        return {key: is_open(item) for key, item in items.items() if "limits" in item}

    def _items(self) -> Iterator[Item]:
        return self.table.query_all(Key("pk").eq(SITES))
