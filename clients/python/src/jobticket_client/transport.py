"""Sends requests: with the key, within a deadline, each effect at most once."""

from __future__ import annotations

import random
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from ssl import SSLCertVerificationError
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectTimeout, InvalidHeader, InvalidJSONError, InvalidURL, ProxyError
from urllib3.exceptions import NewConnectionError, SSLError

from jobticket_client.errors import (
    JobticketError,
    NotFound,
    OutcomeUnknown,
    Unavailable,
    error_of,
    outcome_of,
)
from jobticket_client.generated import OPERATIONS

#: Seconds to connect, and to wait for an answer: API Gateway gives up after 29.
CONNECT_TIMEOUT, READ_TIMEOUT = 5.0, 35.0
#: Seconds before the first repetition, which double with each, and the most of them.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0

_Kind = type[JobticketError]


@dataclass(frozen=True)
class Answer:
    """An answer with a status of success."""

    body: Any = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


class Transport:
    """Calls operations by their operationId."""

    def __init__(self, base_url: str, key: str, *, deadline: float, pool: int) -> None:
        address = urlsplit(base_url)
        more = address.username is not None or address.query or address.fragment
        if address.scheme not in ("http", "https") or not address.hostname or more:
            raise ValueError("base_url must be a URL such as https://jobticket.example, and no more")
        if not key.isascii() or not key.isprintable() or not key.strip():
            raise ValueError("key must be printable ASCII")

        def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers["Authorization"] = f"Bearer {key}"
            return request

        self.base_url = base_url.rstrip("/")
        self._deadline = deadline
        self.session = requests.Session()
        self.session.auth = authorize  # not a header: a .netrc file would replace that
        self.session.headers.update({"User-Agent": "jobticket-client", "Accept": "application/json"})
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, HTTPAdapter(pool_maxsize=pool))

    def call(
        self,
        operation: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        repeatable: bool = True,
        **in_path: object,
    ) -> Answer:
        """Call an operation; repeat it while that is safe and the deadline has not passed.

        Members of the query that are None are left out. Not repeatable is what could have a second effect.
        """
        method, path, takes_key = OPERATIONS[operation]
        if method == "POST" and takes_key:
            idempotency_key = idempotency_key or str(uuid.uuid4())
        elif idempotency_key is not None:
            raise TypeError(f"{operation} takes no Idempotency-Key")
        url = self.base_url + re.sub(r"\{(\w+)\}", lambda found: _in_path(in_path[found[1]]), path)
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        asked = {n: str(v).lower() if isinstance(v, bool) else v for n, v in (query or {}).items()}
        request = {"method": method, "url": url, "params": asked, "json": body, "headers": headers}
        facts = {"operation": operation, "idempotency_key": idempotency_key}
        ends, maybe_done, repetitions = time.monotonic() + self._deadline, False, 0
        while True:
            result = self._try(request, facts)
            if isinstance(result, Answer):
                return result
            if method == "DELETE" and maybe_done and isinstance(result, NotFound):
                return Answer(None)  # an earlier try removed it, and its answer was lost
            maybe_done = maybe_done or isinstance(result, OutcomeUnknown)
            pause = _pause(result.retry_after or 0, repetitions)
            late = time.monotonic() + pause > ends
            if late or not result.transient or (maybe_done and not repeatable):
                raise outcome_of(result) if maybe_done else result
            time.sleep(pause)
            repetitions += 1

    def _try(self, request: Mapping[str, Any], facts: Mapping[str, Any]) -> Answer | JobticketError:
        # What requests raises holds the request with its key, so it is neither kept nor chained.
        lost = Unavailable if request["method"] == "GET" else OutcomeUnknown
        timeout = (CONNECT_TIMEOUT, READ_TIMEOUT)
        try:
            answer = self.session.request(**request, timeout=timeout, allow_redirects=False)
        except (InvalidHeader, InvalidURL, InvalidJSONError) as error:
            wrong = str(error)
        except requests.RequestException as error:
            return _unanswered(error, lost, **facts)
        else:
            return _answered(answer, lost, **facts)
        raise ValueError(wrong)


def _answered(answer: requests.Response, lost: _Kind, **facts: Any) -> Answer | JobticketError:
    good = answer.status_code < 300
    try:
        body = answer.json() if answer.content else None
    except requests.JSONDecodeError:
        if good:
            return lost("the answer is not JSON", **facts)
        body = None
    if good:
        return Answer(body, answer.headers)
    after = answer.headers.get("Retry-After", "")
    seconds = float(after) if re.fullmatch(r"\d{1,9}", after) else None
    return error_of(answer.status_code, body, lost, retry_after=seconds, **facts)


def _unanswered(error: requests.RequestException, lost: _Kind, **facts: Any) -> JobticketError:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, SSLError) and isinstance(reason.args[0], SSLCertVerificationError):
        why = {"certificate": reason.args[0].verify_message}
        return Unavailable("the service's certificate is not trusted", details=why, **facts)
    # A proxy's error is raised only before the proxy was reached.
    unsent = isinstance(error, ConnectTimeout | ProxyError) or isinstance(reason, NewConnectionError)
    return (Unavailable if unsent else lost)(f"no answer: {type(error).__name__}", **facts)


def _pause(wanted: float, repetitions: int) -> float:
    jitter = random.random()  # noqa: S311  # spreads callers; no secret
    growing = min(FIRST_PAUSE * 2**repetitions, LONGEST_PAUSE) * (0.5 + jitter / 2)
    return max(growing, wanted + jitter * FIRST_PAUSE)


def _in_path(value: object) -> str:
    text = str(value)
    if text in ("", ".", ".."):
        raise ValueError(f"{text!r} cannot stand in a path")
    return quote(text, safe="")
