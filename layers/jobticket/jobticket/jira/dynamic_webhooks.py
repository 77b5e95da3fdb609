"""Webhooks that an OAuth app registers for itself. Jira forgets them after 30 days unless extended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jobticket import clock, foreign
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraMalformedAnswerError
from jobticket.jira.search import quoted

PATH = "/rest/api/3/webhook"
#: The scope that the consent must grant.
SCOPE = "manage:jira-webhook"
EVENTS = ["jira:issue_updated", "jira:issue_deleted"]


class NotRegisteredError(Exception):
    """Jira does not register a webhook, and says why."""


def register(client: JiraClient, url: str, projects: Sequence[str]) -> int:
    """Register a webhook for the issues of projects, and return its id; or raise ``NotRegisteredError``."""
    jql = f"project in ({', '.join(map(quoted, projects))})"
    wanted = {"url": url, "webhooks": [{"events": EVENTS, "jqlFilter": jql}]}
    match foreign.member(client.post(PATH, json=wanted), "webhookRegistrationResult"):
        case [{"createdWebhookId": int(number)}]:
            return number
        case [{"errors": list(errors)}]:
            raise NotRegisteredError(" ".join(foreign.texts(errors)))
    raise JiraMalformedAnswerError("Jira's answer names no webhook", outcome_unknown=True)


def registered(client: JiraClient, url: str) -> list[int]:
    """Return the ids of the app's webhooks for a URL."""
    answer = client.get(PATH, params={"maxResults": 100})
    rows = foreign.entries(foreign.member(answer, "values"))
    return [number for row in rows if (number := _id_of(row, url)) is not None]


def _id_of(row: Any, url: str) -> int | None:
    return foreign.integer(foreign.member(row, "id")) if foreign.member(row, "url") in (url, None) else None


def extend(client: JiraClient, ids: Sequence[int]) -> datetime:
    """Let webhooks live for another 30 days; return until when."""
    answer = client.put(f"{PATH}/refresh", json={"webhookIds": list(ids)}, repeatable=True)
    until = foreign.integer(foreign.member(answer, "expirationDate"))
    if until is None:
        raise JiraMalformedAnswerError("Jira's answer has no expiry")
    return clock.from_milliseconds(until)


def remove(client: JiraClient, ids: Sequence[int]) -> None:
    """Remove webhooks; missing ones do not matter."""
    client.delete(PATH, json={"webhookIds": list(ids)})
