"""What the client does when the network, the service or Jira fails: no effect twice, nothing secret told."""

from __future__ import annotations

import copy
import pickle
import random
import ssl
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jobticket_client.transport
import pytest
from jobticket_client import Jobticket
from jobticket_client.errors import (
    Conflict,
    Denied,
    Failed,
    Invalid,
    JobticketError,
    NeedsReauthorization,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    TooLarge,
    Unavailable,
)

from tests.support.certificates import self_signed
from tests.support.faulty_service import Fault, FaultyService, faulty_service

KEY = "a-key-that-nobody-must-see"


@pytest.fixture
def service() -> Iterator[FaultyService]:
    with faulty_service() as running:
        yield running


@pytest.fixture
def client(service: FaultyService, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobticket]:
    monkeypatch.setattr(jobticket_client.transport, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(jobticket_client.transport, "LONGEST_PAUSE", 0.002)
    with Jobticket(service.url, KEY) as made:
        yield made


FAULTS: list[Fault] = ["429", "503", "502", "lost before", "lost after", "half", "page"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_creation_happens_once_whatever_becomes_of_its_first_answers(
    client: Jobticket, service: FaultyService, fault: Fault
) -> None:
    service.faults = [fault, fault]
    assert client.jobs.create(name="Brackets", goal_quantity=5)["id"] == "1"
    assert service.effects == {"POST /api/jobs": 1}
    assert len({headers["Idempotency-Key"] for _, _, headers, _ in service.requests}) == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_an_advance_without_its_step_is_never_sent_again_when_it_may_have_happened(
    client: Jobticket, service: FaultyService, fault: Fault
) -> None:
    service.faults = [fault]
    if fault == "429":  # then it has certainly not happened
        client.serials.advance("SN-00001")
    else:
        with pytest.raises(OutcomeUnknown) as unknown:
            client.serials.advance("SN-00001")
        assert unknown.value.idempotency_key is None
    assert service.effects.total() <= 1


@pytest.mark.parametrize("fault", FAULTS)
def test_an_advance_from_a_step_is_sent_again(
    client: Jobticket, service: FaultyService, fault: Fault
) -> None:
    service.faults = [fault]
    client.serials.advance("SN-00001", from_step_index=0)
    assert service.requests[-1][3] == {"fromStepIndex": 0}


def test_a_refusal_of_the_repetition_of_a_lost_move_is_no_answer(
    client: Jobticket, service: FaultyService
) -> None:
    service.faults = ["lost before"]
    service.answers["POST /api/serials/SN-00001/advance"] = (409, {"message": "Serial is not at step 0"})
    with pytest.raises(OutcomeUnknown, match="not at step 0"):
        client.serials.advance("SN-00001", from_step_index=0)
    with pytest.raises(Conflict):
        client.serials.advance("SN-00001", from_step_index=0)


def test_a_deletion_whose_answer_was_lost_is_done(client: Jobticket, service: FaultyService) -> None:
    service.answers["DELETE /api/jobs/job_1"] = (404, {"message": "Job not found: job_1"})
    service.faults = ["lost after"]
    client.jobs.delete("job_1")
    with pytest.raises(NotFound):
        client.jobs.delete("job_1")


def test_an_outcome_that_stays_unknown_can_be_settled_with_its_key(
    service: FaultyService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobticket_client.transport, "READ_TIMEOUT", 0.05)
    client = Jobticket(service.url, KEY, deadline=0)
    service.faults = ["slow"]
    with pytest.raises(OutcomeUnknown) as unknown:
        client.jobs.create(name="Brackets", goal_quantity=5)
    monkeypatch.undo()
    service.slowness.set()
    key = unknown.value.idempotency_key
    assert key
    client.jobs.create(name="Brackets", goal_quantity=5, idempotency_key=key)
    assert service.effects == {"POST /api/jobs": 1}


def test_a_service_that_cannot_be_reached_has_done_nothing() -> None:
    with faulty_service() as gone:
        url = gone.url
    with pytest.raises(Unavailable) as unreachable:
        Jobticket(url, KEY, deadline=0).serials.advance("SN-00001")
    assert not isinstance(unreachable.value, OutcomeUnknown)


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (400, {"statusCode": 400, "message": "name is required"}, Invalid, "name is required"),
        (401, {"error": "Invalid secret key"}, Denied, "Invalid secret key"),
        (403, {"error": "This key does not have the scope: jobs"}, Denied, "scope"),
        (404, {"detail": "Anomaly not found"}, NotFound, "Anomaly not found"),
        (409, {"message": "moved by someone else"}, Conflict, "moved"),
        (413, {"message": "ask for pages"}, TooLarge, "pages"),
        (422, {"message": "another request"}, Invalid, "another request"),
        (500, {"error": "Failed to fetch", "details": {"error": "x"}}, Failed, "Failed to fetch"),
        (500, "<html>", Failed, "no explanation"),
    ],
)
def test_errors_have_their_kind_and_the_words_of_all_three_envelopes(
    client: Jobticket, service: FaultyService, status: int, body: object, kind: type, message: str
) -> None:
    service.answers["GET /api/jobs/job_1"] = (status, body)
    with pytest.raises(JobticketError, match=message) as raised:
        client.jobs.get("job_1")
    assert type(raised.value) is kind
    assert raised.value.status == status
    if isinstance(body, dict) and "details" in body:
        assert raised.value.details == {"details": {"error": "x"}}


