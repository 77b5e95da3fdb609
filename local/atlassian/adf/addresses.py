"""Addresses of links: which are allowed, and how a browser writes them."""

from __future__ import annotations

import re
from typing import Final

from local.atlassian.adf.nodes import SPACES

_SAFE: Final = re.compile(
    r"(?:https?|ftps?|gopher|integrity|file|smb|dynamicsnav|jamfselfservice|scp|sftp|hipchat)://"
    r"|(?:mailto|skype|callto|facetime|git|irc6?|news|nntp|feed|cvs|svn|mvn|ssh|itms|notes|sourcetree|urn|tel|xmpp"
    r"|telnet|vnc|rdp|whatsapp|slack|sips?|magnet):"
    r"|/|\#",
    re.IGNORECASE | re.MULTILINE,
)
_PORTS: Final = {"http": "80", "https": "443", "ftp": "21"}
_PARTS: Final = re.compile(
    r"(?P<host>[^/?#]*)(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?P<fragment>#.*)?", re.DOTALL
)


def is_safe(address: str) -> bool:
    """Tell whether Jira makes an address a link; it does not for scripts, say."""
    address = address.strip(SPACES)
    return not address or _SAFE.match(address) is not None


def normalised_address(address: str) -> str | None:
    """Return an address as browsers write it (with ``/`` behind a bare host); None if it is broken."""
    scheme, _, rest = address.partition(":")
    scheme = scheme.lower()
    if scheme not in _PORTS:
        return f"{scheme}:{_escaped(rest, '<>')}"
    before, question, after = rest.partition("?")
    match = _PARTS.match((before.replace("\\", "/") + question + after).lstrip("/"))
    assert match is not None
    host = _host(match["host"], _PORTS[scheme])
    if host is None:
        return None
    path = _escaped(_without_dots(match["path"]), '<>`{}"')
    query = _escaped(match["query"] or "", "<>'\"")
    return f"{scheme}://{host}{path}{query}{_escaped(match['fragment'] or '', '<>`')}"


def _host(given: str, default_port: str) -> str | None:
    user, at, host = given.rpartition("@")
    name, colon, port = host.partition(":")
    if not name or re.search(r"[<>^|%]", name) or not re.fullmatch(r"[0-9]*", port):
        return None
    shown = "" if port in ("", default_port) else colon + str(int(port))
    return _escaped(user, ";=@^|<>") + at + name.lower() + shown


def _without_dots(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")[1:] if path else [""]
    for number, segment in enumerate(segments, 1):
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
            continue
        if number == len(segments):
            kept.append("")
    return "/" + "/".join(kept)


def _escaped(part: str, signs: str) -> str:
    return "".join(f"%{ord(char):02X}" if char in signs else char for char in part)
