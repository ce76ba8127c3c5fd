"""What the read models said at an earlier moment: the same folds, over what the log held then."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from application.ports import AsOf
from domain.events import RecordedEvent, account_stream
from domain.lifecycle import Status
from domain.values import OrderId, Symbol, TraderId
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.read_models import AccountPage, OrdersPage, cursor_of, position_of
from projections.accounts import ACCOUNTS, AccountRow
from projections.fills import FILLS, FillRow
from projections.orders import ORDERS, OrderRow
from projections.positions import POSITIONS

_ORDERS_AT_ONCE = 100

Listed = tuple[OrderRow, Sequence[FillRow]]


async def account_at(store: PostgresEventStore, trader_id: TraderId, as_of: AsOf) -> AccountPage:
    """A trader's cash and positions as ``ReadModels.account_of`` had them, when it had read the log up to the moment.

    Raises:
        StoreUnavailableError: the log cannot be read.
    """
    past = await store.history([account_stream(trader_id)], as_of)
    rows = ACCOUNTS.fold({}, past.events)
    positions = POSITIONS.fold({}, past.events)
    account = rows.get((trader_id,)) or AccountRow.new(trader_id)
    return AccountPage(account, [positions[key] for key in sorted(positions)], past.position)


async def orders_at(
    store: PostgresEventStore,
    trader_id: TraderId,
    as_of: AsOf,
    *,
    status: Status | None = None,
    symbol: Symbol | None = None,
    limit: int = 20,
    offset: int = 0,
    cursor: str | None = None,
) -> OrdersPage:
    """A trader's orders as ``ReadModels.orders_page`` had them, when it had read the log up to the moment.

    A status is looked for among all orders that were there: the rarer it is, the longer this takes.

    Raises:
        InvalidRequest: the cursor is not one of ours.
        StoreUnavailableError: the log cannot be read.
    """
    before, wanted = position_of(cursor), offset + limit + 1  # one more tells whether there is a next page
    end = (await store.history([], as_of)).position
    before = min(before, end + 1)
    listed: list[Listed] = []
    full = True
    while full and len(listed) < wanted:
        placed = await store.placed(trader_id, before, _ORDERS_AT_ONCE, symbol)
        full = len(placed) == _ORDERS_AT_ONCE
        if placed:
            before = placed[-1][1]
            past = await store.history([stream for stream, _ in placed], AsOf(position=end))
            fills = _fills_by_order(past.events)
            orders = sorted(ORDERS.fold({}, past.events).values(), key=lambda order: -order.created_position)
            listed += [(order, fills[order.id]) for order in orders if status in {None, order.status}]
    page = listed[offset : offset + limit]
    next_cursor = cursor_of(page[-1][0].created_position) if len(listed) >= wanted else None
    return OrdersPage(page, next_cursor, end)


def _fills_by_order(events: Sequence[RecordedEvent]) -> Mapping[OrderId, Sequence[FillRow]]:
    """In the order in which the read model tells them; what was taken back altogether is left out."""
    fills: defaultdict[OrderId, list[FillRow]] = defaultdict(list)
    for fill in sorted(FILLS.fold({}, events).values(), key=lambda fill: fill.position):
        if fill.quantity_filled:
            fills[fill.order_id].append(fill)
    return fills
