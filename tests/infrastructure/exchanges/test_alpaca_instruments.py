"""What the venue trades: lists of any size and quality, with prices where they can be had."""

import asyncio
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from application.venue import Instrument, VenueOutcomeUnknownError, VenueRefusedError, VenueUnreachableError
from domain.instruments import ANYTHING, SymbolRules, us_equity
from domain.values import Price, Quantity, Symbol
from infrastructure.exchanges.alpaca_instruments import REQUESTS_AT_A_TIME, SYMBOLS_PER_REQUEST
from tests.infrastructure.exchanges.played_venue import NOBODY, PlayedVenue, played, says, venue_at

AAPL = {"class": "us_equity", "symbol": "AAPL", "name": "Apple", "tradable": True, "fractionable": True}
BTC = {"class": "crypto", "symbol": "BTC/USD", "name": "Bitcoin", "tradable": True, "fractionable": True}


def instrument(symbol: str, **fields: Any) -> Instrument:
    known = {"name": symbol, "tradable": True, "fractionable": False, "reference_price": None, "price_at": None}
    terms = {**known, **fields}
    return Instrument(symbol=Symbol(symbol), **{"rules": us_equity(fractionable=terms["fractionable"]), **terms})


async def listed(venue: PlayedVenue, timeout_seconds: float = 5) -> list[Instrument]:
    async with venue_at(venue.url, data_url=venue.url, timeout_seconds=timeout_seconds) as adapter:
        return list(await adapter.instruments())


async def test_stocks_and_crypto_are_listed_with_their_last_prices() -> None:
    plays = (
        says(200, [AAPL]),
        says(200, '{"trades": {"AAPL": {"t": "2026-11-20T15:00:01.123456789Z", "x": "V", "p": 190.12, "s": 100}}}'),
        says(200, [BTC]),
        says(200, '{"trades": {"BTC/USD": {"t": "2026-11-20T10:00:01-05:00", "p": 65000.123456789, "tks": "B"}}}'),
    )
    async with played(*plays) as venue:
        assert await listed(venue) == [
            instrument(
                "AAPL",
                name="Apple",
                fractionable=True,
                reference_price=Price(Decimal("190.12")),
                price_at=datetime(2026, 11, 20, 15, 0, 1, 123457, tzinfo=UTC),
            ),
            instrument(
                "BTC/USD",
                name="Bitcoin",
                fractionable=True,
                reference_price=Price(Decimal("65000.123456789")),
                price_at=datetime(2026, 11, 20, 15, 0, 1, tzinfo=UTC),
                rules=ANYTHING,
            ),
        ]
    assert [(request.path, request.params) for request in venue.requests] == [
        ("/v2/assets", {"status": "active", "asset_class": "us_equity"}),
        ("/v2/stocks/trades/latest", {"symbols": "AAPL"}),
        ("/v2/assets", {"status": "active", "asset_class": "crypto"}),
        ("/v1beta3/crypto/us/latest/trades", {"symbols": "BTC/USD"}),
    ]


async def test_entries_that_cannot_be_used_are_left_out_and_missing_fields_mean_no() -> None:
    odd = [{"symbol": "lower"}, {"symbol": 7}, {}, None, "AAPL", {**AAPL, "tradable": "yes"}, {"symbol": "MSFT"}, BTC]
    async with played(says(200, odd), says(200, [])) as venue:
        assert await listed(venue) == [instrument("MSFT", tradable=False)]
    assert len(venue.requests) == 2  # nothing trades, so no prices are asked for


@pytest.mark.parametrize(
    "prices",
    [
        says(500),
        says(403, {"message": "subscription does not permit"}),
        says(429),
        says(200, "?"),
        says(200, {"trades": {}}),
        says(200, {"trades": {"AAPL": None}}),
        says(200, {"trades": {"AAPL": {"p": -1}}}),
        says(200, {"trades": {"AAPL": {"p": "NaN"}}}),
        says(200, {"trades": {"AAPL": {"p": 1, "t": "9999-12-31T23:59:59-23:59"}}}),
    ],
)
async def test_an_instrument_without_a_price_is_still_an_instrument(prices: Any) -> None:
    async with played(says(200, [AAPL]), prices, says(200, [])) as venue:
        assert await listed(venue) == [instrument("AAPL", name="Apple", fractionable=True)]


