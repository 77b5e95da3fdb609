"""Webhooks over REST, which only apps may register, and what an event looks like."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import urlsplit

from local.atlassian import jql, wire
from local.atlassian.issue_fields import show_comment, show_history, show_issue
from local.atlassian.jql import Clause, Negated
from local.atlassian.jql_match import Matcher
from local.atlassian.model import Webhook
from local.atlassian.routing import Answer, Call, Deployment, JiraError, Route, list_of, one_of
from local.atlassian.webhooks import Delivery
from local.atlassian.world import Event

LIFE_MS: Final = 30 * 86_400_000
#: How many an app may have on a site, for each user.
MOST_FOR_AN_APP: Final = 5
EVENTS: Final = (
    "jira:issue_created",
    "jira:issue_updated",
    "jira:issue_deleted",
    "comment_created",
    "comment_updated",
    "comment_deleted",
    "issue_property_set",
    "issue_property_deleted",
)
_FIELDS = frozenset({"issuekey", "key", "project", "issuetype", "status", "assignee", "reporter"})
_OPERATORS = frozenset({"=", "!=", "in", "not in"})


def _only_apps(call: Call) -> list[Webhook]:
    """Return the calling app's webhooks that have not expired."""
    if not call.app:
        raise JiraError(403, "Only apps can access this resource.")
    mine = [each for each in call.site.webhooks.values() if each.app and each.account == call.author]
    return [each for each in mine if each.expires is None or each.expires > call.world.now_ms()]


def register(call: Call) -> Answer:
    known = _only_apps(call)
    body = call.json()
    url, wanted = one_of(body, "url", str, ""), list_of(body, "webhooks", dict)
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise JiraError(400, "The url is missing or invalid.")
    if not wanted:
        raise JiraError(400, "At least one webhook must be given.")
    results = [_register(call, url, each, known) for each in wanted]
    call.world.changed()
    return Answer({"webhookRegistrationResult": results})


def _register(call: Call, url: str, wanted: dict[str, Any], known: list[Webhook]) -> dict[str, Any]:
    """Register one webhook, or tell why not: the answer as a whole is a 200 all the same."""
    errors = _errors(call, wanted)
    if any(other.url != url for other in known):
        errors.append("Only a single URL per app is allowed to be registered.")
    elif len(known) >= MOST_FOR_AN_APP:
        errors.append(f"The limit of {MOST_FOR_AN_APP} webhooks for this app and user is reached.")
    if errors:
        return {"errors": errors}
    webhook = Webhook(
        id=call.site.next_id("webhook"),
        url=url,
        events=list_of(wanted, "events", str),
        jql=one_of(wanted, "jqlFilter", str, ""),
        fields=list_of(wanted, "fieldIdsFilter", str),
        app=True,
        account=call.author,
        expires=call.world.now_ms() + LIFE_MS,
    )
    call.site.webhooks[webhook.id] = webhook
    known.append(webhook)
    return {"createdWebhookId": webhook.id}


def _errors(call: Call, wanted: dict[str, Any]) -> list[str]:
    events = list_of(wanted, "events", str)
    unknown = [event for event in events if event not in EVENTS]
    if not events or unknown:
        return [f"The event {', '.join(unknown)} is unsupported" if unknown else "The events are missing"]
    try:
        query = jql.parse(one_of(wanted, "jqlFilter", str, ""))
        errors = ["The JQL filter is missing"] if query.where is None else _unsupported(query.where)
        if not errors and query.where is not None:
            Matcher(call).predicate(query.where)
    except JiraError as error:
        return list(error.body["errorMessages"])
    return errors


def _unsupported(node: jql.Node) -> list[str]:
    if isinstance(node, Clause):
        if node.field.lower() not in _FIELDS:
            return [f"The clause {node.field} is unsupported"]
        return [] if node.operator in _OPERATORS else [f"The operator {node.operator} is unsupported"]
    if isinstance(node, Negated):
        return ["The operator NOT is unsupported"]
    return [problem for part in node.parts for problem in _unsupported(part)]


