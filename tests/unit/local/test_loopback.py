"""A container's 127.0.0.1 leads to the machine's, for those who know the secret."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from local import loopback
from local.ports import free_port

SECRET = "0123456789abcdef"
SECONDS = 30
#: What a runtime does: it asks at an address of the machine's loopback, from its first moment on.
RUNTIME = """
import socket, sys
try:
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20) as asked:
        asked.sendall(b"x" * 300_000)
        asked.shutdown(socket.SHUT_WR)
        print(sum(map(len, iter(lambda: asked.recv(65536), b""))), flush=True)
except OSError:
    print(0, flush=True)
"""


@asynccontextmanager
async def machine(container_port: int) -> AsyncIterator[int]:
    """A machine with a service that sends back what it gets, and the tunnel to it."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read())
        await writer.drain()
        writer.close()

    service = await asyncio.start_server(echo, "127.0.0.1", 0)
    target = service.sockets[0].getsockname()
    listening = socket.create_server(("127.0.0.1", 0))
    tunnels = await loopback.serve_machine([listening], SECRET, {container_port: target})
    try:
        yield listening.getsockname()[1]
    finally:
        for server in (service, *tunnels):
            server.close()


async def run_in_container(container_port: int, tunnel_port: int) -> tuple[str, str]:
    """Start the runtime as the container does, and return what it prints."""
    settings = {"host": "127.0.0.1", "port": tunnel_port, "secret": SECRET, "ports": [container_port]}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, loopback.__file__, sys.executable, "-c", RUNTIME, str(container_port)),
        env={"PATH": os.defpath, loopback.SETTINGS: json.dumps(settings)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout
    assert process.stderr
    try:
        printed = await asyncio.wait_for(process.stdout.readline(), SECONDS)
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # the container ends, and its end of the tunnel with it
        await process.wait()
    # Both to their ends: a pipe that is left open is told of in whatever test runs when it is collected.
    _, warned = await asyncio.gather(process.stdout.read(), process.stderr.read())
    return printed.decode().strip(), warned.decode()


def test_a_runtime_reaches_the_machine_at_its_own_loopback() -> None:
    async def reach() -> tuple[str, str]:
        port = free_port()
        async with machine(port) as tunnel:
            return await run_in_container(port, tunnel)

    assert asyncio.run(reach()) == ("300000", "")


def test_without_a_machine_the_runtime_hears_what_to_start() -> None:
    printed, warned = asyncio.run(run_in_container(free_port(), free_port()))
    assert printed == "0"
    assert "Is make sam-local running?" in warned


@pytest.mark.parametrize(
    "greeting",
    [
        pytest.param(b"wrong 7\n", id="wrong secret"),
        pytest.param(f"{SECRET} 8\n".encode(), id="port that was not asked for"),
        pytest.param(f"{SECRET} \n".encode(), id="no port"),
        pytest.param(f"{SECRET} seven\n".encode(), id="no number"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="another protocol"),
        pytest.param("pässword 7\n".encode(), id="not ASCII"),
        pytest.param(b"x" * 100_000, id="endless"),
        pytest.param(b"", id="silence"),
    ],
)
def test_strangers_get_no_answer(greeting: bytes) -> None:
    async def ask() -> bytes:
        async with machine(7) as tunnel:
            reader, writer = await asyncio.open_connection("127.0.0.1", tunnel)
            writer.write(greeting + b"secrets, please")
            writer.write_eof()
            try:
                return await asyncio.wait_for(reader.read(), SECONDS)
            except ConnectionError:
                return b""
            finally:
                writer.close()

    assert asyncio.run(ask()) == b""


def test_the_known_greeting_is_answered() -> None:
    async def ask() -> bytes:
        async with machine(7) as tunnel:
            reader, writer = await asyncio.open_connection("127.0.0.1", tunnel)
            writer.write(f"{SECRET} 7\nhello".encode())
            writer.write_eof()
            answer = await asyncio.wait_for(reader.read(), SECONDS)
            writer.close()
            return answer

    assert asyncio.run(ask()) == b"hello"
