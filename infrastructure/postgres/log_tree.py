"""The Merkle tree over the log, kept by whoever signs and proves: it remembers blocks, and reads what is new."""

from collections.abc import Callable, Sequence
from threading import Lock

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from infrastructure.audit.checkpoint import Checkpoint, LogState
from infrastructure.audit.examination import LogLeaf
from infrastructure.audit.merkle import path_of, root_of
from infrastructure.audit.proof import Proof, prove
from infrastructure.postgres.archived import archived_until, see_that_positions_are_here
from infrastructure.postgres.chain import GENESIS, link
from infrastructure.postgres.connecting import conninfo
from infrastructure.postgres.log_leaves import leaves
from infrastructure.postgres.log_rows import edges, rows_of_stream
from infrastructure.postgres.log_state import TamperedLogError

BLOCK = 1024
"""So many leaves, a power of two, are remembered by one root: 32 bytes in memory for each 1,024 events of the log."""

Begun = Callable[[int], Callable[[int], None]]


def unseen(_events: int) -> Callable[[int], None]:
    """Nobody watches."""
    return lambda _steps: None


class LogTree:
    """The tree over a log. The first question reads all of it, and each later one what has come since. Threads take turns.

    Every event is checked against its hash when it is first read, and once its block is whole it is not read again, so
    what is signed later is still what was read then.

    Args:
        database_url: where the log is.
    """

    def __init__(self, database_url: str) -> None:
        self._conninfo = conninfo(database_url)
        self._turn = Lock()
        self._blocks: list[bytes] = []
        self._last_hash = GENESIS

    def state(self, begun: Begun = unseen) -> LogState:
        """What a checkpoint is to say of the log as it is now; ``begun`` as below.

        Raises:
            TamperedLogError: what is new in the log is not what was recorded.
            EventsArchivedError: of what is new to this tree, something is archived.
            psycopg.Error: it cannot be read.
        """
        with self._turn, psycopg.connect(self._conninfo, autocommit=True) as connection:
            log = edges(connection)
            blocks, tail = self._tree(connection, log.last, begun)
            last, recorded_at = _last(connection, log.last)
            if [(head.position, head.hash) for head in log.heads] != [(log.last, last)]:
                raise TamperedLogError(f"position {log.last}: log_head does not say what the last event says")
            return LogState(log.last, last, root_of(_items(blocks, tail)), recorded_at)

    def prove(self, order_id: str, checkpoint: Checkpoint, begun: Begun = unseen) -> Proof:
        """The proof that the order's events, as far as there were any then, are in the log that the checkpoint is of.

        Args:
            order_id: whose events; there may be none.
            checkpoint: of this log.
            begun: told how many events are to be read; what it returns is told how many more were.

        Raises:
            TamperedLogError: the log is not what was recorded, or not the one that the checkpoint is of.
            EventsArchivedError: the beginning of the log is archived.
            psycopg.Error: it cannot be read.
        """
        with self._turn, psycopg.connect(self._conninfo, autocommit=True) as connection:
            see_that_positions_are_here(1, archived_until(connection) + 1)
            blocks, tail = self._tree(connection, checkpoint.position, begun)
            items = _items(blocks, tail)
            if root_of(items).hex() != checkpoint.root:
                raise TamperedLogError(f"the log up to {checkpoint.position} is not the one that the checkpoint is of")
            proven = []
            leaves_of: dict[int, Sequence[bytes]] = {len(blocks): tail}
            for row in rows_of_stream(connection, f"order-{order_id}", checkpoint.position):
                block, index = divmod(row.position - 1, BLOCK)
                if block not in leaves_of:
                    leaves_of = {len(blocks): tail, block: _leaves(connection, block * BLOCK, (block + 1) * BLOCK)}
                proven.append((row, [*path_of(leaves_of[block], index), *path_of(items, block)]))
            return prove(order_id, proven, checkpoint)

    def _tree(
        self, connection: Connection[TupleRow], size: int, begun: Begun
    ) -> tuple[Sequence[bytes], Sequence[bytes]]:
        """The roots of the whole blocks in the tree of this size, and the leaves behind them."""
        known, whole = len(self._blocks) * BLOCK, size // BLOCK * BLOCK
        see_that_positions_are_here(known + 1, archived_until(connection) + 1)
        advanced = begun(max(size - known, 0))
        while known < whole:
            block, last_hash = _checked(connection, known, known + BLOCK, self._last_hash)
            self._blocks.append(root_of(block))
            self._last_hash = last_hash
            known += BLOCK
            advanced(BLOCK)
        tail = _leaves(connection, whole, size)
        advanced(len(tail))
        return self._blocks[: whole // BLOCK], tail


def _items(blocks: Sequence[bytes], tail: Sequence[bytes]) -> Sequence[bytes]:
    """What the tree is over when a whole block counts as one leaf."""
    return [*blocks, root_of(tail)] if tail else blocks


def _last(connection: Connection[TupleRow], position: int) -> tuple[bytes, str | None]:
    """The hash of the event, and when it was recorded; before the first there is none."""
    if position == 0:
        return GENESIS, None
    found = [row for page, _ in leaves(connection, position, position) for row in page]
    if not found:
        raise TamperedLogError(f"position {position}: there is no event")
    return found[0].hash, found[0].recorded_at


def _leaves(connection: Connection[TupleRow], after: int, last: int) -> Sequence[bytes]:
    """The leaves of the events behind one position and up to another."""
    return _checked(connection, after, last, _last(connection, after)[0])[0] if after < last else ()


def _checked(connection: Connection[TupleRow], after: int, last: int, last_hash: bytes) -> tuple[list[bytes], bytes]:
    """The same, with the hash at the end; each event is where it should be and fits the hash before it."""
    found: list[bytes] = []
    for page, until in leaves(connection, after + 1, last):
        for row in page:
            last_hash = _linked(row, after + len(found) + 1, last_hash)
            found.append(row.leaf)
        if after + len(found) != until:
            raise TamperedLogError(f"position {after + len(found) + 1}: there is no event, and later ones there are")
    return found, last_hash


def _linked(row: LogLeaf, position: int, previous: bytes) -> bytes:
    if row.position != position or row.lacks:
        raise TamperedLogError(f"position {position}: there is not one whole event")
    computed = link(previous, row.leaf)
    if computed != row.hash:
        raise TamperedLogError(
            f"position {position}: its hash is {row.hash.hex()}, but what is stored there leads to {computed.hex()}"
        )
    return computed
