"""Addresses and networks are read as what they are, whoever wrote them."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ragauth.security.addresses import (
    Address,
    canonical_address,
    is_public,
    is_within,
    network_of,
    read_address,
    read_network,
)
from tests.cases import for_each

_ADDRESSES = st.ip_addresses()
_BLANKS = st.text(" \t", max_size=3)
_ALMOST = st.text(st.sampled_from('0123456789abf.:[]%/," \tx\0\u0661\xa0'), max_size=40)


def _without_mapping(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


class TestReadAddress:
    @for_each(
        ("text", "address"),
        [
            ("203.0.113.7", "203.0.113.7"),
            ("203.0.113.7:5678", "203.0.113.7"),
            ("203.0.113.7:0", "203.0.113.7"),
            ('"203.0.113.7:5678"', "203.0.113.7"),
            (" \t203.0.113.7\t ", "203.0.113.7"),
            ("2001:DB8:0::7", "2001:db8::7"),
            ("2001:db8:1:2:a:b:c:d", "2001:db8:1:2:a:b:c:d"),
            ("2001:db8:1:2:a:b:0:d", "2001:db8:1:2:a:b:0:d"),
            ("2001:db8:1:2:a:b:c:00d", "2001:db8:1:2:a:b:c:d"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:443", "2001:db8::7"),
            ('"[2001:db8::7]:443"', "2001:db8::7"),
            # Without brackets all of it is the address.
            ("2001:db8::7:443", "2001:db8::7:443"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0]:443", "fe80::1"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("::ffff:cb00:7107", "203.0.113.7"),
            ("[::ffff:203.0.113.7]:443", "203.0.113.7"),
            ("::ffff:203.0.113.7%eth0", "203.0.113.7"),
            # Other addresses that have an IPv4 one in them are not on the IPv4 network.
            ("::203.0.113.7", "::cb00:7107"),
            ("64:ff9b::203.0.113.7", "64:ff9b::cb00:7107"),
            ("::", "::"),
        ],
    )
    def test_an_address_in_each_of_its_forms(self, text: str, address: str) -> None:
        """S40: ports, brackets, zones, blanks and IPv4-mapped forms."""
        assert read_address(text) == ip_address(address)
        assert canonical_address(text) == address

    @for_each(
        "text",
        [
            *(None, "", " ", '"', '""', '"203.0.113.7', '203.0.113.7"', "'203.0.113.7'"),
            *("unknown", "_hidden", "unix:", "localhost", "for=203.0.113.7", "example.com:80"),
            *("203.0.113", "203.0.113.7.8", "203.0.113.256", "203.0.113.07", "3405803783"),
            *("0xcb.0.0x71.7", "203.0.113.7/32", "203.0.113.7,", "203.0.113.7 203.0.113.8"),
            *("203.0.113.7:", "203.0.113.7:x", "203.0.113.7:65536", "203.0.113.7:-1"),
            *("[203.0.113.7]", "[2001:db8::7", "2001:db8::7]", "[2001:db8::7]443", "[]", "[::1]:"),
            *("203.0.113.7%eth0", "fe80::1%", "fe80::1%a b", "fe80::1%%", ":::", "1::2::3"),
            *("203.0.113.7\n", "203.0.113.7\0", "\xa0203.0.113.7", "\u0662\u0660\u0663.0.113.7"),
            "[" * 100,
            " " * 101 + "203.0.113.7",
        ],
    )
    def test_what_cannot_be_read_is_no_address(self, text: str | None) -> None:
        """S40"""
        assert read_address(text) is None
        assert canonical_address(text) is None

    @given(st.text() | _ALMOST)
    @example("203.0.113.7:99999999999999999999")
    @example("::ffff:" * 20)
    def test_any_text_is_an_address_or_none(self, text: str) -> None:
        address = read_address(text)
        assert canonical_address(text) == (None if address is None else str(address))
        assert address is None or isinstance(address, IPv4Address | IPv6Address)

    @given(_ADDRESSES, _BLANKS, _BLANKS, st.none() | st.integers(0, 65_535), st.booleans())
    def test_what_is_written_is_read_again(
        self, address: Address, before: str, after: str, port: int | None, is_quoted: bool
    ) -> None:
        text = str(address)
        if port is not None:
            text = f"{text}:{port}" if address.version == 4 else f"[{text}]:{port}"
        text = f'"{text}"' if is_quoted else text
        assert read_address(f"{before}{text}{after}") == _without_mapping(address)

    @given(st.ip_addresses(v=4))
    def test_the_mapped_form_is_the_ipv4_address(self, address: IPv4Address) -> None:
        mapped = IPv6Address(int(address) | 0xFFFF << 32)
        for text in (str(mapped), f"::ffff:{address}", mapped.exploded):
            assert canonical_address(text) == str(address)


class TestReadNetwork:
    @for_each(
        ("text", "network"),
        [
            ("203.0.113.7", "203.0.113.7/32"),
            ("203.0.113.0/24", "203.0.113.0/24"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:DB8::/32", "2001:db8::/32"),
            ("::/0", "::/0"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:a00:0/104", "10.0.0.0/8"),
            ("::ffff:203.0.113.7", "203.0.113.7/32"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
        ],
    )
    def test_an_address_or_a_network(self, text: str, network: str) -> None:
        assert read_network(text) == ip_network(network)

    @for_each(
        ("text", "words"),
        [
            ("203.0.113.7/24", "write 203.0.113.0/24 for the network"),
            ("1.2.3.4/0", "write 0.0.0.0/0 for the network"),
            ("2001:db8::7/32", "write 2001:db8::/32 for the network"),
            ("::ffff:10.1.2.3/104", "write 10.0.0.0/8 for the network"),
            ("fe80::1%eth0", "zone"),
            ("fe80::%eth0/64", "zone"),
            *(
                (text, "such as 203.0.113.0/24")
                for text in (
                    *(
                        "",
                        "/8",
                        "10.0.0.0/",
                        "10.0.0.0/33",
                        "10.0.0.0/-1",
                        "::/129",
                        "10.0.0.0/8/8",
                    ),
                    *("example.com", "203.0.113.7:80", "[::1]", "10.0.0.0/\u0668"),
                    *("\u0661\u0660.0.0.0/8", "10.0.0.0 - 10.0.0.9", "10.0.0.*"),
                )
            ),
        ],
    )
    def test_what_is_none_is_told_why(self, text: str, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            read_network(text)


class TestNetworkOf:
    def test_an_address_stands_for_its_network(self) -> None:
        assert network_of("203.0.113.7:99") == ip_network("203.0.113.7/32")
        assert network_of("::ffff:203.0.113.7", ipv4_prefix=24) == ip_network("203.0.113.0/24")
        assert network_of("2001:db8:0:1:2::3", ipv4_prefix=24) == ip_network("2001:db8:0:1::/64")
        assert network_of("2001:db8::3", ipv6_prefix=32) == ip_network("2001:db8::/32")

    @for_each("text", [None, "", '"', "unknown"])
    def test_no_address_is_in_none(self, text: str | None) -> None:
        assert network_of(text) is None

    @given(_ADDRESSES, st.integers(0, 32), st.integers(0, 128))
    def test_it_holds_the_address(self, address: Address, of_4: int, of_6: int) -> None:
        network = network_of(str(address), ipv4_prefix=of_4, ipv6_prefix=of_6)
        assert network is not None
        address = _without_mapping(address)
        assert address in network
        assert network.prefixlen == (of_4 if address.version == 4 else of_6)


class TestIsWithin:
    NETWORKS = "203.0.113.0/24 2001:db8::/32"

    @for_each("text", ["203.0.113.9", "::ffff:203.0.113.9", "203.0.113.9:80", "[2001:db8::1]:80"])
    def test_an_address_that_is_listed(self, text: str) -> None:
        assert is_within(text, self.NETWORKS)

    @for_each("text", [None, "", '"', "unknown", "203.0.114.1", "::1"])
    def test_no_address_is_in_no_list(self, text: str | None) -> None:
        """S40: not even in one that holds every address."""
        assert not is_within(text, self.NETWORKS)
        if read_address(text) is None:
            assert not is_within(text, "0.0.0.0/0 ::/0")


class TestIsPublic:
    @for_each(
        "text",
        [
            "8.8.8.8",
            "93.184.216.34",
            "2606:4700:4700::1111",
            # What they embed is public.
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::",
        ],
    )
    def test_those_of_the_internet(self, text: str) -> None:
        assert is_public(ip_address(text))

    @for_each(
        "text",
        [
            *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3"),
            *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254"),
            *("100.64.0.1", "100.127.255.255", "192.0.0.8", "192.0.0.170", "192.0.2.1"),
            *("192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
            *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
            *("::", "::1", "::127.0.0.1", "::8.8.8.8", "fe80::1", "fe80::1%lo", "fec0::1"),
            *("fc00::1", "fd00::1", "ff02::1", "2001:db8::1", "3fff::1", "100::1", "5f00::1"),
            *("2001::1", "2001:0:808:808::", "2001:10::1", "2001:20::1", "64:ff9b:1::808:808"),
            # What they embed is not.
            *("::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
            *("2002:7f00:1::", "2002:a00:1::1"),
        ],
    )
    def test_all_others_are_not(self, text: str) -> None:
        """S50: neither private nor special, and no tunnel to such a one."""
        assert not is_public(ip_address(text))
