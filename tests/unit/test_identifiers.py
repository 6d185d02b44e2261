"""TypeIDs and UUIDv7, held against the specifications' own vectors."""

import time
import uuid
from datetime import UTC, datetime

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from ragauth.security.identifiers import (
    ACCOUNT,
    KEY,
    decode_id,
    decode_suffix,
    encode_bytes,
    encode_id,
    encode_suffix,
    first_uuid_at,
    new_uuid,
)
from tests.cases import for_each

# https://github.com/jetify-com/typeid/blob/main/spec/valid.yml
VECTORS = [
    ("00000000-0000-0000-0000-000000000000", "00000000000000000000000000"),
    ("00000000-0000-0000-0000-000000000001", "00000000000000000000000001"),
    ("00000000-0000-0000-0000-00000000000a", "0000000000000000000000000a"),
    ("00000000-0000-0000-0000-000000000010", "0000000000000000000000000g"),
    ("00000000-0000-0000-0000-000000000020", "00000000000000000000000010"),
    ("ffffffff-ffff-ffff-ffff-ffffffffffff", "7zzzzzzzzzzzzzzzzzzzzzzzzz"),
    ("0110c853-1d09-52d8-d73e-1194e95b5f19", "0123456789abcdefghjkmnpqrs"),
    ("01890a5d-ac96-774b-bcce-b302099a8057", "01h455vb4pex5vsknk084sn02q"),
]


class TestTypeIds:
    @for_each(("plain", "suffix"), VECTORS)
    def test_the_reference_vectors_hold(self, plain: str, suffix: str) -> None:
        identifier = uuid.UUID(plain)
        assert encode_id(KEY, identifier) == f"key_{suffix}"
        assert encode_bytes(KEY, identifier.bytes) == f"key_{suffix}"
        assert encode_suffix(identifier.int) == suffix
        assert decode_id(KEY, f"key_{suffix}") == identifier
        assert decode_suffix(suffix) == identifier

    @given(st.uuids())
    def test_every_uuid_comes_back(self, identifier: uuid.UUID) -> None:
        assert decode_id(ACCOUNT, encode_id(ACCOUNT, identifier)) == identifier

    @given(st.lists(st.uuids(), min_size=2))
    def test_the_order_is_that_of_the_uuids(self, identifiers: list[uuid.UUID]) -> None:
        encoded = sorted(encode_id(KEY, identifier) for identifier in identifiers)
        assert encoded == [encode_id(KEY, identifier) for identifier in sorted(identifiers)]

    @for_each(
        "text",
        [
            *("", "key", "key_", "_01h455vb4pex5vsknk084sn02q", "01h455vb4pex5vsknk084sn02q"),
            *("acc_01h455vb4pex5vsknk084sn02q", "KEY_01h455vb4pex5vsknk084sn02q"),
            *("key_01H455VB4PEX5VSKNK084SN02Q", "key_01h455vb4pex5vsknk084sn02"),
            *("key_01h455vb4pex5vsknk084sn02q0", "key_81h455vb4pex5vsknk084sn02q"),
            *("key_01h455vb4pex5vsknk084sn02i", "key_01h455vb4pex5vsknk084sn02l"),
            *("key_01h455vb4pex5vsknk084sn02o", "key_01h455vb4pex5vsknk084sn02u"),
            *("key_01h455vb4pex5vsknk084sn02é", "key__01h455vb4pex5vsknk084sn02q"),
            *(" key_01h455vb4pex5vsknk084sn02q", "key_01h455vb4pex5vsknk084sn02q\n"),
            "01890a5d-ac96-774b-bcce-b302099a8057",
        ],
    )
    def test_any_other_form_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="not"):
            decode_id(KEY, text)

    @given(st.text())
    def test_no_text_has_two_spellings(self, text: str) -> None:
        try:
            identifier = decode_suffix(text)
        except ValueError:
            return
        assert encode_suffix(identifier.int) == text


class TestNewUuids:
    def test_version_and_variant_are_those_of_rfc_9562(self) -> None:
        for identifier in (new_uuid() for _ in range(100)):
            assert identifier.version == 7
            assert identifier.variant == uuid.RFC_4122

    def test_the_first_48_bits_are_milliseconds(self) -> None:
        with time_machine.travel("2026-01-15T10:30:00.123Z", tick=False):
            assert new_uuid().int >> 80 == time.time_ns() // 1_000_000

    def test_later_ones_are_greater_within_a_millisecond_too(self) -> None:
        with time_machine.travel("2026-01-15T10:30:00Z", tick=False) as clock:
            identifiers = []
            for _ in range(100):
                identifiers.append(new_uuid())
                clock.shift(0.000001)
        assert identifiers == sorted(identifiers)

    def test_two_of_one_moment_differ(self) -> None:
        with time_machine.travel("2026-01-15T10:30:00Z", tick=False):
            assert len({new_uuid() for _ in range(1000)}) == 1000


class TestFirstOfAMoment:
    def test_it_parts_what_is_older_from_what_is_not(self) -> None:
        """What a span of time is, in ids: they need no index of their times."""
        moment = datetime(2026, 1, 15, 10, 30, 0, 123_000, tzinfo=UTC)
        with time_machine.travel(moment, tick=False) as clock:
            now = [new_uuid() for _ in range(100)]
            clock.shift(-0.001)
            before = [new_uuid() for _ in range(100)]
        first = first_uuid_at(moment)
        assert max(before) < first < min(now)
        assert (first.version, first.variant) == (7, uuid.RFC_4122)

    @pytest.mark.parametrize("year", [1, 1969, 9999])
    def test_every_time_has_one(self, year: int) -> None:
        first = first_uuid_at(datetime(year, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
        assert (first < new_uuid()) is (year < 2000)
