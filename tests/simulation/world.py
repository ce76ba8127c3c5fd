"""One simulation: a world made from a seed, what happens in it, and how it comes to rest."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal

from application.ports import Instruments
from application.venue import VenueRefusedError
from domain.values import Money, Price, Side, TraderId
from tests.simulation.chances import Chances
from tests.simulation.database import Connection, Database
from tests.simulation.engine import Api, Worker
from tests.simulation.exchange import LiveExchange
from tests.simulation.faults import Fault, Faults
from tests.simulation.journal import Journal
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import VenueConnection
from tests.simulation.operations import Operator, Person, RiskOfficer
from tests.simulation.process import Process, owner_in
from tests.simulation.reports import read_message
from tests.simulation.surroundings import BEGINNING, CountingIds, MachineClock, QuotedInstruments
from tests.simulation.traders import SYMBOLS, Trader

_TRADERS = (1, 8)
_TRADERS_OF_LOAD = (100, 1_000)
_PAUSES = (0.03, 0.3, 2.0)
_PAUSES_OF_LOAD = (0.03, 0.1)
_CHANGES_OF_LOAD = 0.3
_LOOKS = 0.6
_LOOKS_OF_LOAD = 0.95
_RESTART_SECONDS = (0.0, 8.0)
_OVERLAP_SECONDS = (0.0, 10.0)
_OUTAGE_SECONDS = (0.1, 20.0)
_STEP_SECONDS = (-3600.0, 3600.0)
_QUIET_SECONDS = 65.0
_PENDING_SECONDS = 240.0
_SETTLED_AT_LATEST_SECONDS = 1_800.0
_LOOK_SECONDS = 5.0


class Heard(logging.Handler):
    """Errors that the engine logs, which are failures of the simulation."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.errors.append(logging.Formatter().format(record))


