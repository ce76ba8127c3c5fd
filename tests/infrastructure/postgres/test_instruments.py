import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import fields, replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from application.venue import Instrument
from domain.instruments import SymbolRules
from domain.values import Price, Quantity, Symbol
from infrastructure.postgres import instruments
from infrastructure.postgres.instruments import CachedInstruments, save_instruments
from infrastructure.postgres.patience import Pool
from tests.infrastructure.postgres.pools import pool_of

ACME = Instrument(
    symbol=Symbol("ACME"),
    name='Acme "Anvils" Corp.',
    tradable=True,
    fractionable=False,
    reference_price=Price(Decimal("10.25")),
    price_at=datetime(2026, 11, 20, 12, tzinfo=UTC),
    rules=SymbolRules(
        tick_size=Price(Decimal("0.05")),
        tick_size_below_dollar=Price(Decimal("0.0001")),
        lot_size=Quantity(Decimal(10)),
        min_quantity=Quantity(Decimal(20)),
        max_quantity=Quantity(Decimal(5000)),
        fractional_day_only=True,
    ),
)
BTC = Instrument(
    symbol=Symbol("BTC/USD"), name="Bitcoin", tradable=False, fractionable=True, reference_price=None, price_at=None
)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with pool_of(database_url) as pool:
        yield pool


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instruments, "_REFRESH_SECONDS", 0.005)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


async def last_change(pool: Pool, symbol: Symbol) -> datetime:
    async with pool.connection() as connection:
        found = await connection.execute("SELECT refreshed_at FROM instruments WHERE symbol = %s", [symbol])
        ((refreshed_at,),) = await found.fetchall()
    assert isinstance(refreshed_at, datetime)
    return refreshed_at


async def test_instruments_are_known_as_they_were_saved(pool: Pool) -> None:
    await save_instruments(pool, [BTC, ACME])
    async with CachedInstruments(pool) as known:
        assert known.ready
        assert (known.get(ACME.symbol), known.get(BTC.symbol)) == (ACME, BTC)
        assert known.all() == [ACME, BTC]


async def test_changes_are_noticed_in_the_background(pool: Pool) -> None:
    async with CachedInstruments(pool) as known:
        assert (known.ready, known.get(ACME.symbol)) == (False, None)
        await save_instruments(pool, [ACME])
        await until(lambda: known.ready)
        dearer = replace(ACME, reference_price=Price(Decimal("10.26")))
        await save_instruments(pool, [dearer])
        await until(lambda: known.get(ACME.symbol) == dearer)


@pytest.mark.parametrize("field", [each.name for each in fields(SymbolRules)])
async def test_each_rule_is_refreshed(pool: Pool, field: str) -> None:
    await save_instruments(pool, [ACME])
    async with CachedInstruments(pool) as known:
        other = replace(ACME, rules=replace(ACME.rules, **{field: getattr(SymbolRules(), field)}))
        await save_instruments(pool, [other])
        await until(lambda: known.get(ACME.symbol) == other)


async def test_what_the_venue_trades_no_more_is_forgotten(pool: Pool) -> None:
    await save_instruments(pool, [ACME, BTC])
    async with CachedInstruments(pool) as known:
        await save_instruments(pool, [BTC])
        await until(lambda: known.get(ACME.symbol) is None)
        assert known.all() == [BTC]


async def test_no_instruments_at_all_is_no_answer(pool: Pool) -> None:
    await save_instruments(pool, [ACME])
    await save_instruments(pool, [])
    async with CachedInstruments(pool) as known:
        assert known.all() == [ACME]


async def test_only_what_changed_is_written_again(pool: Pool) -> None:
    await save_instruments(pool, [ACME, BTC])
    before = [await last_change(pool, each.symbol) for each in (ACME, BTC)]
    await save_instruments(pool, [ACME, replace(BTC, tradable=True)])
    after = [await last_change(pool, each.symbol) for each in (ACME, BTC)]
    assert after[0] == before[0]
    assert after[1] > before[1]


async def test_nothing_is_read_again_while_nothing_changes(pool: Pool) -> None:
    await save_instruments(pool, [ACME])
    async with CachedInstruments(pool) as known:
        first = known.get(ACME.symbol)
        await known._refresh()
        assert known.get(ACME.symbol) is first


async def test_the_last_known_instruments_stay_while_the_database_is_away(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    await save_instruments(pool, [ACME])
    async with CachedInstruments(pool) as known:
        await pool.close()
        await until(lambda: "going on with those of before" in caplog.text)
        assert known.get(ACME.symbol) == ACME
        await known._refresh()
        await known._refresh()
    assert caplog.text.count("going on with those of before") == 1
