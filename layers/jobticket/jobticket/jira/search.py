"""Searching for issues, and reading many of them.

Cloud's search is a chain: each page names the next. So the chain reads ids alone, in the longest pages that
Jira gives. The fields come by parallel bulk reads while the chain goes on. A Data Center's search takes an
offset, so its pages are read in parallel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from jobticket import foreign
from jobticket.dataclass import dataclass
from jobticket.errors import InvalidError
from jobticket.jira import shapes
from jobticket.jira.client import JiraClient
from jobticket.jira.listing import AnswerPage, Listing, Row, Slice, Window, page_of, read, rows_of, shaped
from jobticket.jira.parallel import thread_pool
from jobticket.observability import logger

CLOUD = "/rest/api/2/search/jql"
DATA_CENTER = "/rest/api/2/search"
BULK = "/rest/api/2/issue/bulkfetch"
COUNT = "/rest/api/2/search/approximate-count"

#: Jira's limits for ids alone, issues with fields, and a bulk read.
IDS_A_PAGE = 5000
ISSUES_A_PAGE = 100
ISSUES_A_BULK = 100
#: A Data Center gives up to 1,000, but slowly.
DATA_CENTER_PAGE = 250


def quoted(text: str) -> str:
    """Return a text as a JQL string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@dataclass(frozen=True, slots=True)
class Counted:
    """A page of a search."""

    rows: list[Row]
    #: How many issues there are: exact on the last page, on Cloud an estimate before it.
    total: int


