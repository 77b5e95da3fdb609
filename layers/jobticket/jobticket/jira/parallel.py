"""Parallel calls of one request, within what Jira bears."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

#: Calls of one request at the same time.
PARALLEL = 8
#: The same for pages of issues; more would come near Jira's limit of calls a second. The client lets no more
#: through, however many pools a request uses.
PARALLEL_FOR_ISSUES = 14


@contextlib.contextmanager
def thread_pool(size: int = PARALLEL) -> Iterator[ThreadPoolExecutor]:
    """Yield threads that end with the block, so that nothing of one request reaches into the next.

    After an error, calls that have not begun never begin. Others end by their client's deadline.
    """
    threads = ThreadPoolExecutor(size, thread_name_prefix="jira")
    try:
        yield threads
    finally:
        threads.shutdown(cancel_futures=True)
