"""Run the emulated Atlassian inside a test, in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from aiohttp import web

from local.atlassian.server import build, listen


@contextlib.contextmanager
def running(port: int = 0, *, data_dir: Path | None = None, **controls: object) -> Iterator[str]:
    """Serve a fresh emulated Atlassian and yield its base URL.

    Parameters
    ----------
    port
        The loopback port; 0 takes a free one.
    data_dir
        Where the state is kept; without it nothing is written.
    controls
        Switches as ``PUT /_control`` takes them, set before the first call.
    """
    listener = listen(port)
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = build(base_url, data_dir, dict(controls))
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    ready = threading.Event()
    thread = threading.Thread(target=_serve, args=(loop, app, listener, ready, stop), name="atlassian")
    thread.start()
    try:
        ready.wait(timeout=30)
        if loop.is_closed():
            raise RuntimeError("The emulated Atlassian did not start.")
        yield base_url
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=30)


def _serve(
    loop: asyncio.AbstractEventLoop,
    app: web.Application,
    listener: socket.socket,
    ready: threading.Event,
    stop: asyncio.Event,
) -> None:
    async def serve() -> None:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        await web.SockSite(runner, listener).start()
        ready.set()
        await stop.wait()
        await runner.cleanup()

    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(serve())
    finally:
        ready.set()
        loop.close()
