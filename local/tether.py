"""Run a module as a program that ends when its parent does.

    python -m local.tether <module> [argument …]

The parent holds the other end of standard input. When the parent ends, even if it is killed, that end closes.
The program then gets the same SIGTERM as at an orderly stop: it saves its data and frees its port. If it does
not end, it is killed, because a new stack waits for it.

Standard error reaches the user's screen through the parent. Only :mod:`local.loud` writes there.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

from local.loud import keep_stderr

SECONDS_TO_STOP = 20


def _stop_with_parent() -> None:
    # The descriptor itself, not sys.stdin: a thread inside its buffer would block the interpreter's exit.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SECONDS_TO_STOP)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    keep_stderr()
    module = sys.argv[1]
    del sys.argv[1]
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
