"""Prices on their tick, quantities on their lot: what is off the grid is told the nearest that is on it."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import desk
from domain.account import Account, Holding
from domain.commands import PlaceOrder, ReplaceOrder
from domain.instruments import ANYTHING, SymbolRules, us_equity
from domain.refusals import InvalidPrice, InvalidQuantity, Refusal
from domain.validation import OrderValidator
from domain.values import OrderType, Price, Quantity, Side, TimeInForce, exactly, parse_price, parse_quantity
from tests.domain.conftest import after
from tests.domain.orders import ACME, accepted, dollars, place, placed, price_of, sent, units

STOCK = us_equity(fractionable=True)
WHOLE_STOCK = us_equity(fractionable=False)
COIN = SymbolRules(
    tick_size=price_of("0.25"),
    tick_size_below_dollar=price_of("0.25"),
    lot_size=Quantity(Decimal("0.0005")),
    min_quantity=Quantity(Decimal("0.01")),
    max_quantity=units(100),
)
RICH = Account(cash=dollars(1_000_000), holdings={ACME: Holding(quantity=units(1000))})


def refusal_of(order: PlaceOrder) -> Refusal | None:
    with exactly():
        return OrderValidator().validate_order(order, RICH).refusal


@pytest.mark.parametrize(
    ("rules", "price", "sentence"),
    [
        (STOCK, "190.005", "price 190.005 is not a multiple of the tick size 0.01; nearest: 190.00 or 190.01"),
        (STOCK, "190.019", "price 190.019 is not a multiple of the tick size 0.01; nearest: 190.01 or 190.02"),
        (STOCK, "1.0001", "price 1.0001 is not a multiple of the tick size 0.01; nearest: 1.00 or 1.01"),
        (STOCK, "0.99995", "price 0.99995 is not a multiple of the tick size 0.0001; nearest: 0.9999 or 1.00"),
        (STOCK, "0.00005", "price 0.00005 is not a multiple of the tick size 0.0001; nearest: 0.0001"),
        (COIN, "65000.1", "price 65000.1 is not a multiple of the tick size 0.25; nearest: 65000.00 or 65000.25"),
    ],
)
def test_a_price_off_its_tick_is_refused_with_the_nearest_prices(rules: SymbolRules, price: str, sentence: str) -> None:
    refusal = refusal_of(place(quantity=units(1), price=parse_price(price), rules=rules))
    assert isinstance(refusal, InvalidPrice)
    assert (refusal.code, refusal.field, refusal.message) == ("INVALID_PRICE", "price", sentence)


@pytest.mark.parametrize("price", ["0.0001", "0.9999", "1", "1.01", "190.1", "999999999.99"])
def test_a_price_on_its_tick_is_taken(price: str) -> None:
    STOCK.check_price("price", parse_price(price))
    ANYTHING.check_price("price", parse_price("190.005"))


@pytest.mark.parametrize(
    ("field", "order_type", "more"),
    [
        ("stop_price", OrderType.STOP, {"price": None}),
        ("stop_price", OrderType.STOP_LIMIT, {}),
        ("stop_loss", OrderType.LIMIT, {}),
        ("take_profit", OrderType.LIMIT, {}),
    ],
)
def test_every_price_of_an_order_is_checked(field: str, order_type: OrderType, more: dict[str, object]) -> None:
    off = parse_price("10.001" if field == "take_profit" else "9.001")
    refusal = refusal_of(place(order_type=order_type, **{field: off, "rules": STOCK, **more}))
    assert refusal is not None
    assert (refusal.code, refusal.field) == ("INVALID_PRICE", field)
    assert refusal.message.startswith(f"{field} {off} is not a multiple of the tick size 0.01; nearest: ")


@pytest.mark.parametrize(
    ("rules", "quantity", "sentence"),
    [
        (WHOLE_STOCK, "1.5", "Quantity 1.5 is not a multiple of the lot size 1; nearest: 1 or 2"),
        (WHOLE_STOCK, "0.5", "Quantity 0.5 is below the minimum of 1"),
        (COIN, "0.0101", "Quantity 0.0101 is not a multiple of the lot size 0.0005; nearest: 0.01 or 0.0105"),
        (COIN, "0.0095", "Quantity 0.0095 is below the minimum of 0.01"),
        (COIN, "100.0005", "Quantity 100.0005 is above the maximum of 100"),
    ],
)
def test_a_quantity_off_its_lot_is_refused_with_the_nearest(rules: SymbolRules, quantity: str, sentence: str) -> None:
    order = place(quantity=parse_quantity(quantity), rules=rules, time_in_force=TimeInForce.DAY)
    refusal = refusal_of(order)
    assert isinstance(refusal, InvalidQuantity)
    assert (refusal.code, refusal.field, refusal.message) == ("INVALID_QUANTITY", "quantity", sentence)


@pytest.mark.parametrize("quantity", ["0.01", "0.0105", "100", "99.9995"])
def test_a_quantity_on_its_lot_is_taken(quantity: str) -> None:
    COIN.check_quantity(parse_quantity(quantity), is_plain_day=False)


def test_fractions_of_a_stock_are_taken_in_plain_day_orders_only() -> None:
    part = parse_quantity("1.5")
    nearest = "is taken in a DAY order without stop_loss and take_profit only; nearest whole: 1 or 2"
    day = place(quantity=part, rules=STOCK, time_in_force=TimeInForce.DAY)
    assert refusal_of(day) is None
    for lifetime in (TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK):
        refusal = refusal_of(place(quantity=part, rules=STOCK, time_in_force=lifetime))
        assert refusal is not None
        assert (refusal.code, refusal.message) == ("INVALID_QUANTITY", f"Quantity 1.5 {nearest}")
    protected = place(quantity=part, rules=STOCK, time_in_force=TimeInForce.DAY, stop_loss=price_of(9))
    assert refusal_of(protected) is not None
    whole = place(quantity=units(2), rules=STOCK, time_in_force=TimeInForce.GTC, take_profit=price_of(11))
    assert refusal_of(whole) is None


def test_other_terms_must_fit_too() -> None:
    working = after(placed(time_in_force=TimeInForce.GTC), sent(), accepted())

    off_tick = ReplaceOrder(price=price_of("9.995"), rules=STOCK)
    with pytest.raises(InvalidPrice, match=r"^price 9\.995 is not a .*; nearest: 9\.99 or 10\.00$"), exactly():
        desk.decide(working, RICH, off_tick, OrderValidator())
    in_part = ReplaceOrder(quantity=parse_quantity("99.5"), rules=STOCK)
    with pytest.raises(InvalidQuantity, match=r"nearest whole: 99 or 100$"), exactly():
        desk.decide(working, RICH, in_part, OrderValidator())
    stop = after(placed(order_type=OrderType.STOP, price=None, stop_price=price_of(11)), sent(), accepted())
    with pytest.raises(InvalidPrice, match=r"^stop_price 10\.001 is not"), exactly():
        desk.decide(stop, RICH, ReplaceOrder(stop_price=price_of("10.001"), rules=STOCK), OrderValidator())
    with exactly():
        day = after(placed(time_in_force=TimeInForce.DAY), sent(), accepted())
        fitting = ReplaceOrder(quantity=parse_quantity("99.5"), price=price_of("9.99"), rules=STOCK)
        assert desk.decide(day, RICH, fitting, OrderValidator()).order_events


grid = st.decimals("0.000000001", "1000000", places=9)


@given(grid, st.decimals("0.000000001", "10", places=9))
def test_the_nearest_multiples_lie_right_beside_what_was_asked(number: Decimal, step: Decimal) -> None:
    rules = SymbolRules(tick_size=Price(step), tick_size_below_dollar=Price(step))
    is_multiple = (Fraction(number) / Fraction(step)).denominator == 1
    try:
        with exactly():
            rules.check_price("price", Price(number))
    except InvalidPrice as refusal:
        assert not is_multiple
        nearest = [Fraction(each) for each in refusal.message.rpartition("nearest: ")[2].split(" or ")]
        assert all((each / Fraction(step)).denominator == 1 and each > 0 for each in nearest)
        assert max(nearest) > Fraction(number) > max(nearest) - Fraction(step)
        assert len(nearest) == 1 or max(nearest) - min(nearest) == Fraction(step)
    else:
        assert is_multiple


def test_sides_make_no_difference() -> None:
    refusal = refusal_of(place(side=Side.SELL, quantity=units(1), price=price_of("10.001"), rules=STOCK))
    assert isinstance(refusal, InvalidPrice)
