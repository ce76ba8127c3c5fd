from decimal import Decimal

from hypothesis import given

from domain.commands import CancelOrder, Deposit, Withdraw
from domain.events import FundsDeposited, FundsWithdrawn, TradeBooked, TradeCorrected
from domain.values import Money, Side, TraderId, exactly
from projections.accounts import ACCOUNTS, AccountRow
from tests.domain.orders import ALICE, fill, place
from tests.projections.histories import BOB, SETTINGS, History, histories


def usd(amount: str) -> Money:
    return Money(Decimal(amount))


def accounts(history: History) -> dict[str, AccountRow]:
    return {row.trader_id: row for row in ACCOUNTS.fold({}, history.log).values()}


def test_cash_comes_and_goes_per_trader() -> None:
    history = History().cash(Deposit(usd("100.25"))).cash(Deposit(usd("7")), BOB).cash(Withdraw(usd("0.25")))
    assert accounts(history) == {
        ALICE: AccountRow(ALICE, "USD", usd("100"), usd("0"), open_orders=0, position=3),
        BOB: AccountRow(BOB, "USD", usd("7"), usd("0"), open_orders=0, position=2),
    }


def test_a_working_buy_holds_what_it_may_cost() -> None:
    history = History().cash(Deposit(usd("1500"))).order(place())
    alice = accounts(history)[ALICE]
    assert (alice.cash, alice.reserved, alice.open_orders) == (Decimal(1500), Decimal(1000), 1)


def test_a_cancelled_order_holds_nothing() -> None:
    history = History().cash(Deposit(usd("1500"))).order(place()).order(CancelOrder())
    alice = accounts(history)[ALICE]
    assert (alice.cash, alice.reserved, alice.open_orders) == (Decimal(1500), Decimal(0), 0)


def test_a_fill_pays_its_price_and_commission() -> None:
    history = History().cash(Deposit(usd("1500"))).order(place()).order(fill(100, price="9.99", commission="0.5"))
    alice = accounts(history)[ALICE]
    assert (alice.cash, alice.reserved, alice.open_orders) == (Decimal("500.5"), Decimal(0), 0)


def test_amounts_have_no_trailing_zeros() -> None:
    alice = accounts(History().cash(Deposit(usd("100.50"))).cash(Withdraw(usd("0.50"))))[ALICE]
    assert str(alice.cash) == "100"


def test_a_trader_who_never_moved_money_has_an_account_with_nothing() -> None:
    assert AccountRow.new(BOB) == AccountRow(BOB, "USD", usd("0"), usd("0"), open_orders=0, position=0)


@SETTINGS
@given(histories())
def test_cash_is_deposits_less_withdrawals_less_what_trades_cost(history: History) -> None:
    cash: dict[TraderId, Decimal] = {}
    with exactly():
        for recorded in history.log:
            match recorded.event:
                case FundsDeposited(amount=amount):
                    moved: Decimal = amount
                case FundsWithdrawn(amount=amount):
                    moved = -amount
                case TradeBooked() as trade:
                    value = trade.quantity * trade.price
                    moved = (value if trade.side is Side.SELL else -value) - trade.commission
                case TradeCorrected() as trade:
                    value = trade.quantity * trade.price - trade.previous_quantity * trade.previous_price
                    commission = trade.commission - trade.previous_commission
                    moved = (value if trade.side is Side.SELL else -value) - commission
                case _:
                    continue
            trader_id = recorded.metadata.trader_id
            cash[trader_id] = cash.get(trader_id, Decimal(0)) + moved
    assert {trader_id: row.cash for trader_id, row in accounts(history).items()} == cash


@SETTINGS
@given(histories())
def test_what_is_held_is_what_working_orders_may_still_cost(history: History) -> None:
    for trader_id, row in accounts(history).items():
        working = [order for order in history.orders.values() if order.trader_id == trader_id and not order.is_over]
        assert (row.reserved, row.open_orders) == (sum(order.held.amount for order in working), len(working))
