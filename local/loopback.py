#!/usr/bin/env python3
"""Make 127.0.0.1 inside a container lead to this machine's 127.0.0.1, for a few ports.

The local stack listens only on 127.0.0.1, and stores addresses there: of Jira sites, of queues. They must
work unchanged in the containers of `sam local`. This file is both ends of the connection. `serve_machine`
runs on the machine, at an address that containers reach. `main` runs in the container, as
AWS_LAMBDA_EXEC_WRAPPER: it listens on the container's 127.0.0.1, then becomes the runtime. Each connection
begins with a secret and a port, because the emulator obeys every caller.

Standard library only: the container's end starts before any layer is on the path.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

HOST = "127.0.0.1"
SETTINGS = "LOOPBACK"  # the environment variable that the container's end reads
SECONDS_TO_GREET = 5
LARGEST_GREETING = 256
CHUNK = 64 * 1024


async def serve_machine(
    listening: Sequence[socket.socket], secret: str, targets: Mapping[int, tuple[str, int]]
) -> list[asyncio.Server]:
    """Connects callers that know the secret.

    Parameters
    ----------
    targets
        Where each port of the container's 127.0.0.1 leads to.
    """

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError, KeyError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            line = await asyncio.wait_for(reader.readline(), SECONDS_TO_GREET)
            known, _, port = line.strip().partition(b" ")
            if hmac.compare_digest(known, secret.encode()):
                await _join(reader, writer, *await asyncio.open_connection(*targets[int(port)]))
        writer.close()

    return [
        await asyncio.start_server(greet, sock=each, limit=LARGEST_GREETING, start_serving=True)
        for each in listening
    ]


async def serve_container(
    listening: Sequence[socket.socket], ports: Sequence[int], address: tuple[str, int], secret: str
) -> list[asyncio.Server]:
    """Take connections to the ports over to the machine."""

    def to_machine(port: int) -> Any:
        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                far_reader, far_writer = await asyncio.open_connection(*address)
            except OSError as error:
                print(f"{address[0]}:{address[1]}: {error}. Is make sam-local running?", file=sys.stderr)
                writer.close()
                return
            far_writer.write(f"{secret} {port}\n".encode())
            await _join(reader, writer, far_reader, far_writer)

        return forward

    return [
        await asyncio.start_server(to_machine(port), sock=each)
        for each, port in zip(listening, ports, strict=True)
    ]


async def _join(
    near_reader: asyncio.StreamReader,
    near_writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
) -> None:
    try:
        await asyncio.gather(_copy(near_reader, far_writer), _copy(far_reader, near_writer))
    finally:
        near_writer.close()
        far_writer.close()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await source.read(CHUNK):
            sink.write(chunk)
            await sink.drain()
        sink.write_eof()


def main() -> None:
    """Serve the container in a separate process, and become the runtime in this one."""
    settings = json.loads(os.environ[SETTINGS])
    listening = [
        socket.create_server((HOST, port)) for port in settings["ports"]
    ]  # before a function can ask
    if os.fork():
        os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606, the runtime's own start
    asyncio.run(_serve_for_ever(listening, settings))


async def _serve_for_ever(listening: Sequence[socket.socket], settings: Mapping[str, Any]) -> None:
    await serve_container(
        listening, settings["ports"], (settings["host"], settings["port"]), settings["secret"]
    )
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