async def test_coins_say_their_increments_and_those_of_stocks_are_the_law_s() -> None:
    steps = {"min_order_size": "0.001", "min_trade_increment": 0.0001, "price_increment": "0.10"}
    plays = (says(200, [AAPL | steps, AAPL | {"symbol": "BRK.A", "fractionable": False}]), says(200, {"trades": {}}))
    async with played(*plays, says(200, [BTC | steps]), says(200, {"trades": {}})) as venue:
        stock, whole, coin = (one.rules for one in await listed(venue))
    assert stock == SymbolRules(
        tick_size=Price(Decimal("0.01")),
        tick_size_below_dollar=Price(Decimal("0.0001")),
        lot_size=Quantity(Decimal("1E-9")),
        min_quantity=Quantity(Decimal("1E-9")),
        fractional_day_only=True,
    )
    assert (whole.lot_size, whole.min_quantity, whole.fractional_day_only) == (1, 1, False)
    assert coin == SymbolRules(
        tick_size=Price(Decimal("0.1")),
        tick_size_below_dollar=Price(Decimal("0.1")),
        lot_size=Quantity(Decimal("0.0001")),
        min_quantity=Quantity(Decimal("0.001")),
    )


@pytest.mark.parametrize("field", ["min_order_size", "min_trade_increment", "price_increment"])
@pytest.mark.parametrize("step", ["0", "-1", "NaN", "1E-10", "?"])
async def test_a_coin_with_a_step_that_is_none_is_left_out(field: str, step: str) -> None:
    async with played(says(200, []), says(200, [BTC | {field: step}])) as venue:
        assert await listed(venue) == []


async def test_a_price_without_a_time_is_a_price() -> None:
    trades = {"trades": {"AAPL": {"p": "190"}}}
    async with played(says(200, [AAPL]), says(200, trades), says(200, [])) as venue:
        [apple] = await listed(venue)
    assert (apple.reference_price, apple.price_at) == (Decimal(190), None)


async def test_market_data_out_of_reach_costs_the_prices_and_not_the_list() -> None:
    async with (
        played(says(200, [AAPL]), says(200, [])) as venue,
        venue_at(venue.url, data_url=NOBODY) as adapter,
    ):
        assert await adapter.instruments() == [instrument("AAPL", name="Apple", fractionable=True)]


@pytest.mark.parametrize(
    ("play", "error"),
    [
        (says(401), VenueRefusedError),
        (says(500), VenueOutcomeUnknownError),
        (says(200, {}), VenueOutcomeUnknownError),
    ],
)
async def test_without_a_list_there_are_no_instruments(play: Any, error: type[Exception]) -> None:
    async with played(play) as venue:
        with pytest.raises(error):
            await listed(venue)
    async with venue_at(NOBODY) as adapter:
        with pytest.raises(VenueUnreachableError):
            await adapter.instruments()


async def test_thousands_of_prices_are_asked_for_in_chunks_a_few_at_a_time() -> None:
    symbols = [f"S{number}" for number in range(SYMBOLS_PER_REQUEST * 6 + 1)]
    assets = says(200, [{**AAPL, "symbol": symbol} for symbol in symbols])
    at_once = most = 0

    async def prices(writer: asyncio.StreamWriter) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        wanted = venue.requests[-1].params["symbols"].split(",")
        await asyncio.sleep(0.02)
        at_once -= 1
        body = json.dumps({"trades": {symbol: {"p": 1} for symbol in wanted}})
        await says(200, body)(writer)

    async with played(assets, *[prices] * 7, says(200, [])) as venue:
        found = await listed(venue)
    assert [one.symbol for one in found] == symbols
    assert all(one.reference_price == Decimal(1) for one in found)
    assert 1 < most <= REQUESTS_AT_A_TIME
