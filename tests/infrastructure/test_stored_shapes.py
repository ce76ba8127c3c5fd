"""What is stored keeps its shape, or gets a new version; and what an earlier program stored is understood today."""

from dataclasses import fields
from decimal import Decimal
from enum import Enum
from typing import Any, get_args, get_type_hints

import pytest

from domain.account import Account
from domain.aggregates import State
from domain.events import TOPICS, Event, Metadata
from infrastructure import state_codec
from infrastructure.codec import Codec
from infrastructure.postgres.chain import GENESIS, leaf, link, timestamp
from infrastructure.upcasting import UPCASTERS
from projections.accounts import ACCOUNTS
from projections.orders import ORDERS
from projections.positions import POSITIONS
from projections.registry import PROJECTIONS
from tests.infrastructure.stored_events import Text, folding, old_log, shape_of, shapes, texts, words
from tests.infrastructure.stored_events.folding import folded, is_another_fold, on_file

SHAPES = {(shape.type, shape.version): shape for shape in shapes()}

HOW = "docs/how-to/change-an-event.md says how to change what is stored"


def newest(topic: str) -> int:
    return len(UPCASTERS.get(topic, ())) + 1


def enums_in(hint: Any) -> set[type[Enum]]:
    """The enums that an annotation speaks of."""
    hint = getattr(hint, "__supertype__", hint)
    if args := get_args(hint):
        return set().union(*map(enums_in, args))
    return {hint} if isinstance(hint, type) and issubclass(hint, Enum) else set()


ENUMS = sorted(
    set().union(*(enums_in(hint) for cls in TOPICS.values() for hint in get_type_hints(cls).values())),
    key=lambda enum: enum.__name__,
)


@pytest.mark.parametrize("topic", TOPICS)
def test_a_stored_event_does_not_change_its_shape_without_a_new_version(topic: str) -> None:
    shape = shape_of(topic, newest(topic), TOPICS[topic])
    known = SHAPES.get((topic, newest(topic)))
    assert known is not None, f"version {shape.version} of {topic} is new, add it to shapes.ndjson: {shape.line()}"
    assert shape == known, f"{topic} has changed, but its version has not: add an upcaster. {HOW}"
    assert list(shape.fields) == list(known.fields), f"the fields of {topic} have changed places. {HOW}"


def test_what_is_stored_beside_an_event_does_not_change_its_shape() -> None:
    """It has no version: nothing in it can change its meaning, ever."""
    assert shape_of("metadata", 1, Metadata) == SHAPES["metadata", 1], HOW


@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.__name__)
def test_a_word_that_was_stored_keeps_its_name(enum: type[Enum]) -> None:
    stored, now = words().get(enum.__name__, []), [word.value for word in enum]
    assert set(stored) <= set(now), f"{enum.__name__} has lost a word that is on disk. {HOW}"
    assert stored == now, f"{enum.__name__} has a new word, add it to words.ndjson: {now}. {HOW}"


def test_every_version_that_was_ever_stored_is_on_file() -> None:
    expected = {(topic, version) for topic in TOPICS for version in range(1, newest(topic) + 1)} | {("metadata", 1)}
    assert set(SHAPES) == expected
    assert {(text.type, text.version) for text in texts()} == expected - {("metadata", 1)}


@pytest.mark.parametrize("text", texts(), ids=lambda text: f"{text.type}-{text.version}")
def test_a_stored_text_has_the_shape_of_its_version(text: Text) -> None:
    assert text.fields == list(SHAPES[text.type, text.version].fields)


# ── A log that an earlier program wrote ──


def test_the_log_of_an_earlier_program_is_as_it_was_written() -> None:
    last = GENESIS
    for raw in old_log():
        assert "class_version" not in raw.data
        at = timestamp(raw.recorded_at)
        own = leaf(raw.position, raw.stream_id, raw.version, raw.type, raw.data.encode(), raw.metadata.encode(), at)
        last = link(last, own)
        assert last == raw.hash


def test_the_log_of_an_earlier_program_says_today_what_it_said_then() -> None:
    codec = Codec()
    recorded = [codec.to_recorded_event(raw) for raw in old_log()]
    accounts, orders, positions = (projection.fold({}, recorded) for projection in (ACCOUNTS, ORDERS, POSITIONS))
    # What that program itself said at the end of this log.
    assert [
        (row.trader_id, row.currency, f"{row.cash}", f"{row.reserved}", row.open_orders) for row in accounts.values()
    ] == [("alice", "USD", "9096.64", "55.5", 1), ("bob", "USD", "500", "0", 0)]
    assert [(row.status.value, f"{row.filled_quantity}", row.version) for row in orders.values()] == [
        ("FILLED", "10", 5),
        ("CANCELLED", "1", 10),
        ("REJECTED", "0", 3),
        ("EXPIRED", "0", 4),
        ("ACCEPTED", "0", 3),
    ]
    assert all(row.parent_order_id is None and row.oco_order_id is None for row in orders.values())
    assert [(f"{row.quantity}", f"{row.cost}", f"{row.realised_pnl}") for row in positions.values()] == [
        ("9", "898.2", "-4.81")
    ]


@pytest.mark.parametrize("topic", UPCASTERS)
def test_an_upcaster_meets_the_events_that_it_was_written_for(topic: str) -> None:
    log = old_log()
    # Of what that program did not know yet, there is a text.
    first = [log[0]._replace(type=topic, data=text.data) for text in texts() if (text.type, text.version) == (topic, 1)]
    old = [raw for raw in log if raw.type == topic] or first
    assert old
    gained = set(SHAPES[topic, newest(topic)].fields) - set(SHAPES[topic, 1].fields)
    for raw in old:
        assert not any(f'"{name}"' in raw.data for name in gained)
        event = Codec().to_recorded_event(raw).event
        assert {field.name for field in fields(event)} >= gained


def test_every_read_model_can_be_built_from_the_log_of_an_earlier_program() -> None:
    recorded = [Codec().to_recorded_event(raw) for raw in old_log()]
    assert all(projection.fold({}, recorded) for projection in PROJECTIONS)


# ── What they fold to ──


def test_the_same_events_fold_to_the_same_states_or_the_version_of_the_fold_is_another() -> None:
    before, now = on_file(), folded()
    assert not is_another_fold(before, now), (
        "The same events fold to other states: raise FOLD_VERSION in domain/aggregates.py, so that snapshots of before are "
        f"folded anew. The first: {next(there for here, there in zip(before['states'], now['states'], strict=False) if here != there)}"
    )
    assert now == before, f"Events or shapes of states are new: `python -m {folding.__name__}` writes the file anew"


def test_a_fold_that_makes_another_state_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = folded()
    evolve = folding.evolve

    def forgetful(state: State, event: Event) -> State:
        after = evolve(state, event)
        return after._replace(cash=Decimal(0)) if isinstance(after, Account) else after

    monkeypatch.setattr(folding, "evolve", forgetful)
    assert is_another_fold(before, folded())
    monkeypatch.setattr(state_codec, "FOLD_VERSION", 2)
    state_codec._shape.cache_clear()
    assert not is_another_fold(before, folded())
    state_codec._shape.cache_clear()
