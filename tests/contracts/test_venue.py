"""What every venue adapter promises of an order from its submission to its end."""

from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest

from application.venue import (
    Sought,
    Venue,
    VenueLeg,
    VenueOutcomeUnknownError,
    VenueRefusedError,
    VenueReport,
    VenueUnreachableError,
)
from domain.instruments import SymbolRules
from domain.values import OrderId, OrderType, Price, Quantity, Side, Symbol, TimeInForce
from tests.contracts.venues import (
    RESTING,
    NewOrder,
    about,
    alpaca_at,
    eventually,
    fills,
    listening,
    sought,
    statuses,
)
from tests.venue_server import venue_process

UNKNOWN = OrderId("00000000-0000-4000-8000-000000000000")


async def test_an_order_the_venue_does_not_know_is_not_found(venue: Venue) -> None:
    assert await venue.find(Sought(client_order_id=UNKNOWN)) == []


async def test_a_submitted_order_is_accepted_and_found(venue: Venue, new_order: NewOrder) -> None:
    order = new_order(**RESTING)
    [accepted] = await venue.submit(order)
    assert (accepted.status, accepted.client_order_id) == ("accepted", order.client_order_id)
    assert await venue.find(sought(order)) == [accepted]


async def test_a_fill_has_the_same_identity_by_stream_and_by_query(venue: Venue, new_order: NewOrder) -> None:
    order = new_order(quantity=Quantity(Decimal(1500)))  # more than the best price has, so it fills in parts

    async def streamed() -> list[VenueReport]:
        return said if sum(fill.quantity for fill in fills(about(order, said))) == order.quantity else []

    async with listening(venue) as said:
        await venue.submit(order)
        by_stream = fills(about(order, await eventually(streamed, "filled")))
    by_query = fills(await venue.find(sought(order)))
    assert len(by_stream) > 1
    assert by_stream == by_query
    assert len({fill.fill_id for fill in by_stream}) == len(by_stream)
    assert all(fill.commission == fill.quantity * Decimal("0.005") for fill in by_stream)
    assert all(fill.executed_at.utcoffset() is not None for fill in by_stream)


async def test_an_order_that_is_sent_again_is_the_order_the_venue_has(venue: Venue, new_order: NewOrder) -> None:
    order = new_order()
    [accepted] = await venue.submit(order)
    again = list(await venue.submit(order))
    assert again[0] == accepted
    assert again == await venue.find(sought(order))
    assert [fill.quantity for fill in fills(again)] == [order.quantity]


async def test_a_cancelled_order_ends_by_stream_and_by_query(venue: Venue, new_order: NewOrder) -> None:
    order = new_order(**RESTING)

    async def streamed() -> list[VenueReport]:
        return about(order, said)

    async with listening(venue) as said:
        [accepted] = await venue.submit(order)
        await venue.cancel(accepted.venue_order_id)
        reports = await eventually(streamed, "cancelled")
    assert statuses(reports) == ["accepted", "cancelled"]
    assert statuses(await venue.find(sought(order))) == ["accepted", "cancelled"]
    assert {report.venue_order_id for report in reports} == {accepted.venue_order_id}


async def test_a_cancel_of_an_order_that_is_over_is_refused(venue: Venue, new_order: NewOrder) -> None:
    [accepted] = await venue.submit(new_order())
    with pytest.raises(VenueRefusedError):
        await venue.cancel(accepted.venue_order_id)


async def test_the_venue_says_whose_order_it_is(venue: Venue, new_order: NewOrder) -> None:
    order = new_order(**RESTING)
    [accepted] = await venue.submit(order)
    assert await venue.client_order_id(accepted.venue_order_id) == order.client_order_id
    assert await venue.client_order_id(str(UNKNOWN)) is None


async def test_a_cancel_of_an_unknown_order_is_refused(venue: Venue) -> None:
    with pytest.raises(VenueRefusedError):
        await venue.cancel(str(UNKNOWN))


async def test_an_order_nobody_could_pay_is_refused_and_not_there(venue: Venue, new_order: NewOrder) -> None:
    order = new_order(**{**RESTING, "quantity": Quantity(Decimal(999_999_999)), "price": Price(Decimal(999_999))})
    with pytest.raises(VenueRefusedError) as raised:
        await venue.submit(order)
    assert (raised.value.code, raised.value.reason) == ("40310000", "insufficient buying power")
    assert await venue.find(sought(order)) == []


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"time_in_force": TimeInForce.GTC}, ["accepted", "filled"]),
        ({**RESTING, "time_in_force": TimeInForce.IOC}, ["accepted", "cancelled"]),
        ({**RESTING, "time_in_force": TimeInForce.FOK}, ["accepted", "cancelled"]),
        ({"order_type": OrderType.STOP, "stop_price": Price(Decimal(900))}, ["accepted"]),
        (
            {
                "order_type": OrderType.STOP_LIMIT,
                "stop_price": Price(Decimal("100.5")),
                "price": Price(Decimal(900)),
                "time_in_force": TimeInForce.GTC,
            },
            ["accepted", "filled"],
        ),
    ],
)
async def test_every_kind_of_order_is_understood(
    venue: Venue, new_order: NewOrder, terms: dict[str, object], expected: list[str]
) -> None:
    order = new_order(**terms)
    await venue.submit(order)
    assert statuses(await venue.find(sought(order))) == expected


