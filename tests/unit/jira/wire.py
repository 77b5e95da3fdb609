"""A Jira made of bytes: it does to a connection exactly what a test says, and remembers what it was sent."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

#: What a server does with one request: it gets the connection and returns whether to keep it.
Act = Callable[[socket.socket], bool]


def answer(
    status: int = 200,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    *,
    reason: str = "",
    raw: bytes | None = None,
) -> Act:
    """Answer in full, and keep the connection."""

    def act(connection: socket.socket) -> bool:
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} {reason}", f"Content-Length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
        return True

    return act


def send(content: bytes) -> Act:
    """Send these bytes and hang up."""

    def act(connection: socket.socket) -> bool:
        connection.sendall(content)
        return False

    return act


def hang_up(_connection: socket.socket) -> bool:
    """Hang up without an answer: nobody knows whether the work was done."""
    return False


@dataclass
class Sent:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class WireJira:
    url: str
    acts: list[Act]
    requests: list[Sent] = field(default_factory=list)
    connections: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def silent(self, _connection: socket.socket) -> bool:
        """Say nothing until the test is over."""
        self.over.wait()
        return False

    def dripping(self, prefix: bytes) -> Act:
        """Send something every now and then, and never an end."""

        def act(connection: socket.socket) -> bool:
            connection.sendall(prefix)
            with contextlib.suppress(OSError):
                while not self.over.wait(0.02):
                    connection.sendall(b"1")
            return False

        return act


def _read_request(connection: socket.socket) -> Sent | None:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return None
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    method, target, _ = first.split(" ")
    return Sent(method, target, headers, body)


def _serve(jira: WireJira, plain: socket.socket, tls: ssl.SSLContext | None) -> None:
    with (
        contextlib.suppress(OSError),
        plain if tls is None else tls.wrap_socket(plain, server_side=True) as connection,
    ):
        while True:
            request = _read_request(connection)
            if request is None:
                return
            jira.requests.append(request)
            act = jira.acts.pop(0) if jira.acts else answer(599)
            if not act(connection):
                return


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[WireJira]:
    """Serve on a free port; the test fills in ``acts``, one a request."""
    listener = socket.create_server(("127.0.0.1", 0))
    origin = "http://127.0.0.1" if tls is None else "https://localhost"
    jira = WireJira(f"{origin}:{listener.getsockname()[1]}", [])

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            jira.connections += 1
            threading.Thread(target=_serve, args=(jira, connection, tls), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield jira
    finally:
        jira.over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
