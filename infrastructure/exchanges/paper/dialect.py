"""The exchange in Alpaca's JSON: orders, account, positions, assets, activities, market data and updates.

Amounts are strings of digits, times RFC 3339 in UTC. Only market data has numbers, as it does at Alpaca.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import msgspec

from infrastructure.exchanges.paper.amounts import ZERO, plain, rounded
from infrastructure.exchanges.paper.assets import Asset
from infrastructure.exchanges.paper.exchange import Exchange
from infrastructure.exchanges.paper.market import LastTrade
from infrastructure.exchanges.paper.orders import Event, Order, Update, end_of_day

Json = dict[str, Any]

ACCOUNT_ID: Final = str(uuid5(NAMESPACE_URL, "paper-venue/account"))

encode: Final = msgspec.json.Encoder().encode


# A top-level field of the update since August 2026.
_REASONS: Final = {Event.TRADE_BUST: "TRADE_BUST"}


def order(order: Order) -> Json:
    """An order as it is now. `reject_reason` is this venue's own addition, to orders that were rejected."""
    reason = {"reject_reason": order.rejected_because} if order.rejected_because else {}
    return {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "created_at": order.submitted_at,
        "updated_at": order.updated_at,
        "submitted_at": order.submitted_at,
        "filled_at": order.filled_at,
        "expired_at": order.expired_at,
        "expires_at": order.expires_at,
        "canceled_at": order.canceled_at,
        "failed_at": order.failed_at,
        "replaced_at": order.replaced_at,
        "replaced_by": order.replaced_by,
        "replaces": order.replaces,
        "asset_id": order.asset.id,
        "symbol": order.asset.symbol,
        "asset_class": order.asset.asset_class,
        "notional": None,
        "qty": plain(order.quantity),
        "filled_qty": plain(order.filled_quantity),
        "filled_avg_price": _plain_or_null(order.average_price),
        "order_class": order.order_class,
        "order_type": order.type,
        "type": order.type,
        "side": order.side,
        "time_in_force": order.time_in_force,
        "limit_price": _plain_or_null(order.limit_price),
        "stop_price": _plain_or_null(order.stop_price),
        "status": order.status,
        "extended_hours": order.extended_hours,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        **reason,
    }


def nested_order(main: Order, leg: Order | None) -> Json:
    """An order with its leg, where it has one."""
    return order(main) if leg is None else {**order(main), "legs": [order(leg)]}


def acknowledgement(order_as_entered: Order, leg: Order | None) -> Json:
    """The answer to a new order: what became of it is told by the updates, as it is at Alpaca."""
    answer = nested_order(order_as_entered, leg)
    for each in (answer, *(answer["legs"] or ())):
        each["status"] = "pending_new"
    return answer


def trade_update(update: Update) -> bytes:
    """A message of the stream `trade_updates`."""
    return encode({"stream": "trade_updates", "data": update_data(update)})


def update_data(update: Update) -> Json:
    """What happened to an order. `commission` is this venue's own addition."""
    data: Json = {
        "event": update.event,
        "execution_id": update.execution_id,
        "timestamp": update.at,
        "order": nested_order(update.order, update.leg),
    }
    if update.previous_execution_id is not None:
        data["previous_execution_id"] = update.previous_execution_id
    reason = update.reason or _REASONS.get(update.event)
    if reason is not None:
        data["reason"] = reason
    if update.fill is not None:
        data |= {
            "price": plain(update.fill.price),
            "qty": plain(update.fill.quantity),
            "position_qty": plain(update.fill.position),
            "commission": plain(update.fill.commission),
        }
    return data


def activity(update: Update) -> Json:
    """A fill in the account's activities, or a bust or correction of one. `commission` is this venue's own addition."""
    if update.fill is None:
        raise ValueError(f"update {update.number} carries no fill")
    previous = update.previous_execution_id
    return {
        "id": update.activity_id,
        "account_id": ACCOUNT_ID,
        "activity_type": "FILL",
        "transaction_time": update.at,
        "type": update.event,
        "price": plain(update.fill.price),
        "qty": plain(update.fill.quantity),
        "side": update.order.side,
        "symbol": update.order.asset.symbol,
        "leaves_qty": plain(update.order.leaves),
        "order_id": update.order.id,
        "cum_qty": plain(update.order.filled_quantity),
        "order_status": update.order.status,
        "commission": plain(update.fill.commission),
        **({} if previous is None else {"previous_execution_id": previous}),
    }


