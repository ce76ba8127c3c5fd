"""Events as stored text and back, checked on both sides of the disk.

Built on the mapper contract of ``eventsourcing``, with explicit topics from ``domain.events.TOPICS``, and with its way
of versions: a stored event of version 2 or later says so in the field ``class_version``, and what is older is upcast
step by step when it is read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Generic, NamedTuple, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from eventsourcing.persistence import Mapper, MapperDeserialisationError, StoredEvent
from msgspec import MsgspecError, convert, json

from application.ports import NewEvent, UnreadableEventError, UnwritableEventError
from domain.events import TOPICS, Event, Metadata, RecordedEvent
from infrastructure.upcasting import UPCASTERS, Upcaster

T = TypeVar("T")

_VERSION = "class_version"
_VERSION_PREFIX = f'{{"{_VERSION}":'


class RawEvent(NamedTuple):
    """An event exactly as it is stored: ``data`` and ``metadata`` are the JSON texts that the hash chain covers."""

    position: int
    stream_id: str
    version: int
    type: str
    data: str
    metadata: str
    recorded_at: datetime
    hash: bytes


class UnreadableStoredEventError(UnreadableEventError, MapperDeserialisationError):
    """What is stored is not an event this program knows, as the port and the mapper contract both name it."""


class Codec(Mapper[str]):
    """Between events and their stored text.

    Args:
        topics: stored names of the events.
        upcasters: what makes today's shape of older ones.
    """

    def __init__(
        self, topics: Mapping[str, type[Event]] = TOPICS, upcasters: Mapping[str, Sequence[Upcaster]] = UPCASTERS
    ) -> None:
        self._by_topic = {topic: _Form(cls, upcasters.get(topic, ())) for topic, cls in topics.items()}
        self._by_class = {cls: (topic, self._by_topic[topic]) for topic, cls in topics.items()}
        self._metadata = _Form(Metadata, ())

    # The contract speaks of events that know their stream. Ours do not: NewEvent is what knows it.
    def to_stored_event(self, domain_event: NewEvent) -> StoredEvent:  # type: ignore[override]
        """The event as it is to be stored.

        Raises:
            UnwritableEventError: a field is not of its type, not finite, not UTC, or the event has no topic.
        """
        return StoredEvent(domain_event.stream_id, domain_event.version, *self.encode(domain_event.event))

    def to_domain_event(self, stored_event: StoredEvent) -> Event:  # type: ignore[override] # see above
        """The event that was stored.

        Raises:
            UnreadableEventError: it is not one that this program knows.
        """
        try:
            return self._decode(stored_event.topic, stored_event.state)
        except _WrongError as wrong:
            at = f"version {stored_event.originator_version} of stream {stored_event.originator_id}"
            raise UnreadableStoredEventError(f"{stored_event.topic}, {at}: {wrong}") from wrong

    def encode(self, event: Event) -> tuple[str, bytes]:
        """The topic of the event, and its data as they are to be stored.

        Raises:
            UnwritableEventError: a field is not of its type, not finite, not UTC, or the event has no topic.
        """
        try:
            topic, form = self._by_class[type(event)]
        except KeyError:
            raise UnwritableEventError(f"{type(event).__name__} is not a stored event") from None
        return topic, form.encode(event)

    def encode_metadata(self, metadata: Metadata) -> bytes:
        """The metadata as it is to be stored.

        Raises:
            UnwritableEventError: a field is not of its type.
        """
        return self._metadata.encode(metadata)

    def to_recorded_event(self, raw: RawEvent) -> RecordedEvent:
        """The event and all that is known of it.

        Raises:
            UnreadableEventError: it is not one that this program knows.
        """
        return next(self.recorded_events((raw,)))

    def recorded_events(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[RecordedEvent]:
        """The same of many, each given as the columns of a ``RawEvent``, with its time in any zone.

        Raises:
            UnreadableEventError: the next one is not one that this program knows.
        """
        decode, metadata_of = self._decode, self._metadata.decode
        for position, stream_id, version, topic, data, metadata, recorded_at, hash_ in rows:
            try:
                event, known = decode(topic, data), metadata_of(metadata)
            except _WrongError as wrong:
                at = f"position {position}, version {version} of stream {stream_id}"
                raise UnreadableStoredEventError(f"{topic} at {at}: {wrong}") from wrong
            yield RecordedEvent(position, stream_id, version, event, known, recorded_at.astimezone(UTC), hash_)

    def _decode(self, topic: str, data: str | bytes) -> Event:
        try:
            form = self._by_topic[topic]
        except KeyError:
            version = _version_of(data if isinstance(data, str) else data.decode(errors="replace"))
            raise _WrongError(f"this program knows no such event, which is of version {version} here") from None
        return form.decode(data)


class _WrongError(Exception):
    """What is wrong with a value or with its stored text."""


def _version_of(text: str) -> str:
    return text.removeprefix(_VERSION_PREFIX).partition(",")[0] if text.startswith(_VERSION_PREFIX) else "1"


class _Question(NamedTuple):
    """Whether a value of the right class is one that can be stored, and what it has to be."""

    is_right: Callable[[Any], bool]
    wanted: str


_to_json = json.Encoder(decimal_format="string").encode
_to_dict = json.Decoder(dict[str, Any]).decode


class _Form(Generic[T]):
    """How the objects of one class are stored."""

    def __init__(self, cls: type[T], upcasters: Sequence[Upcaster]) -> None:
        self._cls = cls
        self._decode = json.Decoder(cls).decode
        self._upcasters = upcasters
        self._prefix = f"{_VERSION_PREFIX}{len(upcasters) + 1},"
        # Today's shape begins with its version if there were others before it, and with none if it is the first.
        self._begin, self._is_versioned = (self._prefix, True) if upcasters else (_VERSION_PREFIX, False)
        self._fields = _fields_of(cast("type", cls))
        # What is still to be asked of a value whose fields have the right classes: few classes have both kinds.
        self._questions = [
            (_all_of(names), question)
            for cls, question in ((Decimal, _are_finite), (datetime, _are_utc))
            if (names := [field.name for field in self._fields if cls in field.classes])
        ]
        # The right classes of all fields together, and what is to be asked of the values in which places besides.
        self._right: dict[tuple[type, ...], list[tuple[int, _Question]]] = {}
        self._values = _all_of([field.name for field in self._fields])

    def encode(self, value: T) -> bytes:
        try:
            self._check(value)
            data = _to_json(value)
            # PostgreSQL cannot read JSON with U+0000 in it. Behind a backslash the same letters are harmless, but rare.
            if b"\\u0000" in data and any("\x00" in text for text in _to_dict(data).values() if isinstance(text, str)):
                raise _WrongError("a text has the character U+0000 in it")  # noqa: TRY301 - as the other two raise it
        except (_WrongError, UnicodeEncodeError) as wrong:
            raise UnwritableEventError(f"{self._cls.__name__} cannot be stored: {wrong}") from wrong
        return self._prefix.encode() + data[1:] if self._upcasters else data

    def decode(self, data: str | bytes) -> T:
        try:
            text = data if isinstance(data, str) else data.decode()
            if text.startswith(self._begin) is self._is_versioned:
                value = self._decode(text)
            else:
                value = self._upcast(_to_dict(text))
        except (MsgspecError, UnicodeDecodeError) as error:
            raise _WrongError(error) from error
        # What msgspec has read has the classes of its fields.
        for contents, are_right in self._questions:
            if not are_right(contents(value)):
                self._check(value)  # and say which is wrong
        return value

    def _upcast(self, state: dict[str, Any]) -> T:
        version, newest = state.pop(_VERSION, 1), len(self._upcasters) + 1
        if version not in range(1, newest + 1):
            raise _WrongError(f"the event is of version {version}, this program knows none after {newest}")
        for upcast in self._upcasters[version - 1 :]:
            try:
                upcast(state)
            except Exception as error:  # whatever an upcaster stumbles over, the event is not what it expects
                raise _WrongError(f"it cannot be upcast: {error!r}") from error
        return convert(state, self._cls)

    def _check(self, value: T) -> None:
        contents = self._values(value)
        classes = tuple(map(type, contents))
        questions = self._right.get(classes)
        if questions is None:
            questions = self._right[classes] = self._questions_about(contents)
        for place, question in questions:
            if not question.is_right(contents[place]):
                raise _WrongError(f"{self._fields[place].name} is {contents[place]!r}, which is not {question.wanted}")

    def _questions_about(self, contents: tuple[object, ...]) -> list[tuple[int, _Question]]:
        questions = []
        for place, (field, content) in enumerate(zip(self._fields, contents, strict=True)):
            if type(content) not in field.classes:
                raise _WrongError(f"{field.name} is {content!r}, which is not {_names(field.classes)}")
            if type(content) is tuple:
                questions.append((place, field.about_items))
            elif type(content) in _QUESTIONS:
                questions.append((place, _QUESTIONS[type(content)]))
        return questions


class _Field(NamedTuple):
    """A field, the classes its value may have, and what is to be asked of a tuple's items."""

    name: str
    classes: frozenset[type]
    about_items: _Question


