"""The chain as its description has it."""

from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest

from infrastructure.postgres.chain import GENESIS, leaf, link, timestamp

AT = b"2026-11-22T09:30:00.000001Z"
EVENT = (12, "order-1", 3, "OrderSent", b'{"attempt":1}', b'{"actor":"\xc3\xa9"}', AT)


def test_a_leaf_is_the_sha256_of_a_zero_byte_and_all_fields_with_their_lengths() -> None:
    described = (
        b"\x00"
        b"\x00\x00\x00\x0212"
        b"\x00\x00\x00\x07order-1"
        b"\x00\x00\x00\x013"
        b"\x00\x00\x00\x09OrderSent"
        b'\x00\x00\x00\x0d{"attempt":1}'
        b'\x00\x00\x00\x0e{"actor":"\xc3\xa9"}'
        b"\x00\x00\x00\x1b" + AT
    )
    assert leaf(*EVENT) == sha256(described).digest()


@pytest.mark.parametrize("length", [0, 255, 256, 999, 1000, 70_000])
def test_a_field_can_be_of_any_length(length: int) -> None:
    fields = (b"1", b"s", b"1", b"t", b"x" * length, b"{}", AT)
    described = b"\x00" + b"".join(len(field).to_bytes(4) + field for field in fields)
    assert leaf(1, "s", 1, "t", b"x" * length, b"{}", AT) == sha256(described).digest()


@pytest.mark.parametrize("index", range(7))
def test_a_change_of_any_field_changes_the_leaf(index: int) -> None:
    changes = (13, "order-2", 4, "OrderSend", b'{"attempt":2}', b"{}", AT.replace(b"1Z", b"2Z"))
    changed = (*EVENT[:index], changes[index], *EVENT[index + 1 :])
    assert leaf(*changed) != leaf(*EVENT)  # type: ignore[arg-type] # a tuple forgets which field is which


def test_what_moves_from_one_field_to_the_next_changes_the_leaf() -> None:
    assert leaf(1, "ab", 1, "c", b"", b"", AT) != leaf(1, "a", 1, "bc", b"", b"", AT)


def test_a_hash_covers_the_one_before_it() -> None:
    assert GENESIS == b"\x00" * 32
    first = link(GENESIS, leaf(*EVENT))
    assert first == sha256(GENESIS + leaf(*EVENT)).digest()
    assert link(first, leaf(*EVENT)) != first


def test_times_have_six_decimals_and_are_utc() -> None:
    berlin = timezone(timedelta(hours=1))
    assert timestamp(datetime(2026, 11, 22, 9, 30, tzinfo=UTC)) == b"2026-11-22T09:30:00.000000Z"
    assert timestamp(datetime(2026, 11, 22, 10, 30, 0, 1, tzinfo=berlin)) == AT
