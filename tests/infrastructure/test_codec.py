"""Events come back as they were written, their shapes are frozen, and nonsense is refused on both sides."""

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from eventsourcing.persistence import StoredEvent
from hypothesis import given
from hypothesis import strategies as st

from application.ports import NewEvent, UnwritableEventError
from domain import events
from domain.events import TOPICS, Event, Metadata, OrderRejected, OrderSent, StreamId
from domain.lifecycle import Status
from infrastructure.codec import Codec, RawEvent, UnreadableEventError
from tests.infrastructure.samples import EVERY_EVENT, METADATA

STORED_EVENTS = Path(__file__).parent / "stored_events" / "events.ndjson"
STREAM = StreamId("order-1")
NOW = datetime(2026, 11, 22, tzinfo=UTC)

(PLACED,) = (event for event in EVERY_EVENT if isinstance(event, events.OrderPlaced))
# As it was stored before there were exits, in version 1.
ENTRY_PLACED = replace(PLACED, parent_order_id=None, oco_order_id=None)
# As they were stored before there were limits over time, in version 1.
NOT_COUNTED = (
    *(
        replace(event, asked_at=None, notional=None, terms=None)
        for event in EVERY_EVENT
        if isinstance(event, events.FundsReserved | events.SharesReserved)
    ),
    *(
        replace(event, asked_at=None, notional=None)
        for event in EVERY_EVENT
        if isinstance(event, events.ReservationChanged)
    ),
)
(FILLED,) = (event for event in EVERY_EVENT if isinstance(event, events.OrderFilled))


def stored(event: Event, codec: Codec | None = None) -> StoredEvent:
    return (codec or Codec()).to_stored_event(NewEvent(STREAM, 1, event, METADATA))


def raw(topic: str, data: str, metadata: str | None = None) -> RawEvent:
    beside = metadata if metadata is not None else Codec().encode_metadata(METADATA).decode()
    return RawEvent(17, STREAM, 3, topic, data, beside, NOW, bytes(32))


def stored_shapes() -> list[dict[str, str]]:
    return [json.loads(line) for line in STORED_EVENTS.read_text().strip().split("\n")]


def test_there_is_a_sample_of_every_event() -> None:
    assert [type(event) for event in EVERY_EVENT] == list(TOPICS.values())


@pytest.mark.parametrize("event", EVERY_EVENT, ids=lambda event: type(event).__name__)
def test_an_event_comes_back_as_it_was_written(event: Event) -> None:
    codec = Codec()
    on_disk = stored(event)
    assert (on_disk.originator_id, on_disk.originator_version) == (STREAM, 1)
    assert TOPICS[on_disk.topic] is type(event)
    assert codec.to_domain_event(on_disk) == event
    recorded = codec.to_recorded_event(raw(on_disk.topic, on_disk.state.decode()))
    assert (recorded.event, recorded.metadata) == (event, METADATA)
    assert (recorded.position, recorded.stream_id, recorded.version) == (17, STREAM, 3)
    assert (recorded.recorded_at, recorded.hash) == (NOW, bytes(32))


@pytest.mark.parametrize("event", EVERY_EVENT, ids=lambda event: type(event).__name__)
def test_a_stored_shape_does_not_change_without_a_new_version(event: Event) -> None:
    """A shape that is meant to change needs an upcaster, and its new text as one more line of the file."""
    on_disk = stored(event)
    on_file = [shape for shape in stored_shapes() if shape["type"] == on_disk.topic]
    shape = {"type": on_disk.topic, "data": on_disk.state.decode()}
    assert on_file[-1:] == [shape], f"as a line: {json.dumps(shape, ensure_ascii=False)}"


def test_every_shape_that_was_ever_stored_can_be_read() -> None:
    for shape in stored_shapes():
        recorded = Codec().to_recorded_event(raw(shape["type"], shape["data"]))
        assert recorded.event in {*EVERY_EVENT, ENTRY_PLACED, *NOT_COUNTED}


def test_an_order_that_was_placed_before_there_were_exits_is_none() -> None:
    of_version_1, of_version_2 = (shape["data"] for shape in stored_shapes() if shape["type"] == "OrderPlaced")
    assert "class_version" not in of_version_1
    assert Codec().to_recorded_event(raw("OrderPlaced", of_version_1)).event == ENTRY_PLACED
    assert of_version_2.startswith('{"class_version":2,')
    assert Codec().to_recorded_event(raw("OrderPlaced", of_version_2)).event == PLACED


