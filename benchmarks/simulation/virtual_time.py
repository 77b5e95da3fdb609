"""Threads that take turns in virtual time: one runs at a time, and time passes only while all of them wait.

What takes an hour there takes seconds here, and a seed makes it come out the same each time.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

BEGIN = datetime(2026, 11, 22, 2, tzinfo=UTC)


class Killed(BaseException):
    """The process that this thread stands for ends here: no handler of errors runs, no clean-up."""


class _Actor(threading.local):
    dead = False


class VirtualTime:
    """A clock and the threads that live by it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.ended = False
        self._waiting: list[tuple[float, int, threading.Lock]] = []
        self._number = 0
        self._main = self._new_lock()
        self._running = 0
        self._failure: BaseException | None = None
        self._actor = _Actor()
        self._locks = threading.local()

    @staticmethod
    def _new_lock() -> threading.Lock:
        lock = threading.Lock()
        lock.acquire()
        return lock

    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def spawn(self, work: Callable[[], None]) -> None:
        """Let a thread begin now."""
        lock = self._new_lock()
        self._enqueue(0.0, lock)
        self._running += 1
        threading.Thread(target=self._live, args=(work, lock), daemon=True).start()

    def _live(self, work: Callable[[], None], lock: threading.Lock) -> None:
        lock.acquire()
        self._locks.own = lock
        try:
            work()
        except BaseException as error:
            self._failure = self._failure or error
        self._running -= 1
        if self._failure is not None or not self._running:
            self._main.release()
        else:
            self._hand_over()

    def run(self) -> None:
        """Run until every thread has ended."""
        self._hand_over()
        self._main.acquire()
        if self._failure is not None:
            raise self._failure

    def sleep(self, seconds: float) -> None:
        """Let this thread wait, and others run."""
        own: threading.Lock = self._locks.own
        self._enqueue(seconds, own)
        self._hand_over()
        own.acquire()  # at once, if this thread is the next one itself

    def _enqueue(self, seconds: float, lock: threading.Lock) -> None:
        self._number += 1
        heapq.heappush(self._waiting, (self.seconds + max(0.0, seconds), self._number, lock))

    def _hand_over(self) -> None:
        at, _, lock = heapq.heappop(self._waiting)
        self.seconds = max(self.seconds, at)
        lock.release()

    # A killed thread stays killed until it begins a new life: its clean-up must not reach anything either.

    def kill(self) -> None:
        self._actor.dead = True
        raise Killed

    def require_alive(self) -> None:
        if self._actor.dead:
            raise Killed

    def revive(self) -> None:
        self._actor.dead = False
