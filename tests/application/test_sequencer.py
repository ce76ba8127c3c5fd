import asyncio
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from random import Random  # noqa: TID251 - the argument is made here, from a seed

import pytest

from application import known_streams
from application import sequencer as sequencing
from application.ports import Appended, Key, Loaded, StoreUnavailableError, Transaction, UnreadableEventError
from application.sequencer import Outcome, Plan, Sequencer, SequencerBusyError
from application.snapshots import Snapshot, advanced, empty
from application.trading import Trading
from domain.account import Account
from domain.aggregates import State
from domain.events import FundsDeposited, FundsWithdrawn, Metadata, RecordedEvent, StreamId, account_stream
from domain.order import BrokenHistoryError
from domain.refusals import InsufficientFunds, InsufficientFundsToWithdraw
from domain.values import Currency, Money, TraderId, exactly
from infrastructure.memory import InMemoryEventStore
from tests.application.world import ALICE, BOB, BUY_TEN, CALLER, CountingIds, FastClock, cancel, fund, trading_on
from tests.simulation.database import StrictLog

STREAM = account_stream(ALICE)


class Deposits:
    """A command that deposits, and lets the test look on."""

    def __init__(
        self, amount: int | None = 1, error: Exception | None = None, streams: Sequence[StreamId] = (STREAM,)
    ) -> None:
        self.amount = amount
        self.error = error
        self.seen: list[State] = []
        self.metadata: Metadata = CALLER.metadata(ALICE)
        self.streams = streams
        self.new_streams: Sequence[StreamId] = ()
        self.keys: Sequence[Key] = ()

    def decide(self, streams: Mapping[StreamId, Snapshot[State]], _keys: Mapping[Key, object]) -> Plan:
        stream = self.streams[0]
        self.seen.append(streams[self.streams[-1]].state)
        if self.error is not None:
            raise self.error
        if self.amount is None:
            return Plan([(stream, FundsWithdrawn(amount=Money(Decimal("NaN")), currency=Currency.USD))])
        return Plan([(stream, FundsDeposited(amount=Money(Decimal(self.amount)), currency=Currency.USD))])


class GatedStore(StrictLog):
    """Counts what is asked of it, and holds appends back until the gate opens."""

    def __init__(self) -> None:
        super().__init__(FastClock())
        self.gate = asyncio.Event()
        self.gate.set()
        self.batches: list[int] = []
        self.known: list[int] = []
        self.loads: list[dict[StreamId, int]] = []
        self.fail: Exception | None = None

    async def append(self, transactions: Sequence[Transaction], known_position: int) -> Appended:
        self.batches.append(len(transactions))
        await self.gate.wait()
        self.known.append(known_position - await self.position())
        if self.fail is not None:
            error, self.fail = self.fail, None
            raise error
        return await super().append(transactions, known_position)

    async def load(
        self, streams: Mapping[StreamId, int], keys: Collection[Key] = (), *, from_snapshots: bool = False
    ) -> Loaded:
        self.loads.append(dict(streams))
        return await super().load(streams, keys, from_snapshots=from_snapshots)


class SlowToLoad(StrictLog):
    """Holds back what it has read, unless the stream of most tests is read, while ``loaded`` is not set."""

    def __init__(self) -> None:
        super().__init__(FastClock())
        self.loaded = asyncio.Event()
        self.loaded.set()

    async def load(
        self, streams: Mapping[StreamId, int], keys: Collection[Key] = (), *, from_snapshots: bool = False
    ) -> Loaded:
        found = await super().load(streams, keys, from_snapshots=from_snapshots)
        if STREAM not in streams:
            await self.loaded.wait()
        return found


