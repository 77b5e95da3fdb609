"""Jira's words made fit to be shown: without secrets and control characters, and not too long."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
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
#: Where Jira, its gateways and its plugins put their words.
_SPOKEN = ("errorMessages", "errorMessage", "message", "error", "error_description", "errors")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text on one line, cut, with the request's ``secrets`` and other credentials replaced."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, HIDDEN)
    text = _CONTROL.sub(" ", _CREDENTIALS.sub(HIDDEN, text)).strip()
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"


def messages(body: Any, secrets: Iterable[str]) -> tuple[str, ...]:
    """Return the words of a refusal, each once, but for those about fields."""
    hidden = tuple(secrets)
    said = {name: body.get(name) for name in _SPOKEN} if isinstance(body, Mapping) else {}
    if isinstance(said.get("errors"), Mapping):
        del said["errors"]
    shown = dict.fromkeys(redact(text, hidden) for words in said.values() for text in _texts(words))
    return tuple(text for text in shown if text)[:MOST_MESSAGES]


def field_errors(body: Any, secrets: Iterable[str]) -> dict[str, str]:
    """Return Jira's ``errors``: field to message."""
    said = body.get("errors") if isinstance(body, Mapping) else None
    if not isinstance(said, Mapping):
        return {}
    hidden = tuple(secrets)
    return {
        redact(str(name), hidden): redact(" ".join(_texts(text)) or str(text), hidden)
        for name, text in list(said.items())[:MOST_MESSAGES]
    }


def _texts(words: Any) -> Iterator[str]:
    """Yield the texts among words: a text, a list of texts, an object with a message."""
    if isinstance(words, str):
        yield words
    elif isinstance(words, list):
        for each in words[:MOST_MESSAGES]:
            if not isinstance(each, list):
                yield from _texts(each)
    elif isinstance(words, Mapping):
        yield from (text for name in _SPOKEN if isinstance(text := words.get(name), str))
