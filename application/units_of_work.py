"""The commands of the engine as units of work: what each looks at, and what it decides. All or nothing of it is recorded."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from application.ports import Instruments, Key, KeyUse
from application.sequencer import Plan
from application.snapshots import Snapshot
from application.story import name_of
from domain import account as accounts
from domain import desk, halts, rollout
from domain.aggregates import State, VenueBook
from domain.commands import (
    AccountRequest,
    CancelOrder,
    ChangeRollout,
    HaltCommand,
    OrderReport,
    PlaceOrder,
    RecordSent,
    ReplaceOrder,
)
from domain.events import (
    HALTS_STREAM,
    ROLLOUT_STREAM,
    Event,
    Metadata,
    StreamId,
    UnknownOrderReported,
    account_stream,
    order_stream,
    venue_stream,
)
from domain.halts import NOTHING_HALTED, Halts
from domain.instruments import ANYTHING
from domain.order import Order
from domain.refusals import (
    IdempotencyKeyReused,
    InvalidSymbol,
    OrderChanged,
    OrderExecutionDisabled,
    OrderNotFound,
    VenueQueueFull,
)
from domain.rollout import ALL_ON, Rollout, Switches
from domain.validation import OrderValidator
from domain.values import OrderId


class Place(NamedTuple):
    """A new order with the keys it may use once; ``tradable`` says whether the venue trades the symbol.

    ``environment`` is what that of this process says of whose orders are taken, and ``is_queue_full`` whether too many
    orders wait for the venue already.
    """

    metadata: Metadata
    order: PlaceOrder
    validator: OrderValidator
    keys: tuple[Key, ...]
    fingerprint: str
    tradable: bool
    environment: Switches = ALL_ON
    is_queue_full: bool = False

    @property
    def streams(self) -> tuple[StreamId, StreamId, StreamId, StreamId]:
        """The order, its trader's account, what is halted, and whose orders are taken."""
        return order_stream(self.order.order_id), account_stream(self.order.trader_id), HALTS_STREAM, ROLLOUT_STREAM

    @property
    def new_streams(self) -> tuple[StreamId]:
        """The order."""
        return (order_stream(self.order.order_id),)

    def decide(self, streams: Mapping[StreamId, Snapshot[Any]], keys: Mapping[Key, KeyUse]) -> Plan:
        """See ``application.sequencer.Command``."""
        use = _earlier_use(self.keys, self.fingerprint, keys)
        if use is not None:
            return Plan(replay_of=use)
        set_: Rollout = streams[ROLLOUT_STREAM].state
        if not set_.within(self.environment).serve(self.order.trader_id):
            raise OrderExecutionDisabled
        if self.is_queue_full:
            raise VenueQueueFull
        if not self.tradable:
            raise InvalidSymbol(problem=f"{self.order.symbol} is not traded here")
        order_id, account_id, *_ = streams
        order, account, halted = streams[order_id].state, streams[account_id].state, streams[HALTS_STREAM].state
        decision = desk.decide(order, account, self.order, self.validator, halts=halted)
        return _plan(decision, order_id, account_id, keys=dict.fromkeys(self.keys, (self.fingerprint, order_id)))


