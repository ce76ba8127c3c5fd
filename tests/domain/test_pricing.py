import pytest

from domain.pricing import reserve_price, worst_price
from domain.refusals import NoReferencePrice
from domain.values import OrderType, Price, Side, exactly
from tests.domain.orders import place, price_of


@pytest.mark.parametrize(
    ("order_type", "prices", "worst"),
    [
        (OrderType.LIMIT, {}, "10"),
        (OrderType.MARKET, {"price": None}, "10.5"),
        (OrderType.STOP, {"price": None, "stop_price": price_of(20)}, "21"),
        (OrderType.STOP_LIMIT, {"price": price_of(22), "stop_price": price_of(20)}, "22"),
        (OrderType.MARKET, {"price": None, "reference_price": price_of("0.000000001")}, "0.000000002"),
    ],
)
def test_a_buy_is_held_for_the_most_a_unit_may_cost(
    order_type: OrderType, prices: dict[str, Price], worst: str
) -> None:
    # As the sequencer does it: arithmetic that rounds by accident is an error, the margin rounds up on purpose.
    with exactly():
        order = place(order_type=order_type, **prices)
        assert worst_price(order) == reserve_price(order) == price_of(worst)
        assert reserve_price(place(side=Side.SELL, order_type=order_type, **prices)) is None


def test_a_market_order_that_nobody_can_value_has_no_worst_price() -> None:
    with pytest.raises(NoReferencePrice):
        worst_price(place(order_type=OrderType.MARKET, price=None, reference_price=None))
