"""A fold in a file is the fold, and what sums it up says when two are the same."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from application.ports import EventStore, NewEvent, Transaction
from domain.events import TradeBooked
from infrastructure.clock import SystemClock
from infrastructure.folds import Fold, Summary, Tally, encode
from infrastructure.memory import InMemoryEventStore
from projections.accounts import ACCOUNTS
from projections.orders import ORDERS
from projections.positions import POSITIONS
from projections.projection import Batch, Projection
from projections.registry import PROJECTIONS
from tests.infrastructure.postgres.test_projector import busy, eventful
from tests.projections.histories import History


async def stored(history: History) -> tuple[EventStore, Batch]:
    """A store with the history, and the log as it is there."""
    store = InMemoryEventStore(SystemClock())
    for each in history.log:
        new = NewEvent(each.stream_id, each.version, each.event, each.metadata)
        await store.append([Transaction({each.stream_id: each.version - 1}, [new])], 0)
    return store, await store.read(0, len(history.log))


async def folded(store: EventStore, projection: Projection[Any], *batches: Batch) -> list[Any]:
    with Fold(projection) as fold:
        for batch in batches:
            await fold.apply(batch, store)
        return list(fold)


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_the_rows_of_a_fold_come_in_the_order_of_their_keys_whatever_the_batches(
    projection: Projection[Any], size: int
) -> None:
    store, log = await stored(eventful())
    expected = projection.fold({}, log)
    batches = [log[begin : begin + size] for begin in range(0, len(log), size)]
    assert await folded(store, projection, *batches) == [expected[key] for key in sorted(expected)]


async def test_a_batch_that_was_folded_already_changes_nothing() -> None:
    store, log = await stored(eventful())
    assert await folded(store, ACCOUNTS, log, log[:9], log[5:]) == await folded(store, ACCOUNTS, log)


async def test_what_is_skipped_is_left_out() -> None:
    store, log = await stored(busy(orders=2))
    last = max(recorded.position for recorded in log if type(recorded.event) in ORDERS.events)
    with Fold(ORDERS, [last]) as fold:
        await fold.apply(log, store)
        assert list(fold) == await folded(store, ORDERS, log[: last - 1])
        assert fold.position == len(log)


async def test_what_is_skipped_is_left_out_where_a_row_is_told_anew_as_well() -> None:
    store, log = await stored(eventful())
    trade = next(recorded for recorded in log if isinstance(recorded.event, TradeBooked))
    with Fold(POSITIONS, [trade.position]) as fold:
        for recorded in log:
            await fold.apply([recorded], store)
        assert list(fold) == list(POSITIONS.fold({}, [each for each in log if each is not trade]).values())


async def test_rows_are_found_by_their_keys() -> None:
    store, log = await stored(busy(orders=1))
    with Fold(ACCOUNTS) as fold:
        await fold.apply(log, store)
        assert list(fold.rows([("alice",), ("nobody",)])) == [("alice",)]


class Row(NamedTuple):
    """A row like any."""

    id: str
    amount: Decimal
    at: datetime
    spare: Decimal | None


def summary(*rows: Row) -> Summary:
    tally = Tally(Row)
    tally.add([encode(row) for row in rows])
    return tally.summary()


NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
ONE = Row("a", Decimal("1.50"), NOON, None)
TWO = Row("b", Decimal(2), NOON, Decimal(7))


def test_rows_are_counted_and_what_is_never_missing_is_added_up() -> None:
    both = summary(ONE, TWO)
    assert (both.rows, both.totals) == (2, {"amount": Decimal("3.5")})
    assert f"{both.totals['amount']}" == "3.5"


@pytest.mark.parametrize(
    "other", [ONE._replace(id="c"), ONE._replace(at=NOON.replace(microsecond=1)), ONE._replace(spare=Decimal(0)), TWO]
)
def test_another_row_has_another_checksum(other: Row) -> None:
    assert summary(other).checksum != summary(ONE).checksum


def test_shares_of_the_rows_add_up_whatever_their_order() -> None:
    both = summary(ONE, TWO)
    assert both == summary(TWO, ONE) == summary(ONE) + summary(TWO) == summary(TWO) + summary() + summary(ONE)
    assert len({both.checksum, summary(ONE, ONE, TWO).checksum, summary(ONE).checksum, summary().checksum}) == 4
