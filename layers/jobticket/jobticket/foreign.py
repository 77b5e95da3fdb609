"""Values from outside: what Jira or Atlassian sends is checked and cut before it is stored or passed on.

A caller names the site, so its answers may be anything: half a surrogate pair, megabytes for a name, a key
that is a path, a number of a thousand digits. Each function takes any value and returns a valid one, or None.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from jobticket import clock

#: Jira's limit for summaries, names and labels.
SHORT = 255
LONGEST_URL = 2048
LONGEST_TOKEN = 16_384
#: The longest timestamp of ISO 8601 is shorter.
LONGEST_MOMENT = 40
MOST_TEXTS = 1000
LARGEST = 10**15

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_TOKEN = re.compile(r"[\x21-\x7e]+")
#: The printable characters of ASCII but for ``"'<>@\^`{|}``.
_URL = re.compile(r"https?://[!#-&(-;=?A-\[\]_a-z~]+")
#: An escaped backslash, a whole surrogate pair, or half of one.
_ESCAPE = re.compile(
    r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
HALF_A_PAIR = 6


def decoded(content: bytes) -> Any:
    """Return an answer's JSON, or raise ``ValueError``; every text in it can be stored and sent."""
    written = content.decode("utf-8-sig", "replace")
    try:
        # ``float`` knows the constants NaN and Infinity, which JSON does not.
        return json.loads(_ESCAPE.sub(_whole, written), parse_constant=_finite, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _whole(escape: re.Match[str]) -> str:
    return "\\ufffd" if len(escape[0]) == HALF_A_PAIR else escape[0]


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"not a finite number: {digits[:20]}")
    return value


def member(value: object, *path: str) -> Any:
    """Return the value under these names, one within the other; None if an object is missing."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def entries(value: object) -> list[Any]:
    """Return a list; an empty one for anything else."""
    return value if isinstance(value, list) else []


def text(value: object, most: int = SHORT) -> str | None:
    """Return a text of one line, cut to a length; None if it is blank or not a text."""
    if not isinstance(value, str):
        return None
    # Longer than the result, because of blanks at its ends, but not megabytes.
    short = value[: 4 * most]
    if not short.isprintable():
        short = _SURROGATE.sub("\ufffd", _CONTROL.sub(" ", short))
    return short.strip()[:most].rstrip() or None


def texts(values: object, most: int = SHORT) -> list[str]:
    """Return the texts of a list, each as ``text`` returns it, without the invalid ones."""
    found = (text(value, most) for value in entries(values)[:MOST_TEXTS])
    return [each for each in found if each is not None]


def prose(value: object) -> str | None:
    """Return a text of any length with its line breaks; None if it is not a text."""
    return _SURROGATE.sub("\ufffd", value) if isinstance(value, str) else None


def integer(value: object, least: int = 0, most: int = LARGEST) -> int | None:
    """Return a whole number within bounds."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if least <= value <= most else None


def number(value: object) -> int | float | None:
    """Return a number of a plausible size."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -LARGEST <= value <= LARGEST:
        return None
    return value


def url(value: object) -> str | None:
    """Return an http or https address without user info."""
    if not isinstance(value, str) or len(value) > LONGEST_URL or _URL.fullmatch(value) is None:
        return None
    try:
        parts = urlsplit(value)
        return value if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def moment(value: object) -> datetime | None:
    """Return a timestamp of any offset in UTC."""
    if not isinstance(value, str) or len(value) > LONGEST_MOMENT:
        return None
    try:
        return clock.parse_iso(value)
    except (ValueError, OverflowError):
        return None


def token(value: object) -> str | None:
    """Return a token that can stand in a header: printable ASCII without blanks."""
    if not isinstance(value, str) or len(value) > LONGEST_TOKEN or _TOKEN.fullmatch(value) is None:
        return None
    return value
