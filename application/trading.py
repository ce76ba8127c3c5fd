"""What people and the venue may do: place, cancel and replace orders, move cash, report facts. Each is one command."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field
from typing import NamedTuple, cast

from application.ports import NOW, AsOf, Clock, EventStore, Ids, Instruments, Key, KeyUse
from application.sequencer import Outcome, Sequencer
from application.snapshots import Snapshot, advanced, empty
from application.units_of_work import Change, ChangeAccount, ChangeHalts, Place, Record, ReportUnknown, SetRollout
from domain.account import Account
from domain.aggregates import State
from domain.commands import (
    CancelOrder,
    ChangeLimits,
    ChangeRollout,
    Deposit,
    HaltCommand,
    OrderReport,
    PlaceOrder,
    ReplaceOrder,
    Withdraw,
)
from domain.events import (
    HALTS_STREAM,
    ROLLOUT_STREAM,
    AccountEvent,
    Metadata,
    OrderPlaced,
    RecordedEvent,
    StreamId,
    TradingHalted,
    UnknownOrderReported,
    account_stream,
    order_stream,
)
from domain.exits import concerned
from domain.frozen import dataclass
from domain.halts import Halts
from domain.instruments import ANYTHING
from domain.order import Order
from domain.position import Position, positions_of
from domain.rollout import ALL_ON, Rollout, Switches
from domain.validation import OrderValidator
from domain.values import OrderId, OrderType, Price, Quantity, Side, Symbol, TimeInForce, TraderId, exactly

NOBODY = TraderId("")
"""Whom events are about that are about no trader."""


class Caller(NamedTuple):
    """Who asks (``trader:alice``, ``ops:bob``, ``venue``, ``engine``), and the request that it belongs to.

    Without ids, a fact about an order belongs to that order's story.
    """

    actor: str
    correlation_id: str = ""
    causation_id: str = ""

    def metadata(self, trader_id: TraderId) -> Metadata:
        """What is recorded beside the events of a command about this trader."""
        return Metadata(trader_id, self.actor, self.correlation_id, self.causation_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """An order as a trader asks for it."""

    symbol: Symbol
    side: Side
    quantity: Quantity
    order_type: OrderType
    price: Price | None = None
    stop_price: Price | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    stop_loss: Price | None = None
    take_profit: Price | None = None
    client_order_id: str | None = None

    def fingerprint(self) -> str:
        """Equal for equal requests: SHA-256 over the terms, hexadecimal."""
        terms = (
            self.symbol,
            str(self.side),
            f"{self.quantity:f}",
            str(self.order_type),
            *(price and f"{price:f}" for price in (self.price, self.stop_price, self.stop_loss, self.take_profit)),
            str(self.time_in_force),
            self.client_order_id,
        )
        return hashlib.sha256(repr(terms).encode()).hexdigest()


class Placed(NamedTuple):
    """An order that was placed; ``replayed`` when that had happened before, with the order as first answered."""

    order: Snapshot[Order]
    replayed: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """An account after cash moved; ``replayed`` when that had happened before, with the account as first answered."""

    account: Snapshot[Account]
    replayed: bool


@dataclass(frozen=True, slots=True)
class Portfolio:
    """An account with the positions that its trades have led to, by symbol; of one moment."""

    account: Snapshot[Account]
    positions: Mapping[Symbol, Position]


@dataclass(frozen=True, slots=True)
class HaltsInForce:
    """What is halted, with the events that led to it, when the log ended at the position."""

    halts: Halts
    events: Sequence[RecordedEvent]
    position: int

    def active(self) -> Iterator[RecordedEvent]:
        """The event behind each halt, in the order in which they were made."""
        last = {event.event.scope: event for event in self.events if isinstance(event.event, TradingHalted)}
        return (event for scope, event in last.items() if scope in self.halts.active)

    def to_cancel(self) -> Iterator[RecordedEvent]:
        """The events behind the halts whose open orders are still to be cancelled."""
        return (event for event in self.events if event.version in self.halts.to_cancel)


@dataclass(frozen=True, slots=True)
class RolloutInForce:
    """What is set of whose orders are taken, with the event that set it, when the log ended at the position."""

    state: Rollout
    last: RecordedEvent | None
    position: int


@dataclass(frozen=True, slots=True)
class Trading:
    """Every command of the engine, and the aggregates as the log has them."""

    sequencer: Sequencer
    store: EventStore
    instruments: Instruments
    ids: Ids
    clock: Clock
    validator: OrderValidator = field(default_factory=OrderValidator)

    async def place(
        self,
        trader_id: TraderId,
        request: OrderRequest,
        caller: Caller,
        idempotency_key: str | None = None,
        environment: Switches = ALL_ON,
        *,
        is_queue_full: bool = False,
    ) -> Placed:
        """Record the order and hold what it may cost.

        The same idempotency key or client order id with the same request again gives the first answer again, also where
        the trader's orders are not taken any more. ``environment`` is what that of this process says of that, and
        ``is_queue_full`` whether too many orders wait for the venue.

        Raises:
            Refusal: against the rules, the balance, the limits; or a key that was used for another request.
        """
        instrument = self.instruments.get(request.symbol)
        order_id = OrderId(self.ids.new())
        order = PlaceOrder(
            order_id=order_id,
            trader_id=trader_id,
            client_order_id=request.client_order_id or order_id,
            symbol=request.symbol,
            side=request.side,
            quantity=request.quantity,
            order_type=request.order_type,
            price=request.price,
            stop_price=request.stop_price,
            time_in_force=request.time_in_force,
            stop_loss=request.stop_loss,
            take_profit=request.take_profit,
            reference_price=instrument.reference_price if instrument else None,
            reference_price_at=instrument.price_at if instrument else None,
            asked_at=self.clock.now(),
            rules=instrument.rules if instrument else ANYTHING,
        )
        keys = []
        if idempotency_key is not None:
            keys.append(Key(trader_id, "idempotency", idempotency_key))
        if request.client_order_id is not None:
            keys.append(Key(trader_id, "client_order_id", request.client_order_id))
        tradable = instrument is not None and instrument.tradable
        fingerprint = request.fingerprint() if keys else ""
        metadata = caller.metadata(trader_id)
        admission = tradable, environment, is_queue_full
        command = Place(metadata, order, self.validator, tuple(keys), fingerprint, *admission)
        outcome = await self.sequencer.execute(command)
        if outcome.replay_of is not None:
            first = await self._first_answer(outcome.replay_of)
            return Placed(cast("Snapshot[Order]", first), replayed=True)
        return Placed(_order_of(outcome, order_id), replayed=False)

    async def change(
        self,
        trader_id: TraderId,
        order_id: OrderId,
        request: CancelOrder | ReplaceOrder,
        caller: Caller,
        at_versions: Collection[int] | None = None,
    ) -> Snapshot[Order]:
        """Take back what is not filled yet, or go on with other terms: at once if the order never left the engine.

        Otherwise the venue is asked next. ``at_versions`` are those that the order may be at, None: any.

        Raises:
            OrderNotFound: the trader has no such order.
            OrderChanged: it is at none of these versions.
            Refusal: it is over already, or the new terms are against the rules, the balance or the limits.
        """
        now = self.clock.now()
        metadata = caller.metadata(trader_id)
        command = Change(metadata, order_id, request, self.validator, self.instruments, now, at_versions)
        return _order_of(await self.sequencer.execute(command), order_id)

    async def report(self, terms: OrderPlaced, reports: Sequence[OrderReport], caller: Caller) -> Outcome:
        """Record facts about the order that was placed on these terms; nothing happens where they are known already.

        A ``RecordSent`` comes alone.
        """
        others = dict.fromkeys(other for report in reports for other in concerned(terms, report))
        command = Record(caller.metadata(terms.trader_id), terms.order_id, reports, tuple(others))
        return await self.sequencer.execute(command)

    async def report_unknown(self, venue_name: str, order: UnknownOrderReported, caller: Caller) -> None:
        """Record an order of the venue that is not ours; nothing happens when it was reported just like this before."""
        await self.sequencer.execute(ReportUnknown(caller.metadata(NOBODY), venue_name, order))

    async def move_cash(
        self, trader_id: TraderId, request: Deposit | Withdraw, caller: Caller, idempotency_key: str | None = None
    ) -> Moved:
        """Deposit or withdraw; the same idempotency key with the same request again moves nothing again.

        Raises:
            InsufficientFundsToWithdraw: more is asked for than is available.
            IdempotencyKeyReused: the key was used for another movement of cash.
        """
        keys = (Key(trader_id, "cash", idempotency_key),) if idempotency_key is not None else ()
        outcome = await self.sequencer.execute(ChangeAccount(caller.metadata(trader_id), request, keys))
        if outcome.replay_of is not None:
            return Moved(cast("Snapshot[Account]", await self._first_answer(outcome.replay_of)), replayed=True)
        return Moved(cast("Snapshot[Account]", outcome.snapshots[account_stream(trader_id)]), replayed=False)

    async def change_limits(self, trader_id: TraderId, request: ChangeLimits, caller: Caller) -> Snapshot[Account]:
        """Set limits of the trader, or give them back to the defaults; nothing happens when they are so already."""
        outcome = await self.sequencer.execute(ChangeAccount(caller.metadata(trader_id), request))
        return cast("Snapshot[Account]", outcome.snapshots[account_stream(trader_id)])

    async def change_halts(self, command: HaltCommand, caller: Caller) -> Outcome:
        """Halt or resume, or record what came of it.

        Raises:
            NotHalted: what is to be resumed is not halted.
        """
        return await self.sequencer.execute(ChangeHalts(caller.metadata(NOBODY), command))

    async def halts(self) -> "HaltsInForce":
        """What is halted, from the log, as fresh as the log."""
        loaded = await self.store.load({HALTS_STREAM: 0})
        events = loaded.streams.get(HALTS_STREAM, ())
        return HaltsInForce(cast("Halts", advanced(empty(HALTS_STREAM), events).state), events, loaded.position)

    async def change_rollout(self, command: ChangeRollout, caller: Caller) -> None:
        """Take orders from others than before, in every process; nothing happens when it is set like that already.

        Raises:
            InvalidRequest: it names nothing to change, or a share of traders that is none.
        """
        await self.sequencer.execute(SetRollout(caller.metadata(NOBODY), command))

    async def rollout(self) -> RolloutInForce:
        """What is set of whose orders are taken, as fresh as the log."""
        loaded = await self.store.load({ROLLOUT_STREAM: 0})
        events = loaded.streams.get(ROLLOUT_STREAM, ())
        state = cast("Rollout", advanced(empty(ROLLOUT_STREAM), events).state)
        return RolloutInForce(state, events[-1] if events else None, loaded.position)

    async def order(self, order_id: OrderId, as_of: AsOf = NOW, version: int | None = None) -> Snapshot[Order] | None:
        """The order from the log, as fresh as the log, or as it was at a moment or version; None if it was not."""
        stream_id = order_stream(order_id)
        is_now = as_of is NOW and version is None
        snapshot = await (self._now(stream_id) if is_now else self._fold(stream_id, as_of, version))
        return cast("Snapshot[Order]", snapshot) if snapshot.version else None

    async def account(self, trader_id: TraderId) -> Snapshot[Account]:
        """The account from the log, as fresh as the log."""
        return cast("Snapshot[Account]", await self._now(account_stream(trader_id)))

    async def _now(self, stream_id: StreamId) -> Snapshot[State]:
        """From what the sequencer has seen, only what happened since is read."""
        known = self.sequencer.last_seen(stream_id)
        loaded = await self.store.load({stream_id: known.version}, from_snapshots=True)
        with exactly():
            return advanced(loaded.snapshots.get(stream_id, known), loaded.streams.get(stream_id, ()))

    async def portfolio(self, trader_id: TraderId, version: int) -> Portfolio:
        """The account and its positions from the log, as they were at a version."""
        stream_id = account_stream(trader_id)
        recorded = (await self.store.history([stream_id], version=version)).events
        with exactly():
            account = cast("Snapshot[Account]", advanced(empty(stream_id), recorded))
            return Portfolio(account, positions_of(cast("AccountEvent", each.event) for each in recorded))

    async def _fold(self, stream_id: StreamId, as_of: AsOf, version: int | None) -> Snapshot[State]:
        history = await self.store.history([stream_id], as_of, version)
        with exactly():
            return advanced(empty(stream_id), history.events)

    async def _first_answer(self, use: KeyUse) -> Snapshot[State]:
        return await self._fold(use.stream_id, NOW, use.version)


def _order_of(outcome: Outcome, order_id: OrderId) -> Snapshot[Order]:
    return cast("Snapshot[Order]", outcome.snapshots[order_stream(order_id)])
