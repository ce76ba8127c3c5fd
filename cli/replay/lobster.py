"""The LOBSTER message format: one line for each change of an order book, without a header.

Columns: time (seconds after midnight), type, order id, size (shares), price (dollars times 10,000), direction
(1 buy, -1 sell; of the order that rests, also for its execution).
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import IntEnum
from pathlib import Path
from typing import Final

from domain.values import Side

_COLUMNS: Final = 6
_PRICE_DECIMALS: Final = 4


class Kind(IntEnum):
    """The type of a message."""

    NEW = 1
    PARTIAL_CANCEL = 2
    DELETE = 3
    EXECUTION = 4
    HIDDEN_EXECUTION = 5
    CROSS = 6
    HALT = 7

    @property
    def label(self) -> str:
        """Its name in a summary."""
        return self.name.lower()


class MessageFileError(Exception):
    """The file is not one of messages; the message names the line."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``seconds`` after midnight, ``price`` in dollars, ``side`` that of the resting order."""

    line: int
    seconds: Decimal
    kind: Kind
    order_id: str
    size: int
    price: Decimal
    side: Side


def read_messages(path: Path) -> Iterator[Message]:
    """The messages of a file, in order.

    Raises:
        MessageFileError: a line is no message, with its number; or the file cannot be read.
    """
    try:
        with path.open(newline="", encoding="ascii") as file:
            for line, columns in enumerate(csv.reader(file), start=1):
                yield _message(path, line, columns)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MessageFileError(f"{path} cannot be read: {error}") from error


def _message(path: Path, line: int, columns: list[str]) -> Message:
    if len(columns) != _COLUMNS:
        raise MessageFileError(f"{path}, line {line}: a message has {_COLUMNS} columns, not {len(columns)}")
    seconds, kind, order_id, size, price, direction = columns
    try:
        message = Message(
            line,
            Decimal(seconds),
            Kind(int(kind)),
            order_id,
            int(size),
            Decimal(int(price)).scaleb(-_PRICE_DECIMALS),
            Side.BUY if int(direction) > 0 else Side.SELL,
        )
    except (InvalidOperation, ValueError) as error:
        raise MessageFileError(f"{path}, line {line}: {','.join(columns)!r} is no message") from error
    if not message.seconds.is_finite():
        raise MessageFileError(f"{path}, line {line}: {seconds!r} is no time")
    return message
