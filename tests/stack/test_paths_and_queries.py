"""Encoded paths and repeated query parameters, through HTTP and the gateway of the deployed stack."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
import requests

from tests.support.deployed import Stack

CONNECTIONS = "/api/backend/connections"
VALIDITY = "/api/backend/connection-info/check-connection-validity?provider=jira"


def call(stack: Stack, method: str, url: str, body: Any = None) -> requests.Response:
    return stack.request(method, url, scope="tokens", json=body)


def exists(stack: Stack, external_id: str) -> bool:
    answer = call(stack, "GET", f"{VALIDITY}&external_id=another&external_id={quote(external_id, safe='')}")
    assert answer.status_code == 200, answer.text
    return bool(answer.json()["exists"])


@pytest.mark.parametrize("external_id", ["anna@example.com", "a b+c", "50%25", "ü✓💡", "a?b#c&d=e"])
def test_a_connection_is_one_by_its_path_and_by_its_query(stack: Stack, external_id: str) -> None:
    path = f"{CONNECTIONS}/{quote(external_id, safe='')}"
    by_token = {
        "provider": "jira",
        "host": stack.atlassian_url,
        "credentials": "demo@example.com:local-api-token",
    }
    stored = call(stack, "PUT", f"{path}/api-token", by_token)
    assert (stored.status_code, stored.json()["external_id"]) == (200, external_id), stored.text
    assert exists(stack, external_id)
    assert call(stack, "POST", f"{path}/test").json()["connected"]
    assert call(stack, "DELETE", path).status_code == 204
    assert not exists(stack, external_id)


@pytest.mark.parametrize("segment", ["%ff", "%c3", "%ed%a0%80"])
def test_a_path_that_is_no_text_is_refused(stack: Stack, segment: str) -> None:
    answer = call(stack, "DELETE", f"{CONNECTIONS}/{segment}")
    assert (answer.status_code, answer.json()) == (400, {"error": "Invalid percent-encoding in the path"})
