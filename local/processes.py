"""The programs of the local stack: the AWS emulator and the emulated Atlassian."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp

from local.errors import LocalStackError

ROOT = Path(__file__).resolve().parent.parent
POLL_SECONDS = 0.05
LINES_OF_LOG = 5


class Process:
    """A running program."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process
        self._relay = asyncio.ensure_future(self._relay_what_it_says())

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait_until_it_answers(self, url: str, within: float) -> None:
        """Wait for the first answer with status 200."""
        try:
            async with asyncio.timeout(within), aiohttp.ClientSession() as session:
                while not await _answers(session, url):
                    self._raise_if_ended()
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise LocalStackError(
                f"{self.name} did not start within {within:.0f} s; see {self.log}"
            ) from None

    async def wait_until_it_ends(self) -> None:
        await self._process.wait()

    async def stop(self, within: float = 20) -> None:
        """Ask the program to end, so that it saves its data; kill it if it does not."""
        if self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(within):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._relay

    async def _relay_what_it_says(self) -> None:
        """Show what the program wants the user to see."""
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            print(f"{self.name}: {line.decode(errors='replace').rstrip()}", file=sys.stderr, flush=True)

    def ended_message(self) -> str:
        return f"{self.name} has ended unexpectedly; see {self.log}:\n{self._last_lines()}"

    def _raise_if_ended(self) -> None:
        if self._process.returncode is not None:
            raise LocalStackError(self.ended_message())

    def _last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LINES_OF_LOG:])


async def start_process(
    name: str, module: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path, lock: int
) -> Process:
    """Start a module as a program that ends with this one and shares its lock."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "local.tether", module, *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=output,
            stderr=asyncio.subprocess.PIPE,
            env=dict(environment),
            cwd=ROOT,
            pass_fds=(lock,),
            # Ctrl-C reaches the terminal's whole group; this program stops the others itself, in order.
            start_new_session=True,
        )
    return Process(name, process, log)


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False
