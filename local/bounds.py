"""Bounds for what would grow without end in the emulator: unpacked layers, logs, events of the stack."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import zipfile
from hashlib import file_digest
from pathlib import Path
from types import SimpleNamespace
from typing import Any

LOG_EVENTS = 5_000  # of a stream
STACK_EVENTS = 1_000

_unpacking = threading.Lock()


class SharedZip(zipfile.ZipFile):
    """A zip that is unpacked once; every further folder of the same content consists of links.

    Each worker process has its own folder with its function's code and layers, more than 20 MB.
    """

    def extractall(self, path: Any = None, *_arguments: Any) -> None:
        """Link the content into a folder, and free the space of the zip."""
        assert isinstance(self.filename, str)
        source = Path(self.filename)
        with source.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        shared = Path(tempfile.gettempdir()) / "unpacked" / digest
        with _unpacking:
            if not shared.exists():
                draft = shared.with_suffix(".new")
                super().extractall(draft)
                draft.rename(shared)
        shutil.copytree(shared, path, copy_function=os.link, dirs_exist_ok=True)
        source.unlink()


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
