"""An emulated AWS account with nothing in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from local.emulator import start_emulator
from tests.support.event_loop import event_loop


@contextmanager
def empty_account(folder: Path, *, enforce_roles: bool = True) -> Iterator[str]:
    """Run the emulator on data of its own, and yield its address."""
    with event_loop() as loop:
        emulator = _emulator(folder, enforce_roles=enforce_roles)
        url = loop.run(emulator.__aenter__())
        try:
            yield url
        finally:
            loop.run(emulator.__aexit__(None, None, None))


@asynccontextmanager
async def _emulator(folder: Path, *, enforce_roles: bool) -> AsyncIterator[str]:
    with (folder / "lock").open("w") as lock:
        emulator = await start_emulator(folder, lock.fileno(), enforce_roles=enforce_roles)
        try:
            yield emulator.url
        finally:
            await emulator.process.stop()
