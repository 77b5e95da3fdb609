from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jobticket.http.retry_after import retry_after

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": " 0 "}, 0),
        ({"Retry-After": "Sun, 22 Nov 2026 09:31:00 GMT"}, 60),
        ({"Retry-After": "Sun, 22 Nov 2026 09:00:00 GMT"}, 0),
        ({"X-RateLimit-Reset": "2026-11-22T09:32:00Z"}, 120),
        ({"Retry-After": "5", "X-RateLimit-Reset": "2026-11-22T09:32:00Z"}, 5),
        ({"Retry-After": "999999999999999999999"}, 86_400),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds
