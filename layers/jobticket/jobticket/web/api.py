"""Routes in, answers out: authentication, bodies, and one error envelope a family.

A function binds its handlers to the routes that it declares (``jobticket.web.routes``). A refusal
(``jobticket.errors``) becomes the documented status and envelope here and nowhere else.
"""

from __future__ import annotations

import base64
import gzip
import importlib
import json
import re
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote_to_bytes

from jobticket.aws import UNAVAILABLE, is_transient, reason, time_limit
from jobticket.clock import Deadline
from jobticket.dataclass import dataclass, field, replace
from jobticket.errors import InvalidError, NotFoundError, RefusalError, TooLargeError, UnavailableError
from jobticket.observability import count, logger
from jobticket.shown import Shown
from jobticket.web.authentication import Caller, KeyRing
from jobticket.web.routes import Route, Routes

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from jobticket.web.validation import Body

#: Lambda's limit for an answer is 6 MB, of which the rest of the answer needs a little.
LARGEST_ANSWER = 6 * 1024 * 1024 - 64 * 1024
#: API Gateway gives up after 29 s.
LONGEST_WORK_SECONDS = 27.0
#: Left at the end of a function's time to send the answer.
ANSWER_SECONDS = 0.5
#: A body shorter than this is not worth compressing.
COMPRESS_FROM = 1024
#: When a caller may try again after a fault of AWS.
RETRY_SECONDS = 5
#: How long a browser that has used https once must use nothing else.
STRICT_TRANSPORT = "max-age=31536000"
#: How long a browser remembers what a preflight granted.
PREFLIGHT_SECONDS = 600

_MALFORMED_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")

Model = TypeVar("Model", bound="Body")


@dataclass(frozen=True, slots=True)
class Answer:
    """A route's answer."""

    status: int = 200
    #: A model, a mapping or a list is sent as JSON; text and bytes are sent as they are; None sends nothing.
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    #: Whole ``Set-Cookie`` values.
    cookies: tuple[str, ...] = ()
    #: How the bytes of the body are compressed already.
    encoding: str = ""


class Request:
    """A request as a route sees it: API Gateway's event for a proxy integration, and who sent it.

    In the event, path parameters are still percent-encoded and query parameters are decoded. The route must
    have answered by the deadline.
    """

    #: Not on a public route.
    caller: Caller

    def __init__(self, event: Mapping[str, Any], deadline: Deadline) -> None:
        self._event = event
        self.deadline = deadline
        self.method = str(event.get("httpMethod"))
        #: The route's template, such as ``/api/jobs/{id}``.
        self.route = str(event.get("resource"))

    @cached_property
    def headers(self) -> dict[str, str]:
        """Headers by their names in lower case."""
        return {name.lower(): value for name, value in (self._event.get("headers") or {}).items()}

    @cached_property
    def cookies(self) -> dict[str, str]:
        """Cookies by name; of repeated ones the first, which has the longest path."""
        found: dict[str, str] = {}
        for pair in self.headers.get("cookie", "").split(";"):
            name, _, value = pair.strip().partition("=")
            found.setdefault(name, value)
        return found

    @cached_property
    def query(self) -> dict[str, str]:
        """Query parameters; of repeated ones the last."""
        # The local stack's API Gateway gives the first one in ``queryStringParameters``.
        every = self._event.get("multiValueQueryStringParameters")
        if every is None:
            return dict(self._event.get("queryStringParameters") or {})
        return {name: values[-1] for name, values in every.items() if values}

    @cached_property
    def path_parameters(self) -> dict[str, str]:
        """The path's parameters, decoded; one that is not percent-encoded UTF-8 is invalid."""
        given: Mapping[str, str] = self._event.get("pathParameters") or {}
        return {name: _decoded(value) for name, value in given.items()}

    def require_text(self) -> None:
        """Refuse a path, query or header that is not UTF-8, before anything is stored or sent on."""
        _ = self.path_parameters
        for what, pairs in (("query", self.query), ("headers", self.headers)):
            try:
                "".join([*pairs, *pairs.values()]).encode()
            except UnicodeEncodeError:
                raise InvalidError(f"Invalid characters in the {what}") from None

    def path(self, name: str) -> str:
        return self.path_parameters.get(name, "")

    @cached_property
    def raw_body(self) -> bytes:
        body = self._event.get("body") or ""
        if self._event.get("isBase64Encoded"):
            return base64.b64decode(body, validate=True)
        return str(body).encode("utf-8", "surrogatepass")

    @cached_property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object; a missing body counts as an empty one."""
        try:
            # JSON on a network is UTF-8; json.loads would take UTF-16 and UTF-32 as well.
            text = self.raw_body.decode("utf-8-sig")
            if not text.strip():
                return {}
            body = json.loads(text)
            # JSON's grammar allows a lone surrogate, but it can be neither stored nor sent on.
            if "\\u" in text:
                json.dumps(body, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            raise InvalidError("Invalid JSON body") from None
        if not isinstance(body, dict | None):
            raise InvalidError("Invalid JSON body")
        return body or {}

    def parse(self, model: type[Model]) -> Model:
        """Return the body as a model; raise ``InvalidError`` if it does not fit."""
        return model.parse(self.json)


class LateModule:
    """A module that is imported when one of its names is first used: no start waits for models of bodies."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self._name), name)