class World:
    """Everything there is in one simulation."""

    def __init__(self, seed: int, loop: VirtualLoop, *, is_load: bool = False) -> None:
        self.is_load = is_load
        self.chances = Chances(f"{'load' if is_load else 'world'} {seed}")
        self.loop = loop
        loop.owner_in = owner_in
        self.began_at = self._began_at()
        self.faults = Faults(self.chances.branch("weather"), is_load=is_load)
        self.journal = Journal()
        self.clock = MachineClock(loop, self.began_at)
        commission = Money(Decimal("0.0035") if self.chances.happens(0.5) else Decimal(0))
        self.exchange = LiveExchange(loop, self.began_at, commission)
        self.database = Database(loop, self.clock, self.chances.branch("database"), self.faults)
        self.instruments: Instruments = QuotedInstruments(self.exchange.exchange)
        self.ids = CountingIds(1)
        self.heard = Heard()
        self.published: dict[int, list[int]] = {}
        self.apis: list[Api] = []
        self.workers: list[Worker] = []
        self.traders: list[Trader] = []
        self.processes: dict[int, Process] = {}
        self._reconcile_seconds = self.chances.one_of((10.0, 30.0))
        self._mishaps = self.chances.branch("mishaps")

    def _began_at(self) -> datetime:
        """Any time of the day, now and then shortly before it ends."""
        hours = self.chances.between(11.95, 11.999) if self.chances.happens(0.2) else self.chances.between(0.0, 11.9)
        return BEGINNING + timedelta(seconds=round(hours * 3600))

    # ── Programs ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def start_api(self, place: int) -> None:
        """Start a process of the API in this place."""
        process = self._process("api", Fault.API_CRASH, lambda: self._api_died(place))
        api = Api(process, Connection(self.database, process), self.instruments, self.ids, self.clock)
        self.apis[place : place + 1] = [api]
        self.database.listen(process, api.wake)
        process.spawn(api.run())

    def start_worker(self) -> None:
        """Start a worker, which leads at once, whoever else still thinks that it does."""
        process = self._process("worker", Fault.WORKER_CRASH, self._worker_died)
        worker = Worker(
            process,
            Connection(self.database, process),
            self.instruments,
            self.ids,
            venue=VenueConnection(self.exchange, process, self.faults, self.journal),
            clock=self.clock,
            publish=self._publish,
            reconcile_seconds=self._reconcile_seconds,
        )
        self.workers = [each for each in self.workers if each.process.is_alive]
        self.workers.append(worker)
        self.database.listen(process, worker.wake)
        process.spawn(worker.run())

    def _process(self, name: str, crash: Fault, on_death: Callable[[], object]) -> Process:
        process = Process(name, len(self.processes) + 1, self.loop, self.faults, crash=crash, on_death=on_death)
        self.processes[process.number] = process
        self.note(f"{process.name} starts")
        return process

    def _api_died(self, place: int) -> None:
        self.note(f"{self.apis[place].process.name} dies")
        self.apis[place].hang_up()
        self.loop.call_later(self._mishaps.between(*_RESTART_SECONDS), self.start_api, place)

    def _worker_died(self) -> None:
        self.note("a worker dies")
        if not any(worker.process.is_alive for worker in self.workers):
            self.loop.call_later(self._mishaps.between(*_RESTART_SECONDS), self._start_worker_if_none)

    def _start_worker_if_none(self) -> None:
        if not any(worker.process.is_alive for worker in self.workers):
            self.start_worker()

    def _publish(self, process_number: int, messages: Sequence[tuple[str, bytes]]) -> None:
        """What is kept is the events that the messages are about: the messages of all together are large."""
        positions = (read_message(message).position for _, message in messages)
        self.published.setdefault(process_number, []).extend(positions)

    def note(self, text: str) -> None:
        """Write down what happens to the world."""
        self.journal.note(self.loop.time(), text)

    # ── What happens ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def run(self, orders: int) -> None:
        """Trade under faults, then without any until everything has come to rest."""
        for place in range(self.chances.whole(1, 2)):
            self.start_api(place)
        self.start_worker()
        traders = self.chances.whole(*(_TRADERS_OF_LOAD if self.is_load else _TRADERS))
        pause_seconds = self.chances.one_of(_PAUSES_OF_LOAD if self.is_load else _PAUSES)
        for number in range(traders):
            self.traders.append(self._trader(number))
        listening = [asyncio.create_task(trader.listen()) for trader in self.traders]
        market = asyncio.create_task(self._move_market())
        meddling = asyncio.create_task(self._meddle())
        mishaps = asyncio.create_task(self._bring_mishaps())
        operating = [
            asyncio.create_task(self._person(kind, name).work())
            for kind, name in ((Operator, "olivia"), (RiskOfficer, "rita"))
        ]
        share = max(1, orders // traders)
        await asyncio.gather(*(trader.trade(share, pause_seconds) for trader in self.traders))
        mishaps.cancel()
        meddling.cancel()
        for task in operating:
            task.cancel()
        self._end_faults()
        if self.chances.happens(0.5):
            await asyncio.gather(*(trader.close_out() for trader in self.traders))
        market.cancel()
        await self._settle()
        for task in listening:
            task.cancel()

    def _trader(self, number: int) -> Trader:
        trader_id = TraderId(f"trader-{number}")
        chances = self.chances.branch(trader_id)
        return Trader(
            trader_id,
            lambda: chances.one_of(self.apis),
            self.exchange.exchange,
            chances,
            self.faults,
            loop=self.loop,
            holds=lambda symbol: self.database.tables.held(trader_id, symbol),
            changes_mind=_CHANGES_OF_LOAD if self.is_load else 1.0,
            looks=_LOOKS_OF_LOAD if self.is_load else _LOOKS,
        )

    def _person(self, kind: type[Person], name: str) -> Person:
        chances = self.chances.branch(name)
        traders = [trader.trader_id for trader in self.traders]
        return kind(name, lambda: chances.one_of(self.apis), traders, SYMBOLS, chances)

    async def _move_market(self) -> None:
        chances = self.chances.branch("market")
        while True:
            await asyncio.sleep(chances.between(0.05, 3.0))
            symbol = chances.one_of(SYMBOLS)
            price = self.exchange.exchange.markets[symbol].book.last_price
            away = Decimal(chances.whole(-60, 60)) / 10_000
            self.exchange.move_price(symbol, Price((price * (1 + away)).quantize(Decimal("0.01"))))

    async def _meddle(self) -> None:
        """What people at the exchange do: trades taken back or corrected, orders sent past the engine."""
        chances = self.chances.branch("meddling")
        share = chances.one_of((0.0, 0.0, 0.02, 0.2))
        while share:
            await asyncio.sleep(chances.between(0.1, 2.0))
            with suppress(VenueRefusedError):
                if chances.happens(share) and self.exchange.executions:
                    execution_id = self._recent_execution(chances)
                    if chances.happens(0.5):
                        self.exchange.bust(execution_id)
                    else:
                        self._correct(execution_id, chances)
                if chances.happens(share / 4):
                    symbol = chances.one_of(SYMBOLS)
                    last_price = self.exchange.exchange.markets[symbol].book.last_price
                    price = chances.one_of((None, Price((last_price / 2).quantize(Decimal(1)))))
                    self.exchange.place_by_hand(symbol, Side.BUY, Decimal(1), price)

    def _recent_execution(self, chances: Chances) -> str:
        execution = chances.one_of(self.exchange.executions[-12:])
        changed = execution.busted_fill_id or "" if execution.fill is None else execution.fill.fill_id
        return str(changed)

    def _correct(self, execution_id: str, chances: Chances) -> None:
        execution = self.exchange.exchange.executions.get(execution_id)
        if execution is not None and not execution.is_busted:
            quantity = (execution.quantity / 2) if chances.happens(0.5) else None
            price = (execution.price * Decimal("1.01")).quantize(Decimal("0.01")) if chances.happens(0.5) else None
            self.exchange.correct(execution_id, quantity, price)

    async def _bring_mishaps(self) -> None:
        """What happens to whole machines, from time to time; nothing in a calm world."""
        chances = self._mishaps
        mishaps = [
            each
            for each in (self._outage, self._crash, self._takeover, self._crash_api, self._step_clock)
            if chances.happens(0.5)
        ]
        if self.faults.is_calm or not mishaps:
            return
        every_seconds = chances.one_of((3.0, 15.0, 60.0))
        while True:
            await asyncio.sleep(chances.between(0.0, 2 * every_seconds))
            chances.one_of(mishaps)()

    def _outage(self) -> None:
        if not self.database.is_away:
            seconds = self._mishaps.between(*_OUTAGE_SECONDS)
            self.note(f"the store is away for {seconds:.1f} s")
            self.database.is_away = True
            self.loop.call_later(seconds, self._store_back)

    def _store_back(self) -> None:
        self.database.is_away = False

    def _crash(self) -> None:
        for worker in self.workers:
            worker.process.kill()

    def _takeover(self) -> None:
        """Another worker leads, and the one before notices it a while later."""
        before = [worker for worker in self.workers if worker.process.is_alive]
        seconds = self._mishaps.between(*_OVERLAP_SECONDS)
        self.note(f"another worker leads, for {seconds:.1f} s beside the one before")
        self.start_worker()
        for worker in before:
            self.loop.call_later(seconds, worker.stop)
            self.loop.call_later(seconds + 1.0, worker.process.kill)

    def _crash_api(self) -> None:
        self._mishaps.one_of(self.apis).process.kill()

    def _step_clock(self) -> None:
        self.clock.wrong_by_seconds = self._mishaps.between(*_STEP_SECONDS)
        self.note(f"the clock is wrong by {self.clock.wrong_by_seconds:.1f} s")

    def _end_faults(self) -> None:
        self.note("the faults are over")
        self.faults.end()
        self.database.is_away = False

    async def _settle(self) -> None:
        """Wait until nothing has happened for a while, and for longer where something still should.

        A question is something, too: a worker that was just started asks, one by one, whose the executions are of which it
        remembers nothing, and that takes minutes where thousands of orders were filled.
        """
        quiet_since, position = self.loop.time(), -1
        ends_at = quiet_since + _SETTLED_AT_LATEST_SECONDS
        while self.loop.time() < ends_at:
            await asyncio.sleep(_LOOK_SECONDS)
            now = await self.database.log.position()
            if now != position:
                quiet_since, position = self.loop.time(), now
            quiet_since = max(quiet_since, self.journal.asked_at)
            patience_seconds = _PENDING_SECONDS if self.database.tables.has_pending() else _QUIET_SECONDS
            if self.loop.time() - quiet_since > patience_seconds:
                break