def test_a_rate_limit_longer_than_the_deadline_is_told(service: FaultyService) -> None:
    service.faults = ["429"]
    with pytest.raises(RateLimited) as limited:
        Jobticket(service.url, KEY, deadline=-1).jobs.get("job_1")
    assert limited.value.retry_after == 0


def test_a_dead_connection_tells_the_link_to_connect_again(client: Jobticket, service: FaultyService) -> None:
    dead = (403, {"error": "Please reauthorize the connection.", "needs_reauthorization": True})
    service.answers["GET /api/backend/connection-info/get-access-token"] = dead
    service.answers["GET /api/backend/jira/get-projects"] = dead
    service.answers["POST /api/frontend/oauth/initiate-oauth-flow"] = (
        200,
        {"authorization_uri": "https://a"},
    )
    for call in (client.connections.access_token, client.jira.projects):
        with pytest.raises(NeedsReauthorization) as dead_connection:
            call("anna")
        assert dead_connection.value.connect_again("https://app.example/back") == "https://a"
        body = service.requests[-1][3]
        assert body == {"provider": "jira", "external_id": "anna", "return_url": "https://app.example/back"}


@pytest.mark.parametrize("fault", [*FAULTS, None])
def test_the_key_is_in_no_error_and_no_repr(service: FaultyService, fault: Fault | None) -> None:
    service.faults, service.answers["GET /api/jobs/job_1"] = [fault] * 9, (400, {"message": "no"})
    client = Jobticket(service.url, KEY, deadline=-1)
    with pytest.raises(JobticketError) as raised:
        client.jobs.get("job_1")
    error: BaseException | None = raised.value
    told = "".join(traceback.format_exception(raised.value)) + repr(client) + repr(vars(client.jobs))
    while error is not None:
        told += repr(error) + repr(vars(error))
        assert not hasattr(error, "request"), "what requests raises holds the key"
        error = error.__context__
    assert KEY not in told


def test_random_faults_never_double_an_effect(client: Jobticket, service: FaultyService) -> None:
    chance = random.Random(7)
    kinds: list[Fault | None] = [*FAULTS, None, None, None]
    told = unknown = 0
    for number in range(150):
        service.faults = [chance.choice(kinds) for _ in range(4)]
        create = chance.random() < 0.5
        try:
            if create:
                client.paths.create(job_id="job_1", name=f"Path {number}", goal_quantity=1, steps=[])
            else:
                client.serials.advance(f"SN-{number:05}")
            told += 1
        except OutcomeUnknown:
            unknown += 1
    assert told <= service.effects.total() <= told + unknown
    assert max(count for name, count in service.effects.items() if "SN-" in name) == 1
    assert told > 75