class Whimsical(StrictLog):
    """Takes its time, and fails before or after it has recorded, as chance will have it."""

    def __init__(self, chance: Random) -> None:
        super().__init__(FastClock())
        self._chance = chance

    async def append(self, transactions: Sequence[Transaction], known_position: int) -> Appended:
        await self._pause()
        if self._chance.random() < 0.1:
            raise StoreUnavailableError("before")
        appended = await super().append(transactions, known_position)
        await self._pause()
        if self._chance.random() < 0.1:
            raise StoreUnavailableError("after")
        return appended

    async def load(
        self, streams: Mapping[StreamId, int], keys: Collection[Key] = (), *, from_snapshots: bool = False
    ) -> Loaded:
        await self._pause()
        if self._chance.random() < 0.05:
            raise StoreUnavailableError("not read")
        loaded = await super().load(streams, keys, from_snapshots=from_snapshots)
        await self._pause()
        return loaded

    async def _pause(self) -> None:
        for _ in range(self._chance.choice((0, 0, 1, 3, 10))):
            await asyncio.sleep(0)


class Moves:
    """Deposits on the first of its streams and looks at the others, or withdraws from all of them, if each has as much."""

    keys: Sequence[Key] = ()
    new_streams: Sequence[StreamId] = ()

    def __init__(self, streams: Sequence[StreamId], amount: int) -> None:
        self.streams = streams
        self.amount = amount
        self.metadata = CALLER.metadata(ALICE)

    def decide(self, streams: Mapping[StreamId, Snapshot[State]], _keys: Mapping[Key, object]) -> Plan:
        assert list(streams) == list(self.streams)
        amount = Money(Decimal(abs(self.amount)))
        if self.amount > 0:
            return Plan([(self.streams[0], FundsDeposited(amount=amount, currency=Currency.USD))])
        if any(cash_of(snapshot.state) < amount for snapshot in streams.values()):
            raise InsufficientFundsToWithdraw(amount="much", available="little")
        return Plan([(stream, FundsWithdrawn(amount=amount, currency=Currency.USD)) for stream in self.streams])


class UnreadableStore(GatedStore):
    """Has one stream with an event that this program does not know."""

    unreadable: StreamId | None = None
    asked: int = 0

    async def load(
        self, streams: Mapping[StreamId, int], keys: Collection[Key] = (), *, from_snapshots: bool = False
    ) -> Loaded:
        self.asked = max(self.asked, len(streams))
        if self.unreadable in streams:
            raise UnreadableEventError(f"nobody knows what is in {self.unreadable}")
        return await super().load(streams, keys, from_snapshots=from_snapshots)


def cash_of(state: State) -> Decimal:
    assert isinstance(state, Account)
    return state.cash


def cash(trading_outcome: sequencing.Outcome) -> Decimal:
    return cash_of(trading_outcome.snapshots[STREAM].state)


async def test_commands_that_wait_go_into_one_commit_and_see_each_other() -> None:
    store = GatedStore()
    async with Sequencer(store) as sequencer:
        store.gate.clear()
        first = asyncio.create_task(sequencer.execute(Deposits()))
        await asyncio.sleep(0.01)
        others = [asyncio.create_task(sequencer.execute(Deposits())) for _ in range(5)]
        await asyncio.sleep(0.01)
        store.gate.set()
        outcomes = [await first, *await asyncio.gather(*others)]
    assert store.batches == [1, 5]
    assert [cash(outcome) for outcome in outcomes] == [1, 2, 3, 4, 5, 6]
    assert [outcome.events[0].position for outcome in outcomes] == [1, 2, 3, 4, 5, 6]
    assert store.loads == [{STREAM: 0}]


async def test_whoever_wants_to_hear_of_it_is_told_each_commit_as_it_is_in_the_log() -> None:
    store, told = GatedStore(), list[Sequence[RecordedEvent]]()
    async with Sequencer(store, told.append) as sequencer:
        store.gate.clear()
        first = asyncio.create_task(sequencer.execute(Deposits()))
        await asyncio.sleep(0.01)
        others = [asyncio.create_task(sequencer.execute(Deposits())) for _ in range(2)]
        await asyncio.sleep(0.01)
        store.gate.set()
        await asyncio.gather(first, *others)
    log = await store.read(0, 10)
    assert [list(events) for events in told] == [log[:1], log[1:]]


