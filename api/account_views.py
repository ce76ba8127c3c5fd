"""Accounts and positions as JSON shows them, valued at the last prices that are known."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from api.views import View, money_text, price_text, quantity_text
from application.statements import Entry
from application.status import time_text
from application.trading import Portfolio
from application.venue import Instrument
from domain.position import Position
from domain.values import ZERO, Currency, Price, Symbol, TraderId, exactly
from projections.accounts import AccountRow

Quotes = Callable[[Symbol], Instrument | None]
"""The instrument with its last price, None when the venue does not trade it."""


def portfolio_view(trader_id: TraderId, portfolio: Portfolio, quotes: Quotes) -> View:
    """An account with its positions from the log."""
    account, position = portfolio.account.state, portfolio.account.position
    row = AccountRow(trader_id, Currency.USD, account.cash, account.reserved, account.open_orders, position)
    return account_view(row, portfolio.positions, quotes, position)


def account_view(row: AccountRow, positions: Mapping[Symbol, Position], quotes: Quotes, position: int) -> View:
    """An account with its positions, both of the moment when the log ended at ``position``."""
    with exactly():
        available = row.cash - row.reserved
        prices = {symbol: _price(symbol, quotes) for symbol in positions}
        value = _total(_value(held, prices[symbol]) for symbol, held in positions.items())
        unrealised = _total(_unrealised(held, prices[symbol]) for symbol, held in positions.items())
        equity = None if value is None else row.cash + value
        realised = sum((held.realised_pnl for held in positions.values()), ZERO)
        commission = sum((held.commission for held in positions.values()), ZERO)
    return {
        "trader_id": row.trader_id,
        "currency": row.currency,
        "cash": money_text(row.cash),
        "reserved": money_text(row.reserved),
        "available": money_text(available),
        "buying_power": money_text(max(available, ZERO)),
        "equity": price_text(equity),
        "market_value": price_text(value),
        "realised_pnl": money_text(realised),
        "unrealised_pnl": price_text(unrealised),
        "commission": money_text(commission),
        "open_orders": row.open_orders,
        "positions": position_views(positions, quotes),
        "position": position,
    }


def position_views(positions: Mapping[Symbol, Position], quotes: Quotes) -> list[View]:
    """What was ever traded, by symbol."""
    with exactly():
        return [_position_view(symbol, held, quotes(symbol)) for symbol, held in sorted(positions.items())]


def _position_view(symbol: Symbol, held: Position, instrument: Instrument | None) -> View:
    price = instrument.reference_price if instrument else None
    at = instrument.price_at if instrument else None
    return {
        "symbol": symbol,
        "quantity": quantity_text(held.quantity),
        "average_price": price_text(held.average_price),
        "cost": money_text(held.cost),
        "realised_pnl": money_text(held.realised_pnl),
        "unrealised_pnl": price_text(_unrealised(held, price)),
        "commission": money_text(held.commission),
        "reference_price": price_text(price),
        "price_at": at and time_text(at),
        "market_value": price_text(_value(held, price)),
    }


def _price(symbol: Symbol, quotes: Quotes) -> Price | None:
    instrument = quotes(symbol)
    return instrument.reference_price if instrument else None


def _value(held: Position, price: Price | None) -> Decimal | None:
    """What is held at the price; nothing is worth nothing at any price."""
    if not held.quantity:
        return ZERO
    return None if price is None else held.value(price)


def _unrealised(held: Position, price: Price | None) -> Decimal | None:
    value = _value(held, price)
    return None if value is None else value - held.cost


def _total(values: Iterable[Decimal | None]) -> Decimal | None:
    """The sum, None when one of them is not known."""
    total = ZERO
    for value in values:
        if value is None:
            return None
        total += value
    return total


def movement_view(entry: Entry) -> View:
    """A movement of cash in a statement."""
    recorded, movement = entry.recorded, entry.movement
    return {
        "position": recorded.position,
        "timestamp": time_text(recorded.recorded_at),
        "type": type(recorded.event).__name__,
        "amount": money_text(movement.amount),
        "balance": money_text(entry.balance),
        "description": movement.description,
        "order_id": movement.order_id,
        "fill_id": movement.fill_id,
        "symbol": movement.symbol,
    }