@dataclass(frozen=True, slots=True)
class Search:
    """One search."""

    client: JiraClient
    #: Its order must not change while it is read.
    jql: str
    fields: Sequence[str]
    #: Makes a row of an issue; the row must have an ``id``.
    shape: Callable[[Any], Row]

    def all(self) -> list[Row]:
        """Return every issue once, in the query's order."""
        return self._all_of_cloud() if self.client.is_cloud else self._by_offset(0, None).rows

    def some(self, limit: int, position: int | str | None = None) -> Slice:
        """Return at most ``limit`` issues, from where an earlier slice ended."""
        if position is not None and isinstance(position, str) is not self.client.is_cloud:
            raise InvalidError("Invalid cursor")  # of the other kind of Jira: the connection was replaced
        if not self.client.is_cloud:
            return self._by_offset(position if isinstance(position, int) else 0, limit)
        token = position if isinstance(position, str) else None
        if limit <= ISSUES_A_PAGE:
            answer = self._cloud_page(self.fields, limit, token)
            return Slice(self._shown(answer), _next_token(answer))
        answer = self._cloud_page(("id",), limit, token)
        return Slice(self._in_chunks(_ids(answer)), _next_token(answer))

    def chosen(self, choose: Callable[[Sequence[str]], Sequence[str]]) -> list[Row]:
        """Return the issues that a function chooses by id; on Cloud, no others are read."""
        if not self.client.is_cloud:
            rows = {str(row["id"]): row for row in self.all()}
            return [rows[each] for each in choose(list(rows))]
        ids = [each for page in self._id_pages() for each in page]
        return self._in_chunks(choose(ids) if ids else [])

    def page(self, number: int, size: int) -> Counted:
        """Return a page by its number, the first being 1. Cloud gives later pages only after those before."""
        start = (number - 1) * size
        if not self.client.is_cloud:
            found = self._data_center_page(Window(start, size))
            return Counted(found.rows, len(found.rows) if found.total is None else found.total)
        answer = self._cloud_page(self.fields if start == 0 else ("id",), start + size, None)
        ids = _ids(answer)
        rows = self._shown(answer) if start == 0 else self._in_chunks(ids[start:])
        ended = answer.get("isLast", True)
        return Counted(rows, len(ids) if ended else max(self._estimate(), len(ids) + 1))

    def _estimate(self) -> int:
        jql = self.jql.partition(" ORDER BY ")[0]
        answer = self.client.post(COUNT, json={"jql": jql}, repeatable=True)
        return foreign.integer(foreign.member(answer, "count")) or 0

    def _by_offset(self, start: int, limit: int | None) -> Slice:
        return read(Listing(DATA_CENTER_PAGE, start, limit), self._data_center_page)

    def _data_center_page(self, window: Window) -> AnswerPage:
        query = {"jql": self.jql, "fields": list(self.fields), **window.parameters}
        return page_of(self.client.post(DATA_CENTER, json=query, repeatable=True), "issues", self.shape)

    def _all_of_cloud(self) -> list[Row]:
        with thread_pool() as threads:
            # The first page is read with its fields, beside the ids. Often it is the only one.
            first = threads.submit(self._cloud_page, self.fields, ISSUES_A_PAGE, None)
            head: dict[str, Row] | None = None
            order: list[str] = []
            chunks: list[Future[list[Row]]] = []
            for ids in self._id_pages():
                if head is None:
                    head = {row["id"]: row for row in self._shown(first.result())}
                order += ids
                missing = [each for each in ids if each not in head]
                chunks += [threads.submit(self._bulk, some) for some in _chunks(missing)]
            rows = dict(head or {})
            for chunk in chunks:
                rows.update((row["id"], row) for row in chunk.result())
        return [rows[each] for each in order if each in rows]

    def _id_pages(self) -> Iterator[list[str]]:
        """Yield the ids of all issues, each once, until two pages in a row bring nothing new."""
        seen: set[str] = set()
        tokens: set[str] = set()
        token: str | None = None
        barren = 0
        while True:
            answer = self._cloud_page(("id",), IDS_A_PAGE, token)
            fresh = [each for each in dict.fromkeys(_ids(answer)) if each not in seen]
            seen.update(fresh)
            yield fresh
            token = _next_token(answer)
            barren = 0 if fresh else barren + 1
            if barren == 2 or token is None or token in tokens:
                return
            tokens.add(token)

    def _cloud_page(self, fields: Sequence[str], size: int, token: str | None) -> Any:
        query: dict[str, Any] = {"jql": self.jql, "fields": list(fields), "maxResults": size}
        if token is not None:
            query["nextPageToken"] = token
        return self.client.post(CLOUD, json=query, repeatable=True)

    def _shown(self, answer: Any) -> list[Row]:
        return shaped(rows_of(answer, "issues"), self.shape)

    def _in_chunks(self, ids: Sequence[str]) -> list[Row]:
        """Return issues by id, in this order."""
        with thread_pool() as threads:
            return [row for chunk in threads.map(self._bulk, _chunks(ids)) for row in chunk]

    def _bulk(self, ids: Sequence[str]) -> list[Row]:
        """Return issues by id, in this order, without deleted ones."""
        found, failed = self._bulk_once(ids)
        if failed:
            again, still = self._bulk_once(failed)
            found |= again
            if still:
                logger.warning("some issues could not be read", count=len(still))
        return [found[each] for each in ids if each in found]

    def _bulk_once(self, ids: Sequence[str]) -> tuple[dict[str, Row], list[str]]:
        answer = self.client.post(
            BULK, json={"issueIdsOrKeys": list(ids), "fields": list(self.fields)}, repeatable=True
        )
        found = {row["id"]: row for row in self._shown(answer)}
        errors = foreign.entries(answer.get("issueErrors"))
        failed = {number for each in errors if isinstance(number := foreign.member(each, "id"), str)}
        return found, [each for each in ids if each in failed and each not in found]


def _ids(answer: Any) -> list[str]:
    rows = shaped(rows_of(answer, "issues"), lambda issue: {"id": shapes.id_of(issue["id"])})
    return [row["id"] for row in rows]


def _next_token(answer: Any) -> str | None:
    token = foreign.token(answer.get("nextPageToken"))
    return None if answer.get("isLast") is True else token


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), ISSUES_A_BULK):
        yield ids[start : start + ISSUES_A_BULK]
