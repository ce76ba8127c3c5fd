import asyncio

import pytest

from infrastructure.reading_ahead import reading_ahead


async def test_the_next_piece_is_asked_for_before_the_one_at_hand_is_worked_on() -> None:
    asked: list[int | None] = []

    async def read(before: int | None) -> int | None:
        asked.append(before)
        await asyncio.sleep(0)
        return (before or 0) + 1 if before != 3 else None

    at_hand = [(piece, asked[-1]) async for piece in reading_ahead(read)]
    assert at_hand == [(1, 1), (2, 2), (3, 3)]
    assert asked == [None, 1, 2, 3]


async def test_nothing_goes_on_when_nobody_reads_on() -> None:
    gone = asyncio.Event()

    async def read(before: int | None) -> int:
        if before:
            try:
                await asyncio.sleep(60)
            finally:
                gone.set()
        return 1

    pieces = reading_ahead(read)
    assert await anext(pieces) == 1
    await pieces.aclose()
    assert gone.is_set()


async def test_what_fails_fails_where_it_is_awaited() -> None:
    async def read(before: int | None) -> int:
        if before:
            raise RuntimeError("away")
        return 1

    pieces = reading_ahead(read)
    assert await anext(pieces) == 1
    with pytest.raises(RuntimeError, match="away"):
        await anext(pieces)
