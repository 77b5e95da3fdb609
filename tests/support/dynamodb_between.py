"""A proxy between a function and the emulated DynamoDB that does what a network and a busy table do.

The emulator commits one transaction after the other and loses no answer. Here some transactions commit and
their answer is lost, some never arrive, and two that touch the same item at the same time conflict, as they
do in DynamoDB.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import aiohttp
from aiohttp import web

from tests.support.deployed import Stack

TRANSACTION = "DynamoDB_20120810.TransactWriteItems"
#: How long a transaction holds its items here: about what one takes in DynamoDB.
HOLD_SECONDS = 0.004


class Between:
    """The proxy, and what it does to transactions.

    Attributes
    ----------
    lost_answers, lost_requests
        Which part of the transactions commit without an answer, or never arrive.
    together
        If set, that many transactions wait for each other before the first of them goes on.
    seen
        How many transactions there were, and what became of them.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.url = ""
        self.seen: Counter[str] = Counter()
        self.calm()
        self._random = Random(1)
        self._held: Counter[tuple[str, str]] = Counter()
        self._waiting: list[asyncio.Future[None]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def calm(self) -> None:
        self.lost_answers = 0.0
        self.lost_requests = 0.0
        self.together = 1
        self.seen.clear()

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(60)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    async def _start(self) -> None:
        self._session = aiohttp.ClientSession(auto_decompress=False, trust_env=False)
        application = web.Application(client_max_size=16 * 1024 * 1024)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"

    async def _stop(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if request.headers.get("X-Amz-Target") != TRANSACTION:
            return await self._forward(request, body)
        self.seen["transactions"] += 1
        await self._meet()
        if self._random.random() < self.lost_requests:
            self.seen["requests lost"] += 1
            return _cut(request)
        items = [_item(write) for write in json.loads(body)["TransactItems"]]
        if self.together == 1 and any(self._held[item] for item in items):
            self.seen["conflicts"] += 1
            return _conflict([bool(self._held[item]) for item in items])
        self._held.update(items)
        try:
            answer = await self._forward(request, body)
            await asyncio.sleep(HOLD_SECONDS)
        finally:
            self._held.subtract(items)
        if self._random.random() < self.lost_answers:
            self.seen["answers lost"] += 1
            return _cut(request)
        return answer

    async def _meet(self) -> None:
        """Wait until as many transactions as wanted are here."""
        if self.together == 1:
            return
        here = self._loop.create_future()
        self._waiting.append(here)
        if len(self._waiting) == self.together:
            for waiting in self._waiting:
                waiting.set_result(None)
            self._waiting.clear()
        await here

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        async with self._session.request(
            request.method, f"{self.upstream}{request.raw_path}", headers=request.headers, data=body
        ) as upstream:
            content = await upstream.read()
            headers = {
                name: value for name, value in upstream.headers.items() if name.lower().startswith("x-amz")
            }
            headers["Content-Type"] = upstream.headers.get("Content-Type", "application/x-amz-json-1.0")
            return web.Response(status=upstream.status, body=content, headers=headers)


def _cut(request: web.Request) -> web.Response:
    assert request.transport
    request.transport.abort()
    return web.Response()


def _item(write: dict[str, Any]) -> tuple[str, str]:
    (action,) = write.values()
    key = action.get("Key") or action["Item"]
    return key["pk"]["S"], key["sk"]["S"]


def _conflict(held: list[bool]) -> web.Response:
    codes = ["TransactionConflict" if conflicts else "None" for conflicts in held]
    body = {
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": f"Transaction cancelled, please refer cancellation reasons for specific reasons [{', '.join(codes)}]",
        "CancellationReasons": [{"Code": code} for code in codes],
    }
    return web.json_response(body, status=400, content_type="application/x-amz-json-1.0")


@contextmanager
def between(stack: Stack) -> Iterator[Between]:
    """Put the proxy between the jobs function and the table, and take it away again."""
    proxy = Between(stack.description()["aws_endpoint_url"])
    proxy.start()
    functions = stack.client("lambda")
    name = stack.outputs["JobsFunctionName"]
    live = functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    through_the_proxy = variables | {"AWS_ENDPOINT_URL_DYNAMODB": proxy.url}
    try:
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": through_the_proxy}
        )
        # API Gateway calls the alias: what it runs changes with a new version alone.
        version = functions.publish_version(FunctionName=name)["Version"]
        functions.update_alias(FunctionName=name, Name="live", FunctionVersion=version)
        yield proxy
    finally:
        functions.update_alias(FunctionName=name, Name="live", FunctionVersion=live)
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        proxy.stop()
