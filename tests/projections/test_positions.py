from decimal import Decimal

from hypothesis import given

from domain.commands import Deposit
from domain.events import TradeBooked, TradeCorrected
from domain.values import Money, OrderId, Price, Quantity, Side, exactly
from projections.positions import POSITIONS, PositionRow
from projections.projection import Key
from tests.domain.orders import ACME, ALICE, bust, correction, dollars, fill, place, units
from tests.projections.histories import SETTINGS, History, histories


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
        closed_at=Price(Decimal("9.5")),
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
@given(histories())
def test_positions_are_those_of_the_accounts(history: History) -> None:
    for row in POSITIONS.fold({}, history.log).values():
        position = history.accounts[row.trader_id].holding(row.symbol).position
        assert (row.quantity, row.cost, row.realised_pnl, row.commission, row.closed_at) == (
            position.quantity,
            position.cost,
            position.realised_pnl,
            position.commission,
            position.closed_at,
        )
