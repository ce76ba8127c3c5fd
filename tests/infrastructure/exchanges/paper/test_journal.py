import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infrastructure.exchanges.paper.account import OPENING_CASH
from infrastructure.exchanges.paper.commands import Command
from infrastructure.exchanges.paper.exchange import Exchange
from infrastructure.exchanges.paper.journal import Journal, JournalDamaged, JournalInUse, JournalUnwritable
from infrastructure.exchanges.paper.refusals import Refusal
from infrastructure.exchanges.paper.registry import OrderQuery
from tests.infrastructure.exchanges.paper.floor import Floor, told

# As they were written before there were pairs, busts, and mishaps. They are on disks out there.
OLD_LINES = """\
{"do":"start","at":"2026-11-20T14:30:00Z"}
{"do":"place","at":"2026-11-20T14:30:01Z","id":"00000000-0000-0000-0000-000000000001","client_order_id":"a","symbol":"AAPL","side":"buy","type":"limit","quantity":"5","time_in_force":"gtc","limit_price":"184"}
{"do":"place","at":"2026-11-20T14:30:02Z","id":"00000000-0000-0000-0000-000000000002","client_order_id":"b","symbol":"AAPL","side":"sell","type":"stop_limit","quantity":"5","time_in_force":"day","limit_price":"179","stop_price":"180","extended_hours":true}
{"do":"replace","at":"2026-11-20T14:30:03Z","id":"00000000-0000-0000-0000-000000000001","replacement_id":"00000000-0000-0000-0000-000000000003","client_order_id":"c","quantity":"6","limit_price":"185"}
{"do":"cancel","at":"2026-11-20T14:30:04Z","id":"00000000-0000-0000-0000-000000000002"}
{"do":"place","at":"2026-11-20T14:30:05Z","id":"00000000-0000-0000-0000-000000000004","client_order_id":"d","symbol":"AAPL","side":"buy","type":"market","quantity":"1","time_in_force":"day","rejected_because":"halted"}
{"do":"move_price","at":"2026-11-20T14:30:06Z","symbol":"AAPL","price":"184"}
{"do":"end_day","at":"2026-11-21T00:00:00Z"}
"""


@contextmanager
def opened(path: Path) -> Iterator[Journal]:
    journal = Journal(path)
    try:
        yield journal
    finally:
        journal.close()


def kept(path: Path, commands: list[Command]) -> list[Command]:
    """What a journal gives back of these commands after it was closed and opened again."""
    with opened(path) as journal:
        for command in commands:
            journal.append(command)
    with opened(path) as journal:
        return list(journal.replay())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.ndjson"


@pytest.fixture
def floor() -> Floor:
    """One of each command."""
    floor = Floor(commission="0.01")
    floor.place("buy", "4000", limit="190.02")
    floor.place("sell", "5", stop="180", limit="179", tif="gtc")
    floor.replace("o1", quantity="5000", limit="190.03")
    floor.cancel("o2")
    floor.place("buy", "1", rejected_because="halted")
    floor.move("191.5")
    floor.pair("sell", "10", limit="195", stop="185")
    floor.cancel("o5", refused_because="no")
    floor.replace("o5", limit="196", refused_because="no")
    floor.replace("o6", stop="186", keeps_predecessor=True)
    floor.correct(1, quantity="900", price="190")
    floor.bust(2)
    floor.end_day()
    return floor


def test_every_kind_of_command_comes_back_as_it_was(path: Path, floor: Floor) -> None:
    assert kept(path, floor.commands) == floor.commands


def test_one_command_is_one_line_of_json(path: Path, floor: Floor) -> None:
    kept(path, floor.commands)
    lines = path.read_text().splitlines()
    assert len(lines) == len(floor.commands)
    assert lines[0] == '{"do":"start","at":"2026-11-20T14:30:00Z","commission_per_share":"0.01"}'


