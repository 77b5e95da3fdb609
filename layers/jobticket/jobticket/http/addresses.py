"""Which network addresses the product may connect to.

A Jira host is named by callers. Without this check its name could lead to the instance's own credentials, to
a service of the network that the function stands in, or to the function itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

#: Where clouds answer questions about the machine: refused even where private addresses are allowed.
METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
    )
)

PRIVATE = (
    IPv4Network("10.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv4Network("100.64.0.0/10"),
    IPv6Network("fc00::/7"),
)

IPV4_COMPATIBLE = IPv6Network("::/96")
NAT64 = IPv6Network("64:ff9b::/96")
#: What is assigned for the public internet. Everything outside has some other meaning, known or yet to come.
GLOBAL_UNICAST = IPv6Network("2000::/3")


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What a deployment allows.

    Attributes
    ----------
    allow_private
        Private addresses, for a Data Center inside a VPC.
    allow_loopback
        The machine itself: on the local stack, whose Jira runs beside it.
    """

    allow_private: bool = False
    allow_loopback: bool = False

    def permits(self, text: str) -> bool:
        """Tell whether an address, as a name server or a socket gives it, may be connected to."""
        try:
            address = ip_address(text)
        except ValueError:
            return False
        return all(self._permits(meant) for meant in _meant(address))

    def _permits(self, address: Address) -> bool:
        if address in METADATA or address.is_link_local or address.is_multicast or address.is_unspecified:
            return False
        if address.is_loopback:
            return self.allow_loopback
        if any(address in network for network in PRIVATE if network.version == address.version):
            return self.allow_private
        return address.is_global and (address.version == 4 or address in GLOBAL_UNICAST)


def _meant(address: Address) -> Iterator[Address]:
    """Yield the address and those that it stands for: one in an IPv6 coat is still that IPv4 address."""
    if isinstance(address, IPv4Address):
        yield address
        return
    inner = _embedded(address)
    if not inner:
        yield address
    yield from inner


def _embedded(address: IPv6Address) -> tuple[IPv4Address, ...]:
    low = IPv4Address(int(address) & 0xFFFFFFFF)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if address in NAT64:
        return (low,)
    if address in IPV4_COMPATIBLE and not (address.is_loopback or address.is_unspecified):
        return (low,)
    return ()
