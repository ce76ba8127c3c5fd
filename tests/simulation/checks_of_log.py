"""What must be true of the log, of what is made from it, and of what was told to people. Sentences say what is not."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from math import inf

from application.status import MESSAGE_NAMES
from domain.aggregates import initial
from domain.events import (
    FundsDeposited,
    FundsWithdrawn,
    OrderFillBusted,
    OrderFillCorrected,
    OrderReplaced,
    RecordedEvent,
    account_stream,
    order_of,
)
from domain.lifecycle import FINAL, Status
from domain.values import OrderId
from infrastructure.codec import Codec
from infrastructure.postgres.chain import GENESIS, leaf, link, timestamp
from projections.orders import OrderRow
from projections.registry import PROJECTIONS
from tests.simulation.evidence import Evidence

_NOT_OURS = "the venue reports an order that is not ours"


def nothing_was_logged_as_an_error(evidence: Evidence) -> Iterator[str]:
    """An error in the engine's own log is something that must not happen; orders of others are reported in this way."""
    yield from (error for error in evidence.world.heard.errors if not error.startswith(_NOT_OURS))


def the_log_is_whole(evidence: Evidence) -> Iterator[str]:
    """Positions and versions without gaps, times that never fall, the hash chain, and what is stored can be read."""
    stored, last, versions = Codec().recorded_events(evidence.raw), GENESIS, defaultdict[str, int](int)
    previous, at = None, b""
    for position, (recorded, raw) in enumerate(zip(evidence.log, evidence.raw, strict=True), start=1):
        number, stream_id, version, type_, data, metadata, recorded_at, hash_ = raw
        versions[stream_id] += 1
        if number != position or version != versions[stream_id]:
            yield f"at position {position} stands position {number}, version {version} of {stream_id}"
        if previous is not None and recorded_at < previous:
            yield f"the time of the log falls at position {position}"
        if recorded_at is not previous:  # those of one commit share it
            previous, at = recorded_at, timestamp(recorded_at)
        last = link(last, leaf(position, stream_id, version, type_, data.encode(), metadata.encode(), at))
        if hash_ != last:
            yield f"the hash chain breaks at position {position}"
            return
        if next(stored) != recorded:
            yield f"what is stored at position {position} is not what was recorded"


def the_read_models_are_the_fold_of_the_log(evidence: Evidence) -> Iterator[str]:
    """Folded afresh, all of the log as one batch; and the orders are what the domain makes of them."""
    tables = evidence.world.database.tables
    if tables.position != len(evidence.log):
        yield f"the tables stand at {tables.position}, the log ends at {len(evidence.log)}"
    afresh = {projection.name: projection.fold({}, evidence.log, evidence.of_stream) for projection in PROJECTIONS}
    for projection in PROJECTIONS:
        live, expected = tables.rows[projection.name], afresh[projection.name]
        if live == expected:
            continue
        for key in sorted(live.keys() | expected.keys()):
            if live.get(key) != expected.get(key):
                yield f"{projection.name} {key}: the log leads to {expected.get(key)}, the table has {live.get(key)}"
    for order_id, order in evidence.orders.items():
        row = afresh["orders"].get((order_id,))
        if not isinstance(row, OrderRow):
            yield f"order {order_id} is not in the tables"
            continue
        shown = (row.status, row.filled_quantity, row.leaves_quantity, row.average_fill_price, row.flags)
        if shown != (order.status, order.filled_quantity, order.leaves_quantity, order.average_fill_price, order.flags):
            yield f"order {order_id} is {order}, the table shows {shown}"


def what_is_remembered_is_what_happened(evidence: Evidence) -> Iterator[str]:
    """Whatever a process knows of a stream, it knows as the fold of the log up to some event, and those that follow it."""
    world = evidence.world
    for program in (*world.apis, *world.workers):
        remembered = program.trading.sequencer._known._streams if program.trading is not None else {}
        for stream_id, known in remembered.items():
            snapshot, recorded = known.snapshot, evidence.of_stream[stream_id]
            state = evidence.after[recorded[snapshot.version - 1].position] if snapshot.version else initial(stream_id)
            if snapshot.state != state:
                yield f"{program.process.name} knows {stream_id} as {snapshot.state}, the log leads to {state}"
            if [*known.ahead] != recorded[snapshot.version : known.version]:
                yield f"{program.process.name} knows what followed version {snapshot.version} of {stream_id} as {known.ahead}"


