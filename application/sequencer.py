"""The only write path: commands in turn, many to a commit.

While one append is being committed, new commands queue. Then all of them are taken at once: what is not known yet is
loaded in one query, each is decided against the state that the ones before it left, everything is appended in one
commit, and each caller gets its answer. Two commands of one trader can never both spend the same dollar, because they
are decided in turn; commands that met a stream another process had written are decided again, and only those.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, Self

from application.known_streams import KnownStreams
from application.ports import (
    EventsArchivedError,
    EventStore,
    Key,
    KeyUse,
    NewEvent,
    Transaction,
    UnreadableEventError,
    UnwritableEventError,
)
from application.snapshots import Snapshot
from domain.aggregates import State, evolve
from domain.events import Event, Metadata, RecordedEvent, StreamId
from domain.refusals import Refusal
from domain.values import exactly

QUEUE_LIMIT = 10_000
BATCH_LIMIT = 500


class SequencerBusyError(Exception):
    """More commands are waiting than can be decided soon; nothing was recorded, try again later."""


class Plan(NamedTuple):
    """What a decision wants recorded: events with their streams, and keys with their fingerprint and stream.

    ``states`` are those that the events lead to, as far as the decision has worked them out; the others are folded.
    ``metadata`` is the events' where it follows from what was found; else it is the command's.
    ``replay_of`` says instead that the command was carried out before, and where its first answer stands.
    """

    events: Sequence[tuple[StreamId, Event]] = ()
    states: Mapping[StreamId, State] = MappingProxyType({})
    keys: Mapping[Key, tuple[str, StreamId]] = MappingProxyType({})
    replay_of: KeyUse | None = None
    metadata: Metadata | None = None


class Command(Protocol):
    """One unit of work: what it looks at, and what it decides. ``decide`` is pure and may be called again."""

    @property
    def metadata(self) -> Metadata:
        """Recorded beside every event of the command."""
        ...

    @property
    def streams(self) -> Sequence[StreamId]:
        """The streams that the decision looks at or writes."""
        ...

    @property
    def new_streams(self) -> Sequence[StreamId]:
        """Those of the streams that nobody can have written yet, because their names were made for this command."""
        ...

    @property
    def keys(self) -> Sequence[Key]:
        """The keys that the decision looks at or uses."""
        ...

    def decide(self, streams: Mapping[StreamId, Snapshot[Any]], keys: Mapping[Key, KeyUse]) -> Plan:
        """What is to be recorded, given ``streams`` as they are, in their order; only their states and versions count.

        Whoever names a stream knows what it holds, so the states are of no type here.

        Raises Refusal when nothing is.
        """
        ...


class Outcome(NamedTuple):
    """What came of a command: its events as recorded, and every stream it looked at as it stood right after it."""

    events: Sequence[RecordedEvent]
    snapshots: Mapping[StreamId, Snapshot[State]]
    replay_of: KeyUse | None = None


@dataclass(slots=True)
class _Pending:
    command: Command
    streams: Sequence[StreamId]
    new_streams: Sequence[StreamId]
    answer: asyncio.Future[Outcome]


class _Decided(NamedTuple):
    """A decided command, what it saw and what it leaves. States that batch mates left have no position and no times yet."""

    pending: _Pending
    transaction: Transaction
    before: Mapping[StreamId, Snapshot[State]]
    after: Mapping[StreamId, Snapshot[State]]
    replay_of: KeyUse | None
    refusal: Refusal | None


class Sequencer:
    """Decides and records commands, one batch at a time. Use as an async context manager."""

    def __init__(self, store: EventStore, tell: Callable[[Sequence[RecordedEvent]], None] = lambda _: None) -> None:
        """``tell`` hears of all events of each commit, in their order in the log."""
        self._store = store
        self._tell = tell
        self._queue: list[_Pending] = []
        self._wake = asyncio.Event()
        self._known = KnownStreams()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start deciding."""
        self._task = asyncio.create_task(self._run(), name="sequencer")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Decide what is queued, then stop."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def execute(self, command: Command) -> Outcome:
        """Decide and record the command, and return what came of it once that is durable.

        Raises:
            Refusal: the command is against a rule as things stood when it was decided.
            SequencerBusyError: too many commands are waiting, or the sequencer is closing.
            StoreUnavailableError: the store cannot be reached; nothing was recorded.
            OutcomeUnknownError: the store fell silent, and it may have been recorded.
            UnreadableEventError: a stream that it looks at has an event that this program does not know.
            EventsArchivedError: the beginning of such a stream is archived, and no snapshot of it can be read.
        """
        if self._closing or len(self._queue) >= QUEUE_LIMIT:
            raise SequencerBusyError
        answer = asyncio.get_running_loop().create_future()
        pending = _Pending(command, command.streams, command.new_streams, answer)
        self._queue.append(pending)
        self._wake.set()
        return await pending.answer

    def last_seen(self, stream_id: StreamId) -> Snapshot[State]:
        """The stream as it was some time ago, which nothing that happened since can change; empty if nobody looked."""
        return self._known.last_seen(stream_id)

    def observe(self, events: Sequence[RecordedEvent]) -> None:
        """Take note of what was recorded, by whomever: every event of the log in turn keeps what is known fresh.

        This is a shortcut, not a promise: an append finds out by itself what has not been observed yet.
        """
        self._known.observe(events)

    async def _run(self) -> None:
        while self._queue or not self._closing:
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
            batch, self._queue = self._queue[:BATCH_LIMIT], self._queue[BATCH_LIMIT:]
            # Whoever stopped waiting before the decision is not acted for.
            batch = [pending for pending in batch if not pending.answer.done()]
            self._queue = await self._carry_out(batch) + self._queue

    async def _carry_out(self, batch: Sequence[_Pending]) -> list[_Pending]:
        """Carry out the batch, and tell its callers whatever goes wrong; returns what has to be decided again."""
        try:
            return await self._process(batch)
        except (UnwritableEventError, UnreadableEventError, EventsArchivedError) as error:
            self._forget(batch)
            if len(batch) == 1:
                _fail(batch[0], error)
                return []
            # Nothing was recorded, and nobody knows whose event it was: each command finds out alone.
            return [pending for each in batch for pending in await self._carry_out([each])]
        except Exception as error:  # noqa: BLE001 - every caller is told, whatever it was, and the next batch runs
            self._forget(batch)
            for pending in batch:
                _fail(pending, error)
            return []

    async def _process(self, batch: Sequence[_Pending]) -> list[_Pending]:
        """Carry out the batch; returns what has to be decided again."""
        streams = dict.fromkeys(stream_id for pending in batch for stream_id in pending.streams)
        new = dict.fromkeys(stream_id for pending in batch for stream_id in pending.new_streams)
        self._known.begin(new)
        keys = await self._load(batch, streams)
        states = self._known.states(streams)
        with exactly():
            decided = _decide(batch, states, keys, self._known.read_since(states, new))
        if not decided:
            return []
        appended = await self._store.append([each.transaction for each in decided], self._known.newest_until(streams))
        recorded = [event for events in appended.recorded if events for event in events]
        if recorded:
            self._tell(recorded)
        again = []
        settled: dict[StreamId, Snapshot[State]] = {}
        for each, events in zip(decided, appended.recorded, strict=True):
            if events is None:
                self._known.doubt(each.before)
                again.append(each.pending)
            else:
                _settle(each, events, settled)
        self._known.appended(settled, len(recorded), appended.position)
        return again

    async def _load(self, batch: Sequence[_Pending], streams: Iterable[StreamId]) -> dict[Key, KeyUse]:
        wanted = self._known.unknown(streams)
        keys = [key for pending in batch for key in pending.command.keys]
        if not wanted and not keys:
            return {}
        loaded = await self._store.load(wanted, keys, from_snapshots=True)
        self._known.read(wanted, loaded)
        return dict(loaded.keys)

    def _forget(self, batch: Iterable[_Pending]) -> None:
        """After a failure nobody knows what was recorded: read it again."""
        for pending in batch:
            self._known.doubt(pending.streams)


