"""Rate limits. Cloud: points an hour, bursts, writes to one issue. Data Center: a bucket for each account."""

from __future__ import annotations

import math
from collections import deque
from datetime import UTC, datetime
from typing import Any

from local.atlassian.controls import Bucket, RateLimits
from local.atlassian.routing import Headers, JiraError

_HOUR = 3600.0
_ISSUE_WINDOW = 2.0
_FOR_EVER = "9223372036854775807"
_TOO_MANY_PAGE = "<html><head><title>HTTP Status 429</title></head><body>Rate limit exceeded.</body></html>"


class Limiter:
    """Counters of what was used; the limits themselves come with each question, as they may change."""

    def __init__(self) -> None:
        self._used: dict[str, tuple[int, int]] = {}
        self._bursts: dict[tuple[str, str], deque[float]] = {}
        self._issue_writes: dict[tuple[str, int], deque[float]] = {}
        # How many tokens an account had, and when the last of them came.
        self._tokens: dict[str, tuple[int, float]] = {}

    def clear(self) -> None:
        self._used.clear()
        self._bursts.clear()
        self._issue_writes.clear()
        self._tokens.clear()

    def take_token(self, limits: RateLimits, account: str, now: float) -> Headers:
        """Take one of an account's tokens at a Data Center, or raise 429; return the headers about them."""
        bucket = limits.account_buckets.get(account) or limits.account_buckets.get("*")
        if bucket is None:
            return {}
        left, since = self._tokens.get(account, (bucket.limit, now))
        intervals = max(0, int((now - since) // bucket.interval_seconds))
        left = min(bucket.limit, left + intervals * bucket.fill_rate)
        since += intervals * bucket.interval_seconds
        refused = left <= 0
        self._tokens[account] = (left if refused else left - 1, since)
        headers = _bucket_headers(bucket, max(0, left - 1))
        if not refused:
            return headers | {"Retry-After": "0"}
        wait = since + bucket.interval_seconds - now
        told = str(math.ceil(wait)) if bucket.limit and bucket.fill_rate else _FOR_EVER
        headers |= _unless_odd("Retry-After", told, limits.retry_after)
        headers |= {"Content-Type": "text/html;charset=UTF-8"}
        raise JiraError(429, body=_TOO_MANY_PAGE, headers=headers)

    def check_quota(self, limits: RateLimits, site: str, now: float) -> Headers:
        """Raise 429 when the hour's points are used up; return the headers that say what is left."""
        headers: Headers = {}
        quotas = (
            ("global", "jira-quota-global-based", limits.points_per_hour),
            (site, "jira-quota-tenant-based", limits.tenant_points_per_hour),
        )
        for scope, reason, quota in quotas:
            if quota is None:
                continue
            left = max(0, quota - self._points(scope, now))
            wait = _HOUR - now % _HOUR
            headers = _quota_headers(quota, left, now + wait)
            if left <= 0:
                raise _too_many(limits, reason, wait, headers)
        return headers

    def spend(self, site: str, points: int, now: float) -> None:
        for scope in ("global", site):
            self._used[scope] = (int(now // _HOUR), self._points(scope, now) + points)

    def _points(self, scope: str, now: float) -> int:
        hour, used = self._used.get(scope, (0, 0))
        return used if hour == int(now // _HOUR) else 0

    def check_burst(self, limits: RateLimits, site: str, endpoint: str, now: float) -> None:
        if limits.burst_per_second is None:
            return
        calls = self._bursts.setdefault((site, endpoint), deque())
        wait = _window_wait(calls, limits.burst_per_second, 1.0, now)
        if wait > 0:
            headers = _quota_headers(limits.burst_per_second, 0, now + wait)
            raise _too_many(limits, "jira-burst-based", wait, headers)

    def check_issue_write(self, limits: RateLimits, site: str, issue: int, now: float) -> None:
        if limits.issue_writes_per_2s is None:
            return
        if len(self._issue_writes) > 10_000:
            self._issue_writes.clear()
        calls = self._issue_writes.setdefault((site, issue), deque())
        wait = _window_wait(calls, limits.issue_writes_per_2s, _ISSUE_WINDOW, now)
        if wait > 0:
            headers = _quota_headers(limits.issue_writes_per_2s, 0, now + wait)
            raise _too_many(limits, "jira-per-issue-on-write", wait, headers)


def _window_wait(calls: deque[float], limit: int, window: float, now: float) -> float:
    """Count a call in a sliding window, or return how long to wait for room in it."""
    while calls and calls[0] <= now - window:
        calls.popleft()
    if len(calls) >= limit:
        return calls[0] + window - now
    calls.append(now)
    return 0


def _bucket_headers(bucket: Bucket, left: int) -> Headers:
    return {
        "X-RateLimit-Limit": str(bucket.limit),
        "X-RateLimit-Remaining": str(left),
        "X-RateLimit-FillRate": str(bucket.fill_rate),
        "X-RateLimit-Interval-Seconds": f"{bucket.interval_seconds:g}",
    }


def _quota_headers(limit: int, left: int, reset: float) -> Headers:
    at = datetime.fromtimestamp(math.ceil(reset), UTC).strftime("%Y-%m-%dT%H:%MZ")
    headers: Headers = {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(left),
        "X-RateLimit-Reset": at,
    }
    if left * 5 < limit:
        headers["X-RateLimit-NearLimit"] = "true"
    return headers


def _unless_odd(name: str, told: str, form: bool | str) -> Headers:
    """Return a header as it should be, none, or what a switch puts in its place."""
    if isinstance(form, str):
        return {name: form}
    return {name: told} if form else {}


def _too_many(limits: RateLimits, reason: str, wait: float, headers: Headers) -> JiraError:
    headers = headers | _unless_odd("RateLimit-Reason", reason, limits.reason)
    headers |= _unless_odd("Retry-After", str(max(1, math.ceil(wait))), limits.retry_after)
    body: dict[str, Any] = {"code": 429, "message": "Rate limit exceeded."}
    return JiraError(429, body=body, headers=headers)
