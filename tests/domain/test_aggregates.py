import pytest

from domain.account import Account
from domain.aggregates import evolve, initial
from domain.events import TOPICS, Event, FundsDeposited, StreamId, account_stream, order_of, order_stream
from domain.order import BrokenHistoryError
from domain.values import ZERO, Money
from tests.domain.orders import ALICE, ORDER_ID, placed

DEPOSITED = FundsDeposited(amount=Money(ZERO))


def test_an_account_exists_from_the_start_and_an_order_does_not() -> None:
    assert initial(account_stream(ALICE)) == Account()
    assert initial(order_stream(ORDER_ID)) is None


def test_events_belong_to_their_own_kind_of_stream() -> None:
    with pytest.raises(BrokenHistoryError, match="OrderPlaced in an account's stream"):
        evolve(Account(), placed())
    with pytest.raises(BrokenHistoryError, match="FundsDeposited in an order's stream"):
        evolve(None, DEPOSITED)
    assert evolve(Account(), DEPOSITED) == Account()
    assert evolve(None, placed()) is not None


def test_streams_name_their_order() -> None:
    assert order_of(order_stream(ORDER_ID)) == ORDER_ID
    assert order_of(StreamId("account-order-1")) is None


def test_every_event_has_a_stored_name() -> None:
    assert set(TOPICS.values()) == set(Event.__args__)
