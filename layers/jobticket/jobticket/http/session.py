"""The container's HTTP session: guarded, bounded, and without a memory of its callers.

* Every new connection resolves the host, checks the addresses, and connects to a checked address. A name
  that changes between two look-ups gains nothing.
* Redirects, cookies, proxies and ``.netrc`` are ignored: credentials go to the connection's host only.
* Inside :func:`bounded` no read outlasts the deadline, even if the answer drips.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from jobticket.clock import Deadline
from jobticket.dataclass import dataclass
from jobticket.http.addresses import AddressPolicy

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: The calls of one request at the same time.
CONNECTIONS_PER_HOST = 16
HOSTS = 20
#: A frozen container does not see that a server hung up. A connection that rested longer is not used again:
#: a write on a dead one has an unknown outcome.
LONGEST_REST_SECONDS = 20.0
CONNECT_SECONDS = 3.05

_deadline: contextvars.ContextVar[Deadline | None] = contextvars.ContextVar("deadline", default=None)


class AddressRefusedError(Exception):
    """The host resolves to an address that this deployment does not allow."""


@contextlib.contextmanager
def bounded(deadline: Deadline) -> Iterator[None]:
    """Let no read of this thread's connections outlast the deadline."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


@dataclass(frozen=True, slots=True)
class PrivateAuthority:
    """A certificate authority that is trusted for some hosts, besides the public ones; ``pem`` fetches it."""

    hosts: Sequence[str]
    pem: Callable[[], str]


def new_session(policy: AddressPolicy, authority: PrivateAuthority | None = None) -> requests.Session:
    """Make a container's session, which connects to the addresses of a policy only."""
    session = requests.Session()
    # The environment could name a proxy, or a .netrc that replaces the Authorization header.
    session.trust_env = False
    # A session cookie of one connection must never travel with the credentials of another.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.clear()
    session.headers.update(
        {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "Jobticket/1"}
    )
    adapter = GuardedAdapter(policy)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    if authority is not None:
        private = GuardedAdapter(policy, authority.pem)
        for host in authority.hosts:
            session.mount(f"https://{host.lower()}/", private)
    return session


class GuardedAdapter(HTTPAdapter):
    """Connects to permitted addresses only."""

    def __init__(self, policy: AddressPolicy, pem: Callable[[], str] | None = None) -> None:
        self._policy = policy
        self._pem = pem
        super().__init__(pool_connections=HOSTS, pool_maxsize=CONNECTIONS_PER_HOST, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        manager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **options)
        manager.pool_classes_by_scheme = _pool_classes(self._policy, self._pem)
        self.poolmanager = manager

    def cert_verify(self, *_arguments: Any, **_options: Any) -> None:
        """Leave the certificates to the context, which reads them once."""


def _tls_context(pem: Callable[[], str] | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certifi.where())
    if pem is not None:
        context.load_verify_locations(cadata=pem())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _BoundedTlsSocket
    return context


def _pool_classes(
    policy: AddressPolicy, pem: Callable[[], str] | None
) -> dict[str, type[HTTPConnectionPool]]:
    class PlainConnection(_Guarded, HTTPConnection):
        address_policy = policy

    # Reading the certificates takes a twentieth of a cold start, and most calls never get to Jira.
    tls_context = functools.cache(_tls_context)

    class TlsConnection(_Guarded, HTTPSConnection):
        address_policy = policy

        def connect(self) -> None:
            self.ssl_context = tls_context(pem)
            super().connect()

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = PlainConnection

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = TlsConnection

    return {"http": PlainPool, "https": TlsPool}


class _Guarded(HTTPConnection):
    """A connection to a checked address."""

    address_policy: AddressPolicy
    _rested_since = 0.0

    def _new_conn(self) -> socket.socket:
        deadline = Deadline.after(_seconds(self.timeout))
        failure: OSError | None = None
        for family, kind, protocol, _name, address in self._permitted_addresses():
            sock = _BoundedSocket(family, kind, protocol)
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                sock.settimeout(max(deadline.left(), 0.001))
                sock.connect(address)
            except OSError as error:
                sock.close()
                failure = error
            else:
                return sock
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, "connect timed out") from failure
        raise NewConnectionError(self, "no address answered") from failure

    def _permitted_addresses(self) -> list[tuple[Any, ...]]:
        host = self._dns_host.strip("[]")
        try:
            found = socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise NameResolutionError(self.host, self, socket.gaierror(str(error))) from error
        # All of them: a name with one forbidden address is not trusted with the others.
        if not all(self.address_policy.permits(str(entry[4][0])) for entry in found):
            raise AddressRefusedError(self.host)
        return found

    def getresponse(self) -> Any:
        answer = super().getresponse()
        self._rested_since = time.time()
        return answer

    @property
    def is_connected(self) -> bool:
        # Wall-clock time goes on while the container is frozen.
        if abs(time.time() - self._rested_since) > LONGEST_REST_SECONDS:
            return False
        return super().is_connected


def _seconds(timeout: Any) -> float:
    return float(timeout) if isinstance(timeout, int | float) else CONNECT_SECONDS


def _shorten(sock: socket.socket) -> None:
    """Let the next read end by the deadline."""
    deadline = _deadline.get()
    if deadline is None:
        return
    left = deadline.left()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    waits = sock.gettimeout()
    if waits is None or left < waits:
        sock.settimeout(left)


class _BoundedSocket(socket.socket):
    def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        _shorten(self)
        return super().recv_into(buffer, nbytes, flags)


class _BoundedTlsSocket(ssl.SSLSocket):
    def recv_into(self, buffer: Buffer, nbytes: int | None = None, flags: int = 0) -> int:
        _shorten(self)
        return super().recv_into(buffer, nbytes, flags)
