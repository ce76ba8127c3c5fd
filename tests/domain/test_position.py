from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from domain.events import FundsDeposited, TradeBooked, TradeCorrected
from domain.position import Position, position_of, positions_of
from domain.values import Currency, FillId, Money, Price, Quantity, Side, Symbol, exactly
from tests.domain.average_cost import Fill, held_after
from tests.domain.orders import ACME, ORDER_ID, dollars, price_of, units

trades = st.lists(
    st.tuples(
        st.sampled_from(Side),
        st.decimals("0.000000001", "1000", places=9),
        st.decimals("0.01", "1000", places=4),
        st.decimals("0", "5", places=2),
    ),
    max_size=30,
)


def told(position: Position) -> tuple[Fraction, ...]:
    amounts = (position.quantity, position.cost, position.realised_pnl, position.commission)
    return tuple(map(Fraction, amounts))


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
    assert position.value(Price(Decimal(20))) - position.cost == 750


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


@given(trades)
def test_a_position_is_what_the_definition_says_to_the_last_digit(
    history: list[tuple[Side, Decimal, Decimal, Decimal]],
) -> None:
    position = Position()
    fills = [Fill(1 if side is Side.BUY else -1, *terms) for side, *terms in history]
    with exactly():
        for side, quantity, price, fee in history:
            position = position.traded(side, Quantity(quantity), Price(price), Money(fee))
    assert told(position) == held_after(fills).as_told
    # Without any rounding it would be the same, but for half a unit of the ninth decimal a time.
    perfect = held_after(fills, rounding=False)
    assert abs(told(position)[1] - perfect.as_told[1]) <= Fraction(perfect.partial_closes, 2 * 10**9)


# ── Trades that the venue took back or changed ───────────────────────────────────────────────────────────────────────


def booked(side: Side, quantity: int, price: int | str, fill_id: str = "f-1", commission: str = "0") -> TradeBooked:
    return TradeBooked(
        order_id=ORDER_ID,
        fill_id=FillId(fill_id),
        symbol=ACME,
        side=side,
        quantity=units(quantity),
        price=price_of(price),
        commission=dollars(commission),
        released_quantity=units(0),
        released_cash=dollars(0),
        closed=False,
    )


def corrected(trade: TradeBooked, quantity: int, price: int | str, commission: str = "0") -> TradeCorrected:
    """The trade is for so much now, or was taken back (0)."""
    return TradeCorrected(
        order_id=trade.order_id,
        fill_id=trade.fill_id,
        symbol=ACME,
        side=trade.side,
        quantity=units(quantity),
        price=price_of(price),
        commission=dollars(commission),
        previous_quantity=trade.quantity,
        previous_price=trade.price,
        previous_commission=trade.commission,
    )


FIRST = booked(Side.BUY, 10, 10, "f-1", "2")
SECOND = booked(Side.BUY, 20, 20, "f-2")
SALE = booked(Side.SELL, 10, 20, "f-3")


def test_what_was_sold_after_a_trade_that_is_taken_back_was_sold_at_the_average_of_the_others() -> None:
    # With both, the sale realised 10 * (20 - 16.67); without the first it was bought and sold at 20.
    assert told(position_of([FIRST, SECOND, SALE]))[2] == Fraction("33.333333333")
    assert position_of([FIRST, SECOND, SALE, corrected(FIRST, 0, 0)]) == position_of([SECOND, SALE])
    assert told(position_of([SECOND, SALE])) == (10, 200, 0, 0)


def test_a_purchase_taken_back_after_it_was_sold_leaves_the_sale_short() -> None:
    position = position_of([FIRST, SALE, corrected(FIRST, 0, 0)])
    assert told(position) == (-10, -200, 0, 0)


def test_a_sale_that_is_taken_back_gives_its_commission_back() -> None:
    sale = booked(Side.SELL, 5, 12, "f-3", "1")
    assert told(position_of([FIRST, sale, corrected(sale, 0, 0)])) == (10, 100, 0, 2)


def test_a_trade_that_is_changed_stays_at_its_place() -> None:
    position = position_of([FIRST, SALE, SECOND, corrected(FIRST, 10, 15, "1")])
    # Sold at 20 what cost 15, whatever was bought afterwards.
    assert told(position) == (20, 400, 50, 1)


def test_the_trades_of_each_symbol_are_its_own() -> None:
    other = replace(SALE, symbol=Symbol("OTHER"))
    positions = positions_of([FIRST, FundsDeposited(amount=dollars(5), currency=Currency.USD), other])
    assert {symbol: told(position)[:2] for symbol, position in positions.items()} == {
        ACME: (10, 100),
        Symbol("OTHER"): (-10, -200),
    }
