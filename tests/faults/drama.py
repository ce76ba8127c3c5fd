"""A world with people in it: traders who trade, subscribers who listen, and what happens to them in one round."""

import asyncio
import signal
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from itertools import cycle
from random import Random  # noqa: TID251 - it is seeded, and the seed is printed
from time import monotonic
from typing import Any

import httpx2
import psycopg

from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.verification import verify
from tests.faults import checks
from tests.faults.ledger import Ledger
from tests.faults.rounds import LEADER, Boundary, Round
from tests.faults.subscribers import EventSourceSubscriber, Subscriber, WebSocketSubscriber
from tests.faults.traders import MOVING, Trader
from tests.faults.venue_books import read_venue
from tests.faults.wire import Trap
from tests.faults.world import PATIENCE_SECONDS, WORKERS, World
from tests.plain_http import PLAIN

_TRADERS = ("alice", "bob")
_HANDS = 3
_DEPOSIT = "100000000"
_BEFORE_SECONDS = (0.1, 0.8)
_AFTER_SECONDS = 0.4
_LATE_SECONDS = 1.0
_HANGS_SECONDS = 2.0
_SPRUNG_SECONDS = 20.0
_LOOK_SECONDS = 0.1
_MOVE_SECONDS = 0.25
_LONG_SECONDS = 5.0
_PRICES = ("250", "255", "262", "250", "246", "238", "250")
_BEHIND = "SELECT name, position FROM checkpoints WHERE position < %s"