def _decoded(segment: str) -> str:
    try:
        if _MALFORMED_PERCENT.search(segment) is None:
            return unquote_to_bytes(segment).decode()
    except UnicodeError:
        pass
    raise InvalidError("Invalid percent-encoding in the path")


Handler = Callable[[Request], Answer]
ProxyAnswer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CrossOrigin:
    """Which web pages of other origins may call a route and read its answer (CORS); never with cookies.

    A deployment trusts the origins, whose pages may send the headers.
    """

    origins: frozenset[str]
    allowed_headers: tuple[str, ...]

    def headers(self, origin: str | None, method: str) -> Mapping[str, str]:
        """Return the CORS headers, none for an origin that is not trusted."""
        if origin is None or origin not in self.origins:
            return {}
        granted = {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": "Retry-After"}
        if method == "OPTIONS":
            granted |= {
                "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
                "Access-Control-Allow-Headers": ", ".join(self.allowed_headers),
                "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
            }
        return granted


class Api:
    """The routes of one function; a route with a scope needs a key ring."""

    def __init__(
        self, routes: Routes, key_ring: KeyRing | None = None, *, cross_origin: CrossOrigin | None = None
    ) -> None:
        self._declared = routes
        self._key_ring = key_ring
        self._cross_origin = cross_origin
        # API Gateway has matched the route already and names it. A browser sends OPTIONS before it calls a
        # route from another origin.
        self._bound: dict[tuple[str, str], tuple[Route, Handler]] = {
            (route.method, route.path): (route, lambda _request: Answer(204))
            for route in routes.routes
            if route.method == "OPTIONS"
        }

    @property
    def routes(self) -> list[Route]:
        return [route for route, _ in self._bound.values()]

    def route(self, name: str) -> Callable[[Handler], Handler]:
        """Bind a handler to the route of a name, and to its aliases."""
        named = [route for route in self._declared.routes if name in (route.name, route.alias_of)]
        if not named:
            raise LookupError(f"routes.py declares no {name}")

        def bind(handler: Handler) -> Handler:
            self._bound |= {(route.method, route.path): (route, handler) for route in named}
            return handler

        return bind

    def resolve(self, event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Answer one event of API Gateway, and log one line about it."""
        started = time.perf_counter()
        request = Request(event, _deadline(context))
        bound = self._bound.get((request.method, request.route))
        if bound is None or not all((event.get("pathParameters") or {}).values()):
            answer = self._refused(NotFoundError("Not Found"), request)
        else:
            answer = self._run(*bound, request)
        logger.info(
            "answered",
            method=request.method,
            route=request.route,
            status=answer["statusCode"],
            duration_ms=round((time.perf_counter() - started) * 1000, 1),
        )
        return answer

    def _run(self, route: Route, handler: Handler, request: Request) -> ProxyAnswer:
        try:
            with time_limit.until(request.deadline):
                if route.scope is not None:
                    request.caller = self._authenticate(request, route.scope)
                request.require_text()
                return self._answered(handler(request), request)
        except RefusalError as refusal:
            return self._refused(refusal, request)
        except Exception as fault:
            if is_transient(fault):
                logger.warning("AWS fails", route=route.path, method=route.method, reason=reason(fault))
                return self._refused(UnavailableError(UNAVAILABLE, retry_after=RETRY_SECONDS), request)
            logger.exception("unhandled fault", route=route.path, method=route.method)
            count("UnhandledFaults")
            return self._refused(RefusalError("Internal Server Error"), request)

    def _authenticate(self, request: Request, scope: str) -> Caller:
        if self._key_ring is None:
            raise LookupError("a route with a scope needs a key ring")
        caller = self._key_ring.authenticate(request.headers.get("authorization"))
        caller.require(scope)
        return caller

    def _refused(self, refusal: RefusalError, request: Request) -> ProxyAnswer:
        headers = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
        body = self._declared.envelope(refusal.status, refusal.message, refusal.details)
        return self._answered(Answer(refusal.status, body, headers), request)

    def _answered(self, answer: Answer, request: Request) -> ProxyAnswer:
        headers: dict[str, str] = {}
        if self._cross_origin is not None:
            headers = {"Vary": "Origin"}
            headers |= self._cross_origin.headers(request.headers.get("origin"), request.method)
        return _proxy_answer(answer, request.headers, headers)


def _deadline(context: Any) -> Deadline:
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    seconds = LONGEST_WORK_SECONDS if remaining is None else remaining() / 1000 - ANSWER_SECONDS
    return Deadline.after(min(seconds, LONGEST_WORK_SECONDS))


def _encode(answer: Answer) -> bytes:
    match answer.body:
        case None:
            return b""
        case bytes(body):
            return body
        case str(body) if answer.content_type != "application/json":
            return body.encode()
    return to_json(answer.body)


def to_json(body: Any) -> bytes:
    """Return a body as JSON; what the API shows may be part of it."""

    def shown(value: Any) -> Any:
        if isinstance(value, Shown):
            return value.as_json()
        raise TypeError(f"{type(value).__name__} cannot be sent as JSON")

    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=shown)
    return text.encode("utf-8", "replace")


def _proxy_answer(answer: Answer, asked: Mapping[str, str], further: Mapping[str, str]) -> ProxyAnswer:
    """Return the answer in the form that API Gateway takes, for a request with these headers."""
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", **answer.headers, **further}
    if asked.get("x-forwarded-proto") == "https":
        headers["Strict-Transport-Security"] = STRICT_TRANSPORT
    body = _encode(answer)
    if body:
        headers["Content-Type"] = answer.content_type
    is_long = len(body) >= COMPRESS_FROM
    if is_long:
        headers["Vary"] = ", ".join(filter(None, (further.get("Vary"), "Accept-Encoding")))
    if is_long and not answer.encoding and accepts_gzip(asked.get("accept-encoding", "")):
        answer, body = replace(answer, encoding="gzip"), gzip.compress(body, 6, mtime=0)
    if answer.encoding:
        headers["Content-Encoding"] = answer.encoding
        payload = base64.b64encode(body).decode()
    else:
        payload = body.decode()
    if len(payload.encode()) + payload.count('"') + payload.count("\\") > LARGEST_ANSWER:
        raise TooLargeError("The answer is too large: ask for it in pages, with limit and cursor")
    many = {name: [value] for name, value in headers.items()}
    return {
        "statusCode": answer.status,
        "body": payload,  # never null: the emulator of API Gateway treats null as a fault
        "isBase64Encoded": bool(answer.encoding),
        "multiValueHeaders": many | ({"Set-Cookie": list(answer.cookies)} if answer.cookies else {}),
    }


def accepts_gzip(accepted: str) -> bool:
    """Tell whether a caller takes compressed answers, by its Accept-Encoding."""
    codings = dict(entry.partition(";")[::2] for entry in accepted.lower().replace(" ", "").split(","))
    # Only a weight of 0 refuses a coding.
    return re.fullmatch(r"q=0(\.0*)?", codings.get("gzip", codings.get("*", "q=0"))) is None
