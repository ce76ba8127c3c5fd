import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from infrastructure.audit.checkpoint import sign
from infrastructure.postgres import log_tree
from infrastructure.postgres.log_rows import examine
from infrastructure.postgres.log_state import TamperedLogError
from infrastructure.postgres.log_tree import LogTree
from tests.cli.logs import a_short_history, record
from tests.conftest import tamper
from tests.domain.orders import ORDER_ID

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
TAKEN_AT = datetime(2026, 11, 25, tzinfo=UTC)
LOG = a_short_history().log


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_tree, "BLOCK", 2)


@pytest.fixture
def log_url(database_url: str) -> str:
    """A log of eight events."""
    asyncio.run(record(database_url, LOG))
    return database_url


def test_an_empty_log_has_a_state(database_url: str) -> None:
    assert LogTree(database_url).state() == examine(database_url).state


@pytest.mark.parametrize("block", [1, 2, 4, 8, 1024])
def test_the_state_is_what_an_examination_finds_whatever_the_blocks(
    log_url: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_tree, "BLOCK", block)
    assert LogTree(log_url).state() == examine(log_url).state


async def test_a_tree_that_grows_is_what_a_new_one_is(database_url: str) -> None:
    tree = LogTree(database_url)
    for event in LOG:
        await record(database_url, [event])
        assert tree.state() == LogTree(database_url).state()


def test_what_was_read_is_not_read_again(log_url: str) -> None:
    tree, told = LogTree(log_url), []

    def begun(events: int) -> Callable[[int], None]:
        told.append(events)
        return told.append

    state = tree.state(begun)
    assert told == [8, 2, 2, 2, 2, 0]
    tamper(log_url, "UPDATE events SET data = data || ' ' WHERE position = 1")
    assert tree.state(begun) == state
    assert told[6:] == [0, 0]
    with pytest.raises(TamperedLogError, match="position 1: its hash is"):
        LogTree(log_url).state()


@pytest.mark.parametrize("block", [1, 2, 4, 8, 1024])
def test_the_events_of_an_order_are_proven(log_url: str, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_tree, "BLOCK", block)
    tree = LogTree(log_url)
    proof = tree.prove(ORDER_ID, sign(tree.state(), TAKEN_AT, KEY))
    proof.check(KEY.public_key())
    assert [event.position for event in proof.events] == [3, 5, 6, 7]


async def test_an_older_checkpoint_proves_what_there_was_then(database_url: str) -> None:
    tree = LogTree(database_url)
    await record(database_url, LOG[:5])
    checkpoint = sign(tree.state(), TAKEN_AT, KEY)
    await record(database_url, LOG[5:])
    tree.state()
    proof = tree.prove(ORDER_ID, checkpoint)
    proof.check(KEY.public_key())
    assert [event.position for event in proof.events] == [3, 5]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("DELETE FROM events WHERE position = 4", "position 4: there is no event, and later ones there are"),
        ("DELETE FROM events WHERE position = 8", "position 7: log_head does not say what the last event says"),
        ("DELETE FROM events WHERE position > 6", "position 6: log_head does not say what the last event says"),
        ("UPDATE events SET version = 9 WHERE position = 6", "position 6: its hash is"),
        ("UPDATE log_head SET hash = ''", "position 8: log_head does not say what the last event says"),
        ("DELETE FROM log_head", "position 8: log_head does not say what the last event says"),
    ],
)
def test_nothing_is_signed_of_a_log_that_was_tampered_with(log_url: str, change: str, problem: str) -> None:
    tamper(log_url, change)
    with pytest.raises(TamperedLogError, match=problem):
        LogTree(log_url).state()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("DELETE FROM events WHERE position = 4", "position 4: there is no event, and later ones there are"),
        (
            "ALTER TABLE events ALTER COLUMN data DROP NOT NULL; UPDATE events SET data = NULL WHERE position = 4",
            "position 4: there is not one whole event",
        ),
    ],
)
def test_a_hole_in_a_block_is_found(log_url: str, monkeypatch: pytest.MonkeyPatch, change: str, problem: str) -> None:
    monkeypatch.setattr(log_tree, "BLOCK", 1024)
    tamper(log_url, change)
    with pytest.raises(TamperedLogError, match=problem):
        LogTree(log_url).state()


def test_nothing_is_proven_to_a_checkpoint_of_another_log(log_url: str) -> None:
    tree = LogTree(log_url)
    state = tree.state()
    for wrong in (state._replace(root=bytes(32)), state._replace(position=9)):
        with pytest.raises(TamperedLogError):
            tree.prove(ORDER_ID, sign(wrong, TAKEN_AT, KEY))


def test_a_block_that_was_tampered_with_since_it_was_read_proves_nothing(log_url: str) -> None:
    tree = LogTree(log_url)
    checkpoint = sign(tree.state(), TAKEN_AT, KEY)
    tamper(log_url, "UPDATE events SET data = data || ' ' WHERE position = 5")
    with pytest.raises(TamperedLogError, match="position 5: its hash is"):
        tree.prove(ORDER_ID, checkpoint)
    tamper(log_url, "DELETE FROM events WHERE position = 2")
    with pytest.raises(TamperedLogError, match="position 2: there is no event"):
        tree.prove(ORDER_ID, checkpoint)


def test_a_database_that_is_away_is_told(tmp_path: object) -> None:
    with pytest.raises(psycopg.OperationalError):
        LogTree(f"postgresql://nobody@/nothing?host={tmp_path}").state()
