"""A closed partition of the log as a file: gzipped NDJSON with the exact stored bytes, and a manifest beside it.

A line is one event: ``{position, stream_id, version, type, data, metadata, recorded_at, hash}``, where ``data`` and
``metadata`` are the stored texts as JSON strings, and the time and the hash are written as the hash chain and the API
have them. Any program that reads gzip and JSON can read it, and compute the chain anew.
"""

import gzip
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from infrastructure.codec import RawEvent
from infrastructure.exports import Line, line_of
from infrastructure.postgres.chain import GENESIS, leaf, link, timestamp

EVENTS_AT_ONCE = 5_000
_COMPRESSION = 6
_READ_BYTES = 1 << 20


class ArchiveError(Exception):
    """An archive is not what it should be; the message names the file and says what is wrong."""


class Manifest(msgspec.Struct, frozen=True):
    """What an archive holds. ``sha256`` is of the file; ``blocks`` are the places at which it can be entered.

    A block is a position and the offset, in bytes, at which a gzip member begins with that event.
    """

    file: str
    first_position: int
    last_position: int
    previous_hash: str
    first_hash: str
    last_hash: str
    sha256: str
    bytes: int
    blocks: Sequence[tuple[int, int]]


class ArchiveFile(NamedTuple):
    """An archive and its manifest."""

    path: Path
    manifest: Manifest

    def batches(self, after: int = 0) -> Iterator[Sequence[RawEvent]]:
        """The events behind the position, exactly as they were stored, some at a time.

        Raises:
            ArchiveError: the file cannot be read, or has other positions than its manifest says.
        """
        start, offset = max((block for block in self.manifest.blocks if block[0] <= after + 1), default=(0, 0))
        expected = max(start, self.manifest.first_position)
        try:
            with self.path.open("rb") as file:
                file.seek(offset)
                for batch in _batches(file):
                    if [event.position for event in batch] != list(range(expected, expected + len(batch))):
                        raise ArchiveError(f"{self.path}: an event is missing or too many near position {expected}")
                    expected += len(batch)
                    if wanted := batch[max(0, after + 1 - batch[0].position) :]:
                        yield wanted
        except (OSError, EOFError, ValueError, msgspec.MsgspecError) as error:
            raise ArchiveError(f"{self.path} cannot be read: {error}") from error
        if expected != self.manifest.last_position + 1:
            raise ArchiveError(f"{self.path} ends at position {expected - 1}, not at {self.manifest.last_position}")

    def check(self) -> None:
        """Compute its checksum and its hash chain anew.

        Raises:
            ArchiveError: it is not what its manifest says, or what it says contradicts itself.
        """
        if _checksum(self.path) != self.manifest.sha256:
            raise ArchiveError(f"{self.path} is not the file that its manifest describes: its SHA-256 differs")
        last = bytes.fromhex(self.manifest.previous_hash)
        for batch in self.batches():
            for event in batch:
                last = link(last, leaf_of(event))
                if last != event.hash:
                    raise ArchiveError(f"{self.path}: at position {event.position} the hash chain breaks")
        if last.hex() != self.manifest.last_hash:
            raise ArchiveError(f"{self.path}: its last hash is not that of its manifest")


def leaf_of(event: RawEvent) -> bytes:
    """The event's leaf in the hash chain."""
    data, metadata, at = event.data.encode(), event.metadata.encode(), timestamp(event.recorded_at)
    return leaf(event.position, event.stream_id, event.version, event.type, data, metadata, at)