def test_decimals_are_texts_and_times_end_in_z() -> None:
    data = json.loads(stored(FILLED).state)
    assert data["price"] == "150.2"
    assert data["executed_at"] == "2026-11-22T14:30:00.123456Z"


def strategy(hint: Any) -> st.SearchStrategy[Any]:
    while hasattr(hint, "__supertype__"):
        hint = hint.__supertype__
    if get_origin(hint) in (UnionType, Union):
        return st.one_of(*map(strategy, get_args(hint)))
    if get_origin(hint) is tuple:
        return st.lists(strategy(get_args(hint)[0]), max_size=3).map(tuple)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from(list(hint))
    return {
        str: st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
        int: st.integers(-(2**53), 2**53),
        bool: st.booleans(),
        Decimal: st.decimals(allow_nan=False, allow_infinity=False),
        datetime: st.datetimes(timezones=st.just(UTC)),
        type(None): st.none(),
    }[hint]


def any_event() -> st.SearchStrategy[Event]:
    return st.one_of(
        *(
            st.builds(cls, **{name: strategy(hint) for name, hint in get_type_hints(cls).items()})
            for cls in TOPICS.values()
        )
    )


@given(any_event())
def test_any_event_at_all_comes_back_as_it_was_written(event: Event) -> None:
    assert Codec().to_domain_event(stored(event)) == event


def odd(event: Event, **changes: object) -> Event:
    """The event with values that the type checker would not have let in."""
    return replace(event, **changes)  # type: ignore[arg-type] # that is the point


@pytest.mark.parametrize(
    ("event", "complaint"),
    [
        (odd(PLACED, quantity=1.5), "quantity is 1.5, which is not Decimal"),
        (odd(PLACED, quantity=1), "quantity is 1, which is not Decimal"),
        (odd(PLACED, price="1"), "price is '1', which is not Decimal or nothing"),
        (odd(PLACED, side="BUY"), "side is 'BUY', which is not Side"),
        (odd(PLACED, quantity=Decimal("NaN")), "which is not finite"),
        (odd(PLACED, quantity=Decimal("-Infinity")), "which is not finite"),
        (odd(FILLED, executed_at=datetime(2026, 1, 1)), "which is not UTC"),  # noqa: DTZ001 - that is what is refused
        (odd(FILLED, executed_at=datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))), "which is not UTC"),
        (odd(FILLED, flags=["OVERFILLED"]), "which is not tuple"),
        (odd(FILLED, flags=("OVERFILLED",)), "which is not a list of Flag"),
        (odd(OrderSent(attempt=1, status=Status.PENDING), attempt=True), "attempt is True, which is not int"),
        (OrderRejected(code="1", reason="a\x00b", status=Status.REJECTED), "U\\+0000"),
        (OrderRejected(code="1", reason="\ud800", status=Status.REJECTED), "surrogates not allowed"),
    ],
)
def test_what_is_not_what_its_class_says_is_not_stored(event: Event, complaint: str) -> None:
    with pytest.raises(UnwritableEventError, match=f"{type(event).__name__} cannot be stored: .*{complaint}"):
        stored(event)


def test_what_is_no_event_is_not_stored() -> None:
    with pytest.raises(UnwritableEventError, match="str is not a stored event"):
        stored("nonsense")  # type: ignore[arg-type] # that is the point


def test_metadata_is_checked_too() -> None:
    with pytest.raises(UnwritableEventError, match="Metadata cannot be stored: actor is 1, which is not str"):
        Codec().encode_metadata(replace(METADATA, actor=1))  # type: ignore[arg-type] # that is the point


def test_another_name_for_utc_is_utc() -> None:
    event = replace(FILLED, executed_at=FILLED.executed_at.astimezone(timezone(timedelta(0), "GMT")))
    assert Codec().to_domain_event(stored(event)) == FILLED


@pytest.mark.parametrize("reason", ["an escaped backslash before u0000: \\u0000", "\\\\u0000"])
def test_a_text_that_only_looks_like_the_null_character_is_stored(reason: str) -> None:
    event = OrderRejected(code="1", reason=reason, status=Status.REJECTED)
    assert Codec().to_domain_event(stored(event)) == event