def _decide(
    batch: Sequence[_Pending], states: dict[StreamId, Snapshot[State]], keys: dict[Key, KeyUse], read_since: int
) -> list[_Decided]:
    """Every command in turn; ``states`` and ``keys`` become what they leave."""
    decided = []
    for pending in batch:
        command = pending.command
        before = {stream_id: states[stream_id] for stream_id in pending.streams}
        reads = {stream_id: snapshot.version for stream_id, snapshot in before.items()}
        try:
            plan = command.decide(before, keys)
            after, new_events = _numbered(plan, before, plan.metadata or command.metadata)
        except Refusal as refusal:
            transaction = Transaction(reads, read_since=read_since)
            decided.append(_Decided(pending, transaction, before, before, None, refusal))
            continue
        except Exception as error:  # noqa: BLE001 - a fault of one command must not fail its batch mates
            _fail(pending, error)
            continue
        uses = {
            key: KeyUse(fingerprint, stream_id, after[stream_id].version)
            for key, (fingerprint, stream_id) in plan.keys.items()
        }
        states |= after
        keys |= uses
        transaction = Transaction(reads, new_events, uses, read_since)
        decided.append(_Decided(pending, transaction, before, after, plan.replay_of, None))
    return decided


def _numbered(
    plan: Plan, before: Mapping[StreamId, Snapshot[State]], metadata: Metadata
) -> tuple[dict[StreamId, Snapshot[State]], list[NewEvent]]:
    """The plan's events with their versions, and the states they lead to."""
    after = dict(before)
    new_events = []
    for stream_id, event in plan.events:
        snapshot = after[stream_id]
        version = snapshot.version + 1
        state = plan.states[stream_id] if stream_id in plan.states else evolve(snapshot.state, event)
        correlation_id = snapshot.correlation_id if snapshot.version else metadata.correlation_id
        after[stream_id] = Snapshot(state, version, 0, None, None, correlation_id)
        new_events.append(NewEvent(stream_id, version, event, metadata))
    return after, new_events


def _settle(decided: _Decided, events: Sequence[RecordedEvent], settled: dict[StreamId, Snapshot[State]]) -> None:
    """Answer the caller; ``settled`` holds the streams as the batch mates before this one left them.

    Its reads held, so what it decided is what happened: its states need no fold, only their place in the log.
    """
    for stream_id, snapshot in decided.before.items():
        settled.setdefault(stream_id, snapshot)
    for position, stream_id, version, _, _, at, _ in events:
        after, created_at = decided.after[stream_id], settled[stream_id].created_at
        settled[stream_id] = Snapshot(after.state, version, position, created_at or at, at, after.correlation_id)
    answer = decided.pending.answer
    if answer.done():
        return
    if decided.refusal is not None:
        answer.set_exception(decided.refusal)
    else:
        snapshots = {stream_id: settled[stream_id] for stream_id in decided.before}
        answer.set_result(Outcome(events, snapshots, decided.replay_of))


def _fail(pending: _Pending, error: Exception) -> None:
    if not pending.answer.done():
        pending.answer.set_exception(error)
