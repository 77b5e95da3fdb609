"""The AWS emulator as the local stack runs it: what survives a kill, what it says, what it forgets."""

from __future__ import annotations

import asyncio
import fcntl
import io
import json
import os
import signal
import threading
import time
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import BotoCoreError, ClientError

from local.aws import Aws
from local.bounds import LOG_EVENTS
from local.emulator import Emulator, start_emulator
from tests.support.event_loop import event_loop

TABLE = "items"
SECONDS = 240
FIRST_ITEMS = 3_000  # enough for a snapshot to take longer than one insert


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

    with event_loop() as loop:
        loop.run(run())


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


def put_items(aws: Aws, name: str, number_of_items: int, start: int = 0) -> None:
    dynamodb = aws.client("dynamodb")
    for first in range(start, start + number_of_items, 25):
        numbers = range(first, min(first + 25, start + number_of_items))
        puts = [{"PutRequest": {"Item": {"pk": {"S": f"item-{name}-{number}"}}}} for number in numbers]
        dynamodb.batch_write_item(RequestItems={TABLE: puts})


@contextmanager
def steady_inserts(aws: Aws, writers: int = 2) -> Iterator[None]:
    """Add items until the emulator is gone or this ends."""
    stop = threading.Event()

    def insert(writer: int) -> None:
        for start in count(0, 100):
            try:
                put_items(aws, str(writer), 100, start)
            except (BotoCoreError, ClientError):
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
        await asyncio.to_thread(put_items, aws, "first", FIRST_ITEMS)

        def another_snapshot() -> bool:
            number = len(saved_items(tmp_path))
            if number > (seen[-1] if seen else FIRST_ITEMS):
                seen.append(number)
            return len(seen) == 2

        with steady_inserts(aws):
            await until(another_snapshot)
            os.kill(emulator.process.pid, signal.SIGKILL)

    async def look(_emulator: Emulator, aws: Aws) -> None:
        found = await asyncio.to_thread(items, aws)
        assert len(kept) >= seen[-1] > seen[0] > FIRST_ITEMS
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


def write_events(aws: Aws, total: int) -> None:
    logs, now = aws.client("logs"), int(time.time() * 1000)
    logs.create_log_group(logGroupName="group")
    logs.create_log_stream(logGroupName="group", logStreamName="stream")
    for start in range(0, total, 500):
        events = [
            {"timestamp": now + number, "message": str(number)}
            for number in range(start, min(start + 500, total))
        ]
        logs.put_log_events(logGroupName="group", logStreamName="stream", logEvents=events)


HANDLER = """
import json

def handler(event, context):
    answer = json.loads((event.get("queryStringParameters") or {})["answer"])
    if isinstance(answer, dict) and isinstance(answer.get("letters"), int):
        answer["body"] = "x" * answer.pop("letters")
    return answer
"""


def make_api(aws: Aws) -> str:
    """Deploy a function behind an API, which answers what it is told to, and return its address."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", HANDLER)
    function = aws.client("lambda").create_function(
        FunctionName="echo",
        Runtime="python3.13",
        Handler="app.handler",
        Role="arn:aws:iam::000000000000:role/echo",
        Code={"ZipFile": buffer.getvalue()},
    )["FunctionArn"]
    gateway = aws.client("apigateway")
    api = gateway.create_rest_api(name="api")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    resource = gateway.create_resource(restApiId=api, parentId=root, pathPart="echo")["id"]
    method = {"restApiId": api, "resourceId": resource, "httpMethod": "GET"}
    gateway.put_method(**method, authorizationType="NONE")
    uri = f"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{function}/invocations"
    gateway.put_integration(**method, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    gateway.create_deployment(restApiId=api, stageName="live")
    return f"{aws.endpoint_url}/_aws/execute-api/{api}/live/echo"


TAKEN: list[Any] = [
    {"statusCode": 200, "body": "x"},
    {"statusCode": "204"},
    {"statusCode": 429, "body": '{"detail":"No."}', "headers": {"Retry-After": 1}},
    {"statusCode": 200, "letters": 6 * 1024 * 1024 - 200},
]
REFUSED: list[Any] = [
    None,
    "text",
    [],
    {"foo": 1},
    {"statusCode": True},
    {"statusCode": "OK"},
    {"statusCode": 200, "body": {"a": 1}},
    {"statusCode": 200, "isBase64Encoded": "yes"},
    {"statusCode": 200, "headers": {"a": ["b"]}},
    {"statusCode": 200, "multiValueHeaders": {"a": "b"}},
    {"statusCode": 200, "letters": 6 * 1024 * 1024},
]


def test_malformed_and_too_large_answers_are_refused(tmp_path: Path) -> None:
    def ask(aws: Aws) -> None:
        address = make_api(aws)
        with requests.Session() as session:
            session.trust_env = False
            for answer in (*TAKEN, *REFUSED):
                told = session.get(address, params={"answer": json.dumps(answer)}, timeout=60)
                expected = int(answer["statusCode"]) if answer in TAKEN else 502
                assert told.status_code == expected, answer

    async def work(_emulator: Emulator, aws: Aws) -> None:
        await asyncio.to_thread(ask, aws)

    in_emulator(tmp_path, work)
