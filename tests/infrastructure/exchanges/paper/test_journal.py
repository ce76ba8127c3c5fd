import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infrastructure.exchanges.paper.commands import Command
from infrastructure.exchanges.paper.exchange import Exchange
from infrastructure.exchanges.paper.journal import Journal, JournalDamaged, JournalInUse, JournalUnwritable
from infrastructure.exchanges.paper.refusals import Refusal
from infrastructure.exchanges.paper.registry import OrderQuery
from tests.infrastructure.exchanges.paper.floor import Floor


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
    floor.end_day()
    return floor


def test_every_kind_of_command_comes_back_as_it_was(path: Path, floor: Floor) -> None:
    assert kept(path, floor.commands) == floor.commands


def test_one_command_is_one_line_of_json(path: Path, floor: Floor) -> None:
    kept(path, floor.commands)
    lines = path.read_text().splitlines()
    assert len(lines) == len(floor.commands)
    assert lines[0] == '{"do":"start","at":"2026-11-20T14:30:00Z","commission_per_share":"0.01"}'


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


prices = st.sampled_from(["189.90", "189.99", "190.00", "190.01", "190.02", "190.10"])
names = st.integers(1, 12).map(lambda number: f"o{number}")
steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("place"),
            st.sampled_from(["buy", "sell"]),
            st.sampled_from(["1", "0.5", "900", "4000", "20000"]),
            st.none() | prices,
            st.none() | st.none() | prices,
            st.sampled_from(["day", "gtc", "ioc", "fok"]),
        ),
        st.tuples(st.just("cancel"), names),
        st.tuples(st.just("replace"), names, st.sampled_from(["2", "5000"]), st.none() | prices),
        st.tuples(st.just("move"), prices),
        st.tuples(st.just("end_day")),
    ),
    max_size=25,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps)
def test_a_replayed_journal_leads_to_the_identical_state(tmp_path: Path, steps: list[tuple[str, ...]]) -> None:
    floor = Floor(commission="0.01")
    for name, *arguments in steps:
        try:
            getattr(floor, name)(*arguments)
        except Refusal:
            continue
    path = tmp_path / f"{os.urandom(8).hex()}.ndjson"
    replayed = Exchange()
    for command in kept(path, floor.commands):
        replayed.apply(command)
    assert state(replayed) == state(floor.exchange)


@settings(max_examples=100, deadline=None)
@given(steps)
def test_what_an_order_has_filled_is_the_sum_of_its_fills_and_so_is_the_position(steps: list[tuple[str, ...]]) -> None:
    floor = Floor()
    for name, *arguments in steps:
        try:
            getattr(floor, name)(*arguments)
        except Refusal:
            continue
    position = Decimal(0)
    filled: dict[str, Decimal] = {}
    for update in floor.updates:
        order, fill = update.order, update.fill
        if order.replaces is not None and order.id not in filled:
            filled[order.id] = filled.get(order.replaces, Decimal(0))
        if fill is not None:
            filled[order.id] = filled.get(order.id, Decimal(0)) + fill.quantity
            position += fill.quantity if order.side == "buy" else -fill.quantity
            assert fill.position == position
            assert order.filled_quantity == filled[order.id] <= order.quantity
        assert (order.status == "filled") == (order.filled_quantity == order.quantity)
    assert floor.exchange.account.quantity("AAPL") == position
