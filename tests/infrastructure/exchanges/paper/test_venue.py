from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from infrastructure.exchanges.paper.book import Lifetime, Side
from infrastructure.exchanges.paper.commands import Cancel, OrderType, Place
from infrastructure.exchanges.paper.journal import Journal
from infrastructure.exchanges.paper.orders import Order
from infrastructure.exchanges.paper.refusals import OrderNotFound
from infrastructure.exchanges.paper.venue import Venue
from tests.infrastructure.exchanges.paper.floor import uuid

NOW = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
BACKLOG = 10


def venue(journal: Journal | None = None, commission: str = "0", now: datetime = NOW) -> Venue:
    """A venue whose clock stands still."""
    return Venue(lambda: now, lambda: uuid(1), journal, Decimal(commission), BACKLOG)


def place(venue: Venue, number: int, limit: str | None = None) -> Order:
    price = None if limit is None else Decimal(limit)
    kind = OrderType.MARKET if limit is None else OrderType.LIMIT
    at = venue.now()
    venue.execute(Place(at, uuid(number), f"o{number}", "AAPL", Side.BUY, kind, Decimal(10), Lifetime.DAY, price))
    return venue.exchange.orders[uuid(number)]


def test_commands_are_timed_one_after_the_other_even_when_the_clock_stands_still() -> None:
    open_venue = venue()
    times = [place(open_venue, number).submitted_at for number in range(1, 4)]
    assert times == sorted(set(times))
    assert times[0] > NOW


def test_a_venue_goes_on_where_its_journal_ends(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    first = venue(journal, commission="1")
    place(first, 1)
    place(first, 2, limit="185")
    journal.close()

    journal = Journal(tmp_path / "journal")
    second = venue(journal, commission="2", now=NOW - timedelta(hours=1))
    assert second.exchange.fills == first.exchange.fills
    assert second.exchange.orders.open() == first.exchange.orders.open()
    assert second.exchange.opened_at == first.exchange.opened_at
    # The clock went back, the venue's time does not; the new commission counts from here on.
    assert place(second, 3).submitted_at > first.exchange.last_at
    assert [update.fill.commission for update in second.exchange.fills if update.fill] == [10, 20]
    journal.close()


def test_day_orders_expire_when_a_venue_comes_back_on_another_day(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    place(venue(journal), 1, limit="185")
    journal.close()
    journal = Journal(tmp_path / "journal")
    assert venue(journal, now=NOW + timedelta(days=1)).exchange.orders[uuid(1)].status == "expired"
    journal.close()


def test_a_refused_command_is_not_recorded(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    open_venue = venue(journal)
    before = (tmp_path / "journal").read_bytes()
    with pytest.raises(OrderNotFound):
        open_venue.execute(Cancel(open_venue.now(), uuid(9)))
    assert (tmp_path / "journal").read_bytes() == before
    journal.close()


def test_every_update_goes_to_everyone_who_subscribed() -> None:
    open_venue = venue()
    with open_venue.updates.listener() as eager, open_venue.updates.listener() as idle:
        eager.is_subscribed = True
        place(open_venue, 1)
        events = [msgspec.json.decode(eager.messages.get_nowait())["data"]["event"] for _ in range(2)]
        assert events == ["new", "fill"]
        assert idle.messages.empty()


def test_a_listener_that_does_not_read_is_given_up_and_the_venue_goes_on() -> None:
    open_venue = venue()
    with open_venue.updates.listener() as listener:
        listener.is_subscribed = True
        for number in range(1, BACKLOG):
            place(open_venue, number)
        assert listener.is_lost.is_set()
        assert not listener.is_subscribed
        assert listener.messages.qsize() == BACKLOG
    place(open_venue, BACKLOG)
