"""The client's promises: where it goes, what it repeats, what it makes of answers, what it never shows."""

from __future__ import annotations

import socket
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jobticket.errors import RefusalError
from jobticket.jira import shapes
from jobticket.jira.client import Credential, Site
from jobticket.jira.errors import (
    JiraError,
    JiraForbiddenError,
    JiraLoginError,
    JiraMalformedAnswerError,
    JiraMissingScopeError,
    JiraNotFoundError,
    JiraRateLimitedError,
    JiraRefusedCredentialsError,
    JiraStatusError,
    JiraTimeoutError,
    JiraUnreachableError,
)
from jobticket.jira.keys import MalformedKeyError, fill
from jobticket.jira.parallel import PARALLEL
from jobticket.jira.rate_limits import RateLimits, Scope
from tests.unit.jira.conftest import Clock, MakeClient
from tests.unit.jira.wire import WireJira, answer, hang_up, send

ISSUE = "/rest/api/2/issue/{issue}"


def test_reads(make_client: MakeClient, jira: WireJira) -> None:
    jira.acts = [answer(body={"key": "PROJ-1"})]
    assert make_client().get(ISSUE, issue="PROJ-1", params={"fields": "a,b"}) == {"key": "PROJ-1"}
    (sent,) = jira.requests
    assert (sent.method, sent.target) == ("GET", "/rest/api/2/issue/PROJ-1?fields=a%2Cb")
    assert sent.headers["authorization"] == "Basic dXNlcjpzZWNyZXQtdG9rZW4="


def test_writes_json(make_client: MakeClient, jira: WireJira) -> None:
    jira.acts = [answer(204)]
    assert make_client().put(ISSUE, issue="10001", json={"fields": {"description": "é"}}) is None
    assert jira.requests[0].json() == {"fields": {"description": "é"}}


def test_keeps_its_connection(make_client: MakeClient, jira: WireJira) -> None:
    jira.acts = [answer(body={})] * 3
    client = make_client()
    for _ in range(3):
        client.get("/rest/api/2/myself")
    assert jira.connections == 1


def test_cookies_of_one_connection_never_travel_with_another(make_client: MakeClient, jira: WireJira) -> None:
    jira.acts = [answer(body={}, headers={"Set-Cookie": "JSESSIONID=1; Path=/"}), answer(body={})]
    make_client().get("/rest/api/2/myself")
    make_client(credential=Credential("Bearer other")).get("/rest/api/2/myself")
    assert "cookie" not in jira.requests[1].headers


@pytest.mark.parametrize(
    "value",
    [
        "",
        ".",
        "..",
        "../serverInfo",
        "A-1/..",
        "A-1%2f..",
        "A-1?x",
        "A-1#x",
        "A-1 OR 1=1",
        'A-1"',
        "A-1\n",
        "-1",
        "-A-1",
        "_A-1",
        "A-01",
        "A.B-1",
        "\u00c4-1",
        "A-\u0661",
        "B7-214-",
        "2013PROJECT--1",
        "2013-1",
        "1e5-1",
    ],
)
def test_refuses_what_is_no_issue(value: str) -> None:
    with pytest.raises(MalformedKeyError):
        fill(ISSUE, {"issue": value})


@pytest.mark.parametrize("key", ["A-1", "proj-12", "A_B-3", "B7-214-68901", "2013PROJECT-1", "10000"])
def test_takes_every_key_of_a_cloud_and_a_data_center(key: str) -> None:
    assert fill(ISSUE, {"issue": key}) == f"/rest/api/2/issue/{key}"
    assert key.isdigit() or shapes.issue_key(key) == key


@pytest.mark.parametrize(
    ("value", "segment"),
    [("a/b", "a%2Fb"), ("../x", "..%2Fx"), ("50%", "50%25"), ("?q#f", "%3Fq%23f"), ("ü", "%C3%BC")],
)
def test_encodes_free_text(value: str, segment: str) -> None:
    assert fill("/rest/api/2/filter/{name}", {"name": value}) == f"/rest/api/2/filter/{segment}"


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_free_text_is_no_step_upwards(value: str) -> None:
    with pytest.raises(MalformedKeyError):
        fill("/rest/api/2/filter/{name}", {"name": value})


@pytest.mark.parametrize(
    ("template", "values"),
    [("https://elsewhere.example/rest/", {}), (ISSUE, {}), ("/rest/api/2/myself", {"issue": "A-1"})],
)
def test_templates_and_values_must_fit(template: str, values: dict[str, str]) -> None:
    with pytest.raises(LookupError):
        fill(template, values)