class Drama:
    """The system under load. `begin` and `end` belong together.

    Attributes:
        takeovers: the seconds from each death of a leader to the first thing that its successor did.
    """

    def __init__(self, seed: int) -> None:
        self.world = World()
        self.ledger = Ledger()
        self.traders: list[Trader] = []
        self.subscribers: list[Subscriber] = []
        self.takeovers: list[float] = []
        self._random = Random(seed)  # noqa: S311 - nothing here is secret
        self._seed = seed
        self._tasks: list[asyncio.Task[None]] = []
        self._opening_cash = Decimal(0)
        self._is_open = asyncio.Event()

    async def begin(self) -> None:
        await self.world.build()
        self._opening_cash = (await read_venue(self.world.venue_url)).cash
        url = self.world.url
        headers = {"Authorization": f"Bearer {self.world.token('operator', 'ops')}"}
        async with httpx2.AsyncClient(base_url=url, headers=headers, **PLAIN, timeout=10) as ops:
            for name in _TRADERS:
                answer = await ops.post(f"/api/v1/accounts/{name}/deposits", json={"amount": _DEPOSIT})
                answer.raise_for_status()
        for name in _TRADERS:
            token = self.world.token(name, "trader")
            self.traders.append(Trader(name, url, token, f"{self._seed}/{name}"))
            self.subscribers += [
                WebSocketSubscriber(f"{name}'s screen", url, name, token),
                WebSocketSubscriber(f"{name}'s telephone", url, name, token, leaves_after=50),
                EventSourceSubscriber(f"{name}'s browser", url, name, token),
            ]
        self._tasks += [asyncio.create_task(trader.trade(_HANDS)) for trader in self.traders]
        self._tasks += [asyncio.create_task(subscriber.follow()) for subscriber in self.subscribers]
        self._tasks.append(asyncio.create_task(self._move_the_price()))

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.world.end()

    async def play(self, round_: Round) -> str:
        """Kill, start again, let everybody settle, and check; what happened, in a few words.

        Raises:
            AssertionError: something is not true that has to be.
        """
        orders, position = len(self.ledger.orders), self.ledger.position
        self.go_on()
        leader = await self.world.leader_is_known()
        trap = None
        if round_.boundary is None:
            await asyncio.sleep(self._random.uniform(*_BEFORE_SECONDS))
        else:
            trap = await self.at(round_.boundary, leader)
        killed_at = await self.world.now()
        await self._kill(round_.victim, leader)
        led = None
        if round_.victim in {LEADER, "the engine"}:
            successor = await self.world.leader_is_known(other_than=leader)
            led = successor, await self.world.now()
        if round_.boundary is not None and trap is not None:
            await self._let_go(round_, trap, leader)
        await self._start_again(round_.victim, leader)
        await asyncio.sleep(_AFTER_SECONDS)
        settled = await self.settle()
        words = [f"{len(self.ledger.orders) - orders} orders, {self.ledger.position - position} events", settled]
        if led is not None:
            words.append(self._takeover(killed_at, *led))
        return ", ".join(words)

    async def suspend(self, boundary: Boundary | None, *, cut: bool) -> str:
        """Stop the leader for a while without killing it; what happened, in a few words.

        Args:
            boundary: where it is when it stops; None: somewhere.
            cut: its connections to the database are lost meanwhile.

        Raises:
            AssertionError: something is not true that has to be.
        """
        self.go_on()
        leader = await self.world.leader_is_known()
        trap = None
        if boundary is None:
            await asyncio.sleep(self._random.uniform(*_BEFORE_SECONDS))
        else:
            trap = await self.at(boundary, leader)
        stopped_at = await self.world.now()
        self.world.programs[leader].send(signal.SIGSTOP)
        words = "nobody took over"
        if cut:
            await self.world.wires[leader, "database"].cut()
            led = await self.world.leader_is_known(other_than=leader), await self.world.now()
        await asyncio.sleep(_HANGS_SECONDS)
        self.world.programs[leader].send(signal.SIGCONT)
        if trap is not None:
            trap.release()
        await asyncio.sleep(_AFTER_SECONDS)
        settled = await self.settle()
        if cut:
            words = self._takeover(stopped_at, *led)
        return f"{words}, {settled}"

    def go_on(self) -> None:
        """Everybody trades."""
        for trader in self.traders:
            trader.go_on()
        self._is_open.set()

    async def at(self, boundary: Boundary, leader: str) -> Trap:
        """Hold the system at the boundary, while everything else goes on."""
        process, server = boundary.wire
        wire = self.world.wires[leader if process == LEADER else process, server]
        wire.trap = boundary.trap()
        async with asyncio.timeout(_SPRUNG_SECONDS):
            await wire.trap.sprung.wait()
        return wire.trap

    async def settle(self) -> str:
        """Stop trading and wait until everything is as it should be; how long that took, and what came last.

        Raises:
            AssertionError: it is not after a long while, or the read tables are not what the log leads to.
        """
        for trader in self.traders:
            trader.pause()
        self._is_open.clear()
        began = monotonic()
        last, looks = "", round(PATIENCE_SECONDS / _LOOK_SECONDS)  # not seconds: see `eventually`
        while (problems := await self._problems()) and (looks := looks - 1):
            last = problems[0]
            await asyncio.sleep(_LOOK_SECONDS)
        seconds = monotonic() - began
        problems = problems or await self._read_models()
        assert not problems, "\n".join(problems)
        return f"settled in {seconds:.1f} s" + (f" ({last})" if seconds > _LONG_SECONDS else "")

    async def _read_models(self) -> list[str]:
        """Differences between the read tables and the log, folded afresh."""
        async with PostgresEventStore(self.world.database_url) as store:
            verified = await verify(self.world.database_url, store)
        return [found.difference.described() for found in verified if found.difference is not None]

    async def _move_the_price(self) -> None:
        """Up and down, so that orders are filled of which nobody asks anything at that moment."""
        async with httpx2.AsyncClient(base_url=self.world.venue_url, **PLAIN, timeout=2) as operator:
            for price in cycle(_PRICES):
                await self._is_open.wait()
                with suppress(httpx2.HTTPError):  # the venue may be dead
                    await operator.put(f"/control/prices/{MOVING}", json={"price": price})
                await asyncio.sleep(_MOVE_SECONDS)

    async def _kill(self, victim: str, leader: str) -> None:
        for program in self._programs(victim, leader):
            program.kill()
        if victim in {"PostgreSQL", "Valkey"}:
            self._server(victim).kill()

    async def _start_again(self, victim: str, leader: str) -> None:
        world = self.world
        for program in self._programs(victim, leader):
            program.start()
        if victim in {"PostgreSQL", "Valkey"}:
            self._server(victim).start()
        await world.postgres_is_up()
        await world.valkey_is_up()
        await world.venue_is_up()
        await world.api_is_up()
        for worker in WORKERS:
            await world.worker_is_up(worker)

    def _programs(self, victim: str, leader: str) -> list[Any]:
        (standby,) = set(WORKERS) - {leader}
        names = {
            LEADER: [leader],
            "the API": ["api"],
            "the engine": ["api", leader],
            "the standby": [standby],
            "the venue": ["venue"],
        }
        return [self.world.programs[name] for name in names.get(victim, [])]

    def _server(self, victim: str) -> Any:
        return self.world.postgres if victim == "PostgreSQL" else self.world.valkey

    async def _let_go(self, round_: Round, trap: Trap, leader: str) -> None:
        """What was held is passed on, unless the one who said it is dead."""
        boundary = round_.boundary
        assert boundary is not None
        process, server = boundary.wire
        name = leader if process == LEADER else process
        sender_is_dead = self.world.programs[name] in self._programs(round_.victim, leader)
        if boundary.arrives_late:
            await asyncio.sleep(self._random.uniform(0, _LATE_SECONDS))
        trap.release(is_lost=sender_is_dead and not boundary.arrives_late)
        self.world.wires[name, server].trap = None

    def _takeover(self, lost_at: datetime, successor: str, led_at: datetime) -> str:
        """When the successor led, and when it had done something that others can see."""
        first = next((at for at in self.ledger.effects if at >= led_at), led_at)
        leads, acts = ((moment - lost_at).total_seconds() for moment in (led_at, first))
        self.takeovers.append(acts)
        return f"{successor} led after {leads:.1f} s and acted after {acts:.1f} s"

    async def _problems(self) -> list[str]:
        """What is not as it should be now; the cheap questions first."""
        if waiting := [trader.trader_id for trader in self.traders if not trader.is_quiet]:
            return [f"{trader_id} still waits for answers" for trader_id in waiting]
        try:
            async with await self.world.database() as connection:
                await self.ledger.read_on(connection)
                cursor = await connection.execute(_BEHIND, (self.ledger.position,))
                behind = [f"{name} stands at {position}" for name, position in await cursor.fetchall()]
            problems = [
                *self.ledger.problems,
                *behind,
                *checks.under_way(self.ledger),
                *checks.requests_and_log(self.traders, self.ledger),
                *checks.attempts(self.ledger, self.world.submitted),
                *checks.streams(self.ledger, self.subscribers),
            ]
            if problems:
                return problems
            accounts = {trader.trader_id: await trader.account() for trader in self.traders}
            venue = await read_venue(self.world.venue_url)
        except (psycopg.OperationalError, httpx2.HTTPError) as error:
            return [f"somebody does not answer: {error}"]
        return [
            *checks.log_and_venue(self.ledger, venue),
            *checks.exits(self.ledger),
            *checks.money(self.ledger, venue, self._opening_cash, accounts),
        ]
