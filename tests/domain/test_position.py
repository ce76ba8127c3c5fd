from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.account import corrected
from domain.events import TradeCorrected
from domain.position import Position
from domain.values import FillId, Money, OrderId, Price, Quantity, Side, exactly
from tests.domain.orders import ACME, dollars, price_of, units

FREE = Money(Decimal(0))

trades = st.lists(
    st.tuples(
        st.sampled_from(Side),
        st.decimals("0.000000001", "1000", places=9),
        st.decimals("0.01", "1000", places=4),
        st.decimals("0", "5", places=2),
    ),
    max_size=30,
)


def traded(position: Position, side: Side, quantity: int, price: int | str, commission: str = "0") -> Position:
    return position.traded(side, Quantity(Decimal(quantity)), Price(Decimal(price)), Money(Decimal(commission)))


def test_buys_average_and_sells_realise() -> None:
    position = traded(traded(Position(), Side.BUY, 100, 10), Side.BUY, 100, 20, "1.5")
    assert (position.quantity, position.cost, position.average_price) == (200, 3000, 15)
    position = traded(position, Side.SELL, 50, 18)
    assert (position.quantity, position.cost, position.realised_pnl, position.commission) == (
        150,
        2250,
        150,
        Decimal("1.5"),
    )
    assert position.unrealised_pnl(Price(Decimal(20))) == 750


def test_a_flat_position_has_no_price_and_no_cost() -> None:
    position = traded(traded(Position(), Side.BUY, 3, 10), Side.SELL, 3, 11)
    assert (position.quantity, position.cost, position.realised_pnl, position.average_price) == (0, 0, 3, None)


def test_selling_more_than_is_held_goes_short_at_the_price() -> None:
    position = traded(traded(Position(), Side.BUY, 10, 10), Side.SELL, 15, 12)
    assert (position.quantity, position.cost, position.realised_pnl) == (-5, -60, 20)
    assert position.average_price == 12
    position = traded(position, Side.BUY, 8, 11)
    assert (position.quantity, position.cost, position.realised_pnl) == (3, 33, 25)


@given(trades)
def test_no_dollar_is_lost_to_rounding(history: list[tuple[Side, Decimal, Decimal, Decimal]]) -> None:
    position, cash, held, commission = Position(), Decimal(0), Decimal(0), Decimal(0)
    with exactly():
        for side, quantity, price, fee in history:
            position = position.traded(side, Quantity(quantity), Price(price), Money(fee))
            sign = 1 if side is Side.BUY else -1
            cash -= sign * quantity * price
            held += sign * quantity
            commission += fee
        assert position.quantity == held
        assert position.realised_pnl - position.cost == cash
        assert position.commission == commission
        assert position.quantity != 0 or position.cost == 0


# ── Trades that the venue took back or changed ───────────────────────────────────────────────────────────────────────


def undone(position: Position, side: Side, quantity: int, price: int | str) -> Position:
    return position.undone(side, units(quantity), price_of(price), FREE)


@pytest.mark.parametrize(
    ("side", "quantity", "price"),
    [
        (Side.BUY, 10, 16),  # more of what is held
        (Side.SELL, 30, 16),  # some of it sold
        (Side.SELL, 100, 16),  # all of it
        (Side.SELL, 150, 16),  # more than that: short
    ],
)
@pytest.mark.parametrize("sign", [Side.BUY, Side.SELL])
def test_the_last_trade_taken_back_leaves_the_position_from_before(
    side: Side, quantity: int, price: int, sign: Side
) -> None:
    other = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}
    side = side if sign is Side.BUY else other[side]
    before = traded(traded(Position(), sign, 60, 10), sign, 40, 15)
    back = undone(traded(before, side, quantity, price), side, quantity, price)
    assert (back.quantity, back.cost, back.realised_pnl) == (before.quantity, before.cost, before.realised_pnl)


def test_the_first_trade_taken_back_leaves_nothing() -> None:
    assert undone(traded(Position(), Side.BUY, 100, 10), Side.BUY, 100, 10) == Position()


def test_a_purchase_taken_back_after_it_was_sold_leaves_the_sale_short() -> None:
    flat = traded(traded(Position(), Side.BUY, 100, 10), Side.SELL, 100, 12)
    back = undone(flat, Side.BUY, 100, 10)
    # The sale still brought 1,200; what it sold is owed now, at the price that closed it.
    assert (back.quantity, back.cost, back.realised_pnl) == (-100, -1000, 200)


def test_a_sale_that_is_taken_back_gives_its_commission_back() -> None:
    held = traded(Position(), Side.BUY, 100, 10, "2")
    sold = held.traded(Side.SELL, units(50), price_of(12), dollars(1))
    assert sold.undone(Side.SELL, units(50), price_of(12), dollars(1)).commission == 2


def test_a_correction_undoes_the_trade_as_it_was_and_does_it_as_it_is() -> None:
    position = traded(Position(), Side.BUY, 40, 10)
    event = TradeCorrected(
        order_id=OrderId("o"),
        fill_id=FillId("f-1"),
        symbol=ACME,
        side=Side.BUY,
        quantity=units(30),
        price=price_of(9),
        commission=dollars(1),
        previous_quantity=units(40),
        previous_price=price_of(10),
        previous_commission=dollars(0),
    )
    right = corrected(position, event)
    assert (right.quantity, right.cost, right.commission) == (30, 270, 1)


@given(trades, st.data())
def test_no_dollar_is_lost_to_trades_that_are_taken_back(
    history: list[tuple[Side, Decimal, Decimal, Decimal]], data: st.DataObject
) -> None:
    position, cash, held = Position(), Decimal(0), Decimal(0)
    booked: list[tuple[Side, Quantity, Price, Money]] = []
    with exactly():
        for side, quantity, price, fee in history:
            trade = (side, Quantity(quantity), Price(price), Money(fee))
            position = position.traded(*trade)
            booked.append(trade)
            if data.draw(st.booleans()):
                position = position.undone(*booked.pop(data.draw(st.integers(0, len(booked) - 1))))
            held = sum((each[1] if each[0] is Side.BUY else -each[1] for each in booked), Decimal(0))
            cash = sum((each[1] * each[2] * (-1 if each[0] is Side.BUY else 1) for each in booked), Decimal(0))
            assert position.quantity == held
            assert position.realised_pnl - position.cost == cash
            assert position.commission == sum(each[3] for each in booked)
            assert position.quantity != 0 or position.cost == 0