# --- what answers become --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, JiraStatusError),
        (401, JiraRefusedCredentialsError),
        (403, JiraForbiddenError),
        (404, JiraNotFoundError),
        (409, JiraStatusError),
        (500, JiraStatusError),
    ],
)
def test_refusals(make_client: MakeClient, jira: WireJira, status: int, kind: type[JiraError]) -> None:
    jira.acts = [answer(status, {"errorMessages": ["No."], "errors": {"summary": "Too long."}}, reason="Why")]
    with pytest.raises(kind) as caught:
        make_client().get(ISSUE, issue="PROJ-1")
    assert isinstance(caught.value, JiraStatusError)
    assert str(caught.value) == f"Jira API error: {status} Why"
    assert caught.value.details == {"errorMessages": ["No."], "errors": {"summary": "Too long."}}


def test_a_missing_reason_is_filled_in(make_client: MakeClient, jira: WireJira) -> None:
    jira.acts = [answer(404)]
    with pytest.raises(JiraNotFoundError, match=r"^Jira API error: 404 Not Found$"):
        make_client().get(ISSUE, issue="PROJ-1")


def test_follows_no_redirect(make_client: MakeClient, jira: WireJira) -> None:
    jira.acts = [answer(302, headers={"Location": f"{jira.url}/elsewhere"}), answer(body={})]
    with pytest.raises(JiraMalformedAnswerError):
        make_client().get("/rest/api/2/myself")
    assert len(jira.requests) == 1


@pytest.mark.parametrize("content", [b"<html>Log in</html>", b'{"key": ', b"\xff\xfe"])
def test_an_answer_that_is_not_jiras(make_client: MakeClient, jira: WireJira, content: bytes) -> None:
    jira.acts = [answer(raw=content)]
    with pytest.raises(JiraMalformedAnswerError):
        make_client().get("/rest/api/2/myself")


def test_an_endless_answer_is_cut_off(
    make_client: MakeClient, jira: WireJira, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobticket.http.transport.LONGEST_ANSWER", 1000)
    jira.acts = [answer(raw=b'"' + b"x" * 5000 + b'"')]
    with pytest.raises(JiraMalformedAnswerError, match="too long"):
        make_client().get("/rest/api/2/myself")


def test_secrets_do_not_come_back(make_client: MakeClient, jira: WireJira) -> None:
    jira.acts = [
        answer(
            400,
            {
                "errorMessages": ["header was Basic dXNlcjpzZWNyZXQtdG9rZW4=", "token secret-token is odd"],
                "errors": {"x": 'refresh_token="abcdefghij" eyJhbGciOi.eyJzdWIi.sig'},
            },
            reason="Basic dXNlcjpzZWNyZXQtdG9rZW4=",
        )
    ]
    query = {"jql": "private"}
    with pytest.raises(JiraStatusError) as caught:
        make_client().get("/rest/api/2/myself", params=query)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.details)
    for secret in ("dXNlcjpz", "secret-token", "abcdefghij", "eyJ", "private"):
        assert secret not in shown


def test_a_credential_does_not_show_itself() -> None:
    assert "hush" not in repr(Credential("Bearer hush", secrets=("hush",)))


# --- what is repeated -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [502, 503, 504])
@pytest.mark.parametrize("method", ["get", "delete"])
def test_repeats_reads_and_deletes(
    make_client: MakeClient, jira: WireJira, clock: Clock, method: str, status: int
) -> None:
    jira.acts = [answer(status), answer(status), answer(body={})]
    assert getattr(make_client(), method)(ISSUE, issue="A-1") == {}
    assert clock.slept == [0.5, 1.0]


def test_gives_up_after_some_tries(make_client: MakeClient, jira: WireJira) -> None:
    jira.acts = [answer(503)] * 9
    with pytest.raises(JiraStatusError):
        make_client().get(ISSUE, issue="A-1")
    assert len(jira.requests) == 4


def test_repeats_a_read_after_a_lost_connection(make_client: MakeClient, jira: WireJira) -> None:
    jira.acts = [hang_up, send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), answer(body={})]
    assert make_client().get(ISSUE, issue="A-1") == {}


