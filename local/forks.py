"""Workers of the emulated Lambda as copies of a process that has imported what others made.

That import is most of a cold start. Nothing of the product is imported before the copy, and a copy gets its
own environment, folder and standard streams. Run as a program, this is the process that is copied.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import select
import signal
import site
import socket
import struct
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

FROM_OTHERS = (
    *("boto3.session", "botocore.client", "botocore.handlers", "requests", "pydantic.main"),
    *("aws_lambda_powertools.logging", "aws_lambda_powertools.metrics"),
    *("aws_lambda_powertools.utilities.parameters", "aws_lambda_powertools.utilities.batch"),
)
LENGTH = struct.Struct("!I")
LAYERS = "_LAMBDA_LAYERS_DIRS"


class Original:
    """A running process that is copied for all workers whose layers bring the same."""

    def __init__(self, layers: str) -> None:
        self._asking = threading.Lock()
        self._socket, theirs = socket.socketpair()
        with theirs:
            # -P: what lies beside this file is no function's business.
            self._process = subprocess.Popen(  # noqa: S603, this file
                [sys.executable, "-P", __file__, str(theirs.fileno()), layers],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def copy(self, script: str, folder: str, environment: dict[str, str], streams: list[int]) -> int:
        """Start a worker, and return its process's id."""
        order = json.dumps([script, folder, environment]).encode()
        with self._asking:
            socket.send_fds(self._socket, [LENGTH.pack(len(order))], streams)
            self._socket.sendall(order)
            return int(LENGTH.unpack(_received(self._socket, LENGTH.size))[0])


class Worker:
    """A copy, with what the emulator asks of ``subprocess.Popen``."""

    def __init__(self, script: str, folder: str, environment: dict[str, str]) -> None:
        (stdin, self_in), (self_out, stdout), (self_err, stderr), (self._alive, alive) = (
            os.pipe() for _ in range(4)
        )
        theirs = [stdin, stdout, stderr, alive]
        layers = map(os.path.realpath, environment[LAYERS].split(os.pathsep))
        try:
            imported = os.pathsep.join(filter(_brings_what_is_imported, layers))
            self.pid = original(imported).copy(script, folder, environment, theirs)
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        self.stdin = open(self_in, "w", buffering=1, encoding="utf-8")  # noqa: SIM115, PTH123, a pipe
        self.stdout = open(self_out, encoding="utf-8")  # noqa: SIM115, PTH123
        self.stderr = open(self_err, encoding="utf-8", errors="replace")  # noqa: SIM115, PTH123
        self.returncode: int | None = None
        self._looking = threading.Lock()

    def poll(self) -> int | None:
        return self._ended_within(0)

    def wait(self, timeout: float | None = None) -> int:
        ended = self._ended_within(timeout)
        if ended is None:
            raise subprocess.TimeoutExpired("a worker", timeout or 0)
        return ended

    def _ended_within(self, seconds: float | None) -> int | None:
        """Wait for the end of a pipe that the worker alone holds."""
        with self._looking:
            if self.returncode is None:
                waiting = select.poll()
                waiting.register(self._alive)
                if waiting.poll(None if seconds is None else seconds * 1000):
                    self.returncode = 0
                    os.close(self._alive)
            return self.returncode

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


@cache
def original(layers: str) -> Original:
    return Original(layers)


def copy_workers() -> None:
    """Let the emulator's workers be copies."""
    from ministack.core import lambda_runtime

    def start(command: list[str], **options: Any) -> Any:
        environment = options.get("env") or {}
        if command[0] == sys.executable and environment.get(LAYERS):
            return Worker(command[1], options["cwd"], environment)
        return subprocess.Popen(command, **options)  # noqa: S603, the emulator's own

    changed: Any = SimpleNamespace(**vars(subprocess) | {"Popen": start})
    lambda_runtime.subprocess = changed


def _received(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def _brings_what_is_imported(layer: str) -> bool:
    packages = {name.partition(".")[0] for name in FROM_OTHERS}
    return any((folder / package).exists() for folder in _folders(layer) for package in packages)


def _folders(layer: str) -> list[Path]:
    return [Path(layer) / "python", *Path(layer).glob("python/lib/*/site-packages")]


def _import_from(layers: list[str]) -> None:
    """Import what functions use of a layer, from where their workers find it."""
    path = list(sys.path)
    for layer in layers:
        first, *others = _folders(layer)
        sys.path.insert(0, str(first))
        for folder in others:
            site.addsitedir(str(folder))
    for name in FROM_OTHERS:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    sys.path[:] = path


def _serve(connection: socket.socket) -> None:
    while True:
        head, streams, *_ = socket.recv_fds(connection, LENGTH.size, 4)
        if not head:
            return
        order = json.loads(_received(connection, LENGTH.unpack(head)[0]))
        if (pid := os.fork()) == 0:
            connection.close()
            _become(order, streams)
        for descriptor in streams:
            os.close(descriptor)
        connection.sendall(LENGTH.pack(pid))


def _become(order: tuple[str, str, dict[str, str]], streams: list[int]) -> None:
    """Be a worker until it ends; the fourth stream stays open until then."""
    script, folder, environment = order
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for standard, descriptor in enumerate(streams[:3]):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = [script]
    sys.path.insert(0, str(Path(script).parent))
    try:
        runpy.run_path(script, run_name="__main__")
        sys.stderr.flush()
    finally:
        os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the emulator sees the end of a worker by itself
    _import_from([layer for layer in sys.argv[2].split(os.pathsep) if layer])
    _serve(socket.socket(fileno=int(sys.argv[1])))
