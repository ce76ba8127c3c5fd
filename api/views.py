"""Orders and fills as JSON shows them: decimals as text, times as RFC 3339 UTC with microseconds."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, cast

from application.snapshots import Snapshot
from application.status import time_text
from application.trading import RolloutInForce
from domain.account import Account
from domain.events import RecordedEvent, RolloutChanged, TradingHalted
from domain.instruments import SymbolRules
from domain.limits import NAMES
from domain.order import Fill, Order
from domain.rollout import Rollout, Switches
from domain.validation import OrderValidator
from domain.values import OrderId, TraderId, exactly
from projections.execution_log import ExecutionLogRow
from projections.fills import FillRow
from projections.orders import OrderRow

View = dict[str, Any]

_DECIMALS_OF_MONEY = 2


def quantity_text(value: Decimal) -> str:
    """A plain number without trailing zeros: ``100``, ``0.5``."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def money_text(value: Decimal) -> str:
    """Dollars with at least two decimals: ``150.00``, ``0.00``, ``1.2345``. Prices look the same."""
    whole, _, decimals = quantity_text(value).partition(".")
    return f"{whole}.{decimals:0<{_DECIMALS_OF_MONEY}}"


def price_text(value: Decimal | None) -> str | None:
    """Like money; None when there is no price."""
    return None if value is None else money_text(value)


def order_view(snapshot: Snapshot[Order]) -> View:
    """An order from the log."""
    order = snapshot.state
    terms = order.terms
    with exactly():
        average_fill_price, leaves_quantity = order.average_fill_price, order.leaves_quantity
    return {
        "id": terms.order_id,
        "client_order_id": terms.client_order_id,
        "trader_id": terms.trader_id,
        "symbol": terms.symbol,
        "side": terms.side,
        "quantity": quantity_text(order.current.quantity),
        "order_type": terms.order_type,
        "price": price_text(order.current.price),
        "stop_price": price_text(order.current.stop_price),
        "time_in_force": terms.time_in_force,
        "stop_loss": price_text(terms.stop_loss),
        "take_profit": price_text(terms.take_profit),
        "parent_order_id": terms.parent_order_id,
        "oco_order_id": terms.oco_order_id,
        "status": order.status,
        "filled_quantity": quantity_text(order.filled_quantity),
        "leaves_quantity": quantity_text(leaves_quantity),
        "average_fill_price": price_text(average_fill_price),
        "fills": [fill_view(terms.order_id, fill) for fill in order.fills],
        "reason": order.reason,
        "flags": order.flags,
        "version": snapshot.version,
        "position": snapshot.position,
        "created_at": snapshot.created_at and time_text(snapshot.created_at),
        "updated_at": snapshot.updated_at and time_text(snapshot.updated_at),
    }


def fill_view(order_id: OrderId, fill: Fill) -> View:
    """A fill from the log."""
    return {
        "id": fill.fill_id,
        "order_id": order_id,
        "timestamp": time_text(fill.executed_at),
        "quantity_filled": quantity_text(fill.quantity),
        "price_at_fill": money_text(fill.price),
        "venue": fill.venue,
        "commission": money_text(fill.commission),
    }


def order_row_view(row: OrderRow, fills: Iterable[FillRow]) -> View:
    """An order from the read model, the same as from the log."""
    return {
        "id": row.id,
        "client_order_id": row.client_order_id,
        "trader_id": row.trader_id,
        "symbol": row.symbol,
        "side": row.side,
        "quantity": quantity_text(row.quantity),
        "order_type": row.order_type,
        "price": price_text(row.price),
        "stop_price": price_text(row.stop_price),
        "time_in_force": row.time_in_force,
        "stop_loss": price_text(row.stop_loss),
        "take_profit": price_text(row.take_profit),
        "parent_order_id": row.parent_order_id,
        "oco_order_id": row.oco_order_id,
        "status": row.status,
        "filled_quantity": quantity_text(row.filled_quantity),
        "leaves_quantity": quantity_text(row.leaves_quantity),
        "average_fill_price": price_text(row.average_fill_price),
        "fills": [fill_row_view(fill) for fill in fills],
        "reason": row.reason,
        "flags": row.flags,
        "version": row.version,
        "position": row.position,
        "created_at": time_text(row.created_at),
        "updated_at": time_text(row.updated_at),
    }


