"""The Jira client: every call to Jira goes through here.

It takes a path's template and values, and returns JSON. It knows none of Jira's operations::

    client.get("/rest/api/2/issue/{issue}", issue=key, params={"fields": "summary,description"})
    client.put("/rest/api/2/issue/{issue}", issue=key, json={"fields": {"description": text}})
    client.post("/rest/api/2/issue/{issue}/comment", issue=key, json={"body": text})
    client.delete("/rest/api/2/issue/{issue}", issue=key)

For every call:

* Values are checked (``jobticket.jira.keys``) and encoded into the path. No call leaves the client's site.
* Pauses and repeats included, it ends by the client's deadline.
* GET and DELETE are repeated after 502, 503, 504, time-outs and broken connections. POST and PUT are not,
  unless the caller says ``repeatable=True`` or the request certainly never reached Jira. A 429 was not
  carried out, so any method is tried again after its pause.
* Refused credentials are renewed once, if they can be, and the call is repeated. Then no call is sent.
* What an answer means is decided in ``jobticket.jira.answers``.
* At most 16 calls of a client are under way at the same time, half as many after each refusal of a burst.
* Everything else raises an error of ``jobticket.jira.errors``, which never contains a secret.
"""

from __future__ import annotations

import json as json_text
import random
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import requests

from jobticket.clock import Deadline
from jobticket.dataclass import dataclass, field
from jobticket.http.errors import NoAnswerError
from jobticket.http.transport import LEAST_SECONDS, send
from jobticket.jira import errors, keys
from jobticket.jira.answers import evaluated, may_repeat
from jobticket.jira.errors import JiraError, JiraStatusError
from jobticket.jira.parallel import PARALLEL, Gate
from jobticket.jira.rate_limits import BACKOFF_SECONDS, BURSTS, QUOTA_SECONDS, Pause, RateLimits, Scope

Deployment = Literal["cloud", "data_center"]

#: How long a repeatable call may take before it is repeated.
READ_SECONDS = 15.0
MOST_TRIES = 4
#: Pauses that Jira asks for cost no try. The deadline ends them, and this bound.
MOST_LIMITED_TRIES = 8


