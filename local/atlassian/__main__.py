"""Serve the emulated Atlassian: ``python -m local.atlassian --port 8001 --data-dir .local``."""

from __future__ import annotations

import argparse
from pathlib import Path

from aiohttp import web

from local.atlassian.server import build, listen


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.atlassian", description=__doc__)
    parser.add_argument("--port", type=int, default=8001, help="loopback port (8001)")
    parser.add_argument(
        "--data-dir", type=Path, default=Path(".local"), help="where the state is kept (.local)"
    )
    arguments = parser.parse_args()
    listener = listen(arguments.port)
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = build(base_url, arguments.data_dir)
    print(f"Emulated Atlassian: {base_url}", flush=True)
    # run_app ends on SIGTERM and SIGINT alike, and the state is written on the way out.
    web.run_app(app, sock=listener, print=None, access_log=None, shutdown_timeout=2)


if __name__ == "__main__":
    main()
