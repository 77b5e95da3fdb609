"""The guard of the session: it connects to the address that it has checked, and to no other."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from jobticket.clock import Deadline
from jobticket.http.addresses import AddressPolicy
from jobticket.http.session import AddressRefusedError, PrivateAuthority, new_session
from jobticket.jira.client import Credential, JiraClient, Site
from jobticket.jira.errors import JiraAddressRefusedError, JiraTimeoutError, JiraUnreachableError
from tests.support.certificates import self_signed
from tests.unit.jira.wire import WireJira, answer, serving

Resolve = Callable[..., None]


@pytest.fixture
def jira() -> Iterator[WireJira]:
    with serving() as jira:
        yield jira


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Make every look-up answer with the given addresses, one set a look-up, the last one for good."""

    def set_answers(*answers: list[str]) -> None:
        remaining = list(answers)

        def getaddrinfo(_host: str, port: int, *_: Any, **__: Any) -> list[tuple[Any, ...]]:
            addresses = remaining.pop(0) if len(remaining) > 1 else remaining[0]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return set_answers


def test_refuses_before_anything_is_sent(jira: WireJira) -> None:
    with new_session(AddressPolicy()) as session, pytest.raises(AddressRefusedError):
        session.get(jira.url)
    assert jira.connections == 0


def test_connects_to_the_address_that_was_checked(jira: WireJira, resolve: Resolve) -> None:
    # The second look-up would lead to the instance's credentials: there must not be a second one.
    resolve(["127.0.0.1"], ["169.254.169.254"])
    jira.acts = [answer(body={})]
    url = jira.url.replace("127.0.0.1", "jira.example")
    with new_session(AddressPolicy(allow_loopback=True)) as session:
        assert session.get(url).status_code == 200
    assert jira.requests[0].headers["host"].startswith("jira.example")


def test_every_new_connection_is_checked(jira: WireJira, resolve: Resolve) -> None:
    resolve(["127.0.0.1"], ["169.254.169.254"])
    jira.acts = [answer(body={}, headers={"Connection": "close"}), answer(body={})]
    url = jira.url.replace("127.0.0.1", "jira.example")
    with new_session(AddressPolicy(allow_loopback=True)) as session:
        session.get(url)
        with pytest.raises(AddressRefusedError):
            session.get(url)
    assert jira.connections == 1


def test_one_forbidden_address_spoils_a_name(jira: WireJira, resolve: Resolve) -> None:
    resolve(["127.0.0.1", "10.0.0.1"])
    with new_session(AddressPolicy(allow_loopback=True)) as session, pytest.raises(AddressRefusedError):
        session.get(jira.url)
    assert jira.connections == 0


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f.1", "0177.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_other_spellings_of_loopback(host: str) -> None:
    with new_session(AddressPolicy()) as session, pytest.raises(Exception) as caught:
        session.get(f"http://{host}:9/")
    assert isinstance(caught.value, AddressRefusedError) or "resolve" in str(caught.value)


def test_the_next_address_is_tried(jira: WireJira, resolve: Resolve) -> None:
    resolve(["127.0.0.2", "127.0.0.1"])  # nothing listens on the first
    jira.acts = [answer(body={})]
    with new_session(AddressPolicy(allow_loopback=True)) as session:
        assert session.get(jira.url.replace("127.0.0.1", "jira.example")).status_code == 200


