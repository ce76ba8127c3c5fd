"""Queries: one order from the log, everything else from the read models."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from api.account_views import account_view, position_views
from api.answers import Answer, etag, json_answer, order_answer
from api.auth import AUDITOR, OPS
from api.endpoints import Call
from api.schemas import AsOfQuery, EntriesQuery, OrderQuery, OrdersQuery
from api.views import View, entry_view, fill_view, order_row_view, price_text, rules_view
from application.ports import NOW, AsOf
from application.snapshots import Snapshot
from application.status import time_text
from domain.order import Order
from domain.position import Position
from domain.refusals import OrderNotFound
from domain.values import Symbol
from infrastructure.postgres.history import account_at, orders_at
from infrastructure.postgres.read_models import ReadModels
from projections.positions import PositionRow

T = TypeVar("T")

_WAIT_SECONDS_MAX = 1.0


async def own_order(call: Call, as_of: AsOf = NOW, version: int | None = None) -> Snapshot[Order]:
    """The order that the path names, if it is the caller's.

    Raises:
        OrderNotFound: there is none, or it was not there yet, or it is somebody else's, which is the same to the caller.
    """
    order = await call.engine.trading.order(call.order_id, as_of, version)
    if order is None or order.state.trader_id != call.trader_id:
        raise OrderNotFound
    return order


async def get_order(call: Call) -> Answer:
    """The order, as fresh as the log, or as it was, for its trader and for auditors."""
    query: OrderQuery = call.query
    as_of = query.moment or NOW
    if AUDITOR in call.caller.roles:
        order = await call.engine.trading.order(call.order_id, as_of, query.version)
    else:
        order = await own_order(call, as_of, query.version)
    if order is None or query.version not in {None, order.version}:
        raise OrderNotFound
    if _matches(call.headers.get(b"if-none-match"), etag(order.version)):
        return Answer(304, headers={"etag": etag(order.version)})
    return order_answer(order)


async def list_orders(call: Call) -> Answer:
    """The trader's orders, newest first."""
    query: OrdersQuery = call.query
    chosen = query.model_dump(include={"status", "symbol", "limit", "offset", "cursor"})
    if query.moment is not None:
        page = await orders_at(call.engine.store, call.trader_id, query.moment, **chosen)
    else:
        page = await call.engine.reads.ask(
            lambda read_models: read_models.orders_page(call.trader_id, **chosen),
            ("orders", "fills"),
            query.min_position,
            _WAIT_SECONDS_MAX,
        )
    orders = [order_row_view(row, fills) for row, fills in page.orders]
    return json_answer({"orders": orders, "next_cursor": page.next_cursor, "position": page.position})


async def list_fills(call: Call) -> Answer:
    """The order's fills, from the log."""
    order = await own_order(call)
    fills = [fill_view(order.state.order_id, fill) for fill in order.state.fills]
    return json_answer({"fills": fills, "position": order.position})


async def get_account(call: Call) -> Answer:
    """The trader's cash and positions."""
    query: AsOfQuery = call.query
    return json_answer(await _account(call, query.moment))


async def list_positions(call: Call) -> Answer:
    """What the trader holds and has traded."""
    query: AsOfQuery = call.query
    if query.moment is not None:
        account = await _account(call, query.moment)
        return json_answer({"positions": account["positions"], "position": account["position"]})
    found = await _caught_up(call, lambda read_models: read_models.positions_of(call.trader_id))
    views = position_views(_positions(found.rows), call.engine.instruments.get)
    return json_answer({"positions": views, "position": found.position})


async def list_entries(call: Call) -> Answer:
    """The execution log: the trader's own entries, or everybody's for who may see them."""
    query: EntriesQuery = call.query
    sees_all = not call.caller.roles.isdisjoint({AUDITOR, OPS})
    found = await call.engine.reads.ask(
        lambda read_models: read_models.execution_log(
            trader_id=None if sees_all else call.trader_id,
            order_id=query.order_id,
            after=query.after,
            limit=query.limit,
        )
    )
    return json_answer({"entries": [entry_view(row) for row in found.rows], "position": found.position})


async def list_instruments(call: Call) -> Answer:
    """Every symbol that the venue trades."""
    instruments = [
        {
            "symbol": instrument.symbol,
            "name": instrument.name,
            "tradable": instrument.tradable,
            "fractionable": instrument.fractionable,
            "reference_price": price_text(instrument.reference_price),
            "price_at": instrument.price_at and time_text(instrument.price_at),
            **rules_view(instrument.rules),
        }
        for instrument in call.engine.instruments.all()
    ]
    return json_answer({"instruments": instruments})


async def _account(call: Call, as_of: AsOf | None) -> View:
    if as_of is not None:
        page = await account_at(call.engine.store, call.trader_id, as_of)
    else:
        page = await _caught_up(call, lambda read_models: read_models.account_of(call.trader_id))
    # What a unit was worth then is not in the log: also what was held is valued at the prices of now, and says so.
    return account_view(page.account, _positions(page.positions), call.engine.instruments.get, page.position)


async def _caught_up(call: Call, question: Callable[[ReadModels], Awaitable[T]]) -> T:
    """Give the read models the moment they need to know what the trader was told before; their position says if not."""
    end = await call.engine.store.position()
    return await call.engine.reads.ask(question, ("accounts", "positions"), end, _WAIT_SECONDS_MAX)


def _positions(rows: Iterable[PositionRow]) -> dict[Symbol, Position]:
    return {row.symbol: row.held for row in rows}


def _matches(condition: bytes | None, tag: str) -> bool:
    """Whether the header ``If-None-Match`` names the entity tag."""
    if condition is None:
        return False
    tags = [each.strip().removeprefix("W/") for each in condition.decode("latin-1").split(",")]
    return "*" in tags or tag in tags
