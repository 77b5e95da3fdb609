"""Who is calling."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from jobticket.errors import ForbiddenError, UnauthenticatedError, UnavailableError
from jobticket.observability import logger
from jobticket.web import authentication
from jobticket.web.authentication import SCOPES, Caller, KeyRing
from tests.support.gateway import Gateway
from tests.unit.conftest import KEYS, client, gateway, key_ring, load_function


class Store:
    """A secret store and a clock, both as the test says."""

    def __init__(self, keys: dict[str, list[str]]) -> None:
        self.text = key_ring(keys)
        self.error: Exception | None = None
        self.seconds = 1_000.0
        self.fetched = 0

    def fetch(self) -> str:
        self.fetched += 1
        if self.error:
            raise self.error
        return self.text

    def ring(self, *, local: bool = False) -> KeyRing:
        return KeyRing(self.fetch, lambda: self.seconds, local=local)


@pytest.fixture
def store() -> Store:
    return Store({"good": ["jobs"], "other": ["*"]})


def known(ring: KeyRing, key: str) -> bool:
    try:
        ring.authenticate(f"Bearer {key}")
    except UnauthenticatedError:
        return False
    return True


def test_the_ring_is_fetched_once_in_five_minutes(store: Store) -> None:
    ring = store.ring()
    assert store.fetched == 0
    for _ in range(50):
        assert known(ring, "good")
    store.seconds += 299.9
    assert known(ring, "other")
    assert store.fetched == 1
    store.seconds += 0.1
    assert known(ring, "good")
    assert store.fetched == 2


def test_a_removed_key_dies_within_five_minutes(store: Store) -> None:
    ring = store.ring()
    assert known(ring, "good")
    store.text = key_ring({"other": ["*"]})
    store.seconds += 299.9
    assert known(ring, "good")
    store.seconds += 0.1
    assert not known(ring, "good")


def test_the_five_minutes_count_from_before_the_ring_was_asked_for(store: Store) -> None:
    """The answer may be as old as the request: the key could have been removed while it was under way."""

    def slow() -> str:
        text = store.fetch()
        store.seconds += 10
        return text

    ring = KeyRing(slow, lambda: store.seconds, local=False)
    assert known(ring, "good")
    store.text = key_ring({"other": ["*"]})
    store.seconds += 290
    assert not known(ring, "good")


def test_a_new_key_works_within_thirty_seconds(store: Store) -> None:
    ring = store.ring()
    assert known(ring, "good")
    store.text = key_ring({"good": ["jobs"], "new": ["jobs"]})
    store.seconds += 29.9
    assert not known(ring, "new")
    store.seconds += 0.1
    assert known(ring, "new")
    assert store.fetched == 2


def test_unknown_keys_fetch_the_ring_at_most_once_in_thirty_seconds(store: Store) -> None:
    ring = store.ring()
    for attempt in range(400):
        assert not known(ring, f"guess-{attempt}")
        store.seconds += 0.25  # 100 seconds in all
    assert store.fetched == 4
    assert known(ring, "good")


def test_an_ailing_store_is_asked_no_more_often(store: Store) -> None:
    ring = store.ring()
    assert known(ring, "good")
    store.error = ConnectionError("secret detail")
    store.seconds += 30
    for _ in range(10):
        assert not known(ring, "guess")
        assert known(ring, "good")
    assert store.fetched == 2


@pytest.mark.parametrize("had_one", [True, False], ids=["too old", "never had"])
def test_without_a_ring_an_ailing_store_is_asked_once_in_five_seconds(store: Store, had_one: bool) -> None:
    ring = store.ring()
    if had_one:
        assert known(ring, "good")
        store.seconds += 300
    before, store.error = store.fetched, ConnectionError("secret detail")
    for _ in range(100):  # 25 seconds in all
        with pytest.raises(UnavailableError) as refused:
            ring.authenticate("Bearer good")
        assert (refused.value.status, refused.value.retry_after) == (503, 5)
        assert "secret detail" not in str(refused.value)
        store.seconds += 0.25
    assert store.fetched - before == 5
    store.error = None
    assert known(ring, "good")
    store.seconds += 299
    assert known(ring, "good")
    assert store.fetched - before == 6


def test_a_store_that_takes_long_to_fail_is_left_alone_afterwards(store: Store) -> None:
    def hang() -> str:
        store.fetched += 1
        store.seconds += 20
        raise ConnectionError

    ring = KeyRing(hang, lambda: store.seconds, local=False)
    for _ in range(5):
        with pytest.raises(UnavailableError):
            ring.authenticate("Bearer good")
    assert store.fetched == 1


@pytest.mark.parametrize(
    "text",
    ["", "hush", "[]", '{"keys":null}', '{"keys":{"a":1}}', '{"keys":"ab"}', '{"keys":[{"sha256":1}]}'],
)
def test_a_ring_without_a_good_entry_does_not_replace_a_good_ring(store: Store, text: str) -> None:
    ring = store.ring()
    assert known(ring, "good")
    good, store.text = store.text, text
    store.seconds += 100
    assert not known(ring, "unknown")  # a key that is not known has the ring fetched
    assert store.fetched == 2
    assert known(ring, "good")
    store.text = good
    store.seconds += 200
    assert known(ring, "good")


def test_a_malformed_entry_is_told_by_its_position_and_mended_within_thirty_seconds(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    for handler in logger.handlers:
        monkeypatch.setattr(handler, "stream", written)
    counted: list[str] = []
    monkeypatch.setattr(authentication, "count", counted.append)
    good, keys = store.text, json.loads(store.text)["keys"]
    store.text = json.dumps({"keys": [keys[0] | {"sha256": "hush", "name": "hush"}, keys[1]]})
    ring = store.ring()
    assert not known(ring, "good")
    assert known(ring, "other")
    (line,) = map(json.loads, written.getvalue().splitlines())
    assert (line["level"], line["positions"]) == ("ERROR", [1])
    assert "hush" not in written.getvalue()
    assert counted == ["KeyRingFault"]
    store.text = good
    store.seconds += 30
    assert known(ring, "good")


@pytest.mark.parametrize("text", ["", "hush", '{"keys":[{"name":"hush"}]}', '{"keys":[], "keys"'])
def test_a_malformed_ring_lets_nobody_in_and_is_not_told(
    store: Store, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    for handler in logger.handlers:
        monkeypatch.setattr(handler, "stream", written)
    store.text = text
    with pytest.raises(UnavailableError):
        store.ring().authenticate("Bearer good")
    assert "the key ring cannot be read" in written.getvalue()
    assert "hush" not in written.getvalue()


def test_callers_are_told_to_come_back_while_the_store_is_ailing(
    jobs_function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Store({})
    failing.error = ConnectionError()
    monkeypatch.setattr(jobs_function.api, "_key_ring", failing.ring())
    answers = [gateway(jobs_function, "every-scope").get("/api/jobs") for _ in range(20)]
    assert {(answer.status, answer.headers["retry-after"]) for answer in answers} == {(503, "5")}
    assert failing.fetched == 1


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        " ",
        "Bearer",
        "Bearer ",
        "Bearer   ",
        "good",
        "Basic good",
        "Bearergood",
        "Bearer\tgood",
        "Bearer good good",
        "Bearer good,",
        'Bearer "good"',
        "Token Bearer good",
        "Bearer Good",
        "Bearer goo",
        "Bearer \ud800",
        "Bearer 💡",
        "Bearer \x00",
        "Bearer " + "x" * 100_000,
        "Bearer " + hashlib.sha256(b"good").hexdigest(),
    ],
)
def test_a_missing_malformed_or_wrong_header_is_refused(store: Store, header: str | None) -> None:
    with pytest.raises(UnauthenticatedError, match=r"^Invalid secret key$"):
        store.ring().authenticate(header)


@pytest.mark.parametrize("header", ["Bearer good", "bearer good", "BEARER good", "Bearer  good "])
def test_the_scheme_is_a_word_in_any_case(store: Store, header: str) -> None:
    assert store.ring().authenticate(header) == Caller("good", frozenset({"jobs"}))


@pytest.mark.parametrize("position", range(5))
def test_every_entry_is_compared_wherever_the_right_one_stands(
    monkeypatch: pytest.MonkeyPatch, position: int
) -> None:
    names = [f"key-{number}" for number in range(5)]
    ring = Store({name: ["jobs"] for name in names}).ring()
    compared: list[tuple[str, str]] = []

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(authentication, "hmac", SimpleNamespace(compare_digest=compare))
    assert ring.authenticate(f"Bearer {names[position]}").name == names[position]
    digest = hashlib.sha256(names[position].encode()).hexdigest()
    entries = [one for one, other in compared if other == digest]
    assert entries == [hashlib.sha256(name.encode()).hexdigest() for name in names]


def test_the_local_default_key_is_good_in_the_local_stack_alone() -> None:
    store = Store({"local-key": ["*"], "good": ["*"]})
    assert known(store.ring(local=True), "local-key")
    assert not known(store.ring(), "local-key")
    assert known(store.ring(), "good")


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_a_function_outside_the_local_stack_refuses_the_local_default_key(
    aws: None, monkeypatch: pytest.MonkeyPatch, environment: str
) -> None:
    client("secretsmanager").put_secret_value(
        SecretId="key-ring", SecretString=key_ring({"local-key": ["*"], "every-scope": ["*"]})
    )
    monkeypatch.setenv("ENVIRONMENT", environment)
    monkeypatch.setitem(sys.modules, "functions.jobs.app", load_function("jobs"))  # put back afterwards
    cold = load_function("jobs", cold=True)
    assert gateway(cold, "local-key").get("/api/jobs").status == 401
    assert gateway(cold, "every-scope").get("/api/jobs").status == 200


@pytest.mark.parametrize("scope", sorted(SCOPES))
def test_a_key_opens_what_its_scopes_say(scope: str) -> None:
    one = Caller("tablet", frozenset({scope}))
    everything = Caller("backend", frozenset({"*"}))
    nothing = Caller("rotated", frozenset())
    for wanted in SCOPES:
        everything.require(wanted)
        if wanted == scope:
            one.require(wanted)
        for caller in (nothing, *([one] if wanted != scope else [])):
            with pytest.raises(ForbiddenError, match=f"^This key does not have the scope: {wanted}$"):
                caller.require(wanted)


def test_every_route_of_jobs_refuses_before_it_looks_at_anything(jobs_function: Any) -> None:
    """No key, a wrong one, and keys of other scopes, with a body that would be refused too."""
    answers = {}
    for route in jobs_function.api.routes:
        url = route.path.replace("{id}", "nonsense")
        for key in (None, "wrong", *KEYS):
            answer = gateway(jobs_function, key).call(route.method, url, "{")
            answers[route.method, route.path, key] = answer.status
            if key in (None, "wrong"):
                assert answer.json() == {"statusCode": 401, "message": "Invalid secret key"}
            elif answer.status == 403:
                missing = f"This key does not have the scope: {route.scope}"
                assert answer.json() == {"statusCode": 403, "message": missing}
    for (method, path, key), status in answers.items():
        of_admins = [("PUT", "/api/settings"), ("GET", "/api/settings/history")]
        needed = "admin" if (method, path) in of_admins else "jobs"
        if key in ("every-scope", f"only-{needed}"):
            assert status not in (401, 403), (method, path, key)
        else:
            assert status == (401 if key in (None, "wrong") else 403), (method, path, key)


def test_the_key_is_not_in_what_is_logged(
    jobs_function: Any, jobs_api: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    for handler in logger.handlers:
        monkeypatch.setattr(handler, "stream", written)
    jobs_api.post("/api/jobs", {"name": "J", "goalQuantity": 1})
    gateway(jobs_function, "a-wrong-key").get("/api/jobs")
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["status"] for line in lines if line["message"] == "answered"] == [201, 401]
    for secret in ("every-scope", "a-wrong-key", hashlib.sha256(b"every-scope").hexdigest()):
        assert secret not in written.getvalue()
