"""MiniStack, the AWS emulator, with snapshots while it runs.

Run by :mod:`local.emulator` as a program. MiniStack itself writes its state when it is stopped in an orderly
way and at no other time, so a kill or a power cut would take everything since the start. Its saving function
is not a public one; the version is pinned, and the start fails at once should it be gone.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from ministack import app as ministack

SECONDS_BETWEEN_SNAPSHOTS = 3.0


class _Snapshots:
    """Saves the state every few seconds in which something was asked."""

    def __init__(self) -> None:
        self._serve = ministack.app
        self._save = ministack.save_all
        self._collect = ministack._build_persistence_save_dict
        self._saving = threading.Lock()
        self._asked = threading.Event()
        self._stopping = threading.Event()

    def install(self) -> None:
        ministack.app = self.serve
        ministack.save_all = self.save
        threading.Thread(target=self._run, daemon=True).start()

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        await self._serve(scope, receive, send)
        if scope["type"] == "lifespan":
            self._stopping.set()
        else:
            self._asked.set()

    def save(self, state: Any) -> None:
        # The one at the end and one of these must not write the same files at the same time.
        with self._saving:
            self._save(state)

    def _run(self) -> None:
        while not self._stopping.wait(SECONDS_BETWEEN_SNAPSHOTS):
            if self._asked.is_set():
                self._asked.clear()
                self.save(self._collect())


def main() -> None:
    logging.getLogger("persistence").setLevel(logging.WARNING)  # otherwise a line a service at every snapshot
    _Snapshots().install()
    ministack.main()


if __name__ == "__main__":
    main()
