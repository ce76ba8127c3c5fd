"""Archives hold exactly what was stored, and say so when they do not any more."""

import gzip
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from infrastructure.archives import files
from infrastructure.archives.files import Archive, ArchiveError, ArchiveFile, leaf_of, open_file, write
from infrastructure.codec import RawEvent
from infrastructure.postgres.chain import GENESIS, link
from tests.infrastructure.samples import ALICE, BOB

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def chained(first: int, last: int, previous: bytes = GENESIS) -> list[RawEvent]:
    """Events at these positions, in turn of Alice and Bob, with texts that are hard to write down."""
    events: list[RawEvent] = []
    for position in range(first, last + 1):
        trader = ALICE if position % 2 else BOB
        at = NOON + timedelta(microseconds=position)
        data = f'{{"reason": "é 漢 \\u2028 \\"{position}\\"",  "n":1.0}}'
        event = RawEvent(
            position, f"order-{position % 3}", position, "OrderSent", data, f'{{"trader_id":"{trader}"}}', at, b""
        )
        previous = link(previous, leaf_of(event))
        events.append(event._replace(hash=previous))
    return events


def batches(events: Sequence[RawEvent], size: int = 4) -> list[Sequence[RawEvent]]:
    return [events[index : index + size] for index in range(0, len(events), size)]


def read(file: ArchiveFile | Archive, after: int = 0) -> list[RawEvent]:
    return [event for batch in file.batches(after) for event in batch]


def change_manifest(file: ArchiveFile, **changes: Any) -> None:
    path = file.path.with_name(file.path.name.replace(".ndjson.gz", ".json"))
    path.write_bytes(msgspec.json.encode(msgspec.json.decode(path.read_bytes()) | changes))


def test_what_was_written_is_read_from_any_position(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "EVENTS_AT_ONCE", 3)
    events = chained(1, 10)
    written = write(tmp_path / "new", GENESIS, batches(events))
    assert written.path.name == "events-000000000001-000000000010.ndjson.gz"
    file = open_file(written.path)
    assert file == written
    assert open_file(next((tmp_path / "new").glob("*.json"))) == written
    file.check()
    for after in range(11):
        assert read(file, after) == events[after:]
        assert read(Archive(tmp_path / "new"), after) == events[after:]
    assert sorted(path.suffix for path in (tmp_path / "new").iterdir()) == [".gz", ".json"]


def test_each_line_is_an_event_with_its_exact_texts(tmp_path: Path) -> None:
    (event,) = chained(1, 1)
    file = write(tmp_path, GENESIS, [[event]])
    line = msgspec.json.decode(gzip.decompress(file.path.read_bytes()))
    assert line == {
        "position": 1,
        "stream_id": "order-1",
        "version": 1,
        "type": "OrderSent",
        "data": event.data,
        "metadata": event.metadata,
        "recorded_at": "2026-11-25T12:00:00.000001Z",
        "hash": event.hash.hex(),
    }


def test_archives_one_after_the_other_are_the_beginning_of_a_log(tmp_path: Path) -> None:
    events = chained(1, 9)
    second = write(tmp_path, events[3].hash, [events[4:]])
    first = write(tmp_path, GENESIS, [events[:4]])
    archive = Archive(tmp_path)
    assert (archive.files, archive.last_position) == ([first, second], 9)
    for after in range(10):
        assert read(archive, after) == events[after:]


def test_no_events_make_no_archive(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no events"):
        write(tmp_path, GENESIS, [])
    assert list(tmp_path.iterdir()) == []


def test_events_that_do_not_follow_are_not_archived(tmp_path: Path) -> None:
    events = chained(1, 4)
    wrong = {
        "the hash chain breaks": [events[0], events[1]._replace(data="{}"), *events[2:]],
        "missing or too many": [events[0], *events[2:]],
    }
    for problem, each in wrong.items():
        with pytest.raises(ArchiveError, match=problem):
            write(tmp_path, GENESIS, [each])
    with pytest.raises(ArchiveError, match="position 1 the hash chain breaks"):
        write(tmp_path, bytes([1] * 32), [events])
    assert not list(tmp_path.glob("events-*"))


def test_an_archive_that_was_changed_is_found(tmp_path: Path) -> None:
    events = chained(1, 6)
    file = write(tmp_path, GENESIS, batches(events))
    whole = file.path.read_bytes()
    file.path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ArchiveError, match="SHA-256"):
        file.check()
    file.path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArchiveError, match="cannot be read"):
        read(file)
    change_manifest(file, last_position=7)
    file.path.write_bytes(whole)
    with pytest.raises(ArchiveError, match="ends at position 6, not at 7"):
        read(open_file(file.path))
    change_manifest(file, last_position=6, last_hash="00")
    with pytest.raises(ArchiveError, match="its last hash"):
        open_file(file.path).check()
    file.path.unlink()
    with pytest.raises(ArchiveError, match="cannot be read"):
        read(file)


def test_what_is_no_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "events-1.json").write_text("{}")
    for path in (tmp_path / "events-1.json", tmp_path / "nothing.ndjson.gz"):
        with pytest.raises(ArchiveError, match=r"is not the manifest of an archive"):
            open_file(path)


def test_a_directory_has_to_hold_the_whole_beginning_of_one_log(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no archives"):
        Archive(tmp_path)
    events = chained(1, 9)
    third = write(tmp_path, events[5].hash, [events[6:]])
    with pytest.raises(ArchiveError, match="from position 1 to 6"):
        Archive(tmp_path)
    write(tmp_path, GENESIS, [events[:3]])
    with pytest.raises(ArchiveError, match="missing or repeated"):
        Archive(tmp_path)
    write(tmp_path, events[2].hash, [events[3:6]])
    assert Archive(tmp_path).last_position == 9
    change_manifest(third, previous_hash="00" * 32)
    with pytest.raises(ArchiveError, match="not of one log"):
        Archive(tmp_path)