@pytest.mark.parametrize("method", ["post", "put"])
@pytest.mark.parametrize(
    "act", [answer(503), answer(502), answer(500), hang_up], ids=["503", "502", "500", "lost"]
)
def test_sends_no_write_twice(make_client: MakeClient, jira: WireJira, method: str, act: object) -> None:
    jira.acts = [act, answer(204)]  # type: ignore[list-item]
    with pytest.raises(JiraError) as caught:
        getattr(make_client(), method)(ISSUE, issue="A-1", json={})
    assert len(jira.requests) == 1
    assert caught.value.outcome_unknown


def test_repeats_a_write_that_its_caller_calls_repeatable(make_client: MakeClient, jira: WireJira) -> None:
    jira.acts = [answer(503), hang_up, answer(body={"issues": []})]
    assert make_client().post("/rest/api/2/search/jql", json={}, repeatable=True) == {"issues": []}


def test_a_refused_write_has_a_known_outcome(make_client: MakeClient, jira: WireJira) -> None:
    jira.acts = [answer(400)]
    with pytest.raises(JiraStatusError) as caught:
        make_client().post(ISSUE, issue="A-1", json={})
    assert not caught.value.outcome_unknown


def test_a_repeated_delete_tells_that_the_first_may_have_worked(
    make_client: MakeClient, jira: WireJira
) -> None:
    jira.acts = [hang_up, answer(404), answer(404)]
    client = make_client()
    with pytest.raises(JiraNotFoundError) as repeated:
        client.delete(ISSUE, issue="A-1")
    with pytest.raises(JiraNotFoundError) as first:
        client.delete(ISSUE, issue="A-1")
    assert (repeated.value.after_lost_answer, first.value.after_lost_answer) == (True, False)


def test_a_connection_that_never_came_about_is_safe_to_repeat(
    make_client: MakeClient, jira: WireJira
) -> None:
    client = make_client(seconds=1.5)
    object.__setattr__(client.site, "api_url", "http://127.0.0.1:1")
    with pytest.raises(JiraUnreachableError) as caught:
        client.post(ISSUE, issue="A-1", json={})
    assert not caught.value.outcome_unknown


# --- time -----------------------------------------------------------------------------------------------------


def test_a_silent_jira_is_a_time_out(make_client: MakeClient, jira: WireJira) -> None:
    jira.acts = [jira.silent] * 9
    with pytest.raises(JiraTimeoutError) as caught:
        make_client(seconds=0.3).get(ISSUE, issue="A-1")
    assert str(caught.value) == "Jira did not answer in time"


@pytest.mark.parametrize(
    "prefix",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Slow: "],
    ids=["body", "headers"],
)
def test_a_dripping_answer_ends_by_the_deadline(
    make_client: MakeClient, jira: WireJira, prefix: bytes
) -> None:
    jira.acts = [jira.dripping(prefix)] * 9
    with pytest.raises(JiraTimeoutError):
        make_client(seconds=0.3, real_time=True).get(ISSUE, issue="A-1")


def test_a_write_that_times_out_has_an_unknown_outcome(make_client: MakeClient, jira: WireJira) -> None:
    arrived = threading.Event()

    def silent(connection: socket.socket) -> bool:
        arrived.set()
        return jira.silent(connection)

    jira.acts = [silent]
    # On the test's clock: a slow machine has as long as it takes to send, and the read alone times out.
    with pytest.raises(JiraTimeoutError) as caught:
        make_client(seconds=0.2).post(ISSUE, issue="A-1", json={})
    assert caught.value.outcome_unknown
    assert arrived.wait(60)
    assert len(jira.requests) == 1


def test_starts_nothing_when_there_is_no_time(make_client: MakeClient, jira: WireJira) -> None:
    with pytest.raises(JiraTimeoutError) as caught:
        make_client(seconds=0.0).post(ISSUE, issue="A-1", json={})
    assert not caught.value.outcome_unknown
    assert jira.requests == []


# --- limits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
def test_waits_as_long_as_jira_asks(
    make_client: MakeClient, jira: WireJira, clock: Clock, method: str
) -> None:
    jira.acts = [answer(429, headers={"Retry-After": "3"}), answer(body={})]
    assert getattr(make_client(), method)(ISSUE, issue="A-1") == {}
    assert len(clock.slept) == 1
    assert 3 <= clock.slept[0] < 4


@pytest.mark.parametrize(
    ("reason", "pause"),
    [("jira-burst-based", 0.5), ("jira-per-issue-on-write", 0.5), ("jira-quota-tenant-based", 5), ("new", 5)],
)
def test_waits_by_the_reason_where_jira_names_no_time(
    make_client: MakeClient, jira: WireJira, clock: Clock, reason: str, pause: float
) -> None:
    jira.acts = [answer(429, headers={"RateLimit-Reason": reason}), answer(body={})]
    make_client().put(ISSUE, issue="A-1", json={})
    assert pause <= clock.slept[0] < pause * 1.7


