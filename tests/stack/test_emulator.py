"""The AWS emulator as the local stack runs it: what survives a kill, what it says, what it forgets."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.aws import Aws
from local.bounds import LOG_EVENTS
from local.emulator import Emulator, start_emulator

TABLE = "items"
SECONDS = 60


@asynccontextmanager
async def running_emulator(data_dir: Path) -> AsyncIterator[Emulator]:
    with (data_dir / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        emulator = await start_emulator(data_dir, lock.fileno(), enforce_roles=False)
        try:
            yield emulator
        finally:
            await emulator.process.stop()


def in_emulator(data_dir: Path, work: Callable[[Emulator, Aws], Awaitable[None]]) -> None:
    async def run() -> None:
        async with running_emulator(data_dir) as emulator:
            await work(emulator, Aws(emulator.url))

    asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what nothing announces."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.2)


def make_table(aws: Aws) -> None:
    aws.client("dynamodb").create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


@contextmanager
def steady_inserts(aws: Aws, writers: int = 2) -> Iterator[None]:
    """Add items, 25 at a time, until the emulator is gone or this ends."""
    stop = threading.Event()

    def insert(writer: int) -> None:
        dynamodb = aws.client("dynamodb")
        for start in range(0, 1_000_000, 25):
            puts = [
                {"PutRequest": {"Item": {"pk": {"S": f"item-{writer}-{number}"}}}}
                for number in range(start, start + 25)
            ]
            try:
                dynamodb.batch_write_item(RequestItems={TABLE: puts})
            except Exception:
                return  # killed
            if stop.is_set():
                return

    threads = [threading.Thread(target=insert, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def saved_items(data_dir: Path) -> set[str]:
    """Return the items of the last complete snapshot."""
    try:
        saved = json.loads((data_dir / "aws" / "complete" / "dynamodb.json").read_text())
    except FileNotFoundError:
        return set()
    return {text for text in _texts(saved) if text.startswith("item-")}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))


def items(aws: Aws) -> set[str]:
    pages = aws.client("dynamodb").get_paginator("scan").paginate(TableName=TABLE)
    return {item["pk"]["S"] for page in pages for item in page["Items"]}


def test_snapshots_succeed_while_items_are_added(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[int] = []

    async def load_and_kill(emulator: Emulator, aws: Aws) -> None:
        await asyncio.to_thread(make_table, aws)

        def another_snapshot() -> bool:
            count = len(saved_items(tmp_path))
            if count > (seen[-1] if seen else 0):
                seen.append(count)
            return len(seen) == 3

        with steady_inserts(aws):
            await until(another_snapshot)
            os.kill(emulator.process.pid, signal.SIGKILL)

    async def look(_emulator: Emulator, aws: Aws) -> None:
        found = await asyncio.to_thread(items, aws)
        assert len(kept) >= seen[-1] > seen[0] > 0
        assert kept <= found

    in_emulator(tmp_path, load_and_kill)
    kept = saved_items(tmp_path)
    in_emulator(tmp_path, look)
    assert "cannot be saved" not in capfd.readouterr().err


def test_snapshot_that_fails_is_told_at_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said = ""

    def has_said(text: str) -> bool:
        nonlocal said
        said += capfd.readouterr().err
        return text in said

    async def obstruct(_emulator: Emulator, aws: Aws) -> None:
        obstacle = tmp_path / "aws" / "state" / "dynamodb.json.tmp"
        obstacle.mkdir(parents=True)
        await asyncio.to_thread(make_table, aws)
        await until(lambda: has_said("What the AWS emulator holds cannot be saved"))
        obstacle.rmdir()
        await until(lambda: has_said("can be saved again"))

    in_emulator(tmp_path, obstruct)
    assert "dynamodb" in said
    assert said.count("cannot be saved") == 1


def test_oldest_events_of_logs_are_forgotten(tmp_path: Path) -> None:
    async def log(_emulator: Emulator, aws: Aws) -> None:
        await asyncio.to_thread(write_events, aws, LOG_EVENTS + 500)

    async def look(_emulator: Emulator, aws: Aws) -> None:
        pages = aws.client("logs").get_paginator("filter_log_events").paginate(logGroupName="group")
        events = [event["message"] for page in pages for event in page["events"]]
        assert len(events) == LOG_EVENTS
        assert events[-1] == str(LOG_EVENTS + 499)

    in_emulator(tmp_path, log)
    in_emulator(tmp_path, look)


def write_events(aws: Aws, count: int) -> None:
    logs, now = aws.client("logs"), int(time.time() * 1000)
    logs.create_log_group(logGroupName="group")
    logs.create_log_stream(logGroupName="group", logStreamName="stream")
    for start in range(0, count, 500):
        events = [
            {"timestamp": now + number, "message": str(number)}
            for number in range(start, min(start + 500, count))
        ]
        logs.put_log_events(logGroupName="group", logStreamName="stream", logEvents=events)
