"""States come back from their text exactly as they were, and only programs with the same states read them."""

from collections.abc import Mapping
from dataclasses import dataclass, make_dataclass
from decimal import Decimal
from enum import Enum
from typing import NamedTuple, NewType

import pytest
from hypothesis import given, settings

from application.snapshots import advanced, empty
from domain.account import Account
from domain.aggregates import SkippedEvents, State, VenueBook
from domain.events import RecordedEvent, StreamId, TradingHalted
from domain.halts import Halts
from domain.order import Order
from domain.rollout import Rollout
from infrastructure import state_codec
from infrastructure.state_codec import KINDS, decode, encode, kind_of, shape_of, shapes
from tests.projections.histories import History, histories

Cash = NewType("Cash", Decimal)


def streams_of(log: list[RecordedEvent]) -> dict[StreamId, State]:
    """Every stream as each of its events leaves it, the last one last."""
    snapshots = {event.stream_id: empty(event.stream_id) for event in log}
    for event in log:
        snapshots[event.stream_id] = advanced(snapshots[event.stream_id], [event])
    return {stream_id: snapshot.state for stream_id, snapshot in snapshots.items()}


@settings(max_examples=50)
@given(histories())
def test_any_state_comes_back_as_it_was(history: History) -> None:
    for stream_id, state in streams_of(history.log).items():
        text = encode(state)
        read = decode(stream_id, text)
        assert read == state
        # Decimals that are equal may still be written in different ways, and an answer shows how.
        assert encode(read) == text
        assert type(read) is kind_of(stream_id)


@pytest.mark.parametrize(
    ("name", "state"),
    [
        (
            "halts",
            Halts({"all": (halted := TradingHalted(scope="all", reason="a drill", cancel_open=True))}, {7: halted}, 7),
        ),
        ("projection-fills", SkippedEvents(frozenset({3, 12}))),
        ("venue-paper", VenueBook()),
        ("rollout", Rollout(enabled=False, ramp_percent=5)),
    ],
)
def test_so_does_what_no_history_here_has(name: str, state: State) -> None:
    stream_id = StreamId(name)
    assert kind_of(stream_id) is type(state)
    assert decode(stream_id, encode(state)) == state


def test_a_stream_s_name_says_what_it_holds() -> None:
    assert (kind_of(StreamId("order-1")), kind_of(StreamId("account-a"))) == (Order, Account)
    assert kind_of(StreamId("venue-paper")) is VenueBook
    assert {kind_of(StreamId(name)) for name in ("order-1", "account-a", "venue-v")} <= set(KINDS)


def test_each_kind_of_state_has_a_shape_of_its_own() -> None:
    assert len(set(shapes())) == len(KINDS)
    assert shape_of(StreamId("account-a")) in shapes()
    assert shape_of(StreamId("account-a")).startswith("Account-")


class _Colour(Enum):
    RED = "red"


class _Pair(NamedTuple):
    left: int
    right: int


@dataclass
class _Before:
    cash: Cash
    pairs: tuple[_Pair, ...]
    by_name: Mapping[str, _Colour | None]


def test_a_shape_says_everything_that_a_state_is_made_of() -> None:
    described = state_codec._described(_Before)
    assert described == (
        "_Before(cash: Decimal, pairs: tuple[_Pair(left: int, right: int), ...], "
        "by_name: Mapping[str, NoneType | _Colour['red']])"
    )


@pytest.mark.parametrize(
    "fields",
    [
        [("cash", Decimal), ("more", int)],
        [("cash", int)],
        [("reserved", Decimal)],
        [("cash", Decimal | None)],
    ],
)
def test_another_state_has_another_shape(fields: list[tuple[str, object]]) -> None:
    before = make_dataclass("State", [("cash", Decimal)])
    assert state_codec._shape(make_dataclass("State", fields)) != state_codec._shape(before)  # type: ignore[arg-type] # a union is as good as a type


def test_the_same_state_folded_otherwise_has_another_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    before = state_codec._shape.__wrapped__(Account)
    monkeypatch.setattr(state_codec, "FOLD_VERSION", 2)
    assert state_codec._shape.__wrapped__(Account) != before


def test_what_nobody_could_read_again_is_not_written() -> None:
    with pytest.raises(NotImplementedError):
        encode(VenueBook({"v": object()}))  # type: ignore[dict-item] # that is the point
