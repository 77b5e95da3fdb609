"""Pages and the files that they load: compressed once, cached by browsers, under a strict policy.

A page is asked for again at each visit. What it loads is kept: its address holds a hash of the content.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from string import Template

from jobticket.errors import NotFoundError
from jobticket.web.api import Answer, Request, accepts_gzip

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
ASK_AGAIN = "no-cache"
FOR_A_DAY = "public, max-age=86400"
FOR_EVER = "public, max-age=31536000, immutable"


class StaticFiles:
    """The files of a folder, and those of an installed package that are compressed already.

    The folder holds the pages (``.html``), in which ``$assets`` stands for the address of the other files.
    The package holds files of libraries as ``<name>.gz``; it is absent where its layer is not installed.
    """

    def __init__(self, folder: Path, package: str) -> None:
        self._folder = folder
        self._package = package
        self._compressed: dict[str, bytes] = {}

    @cached_property
    def _paths(self) -> Mapping[str, Path]:
        # Looked for on first use: a start that serves no page pays nothing.
        spec = importlib.util.find_spec(self._package)
        places = (spec.submodule_search_locations if spec else None) or ()
        installed = [path for place in places for path in Path(place).glob("*.gz")]
        return {path.name.removesuffix(".gz"): path for path in installed} | {
            path.name: path for path in self._folder.iterdir()
        }

    @cached_property
    def version(self) -> str:
        """A hash of every file that pages load."""
        digest = hashlib.sha256()
        for name, path in sorted(self._paths.items()):
            if path.suffix != ".html":
                digest.update(name.encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()[:16]

    def page(self, request: Request, name: str, headers: Mapping[str, str], **words: str) -> Answer:
        """Return a page; its words must be escaped."""
        text = Template(self._paths[name].read_text()).substitute(words, assets=f"assets/{self.version}")
        return self.content(request, name, text.encode(), headers)

    def content(self, request: Request, name: str, content: bytes, headers: Mapping[str, str]) -> Answer:
        """Return a file that browsers ask for again, or 304 if they have it."""
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = {"Cache-Control": ASK_AGAIN, "ETag": tag, **headers}
        if tag in request.headers.get("if-none-match", ""):
            return Answer(304, headers=headers)
        return Answer(body=content, headers=headers, content_type=TYPES[Path(name).suffix])

    def icon(self, request: Request, name: str) -> Answer:
        """Return a file that browsers ask for by an address of their own."""
        return self.content(request, name, self._paths[name].read_bytes(), {"Cache-Control": FOR_A_DAY})

    def asset(self, request: Request, version: str, name: str) -> Answer:
        """Return a file that a page loads."""
        path = self._paths.get(name)
        if path is None or path.suffix == ".html":
            raise NotFoundError("Not Found")
        # A page of an earlier release gets today's file, but must not keep it under that address.
        headers = {
            "Cache-Control": FOR_EVER if version == self.version else "no-store",
            "Vary": "Accept-Encoding",
        }
        packed = self._packed(name, path)
        kind = TYPES[Path(name).suffix]
        if accepts_gzip(request.headers.get("accept-encoding", "")):
            return Answer(body=packed, headers=headers, content_type=kind, encoding="gzip")
        return Answer(body=gzip.decompress(packed), headers=headers, content_type=kind)

    def _packed(self, name: str, path: Path) -> bytes:
        if name not in self._compressed:
            content = path.read_bytes()
            self._compressed[name] = content if path.suffix == ".gz" else gzip.compress(content, 9, mtime=0)
        return self._compressed[name]
