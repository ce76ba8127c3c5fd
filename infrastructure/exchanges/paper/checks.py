"""What the exchange refuses: every command is checked against the state it would meet before it is journaled."""

from decimal import Decimal, localcontext
from typing import Final, assert_never

from infrastructure.exchanges.paper.amounts import EXACT, ZERO, plain
from infrastructure.exchanges.paper.assets import Asset
from infrastructure.exchanges.paper.book import Lifetime, Side
from infrastructure.exchanges.paper.commands import (
    Bust,
    Cancel,
    Command,
    Correct,
    EndDay,
    MovePrice,
    Place,
    Replace,
    Start,
)
from infrastructure.exchanges.paper.exchange import Exchange
from infrastructure.exchanges.paper.executions import Execution
from infrastructure.exchanges.paper.orders import Order, OrderClass, Status
from infrastructure.exchanges.paper.refusals import (
    AssetNotTradable,
    ClientOrderIdTaken,
    ExecutionNotFound,
    InsufficientBuyingPower,
    NotCancelable,
    NotReplaceable,
    NotRevisable,
    OrderNotFound,
    PriceOffIncrement,
    QuantityNotTraded,
)

_UNCHANGED: Final = "order parameters are not changed"


def check(exchange: Exchange, command: Command) -> None:
    """Make sure that a command can be applied.

    Raises:
        Refusal: It cannot; the message says why.
    """
    with localcontext(EXACT):
        match command:
            case Place():
                _check_place(exchange, command)
            case Cancel():
                _check_cancel(exchange, command)
            case Replace():
                _check_replace(exchange, command)
            case Bust():
                _standing(exchange, command.execution_id)
            case Correct():
                _check_correct(exchange, command)
            case MovePrice():
                _check_price(exchange.markets[command.symbol].asset, "price", command.price)
            case Start() | EndDay():
                pass
            case _:
                assert_never(command)


def _check_place(exchange: Exchange, command: Place) -> None:
    market = exchange.markets[command.symbol]
    if not market.asset.tradable:
        raise AssetNotTradable(f'asset "{market.asset.symbol}" is not tradable')
    _check_name(exchange, command.client_order_id)
    _check_quantity(market.asset, command.quantity, command.time_in_force, is_simple=command.leg is None)
    _check_price(market.asset, "limit_price", command.limit_price)
    _check_price(market.asset, "stop_price", command.stop_price)
    if command.leg is not None:
        _check_name(exchange, command.leg.client_order_id)
        _check_price(market.asset, "stop_price", command.leg.stop_price)
    if command.side is Side.BUY:
        price = command.limit_price or command.stop_price or market.book.last_price
        _check_cost(command.quantity * price, exchange.account.buying_power)


def _check_cancel(exchange: Exchange, command: Cancel) -> None:
    order = _found(exchange, command.id)
    if not order.is_open:
        raise NotCancelable(order.status)


def _check_replace(exchange: Exchange, command: Replace) -> None:
    order = _found(exchange, command.id)
    # Before the order itself: whoever sends a replacement again wants to know that it is there already.
    _check_name(exchange, command.client_order_id)
    if order.status is Status.REPLACED:
        raise NotReplaceable("order already replaced")
    if not order.is_open:
        raise NotReplaceable(f"cannot replace order in {order.status} status")
    if command.limit_price is not None and not order.type.has_limit:
        raise NotReplaceable(f"{order.type} orders require no limit price")
    if command.stop_price is not None and not order.type.has_stop:
        raise NotReplaceable(f"{order.type} orders require no stop price")
    _check_price(order.asset, "limit_price", command.limit_price)
    _check_price(order.asset, "stop_price", command.stop_price)
    wished = (command.quantity, command.limit_price, command.stop_price, command.time_in_force)
    current = (order.quantity, order.limit_price, order.stop_price, order.time_in_force)
    if all(wish in {None, now} for wish, now in zip(wished, current, strict=True)):
        raise NotReplaceable(_UNCHANGED)
    quantity = command.quantity or order.quantity
    lifetime = command.time_in_force or order.time_in_force
    _check_quantity(order.asset, quantity, lifetime, is_simple=order.order_class is OrderClass.SIMPLE)
    if order.order_class is OrderClass.OCO and quantity != order.quantity:
        raise NotReplaceable("qty of oco orders cannot be replaced")
    if quantity <= order.filled_quantity:
        raise NotReplaceable("qty must be > filled_qty")
    if order.side is Side.BUY and not order.is_covered:
        price = command.limit_price or order.limit_price or command.stop_price or order.stop_price or ZERO
        leaves = quantity - order.filled_quantity
        freed = ZERO if command.keeps_predecessor else order.held_cash
        _check_cost(leaves * price, exchange.account.buying_power + freed)


def _check_correct(exchange: Exchange, command: Correct) -> None:
    execution = _standing(exchange, command.execution_id)
    wished, current = (command.quantity, command.price), (execution.quantity, execution.price)
    if all(wish in {None, now} for wish, now in zip(wished, current, strict=True)):
        raise NotRevisable("the execution is not changed")
    orders = [exchange.orders[order_id] for order_id in execution.orders]
    most = execution.quantity + min(order.quantity - order.filled_quantity for order in orders)
    if command.quantity is not None and command.quantity > most:
        raise NotRevisable(f"qty must be <= {plain(most)}: no order trades more than it wants")


def _standing(exchange: Exchange, execution_id: str) -> Execution:
    execution = exchange.executions.get(execution_id)
    if execution is None:
        raise ExecutionNotFound(execution_id)
    if execution.is_busted:
        raise NotRevisable("the execution was busted already")
    if execution.id != execution_id:
        raise NotRevisable(f"the execution was corrected and goes by {execution.id} now")
    return execution


def _found(exchange: Exchange, order_id: str) -> Order:
    order = exchange.orders.get(order_id)
    if order is None:
        raise OrderNotFound(order_id)
    return order


def _check_name(exchange: Exchange, client_order_id: str) -> None:
    if exchange.orders.by_client_order_id(client_order_id) is not None:
        raise ClientOrderIdTaken


def _check_price(asset: Asset, field: str, price: Decimal | None) -> None:
    if price is not None and price % asset.increment_at(price):
        raise PriceOffIncrement(field, price, asset.price_increment if asset.is_coin else None)


def _check_quantity(asset: Asset, quantity: Decimal, lifetime: Lifetime, *, is_simple: bool) -> None:
    if asset.is_coin:
        if quantity < asset.min_order_size:
            raise QuantityNotTraded(f"invalid qty {plain(quantity)}: must be >= {plain(asset.min_order_size)}")
        if quantity % asset.min_trade_increment:
            step = plain(asset.min_trade_increment)
            raise QuantityNotTraded(f"invalid qty {plain(quantity)}: must be a multiple of {step}")
    elif quantity % 1:
        if not asset.fractionable:
            raise QuantityNotTraded(f'asset "{asset.symbol}" is not fractionable')
        if lifetime is not Lifetime.DAY:
            raise QuantityNotTraded("fractional orders must be DAY orders")
        if not is_simple:
            raise QuantityNotTraded("fractional orders must be simple orders")


def _check_cost(cost: Decimal, buying_power: Decimal) -> None:
    if cost > max(buying_power, ZERO):
        raise InsufficientBuyingPower(buying_power, cost)