def asset(asset: Asset) -> Json:
    """An asset. Only coins say their increments, as at Alpaca: those of stocks are the law's."""
    increments = {
        "min_order_size": plain(asset.min_order_size),
        "min_trade_increment": plain(asset.min_trade_increment),
        "price_increment": plain(asset.price_increment),
    }
    return {
        "id": asset.id,
        "class": asset.asset_class,
        "exchange": asset.exchange,
        "symbol": asset.symbol,
        "name": asset.name,
        "status": "active",
        "tradable": asset.tradable,
        "marginable": True,
        "shortable": True,
        "easy_to_borrow": True,
        "fractionable": asset.fractionable,
        "attributes": [],
        **(increments if asset.is_coin else {}),
    }


def position(exchange: Exchange, symbol: str) -> Json:
    """A position the account holds; crypto is named without its slash, as it is at Alpaca."""
    held = exchange.account.positions[symbol]
    market = exchange.markets[symbol]
    price = market.last_trade.price
    market_value = held.quantity * price
    gain = market_value - held.cost
    return {
        "asset_id": market.asset.id,
        "symbol": market.asset.joined_symbol,
        "exchange": market.asset.exchange,
        "asset_class": market.asset.asset_class,
        "asset_marginable": True,
        "avg_entry_price": plain(rounded(held.average_price)),
        "qty": plain(held.quantity),
        "qty_available": plain(exchange.account.available(symbol)),
        "side": "long" if held.quantity > ZERO else "short",
        "market_value": plain(market_value),
        "cost_basis": plain(rounded(held.cost)),
        "unrealized_pl": plain(rounded(gain)),
        "unrealized_plpc": plain(rounded(gain / abs(held.cost))),
        "current_price": plain(price),
    }


def account(exchange: Exchange) -> Json:
    """The account."""
    values = [
        position.quantity * exchange.markets[symbol].last_trade.price
        for symbol, position in exchange.account.positions.items()
    ]
    long_value = sum((value for value in values if value > ZERO), start=ZERO)
    short_value = sum((value for value in values if value < ZERO), start=ZERO)
    cash = exchange.account.cash
    buying_power = plain(exchange.account.buying_power)
    equity = plain(cash + long_value + short_value)
    return {
        "id": ACCOUNT_ID,
        "account_number": "PAPER1",
        "status": "ACTIVE",
        "crypto_status": "ACTIVE",
        "currency": "USD",
        "cash": plain(cash),
        "buying_power": buying_power,
        "regt_buying_power": buying_power,
        "non_marginable_buying_power": buying_power,
        "equity": equity,
        "portfolio_value": equity,
        "long_market_value": plain(long_value),
        "short_market_value": plain(short_value),
        "accrued_fees": "0",
        "multiplier": "1",
        "shorting_enabled": True,
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": False,
        "created_at": exchange.opened_at,
    }


def clock(now: datetime) -> Json:
    """The market clock: this market never closes; its trading day is the UTC day."""
    return {"timestamp": now, "is_open": True, "next_open": end_of_day(now), "next_close": end_of_day(now)}


def stock_trade(trade: LastTrade) -> Json:
    """The latest trade of a stock, in the market data API's one-letter names."""
    return {**_trade(trade), "x": "V", "c": ["@"], "z": "C"}


def crypto_trade(trade: LastTrade) -> Json:
    """The latest trade of a coin, in the market data API's one-letter names."""
    return {**_trade(trade), "tks": "B"}


def _trade(trade: LastTrade) -> Json:
    return {"t": trade.at, "p": _number(trade.price), "s": _number(trade.quantity), "i": trade.number}


def _number(amount: Decimal) -> msgspec.Raw:
    # A JSON number with every digit of the amount, which a float would not keep.
    return msgspec.Raw(plain(amount).encode())


def _plain_or_null(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)
