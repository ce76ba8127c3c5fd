from hypothesis import given

from domain.events import OrderFilled
from domain.lifecycle import Status
from domain.values import FillId, OrderId
from projections.fills import FILLS, FillRow
from tests.domain.orders import ORDER_ID, filled, placed
from tests.projections.histories import SETTINGS, History, histories, log_of


def test_a_fill_is_a_row_of_its_own() -> None:
    event = filled(40, 40, Status.PARTIALLY_FILLED)
    assert FILLS.fold({}, log_of(placed(), event)) == {
        (ORDER_ID, "f-1"): FillRow(
            id=FillId("f-1"),
            order_id=ORDER_ID,
            trader_id=placed().trader_id,
            symbol=event.symbol,
            side=event.side,
            executed_at=event.executed_at,
            quantity_filled=event.quantity,
            price_at_fill=event.price,
            venue="paper",
            commission=event.commission,
            position=2,
        )
    }


def test_nothing_needs_to_be_known_before_a_fill() -> None:
    assert FILLS.keys(log_of(placed(), filled(40, 40, Status.PARTIALLY_FILLED))) == set()


@SETTINGS
@given(histories())
def test_the_fills_of_each_order_are_those_the_domain_booked(history: History) -> None:
    rows = FILLS.fold({}, history.log)
    booked = {
        (order_id, fill.fill_id): (fill.quantity, fill.price, fill.commission, fill.venue, fill.executed_at)
        for order_id, order in history.orders.items()
        for fill in order.fills
    }
    assert booked == {
        key: (row.quantity_filled, row.price_at_fill, row.commission, row.venue, row.executed_at)
        for key, row in rows.items()
    }
    filled_at = [recorded.position for recorded in history.log if isinstance(recorded.event, OrderFilled)]
    assert [row.position for row in rows.values()] == filled_at
    assert all(history.orders[OrderId(row.order_id)].trader_id == row.trader_id for row in rows.values())
