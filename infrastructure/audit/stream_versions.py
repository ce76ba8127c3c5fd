"""How far every stream has come while a log is read, however many streams there are.

Kept in a temporary database on this machine's disk, of which a few megabytes are in memory: the store that is examined is
not asked, because its indexes may be what somebody has tampered with.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

_SCHEMA = "CREATE TABLE versions (stream_id TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID"
_FIND = "SELECT stream_id, version FROM versions WHERE stream_id IN (SELECT value FROM json_each(?))"
_SAVE = "INSERT INTO versions VALUES (?, ?) ON CONFLICT (stream_id) DO UPDATE SET version = excluded.version"


class StreamVersions:
    """Streams and their last versions. Use as a context manager."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)  # no name: a file that is gone when it is closed
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(_SCHEMA)

    def __enter__(self) -> Self:
        """Nothing more to open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, and leave nothing."""
        self._database.close()

    def of(self, streams: Iterable[str]) -> dict[str, int]:
        """The last versions of those of the streams that there are."""
        return dict(self._database.execute(_FIND, (json.dumps(list(streams)),)))

    def save(self, versions: Mapping[str, int]) -> None:
        """Remember these versions."""
        self._database.execute("BEGIN")
        self._database.executemany(_SAVE, versions.items())
        self._database.execute("COMMIT")
