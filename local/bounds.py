"""Bounds for what would grow without end in the emulator: unpacked layers, logs, events of the stack."""

from __future__ import annotations

import tempfile
import threading
import zipfile
from functools import cached_property
from hashlib import file_digest
from pathlib import Path
from types import SimpleNamespace
from typing import Any

LOG_EVENTS = 5_000  # of a stream
STACK_EVENTS = 1_000

_unpacking = threading.Lock()


class SharedZip(zipfile.ZipFile):
    """A zip that is unpacked once; every further folder of the same content is a link.

    Each worker process has its own folder with its function's code and layers, more than 20 MB.
    """

    def namelist(self) -> list[str]:
        """Return the names to be checked: those of content that is unpacked already have been."""
        return [] if self._shared.exists() else super().namelist()

    def extractall(self, path: Any = None, *_arguments: Any) -> None:
        """Put a link in an empty folder's place, and free the space of the zip."""
        with _unpacking:
            if not self._shared.exists():
                draft = self._shared.with_suffix(".new")
                super().extractall(draft)
                draft.rename(self._shared)
        Path(path).rmdir()
        Path(path).symlink_to(self._shared)
        Path(self._name).unlink()

    @property
    def _name(self) -> str:
        assert isinstance(self.filename, str)
        return self.filename

    @cached_property
    def _shared(self) -> Path:
        with Path(self._name).open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        return Path(tempfile.gettempdir()) / "unpacked" / digest


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
