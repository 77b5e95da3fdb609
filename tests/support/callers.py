"""Callers of get-access-token in processes of their own, as Lambda's workers are."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from typing import Any

PROCESSES = 8
THREADS = 25
SECONDS = 240.0
DIES_BEFORE_WRITING = 86
FROM_ELSEWHERE = [
    *("boto3.session", "botocore.client", "botocore.handlers", "requests"),
    *("aws_lambda_powertools.logging", "aws_lambda_powertools.metrics"),
]


def _processes() -> ForkServerContext:
    """Return how processes begin: each a copy of one that has imported what others made, which takes a second."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(FROM_ELSEWHERE)
    return context


def _environment(settings: Mapping[str, str]) -> None:
    os.environ.update(settings)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        os.environ.pop(name, None)


def _serve(pipe: Connection, settings: Mapping[str, str], waiting: Any) -> None:
    """Ask for tokens as often as told to, with all threads at once; count in ``waiting`` who waits for another."""
    _environment(settings)
    from jobticket import aws
    from jobticket.clock import Deadline
    from jobticket.connections import tokens
    from jobticket.connections.access import AccessSettings, JiraAccess
    from jobticket.connections.model import ConnectionId
    from jobticket.errors import RefusalError
    from jobticket.jira.client import Pace

    # On a busy machine 200 callers at once wait longer for the emulator than they would wait for AWS.
    aws.CONNECT_SECONDS = aws.ANSWER_SECONDS = 60
    tokens.TOKEN_CALL_SECONDS, tokens.WAIT_SECONDS, tokens.LEASE = 60.0, 200.0, timedelta(seconds=90)
    access = JiraAccess(AccessSettings.from_environment())
    known: set[int] = set()

    def sleep(seconds: float) -> None:
        if threading.get_ident() not in known:
            known.add(threading.get_ident())
            with waiting.get_lock():
                waiting.value += 1
        time.sleep(seconds)

    access.tokens._pace = Pace(sleep=sleep)

    def ask(external_id: str) -> str:
        try:
            issued = access.tokens.access_token(ConnectionId("jira", external_id), Deadline.after(SECONDS))
        except RefusalError as refusal:
            return f"{refusal.status} {refusal.message}"
        return issued.text

    # The first use of a client costs most of a second: not the race's business.
    ask("nobody")
    pipe.send("ready")
    with ThreadPoolExecutor(THREADS) as threads:
        while (external_id := pipe.recv()) is not None:
            known.clear()
            pipe.send(list(threads.map(ask, [external_id] * THREADS)))


def _die(external_id: str, settings: Mapping[str, str]) -> None:
    """Refresh, and end between Atlassian's answer and the write of it."""
    _environment(settings)
    from jobticket.clock import Deadline
    from jobticket.connections import tokens
    from jobticket.connections.access import AccessSettings, JiraAccess
    from jobticket.connections.model import ConnectionId
    from jobticket.connections.refreshes import RefreshStore

    tokens.LEASE = timedelta(seconds=5)  # the others wait for its end

    def die(*_: Any) -> bool:
        os._exit(DIES_BEFORE_WRITING)

    RefreshStore.succeed = die  # type: ignore[method-assign,assignment]
    access = JiraAccess(AccessSettings.from_environment())
    access.tokens.access_token(ConnectionId("jira", external_id), Deadline.after(SECONDS))


class Callers:
    """So many processes with so many threads."""

    def __init__(self, pipes: list[Any], settings: Mapping[str, str], waiting: Any) -> None:
        self._pipes = pipes
        self._settings = settings
        self._waiting = waiting

    def start(self, external_id: str) -> None:
        """Let all of them ask for this connection's token."""
        self._waiting.value = 0
        for pipe in self._pipes:
            pipe.send(external_id)

    def all_but_one_wait(self) -> bool:
        """Tell whether one does what the others wait for."""
        return bool(self._waiting.value == PROCESSES * THREADS - 1)

    def results(self) -> Counter[str]:
        """Return what each of them got: a token, or a refusal's status and text."""
        return Counter(answer for pipe in self._pipes for answer in pipe.recv())

    def ask(self, external_id: str) -> Counter[str]:
        self.start(external_id)
        return self.results()

    def one_that_dies(self, external_id: str) -> None:
        """Let one more begin to refresh, and die before it writes anything down."""
        context = _processes()
        process = context.Process(target=_die, args=(external_id, self._settings))
        process.start()
        process.join(SECONDS)
        assert process.exitcode == DIES_BEFORE_WRITING


@contextmanager
def running(settings: Mapping[str, str]) -> Iterator[Callers]:
    context = _processes()
    pipes, processes, waiting = [], [], context.Value("i", 0)
    for _ in range(PROCESSES):
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, settings, waiting), daemon=True)
        process.start()
        theirs.close()
        pipes.append(ours)
        processes.append(process)
    try:
        for pipe in pipes:
            assert pipe.recv() == "ready"
        yield Callers(pipes, settings, waiting)
        for pipe in pipes:
            pipe.send(None)
    finally:
        for process in processes:
            process.join(10)
            process.kill()
            process.join()
        for pipe in pipes:
            pipe.close()
