"""Run the local stack.

python -m local run     serve until Ctrl-C; on empty data, show first what the product does
python -m local demo    show it on a stack of its own, and end
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Awaitable
from pathlib import Path

from local.demo import DemonstrationError, demonstrate, has_jobs
from local.errors import LocalStackError
from local.ports import free_port
from local.settings import Settings, read_settings
from local.stack import LocalStack, running_stack
from local.warm import start_functions


def main() -> None:
    arguments = _arguments()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    # A profile or an endpoint of a real account must have no effect here.
    for name in [name for name in os.environ if name.startswith("AWS_") and name != "AWS_CA_BUNDLE"]:
        del os.environ[name]
    try:
        settings = read_settings(os.environ)
        if arguments.command == "demo":
            asyncio.run(_until_signal(_demo(settings)))
        else:
            asyncio.run(_until_signal(_run(settings, with_demonstration=not arguments.no_demo)))
    except (LocalStackError, DemonstrationError) as error:
        sys.exit(f"Error: {error}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local", description="The local stack of Jobticket.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="serve until Ctrl-C")
    run.add_argument("--no-demo", action="store_true", help="leave empty data empty")
    commands.add_parser("demo", help="show what the product does, and end")
    return parser.parse_args()


async def _until_signal(work: Awaitable[None]) -> None:
    """Work until done or asked to stop; then stop what was started, in order."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        _say("Stopped.")


async def _run(settings: Settings, *, with_demonstration: bool) -> None:
    _say(f"Starting Jobticket on {settings.url} ...")
    async with running_stack(settings) as stack:
        if with_demonstration:
            await _demonstrate_on_empty_data(stack)
            # Without a person, each starts when it is needed.
            _say("Starting the functions behind the console ...")
            await asyncio.get_running_loop().run_in_executor(None, start_functions, settings)
        _say_ready(stack)
        try:
            ended = await stack.wait_until_a_part_ends()
        except asyncio.CancelledError:
            _say("\nStopping; the data stay ...")
            raise
    raise LocalStackError(ended)


async def _demonstrate_on_empty_data(stack: LocalStack) -> None:
    try:
        if not await asyncio.to_thread(has_jobs, stack.settings):
            await asyncio.to_thread(demonstrate, stack.settings, stack.aws, stack.deployed.outputs)
    except DemonstrationError as error:
        _say(f"The demonstration failed: {error}")


async def _demo(settings: Settings) -> None:
    """Its own ports and data: it must not meet or change a running stack."""
    with tempfile.TemporaryDirectory(prefix="jobticket-demo-") as folder:
        own = dataclasses.replace(
            settings, port=free_port(), atlassian_port=free_port(), data_dir=Path(folder)
        )
        _say("Starting Jobticket for the demonstration ...")
        async with running_stack(own) as stack:
            await asyncio.to_thread(demonstrate, own, stack.aws, stack.deployed.outputs)
    _say("The demonstration is over; everything it started has been stopped.")


def _say_ready(stack: LocalStack) -> None:
    settings = stack.settings
    _say("")
    _say(f"Ready: {settings.url}")
    _say(f"  API key      {settings.api_key}   (Authorization: Bearer {settings.api_key})")
    if "SiteFunction" in stack.deployed.functions:
        _say(f"  Console      {settings.url}/console")
        _say(f"  API page     {settings.url}/docs")
    if len(stack.processes) > 1:
        _say(f"  Ticket page  {settings.atlassian_url}/browse/PI-42")
    _say(f"  AWS          {stack.aws.endpoint_url}   (the emulator: aws --endpoint-url …)")
    _say(f"  Data         {settings.data_dir}")
    _say("Ctrl-C stops it. The demonstration again, on data of its own: make demo")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