async def test_an_answer_says_where_and_when_the_state_stands() -> None:
    async with Sequencer(InMemoryEventStore(FastClock())) as sequencer:
        await sequencer.execute(Deposits())
        outcome = await sequencer.execute(Deposits())
    snapshot = outcome.snapshots[STREAM]
    assert (snapshot.version, snapshot.position) == (2, 2)
    assert snapshot.created_at is not None
    assert snapshot.updated_at == outcome.events[0].recorded_at >= snapshot.created_at


async def test_states_that_a_decision_worked_out_stand_where_its_events_do() -> None:
    store = GatedStore()
    async with Sequencer(store) as sequencer:
        trading = trading_on(store, sequencer)
        await fund(trading)
        placed = [trading.place(ALICE, BUY_TEN, CALLER) for _ in range(3)]
        orders = [(await each).order for each in placed]
        for order in orders[:2]:
            await cancel(trading, order.state.order_id)
        for stream_id in store._streams:
            folded = advanced(empty(StreamId(stream_id)), store._streams[stream_id])
            assert sequencer.last_seen(StreamId(stream_id)) == folded


async def test_two_orders_of_one_trader_never_spend_the_same_dollar() -> None:
    store = InMemoryEventStore(FastClock())
    async with Sequencer(store) as sequencer:
        trading = trading_on(store, sequencer)
        await fund(trading, 5_500)
        results = await asyncio.gather(
            *(trading.place(ALICE, BUY_TEN, CALLER) for _ in range(20)), return_exceptions=True
        )
        account = await trading.account(ALICE)
    assert sum(not isinstance(result, Exception) for result in results) == 5
    assert sum(isinstance(result, InsufficientFunds) for result in results) == 15
    assert (account.state.reserved, account.state.available) == (5_000, 500)


async def test_a_faulty_command_fails_alone() -> None:
    store = GatedStore()
    async with Sequencer(store) as sequencer:
        results = await asyncio.gather(
            sequencer.execute(Deposits()),
            sequencer.execute(Deposits(error=ZeroDivisionError())),
            sequencer.execute(Deposits(error=InsufficientFundsToWithdraw(amount="$1", available="$0"))),
            sequencer.execute(Deposits()),
            return_exceptions=True,
        )
    assert [type(result).__name__ for result in results] == [
        "Outcome",
        "ZeroDivisionError",
        "InsufficientFundsToWithdraw",
        "Outcome",
    ]
    assert await store.position() == 2


async def test_an_event_that_cannot_be_stored_fails_its_own_command_only() -> None:
    store = GatedStore()
    async with Sequencer(store) as sequencer:
        store.gate.clear()
        first = asyncio.create_task(sequencer.execute(Deposits()))
        await asyncio.sleep(0.01)
        poison = Deposits(amount=None)
        rest = [asyncio.create_task(sequencer.execute(each)) for each in (Deposits(), poison, Deposits())]
        await asyncio.sleep(0.01)
        store.gate.set()
        results = await asyncio.gather(first, *rest, return_exceptions=True)
    assert [type(result).__name__ for result in results] == ["Outcome", "Outcome", "UnwritableEventError", "Outcome"]
    assert await store.position() == 3
    assert store.batches == [1, 3, 1, 1, 1]


async def test_a_batch_of_faults_alone_appends_nothing() -> None:
    store = GatedStore()
    async with Sequencer(store) as sequencer:
        with pytest.raises(ZeroDivisionError):
            await sequencer.execute(Deposits(error=ZeroDivisionError()))
    assert store.batches == []


