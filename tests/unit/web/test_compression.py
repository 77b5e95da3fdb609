"""Answers above 1 KB are compressed for callers that accept it."""

from __future__ import annotations

import pytest

from tests.support.gateway import Gateway

LONG = {"name": "J" * 255, "goalQuantity": 1, "jiraLabels": ["x" * 200] * 10}


def test_a_long_answer_is_compressed_when_the_client_accepts_it(jobs_api: Gateway) -> None:
    plain = jobs_api.post("/api/jobs", LONG)
    assert "content-encoding" not in plain.headers
    compressed = jobs_api.get(
        f"/api/jobs/{plain.json()['id']}", headers={"Accept-Encoding": "br, GZIP;q=0.5"}
    )
    assert compressed.headers["content-encoding"] == "gzip"
    assert compressed.headers["vary"] == "Accept-Encoding"
    assert compressed.headers["content-type"] == "application/json"
    assert compressed.json()["jiraLabels"] == LONG["jiraLabels"]


@pytest.mark.parametrize("accepted", ["gzip;q=0", "br", "identity", "*;q=0"])
def test_a_long_answer_is_plain_when_the_client_does_not(jobs_api: Gateway, accepted: str) -> None:
    answer = jobs_api.post("/api/jobs", LONG, headers={"Accept-Encoding": accepted})
    assert "content-encoding" not in answer.headers
    assert answer.json()["name"] == LONG["name"]


def test_a_short_answer_is_never_compressed(jobs_api: Gateway) -> None:
    answer = jobs_api.get("/api/settings", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers
