from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.commands import Deposit
from domain.events import AccountEvent, TradeBooked, TradeCorrected, account_stream
from domain.position import positions_of
from domain.values import Money, OrderId, Quantity, Side, exactly
from projections.positions import POSITIONS, PositionRow
from projections.projection import Key
from tests.domain.average_cost import held_after
from tests.domain.orders import ACME, ALICE, bust, correction, dollars, fill, place, units
from tests.domain.tape import Step, steps
from tests.domain.test_position import told
from tests.projections.histories import OPENING, SETTINGS, SIDES, History, histories, sides, two_sided


def test_a_position_is_opened_at_its_price_and_closed_at_average_cost() -> None:
    sale = OrderId("a sale")
    history = History().cash(Deposit(Money(Decimal(5000)))).order(place()).order(fill(100, price="9.50"))
    history.order(place(order_id=sale, side=Side.SELL, quantity=Quantity(Decimal(40))), sale)
    history.order(fill(40, "f-2", "10.25", "0.10"), sale)
    row = POSITIONS.fold({}, history.log)[ALICE, ACME]
    assert row == PositionRow(
        trader_id=ALICE,
        symbol=ACME,
        quantity=Quantity(Decimal(60)),
        cost=Money(Decimal(570)),
        realised_pnl=Money(Decimal(30)),
        commission=Money(Decimal("0.1")),
        position=len(history.log),
    )
    assert str(row.cost) == "570"


def test_a_fill_that_was_taken_back_leaves_the_position_of_before() -> None:
    history = History().cash(Deposit(Money(Decimal(5000)))).order(place()).order(fill(60, "f-1", "9.50"))
    before = POSITIONS.fold({}, history.log)[ALICE, ACME]
    history.order(fill(40, "f-2", "9.75", "0.10")).order(bust("f-2"))
    after = POSITIONS.fold({}, history.log)[ALICE, ACME]
    assert after == before._replace(position=after.position)


def test_a_fill_that_was_corrected_counts_as_it_is_now() -> None:
    history = History().cash(Deposit(Money(Decimal(5000)))).order(place()).order(fill(60, "f-1", "9.50"))
    row = POSITIONS.fold({}, history.order(correction(50, "9.25", commission="0.2")).log)[ALICE, ACME]
    assert (row.quantity, row.cost) == (units(50), dollars("462.5"))
    assert (row.realised_pnl, row.commission) == (dollars(0), dollars("0.2"))


@SETTINGS
@given(histories())
def test_positions_add_up_to_every_trade(history: History) -> None:
    rows = POSITIONS.fold({}, history.log)
    quantities: dict[Key, Decimal] = {}
    paid: dict[Key, Decimal] = {}
    commissions: dict[Key, Decimal] = {}
    with exactly():
        for recorded in history.log:
            match recorded.event:
                case TradeBooked() as trade:
                    quantity, value, commission = trade.quantity, trade.quantity * trade.price, trade.commission
                case TradeCorrected() as trade:
                    quantity = Quantity(trade.quantity - trade.previous_quantity)
                    value = trade.quantity * trade.price - trade.previous_quantity * trade.previous_price
                    commission = Money(trade.commission - trade.previous_commission)
                case _:
                    continue
            key = (recorded.metadata.trader_id, trade.symbol)
            sign = 1 if trade.side is Side.BUY else -1
            quantities[key] = quantities.get(key, Decimal(0)) + sign * quantity
            paid[key] = paid.get(key, Decimal(0)) + sign * value
            commissions[key] = commissions.get(key, Decimal(0)) + commission
        assert {key: row.quantity for key, row in rows.items()} == quantities
        assert {key: row.cost - row.realised_pnl for key, row in rows.items()} == paid
        assert {key: row.commission for key, row in rows.items()} == commissions


@SETTINGS
@given(steps, st.data())
def test_positions_are_what_the_fills_that_stand_lead_to_whatever_was_taken_back_or_changed_when(
    steps: list[Step], data: st.DataObject
) -> None:
    history, tape = two_sided()
    for step in steps:
        history.order(tape.report(step, sides(history)), SIDES[step.side])
    expected = held_after([OPENING, *tape.standing()]).as_told

    (row,) = POSITIONS.fold({}, history.log).values()
    assert told(row.held) == expected
    with exactly():
        events = [recorded.event for recorded in history.log if isinstance(recorded.event, AccountEvent)]
        assert told(positions_of(events)[ACME]) == expected

    # The same in batches, each of which knows the rows and the past that it asks for.
    rows: dict[Key, PositionRow] = {}
    cuts = sorted(data.draw(st.lists(st.integers(0, len(history.log)), max_size=5)))
    for start, end in pairwise([0, *cuts, len(history.log)]):
        batch = history.log[start:end]
        known = {key: rows[key] for key in POSITIONS.keys(batch) if key in rows}
        rows |= POSITIONS.fold(known, batch, history.past(POSITIONS.retold(batch)))
    assert list(rows.values()) == [row]


def test_a_batch_without_the_past_that_it_needs_is_refused() -> None:
    history = History().cash(Deposit(Money(Decimal(5000)))).order(place()).order(fill(60, "f-1", "9.50"))
    known, rows = len(history.log), POSITIONS.fold({}, history.log)
    batch = history.order(bust("f-1")).log[known:]
    assert POSITIONS.retold(batch) == {account_stream(ALICE)}
    with pytest.raises(LookupError, match=f"account-{ALICE} is needed up to position {batch[-2].position}"):
        POSITIONS.fold(rows, batch)