def statuses_never_step_backwards(evidence: Evidence) -> Iterator[str]:
    """Final is final, except that the exchange may take back what filled an order, or have made it larger before."""
    reopening = (OrderFillBusted, OrderFillCorrected, OrderReplaced)
    for order_id in evidence.orders:
        status = None
        for recorded in evidence.of_order(order_id):
            now = getattr(recorded.event, "status", None)
            reopened = status is Status.FILLED and isinstance(recorded.event, reopening)
            if status in FINAL and now is not status and not reopened:
                yield f"order {order_id} was {status} and is {now} at position {recorded.position}"
            status = now


def what_was_answered_is_true(evidence: Evidence) -> Iterator[str]:
    """Exactly what a client was told of was done, once: orders placed, money moved, conditions kept.

    What was refused is not done, except that an attempt before, which had no answer, may be recorded after the refusal.
    """
    for trader in evidence.world.traders:
        told = trader.told
        yield from told.contradictions
        done: defaultdict[str, list[RecordedEvent]] = defaultdict(list)
        for order in evidence.orders_of[trader.trader_id]:
            if order.terms.parent_order_id is None:
                done[evidence.of_order(order.order_id)[0].metadata.causation_id] += evidence.of_order(order.order_id)[
                    :1
                ]
        for recorded in evidence.of_stream[account_stream(trader.trader_id)]:
            if isinstance(recorded.event, FundsDeposited | FundsWithdrawn):
                done[recorded.metadata.causation_id].append(recorded)
        answers = {**told.placed, **told.moved}
        for request_id in answers.keys() | done.keys():
            found = [_what_was_done(recorded) for recorded in done[request_id]]
            if request_id in answers and found != [answers[request_id]]:
                yield f"{request_id} was answered with {answers[request_id]}, recorded is {found}"
            is_late = all(evidence.recorded_at(each) >= told.doubtful.get(request_id, inf) for each in done[request_id])
            if request_id not in answers and (len(found) > 1 or not is_late):
                yield f"{request_id} was refused, recorded is {found}"
        for request_id, (order_id, version) in told.conditions.items():
            events = [each for each in evidence.of_order(order_id) if each.metadata.causation_id == request_id]
            if events and events[0].version != version + 1:
                yield f"{request_id} was for version {version} of order {order_id}, and is version {events[0].version}"


def _what_was_done(recorded: RecordedEvent) -> OrderId | Decimal | None:
    """The order that was placed, or the money that was moved."""
    match recorded.event:
        case FundsDeposited():
            return recorded.event.amount
        case FundsWithdrawn():
            return -recorded.event.amount
        case _:
            return order_of(recorded.stream_id)


def every_subscriber_saw_every_event_once(evidence: Evidence) -> Iterator[str]:
    """In order, whatever happened to the processes it was connected to."""
    expected: defaultdict[str, list[int]] = defaultdict(list)
    for recorded in evidence.log:
        if type(recorded.event) in MESSAGE_NAMES:
            expected[recorded.metadata.trader_id].append(recorded.position)
    for trader in evidence.world.traders:
        heard, happened = trader.told.heard, expected[trader.trader_id]
        if heard != happened:
            lost, twice = sorted(set(happened) - set(heard)), len(heard) - len(set(heard))
            yield f"{trader.trader_id} missed {lost[:5]} of {len(happened)} messages, and heard {twice} twice"


def what_was_published_is_what_happened(evidence: Evidence) -> Iterator[str]:
    """Each worker publishes in order, without a gap and without a repeat, as long as it leads."""
    messages = [recorded.position for recorded in evidence.log if type(recorded.event) in MESSAGE_NAMES]
    for number, positions in evidence.world.published.items():
        begin = messages.index(positions[0]) if positions[0] in messages else 0
        if positions != messages[begin : begin + len(positions)]:
            yield f"process {number} did not publish what happened, in order, from position {positions[0]}"
