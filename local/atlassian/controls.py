"""What tests and curious people can change about the emulated site while it runs."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator

_LOG_LENGTH = 20_000


class Fault(BaseModel):
    """Something that goes wrong with the calls that match.

    Without ``status`` the work is done as usual, only later (``delay_ms``; ``held``: when a switch is set),
    without an answer (``drop``) or with one that breaks off (``truncate_bytes``) or has more ``headers``.
    With ``status`` nothing is done and that is the answer. A list of values is a header that is sent several
    times. ``times`` is how often it strikes; null is always.
    """

    model_config = ConfigDict(extra="forbid")

    method: str | None = None
    path: str = ".*"
    times: int | None = 1
    status: int | None = Field(default=None, ge=200, le=599)
    headers: dict[str, str | list[str]] = {}
    body: Any = None
    delay_ms: float = Field(default=0, ge=0)
    held: bool = False
    drop: Literal["before", "after"] | None = None
    truncate_bytes: int | None = Field(default=None, ge=0)

    @field_validator("path")
    @classmethod
    def _is_an_expression(cls, path: str) -> str:
        try:
            re.compile(path)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return path

    def matches(self, method: str, path: str) -> bool:
        if self.times == 0 or (self.method and self.method.upper() != method):
            return False
        return re.search(self.path, path) is not None

    def strike(self) -> None:
        if self.times is not None:
            self.times -= 1


class Bucket(BaseModel):
    """An account's tokens at a Data Center: a call costs one, each interval brings ``fill_rate`` new ones."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(ge=0)
    fill_rate: int = Field(ge=0)
    interval_seconds: float = Field(default=1, gt=0)


class RateLimits(BaseModel):
    """Limits of both kinds of site. Null switches one off; the per-issue one is on, as at Atlassian.

    ``account_buckets`` are a Data Center's, by the account's name; ``*`` is everybody without one.
    ``retry_after`` and ``reason`` say how the headers of a refusal look: as they should, absent, or as given.
    """

    model_config = ConfigDict(extra="forbid")

    points_per_hour: int | None = Field(default=None, ge=0)
    tenant_points_per_hour: int | None = Field(default=None, ge=0)
    burst_per_second: int | None = Field(default=None, ge=1)
    issue_writes_per_2s: int | None = Field(default=20, ge=1)
    account_buckets: dict[str, Bucket] = {}
    retry_after: bool | str = True
    reason: bool | str = True


class WebhookSwitches(BaseModel):
    """What happens to webhooks on their way. ``lose`` and ``double`` are shares: 1 is every one of them."""

    model_config = ConfigDict(extra="forbid")

    lose: float = Field(default=0, ge=0, le=1)
    double: float = Field(default=0, ge=0, le=1)
    delay_ms: float = Field(default=0, ge=0)
    forge: Literal["secret", "unsigned", "expired", "none", "HS512", "RS256"] | None = None
    scheme: Literal["Bearer", "JWT"] = "Bearer"
    #: Between two tries of a call that was not taken.
    retry_seconds: float = Field(default=300, ge=0)


class Transitions(BaseModel):
    """What is odd about the transitions to some statuses, which are named."""

    model_config = ConfigDict(extra="forbid")

    #: They have a screen, on which the resolution is required.
    with_screen: list[str] = []
    missing: list[str] = []
    doubled: list[str] = []
    #: They are offered and then refused.
    forbidden: list[str] = []


class Controls(BaseModel):
    """The switches, at their normal positions."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    latency_ms: float = Field(default=0, ge=0)
    access_token_seconds: int = Field(default=3600, ge=0)
    code_seconds: int = Field(default=300, ge=0)
    reuse_interval_seconds: int = Field(default=600, ge=0)
    clock_offset_seconds: float = 0
    data_center: bool = False
    basic_disabled: bool = False
    #: How many wrong passwords make a Data Center ask for a CAPTCHA.
    captcha_after: int | None = Field(default=3, ge=1)
    #: How the header of a login's outcome is sent: alone, twice, or as a list.
    login_reason: Literal["plain", "repeated", "listed"] = "plain"
    #: Under which path a Data Center runs.
    context_path: str = Field(default="", pattern=r"^(/[A-Za-z0-9._-]+)*$")
    #: What scoped API tokens and service accounts may do; null is all that the product asks for.
    token_scopes: list[str] | None = None
    text_limit: int = Field(default=32_767, ge=1)
    workflow: Literal["simplified", "steps"] = "simplified"
    transitions: Transitions = Transitions()
    search_lag_ms: float = Field(default=0, ge=0)
    scope_mismatch_status: Literal[401, 403] = 401
    read_only_projects: list[str] = []
    #: Which issue types a project has, by name, where it has not the usual ones.
    project_issue_types: dict[str, list[str]] = {}
    hidden_projects: list[str] = []
    forbidden_boards: list[int] = []
    unmapped_boards: list[int] = []
    #: What the account may not see. Pages of boards, sprints and their issues get shorter by it.
    hidden_boards: list[int] = []
    hidden_sprints: list[int] = []
    hidden_issues: list[str] = []
    #: Whether pages of boards and sprints tell how many there are.
    agile_totals: bool = True
    off_screen_fields: list[str] = []
    record_bodies: bool = False
    rate_limits: RateLimits = RateLimits()
    webhooks: WebhookSwitches = WebhookSwitches()
    faults: list[Fault] = []
    _changed: asyncio.Event = PrivateAttr(default_factory=asyncio.Event)

    async def changed(self) -> None:
        """Wait until a switch is set."""
        await self._changed.wait()

    def change(self, part: dict[str, Any]) -> None:
        """Set some switches, all of them or none."""
        merged = {**self.model_dump(), **part}
        for name in ("rate_limits", "webhooks", "transitions"):
            if isinstance(part.get(name), dict):
                merged[name] = {**getattr(self, name).model_dump(), **part[name]}
        checked = Controls.model_validate(merged)
        for name in part:
            setattr(self, name, getattr(checked, name))
        self._changed.set()
        self._changed = asyncio.Event()

    def reset(self) -> None:
        self.change(Controls().model_dump())

    def fault_for(self, method: str, path: str) -> Fault | None:
        """Return the first fault that matches and count it; later ones wait for their turn."""
        for fault in self.faults:
            if fault.matches(method, path):
                fault.strike()
                return fault.model_copy()
        return None


class RequestLog:
    """What was asked, the newest 20,000 calls, and how many were under way at once."""

    def __init__(self) -> None:
        self.entries: deque[dict[str, Any]] = deque(maxlen=_LOG_LENGTH)
        self.in_flight = 0
        self.max_in_flight = 0

    def begin(self) -> None:
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def end(self) -> None:
        self.in_flight -= 1

    def clear(self) -> None:
        self.entries.clear()
        self.max_in_flight = self.in_flight
