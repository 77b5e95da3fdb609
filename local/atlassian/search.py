"""Searching: the token-paged search of Cloud, the removed one, Data Center's, and the count."""

from __future__ import annotations

import base64
import itertools
from collections import OrderedDict
from typing import Any

from local.atlassian import jql
from local.atlassian.issue_fields import show_issue
from local.atlassian.jql_match import Matcher, default_order
from local.atlassian.model import Issue
from local.atlassian.routing import READ, Answer, Call, Deployment, JiraError, Route, list_of, one_of

_PAGE_IDS = 5000
_PAGE_FIELDS = 100
_PAGE_DATA_CENTER = 1000
_RECONCILED = 50
_UNBOUNDED = "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
_REMOVED = (
    "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. A full migration "
    "guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
)


class Snapshots:
    """Results of searches that have further pages. A page token names one of them and a place in it."""

    def __init__(self, kept: int = 200) -> None:
        self._kept = kept
        self._numbers = itertools.count(1)
        self._ids: OrderedDict[str, tuple[str, list[int]]] = OrderedDict()

    def find(self, token: str, text: str) -> tuple[str, list[int], int]:
        """Return the snapshot's name, its ids and the place, or answer 400 to a token that means nothing."""
        try:
            name, _, offset = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
            known_text, ids = self._ids[name]
            place = int(offset)
        except (ValueError, KeyError) as error:
            raise JiraError(400, "The provided next page token is invalid or expired.") from error
        if known_text != text:
            raise JiraError(400, "The provided next page token does not belong to this query.")
        return name, ids, place

    def keep(self, text: str, ids: list[int]) -> str:
        name = f"s{next(self._numbers)}"
        self._ids[name] = (text, ids)
        if len(self._ids) > self._kept:
            self._ids.popitem(last=False)
        return name

    @staticmethod
    def token(name: str, place: int) -> str:
        return base64.urlsafe_b64encode(f"{name}:{place}".encode()).decode()


def indexed(call: Call, issue: Issue, reconciled: frozenset[int]) -> Issue | None:
    """Return what the search index knows of an issue: the truth, an older version, or nothing yet."""
    lag = call.controls.search_lag_ms
    if lag <= 0 or issue.id in reconciled:
        return issue
    if issue.created + lag > call.world.now_ms():
        return None
    known = call.site.stale.get(issue.id)
    return known[0] if known and known[1] > call.world.now() else issue


def _visible(call: Call, ids: list[int]) -> list[int]:
    if not call.controls.hidden_issues:
        return ids
    return [each for each in ids if (issue := call.site.issues.get(each)) and call.sees_issue(issue)]


def find(call: Call, query: jql.Query, reconciled: frozenset[int] = frozenset()) -> list[int]:
    """Return the ids of all issues that match, in order, of projects that the account sees."""
    matcher = Matcher(call)
    check = matcher.predicate(query.where) if query.where else None
    keys = matcher.sort_key(default_order(query))
    candidates = matcher.candidates(query.where)
    if call.controls.search_lag_ms > 0:
        # A stale issue may still match where the index of the store no longer lists it.
        candidates = {**dict.fromkeys(candidates), **dict.fromkeys(call.site.stale)}
    seen = {project.id for project in call.visible_projects()}
    found: list[Issue] = []
    for id_ in dict.fromkeys(candidates):
        issue = call.site.issues.get(id_)
        known = indexed(call, issue, reconciled) if issue else None
        if known and known.project_id in seen and (check is None or check(known)):
            found.append(known)
    for key, descending in reversed(keys):
        found.sort(key=key, reverse=descending)
    return [issue.id for issue in found]


def _find_again(call: Call, query: jql.Query) -> list[int]:
    """Search, or remember the last search: the pages of one list ask for the same again and again."""
    if call.controls.search_lag_ms > 0:
        return find(call, query)
    account = call.account.account_id if call.account else None
    seen = tuple(project.id for project in call.visible_projects())
    # Dates in a query may be relative to now, so nothing is remembered for longer than a moment.
    asked = (call.site.revision, query, account, seen, int(call.world.now()))
    if call.site.last_search is None or call.site.last_search[0] != asked:
        call.site.last_search = (asked, find(call, query))
    return call.site.last_search[1]


def _bounded(text: str) -> jql.Query:
    query = jql.parse(text)
    if query.where is None:
        raise JiraError(400, _UNBOUNDED)
    return query


