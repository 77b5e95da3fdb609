"""An emulated Jira of either kind, and clients of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests

from jobticket.clock import Deadline
from jobticket.jira.client import Credential, Deployment, JiraClient, Pace, Site

CREDENTIALS: dict[Deployment, Credential] = {
    "cloud": Credential("Basic ZGVtb0BleGFtcGxlLmNvbTpsb2NhbC1hcGktdG9rZW4="),
    "data_center": Credential("Bearer local-personal-token"),
}


@dataclass
class EmulatedJira:
    """The emulated Jira, as a test sets it up and looks at it."""

    url: str
    session: requests.Session
    kind: Deployment

    def start(self) -> None:
        """Forget what the last test did."""
        self.session.delete(f"{self.url}/_control/data")
        self.session.delete(f"{self.url}/_control")
        data_center = self.kind == "data_center"
        self.control(data_center=data_center, rate_limits={"issue_writes_per_2s": None})

    def client(self, seconds: float = 20, pace: Pace | None = None) -> JiraClient:
        return JiraClient(
            self.session,
            Site(self.url, self.url, self.kind, self.url),
            CREDENTIALS[self.kind],
            deadline=Deadline.after(seconds),
            pace=pace or Pace(lambda _seconds: None, lambda: 0.0),
        )

    def control(self, **controls: Any) -> None:
        assert self.session.put(f"{self.url}/_control", json=controls).ok

    def fault(self, *faults: dict[str, Any]) -> None:
        self.control(faults=list(faults))

    def asked(self, method: str, part: str = "") -> list[str]:
        """Return the paths of the product's calls, in order."""
        asked = self.session.get(f"{self.url}/_control/requests").json()
        return [call["path"] for call in asked if call["method"] == method and part in call["path"]]
