"""What must be true of how the engine deals with the venue: why orders end, and what is sent again.

An order may be over for one of these reasons, and no other:

- FILLED: the venue executed all of it (that the fills are real is another check).
- CANCELLED, EXPIRED or REJECTED by the venue: its order had ended like this when that was recorded.
- REJECTED by an answer: the venue refused a submission with this code, told so the process that recorded it, and
  whatever was sent before and may have arrived had been looked for in vain.
- CANCELLED before it was sent: no submission ever left.
- REJECTED or CANCELLED because it never arrived: no submission that may have arrived ever left; or since the last one
  that may have was sent, and the last attempt recorded, the venue told the same asker, of the process that recorded the
  end, three times in a row that it does not know the order.
- the stop of a pair of exits, because its other exit is over and neither reached the venue, or because the venue says
  that the pair has no stop.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from math import inf
from typing import NamedTuple

from domain.deciding import NEVER_ARRIVED
from domain.events import OrderCancelled, OrderExpired, OrderRejected, OrderSent, RecordedEvent
from domain.order import Order
from domain.values import OrderId
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
            if not (
                _ended_there(event, statuses)
                or _refused(evidence, order_id, recorded)
                or _never_arrived(evidence, order_id, recorded)
                or _went_with_its_pair(evidence, order)
            ):
                yield f"order {order_id} is over by {event}, the venue has {sorted(statuses)}"


def nothing_is_sent_again_without_asking(evidence: Evidence) -> Iterator[str]:
    """What may have arrived is not sent again before the venue was asked for it, by the process that sends it again.

    Of what other processes sent counts what they were done with before this process began, and what the log had as an
    attempt before this one: two that both lead, for a moment, cannot know more of each other, and it is the name of what
    they send that keeps the venue from doing it twice.
    """
    for order_id, requests in evidence.requests.items():
        attempts = _attempts(evidence, order_id)
        for index, request in enumerate(requests):
            if request.kind not in {"submit", "replace"}:
                continue
            if request.kind == "submit" and not _is_new_attempt(request, requests[:index], attempts):
                yield f"{order_id} was sent at {request.at:.3f} without an attempt recorded for it"
            answers = {"not found"} if request.kind == "submit" else _ASKED_FOR_OTHERS
            own = (each for each in requests[:index] if each.process_number == request.process_number)
            asked_at = max((each.at for each in own if each.kind == "find" and each.outcome in answers), default=-1.0)
            same = (each for each in requests[:index] if (each.kind, each.number) == (request.kind, request.number))
            maybe_there = (each for each in same if each.outcome in {"", "unknown", "has order"})
            if any(_known_since(evidence, request, each, attempts) > asked_at for each in maybe_there):
                yield f"{request.kind} of {order_id} was sent again at {request.at:.3f} although nobody had asked for it"


def _is_new_attempt(request: Request, before: Sequence[Request], attempts: Sequence["_Attempt"]) -> bool:
    """Whether its process had recorded the attempt, and used it for nothing else yet that the venue had time for."""
    mine = _attempt_of(request, attempts)
    own = (each for each in before if (each.kind, each.process_number) == ("submit", request.process_number))
    return mine is not None and all(each.outcome == "busy" or each.at < mine.at for each in own)


def _known_since(evidence: Evidence, request: Request, earlier: Request, attempts: Sequence["_Attempt"]) -> float:
    """When the process that sends a request could know of an earlier one for the same; never: before everything."""
    if _can_know(evidence, request.process_number, earlier):
        return earlier.at
    mine, theirs = _attempt_of(request, attempts), _attempt_of(earlier, attempts)
    is_in_the_log = request.kind == "submit" and theirs is not None and mine is not None and theirs.at < mine.at
    return theirs.at if theirs is not None and is_in_the_log else -inf


def _ended_there(event: End, statuses: set[Status]) -> bool:
    match event:
        case OrderRejected():
            return event.code != NEVER_ARRIVED and Status.REJECTED in statuses
        case OrderCancelled():
            return Status.CANCELED in statuses
        case OrderExpired():
            return Status.EXPIRED in statuses


class _Attempt(NamedTuple):
    """When an attempt was recorded, and by which process."""

    at: float
    process_number: int


def _attempts(evidence: Evidence, order_id: OrderId) -> list[_Attempt]:
    """All attempts to send an order, in order."""
    events = evidence.of_order(order_id)
    sent = [each for each in events if isinstance(each.event, OrderSent)]
    return [_Attempt(evidence.recorded_at(each), evidence.writer_of(each)) for each in sent]


def _attempt_of(request: Request, attempts: Sequence[_Attempt]) -> _Attempt | None:
    """The attempt that a submission belongs to: the last that its process had recorded."""
    own = [each for each in attempts if each.process_number == request.process_number and each.at <= request.at]
    return own[-1] if own else None


def _refused(evidence: Evidence, order_id: OrderId, recorded: RecordedEvent) -> bool:
    event, writer, until = recorded.event, evidence.writer_of(recorded), evidence.recorded_at(recorded)
    if not isinstance(event, OrderRejected):
        return False
    looked_for = True
    for request in evidence.requests.get(order_id, ()):
        if request.kind == "find" and request.outcome == "not found":
            looked_for = True
        elif request.kind == "submit" and request.outcome == "refused":
            # Whoever was told may have died before it was recorded: then the next refusal, of a later attempt, counts.
            is_told = request.process_number == writer and request.answered_at <= until
            if request.code == event.code and is_told and looked_for:
                return True
        elif request.kind == "submit" and request.outcome in MAY_HAVE_ARRIVED:
            looked_for = False
    return False


def _never_arrived(evidence: Evidence, order_id: OrderId, recorded: RecordedEvent) -> bool:
    event, writer, until = recorded.event, evidence.writer_of(recorded), evidence.recorded_at(recorded)
    is_rejected = isinstance(event, OrderRejected) and event.code == NEVER_ARRIVED
    if not (isinstance(event, OrderCancelled) or is_rejected):
        return False
    asked = [each for each in evidence.requests.get(order_id, ()) if each.at <= until]
    submissions = [each for each in asked if each.kind == "submit" and each.outcome in MAY_HAVE_ARRIVED]
    if not submissions:
        return True
    last_attempt_at = max((attempt.at for attempt in _attempts(evidence, order_id) if attempt.at <= until), default=0.0)
    known = [sent for sent in submissions if _can_know(evidence, writer, sent)]
    in_a_row: Counter[str] = Counter()
    for each in asked:
        is_proof = each.process_number == writer and each.at >= last_attempt_at and each.answered_at <= until
        if each.kind == "find" and is_proof and all(each.at >= sent.at for sent in known):
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
