"""Values from outside: what Jira or Atlassian says is checked and cut here before it is kept or passed on.

A site is named by a caller, so its answers may be anything: half a surrogate pair, megabytes where a name
belongs, a key that is a path, a number of a thousand digits. Each function takes any value and returns a good
one, or None where there is none. What must be there is for the caller to ask for.
"""

from __future__ import annotations

import json
import math
import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from jobticket import clock

#: Jira's own limit of summaries, names and labels.
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
_URL = re.compile(r"https?://[^\s\"'<>\\^`{|}@\x00-\x1f\x7f-\uffff]+")
#: A backslash that is escaped itself, a whole pair, or half of one.
_ESCAPE = re.compile(
    r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
HALF_A_PAIR = 6


def decoded(content: bytes) -> Any:
    """Return the JSON of an answer; text in it can always be stored and sent.

    Raises
    ------
    ValueError
        If it is not JSON, or holds a number that JSON does not know.
    """
    written = content.decode("utf-8-sig", "replace")
    try:
        return json.loads(_ESCAPE.sub(_whole, written), parse_constant=_refused, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _whole(escape: re.Match[str]) -> str:
    return "\\ufffd" if len(escape[0]) == HALF_A_PAIR else escape[0]


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def text(value: object, most: int = SHORT) -> str | None:
    """Return a text of one line, cut to a length; None if it is not a text, or is blank."""
    if not isinstance(value, str):
        return None
    # More than is kept, for the blanks at its ends, and no megabytes.
    short = value[: 4 * most]
    if not short.isprintable():
        short = _SURROGATE.sub("\ufffd", _CONTROL.sub(" ", short))
    return short.strip()[:most].rstrip() or None


def texts(values: object, most: int = SHORT) -> list[str]:
    """Return the texts of a list, each as ``text``; what is not one is left out."""
    found = (text(value, most) for value in values[:MOST_TEXTS]) if isinstance(values, list) else ()
    return [each for each in found if each is not None]


def prose(value: object) -> str | None:
    """Return a text of any length, line breaks and all; None if it is not a text."""
    return _SURROGATE.sub("\ufffd", value) if isinstance(value, str) else None


def integer(value: object, least: int = 0, most: int = LARGEST) -> int | None:
    """Return a whole number within bounds."""
    return (
        value if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most else None
    )


def number(value: object) -> int | float | None:
    """Return a number that is neither infinite nor absurd."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -LARGEST <= value <= LARGEST:
        return None
    return value


def url(value: object) -> str | None:
    """Return an address of http or https, without user info."""
    if not isinstance(value, str) or len(value) > LONGEST_URL or _URL.fullmatch(value) is None:
        return None
    try:
        parts = urlsplit(value)
        return value if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def moment(value: object) -> datetime | None:
    """Return a time in UTC, whatever offset it came with."""
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
