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
from jobticket_client import Jobticket

from local.aws import Aws
from local.ports import free_port
from local.stack import DESCRIPTION
from tests.support.confidences import Confidences

ROOT = Path(__file__).parents[2]
# Much longer than it takes: nothing is proven by these, and a machine may be busy.
SECONDS_TO_START = 600
SECONDS_TO_STOP = 180
SCOPES = ("jobs", "jira", "tokens", "ticketing", "admin")
CLIENT_SECRET = "local-client-secret"
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
    confidences
        What is secret of all that the tests have sent and received.
    """

    keys: Mapping[str, str] = KEYS

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.port, self.atlassian_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.atlassian_url = f"http://127.0.0.1:{self.atlassian_port}"
        self._session = requests.Session()
        self._session.trust_env = False
        self._clients: dict[tuple[str, str], Any] = {}
        self._process: subprocess.Popen[str] | None = None
        self._printed: list[str] = []
        self.confidences = Confidences(dict.fromkeys(KEYS.values(), "key") | {CLIENT_SECRET: "client secret"})

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
        printed, ready = self._printed, threading.Event()
        self._follower = threading.Thread(target=_follow, args=(self._process, printed, ready), daemon=True)
        self._follower.start()
        if not ready.wait(SECONDS_TO_START) or self._process.poll() is not None:
            self.stop()
            pytest.fail(f"The local stack did not start:\n{''.join(printed)}")

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
        """A boto3 client of the emulated account, with every right. To make one takes a tenth of a second."""
        url = self.description()["aws_endpoint_url"]  # another one after a restart, perhaps
        if (url, service) not in self._clients:
            self._clients[url, service] = Aws(url).client(service)
        return self._clients[url, service]

    def request(
        self, method: str, path: str, *, scope: str | None = "*", timeout: float = 120, **arguments: Any
    ) -> requests.Response:
        """Ask the product, with the key of a scope; without any key if the scope is None."""
        headers = dict(arguments.pop("headers", {}))
        if scope is not None:
            headers["Authorization"] = f"Bearer {KEYS[scope]}"
        url = self.url + path
        answer = self._session.request(method, url, headers=headers, timeout=timeout, **arguments)
        for step in (*answer.history, answer):
            self.confidences.note(step)
        return answer

    def api(self, scope: str = "*") -> Jobticket:
        """The product's client, with the key of a scope. It repeats nothing: a test must see what fails."""
        client = Jobticket(self.url, KEYS[scope], deadline=0)
        session = client._transport.session
        session.trust_env = False
        session.hooks["response"].append(lambda answer, **_: self.confidences.note(answer))
        return client

    def told(self) -> dict[str, str]:
        """Return the secrets of this session that stand in clear where they must not, with their kinds."""
        kept = self.data_dir / "atlassian" / "atlassian.json"
        if kept.exists():  # otherwise it has had no request
            issued = json.loads(kept.read_text())["grants"]
            for kind in ("refresh_tokens", "access_tokens"):
                self.confidences.add(kind, *issued[kind])  # also those that no test has seen
        return self.confidences.told_in(self.logged() + self.stored())

    def logged(self) -> str:
        """Return everything that has been logged: by the functions, the gateway and the emulators."""
        files = [path.read_text(errors="replace") for path in sorted(self.data_dir.glob("*.log"))]
        # Not the stack's own words: they name the key that anybody may use there.
        said = [line for line in self._printed if KEYS["*"] not in line]
        return "\n".join([*files, *said, *self._events()])

    def _events(self) -> Iterator[str]:
        """Yield every event of every log group, and what the gateway has written of each call."""
        logs = self.client("logs")
        for groups in logs.get_paginator("describe_log_groups").paginate():
            for group in groups["logGroups"]:
                pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
                for page in pages:
                    yield from (event["message"] for event in page["events"])

    def stored(self) -> str:
        """Return the raw items of every table."""
        dynamodb = self.client("dynamodb")
        tables = [name for output, name in self.outputs.items() if output.endswith("TableName")]
        return "".join(
            repr(item)
            for table in tables
            for page in dynamodb.get_paginator("scan").paginate(TableName=table)
            for item in page["Items"]
        )


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
