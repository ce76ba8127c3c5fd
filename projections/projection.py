"""What a projection is: a table of rows, the events it cares about, and what one event does to one row.

An event changes at most one row of a read model, so a fold leads to the same rows whatever the batches are: the same
function serves the live tail, a few events at a time, and a rebuild, thousands at a time.

Few events change what those before them led to, and no row of bounded size could remember enough to take part of them
back. After such an event the row is folded anew from the stream that it is in.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from domain.events import Event, RecordedEvent, StreamId
from domain.values import exactly

Key = tuple[str | int, ...]
Row = TypeVar("Row", bound=tuple[Any, ...])
Batch = Sequence[RecordedEvent]
Past = Mapping[StreamId, Sequence[RecordedEvent]]
"""Streams from their beginning, at least up to the end of a batch."""
NO_PAST: Past = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Retelling(Generic[Row]):
    """After an event of one of the types in ``after``, ``row`` makes the row anew of all events that change it so far."""

    after: frozenset[type[Event]]
    row: Callable[[Batch], Row]


@dataclass(frozen=True, slots=True)
class Projection(Generic[Row]):
    """One read model; ``name`` names its table and its checkpoint.

    ``row`` is a NamedTuple type whose fields are the table's columns, and ``key`` the fields that tell rows apart. All
    events of a row are in one stream, whose id is what ``stream`` begins with and then the value of the field that it names.
    ``key_of`` says which row an event of one of the types in ``events`` changes, ``evolve`` what the row is afterwards;
    it is given None where there is no row yet. ``is_insert_only``: no row is ever changed. ``version`` rises whenever
    the same events would lead to other rows than before, which then takes a rebuild. ``retelling`` is for
    events that change what earlier ones of their stream led to.
    """

    name: str
    version: int
    row: type[Row]
    key: tuple[str, ...]
    stream: tuple[str, str]
    events: frozenset[type[Event]]
    key_of: Callable[[RecordedEvent], Key]
    evolve: Callable[[Row | None, RecordedEvent], Row]
    is_insert_only: bool = False
    retelling: Retelling[Row] | None = None

    def keys(self, batch: Iterable[RecordedEvent]) -> set[Key]:
        """The rows that folding the batch starts from, whether they exist or not."""
        if self.is_insert_only:
            return set()
        return {self.key_of(recorded) for recorded in batch if type(recorded.event) in self.events}

    def retold(self, batch: Iterable[RecordedEvent]) -> set[StreamId]:
        """The streams whose past it takes to fold the batch."""
        after = self.retelling.after if self.retelling else ()
        return {recorded.stream_id for recorded in batch if type(recorded.event) in after}

    def fold(self, rows: Mapping[Key, Row], batch: Batch, past: Past = NO_PAST) -> dict[Key, Row]:
        """The rows that the batch changes, as it leaves them; ``rows`` are those of ``keys`` that exist.

        ``past`` has the streams that ``retold`` names, unless the batch begins the log.

        Raises:
            BrokenHistoryError: an event cannot have followed the ones before it.
            LookupError: the past is needed, and was not given.
        """
        changed: dict[Key, Row] = {}
        events, key_of, evolve, retelling = self.events, self.key_of, self.evolve, self.retelling
        with exactly():
            for recorded in batch:
                kind = type(recorded.event)
                if kind in events:
                    key = key_of(recorded)
                    if retelling and kind in retelling.after:
                        before = past.get(recorded.stream_id, () if key in rows else batch)
                        changed[key] = retelling.row(self._so_far(key, recorded, before))
                    else:
                        changed[key] = evolve(changed.get(key) or rows.get(key), recorded)
        return changed

    def _so_far(self, key: Key, last: RecordedEvent, told: Batch) -> Batch:
        events = [
            recorded
            for recorded in told
            if type(recorded.event) in self.events
            and recorded.position <= last.position
            and self.key_of(recorded) == key
        ]
        if events[-1:] != [last]:
            raise LookupError(f"{last.stream_id} is needed up to position {last.position}, and was not given")
        return events
