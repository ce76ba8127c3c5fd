"""Fresh ids."""

from uuid import UUID

from infrastructure.ids import UuidIds


def test_every_id_is_another_uuid() -> None:
    ids = UuidIds()
    fresh = [ids.new() for _ in range(100)]
    assert len(set(fresh)) == 100
    assert [str(UUID(each)) for each in fresh] == fresh