class Change(NamedTuple):
    """A request about an order that is there, if it is at one of ``at_versions``; None: at any.

    One for other terms is judged by the reference prices and rules of ``instruments`` as they are ``asked_at`` that time.
    """

    metadata: Metadata
    order_id: OrderId
    command: CancelOrder | ReplaceOrder
    validator: OrderValidator
    instruments: Instruments
    asked_at: datetime
    at_versions: Collection[int] | None = None
    keys: tuple[Key, ...] = ()
    new_streams: tuple[StreamId, ...] = ()

    @property
    def streams(self) -> tuple[StreamId, ...]:
        """The order, its trader's account, and what is halted where that matters."""
        halts = (HALTS_STREAM,) if isinstance(self.command, ReplaceOrder) else ()
        return order_stream(self.order_id), account_stream(self.metadata.trader_id), *halts

    def decide(self, streams: Mapping[StreamId, Snapshot[Any]], _keys: Mapping[Key, KeyUse]) -> Plan:
        """See ``application.sequencer.Command``."""
        order_id, account_id, *_ = streams
        order = _order_of_trader(streams[order_id], self.metadata)
        version = streams[order_id].version
        if self.at_versions is not None and version not in self.at_versions:
            raise OrderChanged(version=version)
        command = self.command
        if isinstance(command, ReplaceOrder):
            instrument = self.instruments.get(order.terms.symbol)
            price, price_at = (instrument.reference_price, instrument.price_at) if instrument else (None, None)
            rules = instrument.rules if instrument else ANYTHING
            command = replace(
                command, asked_at=self.asked_at, reference_price=price, reference_price_at=price_at, rules=rules
            )
        account, halted = streams[account_id].state, _halts(streams)
        return _plan(desk.decide(order, account, command, self.validator, halts=halted), order_id, account_id)


class Record(NamedTuple):
    """Facts about an order, one after the other; ``others`` are the orders that they may touch besides.

    Whoever reports facts names no story: it is the order's own, and what led to them is the event before them.
    """

    metadata: Metadata
    order_id: OrderId
    reports: Sequence[OrderReport]
    others: tuple[OrderId, ...] = ()
    keys: tuple[Key, ...] = ()
    new_streams: tuple[StreamId, ...] = ()

    @property
    def streams(self) -> tuple[StreamId, ...]:
        """The order, its trader's account, the other orders, and what is halted where that matters."""
        order_id, account_id = order_stream(self.order_id), account_stream(self.metadata.trader_id)
        halts = (HALTS_STREAM,) if isinstance(self.reports[0], RecordSent) else ()
        return order_id, account_id, *map(order_stream, self.others), *halts

    def decide(self, streams: Mapping[StreamId, Snapshot[Any]], _keys: Mapping[Key, KeyUse]) -> Plan:
        """See ``application.sequencer.Command``."""
        order_id, account_id, *_ = streams
        order, account = _order_of_trader(streams[order_id], self.metadata), streams[account_id].state
        others = {other_id: streams[order_stream(other_id)].state for other_id in self.others}
        decision = desk.follow(order, account, self.reports, others, halts=_halts(streams))
        story = None if self.metadata.correlation_id else self._story(order_id, streams[order_id])
        return _plan(decision, order_id, account_id, metadata=story)

    def _story(self, stream_id: StreamId, order: Snapshot[State]) -> Metadata:
        correlation_id = order.correlation_id or self.order_id  # of a long stream whose beginning is archived
        cause = name_of(stream_id, order.version)
        return Metadata(self.metadata.trader_id, self.metadata.actor, correlation_id, cause)


class ReportUnknown(NamedTuple):
    """An order of the venue that is not ours."""

    metadata: Metadata
    venue_name: str
    order: UnknownOrderReported
    keys: tuple[Key, ...] = ()
    new_streams: tuple[StreamId, ...] = ()

    @property
    def streams(self) -> tuple[StreamId]:
        """What the venue said beyond our orders."""
        return (venue_stream(self.venue_name),)

    def decide(self, streams: Mapping[StreamId, Snapshot[Any]], _keys: Mapping[Key, KeyUse]) -> Plan:
        """See ``application.sequencer.Command``."""
        (stream_id,) = streams
        book: VenueBook = streams[stream_id].state
        known = book.unknown.get(self.order.venue_order_id)
        # A report tells less of a stranger than the venue's list of orders: it counts only if it is the first.
        is_news = known is None or (self.order.symbol != "" and known != self.order)
        return Plan([(stream_id, self.order)]) if is_news else Plan()


