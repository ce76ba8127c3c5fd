"""Folded states as text and back: exact, and only by a program whose states are made of the same parts.

A state is written down so that its stream need not be folded from the beginning. It is derived, so it is never upcast:
each text is kept under the name of the shape it has, and a program that has other shapes folds anew.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from hashlib import sha256
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from msgspec import json

from domain.aggregates import FOLD_VERSION, State, initial
from domain.events import StreamId
from domain.order import Order

KINDS: tuple[type, ...] = tuple(kind for kind in get_args(State) if kind is not NoneType)
"""What a stream may hold."""


def kind_of(stream_id: StreamId) -> type:
    """What the stream holds."""
    state = initial(stream_id)
    return Order if state is None else type(state)


def shape_of(stream_id: StreamId) -> str:
    """The name of the shape that the stream's state has in this program."""
    return _shape(kind_of(stream_id))


def shapes() -> list[str]:
    """Every shape that a state has in this program."""
    return list(map(_shape, KINDS))


def encode(state: State) -> str:
    """The state as text."""
    return _encoder.encode(state).decode()


def decode(stream_id: StreamId, text: str) -> State:
    """The state that was written as this text, under the stream's shape."""
    state: State = _decoder(kind_of(stream_id)).decode(text)
    return state


def _plain(value: object) -> object:
    if isinstance(value, MappingProxyType):
        return dict(value)
    raise NotImplementedError(f"{type(value).__name__} in a state")


_encoder = json.Encoder(decimal_format="string", enc_hook=_plain)


@cache
def _decoder(kind: type) -> json.Decoder[Any]:
    return json.Decoder(kind)


@cache
def _shape(kind: type) -> str:
    return f"{kind.__name__}-{sha256(f'{FOLD_VERSION} {_described(kind)}'.encode()).hexdigest()[:16]}"


def _described(hint: Any) -> str:  # noqa: ANN401 - an annotation can be anything
    """A type with all that it is made of, as text: equal for types whose values are written alike."""
    while hasattr(hint, "__supertype__"):  # a NewType
        hint = hint.__supertype__
    if get_origin(hint) in (Union, UnionType):
        return " | ".join(sorted(map(_described, get_args(hint))))
    if get_args(hint):
        return f"{get_origin(hint).__name__}[{', '.join(map(_described, get_args(hint)))}]"
    if hint is Ellipsis:
        return "..."
    if issubclass(hint, Enum):
        return f"{hint.__name__}{[member.value for member in hint]}"
    names = [field.name for field in fields(hint)] if is_dataclass(hint) else getattr(hint, "_fields", ())
    if not names:
        return str(hint.__qualname__)
    hints: Mapping[str, Any] = get_type_hints(hint)
    return f"{hint.__name__}({', '.join(f'{name}: {_described(hints[name])}' for name in names)})"
