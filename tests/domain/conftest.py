"""Given-when-then over one order: events that happened, a command, the events or the refusal it leads to."""

from dataclasses import dataclass

import pytest

from domain import deciding
from domain import order as orders
from domain.commands import OrderCommand
from domain.events import OrderEvent
from domain.order import Order
from domain.refusals import Refusal


@dataclass
class Story:
    order: Order | None
    command: OrderCommand | None = None

    def when(self, command: OrderCommand) -> "Story":
        return Story(self.order, command)

    def then(self, *expected: OrderEvent) -> Order:
        assert self.command is not None
        events = deciding.decide(self.order, self.command)
        assert events == list(expected)
        order = self.order
        for event in events:
            order = orders.evolve(order, event)
        assert order is not None
        # Nothing to do is an empty list, not an error: the same command again brings nothing new.
        assert deciding.decide(order, self.command) == []
        return order

    def then_refused(self, refusal: type[Refusal], message: str) -> None:
        assert self.command is not None
        with pytest.raises(refusal) as caught:
            deciding.decide(self.order, self.command)
        assert caught.value.message == message


def given(*events: OrderEvent) -> Story:
    order = None
    for event in events:
        order = orders.evolve(order, event)
    return Story(order)


def after(*events: OrderEvent) -> Order:
    """The order that these events leave."""
    order = given(*events).order
    assert order is not None
    return order
