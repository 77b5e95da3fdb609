"""Which network addresses the product may connect to.

Callers name the Jira host. Without this check a name could resolve to the metadata service with the
function's own credentials, to another service of its network, or to the function itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

#: Metadata services of clouds: refused even where private addresses are allowed.
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
#: The public part of IPv6. Everything outside it is reserved.
GLOBAL_UNICAST = IPv6Network("2000::/3")


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """The addresses that a deployment allows.

    Attributes
    ----------
    allow_private
        Private addresses, for a Data Center inside a VPC.
    allow_loopback
        The machine itself, for the local stack.
    """

    allow_private: bool = False
    allow_loopback: bool = False

    def permits(self, text: str) -> bool:
        """Tell whether the product may connect to an address."""
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
    """Yield the address, or the IPv4 addresses that an IPv6 address embeds."""
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
