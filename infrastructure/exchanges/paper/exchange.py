"""The exchange: books, orders and the account, and what each command does to them.

It has no clock and makes up no ids: both arrive in the commands. Therefore the same commands in the same order always
lead to the same state and the same updates, which is what the journal relies on.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import localcontext
from typing import assert_never

from msgspec.structs import replace

from infrastructure.exchanges.paper.account import Account
from infrastructure.exchanges.paper.amounts import EXACT, ZERO
from infrastructure.exchanges.paper.assets import ASSETS
from infrastructure.exchanges.paper.book import Dropped, Outcome, Side, Trade, Triggered
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
from infrastructure.exchanges.paper.entering import entering, replacing
from infrastructure.exchanges.paper.executions import Execution, Executions
from infrastructure.exchanges.paper.market import NEVER, Market
from infrastructure.exchanges.paper.orders import Event, Fill, Order, Status, Update
from infrastructure.exchanges.paper.registry import Registry


class Exchange:
    """All state of the venue. Commands must have been checked before they are applied.

    Attributes:
        account: Cash and positions.
        orders: Every order of the account.
        executions: Every trade of the account as it stands now.
        fills: Every update that carries a fill, also one that takes it back or corrects it, in order.
        fills_by_order: The same by the id of the order.
        markets: The assets that trade here, by symbol.
        opened_at: When the venue first went up.
        last_at: The time of the latest command, or of the latest order that came with it.
    """

    def __init__(self) -> None:
        self.account = Account()
        self.orders = Registry()
        self.executions = Executions()
        self.fills: list[Update] = []
        self.fills_by_order: dict[str, list[Update]] = {}
        self.markets = {asset.symbol: Market(asset) for asset in ASSETS}
        self.opened_at = NEVER
        self.last_at = NEVER
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
                case Bust():
                    return list(self._bust(command))
                case Correct():
                    return list(self._correct(command))
                case MovePrice():
                    return list(self._move_price(command))
                case EndDay():
                    return list(self._end_day(command))
                case _:
                    assert_never(command)

    def _start(self, command: Start) -> None:
        self._commission_per_share = command.commission_per_share
        if self.opened_at == NEVER:
            self.opened_at = command.at
            for market in self.markets.values():
                market.last_trade = replace(market.last_trade, at=command.at)

    def _place(self, command: Place) -> Iterator[Update]:
        orders = entering(command, self.markets[command.symbol].asset, len(self.orders))
        for each in orders:
            self._put(each)
        self.last_at = orders[-1].submitted_at
        for each in orders:
            yield self._changed(Event.NEW, each, command.at)
        if command.rejected_because:
            rejected = orders[0].rejected(command.at, command.rejected_because)
            yield self._changed(Event.REJECTED, rejected, command.at)
            yield from self._align_sibling(rejected, command.at)
            return
        for each in orders:
            yield from self._work(each.id, command.at)

    def _replace(self, command: Replace) -> Iterator[Update]:
        before = self.orders[command.id]
        replacement = replacing(before, command, len(self.orders))
        if command.refused_because:
            # It was named in an answer, so it can be asked for.
            self._put(replacement.rejected(command.at, command.refused_because))
            yield self._changed(Event.REPLACE_REJECTED, before, command.at, reason=command.refused_because)
            return
        if command.keeps_predecessor:
            # It leaves its pair to the replacement and works alone.
            self._put(replace(before, sibling=None, is_covered=False))
        else:
            self.markets[before.asset.symbol].book.cancel(before.id)
            replaced = before.replaced(command.at, replacement.id)
            yield self._changed(Event.REPLACED, replaced, command.at)
        if replacement.sibling is not None:
            self._put(replace(self.orders[replacement.sibling], sibling=replacement.id))
        self.executions.carry(before.id, replacement.id)
        yield self._changed(Event.NEW, replacement, command.at)
        yield from self._work(replacement.id, command.at)
        # The order before it may have been all that kept the house from quoting.
        self.markets[before.asset.symbol].house.replenish()

    def _cancel(self, command: Cancel) -> Iterator[Update]:
        order = self.orders[command.id]
        if command.refused_because:
            yield self._changed(Event.CANCEL_REJECTED, order, command.at, reason=command.refused_because)
        else:
            yield from self._end(Event.CANCELED, order.canceled(command.at), command.at)

    def _end_day(self, command: EndDay) -> Iterator[Update]:
        for order_id in [order.id for order in self.orders.open()]:
            # It may have ended with its sibling.
            order = self.orders[order_id]
            if order.is_open and order.expires_at is not None and order.expires_at <= command.at:
                yield from self._end(Event.EXPIRED, order.expired(command.at), command.at)

    def _end(self, event: Event, ended: Order, at: datetime) -> Iterator[Update]:
        """Take an order out of the market, and with it the other order of its pair."""
        market = self.markets[ended.asset.symbol]
        market.book.discard(ended.id)
        yield self._changed(event, ended, at)
        yield from self._align_sibling(ended, at)
        # The order may have been all that kept the house from quoting.
        market.house.replenish()

    def _align_sibling(self, order: Order, at: datetime) -> Iterator[Update]:
        """The other order of a pair wants what this one wants, and is over when this one is over."""
        sibling = None if order.sibling is None else self.orders[order.sibling]
        if sibling is None or not sibling.is_open:
            return
        book = self.markets[order.asset.symbol].book
        if not order.is_open:
            book.discard(sibling.id)
            yield self._changed(Event.CANCELED, sibling.canceled(at), at)
        elif sibling.leaves != order.leaves:
            restated = replace(sibling, quantity=sibling.filled_quantity + order.leaves, updated_at=at)
            if restated.id in book:
                book.resize(restated.id, restated.leaves)
            yield self._changed(Event.RESTATED, restated, at)

    def _bust(self, command: Bust) -> Iterator[Update]:
        execution = self._execution(command.execution_id)
        return self._revise(Event.TRADE_BUST, execution, execution.corrected(ZERO, execution.price), command.at)

    def _correct(self, command: Correct) -> Iterator[Update]:
        execution = self._execution(command.execution_id)
        right = execution.corrected(command.quantity or execution.quantity, command.price or execution.price)
        return self._revise(Event.TRADE_CORRECT, execution, right, command.at)

    def _execution(self, execution_id: str) -> Execution:
        execution = self.executions.get(execution_id)
        if execution is None:
            raise KeyError(execution_id)
        return execution

    def _revise(self, event: Event, wrong: Execution, right: Execution, at: datetime) -> Iterator[Update]:
        self.executions.put(right)
        self.account.correct(right.symbol, wrong.cost - right.cost, self.executions.trades(right.symbol))
        quantity, value = right.quantity - wrong.quantity, right.quantity * right.price - wrong.quantity * wrong.price
        before = [self.orders[order_id] for order_id in right.orders]
        after = [order.traded(quantity, value, at) for order in before]
        told = wrong if right.is_busted else right
        fill = Fill(told.price, told.quantity, told.commission, self.account.quantity(right.symbol))
        update = self._changed(event, after[0], at, fill, previous_execution_id=wrong.id)
        self._list(update)
        self.executions.put(replace(right, id=update.execution_id))
        yield update
        for order in after[1:]:
            if order.is_open or order.status is Status.FILLED:
                yield self._changed(Event.RESTATED, order, at)
            else:
                self._put(order)
        market = self.markets[right.symbol]
        for order in after:
            if order.id in market.book:
                market.book.resize(order.id, order.leaves)
                yield from self._align_sibling(order, at)
        market.house.replenish()
        for was, order in zip(before, after, strict=True):
            if order.is_open and not was.is_open:
                yield from self._work_again(order, at)

    def _work_again(self, order: Order, at: datetime) -> Iterator[Update]:
        """Send an order back into its book that lacks something after all, unless its day is over."""
        if order.expires_at is not None and order.expires_at <= at:
            yield from self._end(Event.EXPIRED, order.expired(at), at)
        else:
            yield from self._work(order.id, at)

    def _move_price(self, command: MovePrice) -> Iterator[Update]:
        market = self.markets[command.symbol]
        yield from self._settle(market, market.house.move(command.price), command.at)
        market.note_trade(command.price, market.asset.house_quantity, command.at)
        yield from self._run_stops(market, command.at)

    def _work(self, order_id: str, at: datetime) -> Iterator[Update]:
        """Send an order into its book, unless it is over already."""
        order = self.orders[order_id]
        if order.is_open:
            market = self.markets[order.asset.symbol]
            yield from self._settle(market, market.book.submit(order.ticket()), at)
            yield from self._run_stops(market, at)

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
                            yield from self._fill(order, outcome, at)
                case Triggered():
                    self._put(replace(self.orders[outcome.order_id], triggered=True))
                case Dropped():
                    dropped = self.orders[outcome.order_id].canceled(at)
                    yield self._changed(Event.CANCELED, dropped, at)
                    yield from self._align_sibling(dropped, at)
                case _:
                    assert_never(outcome)
        if outcomes:  # an order that only came to rest took nothing from a quote
            market.house.replenish()

    def _fill(self, order: Order, trade: Trade, at: datetime) -> Iterator[Update]:
        commission = self._commission_per_share * trade.quantity
        symbol = order.asset.symbol
        signed = trade.quantity if order.side is Side.BUY else -trade.quantity
        self.account.trade(symbol, signed, trade.price, commission)
        order = order.traded(trade.quantity, trade.price * trade.quantity, at)
        fill = Fill(trade.price, trade.quantity, commission, self.account.quantity(symbol))
        event = Event.FILL if order.status is Status.FILLED else Event.PARTIAL_FILL
        update = self._changed(event, order, at, fill)
        self._list(update)
        self.executions.add(update.execution_id, order, fill)
        yield update
        yield from self._align_sibling(order, at)

    def _list(self, update: Update) -> None:
        self.fills.append(update)
        self.fills_by_order.setdefault(update.order.id, []).append(update)

    def _changed(
        self,
        event: Event,
        order: Order,
        at: datetime,
        fill: Fill | None = None,
        *,
        previous_execution_id: str | None = None,
        reason: str = "",
    ) -> Update:
        self._put(order)
        self._updates += 1
        leg = self.orders.leg_of(order)
        return Update(self._updates, event, at, order, leg, fill, previous_execution_id, reason)

    def _put(self, order: Order) -> None:
        self.account.hold(self.orders.put(order), order)
