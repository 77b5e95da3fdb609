"""Webhooks that an app registers, against the emulated Jira: its limits, expiry and answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests

from jobticket.clock import Deadline
from jobticket.jira import dynamic_webhooks
from jobticket.jira.client import Credential, JiraClient, Site
from jobticket.jira.dynamic_webhooks import NotRegisteredError
from local.atlassian.default_data import PLANT_NORTH
from local.atlassian.testing import running
from tests.unit.atlassian.conftest import SCOPES, Auth

URL = "https://jobticket.example/api/webhooks/jira"


@pytest.fixture(scope="module")
def atlassian_url() -> Iterator[str]:
    with running() as url:
        yield url


@pytest.fixture
def app(atlassian_url: str) -> Iterator[JiraClient]:
    token = Auth(atlassian_url).tokens(scope=f"{SCOPES} {dynamic_webhooks.SCOPE}")["access_token"]
    site = Site(f"{atlassian_url}/ex/jira/{PLANT_NORTH}", atlassian_url, "cloud", "app")
    with requests.Session() as session:
        yield JiraClient(session, site, Credential(f"Bearer {token}"), deadline=Deadline.after(30))


def test_a_webhook_is_registered_found_extended_and_removed(app: JiraClient) -> None:
    number = dynamic_webhooks.register(app, URL, ["PI", "MISC"])
    assert dynamic_webhooks.registered(app, URL) == [number]
    assert dynamic_webhooks.registered(app, "https://other.example") == []
    left = dynamic_webhooks.extend(app, [number]) - datetime.now(UTC)
    assert timedelta(days=29) < left < timedelta(days=31)
    dynamic_webhooks.remove(app, [number])
    assert dynamic_webhooks.registered(app, URL) == []


def test_jira_says_why_it_registers_none(app: JiraClient) -> None:
    number = dynamic_webhooks.register(app, URL, ["PI"])
    with pytest.raises(NotRegisteredError, match="Only a single URL"):
        dynamic_webhooks.register(app, "https://other.example", ["PI"])
    dynamic_webhooks.remove(app, [number])
