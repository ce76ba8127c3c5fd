"""The trading desk: an order and its trader's account, decided together so that money follows every fact."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from types import MappingProxyType
from typing import NamedTuple

from domain import account as accounts
from domain import deciding
from domain import order as orders
from domain.account import Account
from domain.activity import Asked
from domain.commands import CancelOrder, OrderCommand, OrderReport, PlaceOrder, RecordSent, ReplaceOrder
from domain.events import AccountEvent, OrderEvent
from domain.exits import consequences
from domain.halts import NOTHING_HALTED, Halts, cancel_reason
from domain.order import Order
from domain.risk import asked_by_replacement
from domain.validation import OrderValidator
from domain.values import OrderId


class Decision(NamedTuple):
    """What happens: to the order, in ``order_events``; to other orders because of that; to the account by all of it.

    ``order``, ``account`` and ``others`` are what these events leave.
    """

    order: Order | None
    account: Account
    others: Mapping[OrderId, Order | None]
    order_events: tuple[OrderEvent, ...]
    account_events: tuple[AccountEvent, ...]
    other_events: tuple[tuple[OrderId, OrderEvent], ...]


def decide(
    order: Order | None,
    account: Account,
    command: OrderCommand,
    validator: OrderValidator,
    others: Mapping[OrderId, Order | None] = MappingProxyType({}),
    *,
    halts: Halts = NOTHING_HALTED,
) -> Decision:
    """What the command leads to for the order and, by that, for the account.

    ``others`` are the orders that ``domain.exits.concerned`` names for the command, and ``halts`` is what is halted: new
    orders and other terms are refused then, and what was never sent is cancelled instead. Exits are sent all the same.

    Raises:
        Refusal: the request is against a rule, or the account cannot carry it.
    """
    asked = None
    if isinstance(command, PlaceOrder):
        if order is None:
            halts.refuse(command.trader_id, command.symbol)
            asked = validator.admit(command, account)
        events = deciding.decide(order, command)
    elif isinstance(command, ReplaceOrder):
        events = deciding.decide(order, command)
        if events and order is not None:
            halts.refuse(order.trader_id, order.terms.symbol)
            wished = reduce(orders.evolve, events, order)
            validator.validate_replacement(order, wished, account, command).or_refuse()
            asked = asked_by_replacement(order, wished, command)
    else:
        return follow(order, account, (command,), others, halts=halts)
    desk = _Desk(account, dict(others))
    for event in events:
        order = desk.record(order, event, asked)
        asked = None
    return desk.decision(order)


def follow(
    order: Order | None,
    account: Account,
    commands: Iterable[CancelOrder | OrderReport],
    others: Mapping[OrderId, Order | None] = MappingProxyType({}),
    *,
    halts: Halts = NOTHING_HALTED,
) -> Decision:
    """What these lead to, one after the other: facts, which nobody can refuse, or a cancel, which asks for no money.

    ``others`` and ``halts`` are as in ``decide``.

    Raises:
        OrderNotFound: there is no such order.
        OrderNotCancellable: it is over already.
    """
    desk = _Desk(account, dict(others))
    for command in commands:
        events = deciding.decide(order, command)
        if isinstance(command, RecordSent) and events and order is not None and order.terms.parent_order_id is None:
            events = _unless_halted(order, events, halts)
        for event in events:
            order = desk.record(order, event)
    return desk.decision(order)


def _unless_halted(order: Order, events: list[OrderEvent], halts: Halts) -> list[OrderEvent]:
    scope = halts.scope_that_halts(order.trader_id, order.terms.symbol)
    return events if scope is None else deciding.decide(order, CancelOrder(cancel_reason(scope, order.terms.symbol)))


@dataclass(slots=True)
class _Desk:
    """What has been decided so far, and what it leads to."""

    account: Account
    others: dict[OrderId, Order | None]
    order_events: list[OrderEvent] = field(default_factory=list)
    account_events: list[AccountEvent] = field(default_factory=list)
    other_events: list[tuple[OrderId, OrderEvent]] = field(default_factory=list)

    def record(self, order: Order | None, event: OrderEvent, asked: Asked | None = None) -> Order:
        after = self._follow(order, event, asked)
        self.order_events.append(event)
        for order_id, consequence in consequences(after, event, self.account, self.others):
            if order_id == after.order_id:
                after = self._follow(after, consequence)
                self.order_events.append(consequence)
            else:
                self.others[order_id] = self._follow(self.others.get(order_id), consequence)
                self.other_events.append((order_id, consequence))
        return after

    def decision(self, order: Order | None) -> Decision:
        decided = tuple(self.order_events), tuple(self.account_events), tuple(self.other_events)
        return Decision(order, self.account, self.others, *decided)

    def _follow(self, before: Order | None, event: OrderEvent, asked: Asked | None = None) -> Order:
        after = orders.evolve(before, event)
        for booked in accounts.follow(before, event, after, asked):
            self.account = accounts.evolve(self.account, booked)
            self.account_events.append(booked)
        return after
