"""Start the functions behind the console before somebody opens it: a cold start takes a second of a core."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import requests

from local.settings import Settings

PATHS = (
    "console",
    "api/jobs",
    "api/operations",
    "api/jira/pushes",
    "api/backend/connections",
    "api/anomalies",
)
AT_ONCE = 2  # each start keeps a core busy
SECONDS = 20


def start_functions(settings: Settings) -> None:
    """Ask each function once; what it answers does not matter."""
    headers = {"Authorization": f"Bearer {settings.api_key}"}

    def ask(path: str) -> None:
        with requests.Session() as session:
            session.trust_env = False  # a proxy is for other hosts
            try:
                session.get(f"{settings.url}/{path}?limit=1", headers=headers, timeout=SECONDS)
            except requests.RequestException:
                return  # the stack may have stopped

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(ask, PATHS))
