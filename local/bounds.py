"""Bounds for what would grow without end in the emulator: unpacked layers, logs, events of the stack."""

from __future__ import annotations

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
    """A zip that is unpacked once: the folder of each worker links to the same files.

    A function's code and layers have more than a thousand files; to link each took half of a cold start.
    Workers do not write there, but for the compiled code of a function, which the next ones then have.
    """

    def namelist(self) -> list[str]:
        """Return no names: the emulator would look up each on disk, before every start of a worker.

        It looks for names that lead out of the folder, as :meth:`zipfile.ZipFile.extractall` does as well.
        """
        return []

    def extractall(self, path: Any = None, *_arguments: Any) -> None:
        """Make an empty folder a link to the content, and free the space of the zip."""
        assert isinstance(self.filename, str)
        source = Path(self.filename)
        with source.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        shared = Path(tempfile.gettempdir()) / "unpacked" / digest
        with _unpacking:
            if not shared.exists():
                draft = shared.with_suffix(".new")
                super().extractall(draft, super().namelist())
                draft.rename(shared)
        Path(path).rmdir()
        Path(path).symlink_to(shared)
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