@pytest.mark.parametrize(
    ("topic", "data", "complaint"),
    [
        ("OrderTeleported", "{}", "this program knows no such event"),
        ("OrderSent", "{", "Input data was truncated"),
        ("OrderSent", "[]", "Expected `object`, got `array`"),
        ("OrderSent", '{"attempt":1}', "missing required field `status`"),
        ("OrderSent", '{"attempt":"1","status":"PENDING"}', "Expected `int`, got `str`"),
        ("OrderSent", '{"attempt":1,"status":"LOST"}', "Invalid enum value 'LOST'"),
        ("FundsDeposited", '{"amount":"NaN"}', "which is not finite"),
        ("OrderSent", '{"class_version":2,"attempt":1,"status":"PENDING"}', "the event is of version 2"),
        ("OrderPlaced", '{"class_version":3,"order_id":"o-1"}', "the event is of version 3"),
        ("OrderSent", '{"class_version":"x","attempt":1,"status":"PENDING"}', "the event is of version x"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(topic: str, data: str, complaint: str) -> None:
    with pytest.raises(UnreadableEventError, match=complaint) as caught:
        Codec().to_recorded_event(raw(topic, data))
    assert str(caught.value).startswith(f"{topic} at position 17, version 3 of stream order-1: ")
    with pytest.raises(UnreadableEventError, match=f"{topic}, version 3 of stream order-1: "):
        Codec().to_domain_event(StoredEvent(STREAM, 3, topic, data.encode()))


def test_bytes_that_are_no_text_cannot_be_read() -> None:
    with pytest.raises(UnreadableEventError, match="utf-8"):
        Codec().to_domain_event(StoredEvent(STREAM, 3, "OrderSent", b"\xff"))


def test_broken_metadata_cannot_be_read() -> None:
    with pytest.raises(UnreadableEventError, match="position 17"):
        Codec().to_recorded_event(raw("OrderSent", '{"attempt":1,"status":"PENDING"}', "{}"))


def test_a_field_that_a_newer_program_added_is_passed_over() -> None:
    recorded = Codec().to_recorded_event(raw("OrderSent", '{"attempt":1,"status":"PENDING","route":"A"}'))
    assert recorded.event == OrderSent(attempt=1, status=Status.PENDING)


def tries_became_attempts(state: dict[str, Any]) -> None:
    state["attempts"] = state.pop("tries")


def attempts_became_attempt(state: dict[str, Any]) -> None:
    state["attempt"] = state.pop("attempts")


NEWER = Codec(upcasters={"OrderSent": (tries_became_attempts, attempts_became_attempt)})


def test_an_event_of_a_later_version_says_so_and_is_read_back() -> None:
    event = OrderSent(attempt=1, status=Status.PENDING)
    on_disk = stored(event, NEWER)
    assert on_disk.state == b'{"class_version":3,"attempt":1,"status":"PENDING"}'
    assert NEWER.to_domain_event(on_disk) == event


@pytest.mark.parametrize(
    "data",
    ['{"tries":4,"status":"PENDING"}', '{"class_version":2,"attempts":4,"status":"PENDING"}'],
)
def test_an_older_event_is_upcast_step_by_step(data: str) -> None:
    recorded = NEWER.to_recorded_event(raw("OrderSent", data))
    assert recorded.event == OrderSent(attempt=4, status=Status.PENDING)


def test_upcasting_keeps_decimals_and_times_exact() -> None:
    codec = Codec(upcasters={"OrderFilled": (lambda state: state.update(venue="paper"),)})
    data = json.loads(stored(FILLED).state)
    del data["venue"]
    assert codec.to_recorded_event(raw("OrderFilled", json.dumps(data))).event == FILLED


def test_an_event_that_an_upcaster_stumbles_over_cannot_be_read() -> None:
    with pytest.raises(UnreadableEventError, match=r"it cannot be upcast: KeyError\('tries'\)"):
        NEWER.to_recorded_event(raw("OrderSent", '{"status":"PENDING"}'))


def test_every_field_of_the_metadata_is_stored() -> None:
    on_disk: Mapping[str, str] = json.loads(Codec().encode_metadata(METADATA))
    assert list(on_disk) == [field.name for field in fields(Metadata)]
