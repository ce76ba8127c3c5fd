"""The worker in this process, on a real database and a real paper venue, while things around it break."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from application.trading import Caller, OrderRequest
from application.venue import Instrument, VenueBusyError
from domain.commands import Deposit
from domain.values import Money, OrderType, Price, Quantity, Side, Symbol, TraderId
from infrastructure import composition, worker
from infrastructure.composition import Engine, open_engine
from infrastructure.exchanges.alpaca import AlpacaVenue
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.heartbeats import heartbeats
from infrastructure.settings import Settings, load_settings
from infrastructure.worker import run_worker
from tests.infrastructure.versions import AUDITED, NEWER, newer_store, record
from tests.venue_server import running_venue

ALICE = TraderId("alice")
CALLER = Caller("trader:alice", "r", "r")
BUY_ONE = OrderRequest(
    symbol=Symbol("AAPL"),
    side=Side.BUY,
    quantity=Quantity(Decimal(1)),
    order_type=OrderType.LIMIT,
    price=Price(Decimal(50)),
)


def settings_for(database_url: str, venue_url: str, home: Path) -> Settings:
    return load_settings(
        {
            "DATABASE_URL": database_url,
            "REDIS_URL": "none",
            "ALPACA_BASE_URL": venue_url,
            "ORDERLOG_HOME": str(home),
            "ORDERLOG_VENUE_TIMEOUT": "2",
        }
    )


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[Engine]:
    """An engine whose worker runs in this process."""
    work = asyncio.create_task(run_worker(settings))
    try:
        async with open_engine(settings) as engine:
            yield engine
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


async def until(condition: Callable[[], object]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen")


async def place_and_wait(engine: Engine, trader_id: TraderId = ALICE) -> int:
    """Returns the position of the order that was placed, once the venue has accepted it."""
    await engine.trading.move_cash(trader_id, Deposit(Money(Decimal(1000))), CALLER)
    placed = await engine.trading.place(trader_id, BUY_ONE, CALLER)
    async for events in engine.follower.follow(placed.order.position):
        if any(type(each.event).__name__ == "OrderAccepted" for each in events):
            break
    return placed.order.position


async def test_a_worker_that_loses_its_leadership_wins_it_again(database_url: str, tmp_path: Path) -> None:
    with running_venue() as venue:
        async with working(settings_for(database_url, venue.url, tmp_path / "home")) as engine:
            await until(lambda: engine.instruments.ready)
            await place_and_wait(engine)
            with psycopg.connect(database_url, autocommit=True) as other:
                ended = other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                ).fetchall()
            assert ended == [(True,)]
            await place_and_wait(engine)


async def test_a_job_that_ends_is_started_again_and_the_others_go_on(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faults = [ZeroDivisionError("a fault")]
    usual = worker.save_instruments

    async def save(*arguments: object) -> None:
        if faults:
            raise faults.pop()
        await usual(*arguments)  # type: ignore[arg-type] # passed on as they came

    monkeypatch.setattr(worker, "save_instruments", save)
    with running_venue() as venue:
        async with working(settings_for(database_url, venue.url, tmp_path / "home")) as engine:
            await until(lambda: engine.instruments.ready)
            await place_and_wait(engine)
    assert "instruments ended and is started again" in caplog.text


async def test_a_venue_that_answers_anything_at_all_is_sent_orders(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, busy = AlpacaVenue.instruments, False

    async def instruments(venue: AlpacaVenue) -> Sequence[Instrument]:
        if busy:
            raise VenueBusyError(60.0)
        return await usual(venue)

    monkeypatch.setattr(AlpacaVenue, "instruments", instruments)
    monkeypatch.setattr(worker, "_REFRESH_SECONDS", 0.02)
    with running_venue() as venue:
        async with working(settings_for(database_url, venue.url, tmp_path / "home")) as engine:
            await until(lambda: engine.instruments.ready)
            busy = True
            while (await heartbeats(engine.pool))["exchange"].is_ok:
                await asyncio.sleep(0.02)
            await place_and_wait(engine)


async def test_every_process_learns_that_the_exchange_is_away(database_url: str, tmp_path: Path) -> None:
    with running_venue() as venue:
        settings = settings_for(database_url, venue.url, tmp_path / "home")
        async with working(settings) as engine:
            await until(lambda: engine.instruments.ready)
            assert (await heartbeats(engine.pool))["exchange"].is_ok
    async with working(settings) as engine:
        for _ in range(1000):
            if not (heard := (await heartbeats(engine.pool))["exchange"]).is_ok:
                break
            await asyncio.sleep(0.02)
        assert not heard.is_ok
        assert heard.detail
        # What the venue traded when it was last heard of is still known.
        assert engine.instruments.ready


async def test_a_worker_that_does_not_know_an_event_steps_aside_for_a_newer_one(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    newer_url = f"{database_url}&application_name=newer"
    monkeypatch.setattr(
        composition,
        "PostgresEventStore",
        lambda url, patience, **more: PostgresEventStore(
            url, patience, NEWER if "application_name=newer" in url else None, **more
        ),
    )
    monkeypatch.setattr(worker, "_ASIDE_SECONDS", 0.05)
    with running_venue() as venue:
        old, new = (settings_for(url, venue.url, tmp_path / "home") for url in (database_url, newer_url))
        async with working(old) as engine:
            await until(lambda: engine.instruments.ready)
            await place_and_wait(engine)
            async with newer_store(database_url) as store:
                unknown = await record(store, AUDITED, version=(await engine.trading.account(ALICE)).version)
            # Alone it tries again and again, and does not pass over what it does not know.
            await until(lambda: caplog.text.count("this worker steps aside for a newer one: AccountAudited") > 2)
            assert await engine.read_models.checkpoint("orders") == unknown - 1
            async with working(new) as newer:
                placed = await place_and_wait(newer, TraderId("bob"))
                assert await newer.read_models.wait_for(["orders"], placed, 20)
