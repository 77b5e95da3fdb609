"""Pauses: for what they hold, for how long, and who forgets them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobticket import clock as real_clock
from jobticket.jira.client import Site
from jobticket.jira.errors import JiraRateLimitedError
from jobticket.jira.rate_limits import LONGEST_PAUSE_SECONDS, RateLimits, Scope
from tests.unit.jira.conftest import Clock, MakeClient
from tests.unit.jira.wire import WireJira, answer

ME = "/rest/api/2/myself"
ISSUE = "/rest/api/2/issue/{issue}"
FOR_EVER = {"Retry-After": "9223372036854775807"}


def limited(
    make_client: MakeClient, limits: RateLimits, account: str | None = "anna"
) -> JiraRateLimitedError:
    with pytest.raises(JiraRateLimitedError) as caught:
        make_client(rate_limits=limits, account=account).get(ME)
    return caught.value


@pytest.mark.parametrize(
    ("reason", "account", "kind"),
    [
        ("jira-quota-global-based", "anna", "app"),
        ("jira-quota-tenant-based", "anna", "site"),
        ("jira-burst-based", "anna", "endpoint"),
        ("jira-per-issue-on-write", "anna", "issue"),
        ("something-new", "anna", "account"),
        (None, "anna", "account"),
        ("something-new", None, "site"),
        (None, None, "site"),
    ],
)
def test_what_a_reason_limits(reason: str | None, account: str | None, kind: str) -> None:
    site = Site("https://a.example", "https://a.example", "cloud", "oauth", account)
    scope = Scope(site, f"PUT {ISSUE}", "A-1")
    limit = scope.limited(reason)
    assert limit.kind == kind
    assert limit.name in scope.names()


@pytest.mark.parametrize("seconds", ["9223372036854775807", "86401", "date", "99999999999999999999999"])
def test_an_absurd_pause_of_one_account_holds_no_other(
    make_client: MakeClient, jira: WireJira, clock: Clock, seconds: str
) -> None:
    limits = RateLimits(clock.monotonic)
    headers = {"Retry-After": seconds} if seconds.isdigit() else {"X-RateLimit-Reset": "9999-12-31T00:00:00Z"}
    jira.acts = [answer(429, headers=headers), answer(body={})]
    assert limited(make_client, limits).seconds == 86_400
    assert make_client(rate_limits=limits, account="bert").get(ME) == {}


@pytest.mark.parametrize("reason", ["jira-quota-global-based", "jira-quota-tenant-based", "new", None])
def test_after_an_hour_one_call_tries(
    make_client: MakeClient, jira: WireJira, clock: Clock, reason: str | None
) -> None:
    limits = RateLimits(clock.monotonic)
    named = {} if reason is None else {"RateLimit-Reason": reason}
    jira.acts = [answer(429, headers=FOR_EVER | named)] * 2 + [answer(body={})] * 2
    limited(make_client, limits)
    clock.now += LONGEST_PAUSE_SECONDS - 1
    assert limited(make_client, limits).seconds > 80_000
    assert len(jira.requests) == 1
    clock.now += 2
    limited(make_client, limits)
    limited(make_client, limits)
    assert len(jira.requests) == 2
    clock.now += LONGEST_PAUSE_SECONDS + 1
    for _ in range(2):
        make_client(rate_limits=limits, account="anna").get(ME)
    assert len(jira.requests) == 4


def test_while_one_call_tries_the_others_wait_for_its_answer(
    make_client: MakeClient, jira: WireJira, clock: Clock
) -> None:
    limits = RateLimits(clock.monotonic)
    scope = make_client(account="anna").site.scope("GET", ME, {})
    limits.note(scope, None, 86_400)
    clock.now += LONGEST_PAUSE_SECONDS + 1
    assert limits.pause(scope, entering=True).seconds == 0
    assert limits.pause(scope, entering=True).seconds > 80_000
    limits.passed(scope)
    assert limits.pause(scope).seconds == 0


@pytest.mark.parametrize("account", ["anna", None])
def test_a_new_authorization_forgets_it(
    make_client: MakeClient, jira: WireJira, clock: Clock, account: str | None
) -> None:
    limits = RateLimits(clock.monotonic)
    jira.acts = [answer(429, headers=FOR_EVER), answer(body={})]
    limited(make_client, limits, account)
    limited(make_client, limits, account)
    later = real_clock.now() + timedelta(seconds=1)
    assert make_client(rate_limits=limits, account=account, authorized_at=later).get(ME) == {}


BUCKET = {"X-RateLimit-Interval-Seconds": "2", "X-RateLimit-FillRate": "4", "X-RateLimit-Limit": "8"}


def test_a_bucket_is_waited_for_by_its_interval_and_then_drawn_from_as_it_fills(
    make_client: MakeClient, jira: WireJira, clock: Clock
) -> None:
    jira.acts = [answer(429, headers=BUCKET)] + [answer(body={})] * 4
    client = make_client(account="anna")
    for _ in range(4):
        client.get(ME)
    assert 2 <= clock.slept[0] < 3
    assert sum(clock.slept) == pytest.approx(2 + 3 * 0.5, abs=0.4)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-RateLimit-Interval-Seconds": "9223372036854775807", "X-RateLimit-FillRate": "1"},
        {"X-RateLimit-Interval-Seconds": "60", "X-RateLimit-FillRate": "0", **FOR_EVER},
        {"X-RateLimit-Interval-Seconds": "-1", "X-RateLimit-FillRate": "many", "Retry-After": "600"},
    ],
)
def test_a_bucket_of_odd_numbers_ends_in_an_answer(
    make_client: MakeClient, jira: WireJira, clock: Clock, headers: dict[str, str]
) -> None:
    jira.acts = [answer(429, headers=headers)] * 9
    error = limited(make_client, RateLimits(clock.monotonic))
    assert 600 <= error.seconds <= 86_400


def test_a_turn_that_comes_too_late_is_told_and_not_taken(
    make_client: MakeClient, jira: WireJira, clock: Clock
) -> None:
    limits = RateLimits(clock.monotonic)
    slow = {"X-RateLimit-Interval-Seconds": "10", "X-RateLimit-FillRate": "1", "X-RateLimit-Limit": "50"}
    jira.acts = [answer(429, headers=slow)] + [answer(body={})] * 9
    make_client(rate_limits=limits, account="anna").get(ME)
    told = []
    for _ in range(3):
        with pytest.raises(JiraRateLimitedError) as caught:
            make_client(seconds=5, rate_limits=limits, account="anna").get(ME)
        told.append(caught.value.seconds)
    assert len(set(told)) == 1
    assert 5 < told[0] <= 10
    assert len(jira.requests) == 2
