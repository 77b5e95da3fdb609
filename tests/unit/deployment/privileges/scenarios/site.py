from __future__ import annotations

from tests.unit.deployment.privileges.driving import Driven

PAGES = ("/", "/docs", "/console", "/datastores/1/anomalies?id=1", "/assets/x/console.js", "/favicon.ico")


def drive(site: Driven) -> None:
    for path in ("/health", "/openapi.json", *PAGES):
        site.call("GET", path, key=None)
