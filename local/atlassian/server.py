"""Put an emulator together: default or saved data, switches, the application, the socket."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from aiohttp import web

from local.atlassian import default_data
from local.atlassian.application import make_app
from local.atlassian.emulator import Emulator
from local.atlassian.persistence import Keeper, load
from local.atlassian.world import World

STATE_FILE = "atlassian.json"


def listen(port: int) -> socket.socket:
    """Bind a port of the loopback interface, which is the only one this ever listens on."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(512)
    return listener


def build(
    base_url: str, data_dir: Path | None = None, controls: dict[str, Any] | None = None
) -> web.Application:
    """Return an application over the saved state of ``data_dir``, or over the default data."""
    emulator = Emulator(World(), base_url)
    path = data_dir / STATE_FILE if data_dir else None
    if path is None or not load(emulator, path):
        default_data.fill(emulator.world)
    emulator.controls.change(controls or {})
    emulator.world.clock_offset = emulator.controls.clock_offset_seconds
    app = make_app(emulator)
    if path is not None:
        app.cleanup_ctx.append(Keeper(emulator, path).around)
    return app
