from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain.position import Position
from domain.values import Money, Price, Quantity, Side, exactly

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
