"""One-time passwords: the RFC's own numbers, the window, what a phone is given to read."""

import base64
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

import pytest

from ragauth.security import totp
from tests.cases import for_each
from tests.factories.second_factors import totp as code_of

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class TestFindStep:
    @for_each(
        ("seconds", "code"),
        [
            (59, "287082"),
            (1111111109, "081804"),
            (1111111111, "050471"),
            (1234567890, "005924"),
            (2000000000, "279037"),
            (20000000000, "353130"),
        ],
    )
    def test_the_codes_of_rfc_6238_are_found(self, seconds: int, code: str) -> None:
        """Appendix B, the last six of its eight digits."""
        assert totp.find_step(RFC_SECRET, code, now=at(seconds)) == seconds // 30

    @pytest.mark.parametrize("steps", [-1, 0, 1])
    def test_a_clock_may_be_a_step_off(self, steps: int) -> None:
        present = 2_000_000_000 // 30
        code = code_of(RFC_SECRET, present + steps)
        assert totp.find_step(RFC_SECRET, code, now=at(2_000_000_000)) == present + steps

    @for_each("steps", [-3, -2, 2, 3])
    def test_but_not_two(self, steps: int) -> None:
        code = code_of(RFC_SECRET, 2_000_000_000 // 30 + steps)
        assert totp.find_step(RFC_SECRET, code, now=at(2_000_000_000)) is None

    @for_each("code", ["", "27903", "2790370", "٢٧٩٠٣٧", "279 037", "a" * 100])
    def test_what_is_no_code_is_none(self, code: str) -> None:
        assert totp.find_step(RFC_SECRET, code, now=at(2_000_000_000)) is None


def test_a_secret_has_160_bits_and_is_never_the_same() -> None:
    secrets = {totp.new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert {len(base64.b32decode(secret)) for secret in secrets} == {20}


class TestProvisioningUri:
    def test_it_names_issuer_account_and_secret(self) -> None:
        uri = totp.provisioning_uri("ABC", account_name="dev+1@x.com", issuer="Acme & Co: X")
        parts = urlsplit(uri)
        assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
        assert unquote(parts.path) == "/Acme & Co X:dev+1@x.com"
        assert parse_qs(parts.query) == {"secret": ["ABC"], "issuer": ["Acme & Co X"]}

    @pytest.mark.parametrize("name", ["x" * 300, "ж" * 300, "\N{GRINNING FACE}" * 300])
    def test_a_name_of_any_length_fits_into_a_code_that_can_be_read(self, name: str) -> None:
        uri = totp.provisioning_uri(totp.new_secret(), account_name=name, issuer=name)
        assert len(uri) < 700
        assert unquote(uri.partition("?")[0]).endswith("…")
        assert totp.qr_svg(uri)


class TestQrSvg:
    def test_it_is_an_image_and_nothing_else(self) -> None:
        svg = totp.qr_svg('otpauth://totp/"><script>alert(1)</script>')
        root = ElementTree.fromstring(svg)  # noqa: S314 - our own
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert {child.tag for child in root} == {"{http://www.w3.org/2000/svg}path"}
        assert {name for child in root for name in child.attrib} <= {"d", "fill", "stroke", "class"}
        assert "script" not in svg

    def test_it_scales_and_has_a_quiet_zone(self) -> None:
        root = ElementTree.fromstring(totp.qr_svg("x"))  # noqa: S314 - our own
        # Version 1: 21 modules and a border of four on each side.
        assert root.attrib["viewBox"] == "0 0 29 29"
