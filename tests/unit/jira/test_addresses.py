"""Where the product may connect to, by the address and by what the address stands for."""

from __future__ import annotations

import pytest

from jobticket.http.addresses import AddressPolicy

PUBLIC = ["8.8.8.8", "185.166.143.1", "2600:1f14::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "fd12:3456::1",
    "fc00::1",
    "::ffff:10.0.0.1",
    "::ffff:192.168.0.1",
    "::10.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::1",
    "2002:c0a8:101::1",
]
LOOPBACK = ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1"]
NEVER = [
    "0.0.0.0",
    "::",
    "169.254.169.254",
    "169.254.0.1",
    "169.254.170.2",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fd00:ec2::254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "198.18.0.1",
    "192.0.2.1",
    "ff02::1",
    "64:ff9b:1::a00:1",
    "2001:0:808:808::1",
    "not an address",
    "",
]

#: The whole table: each kind of address under each policy.
KINDS = [(PUBLIC, True, True, True), (PRIVATE, False, True, False), (LOOPBACK, False, False, True)]
KINDS += [(NEVER, False, False, False)]
CASES = [
    (address, policy, expected)
    for addresses, *outcomes in KINDS
    for address in addresses
    for policy, expected in zip(
        (AddressPolicy(), AddressPolicy(allow_private=True), AddressPolicy(allow_loopback=True)),
        outcomes,
        strict=True,
    )
]


@pytest.mark.parametrize(("address", "policy", "expected"), CASES, ids=str)
def test_permits(address: str, policy: AddressPolicy, expected: bool) -> None:
    assert policy.permits(address) is expected
