"""Settings of the local stack, from the environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalStackError

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Caller:
    """A caller of the API, with key and scopes."""

    name: str
    key: str
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    port: int = 8000
    atlassian_port: int = 8001
    data_dir: Path = Path(".local")
    callers: tuple[Caller, ...] = (Caller("local", "local-key", ("*",)),)
    return_origins: str = "http://localhost:3000"
    connect_mode: str = "open"
    push_schedule: str | None = None
    event_bus: str | None = None
    enforce_roles: bool = False

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def atlassian_url(self) -> str:
        return f"http://{HOST}:{self.atlassian_port}"

    @property
    def api_key(self) -> str:
        return self.callers[0].key


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings; an error names the malformed one."""
    default = Settings()
    port = _port(environment, "PORT", default.port)
    return Settings(
        port=port,
        atlassian_port=_port(environment, "ATLASSIAN_PORT", port + 1),
        data_dir=Path(environment.get("DATA_DIR") or default.data_dir).resolve(),
        callers=(
            Caller("local", environment.get("API_KEY") or default.api_key, ("*",)),
            *_callers(environment.get("API_KEYS") or "[]"),
        ),
        return_origins=environment.get("RETURN_ORIGINS") or default.return_origins,
        connect_mode=environment.get("CONNECT_MODE") or default.connect_mode,
        push_schedule=environment.get("PUSH_SCHEDULE") or None,
        event_bus=environment.get("EVENT_BUS") or None,
        enforce_roles=environment.get("AUTH", "").lower() == "true",
    )


def _port(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise LocalStackError(f"{name} must be a port number, not {text!r}")
    return int(text)


def _callers(text: str) -> tuple[Caller, ...]:
    try:
        return tuple(
            Caller(str(entry["name"]), str(entry["key"]), tuple(entry["scopes"]))
            for entry in json.loads(text)
        )
    except (ValueError, KeyError, TypeError) as error:
        raise LocalStackError('API_KEYS must be a JSON array of {"name", "key", "scopes": […]}') from error