def test_lines_of_the_first_version_are_read(path: Path) -> None:
    path.write_text(OLD_LINES)
    commands = kept(path, [])
    assert [type(command).__name__ for command in commands] == [
        "Start", "Place", "Place", "Replace", "Cancel", "Place", "MovePrice", "EndDay",
    ]  # fmt: skip
    exchange = Exchange()
    updates = [told(update) for command in commands for update in exchange.apply(command)]
    assert updates == ["new a", "new b", "replaced a", "new c", "canceled b", "new d", "rejected d", "fill c 6 @ 185"]


def test_a_command_is_on_its_way_to_the_disk_before_append_returns(path: Path, floor: Floor) -> None:
    with opened(path) as journal:
        journal.append(floor.commands[0])
        assert path.read_bytes().endswith(b"}\n")


@pytest.mark.parametrize("torn", [b'{"do":"cancel","at":"2026-11-2', b'{"do":"cancel"}', b"\xff\xfe"])
def test_a_torn_last_line_is_cut_off(path: Path, floor: Floor, torn: bytes) -> None:
    kept(path, floor.commands[:2])
    with path.open("ab") as file:
        file.write(torn)
    assert kept(path, []) == floor.commands[:2]
    assert kept(path, floor.commands[2:]) == floor.commands


@pytest.mark.parametrize("line", [b"not a command\n", b'{"do":"dance"}\n', b'{"do":"cancel","at":"x"}\n', b"\xff\n"])
def test_a_damaged_line_in_the_middle_stops_the_venue(path: Path, floor: Floor, line: bytes) -> None:
    kept(path, floor.commands[:1])
    with path.open("ab") as file:
        file.write(line)
    with pytest.raises(JournalDamaged, match="line 2 of "):
        kept(path, [])


def test_a_journal_has_one_writer(path: Path) -> None:
    with opened(path), pytest.raises(JournalInUse, match=r"another venue writes to .*journal\.ndjson"):
        Journal(path)
    with opened(path):
        """Once it is closed, the next one may."""


def test_a_journal_is_nobody_elses_to_read(path: Path) -> None:
    with opened(path):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_leaves_the_journal_as_it_was(path: Path, floor: Floor) -> None:
    kept(path, floor.commands[:1])
    size = path.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with opened(path) as journal:
        try:
            # Room for a part of the line, and then for nothing at all.
            for room in (10, 0):
                resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, limits[1]))
                with pytest.raises(JournalUnwritable, match="cannot write to"):
                    journal.append(floor.commands[1])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert path.stat().st_size == size
        journal.append(floor.commands[1])
    assert kept(path, []) == floor.commands[:2]


def state(exchange: Exchange) -> tuple[object, ...]:
    """Everything a client could ever see, and the books."""
    everything = exchange.orders.listed(OrderQuery(status="all", limit=1_000))
    return (
        everything,
        exchange.fills,
        exchange.account.cash,
        exchange.account.buying_power,
        exchange.account.positions,
        {symbol: market.last_trade for symbol, market in exchange.markets.items()},
        [[market.book.leaves(order.id) for market in exchange.markets.values()] for order in everything],
    )


prices = st.sampled_from(["188", "189.90", "189.99", "190.00", "190.01", "190.02", "192"])
quantities = st.sampled_from(["1", "0.5", "900", "4000", "20000"])
lifetimes = st.sampled_from(["day", "gtc"])
names = st.integers(1, 5).map(lambda number: f"o{number}")
steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("place"),
            st.sampled_from(["buy", "sell"]),
            quantities,
            st.none() | prices,
            st.none() | st.none() | prices,
            st.sampled_from(["day", "gtc", "ioc", "fok"]),
        ),
        st.tuples(st.just("pair"), st.sampled_from(["buy", "sell"]), quantities, prices, prices, lifetimes),
        st.tuples(st.just("cancel"), names, st.sampled_from(["", "", "no"])),
        st.builds(
            lambda name, quantity, limit, stop, mishap: ("replace", name, quantity, limit, stop, mishap),
            names,
            st.none() | st.sampled_from(["2", "5000"]),
            st.none() | prices,
            st.none() | prices,
            st.sampled_from([{}, {}, {"refused_because": "no"}, {"keeps_predecessor": True}]),
        ),
        st.tuples(st.just("bust"), st.integers(1, 6)),
        st.tuples(st.just("correct"), st.integers(1, 6), st.none() | quantities, st.none() | prices),
        st.tuples(st.just("move"), prices),
        st.tuples(st.just("end_day")),
    ),
    max_size=25,
)


