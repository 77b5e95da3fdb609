"""The form of a Jira host that callers give: ``https://your-domain.atlassian.net``, without a path."""

from __future__ import annotations

import re
from ipaddress import IPv6Address

from jobticket.errors import InvalidError

LONGEST_HOST = 255
LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"

_authority = re.compile(
    rf"(?P<name>(?:{LABEL}\.)*{LABEL}|\[(?P<ipv6>[0-9a-f:.]+)\])(?::(?P<port>[0-9]{{1,5}}))?"
)


def check_host(text: str, *, allow_http: bool = False) -> str:
    """Return the host in lower case; 400 if its form is invalid. The local stack allows http.

    Its address is checked later, at every connection (``http.addresses``).
    """
    host = text.lower()
    if not host.startswith("https://") and not (allow_http and host.startswith("http://")):
        raise InvalidError("host must start with https://")
    if host.endswith("/"):
        raise InvalidError("host must not end with a slash")
    authority = host.partition("://")[2]
    # Some readers of URLs take a backslash for a slash, others for a character of the name.
    if len(host) > LONGEST_HOST or "\\" in host:
        raise InvalidError("host is not a valid URL")
    if re.search(r"[/?#]", authority):
        raise InvalidError("host must not have a path")
    if not _is_authority(authority):
        raise InvalidError("host is not a valid URL")
    return host


def _is_authority(text: str) -> bool:
    """Tell whether this is a name or an address with at most a port: no user info, no space."""
    match = _authority.fullmatch(text)
    if match is None or not 1 <= int(match["port"] or 443) <= 65535:
        return False
    try:
        return match["ipv6"] is None or bool(IPv6Address(match["ipv6"]))
    except ValueError:
        return False
