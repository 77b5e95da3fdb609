"""The environment of the functions of ticketing."""

from __future__ import annotations

from jobticket.connections.access import AccessSettings
from jobticket.ticketing.text import Wording


class TicketingSettings(AccessSettings):
    """What every function of ticketing reads."""

    ticketing_table: str
    ticket_events_queue: str
    public_url: str
    ticketing_name: str = "Qualytics"
    anomaly_base_url: str = ""

    @property
    def wording(self) -> Wording:
        """How this deployment names itself in tickets."""
        return Wording(self.ticketing_name, self.anomaly_base_url.rstrip("/"))
