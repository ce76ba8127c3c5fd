"""The Merkle tree over the log, kept by whoever signs and proves: it remembers blocks, and reads what is new."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from threading import Lock

import psycopg

from infrastructure.archives.files import Archive
from infrastructure.archives.whole_leaves import WholeLeaves
from infrastructure.audit.checkpoint import Checkpoint, LogState
from infrastructure.audit.examination import LogLeaf
from infrastructure.audit.merkle import path_of, root_of
from infrastructure.audit.proof import Proof, prove
from infrastructure.postgres.chain import GENESIS, link
from infrastructure.postgres.connecting import conninfo
from infrastructure.postgres.log_rows import edges
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
        archive: the beginning of the log, where it is not in the database any more.
    """

    def __init__(self, database_url: str, archive: Archive | None = None) -> None:
        self._conninfo = conninfo(database_url)
        self._archive = archive
        self._turn = Lock()
        self._blocks: list[bytes] = []
        self._last_hash = GENESIS

    def state(self, begun: Begun = unseen) -> LogState:
        """What a checkpoint is to say of the log as it is now; ``begun`` as below.

        Raises:
            TamperedLogError: what is new in the log is not what was recorded.
            EventsArchivedError: of what is new to this tree, something is archived that ``archive`` does not have.
            ArchiveError: the archive cannot be read.
            psycopg.Error: it cannot be read.
        """
        with self._turn, psycopg.connect(self._conninfo, autocommit=True) as connection:
            log, whole = edges(connection), WholeLeaves(connection, self._archive)
            blocks, tail = self._tree(whole, log.last, begun)
            last, recorded_at = _last(whole, log.last)
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
            EventsArchivedError: the beginning of the log is archived, and there is no ``archive`` of it.
            ArchiveError: the archive cannot be read.
            psycopg.Error: it cannot be read.
        """
        with self._turn, psycopg.connect(self._conninfo, autocommit=True) as connection:
            whole = WholeLeaves(connection, self._archive)
            whole.see_that_there_are_all(1)
            blocks, tail = self._tree(whole, checkpoint.position, begun)
            items = _items(blocks, tail)
            if root_of(items).hex() != checkpoint.root:
                raise TamperedLogError(f"the log up to {checkpoint.position} is not the one that the checkpoint is of")
            proven = []
            leaves_of: dict[int, Sequence[bytes]] = {len(blocks): tail}
            for row in whole.rows_of_stream(f"order-{order_id}", checkpoint.position):
                block, index = divmod(row.position - 1, BLOCK)
                if block not in leaves_of:
                    leaves_of = {len(blocks): tail, block: _leaves(whole, block * BLOCK, (block + 1) * BLOCK)}
                proven.append((row, [*path_of(leaves_of[block], index), *path_of(items, block)]))
            return prove(order_id, proven, checkpoint)

    def _tree(self, log: WholeLeaves, size: int, begun: Begun) -> tuple[Sequence[bytes], Sequence[bytes]]:
        """The roots of the whole blocks in the tree of this size, and the leaves behind them."""
        known, whole = len(self._blocks) * BLOCK, size // BLOCK * BLOCK
        log.see_that_there_are_all(known + 1)
        advanced = begun(max(size - known, 0))
        rows = _checked(log, known, whole, self._last_hash)
        for _ in range(known, whole, BLOCK):
            block = list(islice(rows, BLOCK))
            self._blocks.append(root_of([row.leaf for row in block]))
            self._last_hash = block[-1].hash
            advanced(BLOCK)
        tail = _leaves(log, whole, size)
        advanced(len(tail))
        return self._blocks[: whole // BLOCK], tail


def _items(blocks: Sequence[bytes], tail: Sequence[bytes]) -> Sequence[bytes]:
    """What the tree is over when a whole block counts as one leaf."""
    return [*blocks, root_of(tail)] if tail else blocks


def _last(log: WholeLeaves, position: int) -> tuple[bytes, str | None]:
    """The hash of the event, and when it was recorded; before the first there is none."""
    if position == 0:
        return GENESIS, None
    found = [row for page, _ in log.pages(position, position) for row in page]
    if not found:
        raise TamperedLogError(f"position {position}: there is no event")
    return found[0].hash, found[0].recorded_at


def _leaves(log: WholeLeaves, after: int, last: int) -> Sequence[bytes]:
    """The leaves of the events behind one position and up to another."""
    return [row.leaf for row in _checked(log, after, last, _last(log, after)[0])] if after < last else ()


def _checked(log: WholeLeaves, after: int, last: int, last_hash: bytes) -> Iterator[LogLeaf]:
    """The same, whole; each event is where it should be and fits the hash before it."""
    for page, until in log.pages(after + 1, last):
        for row in page:
            after, last_hash = after + 1, _linked(row, after + 1, last_hash)
            yield row
        if after != until:
            raise _missing(after + 1)


def _linked(row: LogLeaf, position: int, previous: bytes) -> bytes:
    if row.position > position:
        raise _missing(position)
    if row.position != position or row.lacks:
        raise TamperedLogError(f"position {position}: there is not one whole event")
    computed = link(previous, row.leaf)
    if computed != row.hash:
        raise TamperedLogError(
            f"position {position}: its hash is {row.hash.hex()}, but what is stored there leads to {computed.hex()}"
        )
    return computed


def _missing(position: int) -> TamperedLogError:
    return TamperedLogError(f"position {position}: there is no event, and later ones there are")
