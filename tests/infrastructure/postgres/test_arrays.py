"""Arrays arrive as they were sent."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import Connection
from psycopg.rows import TupleRow

from infrastructure.postgres import arrays


@pytest.fixture
def connection(postgres: str) -> Iterator[Connection[TupleRow]]:
    with psycopg.connect(postgres, autocommit=True) as connection:
        arrays.register(connection)
        yield connection


@pytest.mark.parametrize("items", [[], ["a"], ["", "NULL", "é漢", '{"a": "b\\"c"}', "\t\n", "x" * 70_000]])
def test_texts(connection: Connection[TupleRow], items: list[str]) -> None:
    assert connection.execute("SELECT %s", (arrays.texts(items),)).fetchone() == (items,)
    encoded = arrays.encoded_texts([item.encode() for item in items])
    assert connection.execute("SELECT unnest(%s)", (encoded,)).fetchall() == [(item,) for item in items]


@pytest.mark.parametrize("items", [[], [0], [1, -1, 2**63 - 1, -(2**63)]])
def test_integers(connection: Connection[TupleRow], items: list[int]) -> None:
    assert connection.execute("SELECT %s", (arrays.integers(items),)).fetchone() == (items,)


@pytest.mark.parametrize("items", [[], [b""], [b"\x00\xff", bytes(range(256))]])
def test_byte_strings(connection: Connection[TupleRow], items: list[bytes]) -> None:
    assert connection.execute("SELECT %s", (arrays.byte_strings(items),)).fetchone() == (items,)
