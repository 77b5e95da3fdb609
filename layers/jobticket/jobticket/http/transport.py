"""One request and its complete answer, or an error that tells whether the request may have arrived."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ReadTimeoutError

from jobticket.clock import Deadline
from jobticket.dataclass import dataclass
from jobticket.http.errors import (
    EndlessError,
    ForbiddenAddressError,
    NoAnswerError,
    SlowError,
    UnreachableError,
    UnreadableError,
    UntrustedError,
)
from jobticket.http.session import CONNECT_SECONDS, AddressRefusedError, bounded

#: With less time than this no call is begun.
LEAST_SECONDS = 0.05
#: No expected answer comes near. Keeps a hostile one out of memory.
LONGEST_ANSWER = 24 * 1024 * 1024
CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A complete answer."""

    status: int
    reason: str
    headers: Mapping[str, str]
    content: bytes


def send(
    session: requests.Session,
    method: str,
    url: str,
    *,
    to: str,
    deadline: Deadline,
    params: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    data: bytes | None = None,
) -> HttpAnswer:
    """Send one request, follow no redirect, and read the answer by the deadline.

    ``to`` is the service as error texts name it, such as ``Jira``. NoAnswerError if there is no complete
    answer; it has no cause, because a log of that would show the URL's query.
    """
    left = deadline.left()
    if left < LEAST_SECONDS:
        raise SlowError(f"{to} did not answer in time")
    try:
        with (
            bounded(deadline),
            session.request(
                method,
                url,
                params=params,
                data=data,
                headers=headers,
                timeout=(min(CONNECT_SECONDS, left), left),
                allow_redirects=False,
                stream=True,
            ) as answer,
        ):
            return HttpAnswer(answer.status_code, answer.reason or "", answer.headers, _read(answer, to))
    except AddressRefusedError:
        raise ForbiddenAddressError(
            f"{to}'s host leads to an address that this deployment does not connect to"
        ) from None
    except requests.RequestException as error:
        raise _failure(error, to) from None


def _read(answer: requests.Response, to: str) -> bytes:
    content = bytearray()
    for chunk in answer.iter_content(CHUNK):
        content += chunk
        if len(content) > LONGEST_ANSWER:
            raise EndlessError(f"{to}'s answer is too long", outcome_unknown=True)
    return bytes(content)


def _failure(error: requests.RequestException, to: str) -> NoAnswerError:
    cause = error.args[0] if error.args else None
    cause = getattr(cause, "reason", None) or cause
    if isinstance(error, requests.exceptions.SSLError):
        return UntrustedError(f"{to} could not be reached: its TLS certificate is not valid")
    if isinstance(cause, NewConnectionError):
        return UnreachableError(f"{to} could not be reached")
    if isinstance(error, requests.ConnectTimeout) or isinstance(cause, ConnectTimeoutError):
        return SlowError(f"{to} could not be reached in time")
    if isinstance(error, requests.Timeout) or isinstance(cause, ReadTimeoutError):
        return SlowError(f"{to} did not answer in time", outcome_unknown=True)
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return UnreadableError(f"{to}'s answer could not be read", outcome_unknown=True)
    if isinstance(error, ValueError) and not isinstance(error, requests.ConnectionError):
        return UnreachableError(f"{to}'s URL is not valid")
    return UnreachableError(f"The connection to {to} was lost", outcome_unknown=True)
