"""The form of a Jira host that callers give: the URL at which people open Jira."""

from __future__ import annotations

import re
import string
from ipaddress import IPv6Address

from jobticket.errors import InvalidError

LONGEST_HOST = 255
LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"

_authority = re.compile(
    rf"(?P<name>(?:{LABEL}\.)*{LABEL}|\[(?P<ipv6>[0-9a-f:.]+)\])(?::(?P<port>[0-9]{{1,5}}))?"
)
# No segment of dots: a reader of URLs would take a step upwards.
_path = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*")


def checked_host(text: str, *, allow_http: bool = False) -> str:
    """Return the host without blanks and slashes around it; 400 if its form is invalid.

    The local stack allows http. Its address is checked later, at every connection (``http.addresses``).
    """
    host = text.strip().rstrip("/" + string.whitespace)
    scheme, separator, rest = host.partition("://")
    if scheme.lower() != "https" and not (allow_http and scheme.lower() == "http"):
        raise InvalidError("host must start with https://")
    if re.search(r"[?#]", rest):
        raise InvalidError("host must not have a query or a fragment")
    authority, slash, path = rest.partition("/")
    if "@" in authority:
        raise InvalidError("host must not have user info")
    # Some readers of URLs take a backslash for a slash, others for a character of the name.
    if len(host) > LONGEST_HOST or not _is_authority(authority.lower()) or not _path.fullmatch(slash + path):
        raise InvalidError("host is not a valid URL")
    return f"{scheme}{separator}{authority}".lower() + slash + path


def _is_authority(text: str) -> bool:
    """Tell whether this is a name or an address with at most a port."""
    match = _authority.fullmatch(text)
    if match is None or not 1 <= int(match["port"] or 443) <= 65535:
        return False
    try:
        return match["ipv6"] is None or bool(IPv6Address(match["ipv6"]))
    except ValueError:
        return False
