import pytest

from domain.account import Account
from domain.aggregates import SkippedEvents, VenueBook, evolve, initial
from domain.events import (
    HALTS_STREAM,
    ROLLOUT_STREAM,
    TOPICS,
    Event,
    FundsDeposited,
    ProjectionEventSkipped,
    RolloutChanged,
    StreamId,
    TradingResumed,
    UnknownOrderReported,
    account_stream,
    order_of,
    order_stream,
    projection_stream,
    venue_stream,
)
from domain.halts import Halts
from domain.order import BrokenHistoryError
from domain.rollout import Rollout
from domain.values import ZERO, Currency, Money
from tests.domain.orders import ALICE, ORDER_ID, placed, units

DEPOSITED = FundsDeposited(amount=Money(ZERO), currency=Currency.USD)


def unknown(venue_order_id: str, status: str) -> UnknownOrderReported:
    return UnknownOrderReported(
        venue_order_id=venue_order_id,
        client_order_id="somebody's",
        symbol="ACME",
        side="buy",
        quantity=units(100),
        filled_quantity=units(0),
        venue_status=status,
    )


def test_all_but_an_order_exists_from_the_start() -> None:
    assert initial(account_stream(ALICE)) == Account()
    assert initial(venue_stream("paper")) == VenueBook()
    assert initial(projection_stream("orders")) == SkippedEvents()
    assert initial(HALTS_STREAM) == Halts()
    assert initial(ROLLOUT_STREAM) == Rollout()
    assert initial(order_stream(ORDER_ID)) is None


def test_events_belong_to_their_own_kind_of_stream() -> None:
    with pytest.raises(BrokenHistoryError, match="OrderPlaced in an account's stream"):
        evolve(Account(), placed())
    with pytest.raises(BrokenHistoryError, match="FundsDeposited in an order's stream"):
        evolve(None, DEPOSITED)
    with pytest.raises(BrokenHistoryError, match="OrderPlaced in a venue's stream"):
        evolve(VenueBook(), placed())
    with pytest.raises(BrokenHistoryError, match="OrderPlaced in a projection's stream"):
        evolve(SkippedEvents(), placed())
    with pytest.raises(BrokenHistoryError, match="OrderPlaced in the stream of halts"):
        evolve(Halts(), placed())
    with pytest.raises(BrokenHistoryError, match="OrderPlaced in the stream of the rollout"):
        evolve(Rollout(), placed())
    changed = RolloutChanged(enabled=None, ramp_percent=5, reason="a start")
    assert evolve(Rollout(enabled=False), changed) == Rollout(None, 5)
    resumed = evolve(Halts(), TradingResumed(scope="all", reason=None))
    assert resumed == Halts(version=1)
    assert evolve(Account(), DEPOSITED) == Account()
    assert evolve(None, placed()) is not None


def test_a_venue_book_keeps_each_order_that_is_not_ours_as_it_was_reported_last() -> None:
    book = VenueBook()
    for event in (unknown("v-1", "new"), unknown("v-2", "new"), unknown("v-1", "filled")):
        book = evolve(book, event)
    assert dict(book.unknown) == {"v-1": unknown("v-1", "filled"), "v-2": unknown("v-2", "new")}


def test_a_projection_s_stream_remembers_each_position_that_is_skipped() -> None:
    skipped = SkippedEvents()
    for position in (7, 3):
        event = ProjectionEventSkipped(projection="orders", position=position, event_type="OrderFilled", reason="why")
        skipped = evolve(skipped, event)
    assert skipped == SkippedEvents(frozenset({3, 7}))


def test_streams_name_their_order() -> None:
    assert order_of(order_stream(ORDER_ID)) == ORDER_ID
    assert order_of(StreamId("account-order-1")) is None


def test_every_event_has_a_stored_name() -> None:
    assert set(TOPICS.values()) == set(Event.__args__)
