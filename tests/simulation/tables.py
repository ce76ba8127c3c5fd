"""The read tables in memory: folded by the projections of the product, rows and checkpoint together."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from domain.events import RecordedEvent, StreamId
from domain.lifecycle import FINAL, Flag, Status
from domain.values import ZERO, OrderId, Symbol, TraderId
from projections.accounts import ACCOUNTS
from projections.orders import ORDERS
from projections.positions import POSITIONS
from projections.projection import Key
from projections.registry import PROJECTIONS

Rows = dict[Key, tuple[Any, ...]]


class Tables:
    """All rows of all read models, as they stand when the log is read up to ``position``."""

    def __init__(self) -> None:
        self.position = 0
        self._accounts: defaultdict[StreamId, list[RecordedEvent]] = defaultdict(list)
        self.rows: dict[str, Rows] = {projection.name: {} for projection in PROJECTIONS}
        self._open: Rows = {}

    def fold(self, batch: Sequence[RecordedEvent]) -> None:
        """Apply what is new in the batch, whoever else brings it too."""
        new = [recorded for recorded in batch if recorded.position > self.position]
        if not new:
            return
        if new[0].position != self.position + 1:
            raise AssertionError(f"the tables stand at {self.position} and are told of {new[0].position} next")
        for recorded in new:
            if type(recorded.event) in ACCOUNTS.events:
                self._accounts[recorded.stream_id].append(recorded)
        for projection in PROJECTIONS:
            known = self.rows[projection.name]
            found = {key: known[key] for key in projection.keys(new) if key in known}
            changed = projection.fold(found, new, self._accounts)
            known |= changed
            if projection is ORDERS:
                self._note_open(changed)
        self.position = new[-1].position

    def open_orders(self) -> tuple[Sequence[OrderId], int]:
        """Ids of all orders that are not over, oldest first, and the position of the tables."""
        oldest_first = sorted(self._open.values(), key=lambda row: row[_CREATED])
        return [row[_ID] for row in oldest_first], self.position

    def held(self, trader_id: TraderId, symbol: Symbol) -> Decimal:
        """How much a trader has of a symbol."""
        row = self.rows[POSITIONS.name].get((trader_id, symbol))
        return ZERO if row is None else row[_QUANTITY]

    def has_pending(self) -> bool:
        """Whether an order waits for something to be answered."""
        return any(row[_STATUS] in _PENDING or Flag.UNRESOLVED in row[_FLAGS] for row in self._open.values())

    def _note_open(self, changed: Rows) -> None:
        for key, row in changed.items():
            if row[_STATUS] in FINAL:
                self._open.pop(key, None)
            else:
                self._open[key] = row


_PENDING = frozenset({Status.PENDING, Status.PENDING_CANCEL, Status.PENDING_REPLACE})
_QUANTITY = POSITIONS.row._fields.index("quantity")
_ID, _STATUS, _CREATED, _FLAGS = map(ORDERS.row._fields.index, ("id", "status", "created_position", "flags"))
