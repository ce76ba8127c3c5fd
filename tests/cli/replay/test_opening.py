from collections.abc import Mapping
from decimal import Decimal

import pytest

from cli.exits import CommandError
from cli.replay import opening as openings
from cli.replay.opening import Opening
from cli.replay.plan import Need
from cli.replay.session import Session
from cli.replay.tally import Tally
from domain.values import Symbol
from tests.cli.stand_in import Scripted, stand_in

NEEDS = {"load-1": Need(Decimal(100), 10)}
TOKENS = {"load-1": "a token", "ops": "another"}
REFUSED = Scripted(403, {"code": "FORBIDDEN", "detail": "No"})
PLACED = Scripted(201, {"id": "o-1"})


async def buy(url: str, tally: Tally) -> list[int]:
    bought: list[int] = []
    async with Session(url, TOKENS, tally) as session:
        opening = Opening(session, tally, Symbol("AAPL"), Decimal(190), operator="ops", run="run")
        await opening.buy(NEEDS, bought.append)
    return bought


async def heard(*messages: Mapping[str, object]) -> Tally:
    tally = Tally()
    for message in messages:
        await tally.hear({"order_id": "o-1", "position": 1, **message})
    return tally


async def test_a_deposit_that_is_refused_is_an_error() -> None:
    with stand_in(REFUSED) as url:
        async with Session(url, TOKENS, Tally()) as session:
            opening = Opening(session, Tally(), Symbol("AAPL"), Decimal(190), operator="ops", run="run")
            with pytest.raises(CommandError, match=r"load-1 cannot be funded: No \(FORBIDDEN\)"):
                await opening.deposit(NEEDS)


async def test_what_is_filled_in_part_is_bought_again() -> None:
    part = {"status": "CANCELLED", "quantity_filled": "5", "filled_quantity": "5"}
    with stand_in(PLACED) as url:
        assert await buy(url, await heard(part)) == [5, 5]


async def test_an_order_that_is_refused_is_an_error() -> None:
    with stand_in(REFUSED) as url, pytest.raises(ExceptionGroup) as failed:
        await buy(url, Tally())
    assert "cannot buy the opening inventory: No (FORBIDDEN)" in str(failed.value.exceptions[0])


async def test_an_order_that_ends_without_a_fill_is_an_error() -> None:
    with stand_in(PLACED) as url, pytest.raises(ExceptionGroup) as failed:
        await buy(url, await heard({"status": "REJECTED"}))
    assert "is REJECTED without a fill" in str(failed.value.exceptions[0])


async def test_an_order_that_nobody_fills_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openings, "PATIENCE_SECONDS", 0.01)
    with stand_in(PLACED) as url, pytest.raises(ExceptionGroup) as failed:
        await buy(url, Tally())
    assert "`orderlog doctor`" in str(failed.value.exceptions[0])
