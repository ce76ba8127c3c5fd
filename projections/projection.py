"""What a projection is: a table of rows, the events it cares about, and what one event does to one row.

An event changes at most one row of a read model, so a fold leads to the same rows whatever the batches are: the same
function serves the live tail, a few events at a time, and a rebuild, thousands at a time.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from domain.events import Event, RecordedEvent
from domain.values import exactly

Key = tuple[str | int, ...]
Row = TypeVar("Row", bound=tuple[Any, ...])


@dataclass(frozen=True, slots=True)
class Projection(Generic[Row]):
    """One read model; ``name`` names its table and its checkpoint.

    ``row`` is a NamedTuple type whose fields are the table's columns, and ``key`` the fields that tell rows apart.
    ``key_of`` says which row an event of one of the types in ``events`` changes, ``evolve`` what the row is afterwards;
    it is given None where there is no row yet. ``is_insert_only``: no row is ever changed. ``version`` rises whenever
    the same events would lead to other rows than before, which then takes a rebuild.
    """

    name: str
    version: int
    row: type[Row]
    key: tuple[str, ...]
    events: frozenset[type[Event]]
    key_of: Callable[[RecordedEvent], Key]
    evolve: Callable[[Row | None, RecordedEvent], Row]
    is_insert_only: bool = False

    def keys(self, batch: Iterable[RecordedEvent]) -> set[Key]:
        """The rows that folding the batch starts from, whether they exist or not."""
        if self.is_insert_only:
            return set()
        return {self.key_of(recorded) for recorded in batch if type(recorded.event) in self.events}

    def fold(self, rows: Mapping[Key, Row], batch: Iterable[RecordedEvent]) -> dict[Key, Row]:
        """The rows that the batch changes, as it leaves them; ``rows`` are those of ``keys`` that exist.

        Raises:
            BrokenHistoryError: an event cannot have followed the ones before it.
        """
        changed: dict[Key, Row] = {}
        with exactly():
            for recorded in batch:
                if type(recorded.event) in self.events:
                    key = self.key_of(recorded)
                    changed[key] = self.evolve(changed.get(key) or rows.get(key), recorded)
        return changed
