"""Run a function as Lambda does: a process with Lambda's runtime interface client, fed by a Runtime API.

`sam local` does the same in a container. Here the process is the machine's own interpreter, the layers are
those that `tools/build_layers.py` built for it, and only the given settings reach the function.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from local.errors import LocalStackError

SECONDS_TO_START = 30.0
SECONDS_FOR_A_CALL = 35.0
REQUEST_ID = "00000000-0000-4000-8000-{:012d}"


class FunctionFaultError(LocalStackError):
    """A function did not start, or raised instead of answering."""


@dataclass
class _Calls:
    """What the Runtime API and its user exchange."""

    started: threading.Event = field(default_factory=threading.Event)
    events: queue.SimpleQueue[dict[str, Any] | None] = field(default_factory=queue.SimpleQueue)
    answers: queue.SimpleQueue[tuple[str, Any]] = field(default_factory=queue.SimpleQueue)
    ready_at: float = 0.0


class Container:
    """A function's process between its start and its end.

    Attributes
    ----------
    init_seconds
        From the process's start to its first question for work.
    init_cpu_seconds
        The processor time in it; None if the machine does not report it. Other work on the machine lengthens
        the first and hardly this one.
    """

    def __init__(self, process: subprocess.Popen[bytes], calls: _Calls, started_at: float) -> None:
        self._process = process
        self._calls = calls
        self._wait_for_start()
        self.init_seconds = calls.ready_at - started_at
        self.init_cpu_seconds = _cpu_seconds(process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Return what the function answers.

        Raises
        ------
        FunctionFaultError
            If it raises, or ends, or does not answer in time.
        """
        self._calls.events.put(dict(event))
        kind, answer = self._next_answer()
        if kind != "response":
            raise FunctionFaultError(f"The function failed: {json.dumps(answer)}")
        return answer

    def _next_answer(self) -> tuple[str, Any]:
        end = time.monotonic() + SECONDS_FOR_A_CALL
        while self._process.poll() is None and time.monotonic() < end:
            try:
                return self._calls.answers.get(timeout=0.2)
            except queue.Empty:
                continue
        raise FunctionFaultError("The function has ended, or does not answer")

    def _wait_for_start(self) -> None:
        end = time.monotonic() + SECONDS_TO_START
        while not self._calls.started.wait(0.1):
            if self._process.poll() is not None or time.monotonic() > end:
                raise FunctionFaultError("The function does not start")
        if not self._calls.answers.empty():
            raise FunctionFaultError(
                f"The function does not start: {json.dumps(self._calls.answers.get()[1])}"
            )


def _cpu_seconds(pid: int) -> float | None:
    """Return the processor time that a process's threads have had, on Linux."""
    times = [path.read_text().split()[0] for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(map(int, times)) / 1e9 if times else None


@contextmanager
def running_container(
    folder: Path, layers: Sequence[Path], environment: Mapping[str, str], *, handler: str = "app.handler"
) -> Iterator[Container]:
    """Start a function in a fresh process, and end it.

    Parameters
    ----------
    folder
        The function's code.
    layers
        The folders that Lambda would lay over `/opt`.
    environment
        The function's environment variables; it sees none of the machine's.
    """
    calls = _Calls()
    api = _RuntimeApi(calls)
    thread = threading.Thread(target=api.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    started_at = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603, this interpreter and this project's code
        [sys.executable, "-m", "awslambdaric", handler],
        cwd=folder,
        env=_environment(folder, layers, environment, api.address),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Container(process, calls, started_at)
    finally:
        process.kill()
        process.wait()
        calls.events.put(None)  # release a client that still asks for work
        api.shutdown()
        api.server_close()
        thread.join()


def _environment(
    folder: Path, layers: Sequence[Path], environment: Mapping[str, str], address: str
) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "LAMBDA_TASK_ROOT": str(folder),
        "LAMBDA_RUNTIME_DIR": str(folder),
        "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_NAME": folder.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        # Lambda's file system is read-only: uncompiled code is compiled at each start.
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join(str(layer / "python") for layer in layers),
        **{name: found_in_layer(value, layers) for name, value in environment.items()},
    }


def found_in_layer(value: str, layers: Sequence[Path]) -> str:
    """Return where a path of ``/opt`` is on this machine; another value as it is."""
    place = value.removeprefix("/opt/")
    return next(
        (str(layer / place) for layer in layers if place != value and (layer / place).exists()), value
    )


class _RuntimeApi(ThreadingHTTPServer):
    """The part of Lambda's Runtime API that its client calls."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, calls: _Calls) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.calls = calls
        self.address = f"127.0.0.1:{self.server_address[1]}"
        self.number = 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _RuntimeApi

    def do_GET(self) -> None:
        calls = self.server.calls
        if not calls.started.is_set():
            calls.ready_at = time.perf_counter()
            calls.started.set()
        event = calls.events.get()
        if event is None:
            self.close_connection = True
            return
        self.server.number += 1
        deadline = int((time.time() + 29) * 1000)
        self._send(
            200,
            json.dumps(event).encode(),
            {  # the client crashes if one of these is missing
                "Content-Type": "application/json",
                "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
                "Lambda-Runtime-Aws-Request-Id": REQUEST_ID.format(self.server.number),
                "Lambda-Runtime-Deadline-Ms": str(deadline),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:000000000000:function:it",
            },
        )

    def do_POST(self) -> None:
        body = json.loads(self._body() or b"null")
        calls = self.server.calls
        self._send(202, b"", {})  # first: with the answer known, the process may be ended
        calls.answers.put(("response" if self.path.endswith("/response") else "error", body))
        if self.path.endswith("/init/error"):
            calls.started.set()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, the base class's name
        """Log nothing."""