@cache
def _fields_of(cls: type) -> tuple[_Field, ...]:
    """The fields of a class. Its annotations say the same for ever, and reading them takes a while."""
    hints = get_type_hints(cls)
    types = {field.name: _types(hints[field.name]) for field in fields(cast("Any", cls))}
    return tuple(_Field(name, classes, _about(items)) for name, (classes, items) in types.items())


def _about(items: frozenset[type]) -> _Question:
    return _Question(lambda value: items.issuperset(map(type, value)), f"a list of {_names(items)}")


def _all_of(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Makes a tuple of these attributes of an object."""
    if len(names) > 1:
        return cast("Callable[[Any], tuple[Any, ...]]", attrgetter(*names))
    get = attrgetter(*names)
    return lambda value: (get(value),)


def _are_finite(decimals: tuple[Decimal | None, ...]) -> bool:
    return all(map(Decimal.is_finite, filter(None, decimals)))


def _are_utc(times: tuple[datetime | None, ...]) -> bool:
    return all(map(_is_utc, times))


def _is_utc(time: datetime | None) -> bool:
    return time is None or time.tzinfo is UTC or time.utcoffset() == timedelta()


_QUESTIONS: Mapping[type, _Question] = {
    Decimal: _Question(Decimal.is_finite, "finite"),
    datetime: _Question(_is_utc, "UTC"),
}
"""What is to be asked of a value of the right class."""


def _types(hint: Any) -> tuple[frozenset[type], frozenset[type]]:  # noqa: ANN401 - an annotation can be anything
    """The classes a value with this annotation has, and those its items have when it is a tuple."""
    while hasattr(hint, "__supertype__"):  # a NewType
        hint = hint.__supertype__
    if get_origin(hint) in (UnionType, Union):
        parts = [_types(part) for part in get_args(hint)]
        return frozenset().union(*(classes for classes, _ in parts)), frozenset().union(*(items for _, items in parts))
    if get_origin(hint) is tuple:
        item, _ = get_args(hint)
        return frozenset({tuple}), _types(item)[0]
    return frozenset({hint}), frozenset()


def _names(classes: frozenset[type]) -> str:
    return " or ".join(sorted("nothing" if cls is NoneType else cls.__name__ for cls in classes))
