"""People who trade: they place and cancel, ask again when they hear nothing, and watch their streams."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeVar

from api.fan_out import Stream
from application.ports import StoreUnavailableError
from application.sequencer import SequencerBusyError
from application.trading import Caller, OrderRequest, Placed, Trading
from domain.commands import CancelOrder, Deposit, ReplaceOrder, Withdraw
from domain.pricing import LIMITED, STOPPED
from domain.refusals import IdempotencyKeyReused, OrderChanged, OrderNotFound, Refusal
from domain.values import ZERO, Money, OrderId, OrderType, Price, Quantity, Side, Symbol, TimeInForce, TraderId
from infrastructure.exchanges.paper.exchange import Exchange
from tests.simulation.chances import Chances
from tests.simulation.engine import Api, DisconnectedError
from tests.simulation.faults import Fault, Faults
from tests.simulation.loop import VirtualLoop
from tests.simulation.reports import read_message

T = TypeVar("T")

SYMBOLS = tuple(Symbol(name) for name in ("AAPL", "MSFT", "BTC/USD"))

_CENT = Decimal("0.01")
_MILL = Decimal("0.001")
_PATIENCE_SECONDS = (0.5, 5.0)
_PAUSE_SECONDS = (0.1, 1.0)
_TYPES = (OrderType.MARKET, OrderType.LIMIT, OrderType.LIMIT, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT)
_LIFETIMES = (TimeInForce.DAY, TimeInForce.GTC, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK)

_TRY_AGAIN = (DisconnectedError, StoreUnavailableError, SequencerBusyError, TimeoutError)


@dataclass(slots=True)
class Told:
    """What the engine told one trader, which it has to stand by.

    ``placed`` and ``moved``: what came of requests that were carried out, by their ids. ``doubtful``: requests that were
    refused after an attempt without an answer, and when they were asked for the last time: only a commit that lands
    later than that can carry them out all the same. ``conditions``: requests that were to be carried out only if an
    order was at a version.
    """

    placed: dict[str, OrderId] = field(default_factory=dict)
    moved: dict[str, Decimal] = field(default_factory=dict)
    doubtful: dict[str, float] = field(default_factory=dict)
    heard: list[int] = field(default_factory=list)
    conditions: dict[str, tuple[OrderId, int]] = field(default_factory=dict)
    contradictions: list[str] = field(default_factory=list)


class Trader:
    """One trader with a client program that never gives up on what has a key.

    Args:
        trader_id: who it is.
        apis: one of the processes of the API.
        exchange: where it sees prices.
        chances: what it does.
        faults: what may go wrong.
        loop: where it waits.
        holds: how much it has of a symbol, as far as the read models know.
        changes_mind: how often it cancels and replaces, and asks again for what was answered; 1 for very often.
        looks: how often it looks at what it has before it sells.
    """

    def __init__(
        self,
        trader_id: TraderId,
        apis: Callable[[], Api],
        exchange: Exchange,
        chances: Chances,
        faults: Faults,
        *,
        loop: VirtualLoop,
        holds: Callable[[Symbol], Decimal],
        changes_mind: float,
        looks: float,
    ) -> None:
        self.trader_id = trader_id
        self.told = Told()
        self._apis = apis
        self._exchange = exchange
        self._loop = loop
        self._holds = holds
        self._chances = chances
        self._faults = faults
        self._changes_mind = changes_mind
        self._looks = looks
        self._requests = 0
        self._attempts = 0
        self._asked_at = 0.0
        self._mine: list[OrderId] = []
        self._last: OrderRequest | None = None

    # ── What it does ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def trade(self, orders: int, pause_seconds: float) -> None:
        """Bring money, then place this many orders, and now and then do something else."""
        await self._move_cash(Deposit(Money(Decimal(self._chances.whole(1, 40) * 50_000))))
        for _ in range(orders):
            await self._loop.sleep(self._chances.between(0.0, 2 * pause_seconds))
            await self._place()
            if self._mine and self._chances.happens(0.3 * self._changes_mind):
                await self._change(self._chances.one_of(self._mine[-6:]), CancelOrder())
            if self._mine and self._chances.happens(0.25 * self._changes_mind):
                order_id = self._chances.one_of(self._mine[-6:])
                for _ in range(self._chances.one_of((1, 1, 1, 2, 3))):
                    await self._change(order_id, self._replacement())
            if self._chances.happens(0.03):
                amount = Money(Decimal(self._chances.whole(1, 10_000_000)) * _CENT)
                await self._move_cash(Deposit(amount) if self._chances.happens(0.5) else Withdraw(amount))

    async def close_out(self) -> None:
        """Cancel everything, whether it is over or not."""
        for order_id in self._mine:
            await self._change(order_id, CancelOrder())

    async def listen(self) -> None:
        """Follow the stream of order events, and resume wherever it was lost."""
        while True:
            api = self._apis()
            if api.is_ready and api.process.is_alive:
                await asyncio.wait([api.process.spawn(self._hear(api))])
            await self._loop.sleep(self._chances.between(*_PAUSE_SECONDS))

    async def _hear(self, api: Api) -> None:
        reached = self.told.heard[-1] if self.told.heard else 0
        stream = Stream(api.fan_out, self.trader_id)
        stream.write = self._take
        with suppress(StoreUnavailableError):
            async for message in stream.messages(reached):
                self._take(message.frame)

    def _take(self, frame: bytes) -> bool:
        """A frame arrives, from the server's own fast way or from the stream; a heartbeat is no news."""
        message = read_message(frame[frame.index(b'{"') :])  # a brace alone may be the length in the frame's head
        if message.event != "heartbeat":
            self.told.heard.append(message.position)
        return True

    async def _place(self) -> None:
        again = self._last if self._chances.happens(0.05) else None
        self._last = request = self._request() if again is None else replace(again, client_order_id=None)
        key = f"key-{self._requests}"
        caller = self._caller()
        try:
            placed = await self._insist(lambda trading: trading.place(self.trader_id, request, caller, key))
        except Refusal:
            self._note_refusal(caller)
            return
        self._note(caller, placed)
        self._mine.append(placed.order.state.order_id)
        if self._chances.happens(0.1 * self._changes_mind):  # a client that asks again, although it was answered
            await self._repeat(key, request, caller)
        if self._chances.happens(0.05 * self._changes_mind):  # a client that mixes its keys up
            await self._reuse(key, replace(request, quantity=Quantity(request.quantity * 2)))

    async def _repeat(self, key: str, request: OrderRequest, caller: Caller) -> None:
        try:
            again = await self._insist(lambda trading: trading.place(self.trader_id, request, caller, key))
        except Refusal as refusal:
            self.told.contradictions.append(f"{key} of {self.trader_id} was carried out, and then refused: {refusal}")
            return
        self._note(caller, again)
        if not again.replayed:
            self.told.contradictions.append(f"{key} of {self.trader_id} was carried out twice")

    async def _reuse(self, key: str, request: OrderRequest) -> None:
        caller = self._caller()
        try:
            await self._insist(lambda trading: trading.place(self.trader_id, request, caller, key))
        except IdempotencyKeyReused:
            return
        except Refusal as refusal:
            self.told.contradictions.append(f"{key} of {self.trader_id} was free again: {refusal}")
        else:
            self.told.contradictions.append(f"{key} of {self.trader_id} was carried out for two requests")

    def _note(self, caller: Caller, placed: Placed) -> None:
        request_id, order_id = caller.causation_id, placed.order.state.order_id
        if self.told.placed.setdefault(request_id, order_id) != order_id:
            self.told.contradictions.append(f"{request_id} is {self.told.placed[request_id]} and {order_id}")

    def _note_refusal(self, caller: Caller) -> None:
        if self._attempts > 1:
            self.told.doubtful[caller.causation_id] = self._asked_at

    async def _change(self, order_id: OrderId, request: CancelOrder | ReplaceOrder) -> None:
        caller = self._caller()
        versions = None
        if self._chances.happens(0.2):  # If-Match
            versions = (self._chances.whole(1, 5),)
            self.told.conditions[caller.causation_id] = order_id, versions[0]
        try:
            await self._insist(lambda trading: trading.change(self.trader_id, order_id, request, caller, versions))
        except OrderChanged as refusal:
            if versions is None or f"at version {versions[0]}," in refusal.message:
                self.told.contradictions.append(f"order {order_id} was refused at {versions}: {refusal}")
        except OrderNotFound:
            self.told.contradictions.append(f"order {order_id} was placed, and then not found")
        except Refusal:
            pass

    async def _move_cash(self, request: Deposit | Withdraw) -> None:
        caller = self._caller()
        key = f"key-{self._requests}"
        amount = request.amount if isinstance(request, Deposit) else -request.amount
        try:
            await self._insist(lambda trading: trading.move_cash(self.trader_id, request, caller, key))
        except Refusal:
            self._note_refusal(caller)
            return
        self.told.moved[caller.causation_id] = amount

    # ── How it asks ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _insist(self, work: Callable[[Trading], Awaitable[T]]) -> T:
        """Ask until there is an answer, of whichever process of the API there is."""
        patience_seconds = self._chances.between(*_PATIENCE_SECONDS)
        self._attempts = 0
        while True:
            self._attempts += 1
            self._asked_at = self._loop.time()
            try:
                answer = await self._apis().ask(work, patience_seconds)
                if not self._faults.strikes(Fault.API_ANSWER_LOST):
                    return answer
            except _TRY_AGAIN:
                pass
            await self._loop.sleep(self._chances.between(*_PAUSE_SECONDS))

    def _caller(self) -> Caller:
        self._requests += 1
        request_id = f"{self.trader_id}-{self._requests}"
        return Caller(f"trader:{self.trader_id}", request_id, request_id)

    def _request(self) -> OrderRequest:
        chances = self._chances
        symbol = chances.one_of(SYMBOLS)
        market = self._exchange.markets[symbol].book.last_price
        order_type = chances.one_of(_TYPES)
        stop_price = self._near(market) if order_type in STOPPED else None
        price = self._near(stop_price or market) if order_type in LIMITED else None
        side, quantity = chances.one_of((Side.BUY, Side.BUY, Side.SELL)), self._quantity(symbol)
        if side is Side.SELL and chances.happens(self._looks):
            held = self._holds(symbol)
            side, quantity = (side, Quantity(min(quantity, held))) if held > ZERO else (Side.BUY, quantity)
        entry = Decimal(0) if side is Side.SELL else price or stop_price or market
        return OrderRequest(
            symbol=symbol,
            side=side,
            quantity=quantity,
            order_type=order_type,
            price=price,
            stop_price=stop_price,
            time_in_force=chances.one_of(_LIFETIMES),
            stop_loss=self._beside(entry, -1) if entry and chances.happens(0.25) else None,
            take_profit=self._beside(entry, 1) if entry and chances.happens(0.25) else None,
            client_order_id=f"mine-{self._requests}" if chances.happens(0.2) else None,
        )

    def _replacement(self) -> ReplaceOrder:
        """Other terms, which may or may not fit the order."""
        chances = self._chances
        market = self._exchange.markets[chances.one_of(SYMBOLS)].book.last_price
        return chances.one_of(
            (
                ReplaceOrder(quantity=self._quantity(chances.one_of(SYMBOLS))),
                ReplaceOrder(price=self._near(market)),
                ReplaceOrder(stop_price=self._near(market)),
                ReplaceOrder(quantity=self._quantity(chances.one_of(SYMBOLS)), price=self._near(market)),
            )
        )

    def _beside(self, entry: Decimal, direction: int) -> Price:
        """A price for an exit, close enough to be reached."""
        away = 1 + direction * Decimal(self._chances.whole(1, 80)) / 10_000
        return Price((entry * away).quantize(_CENT))

    def _near(self, price: Decimal) -> Price:
        """A price within half a percent; now and then one that the exchange does not take."""
        step = _MILL if self._chances.happens(0.02) else _CENT
        away = Decimal(self._chances.whole(-50, 50)) / 10_000
        return Price(max((price * (1 + away)).quantize(step), _CENT))

    def _quantity(self, symbol: Symbol) -> Quantity:
        """From a fraction to more than the house shows."""
        scale = Decimal("0.001") if symbol == "BTC/USD" else Decimal(1)
        quantity = Decimal(self._chances.one_of((1, 5, 10, 100, 700, 3_000)) + self._chances.whole(0, 9)) * scale
        if self._chances.happens(0.1):
            quantity /= 8
        return Quantity(quantity) if quantity > ZERO else Quantity(scale)
