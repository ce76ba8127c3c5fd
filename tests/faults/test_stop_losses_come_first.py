"""What the rounds have found about pairs of exits, as the smallest example of it."""

import pytest

from domain import account as accounts
from domain.commands import Deposit, RecordSent
from domain.exits import exits_of
from domain.lifecycle import Flag
from domain.values import FillId, Money, OrderId
from tests.domain.orders import ORDER_ID, fill, place, price_of, units
from tests.domain.trader import Trader

NEXT_ID = OrderId("5f0c3a5e-7d1b-4a5e-8f0e-2b9d8c7a6e51")


@pytest.mark.xfail(
    strict=True,
    reason="a stop loss is a leg and holds nothing: until the venue's end of the take profit is booked, that one still "
    "holds the units which the stop loss has sold",
)
def test_a_fill_is_protected_while_the_end_of_another_pair_is_on_its_way() -> None:
    trader = Trader()
    (deposit,) = accounts.decide(trader.account, Deposit(Money(units(100_000))))
    trader.account = accounts.evolve(trader.account, deposit)
    for order_id in (ORDER_ID, NEXT_ID):
        entry = place(
            order_id=order_id,
            client_order_id=order_id,
            quantity=units(40),
            stop_loss=price_of(8),
            take_profit=price_of(12),
        )
        trader.carry_out(order_id, entry)
        trader.carry_out(order_id, RecordSent(1))
    trader.carry_out(ORDER_ID, fill(40, "entry"))
    # The price falls. The venue has cancelled the take profit with this, but its report of that comes second.
    trader.carry_out(exits_of(ORDER_ID, FillId("entry")).stop_loss, fill(40, "stop loss", price=8))
    trader.carry_out(NEXT_ID, fill(40, "next entry"))
    assert Flag.UNPROTECTED not in trader.orders[NEXT_ID].flags
