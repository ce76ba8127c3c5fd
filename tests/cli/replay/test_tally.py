import asyncio
from decimal import Decimal
from typing import Any

from cli.replay.tally import Tally
from domain.lifecycle import Status


def message(status: str, order_id: str = "o-1", **more: Any) -> dict[str, Any]:
    return {"event": "order.something", "order_id": order_id, "status": status, "position": 1, **more}


def fill(filled: str, status: str = "PARTIALLY_FILLED") -> dict[str, Any]:
    return message(status, quantity_filled="5", filled_quantity=filled, price_at_fill="10.00")


async def test_statuses_and_fills_are_remembered() -> None:
    tally = Tally()
    await tally.hear({"event": "heartbeat", "position": 9})
    await tally.hear(message("ACCEPTED"))
    await tally.hear(fill("5"))
    first = tally.first_fills["o-1"]
    await tally.hear(fill("10", "FILLED"))
    assert tally.statuses == {"o-1": Status.FILLED}
    assert tally.first_fills == {"o-1": first}
    assert tally.fills == 2
    assert tally.shares(["o-1", "o-2"]) == Decimal(10)


async def test_an_order_is_settled_when_it_is_over_or_rests_where_it_may() -> None:
    tally = Tally()
    assert not tally.is_settled("o-1", may_rest=True)
    await tally.hear(message("ACCEPTED"))
    assert tally.is_settled("o-1", may_rest=True)
    assert not tally.is_settled("o-1", may_rest=False)
    await tally.hear(message("PENDING_CANCEL"))
    assert not tally.is_settled("o-1", may_rest=True)
    await tally.hear(message("CANCELLED"))
    assert tally.is_settled("o-1", may_rest=False)
    assert tally.is_over("o-1")


async def test_whoever_waits_is_woken_by_news() -> None:
    tally = Tally()
    waiting = asyncio.create_task(tally.until(lambda: tally.is_over("o-1"), 5))
    await asyncio.sleep(0)
    await tally.hear(message("ACCEPTED"))
    await tally.hear(message("FILLED"))
    assert await waiting


async def test_whoever_hears_nothing_gives_up() -> None:
    assert not await Tally().until(lambda: False, 0.01)