async def test_fractions_of_a_coin_keep_all_their_digits(venue: Venue, new_order: NewOrder) -> None:
    order = new_order(
        symbol=Symbol("BTC/USD"), quantity=Quantity(Decimal("0.000000001")), time_in_force=TimeInForce.GTC
    )
    await venue.submit(order)
    [fill] = fills(await venue.find(sought(order)))
    assert (fill.quantity, fill.commission) == (order.quantity, Decimal("0.000000000005"))


async def test_what_trades_is_listed_once_with_a_price(venue: Venue) -> None:
    listed = await venue.instruments()
    symbols = [one.symbol for one in listed]
    assert {"AAPL", "MSFT", "SPY", "TSLA", "GOOG", "BTC/USD"} <= set(symbols)
    assert len(set(symbols)) == len(symbols)
    priced = [one.symbol for one in listed if one.reference_price is not None and one.price_at is not None]
    assert priced == [one.symbol for one in listed if one.tradable]
    assert len(priced) < len(listed), "one is listed that trades no more"


def resting_on_grid(rules: SymbolRules) -> dict[str, object]:
    """Terms on the grid of the symbol, far from its price."""
    price, lot, least = rules.tick_size or Decimal(1), rules.lot_size or Decimal(1), rules.min_quantity or Decimal(1)
    day_only = rules.fractional_day_only
    return {
        "order_type": OrderType.LIMIT,
        "price": Price(price * 150),
        "quantity": Quantity(least + lot),
        "time_in_force": TimeInForce.DAY if day_only else TimeInForce.GTC,
    }


@pytest.mark.parametrize("symbol", ["AAPL", "BRK.A", "BTC/USD", "ETH/USD"])
async def test_what_fits_the_rules_of_a_symbol_the_venue_takes_and_what_does_not_it_refuses(
    venue: Venue, new_order: NewOrder, symbol: str
) -> None:
    (rules,) = [one.rules for one in await venue.instruments() if one.symbol == symbol]
    on_grid = resting_on_grid(rules) | {"symbol": Symbol(symbol)}
    price, quantity = Price(cast("Price", on_grid["price"])), Quantity(cast("Quantity", on_grid["quantity"]))
    [accepted] = await venue.submit(new_order(**on_grid))
    assert accepted.status == "accepted"

    off_grid: list[dict[str, object]] = []
    if rules.tick_size is not None and rules.tick_size > Decimal("1E-9"):
        off_grid.append({"price": Price(price + rules.tick_size / 2)})
    if rules.tick_size_below_dollar == Decimal("0.0001"):
        off_grid.append({"price": Price(Decimal("0.00015"))})
        await venue.submit(new_order(**on_grid | {"price": Price(Decimal("0.0001"))}))
    if rules.lot_size is not None and rules.lot_size > Decimal("1E-9"):
        off_grid.append({"quantity": Quantity(quantity + rules.lot_size / 2)})
        off_grid.append({"quantity": Quantity(cast("Quantity", rules.min_quantity) - rules.lot_size / 2)})
    if rules.fractional_day_only:
        off_grid += [{"time_in_force": lifetime} for lifetime in TimeInForce if lifetime is not TimeInForce.DAY]
        leg = VenueLeg(OrderId(f"leg of {symbol}"), Price(price / 2))
        off_grid.append({"leg": leg, "side": Side.SELL})
    for terms in off_grid:
        with pytest.raises(VenueRefusedError):
            await venue.submit(new_order(**on_grid | terms))
    assert (len(off_grid) > 0) is (symbol != "BTC/USD"), "its grid is as fine as ours"


async def test_what_is_listed_and_not_tradable_is_not_traded(venue: Venue, new_order: NewOrder) -> None:
    (symbol,) = [one.symbol for one in await venue.instruments() if not one.tradable]
    with pytest.raises(VenueRefusedError, match="is not tradable"):
        await venue.submit(new_order(symbol=symbol))


async def test_a_venue_that_was_killed_tells_the_same_afterwards(tmp_path: Path, new_order: NewOrder) -> None:
    order, journal = new_order(), ("--journal", str(tmp_path / "journal"))
    with venue_process(*journal) as first:
        port = first.address.url.rpartition(":")[2]
        async with alpaca_at(first.address) as venue:
            await venue.submit(order)
            before = await venue.find(sought(order))
            stream = venue.reports()
            assert (await anext(stream)).status == "listening"
            first.kill()
            with pytest.raises(VenueOutcomeUnknownError):
                await anext(stream)
            for attempt in (venue.submit(order), venue.find(sought(order))):
                with pytest.raises(VenueUnreachableError):
                    await attempt
            with venue_process(*journal, "--port", port):
                assert await venue.find(sought(order)) == before
                assert await venue.submit(order) == before
                async with listening(venue) as said:
                    assert said == []  # a stream tells what happens from now on
