"""Parallel calls of one request, within Jira's limits."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

#: Calls of one request at the same time. The client lets no more through, however many pools a request uses.
PARALLEL = 16


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


class Gate:
    """Lets a number of calls through at once, and fewer once Jira finds them too many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._under_way = 0
        self._wave = 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def passing(self) -> Iterator[int]:
        """Wait for a place and hold it; yield the number of the wave that the call belongs to."""
        with self._changed:
            self._changed.wait_for(lambda: self._under_way < self._most)
            self._under_way += 1
            wave = self._wave
        try:
            yield wave
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify()

    def narrow(self, wave: int) -> None:
        """Halve the number, once a wave: the calls of one moment are refused together."""
        with self._changed:
            if wave == self._wave:
                self._most = max(1, self._most // 2)
                self._wave += 1
