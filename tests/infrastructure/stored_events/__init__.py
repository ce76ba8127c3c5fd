"""What was really stored: a text of every version of every event, its shape, and a whole log of an earlier program."""

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from infrastructure.codec import RawEvent

HERE = Path(__file__).parent


class Text(NamedTuple):
    """An event as it was stored once."""

    type: str
    data: str

    @property
    def version(self) -> int:
        """Of its shape."""
        return int(json.loads(self.data).get("class_version", 1))

    @property
    def fields(self) -> list[str]:
        """The names of its fields, in their order."""
        return [name for name in json.loads(self.data) if name != "class_version"]


class Shape(NamedTuple):
    """The fields that a version of an event is stored with, and what is in them."""

    type: str
    version: int
    fields: Mapping[str, str]

    def line(self) -> str:
        """The shape as it is on file."""
        return json.dumps(self._asdict(), ensure_ascii=False)


def texts() -> list[Text]:
    return [Text(**json.loads(line)) for line in _lines("events.ndjson")]


def shapes() -> list[Shape]:
    return [Shape(**json.loads(line)) for line in _lines("shapes.ndjson")]


def words() -> dict[str, list[str]]:
    """The values of every enum that is stored, by its name."""
    return {line["enum"]: line["values"] for line in map(json.loads, _lines("words.ndjson"))}


def old_log() -> list[RawEvent]:
    """A log that the program of commit 94f21d5 wrote, before orders had exits and cash had a currency."""
    return [
        RawEvent(
            **event
            | {
                "recorded_at": datetime.fromisoformat(event["recorded_at"]),
                "hash": bytes.fromhex(event["hash"]),
            }
        )
        for event in map(json.loads, _lines("log_of_94f21d5.ndjson"))
    ]


def shape_of(topic: str, version: int, cls: type[Any]) -> Shape:
    """The shape that a class is stored in."""
    hints = get_type_hints(cls)
    return Shape(topic, version, {field.name: _named(hints[field.name]) for field in fields(cls)})


def _lines(name: str) -> list[str]:
    # Not splitlines(): a text of a venue may have a separator of lines in it.
    return (HERE / name).read_text().strip().split("\n")


def _named(hint: Any) -> str:
    while hasattr(hint, "__supertype__"):
        hint = hint.__supertype__
    if get_origin(hint) in {UnionType, Union}:
        return " or ".join(map(_named, get_args(hint)))
    if get_origin(hint) is tuple:
        return f"list of {_named(get_args(hint)[0])}"
    return "nothing" if hint is NoneType else str(hint.__name__)
