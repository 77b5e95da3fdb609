"""Small pieces of Jira's JSON that many answers share: people, dates, statuses, pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, TypeVar

from local.atlassian import catalogue
from local.atlassian.model import Account, Project
from local.atlassian.routing import Call

T = TypeVar("T")

# The demonstration account lives two hours east of Greenwich, and Jira writes dates in its user's time zone.
TIME_ZONE_NAME = "Africa/Johannesburg"
_TIME_ZONE = timezone(timedelta(hours=2))


@lru_cache(maxsize=50_000)
def jira_date(at_ms: int) -> str:
    at = datetime.fromtimestamp(at_ms // 1000, _TIME_ZONE)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}{at:%z}"


@lru_cache(maxsize=10_000)
def agile_date(at_ms: int) -> str:
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


@lru_cache(maxsize=1000)
def _avatars(site_url: str, path: str) -> dict[str, str]:
    return {f"{size}x{size}": f"{site_url}/images/avatars/{path}-{size}.svg" for size in (48, 24, 16, 32)}


@lru_cache(maxsize=1000)
def _person(account: Account, base: str, site_url: str, version: str, data_center: bool) -> dict[str, Any]:
    shared = {
        "emailAddress": account.email,
        "avatarUrls": _avatars(site_url, account.key),
        "displayName": account.display_name,
        "active": True,
        "timeZone": TIME_ZONE_NAME,
    }
    if data_center:
        link = f"{base}/rest/api/2/user?username={account.name}"
        return {"self": link, "name": account.name, "key": account.key, **shared}
    link = f"{base}/rest/api/{version}/user?accountId={account.account_id}"
    return {"self": link, "accountId": account.account_id, **shared, "accountType": "atlassian"}


def person(call: Call, account_id: str | None) -> dict[str, Any] | None:
    """Return a user as a field of an issue shows one."""
    account = call.world.accounts.get(account_id) if account_id else None
    if account is None:
        return None
    return _person(account, call.base, call.site_url, call.version, call.data_center)


def author(call: Call, account_id: str) -> dict[str, Any]:
    found = person(call, account_id)
    assert found is not None
    return found


def link(call: Call, path: str) -> str:
    return f"{call.base}/rest/api/{call.version}/{path}"


@lru_cache(maxsize=500)
def _issue_type(each: catalogue.IssueType, base: str, site_url: str, version: str) -> dict[str, Any]:
    return {
        "self": f"{base}/rest/api/{version}/issuetype/{each.id}",
        "id": each.id,
        "description": each.description,
        "iconUrl": f"{site_url}/images/icons/issuetypes/{each.icon}.svg",
        "name": each.name,
        "subtask": each.subtask,
        "avatarId": 10300 + int(each.id) % 10000,
        "hierarchyLevel": each.hierarchy_level,
    }


def issue_type(call: Call, type_id: str) -> dict[str, Any]:
    each = catalogue.ISSUE_TYPES[type_id]
    shown = _issue_type(each, call.base, call.site_url, call.version)
    return {k: v for k, v in shown.items() if k != "hierarchyLevel"} if call.data_center else shown


@lru_cache(maxsize=500)
def _priority(each: catalogue.Priority, base: str, site_url: str, version: str) -> dict[str, Any]:
    return {
        "self": f"{base}/rest/api/{version}/priority/{each.id}",
        "iconUrl": f"{site_url}/images/icons/priorities/{each.icon}.svg",
        "name": each.name,
        "id": each.id,
    }


def priority(call: Call, priority_id: str | None) -> dict[str, Any] | None:
    if priority_id is None:
        return None
    return _priority(catalogue.PRIORITIES[priority_id], call.base, call.site_url, call.version)


@lru_cache(maxsize=500)
def _category(each: catalogue.StatusCategory, base: str, version: str) -> dict[str, Any]:
    return {
        "self": f"{base}/rest/api/{version}/statuscategory/{each.id}",
        "id": each.id,
        "key": each.key,
        "colorName": each.colour,
        "name": each.name,
    }


@lru_cache(maxsize=500)
def _status(each: catalogue.Status, base: str, site_url: str, version: str) -> dict[str, Any]:
    return {
        "self": f"{base}/rest/api/{version}/status/{each.id}",
        "description": "",
        "iconUrl": f"{site_url}/images/icons/statuses/generic.svg",
        "name": each.name,
        "id": each.id,
        "statusCategory": _category(each.category, base, version),
    }


def status(call: Call, status_id: str) -> dict[str, Any]:
    return _status(catalogue.STATUSES[status_id], call.base, call.site_url, call.version)


def category(call: Call, status_id: str) -> dict[str, Any]:
    return _category(catalogue.STATUSES[status_id].category, call.base, call.version)


def resolution(call: Call, resolution_id: str | None) -> dict[str, Any] | None:
    if resolution_id is None:
        return None
    each = catalogue.RESOLUTIONS[resolution_id]
    here = link(call, f"resolution/{each.id}")
    return {"self": here, "id": each.id, "description": each.description, "name": each.name}


def project(call: Call, each: Project) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "self": link(call, f"project/{each.id}"),
        "id": str(each.id),
        "key": each.key,
        "name": each.name,
        "projectTypeKey": "software",
        "avatarUrls": _avatars(call.site_url, f"project-{each.key}"),
    }
    if not call.data_center:
        shown["simplified"] = False
    return shown


def page_of(
    call: Call,
    found: Sequence[T],
    show: Callable[[T], Any],
    *,
    default: int = 50,
    cap: int = 50,
    name: str = "values",
    last: bool = True,
) -> dict[str, Any]:
    """Return the page that was asked for."""
    start, size = call.page(default, cap)
    page: dict[str, Any] = {"maxResults": size, "startAt": start, "total": len(found)}
    if last:
        page["isLast"] = start + size >= len(found)
    page[name] = [show(each) for each in found[start : start + size]]
    return page