class Searches:
    """The routes of searching, which share the snapshots."""

    def __init__(self) -> None:
        self._snapshots = Snapshots()

    def get_jql(self, call: Call) -> Answer:
        body: dict[str, Any] = {"jql": call.text("jql"), "maxResults": call.number("maxResults", 50)}
        body |= {"fields": call.texts("fields"), "expand": call.text("expand")}
        body["reconcileIssues"] = [int(each) for each in call.texts("reconcileIssues") if each.isdigit()]
        if token := call.text("nextPageToken"):
            body["nextPageToken"] = token
        return self._search(call, body)

    def post_jql(self, call: Call) -> Answer:
        return self._search(call, call.json())

    def _search(self, call: Call, body: dict[str, Any]) -> Answer:
        text, fields = one_of(body, "jql", str, ""), tuple(list_of(body, "fields", str)) or ("id",)
        name, ids, start = self._place(call, text, body)
        end = start + _page_size(one_of(body, "maxResults", int, 50), fields)
        expand = [each.strip() for each in one_of(body, "expand", str, "").split(",") if each.strip()]
        page = [issue for each in ids[start:end] if (issue := call.site.issues.get(each))]
        answer: dict[str, Any] = {"issues": [_show(call, issue, fields, expand) for issue in page]}
        answer["isLast"] = end >= len(ids)
        if not answer["isLast"]:
            answer["nextPageToken"] = Snapshots.token(name or self._snapshots.keep(text, ids), end)
        return Answer(answer, points=1 + len(page))

    def _place(self, call: Call, text: str, body: dict[str, Any]) -> tuple[str | None, list[int], int]:
        """Return the snapshot's name if there is one already, all ids, and where the page begins."""
        query = _bounded(text)
        reconciled = list_of(body, "reconcileIssues", int)
        if len(reconciled) > _RECONCILED:
            raise JiraError(400, "The number of issues to reconcile is limited to 50.")
        if token := one_of(body, "nextPageToken", str, ""):
            return self._snapshots.find(token, text)
        return None, _visible(call, find(call, query, frozenset(reconciled))), 0

    def routes(self) -> list[Route]:
        api = "/rest/api/{version}/search"
        cloud, data_center = Deployment.CLOUD, Deployment.DATA_CENTER
        return [
            Route("GET", f"{api}/jql", self.get_jql, READ, cloud),
            Route("POST", f"{api}/jql", self.post_jql, READ, cloud),
            Route("POST", f"{api}/approximate-count", _count, READ, cloud),
            Route("GET", api, _removed, READ, cloud),
            Route("POST", api, _removed, READ, cloud),
            Route("GET", api, _get_search, READ, data_center),
            Route("POST", api, _post_search, READ, data_center),
        ]


def _page_size(asked: int, fields: tuple[str, ...]) -> int:
    if asked < 1:
        raise JiraError(400, "The value of maxResults must be between 1 and 5000.")
    return min(asked, _PAGE_IDS if set(fields) <= {"id", "key"} else _PAGE_FIELDS)


def _show(call: Call, issue: Issue, fields: tuple[str, ...], expand: list[str]) -> dict[str, Any]:
    if fields == ("id",):
        return {"id": str(issue.id)}
    shown = show_issue(call, issue, fields, expand)
    if set(fields) <= {"id", "key"}:
        return {"id": shown["id"], "key": shown["key"], "self": shown["self"], "expand": shown["expand"]}
    return shown


def _count(call: Call) -> Answer:
    query = _bounded(one_of(call.json(), "jql", str, ""))
    return Answer({"count": len(_visible(call, find(call, query)))})


def _removed(_call: Call) -> Answer:
    raise JiraError(410, _REMOVED)


def _get_search(call: Call) -> Answer:
    start, size = call.page(50, _PAGE_DATA_CENTER)
    return offset_page(call, jql.parse(call.text("jql")), start, size, tuple(call.texts("fields")))


def _post_search(call: Call) -> Answer:
    body = call.json()
    start, size = one_of(body, "startAt", int, 0), one_of(body, "maxResults", int, 50)
    query, fields = jql.parse(one_of(body, "jql", str, "")), tuple(list_of(body, "fields", str))
    return offset_page(call, query, max(0, start), min(max(0, size), _PAGE_DATA_CENTER), fields)


def offset_page(
    call: Call, query: jql.Query, start: int, size: int, fields: tuple[str, ...], *, short: bool = False
) -> Answer:
    """Return a page by startAt and maxResults, as Data Center and the agile routes have it.

    ``short`` counts what the account may not see and leaves it out of the page, as the agile routes do.
    """
    found = _find_again(call, query)
    ids = found if short else _visible(call, found)
    page = [call.site.issues[each] for each in _visible(call, ids[start : start + size])]
    expand = call.texts("expand")
    answer = {
        "expand": "schema,names",
        "startAt": start,
        "maxResults": size,
        "total": len(ids),
        "issues": [show_issue(call, issue, fields or ("*navigable",), expand) for issue in page],
    }
    return Answer(answer, points=1 + len(page))
