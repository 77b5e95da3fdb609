"""Sends requests: with the key, within a deadline, each effect at most once."""

from __future__ import annotations

import random
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import NewConnectionError

from jobticket_client.errors import (
    Conflict,
    JobticketError,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Unavailable,
    error_of,
)
from jobticket_client.generated import OPERATIONS

#: Seconds to connect, and to wait for an answer: API Gateway gives up after 29.
CONNECT_TIMEOUT, READ_TIMEOUT = 5.0, 35.0
#: Seconds before the first repetition, which double with each, and the most of them.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0


@dataclass(frozen=True)
class Answer:
    """An answer with a status of success."""

    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class _Key(AuthBase):
    """Sets the key. A .netrc file, which requests would read otherwise, has no say."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class Transport:
    """Calls operations by their operationId."""

    def __init__(self, base_url: str, key: str, *, deadline: float, pool: int) -> None:
        address = urlsplit(base_url)
        if address.scheme not in ("http", "https") or not address.hostname or address.username is not None:
            raise ValueError("base_url must be a URL such as https://jobticket.example, without a password")
        if not key.isascii() or not key.isprintable() or not key.strip():
            raise ValueError("key must be printable ASCII")
        self.base_url = base_url.rstrip("/")
        self._key = _Key(key)
        self._deadline = deadline
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": "jobticket-client", "Accept": "application/json"})
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=pool))

    def close(self) -> None:
        self._session.close()

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
        request = requests.Request(
            method, url, params=_query(query or {}), json=body, headers=headers, auth=self._key
        )
        facts = {"operation": operation, "idempotency_key": idempotency_key}
        ends, maybe_done, repetitions = time.monotonic() + self._deadline, False, 0
        while True:
            result = self._try(request, facts)
            if isinstance(result, Answer):
                return result
            if method == "DELETE" and maybe_done and isinstance(result, NotFound):
                return Answer(None)  # an earlier try removed it, and its answer was lost
            maybe_done = maybe_done or isinstance(result, OutcomeUnknown)
            pause = _pause(result, repetitions)
            late = pause is not None and time.monotonic() + pause > ends
            if pause is None or late or (maybe_done and not repeatable):
                raise _final(result, maybe_done=maybe_done)
            time.sleep(pause)
            repetitions += 1

    def _try(self, request: requests.Request, facts: Mapping[str, Any]) -> Answer | JobticketError:
        # What requests raises holds the request with its key, so it is neither kept nor chained.
        lost = Unavailable if request.method == "GET" else OutcomeUnknown
        try:
            prepared = self._session.prepare_request(request)
            settings = self._session.merge_environment_settings(prepared.url, {}, None, None, None)
            timeout = (CONNECT_TIMEOUT, READ_TIMEOUT)
            answer = self._session.send(prepared, timeout=timeout, allow_redirects=False, **settings)
            body = answer.json() if answer.content else None
        except (requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL) as error:
            wrong = str(error)
        except requests.JSONDecodeError:
            if answer.ok:
                return lost("the answer is not JSON", **facts)
            return error_of(answer.status_code, None, lost, **facts)
        except requests.RequestException as error:
            return (lost if _was_sent(error) else Unavailable)(f"no answer: {type(error).__name__}", **facts)
        else:
            if answer.status_code < 300:
                return Answer(body, answer.headers)
            after = _seconds(answer.headers.get("Retry-After"))
            return error_of(answer.status_code, body, lost, retry_after=after, **facts)
        raise ValueError(wrong)


def _pause(error: JobticketError, repetitions: int) -> float | None:
    """Return how many seconds to wait before a repetition; None if one is no use."""
    under_way = isinstance(error, Conflict) and error.retry_after is not None
    if not under_way and not isinstance(error, RateLimited | Unavailable):
        return None
    jitter = random.random()  # noqa: S311  # spreads callers; no secret
    if error.retry_after is not None:
        return error.retry_after + jitter * FIRST_PAUSE
    return min(FIRST_PAUSE * 2**repetitions, LONGEST_PAUSE) * (0.5 + jitter / 2)


def _final(error: JobticketError, *, maybe_done: bool) -> JobticketError:
    """Return the error of a call whose last try ended so."""
    # With a key the service repeats its first answer. Without one, an earlier try may be the reason.
    settled = error.idempotency_key and not isinstance(error, Unavailable | RateLimited | Conflict)
    if settled or not maybe_done or isinstance(error, OutcomeUnknown):
        return error
    return OutcomeUnknown(**vars(error))


def _was_sent(error: requests.RequestException) -> bool:
    """Tell whether anything of a request may have reached the service."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return not isinstance(error, requests.ConnectTimeout) and not isinstance(reason, NewConnectionError)


def _in_path(value: object) -> str:
    text = str(value)
    if text in ("", ".", ".."):
        raise ValueError(f"{text!r} cannot stand in a path")
    return quote(text, safe="")


def _query(members: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in members.items()
        if value is not None
    }


def _seconds(text: str | None) -> float | None:
    return float(text) if text and re.fullmatch(r"\d{1,9}", text.strip()) else None
