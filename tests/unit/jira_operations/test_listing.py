"""Lists by offset: whatever the pages are like, the reading ends and has every row once."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobticket.jira.errors import JiraMalformedAnswerError, JiraNotFoundError, JiraTimeoutError
from jobticket.jira.listing import AnswerPage, Listing, Reading, Row, Slice, Window, page_of, read_all

#: Far more calls than any honest list of these sizes takes.
MOST_CALLS = 2000


def rows(count: int, first: int = 0) -> list[Row]:
    return [{"id": number} for number in range(first, first + count)]


@dataclass
class Server:
    """Gives out rows in pages, with the habits that a test gives it."""

    rows: list[Row]
    cap: int = 50
    says_total: bool = True
    says_last: bool = True
    says_size: bool = True
    #: What a page is cut to, by its start.
    shorten: Callable[[int, list[Row]], list[Row]] = lambda _start, page: page
    asked: list[Window] = field(default_factory=list)

    def page(self, window: Window) -> AnswerPage:
        self.asked.append(window)
        assert len(self.asked) < MOST_CALLS
        assert window.size > 0
        size = min(window.size, self.cap)
        page = self.shorten(window.start, self.rows[window.start : window.start + size])
        return AnswerPage(
            page,
            size if self.says_size else None,
            len(self.rows) if self.says_total else None,
            window.start + len(page) >= len(self.rows) if self.says_last else None,
        )


def read(
    server: Server | Callable[[Window], AnswerPage], page_size: int = 100, order: Any = None, **part: int
) -> Slice:
    """Read a list, its pages arriving in the order that ``order`` picks them in."""
    listing = Listing(page_size, **part)
    pick: Callable[[Sequence[Window]], int] = order or (lambda _windows: 0)
    fetch = server.page if isinstance(server, Server) else server
    waiting = listing.begin()
    calls = 0
    while waiting:
        calls += 1
        assert calls < MOST_CALLS
        window = waiting.pop(pick(waiting))
        waiting += listing.receive(window, fetch(window))
    return listing.slice()


@pytest.mark.parametrize("says_total", [True, False])
@pytest.mark.parametrize("says_last", [True, False])
@pytest.mark.parametrize("says_size", [True, False])
@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 100, 500, 503])
def test_reads_everything_in_order(count: int, says_total: bool, says_last: bool, says_size: bool) -> None:
    server = Server(rows(count), says_total=says_total, says_last=says_last, says_size=says_size)
    assert read(server).rows == rows(count)


@pytest.mark.parametrize(("says_total", "most_calls"), [(True, 10), (False, 15)])
def test_asks_for_no_more_than_it_must(says_total: bool, most_calls: int) -> None:
    server = Server(rows(500), says_total=says_total)
    read(server)
    assert len(server.asked) <= most_calls
    assert len({window.start for window in server.asked}) == len(server.asked)


def test_knows_all_further_pages_after_the_first() -> None:
    listing = Listing(50)
    (first,) = listing.begin()
    further = listing.receive(first, AnswerPage(rows(50), 50, 500, False))
    assert [window.start for window in further] == list(range(50, 500, 50))


@settings(max_examples=200)
@given(
    count=st.integers(0, 400),
    cap=st.integers(1, 60),
    says_total=st.booleans(),
    seed=st.integers(0, 2**32),
    shortness=st.floats(0, 1),
)
def test_short_pages_in_any_order_of_arrival(
    count: int, cap: int, says_total: bool, seed: int, shortness: float
) -> None:
    chance = random.Random(seed)

    def shorten(_start: int, page: list[Row]) -> list[Row]:
        return page[: chance.randint(1, len(page))] if page and chance.random() < shortness else page

    server = Server(rows(count), cap=cap, says_total=says_total, shorten=shorten)
    assert read(server, order=lambda windows: chance.randrange(len(windows))).rows == rows(count)


def hidden(*gone: range) -> Callable[[int, list[Row]], list[Row]]:
    """Leave rows out, as Jira does with those that the account may not see."""
    return lambda _start, page: [row for row in page if not any(row["id"] in each for each in gone)]


@pytest.mark.parametrize("says_last", [True, False])
@pytest.mark.parametrize("cap", [40, 50, 100])
@pytest.mark.parametrize(
    "gone",
    [
        [range(50)],  # the whole first page
        [range(45, 60), range(130, 135)],
        [range(100, 149), range(150, 200)],
        [range(350, 360)],
        [range(1, 360, 2)],
    ],
)
def test_rows_that_may_not_be_seen_end_no_list(gone: list[range], cap: int, says_last: bool) -> None:
    server = Server(rows(360), cap=cap, says_total=False, says_last=False, shorten=hidden(*gone))

    def page(window: Window) -> AnswerPage:
        answer = server.page(window)
        return replace(answer, is_last=window.start + window.size >= 360) if says_last else answer

    seen = [row for row in rows(360) if not any(row["id"] in each for each in gone)]
    for ahead in (1, 2, 8):
        assert read(page, 50, ahead=ahead).rows == seen
    found, position = [], 0
    while True:
        part = read(page, 50, start=position, limit=40)
        assert len(part.rows) <= 40
        found += part.rows
        if not isinstance(part.following, int):
            break
        position = part.following
    assert found == seen


def test_a_total_reaches_beyond_pages_without_rows() -> None:
    server = Server(rows(350), shorten=hidden(range(250)))
    assert read(server).rows == rows(100, 250)
    assert read(server, start=0, limit=100).following == 100


def test_an_absurd_total_is_not_planned_for() -> None:
    listing = Listing(50)
    (first,) = listing.begin()
    windows = listing.receive(first, AnswerPage(rows(50), 50, 10**6, False))
    asked = 1
    while windows:
        asked += 1
        windows += listing.receive(windows.pop(0), AnswerPage([], 50, 10**6, False))
    assert asked < 300
    assert listing.slice().rows == rows(50)


def test_a_total_of_less_than_has_come_is_no_total() -> None:
    server = Server(rows(120), says_last=False)
    assert read(lambda window: replace(server.page(window), total=0)).rows == rows(120)


def test_two_empty_pages_end_the_list() -> None:
    server = Server(rows(500), says_total=False, says_last=False, shorten=lambda s, p: [] if s >= 100 else p)
    assert read(server).rows == rows(100)


def test_an_empty_page_among_others_loses_no_other() -> None:
    server = Server(rows(200), shorten=lambda s, p: [] if s == 50 else p)
    assert read(server).rows == rows(50) + rows(100, 100)


def test_a_server_that_always_says_there_is_more() -> None:
    def page(window: Window) -> AnswerPage:
        return AnswerPage(rows(120)[window.start : window.start + 50], 50, None, False)

    assert read(page).rows == rows(120)


def test_a_server_that_repeats_its_first_page() -> None:
    for total in (None, 500):
        asked: list[Window] = []

        def page(window: Window, total: int | None = total, asked: list[Window] = asked) -> AnswerPage:
            asked.append(window)
            return AnswerPage(rows(50), 50, total, False)

        assert read(page).rows == rows(50)
        assert len(asked) <= 10


def test_a_server_that_gives_more_than_it_was_asked_for() -> None:
    assert read(lambda _window: AnswerPage(rows(120), 50, 120, False)).rows == rows(120)


def test_rows_that_are_added_meanwhile_push_none_out() -> None:
    server = Server(rows(150))

    def page(window: Window) -> AnswerPage:
        if window.start == 50:
            server.rows.insert(0, {"id": "new"})
        return server.page(window)

    read_rows = read(page).rows
    assert sorted(row["id"] for row in read_rows if row["id"] != "new") == list(range(150))
    assert len(read_rows) == len({row["id"] for row in read_rows})


def test_rows_that_vanish_meanwhile_take_none_along() -> None:
    server = Server(rows(150))

    def page(window: Window) -> AnswerPage:
        if window.start == 50 and {"id": 3} in server.rows:
            server.rows.remove({"id": 3})  # now row 50 is on the first page, which was read before
        return server.page(window)

    found = [row["id"] for row in read(page).rows]
    assert set(found) >= set(range(150)) - {3}
    assert len(found) == len(set(found))


def test_a_list_that_sinks_for_ever_ends() -> None:
    sizes = iter(range(10_000, 0, -10))

    def page(window: Window) -> AnswerPage:
        return AnswerPage(rows(10_000)[window.start : window.start + 50], 50, next(sizes), None)

    read(page)


@pytest.mark.parametrize(("start", "limit"), [(0, 10), (0, 50), (0, 120), (30, 120), (140, 100), (150, 10)])
@pytest.mark.parametrize("says_total", [True, False])
def test_a_part(start: int, limit: int, says_total: bool) -> None:
    server = Server(rows(150), says_total=says_total)
    found = read(server, start=start, limit=limit)
    assert found.rows == rows(150)[start : start + limit]
    assert found.following == (start + limit if start + limit < 150 else None)
    assert all(
        start <= window.start and window.start + window.size <= start + limit for window in server.asked
    )


def test_parts_make_the_whole() -> None:
    server, position, found = Server(rows(157)), 0, []
    while True:
        part = read(server, start=position, limit=25)
        found += part.rows
        if part.following is None:
            break
        assert isinstance(part.following, int)
        position = part.following
    assert found == rows(157)


def test_lists_side_by_side() -> None:
    servers = [Server(rows(210)), Server(rows(3)), Server([])]
    listings = [Listing(50) for _ in servers]
    read_all([Reading(each, server.page) for each, server in zip(listings, servers, strict=True)])
    assert [each.slice().rows for each in listings] == [rows(210), rows(3), []]


def test_one_list_may_fail_alone() -> None:
    missing = JiraNotFoundError(404, "Not Found")

    def fails(window: Window) -> AnswerPage:
        if window.start:
            raise missing
        return AnswerPage(rows(50), 50, 500, False)

    good = Reading(Listing(50), Server(rows(210)).page)
    bad = Reading(Listing(50), fails, may_fail=lambda error: isinstance(error, JiraNotFoundError))
    read_all([bad, good])
    assert bad.failure is missing
    assert good.listing.slice().rows == rows(210)


def test_an_error_ends_everything_and_leaves_no_call_behind() -> None:
    asked = []

    def fails(window: Window) -> AnswerPage:
        asked.append(window)
        if window.start:
            raise JiraTimeoutError("Jira did not answer in time")
        return AnswerPage(rows(50), 50, 50_000, False)

    with pytest.raises(JiraTimeoutError):
        read_all([Reading(Listing(50), fails)], parallel=2)
    assert len(asked) < 20


@pytest.mark.parametrize("answer", [None, [], "text", {}, {"values": None}, {"values": [1]}, {"values": {}}])
def test_an_answer_that_is_no_page(answer: Any) -> None:
    with pytest.raises(JiraMalformedAnswerError):
        page_of(answer, "values", lambda row: row)


@pytest.mark.parametrize("value", ["50", True, -1, None, 1.5])
def test_figures_that_are_none_count_as_unsaid(value: Any) -> None:
    page = page_of({"values": [], "total": value, "maxResults": value, "isLast": "yes"}, "values", dict)
    assert (page.total, page.size, page.is_last) == (None, None, None)
