"""The whole local stack in a process of its own: on free ports, on data of its own.

`AUTH=true` in the environment makes the emulator enforce each function's own role.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from local.aws import Aws
from local.ports import free_port
from local.stack import DESCRIPTION

ROOT = Path(__file__).resolve().parent.parent
SECONDS_TO_START = 180
SECONDS_TO_STOP = 40
SCOPES = ("jobs", "jira", "tokens", "ticketing", "admin")
KEYS = {"*": "local-key"} | {scope: f"key-for-{scope}" for scope in SCOPES}


class Stack:
    """A local stack, in a process of its own.

    Attributes
    ----------
    url, atlassian_url
        Where the product and the emulated Jira answer.
    outputs
        The outputs of template.yaml: names of tables and functions.
    keys
        A key for each scope, and one for all of them, named `*`.
    """

    keys: Mapping[str, str] = KEYS

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.port, self.atlassian_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.atlassian_url = f"http://127.0.0.1:{self.atlassian_port}"
        self._session = requests.Session()
        self._session.trust_env = False
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "local", "run", "--no-demo"],
            cwd=ROOT,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        output: list[str] = []
        ready = threading.Event()
        self._follower = threading.Thread(target=_follow, args=(self._process, output, ready), daemon=True)
        self._follower.start()
        if not ready.wait(SECONDS_TO_START) or self._process.poll() is not None:
            self.stop()
            pytest.fail(f"The local stack did not start:\n{''.join(output)}")

    def stop(self) -> None:
        """Stop as Ctrl-C does."""
        assert self._process
        self._process.terminate()
        try:
            self._process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._follower.join()

    def kill(self) -> None:
        """End without a chance to save anything."""
        assert self._process
        self._process.kill()
        self._follower.join()

    def wait(self) -> int:
        """Wait for an end of its own accord."""
        assert self._process
        self._follower.join(SECONDS_TO_STOP)
        return self._process.wait(1)

    def close(self) -> None:
        self.stop()
        self._session.close()

    def environment(self) -> dict[str, str]:
        """What a stack on these ports and data is started with."""
        callers = [{"name": scope, "key": KEYS[scope], "scopes": [scope]} for scope in SCOPES]
        return os.environ | {
            "PORT": str(self.port),
            "ATLASSIAN_PORT": str(self.atlassian_port),
            "DATA_DIR": str(self.data_dir),
            "API_KEY": KEYS["*"],
            "API_KEYS": json.dumps(callers),
            "PYTHONUNBUFFERED": "1",
        }

    def description(self) -> dict[str, Any]:
        description: dict[str, Any] = json.loads((self.data_dir / DESCRIPTION).read_text())
        return description

    @property
    def outputs(self) -> dict[str, str]:
        outputs: dict[str, str] = self.description()["outputs"]
        return outputs

    def client(self, service: str) -> Any:
        """A boto3 client of the emulated account, with every right."""
        return Aws(self.description()["aws_endpoint_url"]).client(service)

    def request(
        self, method: str, path: str, *, scope: str | None = "*", timeout: float = 60, **arguments: Any
    ) -> requests.Response:
        """Ask the product, with the key of a scope; without any key if the scope is None."""
        headers = dict(arguments.pop("headers", {}))
        if scope is not None:
            headers["Authorization"] = f"Bearer {KEYS[scope]}"
        url = self.url + path
        return self._session.request(method, url, headers=headers, timeout=timeout, **arguments)


def _follow(process: subprocess.Popen[str], output: list[str], ready: threading.Event) -> None:
    """Read what the stack prints, to its end: a full pipe would stop it."""
    assert process.stdout
    with process.stdout:
        for line in process.stdout:
            output.append(line)
            if line.startswith("Ready:"):
                ready.set()
    process.wait()
    ready.set()


@contextmanager
def running(data_dir: Path) -> Iterator[Stack]:
    stack = Stack(data_dir)
    stack.start()
    try:
        yield stack
    finally:
        stack.close()
