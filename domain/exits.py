"""Exits: the stop-loss and take-profit orders that protect what an order has filled.

Each fill of an order with a stop-loss or take-profit brings its exits with it, in the same transaction, for exactly its
quantity: a pair of which one cancels the other, or a single order. Their ids follow from the fill's, so that the same
fill can never bring them twice.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from uuid import UUID, uuid5

from domain.account import Account
from domain.commands import (
    CancelOrder,
    OrderCommand,
    PlaceOrder,
    RecordBust,
    RecordCorrection,
    RecordExpiry,
    RecordFill,
    RecordNeverArrived,
    RecordRejection,
)
from domain.deciding import decide
from domain.events import (
    FillEvent,
    OrderCounterpartFilled,
    OrderEvent,
    OrderExpired,
    OrderFillBusted,
    OrderFillCorrected,
    OrderFilled,
    OrderPlaced,
    OrderRejected,
    OrderUnprotected,
)
from domain.frozen import dataclass
from domain.lifecycle import Flag
from domain.order import Order, with_flag
from domain.values import FillId, OrderId, OrderType, Price, Quantity, Side, TimeInForce

_NAMESPACE: Final = UUID("0d8b0a5e-52b5-5a0f-8a3b-6c1b7b0f3c11")

Orders = Mapping[OrderId, Order | None]


@dataclass(frozen=True, slots=True)
class Exits:
    """The ids of the exits of one fill."""

    take_profit: OrderId
    stop_loss: OrderId


@lru_cache(maxsize=1_000)
def exits_of(order_id: OrderId, fill_id: FillId) -> Exits:
    """The ids that the exits of a fill have, whether they exist or not."""
    names = (f"{order_id}/{fill_id}/{kind}" for kind in ("take_profit", "stop_loss"))
    return Exits(*(OrderId(str(uuid5(_NAMESPACE, name))) for name in names))


def concerned(terms: OrderPlaced, command: OrderCommand) -> tuple[OrderId, ...]:
    """The other orders that a command about this order may touch: exits of a fill, or the order an exit protects."""
    if _is_protected(terms) and isinstance(command, RecordFill | RecordBust | RecordCorrection):
        exits = exits_of(terms.order_id, command.fill_id)
        return exits.take_profit, exits.stop_loss
    if terms.oco_order_id is not None and isinstance(command, RecordFill | RecordBust | RecordCorrection):
        return (terms.oco_order_id,)
    if terms.parent_order_id is not None and isinstance(command, RecordRejection | RecordNeverArrived | RecordExpiry):
        return (terms.parent_order_id,)
    return ()


def consequences(order: Order, event: OrderEvent, account: Account, others: Orders) -> list[tuple[OrderId, OrderEvent]]:
    """What an event of ``order``, which is given as it is afterwards, means for its exits or for the order it protects.

    ``account`` is its trader's after the event, ``others`` are the orders that ``concerned`` named.
    """
    parent = others.get(order.terms.parent_order_id) if order.terms.parent_order_id else None
    if parent is not None and isinstance(event, OrderRejected | OrderExpired):
        return _unprotected(parent, f"its exit is {event.status}: {event.reason}", exit_order_id=order.order_id)
    if order.is_leg and isinstance(event, FillEvent):
        return _take_from_counterpart(order, event, others)
    if not _is_protected(order.terms):
        return []
    if isinstance(event, OrderFilled) or (isinstance(event, OrderFillCorrected) and not event.previous_quantity):
        return _protect(order, event, account, others)
    if isinstance(event, OrderFillBusted) and event.quantity:
        return _withdraw(order, event.fill_id, others, "a fill was taken back")
    if isinstance(event, OrderFillCorrected) and event.quantity != event.previous_quantity:
        return _withdraw(order, event.fill_id, others, "a fill was corrected to another quantity")
    return []


def _is_protected(terms: OrderPlaced) -> bool:
    return terms.stop_loss is not None or terms.take_profit is not None


def _protect(
    order: Order, event: OrderFilled | OrderFillCorrected, account: Account, others: Orders
) -> list[tuple[OrderId, OrderEvent]]:
    fill_id, quantity = event.fill_id, event.quantity
    available = account.holding(order.terms.symbol).available
    if quantity > available:
        reason = f"its exits need {quantity:f} {order.terms.symbol}; available: {available:f}"
        return _unprotected(order, reason, fill_id=fill_id)
    exits = exits_of(order.order_id, fill_id)
    take_profit, stop_loss = order.terms.take_profit, order.terms.stop_loss
    are_two = take_profit is not None and stop_loss is not None
    wanted = []
    if take_profit is not None:
        wanted.append(
            _exit(order, exits.take_profit, quantity, exits.stop_loss if are_two else None, price=take_profit)
        )
    if stop_loss is not None:
        other = exits.take_profit if are_two else None
        wanted.append(_exit(order, exits.stop_loss, quantity, other, stop_price=stop_loss))
    # An exit that is there already was placed with this fill by somebody who was faster; the append will tell.
    return [(each.order_id, event) for each in wanted for event in decide(others.get(each.order_id), each)]


def _take_from_counterpart(leg: Order, event: FillEvent, others: Orders) -> list[tuple[OrderId, OrderEvent]]:
    """What a leg fills, the exit that holds the units for both needs no more; the venue has it reduced already."""
    primary = others.get(leg.primary_order_id) if leg.primary_order_id else None
    if primary is None or primary.is_over or primary.counterpart_filled == event.filled_quantity:
        return []
    return [(primary.order_id, OrderCounterpartFilled(quantity=event.filled_quantity, status=primary.status))]


def _exit(
    order: Order,
    exit_id: OrderId,
    quantity: Quantity,
    other: OrderId | None,
    *,
    price: Price | None = None,
    stop_price: Price | None = None,
) -> PlaceOrder:
    return PlaceOrder(
        order_id=exit_id,
        trader_id=order.trader_id,
        client_order_id=exit_id,
        symbol=order.terms.symbol,
        side=Side.SELL,
        quantity=quantity,
        order_type=OrderType.LIMIT if price is not None else OrderType.STOP,
        price=price,
        stop_price=stop_price,
        time_in_force=TimeInForce.GTC,
        reference_price=price or stop_price,
        parent_order_id=order.order_id,
        oco_order_id=other,
    )


def _withdraw(order: Order, fill_id: FillId, others: Orders, why: str) -> list[tuple[OrderId, OrderEvent]]:
    """Cancel the exits of a fill that is not what it was; what is left of it is unprotected, and its trader told."""
    exits = exits_of(order.order_id, fill_id)
    cancelled: list[tuple[OrderId, OrderEvent]] = []
    for exit_id in (exits.take_profit, exits.stop_loss):
        exit_order = others.get(exit_id)
        if exit_order is not None and not exit_order.is_over:
            cancelled += [(exit_id, event) for event in decide(exit_order, CancelOrder())]
    return [*cancelled, *_unprotected(order, f"{why}, and its exits are cancelled", fill_id=fill_id)]


def _unprotected(
    order: Order, reason: str, *, fill_id: FillId | None = None, exit_order_id: OrderId | None = None
) -> list[tuple[OrderId, OrderEvent]]:
    if fill_id in order.unprotected or exit_order_id in order.unprotected:
        return []
    flags = with_flag(order.flags, Flag.UNPROTECTED)
    event = OrderUnprotected(
        fill_id=fill_id, exit_order_id=exit_order_id, reason=reason, status=order.status, flags=flags
    )
    return [(order.order_id, event)]
