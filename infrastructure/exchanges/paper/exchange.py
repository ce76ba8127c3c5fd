"""The exchange: books, orders and the account, and what each command does to them.

It has no clock and makes up no ids: both arrive in the commands. Therefore the same commands in the same order always
lead to the same state and the same updates, which is what the journal relies on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from typing import assert_never

from infrastructure.exchanges.paper.account import Account
from infrastructure.exchanges.paper.amounts import EXACT, ZERO
from infrastructure.exchanges.paper.assets import ASSETS, Asset
from infrastructure.exchanges.paper.book import Book, Dropped, Outcome, Side, Trade, Triggered
from infrastructure.exchanges.paper.commands import Cancel, Command, EndDay, MovePrice, Place, Replace, Start
from infrastructure.exchanges.paper.house import House
from infrastructure.exchanges.paper.orders import Event, Fill, Order, Status, Update
from infrastructure.exchanges.paper.registry import Registry

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LastTrade:
    """The latest trade of an asset; a move of the reference price counts as one of the house with itself."""

    number: int
    price: Decimal
    quantity: Decimal
    at: datetime


class Market:
    """One asset with its book, its house and its latest trade."""

    def __init__(self, asset: Asset) -> None:
        self.asset = asset
        self.book = Book(asset.opening_price)
        self.house = House(self.book, asset)
        self.last_trade = LastTrade(0, asset.opening_price, asset.house_quantity, _NEVER)

    def note_trade(self, price: Decimal, quantity: Decimal, at: datetime) -> None:
        """Remember a trade as the latest."""
        self.last_trade = LastTrade(self.last_trade.number + 1, price, quantity, at)


class Exchange:
    """All state of the venue. Commands must have been checked before they are applied.

    Attributes:
        account: Cash and positions.
        orders: Every order of the account.
        fills: Every update that carries a fill, in order.
        markets: The assets that trade here, by symbol.
        opened_at: When the venue first went up.
        last_at: The time of the latest command.
    """

    def __init__(self) -> None:
        self.account = Account()
        self.orders = Registry()
        self.fills: list[Update] = []
        self.markets = {asset.symbol: Market(asset) for asset in ASSETS}
        self.opened_at = _NEVER
        self.last_at = _NEVER
        self._commission_per_share = ZERO
        self._updates = 0

    def apply(self, command: Command) -> list[Update]:
        """Do what a command says.

        Returns:
            What became of which order, in order.
        """
        self.last_at = command.at
        with localcontext(EXACT):
            match command:
                case Start():
                    self._start(command)
                    return []
                case Place():
                    return list(self._place(command))
                case Cancel():
                    return list(self._cancel(command))
                case Replace():
                    return list(self._replace(command))
                case MovePrice():
                    return list(self._move_price(command))
                case EndDay():
                    return list(self._end_day(command))
                case _:
                    assert_never(command)

    def _start(self, command: Start) -> None:
        self._commission_per_share = command.commission_per_share
        if self.opened_at == _NEVER:
            self.opened_at = command.at
            for market in self.markets.values():
                market.last_trade = replace(market.last_trade, at=command.at)

    def _place(self, command: Place) -> Iterator[Update]:
        order = Order(
            number=len(self.orders),
            id=command.id,
            client_order_id=command.client_order_id,
            asset=self.markets[command.symbol].asset,
            side=command.side,
            type=command.type,
            quantity=command.quantity,
            time_in_force=command.time_in_force,
            limit_price=command.limit_price,
            stop_price=command.stop_price,
            extended_hours=command.extended_hours,
            submitted_at=command.at,
            updated_at=command.at,
        )
        return self._reject(order, command.rejected_because) if command.rejected_because else self._enter(order)

    def _reject(self, order: Order, reason: str) -> Iterator[Update]:
        at = order.submitted_at
        yield self._changed(Event.NEW, order, at)
        rejected = replace(order, status=Status.REJECTED, failed_at=at, rejected_because=reason)
        yield self._changed(Event.REJECTED, rejected, at)

    def _replace(self, command: Replace) -> Iterator[Update]:
        before = self.orders[command.id]
        market = self.markets[before.asset.symbol]
        market.book.cancel(before.id)
        replaced = replace(
            before,
            status=Status.REPLACED,
            replaced_by=command.replacement_id,
            replaced_at=command.at,
            updated_at=command.at,
        )
        yield self._changed(Event.REPLACED, replaced, command.at)
        replacement = replace(
            before,
            number=len(self.orders),
            id=command.replacement_id,
            client_order_id=command.client_order_id,
            quantity=command.quantity or before.quantity,
            limit_price=command.limit_price or before.limit_price,
            stop_price=command.stop_price or before.stop_price,
            time_in_force=command.time_in_force or before.time_in_force,
            # A new stop price is a new condition, even for an order whose old one was met.
            triggered=before.triggered and command.stop_price is None,
            replaces=before.id,
            submitted_at=command.at,
            updated_at=command.at,
        )
        yield from self._enter(replacement)

    def _enter(self, order: Order) -> Iterator[Update]:
        yield self._changed(Event.NEW, order, order.submitted_at)
        market = self.markets[order.asset.symbol]
        yield from self._settle(market, market.book.submit(order.ticket()), order.submitted_at)
        yield from self._run_stops(market, order.submitted_at)

    def _cancel(self, command: Cancel) -> Iterator[Update]:
        order = self.orders[command.id]
        self._withdraw(order)
        canceled = replace(order, status=Status.CANCELED, canceled_at=command.at, updated_at=command.at)
        yield self._changed(Event.CANCELED, canceled, command.at)

    def _end_day(self, command: EndDay) -> Iterator[Update]:
        for order in self.orders.open():
            if order.expires_at is not None and order.expires_at <= command.at:
                self._withdraw(order)
                expired = replace(order, status=Status.EXPIRED, expired_at=command.at, updated_at=command.at)
                yield self._changed(Event.EXPIRED, expired, command.at)

    def _withdraw(self, order: Order) -> None:
        market = self.markets[order.asset.symbol]
        market.book.cancel(order.id)
        # The order may have been all that kept the house from quoting.
        market.house.replenish()

    def _move_price(self, command: MovePrice) -> Iterator[Update]:
        market = self.markets[command.symbol]
        yield from self._settle(market, market.house.move(command.price), command.at)
        market.note_trade(command.price, market.asset.house_quantity, command.at)
        yield from self._run_stops(market, command.at)

    def _run_stops(self, market: Market, at: datetime) -> Iterator[Update]:
        # One at a time, so that every stop order finds the house with its quotes restored.
        while outcomes := market.book.trigger():
            yield from self._settle(market, outcomes, at)

    def _settle(self, market: Market, outcomes: Sequence[Outcome], at: datetime) -> Iterator[Update]:
        for outcome in outcomes:
            match outcome:
                case Trade():
                    market.note_trade(outcome.price, outcome.quantity, at)
                    for order_id in (outcome.maker_id, outcome.taker_id):
                        order = self.orders.get(order_id)
                        if order is not None:
                            yield self._filled(order, outcome, at)
                case Triggered():
                    self._put(replace(self.orders[outcome.order_id], triggered=True))
                case Dropped():
                    dropped = replace(
                        self.orders[outcome.order_id],
                        status=Status.CANCELED,
                        canceled_at=at,
                        updated_at=at,
                    )
                    yield self._changed(Event.CANCELED, dropped, at)
                case _:
                    assert_never(outcome)
        market.house.replenish()

    def _filled(self, order: Order, trade: Trade, at: datetime) -> Update:
        commission = self._commission_per_share * trade.quantity
        symbol = order.asset.symbol
        signed = trade.quantity if order.side is Side.BUY else -trade.quantity
        self.account.trade(symbol, signed, trade.price, commission)
        filled_quantity = order.filled_quantity + trade.quantity
        is_full = filled_quantity == order.quantity
        order = replace(
            order,
            status=Status.FILLED if is_full else Status.PARTIALLY_FILLED,
            filled_quantity=filled_quantity,
            filled_value=order.filled_value + trade.price * trade.quantity,
            filled_at=at,
            updated_at=at,
        )
        fill = Fill(trade.price, trade.quantity, commission, self.account.quantity(symbol))
        update = self._changed(Event.FILL if is_full else Event.PARTIAL_FILL, order, at, fill)
        self.fills.append(update)
        return update

    def _changed(self, event: Event, order: Order, at: datetime, fill: Fill | None = None) -> Update:
        self._put(order)
        self._updates += 1
        return Update(self._updates, event, at, order, fill)

    def _put(self, order: Order) -> None:
        self.account.hold(self.orders.put(order), order)