Steps = list[tuple[Any, ...]]


def played(steps: Steps, commission: str = "0") -> Floor:
    """A floor on which these steps were taken, as far as they were not refused."""
    floor = Floor(commission)
    for name, *arguments in steps:
        options = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
        try:
            getattr(floor, name)(*arguments, **options)
        except Refusal:
            continue
    return floor


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps)
def test_a_replayed_journal_leads_to_the_identical_state(tmp_path: Path, steps: Steps) -> None:
    floor = played(steps, commission="0.01")
    path = tmp_path / f"{os.urandom(8).hex()}.ndjson"
    replayed = Exchange()
    for command in kept(path, floor.commands):
        replayed.apply(command)
    assert state(replayed) == state(floor.exchange)


@settings(max_examples=150)
@given(steps)
def test_what_an_order_has_filled_is_the_sum_of_its_fills_and_so_is_the_position(steps: Steps) -> None:
    floor = played(steps, commission="0.01")
    exchange = floor.exchange
    standing: dict[str, tuple[Decimal, Decimal, Decimal]] = {}
    carried: dict[str, list[str]] = {}
    for update in floor.updates:
        order, fill = update.order, update.fill
        if order.id not in carried:
            carried[order.id] = list(carried.get(order.replaces or "", []))
        sign = 1 if order.side == "buy" else -1
        match update.event:
            case "fill" | "partial_fill" if fill is not None:
                standing[update.execution_id] = (sign * fill.quantity, fill.price, fill.commission)
                carried[order.id].append(update.execution_id)
            case "trade_bust" if update.previous_execution_id is not None:
                del standing[update.previous_execution_id]
            case "trade_correct" if update.previous_execution_id is not None and fill is not None:
                del standing[update.previous_execution_id]
                standing[update.execution_id] = (sign * fill.quantity, fill.price, fill.commission)
                for ids in carried.values():
                    if update.previous_execution_id in ids:
                        ids.append(update.execution_id)
        if fill is not None:
            assert fill.position == sum(quantity for quantity, *_ in standing.values())
        assert order.filled_quantity <= order.quantity
        assert order.filled_quantity == sum(abs(standing[one][0]) for one in carried[order.id] if one in standing)
        assert order.status != "filled" or order.filled_quantity == order.quantity
    assert exchange.account.quantity("AAPL") == sum(quantity for quantity, *_ in standing.values())
    spent = sum((quantity * price + fee for quantity, price, fee in standing.values()), start=Decimal(0))
    assert exchange.account.cash == OPENING_CASH - spent


@settings(max_examples=150)
@given(steps)
def test_what_works_is_in_the_book_and_held_back_and_a_pair_wants_one_thing(steps: Steps) -> None:
    exchange = played(steps).exchange
    book, account = exchange.markets["AAPL"].book, exchange.account
    cash = Decimal(0)
    for order in exchange.orders.listed(OrderQuery(status="all", limit=1_000)):
        assert book.leaves(order.id) == order.leaves
        cash += order.held_cash
        sibling = None if order.sibling is None else exchange.orders[order.sibling]
        if sibling is not None and sibling.sibling == order.id and order.is_open and sibling.is_open:
            assert order.leaves == sibling.leaves
            assert order.is_covered != sibling.is_covered
        elif order.is_open:
            assert not order.is_covered
    assert account.buying_power == account.cash - cash
