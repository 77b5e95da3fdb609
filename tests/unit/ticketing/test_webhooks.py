"""Webhooks of both kinds at the function that takes them: what wakes the worker, and every kind of forgery."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from jobticket.store.table import Table
from local.atlassian.default_data import PLANT_NORTH
from local.atlassian.webhooks import App, signed_token
from tests.support.faults import Trouble
from tests.support.gateway import Gateway, HttpAnswer
from tests.support.webhook_receiver import Receiver, receiving
from tests.unit.atlassian.conftest import Auth
from tests.unit.conftest import client, gateway, load_function
from tests.unit.ticketing.conftest import Atlassian, Time

ROUTE = "/api/webhooks/jira"
APP = App("local-client-id", "local-client-secret")
REFUSAL = {"detail": "Not a webhook of Jira, or not a new one"}


class Webhooks:
    """The function, the queue behind it, and signatures for it."""

    def __init__(self, function: Any, queue: str, clock: Time) -> None:
        self.function = function
        self.clock = clock
        self.queue = queue
        self.api: Gateway = gateway(function, None)
        self.secret = function.store.make_secret(7)

    def event(self, issue: Any = None, **more: Any) -> str:
        issue = {"id": "10042", "key": "PI-42"} if issue is None else issue
        sent = {"timestamp": int(self.clock.now().timestamp() * 1000), "webhookEvent": "jira:issue_updated"}
        return json.dumps({**sent, "issue": issue, **more})

    def post(self, body: Any, headers: Mapping[str, str]) -> HttpAnswer:
        return self.api.call("POST", ROUTE, body, headers)

    def by_admin(self, body: str, secret: str | None = None, algorithm: str = "sha256") -> HttpAnswer:
        digest = hmac.new((secret or self.secret).encode(), body.encode(), algorithm).hexdigest()
        return self.post(body, {"X-Hub-Signature": f"{algorithm}={digest}"})

    def by_app(self, body: Any, token: str | None = None, scheme: str = "Bearer") -> HttpAnswer:
        token = token if token is not None else signed_token(APP, self.clock.now().timestamp())
        return self.post(body, {"Authorization": f"{scheme} {token}"})

    def woken(self) -> list[dict[str, Any]]:
        """Take what is in the queue."""
        found = client("sqs").receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            client("sqs").delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in found]


@pytest.fixture
def webhooks(aws: None, table: Table, queue: str, clock: Time) -> Webhooks:
    table.put({"pk": "INTEGRATION", "sk": "INTEGRATION", "id": 7})
    function = load_function("webhooks")
    function.store._vault._data_keys.clear()
    function.app_secret._app = None
    return Webhooks(function, queue, clock)


def _items(table: Table) -> int:
    return int(client("dynamodb").scan(TableName="ticketing", Select="COUNT")["Count"])


LOOK = {"integration_id": 7, "ticket_id": "10042", "look": True}


@pytest.mark.parametrize("scheme", ["Bearer", "JWT", "bearer"])
def test_an_apps_webhook_wakes_the_worker(webhooks: Webhooks, scheme: str) -> None:
    answer = webhooks.by_app(webhooks.event(), scheme=scheme)
    assert (answer.status, answer.body) == (202, b"")
    assert webhooks.woken() == [LOOK]


def test_an_administrators_webhook_wakes_the_worker(webhooks: Webhooks) -> None:
    assert webhooks.by_admin(webhooks.event()).status == 202
    assert webhooks.woken() == [LOOK]


def test_the_message_is_in_the_issues_group(webhooks: Webhooks) -> None:
    webhooks.by_admin(webhooks.event())
    attributes = ["MessageGroupId"]
    (message,) = client("sqs").receive_message(QueueUrl=webhooks.queue, AttributeNames=attributes)["Messages"]
    assert message["Attributes"]["MessageGroupId"] == "7-10042"


@pytest.mark.parametrize(
    "issue", [{}, {"id": 10042}, {"id": "PI-42"}, {"id": "1" * 20}, {"id": "1\n"}, "10042", [], 5]
)
def test_an_event_without_an_issue_wakes_nobody(webhooks: Webhooks, issue: Any) -> None:
    assert webhooks.by_app(webhooks.event(issue)).status == 202
    assert webhooks.woken() == []


@pytest.mark.parametrize("body", ["[1]", "nonsense", '"text"'])
def test_a_signed_body_must_be_an_object(webhooks: Webhooks, body: str) -> None:
    assert webhooks.by_app(body).status == 400
    assert webhooks.by_admin(body).status == 401  # it does not tell its time


def _token(claims: Mapping[str, Any], header: Any = None, secret: str = APP.client_secret) -> str:
    def segment(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    signed = f"{segment({'alg': 'HS256'} if header is None else header)}.{segment(claims)}"
    signature = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _tokens(now: float) -> dict[str, str]:
    good = signed_token(APP, now)
    head, claims, signature = good.split(".")
    live = {"iat": now, "exp": now + 180}
    return {
        **{forge: signed_token(APP, now, forge) for forge in ("secret", "expired", "none", "HS512", "RS256")},
        "empty": "",
        "dots": "..",
        "no signature": f"{head}.{claims}.",
        "one segment": signature,
        "changed claims": f"{head}.{claims[:-2]}AA.{signature}",
        "padded": good + "=",
        "not ASCII": good + "é",
        "none in capitals": _token(live, {"alg": "None"}),
        "no algorithm": _token(live, {}),
        "a list of algorithms": _token(live, {"alg": ["HS256"]}),
        "critical extension": _token(live, {"alg": "HS256", "crit": ["b64"], "b64": False}),
        "header of another kind": _token(live, ["HS256"]),
        "no expiry": _token({"iat": now}),
        "text as expiry": _token({"iat": now, "exp": str(now + 180)}),
        "true as expiry": _token({"iat": now, "exp": True}),
        "endless": _token({"iat": now, "exp": 1e300}),
        "years ahead": _token({"iat": now, "exp": now + 10 * 365 * 86_400}),
        "not yet": _token({"iat": now, "nbf": now + 3600, "exp": now + 7200}),
        "from the future": _token({"iat": now + 3600, "exp": now + 7200}),
        "empty secret": _token(live, secret=""),
        "two dots more": f"{good}.{good}",
    }


@pytest.mark.parametrize("forgery", sorted(_tokens(0)))
def test_forged_tokens_change_nothing(webhooks: Webhooks, table: Table, forgery: str) -> None:
    before = _items(table)
    token = _tokens(webhooks.clock.now().timestamp())[forgery]
    answer = webhooks.by_app(webhooks.event(), token)
    assert (answer.status, answer.json()) == (401, REFUSAL)
    assert (webhooks.woken(), _items(table)) == ([], before)


def test_what_is_not_signed_changes_nothing(webhooks: Webhooks, table: Table) -> None:
    before, body = _items(table), webhooks.event()
    digest = hmac.new(webhooks.secret.encode(), body.encode(), hashlib.sha256).hexdigest()
    token = signed_token(APP, webhooks.clock.now().timestamp())
    for headers in (
        {},
        {"X-Hub-Signature": ""},
        {"X-Hub-Signature": digest},
        {"X-Hub-Signature": f"sha256={digest.upper()}"},
        {"X-Hub-Signature": f"sha1={hmac.new(webhooks.secret.encode(), body.encode(), 'sha1').hexdigest()}"},
        {"X-Hub-Signature": f"sha256={digest}, sha256={digest}"},
        {"X-Hub-Signature": "sha256=é"},
        {"X-Hub-Signature": f"sha256={digest[:-1]}"},
        {"Authorization": f"Basic {token}"},
        {"Authorization": token},
        {"Authorization": "Bearer every-scope"},
        {"X-Hub-Signature": "sha256=0", "Authorization": f"Bearer {token}"},
    ):
        answer = webhooks.post(body, headers)
        assert (answer.status, answer.json()) == (401, REFUSAL), headers
    assert webhooks.by_admin(body, "another secret").status == 401
    assert webhooks.by_admin(body, algorithm="sha512").status == 401
    assert (webhooks.woken(), _items(table)) == ([], before)


def test_a_signature_fits_one_body(webhooks: Webhooks) -> None:
    digest = hmac.new(webhooks.secret.encode(), webhooks.event().encode(), hashlib.sha256).hexdigest()
    other = webhooks.event({"id": "10043"})
    assert webhooks.post(other, {"X-Hub-Signature": f"sha256={digest}"}).status == 401


def test_a_replay_changes_nothing(webhooks: Webhooks, table: Table) -> None:
    body, token = webhooks.event(), signed_token(APP, webhooks.clock.now().timestamp())
    assert (webhooks.by_app(body, token).status, webhooks.by_admin(body).status) == (202, 202)
    webhooks.woken()
    before = _items(table)
    assert (webhooks.by_app(body, token).status, webhooks.by_admin(body).status) == (401, 401)
    # It is known as long as its signature would be good.
    webhooks.clock.passes(170)
    assert webhooks.by_app(body, token).status == 401
    webhooks.clock.passes(3600)
    assert (webhooks.by_app(body, token).status, webhooks.by_admin(body).status) == (401, 401)
    webhooks.clock.passes(3600)
    assert webhooks.by_admin(body).status == 401  # too old by now
    assert (webhooks.woken(), _items(table)) == ([], before)


def test_what_was_taken_is_remembered_until_its_time_is_over(webhooks: Webhooks, table: Table) -> None:
    now = webhooks.clock.now()
    webhooks.by_admin(webhooks.event())
    items = client("dynamodb").scan(TableName="ticketing")["Items"]
    (seen,) = [item for item in items if item["pk"]["S"].startswith("WEBHOOK_SEEN#")]
    kept = int(seen["expires_at"]["N"]) - now.timestamp()
    assert kept == pytest.approx(timedelta(hours=2).total_seconds(), abs=60)


@pytest.mark.parametrize("age", [timedelta(hours=2, seconds=1), timedelta(minutes=-5)])
def test_a_body_of_another_time_is_refused(webhooks: Webhooks, age: timedelta) -> None:
    sent = webhooks.clock.now() - age
    assert webhooks.by_admin(webhooks.event(timestamp=int(sent.timestamp() * 1000))).status == 401
    strange: list[Any] = [None, "1795339800000", True, 1e300, [], -1]
    for odd in strange:
        assert webhooks.by_admin(webhooks.event(timestamp=odd)).status == 401


def test_a_late_webhook_counts(webhooks: Webhooks) -> None:
    body = webhooks.event()
    webhooks.clock.passes(3600)
    assert webhooks.by_admin(body).status == 202


def test_bodies_have_64_kilobytes(webhooks: Webhooks) -> None:
    body = webhooks.event(padding="")
    most = webhooks.event(padding="x" * (65_536 - len(body)))
    assert webhooks.by_admin(most).status == 202
    webhooks.woken()
    assert webhooks.by_admin(most.replace("xx", "xxx", 1)).status == 401
    assert webhooks.by_app(most.replace("xx", "xxx", 1)).status == 401
    assert webhooks.woken() == []


def test_a_former_secret_opens_nothing(webhooks: Webhooks) -> None:
    former = webhooks.secret
    webhooks.secret = webhooks.function.store.make_secret(7)
    assert webhooks.by_admin(webhooks.event(), former).status == 401
    assert webhooks.by_admin(webhooks.event()).status == 202


def test_without_an_integration_there_is_nothing_to_wake(webhooks: Webhooks, table: Table) -> None:
    table.delete("INTEGRATION", "INTEGRATION")
    assert (webhooks.by_app(webhooks.event()).status, webhooks.by_admin(webhooks.event()).status) == (
        401,
        401,
    )
    table.put({"pk": "INTEGRATION", "sk": "INTEGRATION", "id": 8})
    assert webhooks.by_admin(webhooks.event()).status == 401  # the secret was another integration's


@pytest.mark.parametrize("secret", ["{}", '{"client_id": "", "client_secret": ""}'])
def test_without_an_app_no_token_is_good(webhooks: Webhooks, secret: str) -> None:
    client("secretsmanager").put_secret_value(SecretId="atlassian-app", SecretString=secret)
    now = webhooks.clock.now().timestamp()
    for token in (signed_token(APP, now), signed_token(App("", ""), now)):
        assert webhooks.by_app(webhooks.event(), token).status == 401


def test_a_wake_up_that_is_not_taken_is_sent_again_by_jira(webhooks: Webhooks, trouble: Trouble) -> None:
    body = webhooks.event()
    trouble.from_call(3)  # after what is read
    assert webhooks.by_admin(body).status == 503
    assert "SendMessage" in trouble.calls
    trouble.from_call(None)
    assert webhooks.by_admin(body).status == 202
    assert webhooks.woken() == [LOOK]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.mark.parametrize("kind", ["app", "admin"])
def test_what_the_emulated_jira_sends_is_taken_and_what_it_forges_is_not(
    webhooks: Webhooks, atlassian: Atlassian, receiver: Receiver, kind: str
) -> None:
    if kind == "app":
        auth = Auth(atlassian.url)
        app = auth.gateway(
            auth.tokens(PLANT_NORTH, scope="read:jira-work manage:jira-webhook")["access_token"]
        )
        wanted = {"events": ["jira:issue_updated"], "jqlFilter": "project = PI"}
        app("POST", "/rest/api/3/webhook", {"url": receiver.url, "webhooks": [wanted]})
    else:
        events = ["jira:issue_updated"]
        atlassian._control(
            "POST", "/webhooks", {"url": receiver.url, "secret": webhooks.secret, "events": events}
        )
    for forge in (None, "secret", "unsigned"):
        atlassian.control(webhooks={"forge": forge})
        atlassian.session.post(f"{atlassian.url}/browse/PI-42", data={"status": "10001" if forge else "3"})
        atlassian.session.post(f"{atlassian.url}/browse/PI-42", data={"description": f"By {forge}"})
        sent = receiver.next()
        answer = webhooks.post(sent.body.decode(), sent.headers)
        assert answer.status == (401 if forge else 202)
        assert webhooks.woken() == ([] if forge else [LOOK])
        while not receiver.arrived.empty():
            receiver.arrived.get()