async def test_a_command_that_met_another_writer_is_decided_again_and_its_mates_are_not() -> None:
    store = GatedStore()
    async with Sequencer(store) as ours, Sequencer(store) as theirs:
        await fund(trading_on(store, ours))
        bob = trading_on(store, ours, CountingIds())
        await fund(bob, trader_id=BOB)
        await theirs.execute(Deposits(7))
        command = Deposits(1)
        outcome, _ = await asyncio.gather(ours.execute(command), fund(bob, trader_id=BOB))
    assert len(command.seen) == 2
    assert cash(outcome) == 100_008
    assert store.batches[-2:] == [2, 1]


async def test_what_is_observed_need_not_be_decided_twice() -> None:
    store = GatedStore()
    async with Sequencer(store) as ours, Sequencer(store) as theirs:
        await ours.execute(Deposits(1))
        await theirs.execute(Deposits(2))
        await theirs.execute(Deposits(3))
        ours.observe(await store.read(1, 100))
        command = Deposits(4)
        assert cash(await ours.execute(command)) == 10
        assert len(command.seen) == 1
        assert store.loads == [{STREAM: 0}, {STREAM: 0}]
        assert store.known[-1] == 0


async def test_a_new_stream_is_known_from_observing_its_beginning() -> None:
    store = GatedStore()
    async with Sequencer(store) as ours, Sequencer(store) as theirs:
        await theirs.execute(Deposits(2))
        ours.observe(await store.read(0, 100))
        assert cash(await ours.execute(Deposits(1))) == 3
    assert store.loads == [{STREAM: 0}]


async def test_a_gap_in_what_is_observed_is_read_again() -> None:
    store = GatedStore()
    async with Sequencer(store) as ours, Sequencer(store) as theirs:
        await ours.execute(Deposits(1))
        for _ in range(3):
            await theirs.execute(Deposits(1))
        ours.observe(await store.read(2, 100))
        assert cash(await ours.execute(Deposits(1))) == 5
    assert store.loads[-1] == {STREAM: 1}


async def test_observing_one_s_own_events_before_the_answer_changes_nothing() -> None:
    store = InMemoryEventStore(FastClock())

    class Echo(InMemoryEventStore):
        async def append(self, transactions: Sequence[Transaction], known_position: int) -> Appended:
            appended = await store.append(transactions, known_position)
            sequencer.observe(await store.read(0, 100))
            return appended

        async def load(
            self, streams: Mapping[StreamId, int], keys: Collection[Key] = (), *, from_snapshots: bool = False
        ) -> Loaded:
            return await store.load(streams, keys, from_snapshots=from_snapshots)

    async with Sequencer(Echo(FastClock())) as sequencer:
        assert [cash(await sequencer.execute(Deposits(2))) for _ in range(3)] == [2, 4, 6]


async def test_a_refusal_is_checked_against_what_others_wrote() -> None:
    store = InMemoryEventStore(FastClock())
    async with Sequencer(store) as ours, Sequencer(store) as theirs:
        trading = trading_on(store, ours)
        await fund(trading, 1)
        await fund(trading_on(store, theirs, CountingIds()), 1_000)
        placed = await trading.place(ALICE, BUY_TEN, CALLER)
    assert placed.order.state.status == "PENDING"


async def test_a_lost_store_fails_the_waiting_commands_and_the_next_reads_afresh() -> None:
    store = GatedStore()
    async with Sequencer(store) as sequencer:
        await sequencer.execute(Deposits(1))
        store.fail = StoreUnavailableError("down")
        with pytest.raises(StoreUnavailableError):
            await sequencer.execute(Deposits(1))
        assert cash(await sequencer.execute(Deposits(1))) == 2
    assert store.loads[-1] == {STREAM: 1}


async def test_a_command_whose_caller_went_away_before_the_decision_is_not_carried_out() -> None:
    store = GatedStore()
    async with Sequencer(store) as sequencer:
        store.gate.clear()
        first = asyncio.create_task(sequencer.execute(Deposits(1)))
        await asyncio.sleep(0.01)
        gone = asyncio.create_task(sequencer.execute(Deposits(1)))
        await asyncio.sleep(0.01)
        gone.cancel()
        store.gate.set()
        await first
    assert await store.position() == 1


