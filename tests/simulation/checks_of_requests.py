"""What must be true of how the engine deals with the venue: why orders end, and what is sent again.

An order may be over for one of these reasons, and no other:

- FILLED: the venue executed all of it (that the fills are real is another check).
- CANCELLED, EXPIRED or REJECTED by the venue: its order had ended like this when that was recorded.
- REJECTED by an answer: the venue refused a submission with this code, and whatever was sent before and may have
  arrived had been looked for in vain.
- CANCELLED before it was sent: no submission ever left.
- REJECTED or CANCELLED because it never arrived: no submission that may have arrived ever left; or since the last one
  that may have was sent, the venue told the same asker three times in a row that it does not know the order.
- the stop of a pair of exits, because its other exit is over and neither reached the venue, or because the venue says
  that the pair has no stop.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from domain.deciding import NEVER_ARRIVED
from domain.events import OrderCancelled, OrderExpired, OrderRejected
from domain.order import Order
from infrastructure.exchanges.paper.orders import Status
from tests.simulation.evidence import Evidence
from tests.simulation.journal import MAY_HAVE_ARRIVED, Request

End = OrderRejected | OrderCancelled | OrderExpired

PROOF = 3
"""How many times in a row somebody must be told that the venue does not have an order, before it is given up."""

_ASKED_FOR_OTHERS = frozenset({"not found", "not replaced", "ok"})


def no_order_is_over_without_a_reason(evidence: Evidence) -> Iterator[str]:
    """A report, the results of queries, or a local refusal."""
    for order_id, order in evidence.orders.items():
        for recorded in evidence.of_order(order_id):
            event = recorded.event
            if not isinstance(event, End):
                continue
            statuses = evidence.statuses_at_venue(order_id, recorded.position)
            asked = evidence.requests.get(order_id, ())
            if not (
                _ended_there(event, statuses)
                or _refused(event, asked)
                or _never_arrived(evidence, event, asked)
                or _went_with_its_pair(evidence, order)
            ):
                yield f"order {order_id} is over by {event}, the venue has {sorted(statuses)}"


def nothing_is_sent_again_without_asking(evidence: Evidence) -> Iterator[str]:
    """What may have arrived is not sent again before the venue was asked for it, by the process that sends it again.

    Of what other processes sent counts only what they were done with before this process began: two that both lead, for
    a moment, cannot know of each other, and it is the name of what they send that keeps the venue from doing it twice.
    """
    for order_id, requests in evidence.requests.items():
        for index, request in enumerate(requests):
            if request.kind not in {"submit", "replace"}:
                continue
            maybe_there, asked = False, True
            for earlier in requests[:index]:
                is_ours = earlier.process_number == request.process_number
                if (earlier.kind, earlier.number) == (request.kind, request.number):
                    may_have_arrived = earlier.outcome in {"", "unknown", "has order"}
                    if may_have_arrived and _can_know(evidence, request.process_number, earlier):
                        maybe_there, asked = True, False
                elif earlier.kind == "find" and is_ours:
                    answers = {"not found"} if request.kind == "submit" else _ASKED_FOR_OTHERS
                    asked = asked or earlier.outcome in answers
            if maybe_there and not asked:
                yield f"{request.kind} of {order_id} was sent again at {request.at:.3f} although nobody had asked for it"


def _ended_there(event: End, statuses: set[Status]) -> bool:
    match event:
        case OrderRejected():
            return event.code != NEVER_ARRIVED and Status.REJECTED in statuses
        case OrderCancelled():
            return Status.CANCELED in statuses
        case OrderExpired():
            return Status.EXPIRED in statuses


def _refused(event: End, asked: Sequence[Request]) -> bool:
    if not isinstance(event, OrderRejected):
        return False
    looked_for = True
    for request in asked:
        if request.kind == "find" and request.outcome == "not found":
            looked_for = True
        elif request.kind == "submit" and request.outcome == "refused":
            # Whoever was told may have died before it was recorded: then the next refusal, of a later attempt, counts.
            if request.code == event.code and looked_for:
                return True
        elif request.kind == "submit" and request.outcome in MAY_HAVE_ARRIVED:
            looked_for = False
    return False


def _never_arrived(evidence: Evidence, event: End, asked: Sequence[Request]) -> bool:
    is_rejected = isinstance(event, OrderRejected) and event.code == NEVER_ARRIVED
    if not (isinstance(event, OrderCancelled) or is_rejected):
        return False
    submissions = [each for each in asked if each.kind == "submit" and each.outcome in MAY_HAVE_ARRIVED]
    if not submissions:
        return True
    in_a_row: Counter[int] = Counter()
    for each in asked:
        if each.kind == "find" and all(
            each.at >= sent.at for sent in submissions if _can_know(evidence, each.process_number, sent)
        ):
            in_a_row[each.task] = in_a_row[each.task] + 1 if each.outcome == "not found" else 0
            if in_a_row[each.task] >= PROOF:
                return True
    return False


def _can_know(evidence: Evidence, process_number: int, request: Request) -> bool:
    """Whether a process can know of a request: its own, or of one that was done with it before this one began."""
    processes = evidence.world.processes
    done_at = min(request.answered_at, processes[request.process_number].died_at)
    return request.process_number == process_number or done_at <= processes[process_number].began_at


def _went_with_its_pair(evidence: Evidence, order: Order) -> bool:
    other = order.terms.oco_order_id
    if other is None or not order.is_leg:
        return False
    at_venue = evidence.at_venue[other]
    return evidence.orders[other].is_over or any(evidence.world.exchange.leg_of(each) is None for each in at_venue)