@dataclass(frozen=True, slots=True)
class Site:
    """The Jira that a client calls."""

    #: The part of a URL before ``/rest/…``, without a slash at the end.
    api_url: str
    #: Where people see it: links are ``{browse_url}/browse/{key}``.
    browse_url: str
    deployment: Deployment
    #: The same for all sites that share the app's quota.
    quota_key: str
    #: Names the account where it has limits of its own; another authorization is another account.
    account: str | None = None
    #: Pauses from before do not count: a new authorization may have ended them.
    authorized_at: datetime | None = None

    @property
    def limits(self) -> tuple[str, ...]:
        """The names of the limits that can hold up every call (``Limit.name``)."""
        return Scope(self, "").lasting

    def scope(self, method: str, template: str, values: Mapping[str, object]) -> Scope:
        """Return what a call counts towards."""
        issue = None if method == "GET" else values.get("issue", values.get("key"))
        return Scope(self, f"{method} {template}", None if issue is None else str(issue))


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential for Jira."""

    #: The value of the ``Authorization`` header.
    authorization: str = field(repr=False)
    #: Called after a 401. Returns a fresh credential, the same if Jira accepts it elsewhere, or raises the
    #: error for the caller. None if the credential cannot be renewed.
    renew: Callable[[], Credential] | None = field(default=None, repr=False)
    #: What no error may show, even if Jira's answer does.
    secrets: tuple[str, ...] = field(default=(), repr=False)
    #: What the deployment asks for and the consent lacks: a refusal tells it.
    missing_scopes: tuple[str, ...] = ()
    #: Whether Jira's ``/myself`` has accepted it after a refusal.
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """Sleep and chance, which tests replace."""

    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random


class JiraClient:
    """Calls one site with one credential. Threads may share it.

    The session is the container's (``jobticket.http.session.new_session``). By the deadline, all calls of the
    client have ended.
    """

    def __init__(
        self,
        session: requests.Session,
        site: Site,
        credential: Credential,
        *,
        deadline: Deadline,
        rate_limits: RateLimits | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.site = site
        self.deadline = deadline
        self._session = session
        self._credential = credential
        self._renewal = threading.Lock()
        self._gate = Gate(PARALLEL)
        self._dead: Exception | None = None
        self._rate_limits = rate_limits or RateLimits(deadline.monotonic)
        self._pace = pace or Pace()

    @property
    def is_cloud(self) -> bool:
        return self.site.deployment == "cloud"

    def browse_url(self, key: str) -> str:
        """Return the URL at which people see an issue."""
        return f"{self.site.browse_url}/browse/{quote(key, safe='')}"

    def get(self, template: str, *, params: Mapping[str, Any] | None = None, **values: object) -> Any:
        """Return the JSON of the answer."""
        return self._request("GET", template, values, params)

    def post(self, template: str, *, json: Any = None, repeatable: bool = False, **values: object) -> Any:
        """Return the JSON, None without a body; ``repeatable`` if twice does what once does, as a search."""
        return self._request("POST", template, values, None, json, repeatable)

    def put(
        self,
        template: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        repeatable: bool = False,
        **values: object,
    ) -> Any:
        """Return the JSON; not repeated by default: somebody may have written something newer meanwhile."""
        return self._request("PUT", template, values, params, json, repeatable)

    def delete(
        self, template: str, *, json: Any = None, params: Mapping[str, Any] | None = None, **values: object
    ) -> Any:
        """Delete. See ``JiraStatusError.after_lost_answer`` for a 404 to a repeated call."""
        return self._request("DELETE", template, values, params, json)

    def _request(
        self,
        method: str,
        template: str,
        values: Mapping[str, object],
        params: Mapping[str, Any] | None,
        body: Any = None,
        repeatable: bool = True,
    ) -> Any:
        scope = self.site.scope(method, template, values)
        call = _Call(method, self.site.api_url + keys.fill(template, values), scope, params, body, repeatable)
        while True:
            self._await_limits(call)
            with self._gate.passing() as wave:
                if self._rate_limits.pause(scope, entering=True).seconds > 0:
                    continue  # a call was refused while this one queued
                credential = self._credential
                self._require_living(call)
                try:
                    answer = self._send(call, credential)
                except JiraError as error:
                    failure = error
                else:
                    self._rate_limits.passed(scope)
                    return answer
            call.mark(failure)
            self._prepare_repeat(call, failure, credential, wave)

    def _prepare_repeat(self, call: _Call, error: JiraError, credential: Credential, wave: int) -> None:
        """Renew the credential or wait, so that the call can be sent again; or raise its error."""
        if isinstance(error, errors.JiraRefusedCredentialsError | errors.JiraLoginError):
            error.missing_scopes, error.accepted_elsewhere = credential.missing_scopes, credential.confirmed
            self._renew(call, error, credential)
        elif isinstance(error, errors.JiraRateLimitedError):
            call.limited += 1
            error.held = call.scope.limited(error.limit)
            seconds = _limit_seconds(error, call.limited)
            self._rate_limits.note(call.scope, error.limit, seconds, error.bucket)
            error.retry_after = max(seconds, self._rate_limits.pause(call.scope).seconds)
            if error.held.kind in BURSTS:
                self._gate.narrow(wave)
            if call.limited >= MOST_LIMITED_TRIES or self._spare(error.retry_after) <= 0:
                raise error
        else:
            call.failures += 1
            if call.failures >= MOST_TRIES or not may_repeat(error, repeatable=call.repeatable):
                raise error
            self._pause_after(error, call.failures)

    def _send(self, call: _Call, credential: Credential) -> Any:
        # A repeatable call leaves time for a repeat. A write gets all the time: late is better than lost.
        left = self.deadline.sooner(READ_SECONDS) if call.repeatable else self.deadline
        sent: dict[str, Any] = {"params": call.params, "headers": {"Authorization": credential.authorization}}
        if call.body is not None:
            sent["headers"]["Content-Type"] = "application/json"
            sent["data"] = json_text.dumps(call.body, separators=(",", ":")).encode()
        try:
            answer = send(self._session, call.method, call.url, to="Jira", deadline=left, **sent)
        except NoAnswerError as error:
            raise errors.without_answer(error) from None
        host = urlsplit(self.site.api_url).hostname or ""
        return evaluated(answer, reads=call.reads, host=host, secrets=credential.secrets)

    def _renew(self, call: _Call, error: JiraStatusError, refused: Credential) -> None:
        """Renew the credential unless another thread has; if that cannot help, raise the error.

        Then no further call is sent: each try with a wrong password brings its owner nearer to a CAPTCHA.
        """
        with self._renewal:
            if self._credential is refused and self._dead is None:
                try:
                    if call.renewed or refused.renew is None or isinstance(error, errors.JiraLoginError):
                        raise error
                    renewed = refused.renew()
                except Exception as final:
                    self._dead = final
                else:
                    if renewed.authorization == refused.authorization:
                        error.accepted_elsewhere = renewed.confirmed
                        raise error  # there is no other credential
                    self._credential = renewed
            self._require_living(call)
        call.renewed = True

    def _require_living(self, call: _Call) -> None:
        """Raise, for this call too, what has ended the credential."""
        if self._dead is not None:
            if isinstance(self._dead, JiraError) and call.lost_answer:
                self._dead.outcome_unknown = True
            raise self._dead

    def _await_limits(self, call: _Call) -> None:
        while (pause := self._rate_limits.pause(call.scope)).seconds > 0:
            spare = self._spare(pause.seconds)
            if spare <= 0:
                raise call.held_up(pause)
            # Never earlier than asked, and not all callers at the same moment.
            self._pace.sleep(pause.seconds + self._pace.random() * min(spare, 0.25 + 0.2 * pause.seconds))
        most = self._spare(0.0)
        seconds = self._rate_limits.turn(call.scope, most)
        if seconds > max(most, 0.0):
            raise call.held_up(Pause(seconds, call.scope.limited(None)))
        if seconds > 0:
            self._pace.sleep(seconds)

    def _spare(self, pause: float) -> float:
        """Return the seconds left for the call after a pause; negative if there is no time."""
        return self.deadline.left() - LEAST_SECONDS - pause

    def _pause_after(self, error: JiraError, failures: int) -> None:
        pause = self._pace.random() * BACKOFF_SECONDS * 2**failures
        if isinstance(error, JiraStatusError) and error.retry_after is not None:
            pause += error.retry_after
        if pause + LEAST_SECONDS >= self.deadline.left():
            raise error
        self._pace.sleep(pause)


@dataclass(slots=True)
class _Call:
    """A call, and its tries so far."""

    method: str
    url: str
    scope: Scope
    params: Mapping[str, Any] | None
    body: Any
    repeatable: bool
    failures: int = 0
    limited: int = 0
    renewed: bool = False
    lost_answer: bool = False

    @property
    def reads(self) -> bool:
        return self.method == "GET" or (self.method == "POST" and self.repeatable)

    def mark(self, error: JiraError) -> None:
        """Note on the error whether an earlier try may have succeeded, and remember this one."""
        if isinstance(error, JiraStatusError):
            error.after_lost_answer = self.lost_answer
        self.lost_answer = self.lost_answer or error.outcome_unknown
        error.outcome_unknown = self.lost_answer

    def held_up(self, pause: Pause) -> errors.JiraRateLimitedError:
        """Return the error for a call that cannot wait for a pause's end."""
        told: dict[str, Any] = {"retry_after": pause.seconds, "limit": pause.reason, "held": pause.limit}
        error = errors.JiraRateLimitedError("Too Many Requests", **told)
        self.mark(error)
        return error


def _limit_seconds(error: errors.JiraRateLimitedError, tries: int) -> float:
    burst = error.held is not None and error.held.kind in BURSTS
    if error.retry_after is None:
        return float((BACKOFF_SECONDS if burst else QUOTA_SECONDS) * 2**tries / 2)
    # Even "at once" gets a pause: eight tries would be used up in a moment.
    return error.retry_after or BACKOFF_SECONDS * 2**tries / 2