def fill_row_view(row: FillRow) -> View:
    """A fill from the read model."""
    return {
        "id": row.id,
        "order_id": row.order_id,
        "timestamp": time_text(row.executed_at),
        "quantity_filled": quantity_text(row.quantity_filled),
        "price_at_fill": money_text(row.price_at_fill),
        "venue": row.venue,
        "commission": money_text(row.commission),
    }


def entry_view(row: ExecutionLogRow) -> View:
    """An entry of the execution log."""
    return {
        "id": row.id,
        "order_id": row.order_id,
        "trader_id": row.trader_id,
        "action": row.action,
        "status": row.status,
        "timestamp": time_text(row.recorded_at),
        "reason": row.reason,
        "retry_attempt": row.retry_attempt,
    }


# ── The operator's controls ──────────────────────────────────────────────────────────────────────────────────────────


def limits_view(trader_id: TraderId, snapshot: Snapshot[Account], validator: OrderValidator) -> View:
    """The limits that hold for a trader, and which of them are the defaults."""
    limits, own = validator.limits_of(snapshot.state), snapshot.state.limits
    percent = limits.price_collar_percent
    return {
        "trader_id": trader_id,
        "max_position": quantity_text(limits.max_position),
        "max_order_quantity": quantity_text(limits.max_order_quantity),
        "max_order_notional": money_text(limits.max_order_notional),
        "max_open_orders": limits.max_open_orders,
        "max_orders_per_second": limits.max_orders_per_second,
        "max_daily_notional": money_text(limits.max_daily_notional),
        "price_collar_percent": None if percent is None else quantity_text(percent),
        "duplicate_window_seconds": limits.duplicate_window_seconds,
        "restricted_symbols": limits.restricted_symbols,
        "defaults": [name for name in NAMES if own is None or getattr(own, name) is None],
        "position": snapshot.position,
    }


def halt_view(recorded: RecordedEvent, *, is_cancel_requested: bool) -> View:
    """A halt, with who made it and why."""
    event = cast("TradingHalted", recorded.event)
    return {
        "scope": event.scope,
        "reason": event.reason,
        "halted_by": recorded.metadata.actor,
        "halted_at": time_text(recorded.recorded_at),
        "cancel_open": event.cancel_open,
        "cancel_requested": event.cancel_open and is_cancel_requested,
        "position": recorded.position,
    }


def rollout_view(rollout: RolloutInForce, environment: Switches) -> View:
    """Whose orders are taken, and why it is so."""
    last = rollout.last
    return {
        **_switches(rollout.state.within(environment)),
        "set": _switches(rollout.state),
        "environment": _switches(environment),
        "changed_by": last and last.metadata.actor,
        "changed_at": last and time_text(last.recorded_at),
        "reason": last and cast("RolloutChanged", last.event).reason,
        "position": rollout.position,
    }


def _switches(switches: Switches | Rollout) -> View:
    return {"enabled": switches.enabled, "ramp_percent": switches.ramp_percent}


def rules_view(rules: SymbolRules) -> View:
    """What orders in a symbol must fit; null where anything does."""
    lot, least, most = (
        None if size is None else quantity_text(size)
        for size in (rules.lot_size, rules.min_quantity, rules.max_quantity)
    )
    return {
        "tick_size": price_text(rules.tick_size),
        "tick_size_below_dollar": price_text(rules.tick_size_below_dollar),
        "lot_size": lot,
        "min_quantity": least,
        "max_quantity": most,
        "fractional_day_only": rules.fractional_day_only,
    }