@pytest.mark.parametrize("body", [{}, "<html>Moved</html>"])
def test_a_redirect_is_not_followed_with_the_key(
    client: Jobticket, service: FaultyService, body: object
) -> None:
    service.answers["POST /api/jobs"] = (301, body)
    with pytest.raises(Invalid, match="is base_url right"):
        client.jobs.create(name="Brackets", goal_quantity=5)
    assert len(service.requests) == 1


def test_a_proxy_that_cannot_be_reached_has_passed_nothing_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with faulty_service() as gone:
        monkeypatch.setenv("http_proxy", gone.url)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Unavailable) as unreachable:
        Jobticket("http://jobticket.example", KEY, deadline=0).jobs.create(name="Brackets", goal_quantity=5)
    assert type(unreachable.value) is Unavailable


def test_a_certificate_that_is_not_trusted_is_told_at_once(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    with faulty_service(context) as service, pytest.raises(Unavailable, match="certificate") as untrusted:
        Jobticket(service.url, KEY).jobs.create(name="Brackets", goal_quantity=5)
    assert type(untrusted.value) is Unavailable
    assert "self-signed" in untrusted.value.details["certificate"]


def test_a_value_that_json_does_not_have_is_the_callers_fault(client: Jobticket) -> None:
    with pytest.raises(ValueError, match="JSON"):
        client.anomalies.create(
            type="record", datastore={"id": 1, "name": "CRM"}, failed_checks=[], weight=float("nan")
        )


def test_pauses_grow_although_the_service_says_at_once(
    client: Jobticket, service: FaultyService, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[float] = []
    monkeypatch.setattr(jobticket_client.transport, "LONGEST_PAUSE", 1)
    monkeypatch.setattr("time.sleep", paused.append)
    service.faults = ["429"] * 8  # each with Retry-After: 0
    client.jobs.create(name="Brackets", goal_quantity=5)
    assert len(paused) == 8
    assert paused[-1] > 8 * max(paused[:2])


def test_errors_pass_from_process_to_process(client: Jobticket, service: FaultyService) -> None:
    dead = {"error": "Please reauthorize the connection.", "needs_reauthorization": True}
    service.answers["GET /api/backend/jira/get-projects"] = (403, dead)
    with pytest.raises(NeedsReauthorization) as raised:
        client.jira.projects("anna")
    error = raised.value
    error.add_note("in a worker")
    for passed in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert (type(passed), str(passed)) == (NeedsReauthorization, str(error))
        assert (passed.status, passed.details) == (403, error.details)
        with pytest.raises(TypeError, match="one connection"):
            passed.connect_again()


def test_a_client_with_its_key_is_not_pickled(client: Jobticket) -> None:
    with pytest.raises((AttributeError, pickle.PicklingError)):
        pickle.dumps(client)


def test_one_client_serves_all_threads(client: Jobticket, service: FaultyService) -> None:
    service.faults = ["lost after", "503", "half", None] * 10
    names = [f"Job {number}" for number in range(40)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: client.jobs.create(name=name, goal_quantity=1), names))
    assert service.effects == {"POST /api/jobs": 40}
    asked = {(headers["Idempotency-Key"], body["name"]) for _, _, headers, body in service.requests}
    assert len(asked) == 40, "each call keeps its own key"


@pytest.mark.parametrize(
    ("url", "key"),
    [("ftp://x", KEY), ("http://u:p@x", KEY), ("http://x?a", KEY), ("nothing", KEY), ("http://x", "a\nb")],
)
def test_an_address_or_a_key_that_cannot_be_right_is_refused_at_once(url: str, key: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        Jobticket(url, key)
