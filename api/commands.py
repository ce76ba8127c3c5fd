"""Commands: orders placed, cancelled and replaced, cash moved."""

import asyncio
from contextlib import aclosing, suppress

from api.account_views import portfolio_view
from api.answers import Answer, json_answer, order_answer
from api.endpoints import Call
from api.features import environment_of
from api.problems import Problem
from api.queries import own_order
from api.requests import parse_idempotency_key, parse_if_match
from api.schemas import CashBody, OrderBody, ReplaceBody
from application.snapshots import Snapshot
from application.trading import OrderRequest
from domain.commands import CancelOrder, Deposit, ReplaceOrder, Withdraw
from domain.events import order_stream
from domain.lifecycle import Status
from domain.order import Order
from domain.values import OrderType

_OUTCOME_SECONDS = 0.4
_REPLAYED = {"idempotent-replayed": "true"}


async def place_order(call: Call) -> Answer:
    """Record the order; the venue gets it next."""
    engine = call.engine
    placed = await engine.trading.place(
        call.trader_id,
        _request(call.body),
        call.actor("trader"),
        parse_idempotency_key(call.headers),
        environment_of(engine.settings),
        is_queue_full=engine.venue_queue.is_full,
    )
    headers = {"location": f"/api/v1/orders/{placed.order.state.order_id}"}
    if placed.replayed:
        return order_answer(placed.order, headers=headers | _REPLAYED)
    engine.venue_queue.grow()
    return order_answer(placed.order, 201, headers)


async def cancel_order(call: Call) -> Answer:
    """Take back what is not filled yet; what the venue says at once is in the answer."""
    return await _change(call, CancelOrder(), Status.PENDING_CANCEL)


async def replace_order(call: Call) -> Answer:
    """Go on with other terms; what the venue says at once is in the answer."""
    body: ReplaceBody = call.body
    request = ReplaceOrder(quantity=body.quantity, price=body.price, stop_price=body.stop_price)
    if request == ReplaceOrder():
        raise Problem("INVALID_REQUEST", "Say what to replace: quantity, price or stop_price")
    return await _change(call, request, Status.PENDING_REPLACE)


async def _change(call: Call, request: CancelOrder | ReplaceOrder, pending: Status) -> Answer:
    order = await call.engine.trading.change(
        call.trader_id, call.order_id, request, call.actor("trader"), parse_if_match(call.headers)
    )
    if order.state.status is pending:
        await _outcome(call, order, pending)
        order = await own_order(call)
    return order_answer(order)


async def deposit(call: Call) -> Answer:
    """Cash in."""
    body: CashBody = call.body
    return await _move_cash(call, Deposit(body.amount))


async def withdraw(call: Call) -> Answer:
    """Cash out."""
    body: CashBody = call.body
    return await _move_cash(call, Withdraw(body.amount))


async def _move_cash(call: Call, request: Deposit | Withdraw) -> Answer:
    moved = await call.engine.trading.move_cash(
        call.account, request, call.actor("ops"), parse_idempotency_key(call.headers)
    )
    portfolio = await call.engine.trading.portfolio(call.account, moved.account.version)
    return json_answer(
        portfolio_view(call.account, portfolio, call.engine.instruments.get),
        headers=_REPLAYED if moved.replayed else None,
    )


async def _outcome(call: Call, order: Snapshot[Order], pending: Status) -> None:
    """Wait a moment for what ends the pending request."""
    stream_id = order_stream(order.state.order_id)
    with suppress(TimeoutError):
        async with asyncio.timeout(_OUTCOME_SECONDS), aclosing(call.engine.follower.follow(order.position)) as batches:
            async for batch in batches:
                of_order = (recorded.event for recorded in batch if recorded.stream_id == stream_id)
                if any(getattr(event, "status", None) is not pending for event in of_order):
                    return


def _request(body: OrderBody) -> OrderRequest:
    price, stop_price = body.price, body.stop_price
    if body.order_type is OrderType.STOP and stop_price is None:
        price, stop_price = None, price
    return OrderRequest(
        symbol=body.symbol,
        side=body.side,
        quantity=body.quantity,
        order_type=body.order_type,
        price=price,
        stop_price=stop_price,
        time_in_force=body.time_in_force,
        stop_loss=body.stop_loss,
        take_profit=body.take_profit,
        client_order_id=body.client_order_id,
    )