def show_registered(call: Call) -> Answer:
    return Answer(wire.page_of(call, _only_apps(call), _show, default=100, cap=100))


def _show(webhook: Webhook) -> dict[str, Any]:
    shown = {
        "id": webhook.id,
        "url": webhook.url,
        "jqlFilter": webhook.jql,
        "events": webhook.events,
        "expirationDate": webhook.expires,
    }
    return shown | ({"fieldIdsFilter": webhook.fields} if webhook.fields else {})


def _named(call: Call) -> list[Webhook]:
    """Return the app's own webhooks among those that the body names; others are ignored."""
    mine = _only_apps(call)
    ids = list_of(call.json(), "webhookIds", int)
    if not ids:
        raise JiraError(400, "The webhook IDs are missing.")
    return [each for each in mine if each.id in ids]


def remove(call: Call) -> Answer:
    for webhook in _named(call):
        del call.site.webhooks[webhook.id]
    call.world.changed()
    return Answer(status=202)


def refresh(call: Call) -> Answer:
    expires = call.world.now_ms() + LIFE_MS
    for webhook in _named(call):
        webhook.expires = expires
    call.world.changed()
    return Answer({"expirationDate": expires})


def deliveries(call: Call, event: Event) -> list[Delivery]:
    """Return what an event makes a site send: an app's webhooks together, an administrator's each alone."""
    now = call.world.now_ms()
    live = [each for each in call.site.webhooks.values() if each.expires is None or each.expires > now]
    matching = [each for each in live if _matches(call, each, event)]
    if not matching:
        return []
    body = _payload(call, event)
    groups: dict[tuple[str, str] | int, list[Webhook]] = {}
    for each in matching:
        groups.setdefault((each.account, each.url) if each.app else each.id, []).append(each)
    found = []
    for group in groups.values():
        sent = body | ({"matchedWebhookIds": [each.id for each in group]} if group[0].app else {})
        text = json.dumps(sent, ensure_ascii=False, separators=(",", ":"))
        found.append(Delivery(group[0], event.name, event.issue.key, text.encode(errors="replace")))
    return found


def _matches(call: Call, webhook: Webhook, event: Event) -> bool:
    if event.name not in webhook.events:
        return False
    if webhook.app and not call.sees_issue(event.issue):
        return False
    if webhook.fields and event.history is not None:
        changed = {change.field for change in event.history.changes}
        if not changed & set(webhook.fields):
            return False
    try:
        where = jql.parse(webhook.jql).where
        return where is None or Matcher(call).predicate(where)(event.issue)
    except JiraError:
        return False  # what it names was deleted since


def _payload(call: Call, event: Event) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "timestamp": call.world.now_ms(),
        "webhookEvent": event.name,
        "issue": show_issue(call, event.issue, ("*navigable",)),
    }
    if event.comment is not None and event.name.startswith("comment_"):
        return shown | {"comment": show_comment(call, event.issue, event.comment)}
    shown |= {"issue_event_type_name": event.kind, "user": wire.author(call, event.author)}
    if event.comment is not None:
        shown["comment"] = show_comment(call, event.issue, event.comment)
    if event.history is not None:
        history = show_history(call, event.history)
        shown["changelog"] = {"id": history["id"], "items": history["items"]}
    return shown


_SCOPES = ("read:jira-work", "manage:jira-webhook")
_PATH = "/rest/api/{version}/webhook"
_CLOUD = Deployment.CLOUD
ROUTES = [
    Route("GET", _PATH, show_registered, _SCOPES, _CLOUD),
    Route("POST", _PATH, register, _SCOPES, _CLOUD),
    Route("DELETE", _PATH, remove, _SCOPES, _CLOUD),
    Route("PUT", f"{_PATH}/refresh", refresh, _SCOPES, _CLOUD),
]
