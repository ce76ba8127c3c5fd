"""Whether a log is what was recorded: its chain computed afresh over the exact stored bytes, event by event.

Pure, and bounded in memory: whoever has the rows, from a database or from files, gives them in order, some at a time.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from infrastructure.audit.checkpoint import Checkpoint, LogState
from infrastructure.audit.merkle import Frontier
from infrastructure.audit.stream_versions import StreamVersions
from infrastructure.postgres.chain import GENESIS, link


class LogRow(NamedTuple):
    """An event exactly as it is stored; ``recorded_at`` as the leaf has it."""

    position: int
    stream_id: str
    version: int
    type: str
    data: str
    metadata: str
    recorded_at: str
    hash: bytes


class LogLeaf(NamedTuple):
    """What the chain and the tree are made of: an event's leaf, its stored hash, and what else must follow the one before.

    ``recorded_at`` as the leaf has it. ``lacks`` names a column that has no value; then nothing but the position counts.
    """

    position: int
    stream_id: str
    version: int
    recorded_at: str
    leaf: bytes
    hash: bytes
    lacks: str | None = None


class Part(NamedTuple):
    """A whole subtree of events that follow each other, from ``first`` to ``last``, and what they lead to.

    ``before`` is the hash before them and ``hash`` their last one. ``begun`` has the first version of each stream in it,
    ``reached`` the last one.
    """

    first: int
    last: int
    before: bytes
    hash: bytes
    recorded_from: str
    recorded_until: str
    root: bytes
    begun: dict[str, int]
    reached: dict[str, int]


class HeadRow(NamedTuple):
    """What ``log_head`` says of the last event."""

    position: int
    hash: bytes
    recorded_at: str


class LogDifference(NamedTuple):
    """The first position at which the log is not what was recorded, and what is wrong there.

    ``earliest`` is another one where only a checkpoint differs: then the change is at ``earliest``, or at ``position``, or
    anywhere between them.
    """

    position: int
    earliest: int
    problem: str

    def described(self) -> str:
        """The difference as a sentence."""
        where = f"{self.position}" if self.earliest == self.position else f"{self.earliest} to {self.position}"
        return f"position {where}: {self.problem}"


class Examination:
    """One pass over a log from its first event; it ends with the first difference.

    Args:
        versions: remembers how far each stream has come.
        checkpoints: of the same log, whose signatures have been checked.
    """

    def __init__(self, versions: StreamVersions, checkpoints: Sequence[Checkpoint] = ()) -> None:
        self._position = 0
        self._hash = GENESIS
        self._recorded_at = ""
        self._tree = Frontier()
        self._versions = versions
        self._vouched = 0
        self._checkpoints: defaultdict[int, list[Checkpoint]] = defaultdict(list)
        for checkpoint in checkpoints:
            self._checkpoints[checkpoint.position].append(checkpoint)

    @property
    def state(self) -> LogState:
        """What a checkpoint would say of the log up to here."""
        return LogState(self._position, self._hash, self._tree.root, self._recorded_at or None)

    def add(self, rows: Sequence[LogLeaf], last: int) -> LogDifference | None:
        """Go on with the next events, up to the position ``last``; what is wrong with the first that is not right."""
        known = self._versions.of({row.stream_id for row in rows})
        leaves: list[bytes] = []
        for row in rows:
            position, stream_id, version, recorded_at, event, hash_, lacks = row
            computed = link(self._hash, event)
            if (
                position != self._position + 1
                or lacks is not None
                or computed != hash_
                or version != known.get(stream_id, 0) + 1
                or recorded_at < self._recorded_at
            ):
                self._tree.extend(leaves)
                return self._problem(row, computed, known.get(stream_id, 0))
            known[stream_id] = version
            self._position, self._hash, self._recorded_at = position, computed, recorded_at
            leaves.append(event)
            if position in self._checkpoints:
                self._tree.extend(leaves)
                leaves.clear()
                difference = self._differs()
                if difference is not None:
                    return difference
        self._tree.extend(leaves)
        if self._position != last:
            return _at(self._position + 1, "there is no event, and later ones there are")
        self._versions.save(known)
        return None

    def take(self, part: Part) -> bool:
        """Go on with a part that was looked at elsewhere, if it follows what was here so far; if not, nothing changes."""
        known = self._versions.of(part.begun)
        if (
            (part.first, part.before) != (self._position + 1, self._hash)
            or part.recorded_from < self._recorded_at
            or any(version != known.get(stream_id, 0) + 1 for stream_id, version in part.begun.items())
            or any(part.first <= position <= part.last for position in self._checkpoints)
        ):
            return False
        self._versions.save(part.reached)
        self._position, self._hash, self._recorded_at = part.last, part.hash, part.recorded_until
        self._tree.add_whole(part.root, part.last - part.first + 1)
        return True

    def finish(self, heads: Sequence[HeadRow]) -> LogDifference | None:
        """Compare the end of the log with ``log_head``, and with checkpoints that were taken behind it."""
        end = self._position
        if len(heads) != 1:
            return _at(end, f"log_head has {len(heads)} rows instead of one")
        (head,) = heads
        if head.position > end:
            return _at(end + 1, f"the log ends at {end}, but log_head says that it ends at {head.position}")
        if head.position < end:
            return _at(
                head.position + 1, f"the log goes on to {end}, but log_head says that it ends at {head.position}"
            )
        if head.hash != self._hash:
            return _at(end, f"log_head has the hash {_hex(head.hash)} for it, but it is {self._hash.hex()}")
        if end and head.recorded_at != self._recorded_at:
            return _at(end, f"log_head has {head.recorded_at} as its time, but it is {self._recorded_at}")
        last = max(self._checkpoints, default=0)
        if last > end:
            taken_at = self._checkpoints[last][0].taken_at
            return _at(
                end + 1, f"the log ends at {end}, but it had {last} events when a checkpoint was taken, {taken_at}"
            )
        return None

    def _problem(self, row: LogLeaf, computed: bytes, before: int) -> LogDifference:
        """What is wrong with a row that does not follow the ones before it."""
        position, expected = row.position, self._position + 1
        if position < expected:
            return _at(position, "there is more than one event at this position")
        if position > expected:
            return _at(expected, "there is no event, and later ones there are")
        if row.lacks is not None:
            return _at(position, f"it has no {row.lacks}")
        if computed != row.hash:
            return _at(position, f"its hash is {_hex(row.hash)}, but what is stored there leads to {computed.hex()}")
        if row.version != before + 1:
            return _at(position, f"it is version {row.version} of {row.stream_id}, which was at version {before}")
        return _at(position, f"it was recorded at {row.recorded_at}, before the event before it ({self._recorded_at})")

    def _differs(self) -> LogDifference | None:
        root = self._tree.root.hex()
        for checkpoint in self._checkpoints[self._position]:
            if (checkpoint.hash, checkpoint.root) != (self._hash.hex(), root):
                problem = (
                    f"it was rewritten since {checkpoint.taken_at}, when a checkpoint was taken at {self._position}"
                )
                return LogDifference(self._position, self._vouched + 1, problem)
        self._vouched = self._position
        return None


def _at(position: int, problem: str) -> LogDifference:
    return LogDifference(position, position, problem)


def _hex(value: bytes | None) -> str:
    return "missing" if value is None else value.hex()
