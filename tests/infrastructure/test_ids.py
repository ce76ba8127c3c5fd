"""Fresh ids."""

from uuid import RFC_4122, UUID

from infrastructure.ids import UuidIds


def test_every_id_is_another_random_uuid() -> None:
    ids = UuidIds()
    fresh = [ids.new() for _ in range(1_000)]
    assert len(set(fresh)) == 1_000
    uuids = [UUID(each) for each in fresh]
    assert [str(each) for each in uuids] == fresh
    assert {(each.version, each.variant) for each in uuids} == {(4, RFC_4122)}


def test_all_other_bits_of_an_id_are_random() -> None:
    ids = UuidIds()
    numbers = [UUID(ids.new()).int for _ in range(500)]
    always_one = numbers[0]
    ever_one = 0
    for number in numbers:
        always_one &= number
        ever_one |= number
    assert always_one.bit_count() == 2  # of the version 0100 and the variant 10
    assert ever_one.bit_count() == 128 - 4