def test_a_limit_beyond_the_deadline_is_told_at_once(
    make_client: MakeClient, jira: WireJira, clock: Clock
) -> None:
    jira.acts = [
        answer(
            429, {"errorMessages": ["Slow down"]}, {"Retry-After": "600", "RateLimit-Reason": "jira-quota"}
        )
    ]
    with pytest.raises(JiraRateLimitedError) as caught:
        make_client().get(ISSUE, issue="A-1")
    assert (caught.value.seconds, caught.value.limit, clock.slept) == (600, "jira-quota", [])
    assert caught.value.details == {"errorMessages": ["Slow down"]}


def test_a_limit_after_a_lost_answer_leaves_the_outcome_unknown(
    make_client: MakeClient, jira: WireJira
) -> None:
    jira.acts = [hang_up, answer(429, headers={"Retry-After": "600"})]
    with pytest.raises(JiraRateLimitedError) as caught:
        make_client().delete(ISSUE, issue="A-1")
    assert caught.value.outcome_unknown


def test_a_known_limit_after_a_lost_answer_leaves_the_outcome_unknown(
    make_client: MakeClient, jira: WireJira, clock: Clock
) -> None:
    limits = RateLimits(clock.monotonic)

    def hang_up_while_another_call_is_limited(connection: socket.socket) -> bool:
        limits.note(Scope(Site(jira.url, jira.url, "cloud", "quota"), "GET elsewhere"), "something-new", 600)
        return hang_up(connection)

    jira.acts = [hang_up_while_another_call_is_limited]
    with pytest.raises(JiraRateLimitedError) as caught:
        make_client(rate_limits=limits).delete(ISSUE, issue="A-1")
    assert caught.value.outcome_unknown


def test_a_limit_that_is_over_at_once_is_not_asked_at_once(
    make_client: MakeClient, jira: WireJira, clock: Clock
) -> None:
    jira.acts = [answer(429, headers={"Retry-After": "0"})] * 2 + [answer(body={})]
    make_client().get(ISSUE, issue="A-1")
    assert clock.slept[0] >= 0.5
    assert clock.slept[1] >= 1.0


@pytest.mark.parametrize(
    ("reason", "held", "free"),
    [
        ("jira-quota-global-based", ["A-1", "B-2"], []),
        ("jira-burst-based", ["A-1", "B-2"], ["comment"]),
        ("jira-per-issue-on-write", ["A-1"], ["B-2", "comment"]),
        ("something-new", ["A-1", "B-2", "comment"], []),
    ],
)
def test_a_known_limit_holds_up_what_it_is_about_and_no_more(
    make_client: MakeClient, jira: WireJira, clock: Clock, reason: str, held: list[str], free: list[str]
) -> None:
    limits = RateLimits(clock.monotonic)
    jira.acts = [answer(429, headers={"Retry-After": "600", "RateLimit-Reason": reason})]
    with pytest.raises(JiraRateLimitedError):
        make_client(rate_limits=limits).put(ISSUE, issue="A-1", json={})
    client = make_client(rate_limits=limits)
    for issue in held:
        with pytest.raises(JiraRateLimitedError) as caught:
            client.get("/rest/api/2/myself") if issue == "comment" else client.put(
                ISSUE, issue=issue, json={}
            )
        assert caught.value.seconds == 600
    jira.acts = [answer(204)] * 9
    for issue in free:
        client.get("/rest/api/2/myself") if issue == "comment" else client.put(ISSUE, issue=issue, json={})
    assert len(jira.requests) == 1 + len(free)


def test_a_write_is_not_repeated_after_503_even_with_retry_after(
    make_client: MakeClient, jira: WireJira
) -> None:
    jira.acts = [answer(503, headers={"Retry-After": "1"}), answer(204)]
    with pytest.raises(JiraStatusError):
        make_client().put(ISSUE, issue="A-1", json={})
    assert len(jira.requests) == 1


def test_a_read_honours_retry_after_of_503(make_client: MakeClient, jira: WireJira, clock: Clock) -> None:
    jira.acts = [answer(503, headers={"Retry-After": "4"}), answer(body={})]
    make_client().get(ISSUE, issue="A-1")
    assert clock.slept[0] >= 4