def test_the_environment_has_no_say(jira: WireJira, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    jira.acts = [answer(body={})]
    with new_session(AddressPolicy(allow_loopback=True)) as session:
        session.get(jira.url, headers={"Authorization": "Bearer mine"})
    assert jira.requests[0].headers["authorization"] == "Bearer mine"


def test_a_connection_that_rested_long_is_not_used_again(
    jira: WireJira, monkeypatch: pytest.MonkeyPatch
) -> None:
    jira.acts = [answer(body={})] * 2
    with new_session(AddressPolicy(allow_loopback=True)) as session:
        session.get(jira.url)
        monkeypatch.setattr("jobticket.http.session.LONGEST_REST_SECONDS", -1.0)
        session.get(jira.url)
    assert jira.connections == 2


def _client(session: requests.Session, url: str, seconds: float = 60.0) -> JiraClient:
    return JiraClient(
        session, Site(url, url, "cloud", url), Credential("Bearer x"), deadline=Deadline.after(seconds)
    )


def test_the_client_says_that_the_address_is_refused(jira: WireJira) -> None:
    with new_session(AddressPolicy()) as session, pytest.raises(JiraAddressRefusedError) as caught:
        _client(session, jira.url).get("/rest/api/2/myself")
    assert not caught.value.outcome_unknown


def test_a_name_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    monkeypatch.setattr("jobticket.jira.client.BACKOFF_SECONDS", 0)
    with new_session(AddressPolicy()) as session, pytest.raises(JiraUnreachableError) as caught:
        _client(session, "https://nowhere.example").get("/rest/api/2/myself")
    assert not caught.value.outcome_unknown


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(tmp_path)


@pytest.fixture
def tls_jira(certificate: Path) -> Iterator[WireJira]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(tls=context) as jira:
        yield jira


def test_a_certificate_that_nobody_vouches_for(tls_jira: WireJira, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobticket.jira.client.BACKOFF_SECONDS", 0)
    with (
        new_session(AddressPolicy(allow_loopback=True)) as session,
        pytest.raises(JiraUnreachableError) as caught,
    ):
        _client(session, tls_jira.url).get("/rest/api/2/myself")
    assert "certificate" in str(caught.value)
    assert tls_jira.requests == []


@pytest.fixture
def trusting(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[requests.Session]:
    """A session that trusts the test's certificate and nothing else."""
    monkeypatch.setattr("jobticket.http.session.certifi.where", lambda: str(certificate))
    with new_session(AddressPolicy(allow_loopback=True)) as session:
        yield session


def test_speaks_tls(tls_jira: WireJira, trusting: requests.Session) -> None:
    tls_jira.acts = [answer(body={"over": "tls"})] * 2
    client = _client(trusting, tls_jira.url)
    assert [client.get("/rest/api/2/myself") for _ in range(2)] == [{"over": "tls"}] * 2
    assert tls_jira.connections == 1


def test_the_name_must_be_the_certificates(
    tls_jira: WireJira, trusting: requests.Session, resolve: Resolve
) -> None:
    resolve(["127.0.0.1"])
    with pytest.raises(requests.exceptions.SSLError):
        trusting.get(tls_jira.url.replace("localhost", "jira.example"))


def test_a_dripping_answer_over_tls_ends_by_the_deadline(
    tls_jira: WireJira, trusting: requests.Session
) -> None:
    """On a connection that stands: a handshake that a slow machine does not get through is another error."""
    dripping = tls_jira.dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n")
    tls_jira.acts = [answer(body={}), *[dripping] * 9]
    _client(trusting, tls_jira.url).get("/rest/api/2/myself")
    with pytest.raises(JiraTimeoutError):
        _client(trusting, tls_jira.url, seconds=0.4).get("/rest/api/2/myself")


class TestPrivateAuthority:
    """A certificate authority that is trusted for the hosts that the deployment names, and nowhere else."""

    def test_is_trusted_for_its_hosts_only(self, tls_jira: WireJira, certificate: Path) -> None:
        host = tls_jira.url.removeprefix("https://")
        tls_jira.acts = [answer(body={"over": "tls"})]
        policy = AddressPolicy(allow_loopback=True)
        with new_session(policy, PrivateAuthority([host.upper()], certificate.read_text)) as session:
            assert _client(session, tls_jira.url).get("/rest/api/2/myself") == {"over": "tls"}
        others = PrivateAuthority([f"other.{host}", "localhost", f"{host}.example"], certificate.read_text)
        with new_session(policy, others) as session, pytest.raises(requests.exceptions.SSLError):
            session.get(tls_jira.url)

    @pytest.mark.parametrize("pem", ["{}", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"])
    def test_a_secret_that_is_no_certificate_trusts_nothing(self, tls_jira: WireJira, pem: str) -> None:
        authority = PrivateAuthority([tls_jira.url.removeprefix("https://")], lambda: pem)
        with (
            new_session(AddressPolicy(allow_loopback=True), authority) as session,
            pytest.raises(requests.exceptions.ConnectionError),
        ):
            session.get(tls_jira.url)
