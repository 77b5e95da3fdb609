"""The proxy in front of the AWS emulator: whose answers it replaces, and with what."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web

from jobticket.web.routes import Envelope, detail_envelope, error_envelope, message_envelope
from local.ports import free_port
from local.proxy import Front
from local.template import load_template

GATEWAY_RESPONSES = load_template()["Resources"]["Api"]["Properties"]["GatewayResponses"]
MISSING_ROUTE = {"x-amzn-ErrorType": "MissingAuthenticationTokenException"}
NO_WORKER = '{"Reason":"ConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}'
RAISED = json.dumps({"message": json.dumps({"errorMessage": "boom", "errorType": "Runtime.HandlerError"})})


@dataclass(frozen=True)
class Given:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def through_the_front(emulators: Given | None, method: str = "GET", body: bytes = b"") -> Given:
    """Send a request through the proxy to an emulator that gives an answer; None is one that is not ready."""

    async def exchange() -> Given:
        async def answer(_request: web.Request) -> web.Response:
            assert emulators is not None
            return web.Response(status=emulators.status, body=emulators.body, headers=emulators.headers)

        behind = web.Application(client_max_size=2**30)
        behind.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(behind)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        front = Front(free_port())
        await front.start()
        if emulators is not None:
            front.serve_api(f"http://127.0.0.1:{port}", "api")
        url = f"http://127.0.0.1:{front.port}/api/jobs"
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.request(method, url, data=io.BytesIO(body) if body else None) as response,
            ):
                return Given(response.status, await response.read(), response.headers)
        finally:
            await front.stop()
            await runner.cleanup()

    return asyncio.run(exchange())


@pytest.mark.parametrize("envelope", [message_envelope, error_envelope, detail_envelope])
@pytest.mark.parametrize(
    "status", [400, 401, 403, 404, 409, 410, 413, 415, 422, 429, 500, 501, 502, 503, 504]
)
def test_errors_of_every_family_pass_unchanged(status: int, envelope: Envelope) -> None:
    for message in ("No.", "Too Many Requests", "Internal server error"):
        given = Given(status, json.dumps(envelope(status, message, {})).encode(), {"Retry-After": "7"})
        passed = through_the_front(given)
        assert (passed.status, passed.body) == (status, given.body)
        assert passed.headers["Retry-After"] == "7"


@pytest.mark.parametrize("status", [200, 404, 429, 500, 502, 504])
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[1]", b'"text"', b'{"message":"fine","more":1}', b"\xff\x00"]
)
def test_what_is_no_error_of_the_emulator_passes_unchanged(status: int, body: bytes) -> None:
    passed = through_the_front(Given(status, body))
    assert (passed.status, passed.body) == (status, body)


@pytest.mark.parametrize(
    ("given", "type_", "status"),
    [
        (
            Given(403, b'{"message":"Missing Authentication Token"}', MISSING_ROUTE),
            "MISSING_AUTHENTICATION_TOKEN",
            404,
        ),
        (Given(404, b'{"message":"Not Found"}'), "MISSING_AUTHENTICATION_TOKEN", 404),
        (Given(429, b'{"message":"Too Many Requests"}'), "THROTTLED", 429),
        (Given(429, NO_WORKER.encode()), "DEFAULT_5XX", 502),
        (Given(500, b'{"message":"Internal server error"}'), "DEFAULT_5XX", 502),
        (Given(502, RAISED.encode()), "DEFAULT_5XX", 502),
        (Given(504, b'{"message":"Internal server error"}'), "INTEGRATION_FAILURE", 504),
    ],
)
def test_errors_of_the_emulator_become_the_gateway_responses_of_the_template(
    given: Given, type_: str, status: int
) -> None:
    told = through_the_front(given)
    assert told.status == status
    assert told.body.decode() == GATEWAY_RESPONSES[type_]["ResponseTemplates"]["application/json"]
    assert told.headers["Content-Type"].startswith("application/json")
    wanted = GATEWAY_RESPONSES[type_].get("ResponseParameters", {}).get("Headers", {})
    assert {name: told.headers[name] for name in wanted} == {name: v.strip("'") for name, v in wanted.items()}


def test_head_of_a_missing_route() -> None:
    told = through_the_front(Given(403, b"", MISSING_ROUTE), "HEAD")
    assert (told.status, told.body) == (404, b"")


def test_before_the_stack_is_ready() -> None:
    told = through_the_front(None)
    assert told.status == 503
    assert json.loads(told.body) == {"statusCode": 503, "message": "The local stack is starting"}
    assert int(told.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("length", "status"), [(4_500_000, 201), (4_800_000, 413), (10 * 1024 * 1024 + 1, 413)]
)
def test_bodies_end_where_those_of_lambda_do(length: int, status: int) -> None:
    told = through_the_front(Given(201, b""), "POST", b"x" * length)
    assert told.status == status
    if status == 413:
        template = GATEWAY_RESPONSES["REQUEST_TOO_LARGE"]["ResponseTemplates"]["application/json"]
        assert told.body.decode() == template
