"""Ports on the loopback address."""

from __future__ import annotations

import random
import socket

from local.errors import LocalStackError
from local.settings import HOST

#: Below the ports of outgoing connections, which could take a port before its server does.
FOR_SERVERS = range(20_000, 32_000)
#: How many of them are tried: nearly all are free, and to shuffle them all takes 45 ms.
TRIES = 500


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        # As servers do: lingering connections of a stopped server are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def require_free(port: int, setting: str) -> None:
    if not is_free(port):
        raise LocalStackError(
            f"Port {port} is taken, perhaps by another local stack. Stop that or choose another: {setting}=…"
        )


def free_port() -> int:
    """Return a port for a server that starts soon, and may stop and start again."""
    # Not the shared generator: programs with the same seed would choose the same ports.
    chosen = random.SystemRandom().sample(FOR_SERVERS, TRIES)
    return next(port for port in chosen if is_free(port))
