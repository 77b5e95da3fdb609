from __future__ import annotations

from tests.unit.deployment.privileges.driving import Driven


def drive(site: Driven) -> None:
    for path in (
        "/health",
        "/openapi.json",
        "/",
        "/docs",
        "/console",
        "/assets/x/console.js",
        "/favicon.ico",
    ):
        site.call("GET", path, key=None)
