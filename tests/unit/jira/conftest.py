from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import pytest
import requests

from jobticket.clock import Deadline
from jobticket.http.addresses import AddressPolicy
from jobticket.http.session import new_session
from jobticket.jira.client import Credential, Deployment, JiraClient, Pace, Site
from jobticket.jira.rate_limits import RateLimits
from local.atlassian.testing import running
from tests.unit.jira.emulated import EmulatedJira
from tests.unit.jira.wire import WireJira, serving


@dataclass
class Clock:
    """Time that passes only in sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with new_session(AddressPolicy(allow_loopback=True)) as session:
        yield session


@pytest.fixture
def jira() -> Iterator[WireJira]:
    with serving() as jira:
        yield jira


MakeClient = Callable[..., JiraClient]


@pytest.fixture
def make_client(session: requests.Session, jira: WireJira, clock: Clock) -> MakeClient:
    """Make a client on the test's clock; its sockets still time out by the real one."""

    def make(
        *,
        seconds: float = 25.0,
        credential: Credential | None = None,
        rate_limits: RateLimits | None = None,
        real_time: bool = False,
        account: str | None = None,
        authorized_at: datetime | None = None,
    ) -> JiraClient:
        return JiraClient(
            session,
            Site(jira.url, "https://browse.example", "cloud", "quota", account, authorized_at),
            credential or Credential("Basic dXNlcjpzZWNyZXQtdG9rZW4=", secrets=("secret-token",)),
            deadline=Deadline.after(seconds) if real_time else Deadline.after(seconds, clock.monotonic),
            rate_limits=rate_limits,
            pace=Pace(clock.sleep, lambda: 0.5),
        )

    return make


@pytest.fixture(scope="package")
def emulated_url() -> Iterator[str]:
    with running() as url:
        yield url


@pytest.fixture
def cloud(emulated_url: str, session: requests.Session) -> EmulatedJira:
    """An emulated Cloud site."""
    return _fresh(emulated_url, session, "cloud")


@pytest.fixture
def data_center(emulated_url: str, session: requests.Session) -> EmulatedJira:
    """An emulated Data Center."""
    return _fresh(emulated_url, session, "data_center")


@pytest.fixture(params=["cloud", "data_center"])
def either(request: pytest.FixtureRequest, emulated_url: str, session: requests.Session) -> EmulatedJira:
    """Each of the two, one after the other."""
    return _fresh(emulated_url, session, request.param)


def _fresh(url: str, session: requests.Session, kind: Deployment) -> EmulatedJira:
    jira = EmulatedJira(url, session, kind)
    jira.start()
    return jira
