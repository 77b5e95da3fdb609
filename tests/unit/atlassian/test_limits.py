"""A Data Center's buckets, and refusals whose headers are odd or missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from local.atlassian.testing import running
from tests.unit.atlassian.conftest import Caller

ISSUE = "/rest/api/2/issue/PI-42"
MYSELF = "/rest/api/2/myself"
BUCKET = {"limit": 2, "fill_rate": 1, "interval_seconds": 600}


@pytest.fixture
def demo() -> Iterator[Caller]:
    with running(data_center=True) as base_url:
        yield Caller(base_url, ("demo", "local-password"))


def _told(answer: Any) -> dict[str, str]:
    return {
        name: value for name, value in answer.headers.items() if "RateLimit" in name or name == "Retry-After"
    }


def test_each_account_has_its_bucket(demo: Caller) -> None:
    robin = Caller(demo.base_url, bearer="local-robin-personal-token")
    demo.control(rate_limits={"account_buckets": {"demo": BUCKET}})
    answers = [demo.get(MYSELF) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert _told(answers[0]) == {
        "X-RateLimit-Limit": "2",
        "X-RateLimit-Remaining": "1",
        "X-RateLimit-FillRate": "1",
        "X-RateLimit-Interval-Seconds": "600",
        "Retry-After": "0",
    }
    assert _told(answers[2])["X-RateLimit-Remaining"] == "0"
    assert 0 < int(answers[2].headers["Retry-After"]) <= 600
    # Whatever is asked, and however the account logs in.
    assert Caller(demo.base_url, bearer="local-personal-token").get(ISSUE).status_code == 429
    assert _told(robin.get(MYSELF)) == {}
    demo.control(clock_offset_seconds=601)
    assert [demo.get(MYSELF).status_code for _ in range(2)] == [200, 429]


def test_everybody_may_have_one(demo: Caller) -> None:
    robin = Caller(demo.base_url, bearer="local-robin-personal-token")
    demo.control(rate_limits={"account_buckets": {"*": BUCKET, "robin": {"limit": 9, "fill_rate": 1}}})
    assert [demo.get(MYSELF).status_code for _ in range(3)] == [200, 200, 429]
    assert robin.get(MYSELF).headers["X-RateLimit-Remaining"] == "8"


@pytest.mark.parametrize(
    ("bucket", "switch", "told"),
    [
        ({"limit": 0, "fill_rate": 0}, {}, "9223372036854775807"),
        (BUCKET, {"retry_after": False}, None),
        (BUCKET, {"retry_after": "soon"}, "soon"),
    ],
)
def test_a_refusal_may_tell_no_useful_time(demo: Caller, bucket: Any, switch: Any, told: str | None) -> None:
    demo.control(rate_limits={"account_buckets": {"*": bucket}, **switch})
    refused = [demo.get(MYSELF) for _ in range(3)][-1]
    assert (refused.status_code, refused.headers.get("Retry-After")) == (429, told)
    assert "RateLimit-Reason" not in refused.headers
    demo("DELETE", "/_control/data")
    demo.control(data_center=True)
    assert demo.get(MYSELF).status_code == 200


@pytest.mark.parametrize(
    ("reason", "told"), [(True, "jira-burst-based"), (False, None), ("jira-new", "jira-new")]
)
def test_the_reason_of_a_refusal_may_be_missing_or_new(
    jira: Caller, reason: bool | str, told: str | None
) -> None:
    jira.control(rate_limits={"burst_per_second": 1, "reason": reason, "retry_after": "7"})
    refused = next(each for each in [jira.get(MYSELF) for _ in range(5)] if each.status_code == 429)
    assert (refused.headers.get("RateLimit-Reason"), refused.headers["Retry-After"]) == (told, "7")


def test_a_fault_may_add_headers_to_the_true_answer(jira: Caller) -> None:
    headers = {"X-Seraph-LoginReason": ["OUT", "AUTHENTICATION_DENIED"], "Retry-After": "1"}
    jira.control(faults=[{"path": "/myself", "headers": headers}])
    answer = jira.get(MYSELF)
    assert (answer.status_code, answer.json()["displayName"]) == (200, "Dana Demo")
    assert answer.headers["X-Seraph-LoginReason"] == "OUT, AUTHENTICATION_DENIED"
    assert answer.headers["Retry-After"] == "1"