class ChangeAccount(NamedTuple):
    """A deposit or withdrawal, or other limits."""

    metadata: Metadata
    request: AccountRequest
    keys: tuple[Key, ...] = ()
    new_streams: tuple[StreamId, ...] = ()

    @property
    def streams(self) -> tuple[StreamId]:
        """The account."""
        return (account_stream(self.metadata.trader_id),)

    def decide(self, streams: Mapping[StreamId, Snapshot[Any]], keys: Mapping[Key, KeyUse]) -> Plan:
        """See ``application.sequencer.Command``."""
        fingerprint = repr(self.request)
        use = _earlier_use(self.keys, fingerprint, keys)
        if use is not None:
            return Plan(replay_of=use)
        (stream_id,) = streams
        events = [(stream_id, event) for event in accounts.decide(streams[stream_id].state, self.request)]
        return Plan(events, keys=dict.fromkeys(self.keys, (fingerprint, stream_id)))


class ChangeHalts(NamedTuple):
    """What is halted, what is not any more, and what that has led to."""

    metadata: Metadata
    command: HaltCommand
    streams: tuple[StreamId, ...] = (HALTS_STREAM,)
    keys: tuple[Key, ...] = ()
    new_streams: tuple[StreamId, ...] = ()

    def decide(self, streams: Mapping[StreamId, Snapshot[Any]], _keys: Mapping[Key, KeyUse]) -> Plan:
        """See ``application.sequencer.Command``."""
        known = streams[HALTS_STREAM].state
        return Plan([(HALTS_STREAM, event) for event in halts.decide(known, self.command)])


class SetRollout(NamedTuple):
    """Whose orders are taken from now on."""

    metadata: Metadata
    command: ChangeRollout
    streams: tuple[StreamId, ...] = (ROLLOUT_STREAM,)
    keys: tuple[Key, ...] = ()
    new_streams: tuple[StreamId, ...] = ()

    def decide(self, streams: Mapping[StreamId, Snapshot[Any]], _keys: Mapping[Key, KeyUse]) -> Plan:
        """See ``application.sequencer.Command``."""
        known = streams[ROLLOUT_STREAM].state
        return Plan([(ROLLOUT_STREAM, event) for event in rollout.decide(known, self.command)])


def _earlier_use(asked: Sequence[Key], fingerprint: str, keys: Mapping[Key, KeyUse]) -> KeyUse | None:
    """The earlier use of any of the keys.

    Raises:
        IdempotencyKeyReused: that was for another request.
    """
    for key in asked:
        use = keys.get(key)
        if use is not None and use.fingerprint != fingerprint:
            field_name = "client_order_id" if key.kind == "client_order_id" else "Idempotency-Key"
            raise IdempotencyKeyReused(field_name, key=key.value)
        if use is not None:
            return use
    return None


def _plan(
    decision: desk.Decision,
    order_id: StreamId,
    account_id: StreamId,
    *,
    keys: Mapping[Key, tuple[str, StreamId]] = MappingProxyType({}),
    metadata: Metadata | None = None,
) -> Plan:
    """What a decision about an order wants recorded."""
    events: list[tuple[StreamId, Event]] = [(order_id, event) for event in decision.order_events]
    events += [(account_id, event) for event in decision.account_events]
    states: dict[StreamId, State] = {order_id: decision.order, account_id: decision.account}
    if decision.others:  # few commands are about an order that has exits
        events += [(order_stream(other_id), event) for other_id, event in decision.other_events]
        states |= {order_stream(other_id): other for other_id, other in decision.others.items()}
    return Plan(events, states, keys, metadata=metadata)


def _order_of_trader(snapshot: Snapshot[State], metadata: Metadata) -> Order:
    """The order that a command of this trader is about.

    Raises:
        OrderNotFound: the trader has none.
    """
    order = snapshot.state
    if not isinstance(order, Order) or order.trader_id != metadata.trader_id:
        raise OrderNotFound
    return order


def _halts(streams: Mapping[StreamId, Snapshot[Any]]) -> Halts:
    halted: Halts = streams[HALTS_STREAM].state if HALTS_STREAM in streams else NOTHING_HALTED
    return halted
