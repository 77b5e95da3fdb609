"""API Gateway's own answers, in the words of template.yaml's gateway responses.

The emulator does not import them, so the proxy in front of it gives them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from local.template import load_template

#: API Gateway's statuses for the types that the template leaves out.
_STATUS = {
    "MISSING_AUTHENTICATION_TOKEN": 403,
    "REQUEST_TOO_LARGE": 413,
    "THROTTLED": 429,
    "INTEGRATION_FAILURE": 504,
    "INTEGRATION_TIMEOUT": 504,
    "API_CONFIGURATION_ERROR": 500,
}


@dataclass(frozen=True)
class GatewayResponse:
    """An answer of the gateway's own."""

    status: int
    headers: Mapping[str, str]
    body: str


@cache
def gateway_response(type_: str) -> GatewayResponse:
    """Return the template's response of a type, or of the default that it falls under."""
    described = load_template()["Resources"]["Api"]["Properties"]["GatewayResponses"]
    default = "DEFAULT_4XX" if _STATUS[type_] < 500 else "DEFAULT_5XX"
    own: dict[str, Any] = described.get(type_) or described[default]
    headers = own.get("ResponseParameters", {}).get("Headers", {})
    return GatewayResponse(
        int(own.get("StatusCode", _STATUS[type_])),
        # Constants are quoted; values from the request are not modelled.
        {name: value[1:-1] for name, value in headers.items() if isinstance(value, str) and value[:1] == "'"},
        own["ResponseTemplates"]["application/json"],
    )
