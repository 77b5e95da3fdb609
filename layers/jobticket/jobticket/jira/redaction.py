"""Jira's words made fit to be shown: without secrets and control characters, and not too long."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

LONGEST_MESSAGE = 500
MOST_MESSAGES = 20
HIDDEN = "[hidden]"

_CREDENTIALS = re.compile(
    r"""(?xi)
    \b(?:bearer|basic)\s+(?=[\w.~+/=-]*[\d=+/_])[\w.~+/=-]{8,}  # an Authorization header, not a sentence
    | \beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?                   # a JSON web token
    | \bAT[A-Z]{2}[\w+/=-]{20,}                          # an Atlassian API token
    | (?<=_token)["'\s:=]+[^\s"'&,}]{6,}                 # access_token=…, "refresh_token": "…"
    | (?<=client_secret)["'\s:=]+[^\s"'&,}]{6,}
    """
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text on one line, cut, with secrets replaced.

    Parameters
    ----------
    secrets
        What the request contained and no text may show.
    """
    for secret in secrets:
        if secret:
            text = text.replace(secret, HIDDEN)
    text = _CONTROL.sub(" ", _CREDENTIALS.sub(HIDDEN, text)).strip()
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"


def messages(body: Any, secrets: Iterable[str]) -> tuple[str, ...]:
    """Return Jira's ``errorMessages``, or the one message of a gateway."""
    if not isinstance(body, Mapping):
        return ()
    said = body.get("errorMessages")
    if not isinstance(said, list) or not said:
        said = [body.get("errorMessage") or body.get("message")]
    hidden = tuple(secrets)
    return tuple(redact(text, hidden) for text in said[:MOST_MESSAGES] if isinstance(text, str) and text)


def field_errors(body: Any, secrets: Iterable[str]) -> dict[str, str]:
    """Return Jira's ``errors``: field to message."""
    said = body.get("errors") if isinstance(body, Mapping) else None
    if not isinstance(said, Mapping):
        return {}
    hidden = tuple(secrets)
    return {
        redact(str(name), hidden): redact(str(text), hidden)
        for name, text in list(said.items())[:MOST_MESSAGES]
    }
