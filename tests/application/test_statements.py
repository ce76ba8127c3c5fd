"""Statements of any span add up, whatever happened, and continue each other."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from application import statements
from application.statements import BEGINNING, CASH_TYPES, Entry, Mark, Span, Statement, statement
from domain.account import Account, evolve
from domain.commands import Deposit, Withdraw
from domain.events import AccountEvent, RecordedEvent, StreamId, account_stream
from domain.values import Money, exactly
from tests.domain.orders import ALICE, NOON
from tests.projections.histories import SETTINGS, History, histories


class Told:
    """A log that is given, as the store gives it."""

    def __init__(self, log: Sequence[RecordedEvent]) -> None:
        self.log = log
        self.asked: list[int] = []

    async def part(
        self, stream_id: StreamId, after_version: int, limit: int, types: Sequence[str]
    ) -> Sequence[RecordedEvent]:
        self.asked.append(limit)
        found = [
            recorded
            for recorded in self.log
            if recorded.stream_id == stream_id
            and recorded.version > after_version
            and type(recorded.event).__name__ in types
        ]
        return found[:limit]


def cash_at(history: History, time: datetime | None) -> Decimal:
    """What the account held then, by the domain's own fold."""
    account = Account()
    with exactly():
        for recorded in history.log:
            if recorded.stream_id == account_stream(ALICE) and (time is None or recorded.recorded_at <= time):
                assert isinstance(recorded.event, AccountEvent)
                account = evolve(account, recorded.event)
    return account.cash


async def pages_of(log: Told, span: Span, limit: int) -> list[Statement]:
    """Every page of a statement."""
    pages, mark = [], None
    while True:
        page = await statement(log, ALICE, span, limit, mark)
        pages.append(page)
        if page.next is None:
            return pages
        mark = page.next


def assert_adds_up(opening: Decimal, entries: Sequence[Entry], closing: Decimal) -> None:
    balance = opening
    with exactly():
        for entry in entries:
            balance += entry.movement.amount
            assert entry.balance == balance
    assert balance == closing


edges = st.lists(st.integers(-1, 150), min_size=1, max_size=5).map(sorted)


@SETTINGS
@given(histories(), edges, st.integers(1, 8))
async def test_opening_and_movements_add_up_to_closing_and_spans_continue_each_other(
    history: History, seconds: list[int], limit: int
) -> None:
    log = Told(history.log)
    times: list[datetime | None] = [None, *(NOON + timedelta(seconds=each) for each in seconds), None]
    everything: list[Entry] = []
    closing = Decimal(0)
    for after, until in pairwise(times):
        pages = await pages_of(log, Span(after, until), limit)
        assert pages[0].opening == closing == (cash_at(history, after) if after else 0)
        assert pages[-1].closing == cash_at(history, until)
        for page in pages:
            assert_adds_up(page.opening, page.entries, page.closing)
        assert all(len(page.entries) == limit for page in pages[:-1])
        assert all(one.closing == next_.opening for one, next_ in pairwise(pages))
        everything += [entry for page in pages for entry in page.entries]
        closing = pages[-1].closing
    assert closing == history.accounts[ALICE].cash
    of_cash = [each for each in history.log if each.stream_id == account_stream(ALICE)]
    assert [entry.recorded for entry in everything] == [
        each for each in of_cash if type(each.event).__name__ in CASH_TYPES
    ]


async def test_the_log_is_read_a_part_at_a_time(monkeypatch: object) -> None:
    history = History()
    for number in range(1, 8):
        history.cash(Deposit(Money(Decimal(number))))
    log = Told(history.cash(Withdraw(Money(Decimal(8)))).log)
    monkeypatch.setattr(statements, "EVENTS_AT_ONCE", 3)  # type: ignore[attr-defined]
    page = await statement(log, ALICE, Span(after=NOON + timedelta(seconds=5)), limit=100)
    assert (page.opening, [entry.movement.amount for entry in page.entries], page.closing) == (15, [6, 7, -8], 20)
    assert set(log.asked) == {3}


async def test_a_trader_without_an_account_has_a_statement_of_nothing() -> None:
    empty = Statement(Money(Decimal(0)), [], Money(Decimal(0)), None)
    assert await statement(Told([]), ALICE, Span(), 10) == empty
    assert await statement(Told([]), ALICE, Span(NOON, NOON), 10) == empty


async def test_a_page_goes_on_where_the_one_before_it_ended() -> None:
    log = Told(History().cash(Deposit(Money(Decimal(5)))).cash(Deposit(Money(Decimal(7)))).log)
    first = await statement(log, ALICE, Span(), 1, BEGINNING)
    assert (first.closing, first.next) == (5, Mark(1, Money(Decimal(5))))
    second = await statement(log, ALICE, Span(), 1, first.next)
    assert (second.opening, second.closing, second.next) == (5, 12, None)
