"""Every trader's cash, and how much of it working orders hold."""

from typing import NamedTuple, cast, get_args

from domain.account import effect
from domain.events import AccountEvent, RecordedEvent
from domain.values import ZERO, Currency, Money, TraderId, tidy
from projections.positions import PositionRow
from projections.projection import Key, Projection


class AccountRow(NamedTuple):
    """An account, in dollars; ``reserved`` is the part of ``cash`` held for buys, ``position`` its last event's."""

    trader_id: TraderId
    currency: Currency
    cash: Money
    reserved: Money
    open_orders: int
    position: int

    @classmethod
    def new(cls, trader_id: TraderId) -> "AccountRow":
        """The account of a trader who has never moved money."""
        return cls(trader_id, Currency.USD, cash=Money(ZERO), reserved=Money(ZERO), open_orders=0, position=0)


def _key_of(recorded: RecordedEvent) -> Key:
    return (recorded.metadata.trader_id,)


def _evolve(row: AccountRow | None, recorded: RecordedEvent) -> AccountRow:
    row = row or AccountRow.new(recorded.metadata.trader_id)
    moved = effect(cast("AccountEvent", recorded.event))
    cash = Money(tidy(row.cash + moved.cash)) if moved.cash else row.cash
    reserved = Money(tidy(row.reserved + moved.reserved)) if moved.reserved else row.reserved
    open_orders = row.open_orders + moved.open_orders
    return AccountRow(row.trader_id, row.currency, cash, reserved, open_orders, recorded.position)


ACCOUNTS = Projection(
    name="accounts",
    version=1,
    row=AccountRow,
    key=("trader_id",),
    stream=("account-", "trader_id"),
    events=frozenset(get_args(AccountEvent)),
    key_of=_key_of,
    evolve=_evolve,
)


# ── Queries ──────────────────────────────────────────────────────────────────────────────────────────────────────────

OF_TRADER = f"""
SELECT at.position, {", ".join(f"account.{column}" for column in AccountRow._fields)},
    {", ".join(f"held.{column}" for column in PositionRow._fields)}
FROM (SELECT min(position) AS position FROM checkpoints WHERE name IN ('accounts', 'positions')) AS at
LEFT JOIN accounts AS account ON account.trader_id = %(trader_id)s
LEFT JOIN positions AS held ON held.trader_id = %(trader_id)s
ORDER BY held.symbol
"""  # noqa: S608 - the columns are the fields of the rows
"""The position of the read models, a trader's account, and one position a row; null what there is none of."""
