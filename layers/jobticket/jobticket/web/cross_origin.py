"""Which web pages of other origins may call a route and read its answer (CORS)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PREFLIGHT_SECONDS = 600


@dataclass(frozen=True, slots=True)
class CrossOrigin:
    """The origins that a deployment trusts, and the headers that their pages may send; never cookies."""

    origins: frozenset[str]
    allowed_headers: tuple[str, ...]

    def headers(self, origin: str | None, method: str) -> Mapping[str, str]:
        """Return the CORS headers, none for an origin that is not trusted."""
        if origin is None or origin not in self.origins:
            return {}
        granted = {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": "Retry-After"}
        if method == "OPTIONS":
            granted |= {
                "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
                "Access-Control-Allow-Headers": ", ".join(self.allowed_headers),
                "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
            }
        return granted