# --- renewal --------------------------------------------------------------------------------------------------


def test_renews_a_refused_credential_once(make_client: MakeClient, jira: WireJira) -> None:
    renewals = []

    def renew() -> Credential:
        renewals.append(1)
        return Credential("Bearer fresh")

    jira.acts = [answer(401), answer(body={}), answer(body={})]
    client = make_client(credential=Credential("Bearer stale", renew))
    client.post(ISSUE, issue="A-1", json={})
    client.get(ISSUE, issue="A-1")
    assert [sent.headers["authorization"] for sent in jira.requests] == [
        "Bearer stale",
        "Bearer fresh",
        "Bearer fresh",
    ]
    assert renewals == [1]


def test_a_second_refusal_is_final(make_client: MakeClient, jira: WireJira) -> None:
    def renew() -> Credential:
        return Credential("Bearer fresh", renew)

    jira.acts = [answer(401)] * 5
    with pytest.raises(JiraRefusedCredentialsError):
        make_client(credential=Credential("Bearer stale", renew)).get(ISSUE, issue="A-1")
    assert len(jira.requests) == 2


def test_threads_share_one_renewal(make_client: MakeClient, jira: WireJira) -> None:
    refused = threading.Barrier(4)
    renewals = []

    def refuse_together(connection: object) -> bool:
        refused.wait()
        return answer(401)(connection)  # type: ignore[arg-type]

    def renew() -> Credential:
        renewals.append(1)
        return Credential("Bearer fresh")

    jira.acts = [refuse_together] * 4 + [answer(body={})] * 4
    client = make_client(credential=Credential("Bearer stale", renew))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: client.get(ISSUE, issue="A-1"), range(4)))
    assert renewals == [1]


def test_links_for_people(make_client: MakeClient) -> None:
    assert make_client().browse_url("PROJ-1") == "https://browse.example/browse/PROJ-1"


# --- credentials that do not fit --------------------------------------------------------------------------

DEAD = [
    (answer(401), JiraRefusedCredentialsError),
    (answer(403, headers={"X-Authentication-Denied-Reason": "CAPTCHA_CHALLENGE"}), JiraLoginError),
    (
        answer(200, {"values": []}, {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}),
        JiraRefusedCredentialsError,
    ),
]


@pytest.mark.parametrize(("act", "kind"), DEAD)
def test_a_dead_credential_is_sent_once(
    make_client: MakeClient, jira: WireJira, act: Any, kind: type[JiraError]
) -> None:
    jira.acts = [act] * 9
    client = make_client()
    for _ in range(3):
        with pytest.raises(kind):
            client.get(ISSUE, issue="A-1")
    assert len(jira.requests) == 1


@pytest.mark.parametrize(("act", "kind"), DEAD)
def test_calls_that_wait_for_their_turn_are_not_sent_with_it(
    make_client: MakeClient, jira: WireJira, act: Any, kind: type[JiraError]
) -> None:
    together = threading.Barrier(PARALLEL)

    def refuse_together(connection: socket.socket) -> bool:
        together.wait()
        return bool(act(connection))

    jira.acts = [refuse_together] * PARALLEL
    client = make_client()
    with ThreadPoolExecutor(3 * PARALLEL) as pool:
        calls = [pool.submit(client.get, ISSUE, issue="A-1") for _ in range(3 * PARALLEL)]
        assert all(isinstance(each.exception(), kind) for each in calls)
    assert len(jira.requests) == PARALLEL


def test_a_renewal_that_fails_ends_it_too(make_client: MakeClient, jira: WireJira) -> None:
    renewals = []

    def renew() -> Credential:
        renewals.append(1)
        raise RefusalError("authorize again")

    jira.acts = [answer(401)] * 9
    client = make_client(credential=Credential("Bearer stale", renew))
    for _ in range(3):
        with pytest.raises(RefusalError, match="authorize again"):
            client.get(ISSUE, issue="A-1")
    assert (len(jira.requests), renewals) == (1, [1])


def test_a_missing_scope_renews_nothing_and_ends_nothing(make_client: MakeClient, jira: WireJira) -> None:
    def renew() -> Credential:
        raise AssertionError

    jira.acts = [answer(401, {"code": 401, "message": "Unauthorized; scope does not match"}), answer(body={})]
    client = make_client(credential=Credential("Bearer good", renew))
    with pytest.raises(JiraMissingScopeError):
        client.get("/rest/agile/1.0/board")
    assert client.get(ISSUE, issue="A-1") == {}
