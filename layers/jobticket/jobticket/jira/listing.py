"""Lists that Jira gives out by ``startAt`` and ``maxResults``, several pages at a time.

:class:`Listing` is pure: it names the windows to ask for, takes the pages in any order, and ends with every
row once.

* A page may be shorter than its window, or empty, before the last one: rows that the account may not see are
  left out. After a short page the rest of its window is asked for, in case Jira gives fewer rows at a time.
* A total ends the list, or ``isLast``. Two neighbouring windows without a new row do, too, so it always ends.
* Without a total, as for some lists of sprints, pages ahead are guessed, twice as many each time.
* If the total sinks, rows have moved to lower places, perhaps into a window that was read before. Then
  everything is read once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from jobticket import foreign
from jobticket.dataclass import dataclass, field
from jobticket.jira.client import JiraClient
from jobticket.jira.errors import JiraError, JiraMalformedAnswerError
from jobticket.jira.parallel import PARALLEL, thread_pool

Row = dict[str, Any]

#: The most pages to guess ahead where Jira names no total.
MOST_AHEAD = 8
#: The most windows under way where it does: a total may be absurd.
MOST_WINDOWS = 200
MOST_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class Window:
    """Rows to ask for."""

    start: int
    size: int

    @property
    def parameters(self) -> dict[str, int]:
        """The window as query parameters."""
        return {"startAt": self.start, "maxResults": self.size}


@dataclass(frozen=True, slots=True)
class AnswerPage:
    """The answer to a window; ``total`` and ``is_last`` as Jira says, if it does."""

    rows: list[Row]
    #: Jira's own page length, which may be less than the window's.
    size: int | None = None
    total: int | None = None
    is_last: bool | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows of a list, and where the next ones start; None after the last."""

    rows: list[Row]
    following: int | str | None = None


def rows_of(answer: Any, name: str) -> list[Any]:
    """Return the rows of an answer, or raise ``JiraMalformedAnswerError``."""
    rows = foreign.member(answer, name)
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise JiraMalformedAnswerError(f"Jira's answer has no {name}")
    return rows


def shaped(rows: Sequence[Any], shape: Callable[[Any], Row]) -> list[Row]:
    """Return Jira's rows in a shape; raise ``JiraMalformedAnswerError`` if one does not fit it."""
    try:
        return [shape(row) for row in rows]
    except (KeyError, TypeError, AttributeError):
        raise JiraMalformedAnswerError("Jira returned a row of another form") from None


def page_of(answer: Any, name: str, shape: Callable[[Any], Row]) -> AnswerPage:
    """Return an answer as a page of rows in a shape."""
    rows = shaped(rows_of(answer, name), shape)
    is_last = answer.get("isLast")
    size, total = (foreign.integer(answer.get(count), 0, MOST_ROWS) for count in ("maxResults", "total"))
    return AnswerPage(rows, size, total, is_last if isinstance(is_last, bool) else None)


def pages(
    client: JiraClient,
    template: str,
    name: str,
    shape: Callable[[Any], Row],
    params: Mapping[str, Any] | None = None,
    **values: object,
) -> Callable[[Window], AnswerPage]:
    """Return what fetches the pages of a list: rows ``name`` of a GET."""

    def fetch(window: Window) -> AnswerPage:
        parameters = {**(params or {}), **window.parameters}
        return page_of(client.get(template, params=parameters, **values), name, shape)

    return fetch


