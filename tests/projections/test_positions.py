from decimal import Decimal

from hypothesis import given

from domain.commands import Deposit
from domain.events import TradeBooked
from domain.values import Money, OrderId, Quantity, Side, exactly
from projections.positions import POSITIONS, PositionRow
from projections.projection import Key
from tests.domain.orders import ACME, ALICE, fill, place
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
        position=len(history.log),
    )
    assert str(row.cost) == "570"


@SETTINGS
@given(histories())
def test_positions_add_up_to_every_trade(history: History) -> None:
    rows = POSITIONS.fold({}, history.log)
    quantities: dict[Key, Decimal] = {}
    paid: dict[Key, Decimal] = {}
    commissions: dict[Key, Decimal] = {}
    with exactly():
        for recorded in history.log:
            if isinstance(trade := recorded.event, TradeBooked):
                key = (recorded.metadata.trader_id, trade.symbol)
                signed = trade.quantity if trade.side is Side.BUY else -trade.quantity
                quantities[key] = quantities.get(key, Decimal(0)) + signed
                paid[key] = paid.get(key, Decimal(0)) + signed * trade.price
                commissions[key] = commissions.get(key, Decimal(0)) + trade.commission
        assert {key: row.quantity for key, row in rows.items()} == quantities
        assert {key: row.cost - row.realised_pnl for key, row in rows.items()} == paid
        assert {key: row.commission for key, row in rows.items()} == commissions


@SETTINGS
@given(histories())
def test_positions_are_those_of_the_accounts(history: History) -> None:
    for row in POSITIONS.fold({}, history.log).values():
        position = history.accounts[row.trader_id].holding(row.symbol).position
        assert (row.quantity, row.cost, row.realised_pnl, row.commission) == (
            position.quantity,
            position.cost,
            position.realised_pnl,
            position.commission,
        )
