"""Return URLs: users are sent back to pages of configured origins only, not to look-alikes."""

from __future__ import annotations

import re
from typing import Self
from urllib.parse import quote

from jobticket.dataclass import dataclass
from jobticket.errors import InvalidError

LONGEST_URL = 2048
# Not allowed: what a browser could read differently (spaces, backslashes, user info).
_url = re.compile(
    r"(?P<origin>https?://[a-z0-9.\-]+(?::[0-9]{1,5})?)(?P<rest>[/?#][!-\[\]-~]*)?", re.IGNORECASE
)
_DEFAULT_PORT = re.compile(r"^(http://[^:]+):80$|^(https://[^:]+):443$")


@dataclass(frozen=True, slots=True)
class ReturnOrigins:
    """The origins that a deployment trusts."""

    origins: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a comma-separated list of origins; of a longer address its origin counts."""
        found = [_url.fullmatch(entry) or entry for entry in map(str.strip, text.split(",")) if entry]
        return cls(frozenset(_origin(each if isinstance(each, str) else each["origin"]) for each in found))

    def check(self, url: object) -> str | None:
        """Return the URL, None for a missing one; 400 if users may not be sent there."""
        if url is None or url == "":
            return None
        match = _url.fullmatch(url) if isinstance(url, str) and len(url) <= LONGEST_URL else None
        if match is None or _origin(match["origin"]) not in self.origins:
            raise InvalidError("return_url is not allowed")
        return match[0]


def _origin(text: str) -> str:
    return _DEFAULT_PORT.sub(r"\1\2", text.lower().rstrip("/"))


def with_parameter(url: str, name: str, value: str) -> str:
    """Return the URL with one more query parameter, before its fragment."""
    address, hash_sign, fragment = url.partition("#")
    joint = "&" if "?" in address else "?"
    return f"{address}{joint}{name}={quote(value, safe='')}{hash_sign}{fragment}"
