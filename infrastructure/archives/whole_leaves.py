"""The leaves of a log whose beginning may be in an archive, for whoever builds its tree."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from psycopg import Connection
from psycopg.rows import TupleRow

from infrastructure.archives.files import Archive
from infrastructure.audit.examination import LogLeaf, LogRow
from infrastructure.postgres.archived import archived_until, see_that_positions_are_here
from infrastructure.postgres.chain import timestamp
from infrastructure.postgres.log_leaves import leaves
from infrastructure.postgres.log_rows import archived_leaf, rows_of_stream


class WholeLeaves(NamedTuple):
    """A log in the database, behind the archive if there is one. All methods raise ArchiveError where that cannot be read."""

    connection: Connection[TupleRow]
    archive: Archive | None = None

    @property
    def archived(self) -> int:
        """The last position that the archive has, 0 without one."""
        return self.archive.last_position if self.archive else 0

    def see_that_there_are_all(self, first: int) -> None:
        """Do nothing if no event from this position on is missing.

        Raises:
            EventsArchivedError: some are in an archive that this one does not reach.
        """
        see_that_positions_are_here(max(first, self.archived + 1), archived_until(self.connection) + 1)

    def pages(self, first: int, last: int) -> Iterator[tuple[Sequence[LogLeaf], int]]:
        """As ``infrastructure.postgres.log_leaves.leaves`` has them."""
        for batch in self.archive.batches(first - 1) if self.archive and first <= self.archived else ():
            page = [archived_leaf(raw) for raw in batch if raw.position <= last]
            first = page[-1].position + 1
            yield page, first - 1
            if first > last:
                return
        yield from leaves(self.connection, first, last)

    def rows_of_stream(self, stream_id: str, last: int) -> Iterator[LogRow]:
        """The events of the stream up to a position, in order."""
        for batch in self.archive.batches() if self.archive else ():
            for raw in batch:
                if raw.stream_id == stream_id and raw.position <= last:
                    yield LogRow(*raw[:6], timestamp(raw.recorded_at).decode(), raw.hash)
        found = rows_of_stream(self.connection, stream_id, last)
        yield from (row for row in found if row.position > self.archived)