async def test_a_command_whose_caller_went_away_after_the_decision_stays_carried_out() -> None:
    store = GatedStore()
    async with Sequencer(store) as sequencer:
        store.gate.clear()
        gone = asyncio.create_task(sequencer.execute(Deposits(1)))
        await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.sleep(0.01)
        store.gate.set()
        assert cash(await sequencer.execute(Deposits(1))) == 2
        store.fail = StoreUnavailableError("down")
        store.gate.clear()
        gone = asyncio.create_task(sequencer.execute(Deposits(1)))
        await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.sleep(0.01)
        store.gate.set()


async def test_too_many_waiting_commands_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequencing, "QUEUE_LIMIT", 2)
    store = GatedStore()
    async with Sequencer(store) as sequencer:
        store.gate.clear()
        tasks = [asyncio.create_task(sequencer.execute(Deposits(1)))]
        await asyncio.sleep(0.01)
        tasks += [asyncio.create_task(sequencer.execute(Deposits(1))) for _ in range(3)]
        await asyncio.sleep(0.01)
        store.gate.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, SequencerBusyError) for result in results] == [False, False, False, True]


async def test_a_closing_sequencer_finishes_what_waits_and_takes_no_more() -> None:
    store = GatedStore()
    async with Sequencer(store) as sequencer:
        store.gate.clear()
        waiting = [asyncio.create_task(sequencer.execute(Deposits(1))) for _ in range(3)]
        await asyncio.sleep(0.01)
        store.gate.set()
    assert len(await asyncio.gather(*waiting)) == 3
    with pytest.raises(SequencerBusyError):
        await sequencer.execute(Deposits(1))


async def test_the_cache_is_bounded_and_what_left_it_is_loaded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_streams, "LIMIT", 3)
    store = GatedStore()
    async with Sequencer(store) as sequencer:
        trading: Trading = trading_on(store, sequencer)
        await fund(trading)
        orders = [(await trading.place(ALICE, BUY_TEN, CALLER)).order.state.order_id for _ in range(5)]
        sequencer.observe(await store.read(0, 100))
        cancelled = await cancel(trading, orders[0])
    assert cancelled.state.status == "CANCELLED"
    assert len(store.loads) == 3  # the account, what is halted, and the order that left


async def test_a_stream_with_a_hole_is_not_folded() -> None:
    store = InMemoryEventStore(FastClock())
    async with Sequencer(store) as sequencer:
        for _ in range(3):
            await sequencer.execute(Deposits(1))
    events = await store.read(0, 10)
    with exactly():
        two = advanced(empty(STREAM), events[:2])
        assert advanced(two, events[:2]) is two
        assert advanced(two, events).version == 3
    with exactly(), pytest.raises(BrokenHistoryError, match="account-alice has no version 2"):
        advanced(empty(STREAM), [events[0], events[2]])


async def test_a_sequencer_that_was_never_started_has_nothing_to_stop() -> None:
    await Sequencer(InMemoryEventStore(FastClock())).__aexit__(None, None, None)


async def test_a_stream_that_cannot_be_read_fails_the_commands_on_it_only() -> None:
    store = UnreadableStore()
    async with Sequencer(store) as sequencer:
        bob = trading_on(store, sequencer, CountingIds())
        store.unreadable = STREAM
        deposit = asyncio.create_task(sequencer.execute(Deposits()))
        funded = asyncio.create_task(fund(bob, trader_id=BOB))
        results = await asyncio.gather(deposit, funded, return_exceptions=True)
        assert [type(result).__name__ for result in results] == ["UnreadableEventError", "NoneType"]
        assert store.asked == 2
        store.unreadable = None
        await sequencer.execute(Deposits())
    assert store.batches == [1, 1]


