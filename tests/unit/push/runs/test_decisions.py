"""What becomes of a push that did not succeed."""

from __future__ import annotations

import pytest

from jobticket.connections.errors import ConnectionNotFoundError, ConnectionUnavailableError
from jobticket.connections.model import ConnectionId
from jobticket.jira.client import Site
from jobticket.jira.errors import (
    JiraAddressRefusedError,
    JiraEndlessAnswerError,
    JiraForbiddenError,
    JiraMalformedAnswerError,
    JiraNotFoundError,
    JiraRateLimitedError,
    JiraStatusError,
    JiraTimeoutError,
    JiraUnreachableError,
)
from jobticket.jira.keys import MalformedKeyError
from jobticket.jira.rate_limits import Scope
from jobticket.push.appending import UnsettledWriteError
from jobticket.push.connection import NoConnectionError
from jobticket.push.pushing import LEASE
from jobticket.push.runs.decisions import MOST_TRIES, Stop, backoff, judge
from jobticket.push.runs.sites import TROUBLES, quarantine
from jobticket.push.runs.worker import hold_back_seconds
from jobticket.store.lease import HeldError

NAME = ConnectionId("jira", "plant")
TROUBLE = [
    JiraStatusError(500, ""),
    JiraStatusError(503, ""),
    JiraStatusError(408, ""),
    JiraTimeoutError(""),
    JiraUnreachableError(""),
    JiraMalformedAnswerError(""),
]
HOPELESS = [
    JiraStatusError(400, ""),
    JiraForbiddenError(403, ""),
    JiraNotFoundError(404, ""),
    JiraAddressRefusedError(""),
    JiraEndlessAnswerError(""),
    MalformedKeyError(""),
    NoConnectionError(""),
    ConnectionNotFoundError(NAME),
]


def limited(reason: str | None, seconds: float | None) -> JiraRateLimitedError:
    scope = Scope(Site("https://one", "https://one", "cloud", "oauth"), "GET /issue", "PI-7")
    return JiraRateLimitedError("", limit=reason, retry_after=seconds, held=scope.limited(reason))


@pytest.mark.parametrize("failure", TROUBLE, ids=repr)
def test_trouble_is_tried_again_and_counts(failure: Exception) -> None:
    verdict = judge(failure, 1, 0.5)
    assert (verdict.becomes, verdict.costs_try, verdict.trouble) == ("waiting", True, True)
    assert judge(failure, MOST_TRIES, 0.5).becomes == "failed"


@pytest.mark.parametrize("failure", HOPELESS, ids=repr)
def test_what_another_try_does_not_help_fails_at_once(failure: Exception) -> None:
    verdict = judge(failure, 1, 0.5)
    assert (verdict.becomes, verdict.trouble) == ("failed", False)


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("jira-quota-global-based", Stop("app oauth", "jira-quota-global-based")),
        ("jira-quota-tenant-based", Stop("site https://one", "jira-quota-tenant-based")),
        ("something-new", Stop("site https://one", "something-new")),
        (None, Stop("site https://one", "rate limit")),
        ("jira-burst-based", None),
        ("jira-per-issue-on-write", None),
    ],
)
@pytest.mark.parametrize("tries", [1, MOST_TRIES, 10 * MOST_TRIES])
def test_a_limit_costs_no_try_and_stops_only_what_it_names(
    reason: str | None, stop: Stop | None, tries: int
) -> None:
    verdict = judge(limited(reason, 1800), tries, 0.5)
    assert (verdict.becomes, verdict.costs_try, verdict.trouble) == ("waiting", False, False)
    assert verdict.seconds >= 1800
    assert verdict.stop == stop


@pytest.mark.parametrize("reason", ["jira-quota-tenant-based", "jira-burst-based", None])
def test_no_limit_is_believed_for_longer_than_an_hour(reason: str | None) -> None:
    assert judge(limited(reason, 9223372036854775807), 1, 0.0).seconds == 3600


def test_a_limit_without_an_end_is_asked_again() -> None:
    assert judge(limited(None, None), 1, 0.5).seconds == 60


def test_another_push_to_the_ticket_costs_no_try() -> None:
    verdict = judge(HeldError(9), MOST_TRIES, 0.0)
    assert (verdict.becomes, verdict.costs_try, verdict.stop) == ("waiting", False, None)


def test_no_token_for_now_says_nothing_against_the_site() -> None:
    verdict = judge(ConnectionUnavailableError(NAME), 1, 0.5)
    assert (verdict.becomes, verdict.costs_try, verdict.trouble) == ("waiting", True, False)


def test_an_unsettled_write_is_looked_for_after_it_cannot_arrive_any_more() -> None:
    verdict = judge(UnsettledWriteError(JiraTimeoutError("")), 1, 0.0)
    assert verdict.seconds > LEASE.total_seconds()


def test_pauses_double_up_to_a_limit() -> None:
    assert [backoff(tries, 0.5) for tries in (1, 2, 3, 4, 5, 20)] == [15, 30, 60, 120, 120, 120]
    assert backoff(1, 0.0) < backoff(1, 1.0)
    assert [hold_back_seconds(times, 1.0) for times in (0, 1, 2)] == [3, 6, 12]


def test_a_site_is_left_alone_for_longer_each_time() -> None:
    assert [quarantine(n * TROUBLES) for n in (1, 2, 3, 20)] == [30, 60, 120, 600]
    assert quarantine(TROUBLES - 1) == 0
