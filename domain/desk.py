"""The trading desk: an order and its trader's account, decided together so that money follows every fact."""

from dataclasses import dataclass

from domain import account as accounts
from domain import order as orders
from domain.account import Account
from domain.commands import OrderCommand, PlaceOrder
from domain.events import AccountEvent, OrderEvent
from domain.order import Order
from domain.validation import OrderValidator


@dataclass(frozen=True, slots=True)
class Decision:
    """The events of both streams, and the order they lead to."""

    order: Order | None
    order_events: tuple[OrderEvent, ...]
    account_events: tuple[AccountEvent, ...]


def decide(order: Order | None, account: Account, command: OrderCommand, validator: OrderValidator) -> Decision:
    """What the command leads to for the order and, by that, for the account.

    Raises:
        Refusal: the request is against a rule, or the account cannot carry it.
    """
    if isinstance(command, PlaceOrder) and order is None:
        validator.validate_order(command, account).or_refuse()
    order_events = tuple(orders.decide(order, command))
    account_events: list[AccountEvent] = []
    for event in order_events:
        account_events += accounts.follow(order, event)
        order = orders.evolve(order, event)
    return Decision(order, order_events, tuple(account_events))