# ── What a store is told that it need not look at ────────────────────────────────────────────────────────────────────


async def test_what_others_have_written_since_is_not_said_to_be_the_newest() -> None:
    """Two streams: one that was just read, and one that another process has written since it was read."""
    store = GatedStore()
    both = Deposits(1, streams=(account_stream(BOB), STREAM))
    async with Sequencer(store) as ours, Sequencer(store) as theirs:
        await ours.execute(Deposits(1))
        await theirs.execute(Deposits(1))
        await ours.execute(both)
    assert [cash_of(state) for state in both.seen] == [1, 2]


async def test_what_was_just_read_is_said_to_be_the_newest() -> None:
    store = GatedStore()
    async with Sequencer(store) as ours, Sequencer(store) as theirs:
        await theirs.execute(Deposits(1))
        await ours.execute(Deposits(1))
        await ours.execute(Deposits(1))
    assert store.known == [0, 0, 0]


async def test_what_was_heard_of_about_a_stream_while_it_was_read_is_not_overlooked() -> None:
    """Nothing was known of the stream yet that the news could have been added to."""
    store = SlowToLoad()
    first, second, ours_too = (Deposits(amount, streams=(account_stream(BOB),)) for amount in (1, 1, 5))
    async with Sequencer(store) as ours, Sequencer(store) as theirs:
        await theirs.execute(first)
        store.loaded.clear()
        task = asyncio.create_task(ours.execute(ours_too))
        await asyncio.sleep(0.01)
        await theirs.execute(second)
        ours.observe(await store.read(1, 100))
        store.loaded.set()
        await task
    assert [cash_of(state) for state in ours_too.seen] == [1, 2]


async def test_what_was_heard_of_while_others_were_read_is_not_taken_for_the_newest() -> None:
    """A stream that only is looked at: the append would not notice, so that it must not be told to trust us."""
    store = SlowToLoad()
    async with Sequencer(store) as ours, Sequencer(store) as theirs:
        await ours.execute(Deposits(1))
        begun = await store.position()
        store.loaded.clear()
        looking = Deposits(5, streams=(account_stream(BOB), STREAM))
        task = asyncio.create_task(ours.execute(looking))
        await asyncio.sleep(0.01)
        for _ in range(2):
            await theirs.execute(Deposits(1))
        ours.observe(await store.read(begun + 1, 100))
        store.loaded.set()
        await task
    assert [cash_of(state) for state in looking.seen] == [1, 3]


@pytest.mark.parametrize("seed", range(20))
async def test_two_sequencers_and_a_store_that_fails_now_and_then_keep_every_promise(seed: int) -> None:
    """Whatever happens: who was told yes stands in the log once, as told, and nobody spent what was not there."""
    chance = Random(seed)  # noqa: S311
    store = Whimsical(chance)
    streams = [account_stream(TraderId(name)) for name in ("a", "b", "c")]
    told: list[Outcome] = []

    async def trade(sequencer: Sequencer) -> None:
        for _ in range(30):
            mine = chance.sample(streams, chance.choice((1, 1, 2, 3)))
            try:
                told.append(await sequencer.execute(Moves(mine, chance.randint(-30, 20))))
            except (StoreUnavailableError, InsufficientFundsToWithdraw):
                continue

    async with Sequencer(store) as ours, Sequencer(store) as theirs:
        await asyncio.gather(*(trade(chance.choice((ours, theirs))) for _ in range(8)))
    log = await store.read(0, 10_000)
    by_position = {event.position: event for event in log}
    for outcome in told:
        for event in outcome.events:
            assert by_position.pop(event.position) == event
        for stream_id, snapshot in outcome.snapshots.items():
            history = [event for event in log if event.stream_id == stream_id][: snapshot.version]
            with exactly():
                assert snapshot == advanced(empty(stream_id), history)
                assert snapshot.state.cash >= 0
    assert len(told) > 20
