"""Which network addresses the product may connect to.

Callers name the Jira host. Without this check a name could resolve to the metadata service with the
function's own credentials, to another service of its network, or to the function itself.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from jobticket.dataclass import dataclass

Address = IPv4Address | IPv6Address

#: Metadata services of clouds: refused even where private addresses are allowed.
# fmt: off
METADATA = frozenset(map(ip_address, (
    "169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "192.0.0.192", "168.63.129.16",
    "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
)))
# fmt: on
PRIVATE = tuple(
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)

IPV4_COMPATIBLE = IPv6Network("::/96")
NAT64 = IPv6Network("64:ff9b::/96")
#: The public part of IPv6. Everything outside it is reserved.
GLOBAL_UNICAST = IPv6Network("2000::/3")


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """The addresses that a deployment allows."""

    #: Private addresses, for a Data Center inside a VPC.
    allow_private: bool = False
    #: The machine itself, for the local stack.
    allow_loopback: bool = False

    def permits(self, text: str) -> bool:
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


def _meant(address: Address) -> tuple[Address, ...]:
    """Return the address, or the IPv4 addresses that an IPv6 address embeds."""
    if isinstance(address, IPv4Address):
        return (address,)
    if embedded := address.ipv4_mapped or address.sixtofour:
        return (embedded,)
    if address.teredo is not None:
        return address.teredo
    reserved = address.is_loopback or address.is_unspecified
    if address in NAT64 or (address in IPV4_COMPATIBLE and not reserved):
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    return (address,)