def write(directory: Path, previous_hash: bytes, batches: Iterable[Sequence[RawEvent]]) -> ArchiveFile:
    """Write events, in order and at least one, to a new file in the directory, and check what was written.

    Raises:
        ArchiveError: the file is there already, or reads otherwise than it was written.
        OSError: the file cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    unfinished = directory / f"unfinished-{os.getpid()}.ndjson.gz"
    encode = msgspec.json.Encoder().encode
    blocks: list[tuple[int, int]] = []
    first = last = None
    with unfinished.open("wb") as file:
        for batch in batches:
            first, last = first or batch[0], batch[-1]
            blocks.append((batch[0].position, file.tell()))
            lines = b"".join(encode(line_of(event)) + b"\n" for event in batch)
            file.write(gzip.compress(lines, _COMPRESSION, mtime=0))
        file.flush()
        os.fsync(file.fileno())
    if first is None or last is None:
        unfinished.unlink()
        raise ArchiveError("There are no events to archive")
    path = directory / f"events-{first.position:012}-{last.position:012}.ndjson.gz"
    manifest = Manifest(
        file=path.name,
        first_position=first.position,
        last_position=last.position,
        previous_hash=previous_hash.hex(),
        first_hash=first.hash.hex(),
        last_hash=last.hash.hex(),
        sha256=_checksum(unfinished),
        bytes=unfinished.stat().st_size,
        blocks=blocks,
    )
    ArchiveFile(unfinished, manifest).check()
    unfinished.replace(path)
    _write_whole(_manifest_of(path), msgspec.json.encode(manifest))
    return ArchiveFile(path, manifest)


def open_file(path: Path) -> ArchiveFile:
    """The archive at the path of its events or of its manifest.

    Raises:
        ArchiveError: it is none.
    """
    manifest_path = path if path.suffix == ".json" else _manifest_of(path)
    try:
        manifest = msgspec.json.decode(manifest_path.read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise ArchiveError(f"{manifest_path} is not the manifest of an archive: {error}") from error
    return ArchiveFile(manifest_path.with_name(manifest.file), manifest)


class Archive:
    """The beginning of a log: all archives in a directory, one after the other from position 1.

    Raises:
        ArchiveError: there are none, one is missing or broken, or they do not belong to one log.
    """

    def __init__(self, directory: Path) -> None:
        found = [open_file(path) for path in directory.glob("events-*.json")]
        self.files = sorted(found, key=lambda file: file.manifest.first_position)
        if not self.files:
            raise ArchiveError(f"There are no archives of events in {directory}")
        first = self.files[0].manifest
        if first.first_position != 1 or first.previous_hash != GENESIS.hex():
            raise ArchiveError(
                f"{directory} has no archive of the events from position 1 to {first.first_position - 1}"
            )
        for before, after in pairwise(file.manifest for file in self.files):
            if after.first_position != before.last_position + 1:
                raise ArchiveError(f"Between {before.file} and {after.file} there are other events missing or repeated")
            if after.previous_hash != before.last_hash:
                raise ArchiveError(f"{before.file} and {after.file} are not of one log: their hashes do not follow")

    @property
    def last_position(self) -> int:
        """Where the archives end."""
        return self.files[-1].manifest.last_position

    def batches(self, after: int = 0) -> Iterator[Sequence[RawEvent]]:
        """The events behind the position, exactly as they were stored, some at a time.

        Raises:
            ArchiveError: a file cannot be read, or has other positions than its manifest says.
        """
        for file in self.files:
            if file.manifest.last_position > after:
                yield from file.batches(after)


def _batches(file: BinaryIO) -> Iterator[list[RawEvent]]:
    decode = msgspec.json.Decoder(Line).decode
    batch: list[RawEvent] = []
    with gzip.GzipFile(fileobj=file) as lines:
        for text in lines:
            line = decode(text)
            at, hash_ = datetime.fromisoformat(line.recorded_at), bytes.fromhex(line.hash)
            batch.append(
                RawEvent(line.position, line.stream_id, line.version, line.type, line.data, line.metadata, at, hash_)
            )
            if len(batch) == EVENTS_AT_ONCE:
                yield batch
                batch = []
    if batch:
        yield batch


def _checksum(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while part := file.read(_READ_BYTES):
            digest.update(part)
    return digest.hexdigest()


def _manifest_of(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".ndjson.gz") + ".json")


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file that is either not there or whole, also after a loss of power."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    with unfinished.open("wb") as file:
        file.write(content + b"\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
