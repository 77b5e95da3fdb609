"""The product's tables as its functions have them, for what a test prepares by itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from jobticket import clock
from jobticket.history.records import Stamp
from jobticket.store.table import Journal, Table

JOURNAL = Journal("history", 730)


def recorded(client: Any, name: str) -> Table:
    """Return a table whose changes are recorded."""
    return Table(client, name, JOURNAL)


def stamp(moment: datetime | None = None) -> Stamp:
    return Stamp(moment or clock.now(), "test")
