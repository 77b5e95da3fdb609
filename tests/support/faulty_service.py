"""A service that remembers effects and Idempotency-Keys as the product does, and fails as networks do."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Fault = Literal["429", "503", "502", "lost before", "lost after", "half", "page", "slow"]


@dataclass
class FaultyService:
    """Counts effects; takes one planned fault for each request.

    Attributes
    ----------
    faults
        What happens to the next requests, first come first; None lets one through.
    effects
        How often each request, by method and path, was carried out.
    requests
        Method, path, headers and body of all that arrived.
    """

    faults: list[Fault | None] = field(default_factory=list)
    effects: Counter[str] = field(default_factory=Counter)
    requests: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    url: str = ""
    slowness: threading.Event = field(default_factory=threading.Event)
    _remembered: dict[str, tuple[int, Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def carry_out(self, method: str, path: str, key: str | None) -> tuple[int, Any]:
        """Do a request's work, once for each key."""
        with self._lock:
            name = f"{method} {path.partition('?')[0]}"
            if key in self._remembered:
                return self._remembered[key]
            answer = self.answers.get(name, (200, {"id": "1"}))
            if answer[0] < 300:
                self.effects[name] += 1
            if key and answer[0] < 300:
                self._remembered[key] = answer
            return answer

    def next_fault(self) -> Fault | None:
        with self._lock:
            return self.faults.pop(0) if self.faults else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is sent in one piece
    service: FaultyService

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        service = self.service
        service.requests.append(
            (self.command, self.path, dict(self.headers), json.loads(body) if body else None)
        )
        fault = service.next_fault()
        if fault == "lost before":
            return self._hang_up()
        if fault in ("429", "503", "502"):
            return self._answer(int(fault), {"message": "busy"}, {"Retry-After": "0"})
        if fault == "page":
            return self._answer(200, "<html>Log in</html>", {})
        status, content = service.carry_out(self.command, self.path, self.headers.get("Idempotency-Key"))
        if fault == "slow":
            service.slowness.wait(30)
        if fault == "lost after":
            return self._hang_up()
        return self._answer(status, content, {}, half=fault == "half")

    do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, status: int, content: Any, headers: dict[str, str], *, half: bool = False) -> None:
        body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if half else body)
        self.wfile.flush()
        if half:
            self._hang_up()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def faulty_service(tls: ssl.SSLContext | None = None) -> Iterator[FaultyService]:
    service = FaultyService()
    handler = type("Handler", (_Handler,), {"service": service})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    service.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    try:
        yield service
    finally:
        service.slowness.set()
        server.shutdown()
        server.server_close()
