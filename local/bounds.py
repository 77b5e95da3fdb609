"""Bounds for what would grow without end in the emulator: unpacked layers, logs, events of the stack."""

from __future__ import annotations

import tempfile
import threading
import zipfile
from contextlib import AbstractContextManager
from hashlib import file_digest
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from local.packages import link_built

LOG_EVENTS = 5_000  # of a stream
STACK_EVENTS = 1_000

_unpacking = threading.Lock()


class SharedZip(AbstractContextManager["SharedZip"]):
    """A zip for the emulator. It is unpacked once; every further folder of the same content is a link.

    Each worker process has its own folder with its function's code and layers, more than 20 MB.
    """

    def __init__(self, name: str | Path) -> None:
        self._file = Path(name)
        with self._file.open("rb") as file:
            self._digest = file_digest(file, "sha256").hexdigest()
        self._shared = Path(tempfile.gettempdir()) / "unpacked" / self._digest

    def __exit__(self, *_error: object) -> None:
        """Nothing is kept open."""

    def namelist(self) -> list[str]:
        """Return the names to be checked: those of content that is unpacked already have been."""
        if self._shared.exists():
            return []
        with zipfile.ZipFile(self._file) as archive:
            return archive.namelist()

    def extractall(self, path: str | Path) -> None:
        """Put a link in an empty folder's place, and free the space of the zip."""
        with _unpacking:
            if not self._shared.exists():
                self._unpack(self._shared.with_suffix(".new"))
        Path(path).rmdir()
        Path(path).symlink_to(self._shared)
        self._file.unlink()

    def _unpack(self, draft: Path) -> None:
        if not link_built(self._digest, draft):
            with zipfile.ZipFile(self._file) as archive:
                archive.extractall(draft)
        draft.rename(self._shared)


def share_unpacked_code() -> None:
    """Let workers share what they unpack."""
    from ministack.core import lambda_runtime

    # It catches an error whose name zipfile does not have, and so hides every other one.
    more = {"ZipFile": SharedZip, "LargeFileError": zipfile.LargeZipFile}
    shared: Any = SimpleNamespace(**vars(zipfile) | more)
    lambda_runtime.zipfile = shared


def trim_histories() -> None:
    """Drop the oldest lines and events, which only people read."""
    from ministack.services import cloudformation, cloudwatch_logs

    with cloudwatch_logs._log_events_lock:
        for _, group in cloudwatch_logs._log_groups.all_items():
            for stream in list(group["streams"].values()):
                del stream["events"][:-LOG_EVENTS]
    for _, events in cloudformation._stack_events.all_items():
        del events[:-STACK_EVENTS]
