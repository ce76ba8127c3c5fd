from hypothesis import given

from domain.events import OrderEvent
from domain.lifecycle import Status
from domain.values import FillId, OrderId
from projections.fills import FILLS, FillRow
from tests.domain.orders import NOON, ORDER_ID, busted, corrected, dollars, filled, placed, price_of, units
from tests.projections.histories import SETTINGS, History, histories, log_of

PART = filled(40, 40, Status.PARTIALLY_FILLED)


def row_after(*events: OrderEvent) -> FillRow:
    return FILLS.fold({}, log_of(*events))[ORDER_ID, "f-1"]


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


def test_a_corrected_fill_is_what_it_was_corrected_to() -> None:
    row = row_after(placed(), PART, corrected((40, 10), (30, 9), 30, Status.PARTIALLY_FILLED))
    assert (row.id, row.quantity_filled, row.price_at_fill, row.position) == ("f-1", units(30), price_of(9), 3)


def test_a_fill_that_was_taken_back_stays_with_nothing_in_it() -> None:
    row = row_after(placed(), PART, busted(40, 0, Status.ACCEPTED))
    assert (row.quantity_filled, row.price_at_fill, row.commission) == (units(0), price_of(10), dollars(0))
    assert (row.executed_at, row.venue, row.position) == (NOON, "paper", 3)


def test_a_fill_that_was_taken_back_before_it_came_is_known_by_its_bust() -> None:
    log = log_of(placed(), busted(0, 0, Status.PENDING))
    row = FILLS.fold({}, log)[ORDER_ID, "f-1"]
    assert (row.quantity_filled, row.executed_at, row.venue) == (units(0), log[-1].recorded_at, "")


def test_fills_of_one_id_at_two_orders_are_two() -> None:
    assert FILLS.keys(log_of(placed(), PART)) == {(ORDER_ID, "f-1")}


@SETTINGS
@given(histories())
def test_the_fills_of_each_order_are_those_the_domain_booked(history: History) -> None:
    rows = FILLS.fold({}, history.log)
    booked = {
        order_id: [
            (fill.fill_id, fill.quantity, fill.price, fill.commission, fill.venue, fill.executed_at)
            for fill in order.fills
        ]
        for order_id, order in history.orders.items()
        if order.fills
    }
    found: dict[str, list[tuple[object, ...]]] = {}
    for row in sorted(rows.values(), key=lambda row: row.position):
        if row.quantity_filled:
            cells = (row.id, row.quantity_filled, row.price_at_fill, row.commission, row.venue, row.executed_at)
            found.setdefault(row.order_id, []).append(cells)
    assert found == booked
    assert all(history.orders[OrderId(row.order_id)].trader_id == row.trader_id for row in rows.values())
