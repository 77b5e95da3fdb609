"""The web server: faults, waiting, logging and the wire, around the emulator's plain functions."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web
from multidict import CIMultiDict

from local.atlassian import consent, control, login_page, oauth, pages
from local.atlassian.bodies import parse
from local.atlassian.controls import Fault
from local.atlassian.emulator import Emulator, Request
from local.atlassian.routing import Answer, JiraError

Work = Callable[[Emulator, Request], Answer]

_LOOPBACK = frozenset({"127.0.0.1", "localhost"})
_NO_FAULT = Fault(times=None)
_SIZE_LIMIT = 32 * 1024 * 1024


def make_app(emulator: Emulator) -> web.Application:
    """Return the application that serves an emulator."""
    app = web.Application(middlewares=[_guard], client_max_size=_SIZE_LIMIT)
    app.cleanup_ctx.append(emulator.sender.around)
    recorded: list[tuple[str, str, Work]] = [
        ("GET", "/authorize", consent.show),
        ("POST", "/authorize", consent.decide),
        ("POST", "/oauth/token", oauth.token),
        ("GET", "/oauth/token/accessible-resources", oauth.accessible_resources),
        ("GET", "/me", oauth.me),
        ("*", "/ex/{rest:.*}", Emulator.rest),
        ("*", "/rest/{rest:.*}", Emulator.rest),
        ("*", "/sites/{slug}/rest/{rest:.*}", Emulator.rest),
        ("*", "/{context:.+}/rest/{rest:.*}", Emulator.rest),
        ("GET", "/_edge/tenant_info", Emulator.tenant_info),
        ("GET", "/sites/{slug}/_edge/tenant_info", Emulator.tenant_info),
    ]
    for method, path, work in recorded:
        app.router.add_route(method, path, _recorded(emulator, work))
    for method, path, work in (*control.ROUTES, *pages.ROUTES, *login_page.ROUTES):
        app.router.add_route(method, path, _plain(emulator, work))
    return app


@web.middleware
async def _guard(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Keep other web sites out: a page in a browser must not steer this one behind its user's back."""
    host = request.host.rpartition(":")[0] or request.host
    foreign = request.headers.get("Sec-Fetch-Site") == "cross-site" and request.method not in ("GET", "HEAD")
    if host not in _LOOPBACK or foreign:
        return web.Response(status=403, text="The emulated Atlassian answers on loopback only.\n")
    return await handler(request)


async def _read(request: web.Request) -> Request:
    return Request(
        method=request.method,
        raw_path=request.rel_url.raw_path,
        query=parse_qs(request.rel_url.raw_query_string, keep_blank_values=True),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=await request.read(),
    )


def _plain(emulator: Emulator, work: Work) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Serve the controls and the pages: no faults, no log."""

    async def serve(request: web.Request) -> web.StreamResponse:
        return _response(_worked(emulator, work, await _read(request)))

    return serve


def _recorded(emulator: Emulator, work: Work) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Serve what a product calls, with everything that can go wrong on the way."""

    async def serve(request: web.Request) -> web.StreamResponse:
        asked = await _read(request)
        entry = _entry(emulator, asked)
        emulator.log.begin()
        emulator.log.entries.append(entry)
        try:
            return await _exchange(emulator, work, request, asked, entry)
        finally:
            emulator.log.end()

    return serve


def _entry(emulator: Emulator, asked: Request) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "at": emulator.world.now(),
        "method": asked.method,
        "path": asked.raw_path,
        "query": {name: values[0] if len(values) == 1 else values for name, values in asked.query.items()},
        "status": None,
    }
    if asked.raw_path == "/oauth/token":
        entry["grant_type"] = oauth.grant_type(asked.body)
    elif emulator.controls.record_bodies and not asked.raw_path.startswith("/authorize"):
        entry["body"] = _parsed(asked.body)
    return entry


def _parsed(body: bytes) -> Any:
    try:
        return parse(body) if body else None
    except ValueError:
        return body.decode(errors="replace")


async def _exchange(
    emulator: Emulator, work: Work, request: web.Request, asked: Request, entry: dict[str, Any]
) -> web.StreamResponse:
    fault = emulator.controls.fault_for(asked.method, asked.raw_path) or _NO_FAULT
    begun = time.monotonic()
    if fault.drop == "before":
        return _hang_up(request)
    delay = emulator.controls.latency_ms + fault.delay_ms
    if delay:
        await asyncio.sleep(delay / 1000)
    if fault.held:
        await emulator.controls.changed()
    answer = _fault_answer(fault) if fault.status else _worked(emulator, work, asked)
    answer.headers = {**answer.headers, **fault.headers}
    entry["milliseconds"] = round((time.monotonic() - begun) * 1000, 1)
    if fault.drop == "after":
        return _hang_up(request)
    entry["status"] = answer.status
    if emulator.controls.record_bodies and "body" in entry:
        entry["answer"] = answer.body
    response = _response(answer)
    if fault.truncate_bytes is not None:
        return await _break_off(request, response, fault.truncate_bytes)
    return response


def _fault_answer(fault: Fault) -> Answer:
    assert fault.status is not None
    return Answer(fault.body, fault.status, dict(fault.headers))


def _worked(emulator: Emulator, work: Work, asked: Request) -> Answer:
    try:
        return work(emulator, asked)
    except JiraError as error:
        return Answer(error.body, error.status, error.headers)


def _response(answer: Answer) -> web.Response:
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in answer.headers.items():
        headers.extend((name, each) for each in ([value] if isinstance(value, str) else value))
    if answer.body is None:
        return web.Response(status=answer.status, headers=headers)
    if isinstance(answer.body, str):
        headers.setdefault("Content-Type", "text/plain;charset=UTF-8")
        return web.Response(status=answer.status, headers=headers, body=answer.body.encode())
    headers.setdefault("Content-Type", "application/json;charset=UTF-8")
    # Half of a surrogate pair, which a fault's body may have, goes out as JSON's escape.
    text = json.dumps(answer.body, ensure_ascii=False, separators=(",", ":"))
    body = text.encode(errors="backslashreplace")
    return web.Response(status=answer.status, headers=headers, body=body)


def _hang_up(request: web.Request) -> web.StreamResponse:
    """Close the connection; the answer that is returned has nowhere to go."""
    if request.transport is not None:
        request.transport.close()
    return web.Response(status=500)


async def _break_off(request: web.Request, response: web.Response, length: int) -> web.StreamResponse:
    """Promise the whole answer, send its beginning, close the connection."""
    body = response.body if isinstance(response.body, bytes) else b""
    partial = web.StreamResponse(status=response.status, headers=response.headers)
    partial.content_length = len(body)
    await partial.prepare(request)
    await partial.write(body[:length])
    if request.transport is not None:
        request.transport.close()
    return partial