class Listing:
    """One list while it is being read: from ``start`` on, without a limit to its end.

    ``ahead`` pages are asked for at once before anything is known of the list.
    """

    def __init__(self, page_size: int, start: int = 0, limit: int | None = None, *, ahead: int = 1) -> None:
        self._size = page_size
        self._start = start
        self._limit = None if limit is None else start + limit
        self._planned = start
        self._under_way = 0
        self._ahead = ahead
        self._total: int | None = None
        self._over = False
        self._sank = False
        self._second_time = False
        self._rows: dict[int, list[Row]] = {}
        self._seen: set[Any] = set()
        #: Where planned windows and their rests begin, and where the planned ones do; and where those without
        #: a new row begin and end.
        self._grid: dict[int, int] = {}
        self._barren: dict[int, int] = {}

    def begin(self) -> list[Window]:
        """Return the first windows."""
        return self._ask(list(self._windows_to(self._start + self._ahead * self._size)))

    def receive(self, window: Window, page: AnswerPage) -> list[Window]:
        """Take a page; return the windows to ask for next."""
        self._under_way -= 1
        window = self._learn_size(window, page)
        fresh = self._keep(window, page.rows)
        reached = window.start + len(page.rows)
        self._note_total(page, reached)
        is_end = page.is_last is True if self._total is None else reached >= self._total
        rest = [] if is_end else self._rest_of(window, page, reached if fresh else None)
        self._note_end(window, page, found=fresh > 0 or bool(rest))
        return self._ask([*rest, *self._plan()] or self._look_beyond() or self._read_again())

    def slice(self) -> Slice:
        """Return the rows in order, and where the next part starts."""
        rows = [row for start in sorted(self._rows) for row in self._rows[start]]
        return Slice(rows, self._limit if self._has_more() else None)

    def _ask(self, windows: list[Window]) -> list[Window]:
        self._under_way += len(windows)
        return windows

    def _learn_size(self, window: Window, page: AnswerPage) -> Window:
        """Use the first page's length for all pages if Jira gives less than asked for."""
        named = page.size or len(page.rows)
        is_alone = self._planned == window.start + window.size and window.start == self._start
        if not is_alone or self._rows or not 0 < named < window.size:
            return window
        self._size = named
        self._planned = self._start + named
        return Window(self._start, named)

    def _keep(self, window: Window, rows: Sequence[Row]) -> int:
        fresh = []
        for row in rows:
            if row["id"] not in self._seen:
                self._seen.add(row["id"])
                fresh.append(row)
        self._rows.setdefault(window.start, []).extend(fresh)
        return len(fresh)

    def _rest_of(self, window: Window, page: AnswerPage, reached: int | None) -> list[Window]:
        """Return what a page has left of its window; ``reached`` is None if it brought nothing new."""
        if reached is None:
            # Jira's pages are shorter than was asked for, and all rows of this one are left out.
            reached = window.start + (page.size or window.size)
            if window.start in self._grid:
                self._grid.setdefault(reached, self._grid[window.start])
        missing = window.start + window.size - reached
        return [Window(reached, missing)] if missing > 0 else []

    def _note_total(self, page: AnswerPage, reached: int) -> None:
        # A total smaller than the rows so far is wrong.
        if page.total is None or (page.rows and page.total < reached and page.is_last is not True):
            return
        if self._total is not None and page.total < self._total:
            self._sank = True
        self._total = page.total

    def _note_end(self, window: Window, page: AnswerPage, *, found: bool) -> None:
        if self._second_time:
            return
        if self._total is None and page.is_last:
            self._over = True
        if not found and (start := self._grid.get(window.start)) is not None:
            end = window.start + window.size
            self._over = self._over or end in self._barren or start in self._barren.values()
            self._barren[start] = end

    def _plan(self) -> list[Window]:
        end = self._total
        if self._over or self._under_way > (0 if end is None else MOST_WINDOWS // 2):
            return []
        most = MOST_WINDOWS
        if end is None:
            self._ahead = most = min(self._ahead * 2, MOST_AHEAD)
        guessed = self._planned + most * self._size
        return list(self._windows_to(guessed if end is None else min(end, guessed)))

    def _windows_to(self, end: int) -> Iterator[Window]:
        if self._limit is not None:
            end = min(end, self._limit)
        while self._planned < end:
            size = self._size if self._limit is None else min(self._size, self._limit - self._planned)
            self._grid[self._planned] = self._planned
            yield Window(self._planned, size)
            self._planned += size

    def _read_again(self) -> list[Window]:
        if not self._sank or self._second_time or self._under_way or self._limit is not None:
            return []
        self._second_time = True
        self._planned = self._start
        return list(self._windows_to(self._total or 0))

    def _look_beyond(self) -> list[Window]:
        """Ask for one window after a part whose last one brought nothing: it is the list's end, or not."""
        if self._limit is None or self._limit not in self._barren.values() or self._total is not None:
            return []
        if self._over or self._under_way:
            return []
        size = self._limit - max(self._barren)
        self._limit += size
        return list(self._windows_to(self._limit))

    def _has_more(self) -> bool:
        if self._limit is None:
            return False
        return not self._over if self._total is None else self._total > self._limit


@dataclass(slots=True)
class Reading:
    """A listing and how its pages are fetched."""

    listing: Listing
    fetch: Callable[[Window], AnswerPage]
    #: Which errors leave this list out instead of ending everything, and such an error if there was one.
    may_fail: Callable[[JiraError], bool] = lambda _error: False
    failure: JiraError | None = None


@dataclass(slots=True)
class _Desk:
    """The pages under way."""

    submit: Callable[..., Future[AnswerPage | None]]
    pending: dict[Future[AnswerPage | None], tuple[Reading, Window]] = field(default_factory=dict)
    failed: bool = False

    def ask(self, reading: Reading, windows: Sequence[Window]) -> None:
        for window in windows:
            self.pending[self.submit(self._fetch, reading, window)] = (reading, window)

    def take(self, done: Future[AnswerPage | None]) -> None:
        reading, window = self.pending.pop(done)
        page = done.result()
        if page is not None:
            self.ask(reading, reading.listing.receive(window, page))

    def _fetch(self, reading: Reading, window: Window) -> AnswerPage | None:
        """Return a page; None after a failure."""
        if self.failed or reading.failure is not None:
            return None
        try:
            return reading.fetch(window)
        except BaseException as error:
            if isinstance(error, JiraError) and reading.may_fail(error):
                reading.failure = error
                return None
            self.failed = True
            raise


def read(listing: Listing, fetch: Callable[[Window], AnswerPage]) -> Slice:
    """Read one list to its end."""
    read_all([Reading(listing, fetch)])
    return listing.slice()


def read_all(readings: Sequence[Reading], parallel: int = PARALLEL) -> None:
    """Read lists to their ends, pages in parallel."""
    with thread_pool(parallel) as threads:
        desk = _Desk(threads.submit)
        for reading in readings:
            desk.ask(reading, reading.listing.begin())
        while desk.pending:
            done, _ = wait(desk.pending, return_when=FIRST_COMPLETED)
            for page in done:
                desk.take(page)
