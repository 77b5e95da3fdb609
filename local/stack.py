"""The local stack as a whole: what starts in which order, and what stops."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import importlib.util
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.aws import Aws
from local.deploy import Deployed, deploy
from local.emulator import Emulator, remove_temporary_files, start_emulator
from local.errors import LocalStackError
from local.ports import require_free
from local.processes import Process, start_process
from local.proxy import Front
from local.secrets import fill_secrets
from local.settings import Settings

SECONDS_FOR_AN_OWNER_TO_STOP = 5
SECONDS_FOR_PARTS_TO_STOP = 60  # of a dead stack; local/tether.py kills them earlier
POLL_SECONDS = 0.1
DESCRIPTION = "stack.json"  # in the data folder: where the parts of the running stack are


@dataclass(frozen=True)
class LocalStack:
    """A running stack."""

    settings: Settings
    aws: Aws
    deployed: Deployed
    processes: tuple[Process, ...]

    async def wait_until_a_part_ends(self) -> str:
        """Wait until a program ends unexpectedly, and return its name."""
        waits = {asyncio.ensure_future(process.wait_until_it_ends()): process for process in self.processes}
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return waits[done.pop()].ended_message()


@asynccontextmanager
async def running_stack(settings: Settings) -> AsyncIterator[LocalStack]:
    """Start everything; stop it in the opposite order, so that the last request's effects are saved."""
    async with AsyncExitStack() as stack:
        lock = await stack.enter_async_context(_own_data(settings.data_dir))
        require_free(settings.port, "PORT")
        require_free(settings.atlassian_port, "ATLASSIAN_PORT")
        stack.callback(remove_temporary_files, settings.data_dir)
        _say("the AWS emulator")
        emulator = await start_emulator(settings.data_dir, lock, enforce_roles=settings.enforce_roles)
        stack.push_async_callback(emulator.process.stop)
        processes = [emulator.process]
        _say("the emulated Jira")
        if atlassian := await _start_atlassian(settings, lock):
            stack.push_async_callback(atlassian.stop)
            processes.append(atlassian)
        front = Front(settings.port)
        stack.push_async_callback(front.stop)
        await front.start()
        aws = Aws(emulator.url)
        _say("template.yaml: functions, tables, queues (the first time, half a minute)")
        deployed = await asyncio.to_thread(_deploy, aws, settings)
        front.serve_api(emulator.url, deployed.api_id)
        stack.enter_context(_described(settings, emulator, deployed))
        yield LocalStack(settings, aws, deployed, tuple(processes))


def _say(part: str) -> None:
    """Tell what is being started, while it is."""
    print(f"  {part} ...", flush=True)


def _deploy(aws: Aws, settings: Settings) -> Deployed:
    deployed = deploy(aws, settings)
    fill_secrets(aws, deployed.outputs, settings.callers)
    return deployed


async def _start_atlassian(settings: Settings, lock: int) -> Process | None:
    """Start the emulated Atlassian, if this checkout has it."""
    if importlib.util.find_spec("local.atlassian.__main__") is None:
        return None
    data_dir = settings.data_dir / "atlassian"
    data_dir.mkdir(exist_ok=True)
    process = await start_process(
        "The emulated Atlassian",
        "local.atlassian",
        ["--port", str(settings.atlassian_port), "--data-dir", str(data_dir)],
        {"PATH": os.defpath, "LANG": "C.UTF-8"},
        settings.data_dir / "atlassian.log",
        lock,
    )
    try:
        await process.wait_until_it_answers(f"{settings.atlassian_url}/_control", within=120)
    except BaseException:
        await process.stop()
        raise
    return process


@asynccontextmanager
async def _own_data(data_dir: Path) -> AsyncIterator[int]:
    """Lock the data, and return the lock that the programs of this stack hold as well.

    There are two locks, and both end with the processes that hold them. Only this process holds the owner's:
    it shows that a stack is running, because two stacks would overwrite each other's data. The parts' lock
    shows that programs of a killed stack are still saving; a new stack waits for them.
    """
    with (
        _lock_file(data_dir, "lock").open("w") as owner,
        _lock_file(data_dir, "lock-of-parts").open("w") as parts,
    ):
        if not await asyncio.to_thread(_locked_within, owner.fileno(), SECONDS_FOR_AN_OWNER_TO_STOP):
            raise LocalStackError(
                f"Another local stack uses the data in {data_dir}. Stop that or choose other data: DATA_DIR=…"
            )
        if not await asyncio.to_thread(_locked_within, parts.fileno(), SECONDS_FOR_PARTS_TO_STOP):
            raise LocalStackError(f"Programs of a stack that was killed still use the data in {data_dir}")
        yield parts.fileno()


def _lock_file(data_dir: Path, name: str) -> Path:
    data_dir.mkdir(parents=True, exist_ok=True)
    return data_dir / name


def _locked_within(descriptor: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not (locked := _locked(descriptor)) and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
    return locked


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _described(settings: Settings, emulator: Emulator, deployed: Deployed) -> Iterator[None]:
    """Write down where everything is, for tests and tools, while the stack runs."""
    note = settings.data_dir / DESCRIPTION
    description = {
        "url": settings.url,
        "atlassian_url": settings.atlassian_url,
        "aws_endpoint_url": emulator.url,
        "emulator_pid": emulator.process.pid,
        "api_id": deployed.api_id,
        "outputs": dict(deployed.outputs),
    }
    note.write_text(json.dumps(description, indent=2))
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            note.unlink()
