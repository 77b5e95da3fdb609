"""The front door: one port that answers as API Gateway would, with the emulator out of sight behind it.

Every request goes byte for byte to the deployed API of the emulator, and nowhere else. On its own port the
emulator answers the whole AWS API, unsigned, so only the product may be reachable from here. In four cases
the emulator's answer differs from API Gateway's with template.yaml's gateway responses, and the proxy
corrects it: unknown routes, failing functions, calls that take too long, bodies that are too large. Answers
of functions pass unchanged.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from local.errors import LocalStackError
from local.gateway_responses import gateway_response
from local.settings import HOST

_log = logging.getLogger(__name__)

# The emulator refuses calls beyond its cap of workers. Callers wait here instead, as for Lambda to scale.
CALLS_AT_ONCE = 8
# A browser asks for the files of a page at once. A further worker takes longer to start than they take.
PAGES_AT_ONCE = 2
SECONDS_FOR_A_CALL = 29  # API Gateway's limit
LARGEST_BODY = 10 * 1024 * 1024  # API Gateway's limit
# Lambda takes events of 6 MB, and every body is encoded as base64 there: */* is a binary type.
LARGEST_BODY_FOR_LAMBDA = (6 * 1024 * 1024 - 64 * 1024) * 3 // 4
SECONDS_TO_RETRY_AFTER = 2  # a deployment takes about as long
# The keys of the emulator's own errors: of its API Gateway, and of a function without a free worker. No error
# of the product has these and no others.
EMULATORS_ERRORS = ({"message"}, {"message", "Reason", "Type"})
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
REPLACED_IN_REQUEST = HOP_BY_HOP | {"host", "content-length", "x-forwarded-for", "expect"}
REPLACED_IN_ANSWER = HOP_BY_HOP | {"content-length", "date", "server"}


@dataclass
class Front:
    """Serves the deployed API on a port."""

    port: int
    _api: URL | None = None
    _permits: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CALLS_AT_ONCE))
    _permits_of_pages: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PAGES_AT_ONCE))
    _session: aiohttp.ClientSession | None = None
    _runner: web.AppRunner | None = None

    def serve_api(self, emulator_url: str, api_id: str, stage: str = "live") -> None:
        """Point to an API; its id changes whenever a deployment changes routes."""
        self._api = URL(f"{emulator_url}/_aws/execute-api/{api_id}/{stage}")

    async def start(self) -> None:
        application = web.Application(client_max_size=LARGEST_BODY)
        # Any character: a dot alone does not match line breaks, which come as %0A.
        application.router.add_route("*", r"/{path:(?s:.*)}", self._answer)
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=SECONDS_FOR_A_CALL),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=5)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, HOST, self.port).start()
        except OSError as error:
            raise LocalStackError(f"Port {self.port} is taken; choose another one: PORT=…") from error

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()
        if self._session:
            await self._session.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if not _is_plain_path(request.raw_path.partition("?")[0]):
            return _gateways_own("MISSING_AUTHENTICATION_TOKEN")
        if self._api is None:
            return _not_ready()
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _gateways_own("REQUEST_TOO_LARGE")
        if len(body) > LARGEST_BODY_FOR_LAMBDA:
            return _gateways_own("REQUEST_TOO_LARGE")
        is_call = request.path.startswith("/api/")
        async with self._permits if is_call else self._permits_of_pages:
            return await self._call(request, self._api, body)

    async def _call(self, request: web.Request, api: URL, body: bytes) -> web.StreamResponse:
        assert self._session is not None
        url = URL(f"{api}{_encoded_once_more(request.raw_path)}", encoded=True)
        try:
            async with self._session.request(
                request.method,
                url,
                headers=_request_headers(request, url),
                data=io.BytesIO(body) if body else None,
                allow_redirects=False,
            ) as upstream:
                content = await upstream.read()
        except TimeoutError:
            return _gateways_own("INTEGRATION_TIMEOUT")
        except aiohttp.ClientError as error:
            _log.warning("%s %s: no answer of the emulator: %r", request.method, request.path, error)
            return _gateways_own("API_CONFIGURATION_ERROR")
        if own := gateway_answer(upstream.status, upstream.headers, content):
            answer = _gateways_own(own)
            if answer.status >= 500:  # the caller must not see it; the developer looks for it
                _log.warning("%s %s: %s", request.method, request.path, content.decode(errors="replace"))
            return answer
        return web.Response(status=upstream.status, headers=_answer_headers(upstream.headers), body=content)


def gateway_answer(status: int, headers: Mapping[str, str], content: bytes) -> str | None:
    """Return the type of API Gateway's own response where the emulator's answer is not a function's.

    Only an answer in the exact form of the emulator's own errors counts as one.
    """
    if status == 403 and "x-amzn-errortype" in {name.lower() for name in headers}:
        return "MISSING_AUTHENTICATION_TOKEN"
    try:
        answer = json.loads(content)
    except ValueError:
        return None
    if not isinstance(answer, dict) or answer.keys() not in EMULATORS_ERRORS:
        return None
    if status == 429 and "Reason" not in answer:
        return "THROTTLED"
    return {
        404: "MISSING_AUTHENTICATION_TOKEN",
        429: "API_CONFIGURATION_ERROR",
        500: "API_CONFIGURATION_ERROR",
        502: "API_CONFIGURATION_ERROR",
        504: "INTEGRATION_FAILURE",
    }.get(status)


def _encoded_once_more(raw_path: str) -> str:
    """Return a path whose parameters arrive as they were sent: the emulator decodes them, AWS does not."""
    path, mark, query = raw_path.partition("?")
    return path.replace("%", "%25") + mark + query


def _is_plain_path(raw_path: str) -> bool:
    """Tell whether a path has no dots that lead out of the API's own tree."""
    return not {".", ".."} & set(unquote(raw_path).split("/"))


def _request_headers(request: web.Request, url: URL) -> CIMultiDict[str]:
    headers = _without(request.headers.items(), REPLACED_IN_REQUEST)
    headers["Host"] = f"{url.host}:{url.port}"
    headers["X-Forwarded-For"] = request.remote or HOST
    headers["X-Forwarded-Proto"] = "http"
    headers["X-Forwarded-Host"] = request.host
    headers["X-Forwarded-Port"] = str(request.url.port)
    # With */* as a binary type API Gateway decodes every body, the emulator only those for an Accept header.
    headers.setdefault("Accept", "*/*")
    return headers


def _answer_headers(headers: Mapping[str, str]) -> CIMultiDict[str]:
    return _without(headers.items(), REPLACED_IN_ANSWER)


def _without(pairs: Iterable[tuple[str, str]], names: frozenset[str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in pairs if name.lower() not in names)


def _gateways_own(type_: str) -> web.Response:
    own = gateway_response(type_)
    return web.Response(
        status=own.status, headers=own.headers, body=own.body.encode(), content_type="application/json"
    )


def _not_ready() -> web.Response:
    body = json.dumps({"statusCode": 503, "message": "The local stack is starting"}, separators=(",", ":"))
    return web.Response(
        status=503,
        headers={"Retry-After": str(SECONDS_TO_RETRY_AFTER)},
        body=body.encode(),
        content_type="application/json",
    )
