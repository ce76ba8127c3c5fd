"""The trading desk: an order and its trader's account, decided together so that money follows every fact."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from domain import account as accounts
from domain import deciding
from domain import order as orders
from domain.account import Account
from domain.commands import OrderCommand, PlaceOrder, ReplaceOrder
from domain.events import AccountEvent, OrderEvent
from domain.exits import consequences
from domain.order import Order
from domain.validation import OrderValidator
from domain.values import OrderId


@dataclass(frozen=True, slots=True)
class Decision:
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
) -> Decision:
    """What the command leads to for the order and, by that, for the account.

    ``others`` are the orders that ``domain.exits.concerned`` names for the command.

    Raises:
        Refusal: the request is against a rule, or the account cannot carry it.
    """
    if isinstance(command, PlaceOrder) and order is None:
        validator.validate_order(command, account).or_refuse()
    desk = _Desk(account, dict(others))
    after = order
    for event in deciding.decide(order, command):
        after = desk.record(after, event)
    if isinstance(command, ReplaceOrder) and desk.order_events and order is not None and after is not None:
        validator.validate_replacement(order, after, account).or_refuse()
    events = tuple(desk.order_events), tuple(desk.account_events), tuple(desk.other_events)
    return Decision(after, desk.account, desk.others, *events)


@dataclass(slots=True)
class _Desk:
    """What has been decided so far, and what it leads to."""

    account: Account
    others: dict[OrderId, Order | None]
    order_events: list[OrderEvent] = field(default_factory=list)
    account_events: list[AccountEvent] = field(default_factory=list)
    other_events: list[tuple[OrderId, OrderEvent]] = field(default_factory=list)

    def record(self, order: Order | None, event: OrderEvent) -> Order:
        after = self._follow(order, event)
        self.order_events.append(event)
        for order_id, consequence in consequences(after, event, self.account, self.others):
            if order_id == after.order_id:
                after = self._follow(after, consequence)
                self.order_events.append(consequence)
            else:
                self.others[order_id] = self._follow(self.others.get(order_id), consequence)
                self.other_events.append((order_id, consequence))
        return after

    def _follow(self, before: Order | None, event: OrderEvent) -> Order:
        after = orders.evolve(before, event)
        for booked in accounts.follow(before, event, after):
            self.account = accounts.evolve(self.account, booked)
            self.account_events.append(booked)
        return after
