"""What must be true of halts: nobody trades where trading is halted, and what is to be cancelled is. Sentences say what is not."""

from collections.abc import Iterator

from domain.events import (
    HALTS_STREAM,
    OpenOrdersCancelRequested,
    OrderPlaced,
    OrderReplaceRequested,
    RecordedEvent,
    TradingHalted,
    TradingResumed,
    order_of,
)
from domain.halts import scopes_of
from domain.lifecycle import FINAL, Status
from domain.order import Order
from tests.simulation.evidence import Evidence

_GOING = FINAL | {Status.PENDING_CANCEL}


def a_halt_holds_from_its_commit_on(evidence: Evidence) -> Iterator[str]:
    """Whichever process decides: no new order and no other terms where trading is halted. Exits are placed all the same."""
    halted: set[str] = set()
    for recorded in evidence.log:
        event = recorded.event
        if isinstance(event, TradingHalted):
            halted.add(event.scope)
        elif isinstance(event, TradingResumed):
            halted.remove(event.scope)
        elif halted and _is_wish(recorded) and (order_id := order_of(recorded.stream_id)) is not None:
            terms = evidence.orders[order_id].terms
            if scopes := halted.intersection(scopes_of(terms.trader_id, terms.symbol)):
                yield f"order {order_id} was asked for at position {recorded.position} while {sorted(scopes)} was halted"


def _is_wish(recorded: RecordedEvent) -> bool:
    event = recorded.event
    return isinstance(event, OrderReplaceRequested) or (isinstance(event, OrderPlaced) and not event.parent_order_id)


def what_a_halt_is_to_cancel_is_cancelled(evidence: Evidence) -> Iterator[str]:
    """By the time that it says so, and it does: each order of the scope that worked when it was made has been asked back."""
    events = evidence.of_stream[HALTS_STREAM]
    done = {each.event.halt_version: each for each in events if isinstance(each.event, OpenOrdersCancelRequested)}
    for halt in events:
        if not isinstance(halt.event, TradingHalted) or not halt.event.cancel_open:
            continue
        if halt.version not in done:
            yield f"the halt of {halt.event.scope} at position {halt.position} never cancelled what worked"
            continue
        until = done[halt.version].position
        for order in evidence.orders.values():
            if halt.event.scope in scopes_of(order.trader_id, order.terms.symbol):
                yield from _left_alone(evidence, order, halt, until)


def _left_alone(evidence: Evidence, order: Order, halt: RecordedEvent, until: int) -> Iterator[str]:
    status, was_there = None, False
    for recorded in evidence.of_order(order.order_id):
        if recorded.position > until or (status in _GOING and was_there):
            break
        was_there = was_there or recorded.position < halt.position
        status = getattr(recorded.event, "status", status)
    if was_there and status not in _GOING:
        yield f"order {order.order_id} worked when {halt} was made, and was {status} at position {until}"
