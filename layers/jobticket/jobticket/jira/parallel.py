"""Calls side by side, and never more of them than Jira bears well."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

#: How many calls one request keeps under way at Jira.
PARALLEL = 8
#: The same for issues, of which there are many pages: more would come near Jira's limit of calls a second.
#: The client lets no more of a request's calls through, whatever several crews and its own thread ask for.
PARALLEL_FOR_ISSUES = 14


@contextlib.contextmanager
def thread_pool(size: int = PARALLEL) -> Iterator[ThreadPoolExecutor]:
    """Yield threads that are gone afterwards, so that nothing of one request reaches into the next.

    After an error what has not begun never begins. What has begun ends by its client's deadline.
    """
    threads = ThreadPoolExecutor(size, thread_name_prefix="jira")
    try:
        yield threads
    finally:
        threads.shutdown(cancel_futures=True)
