from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import get_args, get_type_hints

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.rows import TupleRow

from domain.lifecycle import FINAL, Flag, Status
from domain.values import OrderId, Price
from infrastructure.folds import encode
from infrastructure.postgres.rows import Table, as_json, columns
from projections.fills import FILLS
from projections.orders import ORDERS, OrderRow
from projections.registry import PROJECTIONS
from tests.domain.orders import filled, placed
from tests.projections.histories import log_of

Connection = psycopg.Connection[TupleRow]

(ROW,) = ORDERS.fold({}, log_of(placed())).values()


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def there_and_back(connection: Connection, row: OrderRow, table: Table[OrderRow] | None = None) -> OrderRow:
    table = table or Table(ORDERS)
    connection.execute(*table.save({(row.id,): row}))
    found = connection.cursor(binary=True).execute(*table.load([(row.id,), ("another",)]))
    ((key, loaded),) = table.loaded(found).items()
    assert key == (row.id,)
    return loaded


def told_by_postgres(connection: Connection) -> bytes:
    """The one row of the table as text, as it is compared."""
    statement = sql.SQL("SELECT convert_to({}, 'UTF8') FROM orders").format(as_json(OrderRow))
    ((told,),) = connection.cursor(binary=True).execute(statement)
    return bytes(told)


def test_the_migrated_tables_have_the_columns_of_the_rows(connection: Connection) -> None:
    long = {"timestamptz": "timestamp with time zone", "text[]": "ARRAY"}
    for projection in PROJECTIONS:
        found = connection.execute(
            "SELECT column_name, data_type, is_nullable FROM information_schema.columns"
            " WHERE table_name = %s AND is_generated = 'NEVER' ORDER BY column_name COLLATE \"C\"",
            [projection.name],
        )
        hints = get_type_hints(projection.row)
        assert found.fetchall() == [
            (name, long.get(each, each), "YES" if type(None) in get_args(hints[name]) else "NO")
            for name, each in sorted(columns(projection.row).items())
        ]


def test_the_migrated_tables_have_the_keys_of_the_rows(connection: Connection) -> None:
    for projection in PROJECTIONS:
        found = connection.execute(
            "SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)"
            " WHERE indisprimary AND indrelid = %s::regclass",
            [projection.name],
        )
        assert {name for (name,) in found} == set(projection.key)


def test_every_read_model_begins_at_the_beginning_of_the_log(connection: Connection) -> None:
    found = connection.execute("SELECT name, position, version FROM checkpoints")
    assert set(found) == {(projection.name, 0, projection.version) for projection in PROJECTIONS}


def test_the_database_knows_which_orders_are_open(connection: Connection) -> None:
    for status in Status:
        there_and_back(connection, ROW._replace(status=status))
        assert connection.execute("SELECT is_open FROM orders").fetchone() == (status not in FINAL,)


@given(
    text=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    reason=st.sampled_from([None, "NULL", 'a "quoted\\" {word}, or two', "line\nbreak\ttab", ""]),
    price=st.none() | st.decimals(-(10**21), 10**21, places=9),
    flags=st.lists(st.sampled_from(Flag), unique=True).map(tuple),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_what_is_written_is_what_is_read(
    connection: Connection, text: str, reason: str | None, price: Price | None, flags: tuple[Flag, ...]
) -> None:
    row = ROW._replace(client_order_id=text, reason=reason, price=price, flags=flags)
    assert there_and_back(connection, row) == row
    told = told_by_postgres(connection)
    assert msgspec.json.decode(told, type=OrderRow) == row
    assert told == encode(row) or "E" in str(price)


def test_what_the_fold_wrote_is_copied_as_it_is_and_what_copy_would_read_otherwise_is_left(
    connection: Connection,
) -> None:
    table = Table(ORDERS)
    copied = ["", "NULL", "null", "a, b", "{}", "it's", "größe 你", "tab  ]", "0042"]
    left = ['a "quote"', "back\\slash", "a\nline", "nul\x00", "a [bracket", ",[],", "[]"]
    rows = {(text,): ROW._replace(id=OrderId(text), reason=text) for text in (*copied, *left)}
    for key, row in {
        ("none",): ROW._replace(reason=None, price=Price(Decimal("1E-9")), stop_price=Price(Decimal("-0.50"))),
        ("flags",): ROW._replace(flags=(Flag.LATE_FILL,)),
        ("odd",): ROW._replace(flags=(Flag.LATE_FILL,), reason=",[],"),
        ("not new",): ROW,
    }.items():
        rows[key] = row._replace(id=OrderId(*key))
    encoded = {key: encode(row) for key, row in rows.items() if key != ("not new",)}
    lines, rest = table.lines(rows, encoded)
    assert set(rest) == {*((text,) for text in left), ("flags",), ("odd",), ("not new",)}
    with connection.cursor().copy(table.copy) as copy:
        copy.write(lines)
    del rest["nul\x00",], rows["nul\x00",]
    connection.execute(*table.save(rest))
    assert table.loaded(connection.cursor(binary=True).execute(*table.load(rows))) == rows


def test_rows_without_arrays_are_copied_too(connection: Connection) -> None:
    table = Table(FILLS)
    log = log_of(placed(), filled(40, 40, Status.PARTIALLY_FILLED))
    rows = FILLS.fold({}, log)
    lines, rest = table.lines(rows, {key: encode(row) for key, row in rows.items()})
    assert not rest
    with connection.cursor().copy(table.copy) as copy:
        copy.write(lines)
    assert table.loaded(connection.cursor(binary=True).execute(*table.load(rows))) == rows


@given(
    texts=st.lists(
        st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), min_size=1, unique=True
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_whatever_a_text_is_it_arrives(connection: Connection, texts: list[str]) -> None:
    table = Table(ORDERS)
    rows = {(text,): ROW._replace(id=OrderId(text), reason=text) for text in texts}
    lines, rest = table.lines(rows, {key: encode(row) for key, row in rows.items()})
    connection.execute("TRUNCATE orders")
    with connection.cursor().copy(table.copy) as copy:
        copy.write(lines)
    if rest:
        connection.execute(*table.save(rest))
    assert table.loaded(connection.cursor(binary=True).execute(*table.load(rows))) == rows


def test_times_are_told_as_the_fold_writes_them_in_any_session(connection: Connection) -> None:
    connection.execute("SET timezone = 'Asia/Tokyo'")
    for microsecond in (0, 1, 120_000):
        row = ROW._replace(created_at=datetime(2026, 7, 1, 23, 0, 0, microsecond, tzinfo=UTC))
        there_and_back(connection, row)
        assert told_by_postgres(connection) == encode(row)


def test_numbers_keep_every_digit_and_no_more(connection: Connection) -> None:
    row = ROW._replace(price=Price(Decimal("1E-9")), quantity=ROW.quantity, stop_price=Price(Decimal("1.50")))
    loaded = there_and_back(connection, row)
    assert (str(loaded.price), str(loaded.stop_price), str(loaded.quantity)) == ("1E-9", "1.50", "100")


def test_a_nul_in_a_text_does_not_stop_a_read_model(connection: Connection) -> None:
    assert there_and_back(connection, ROW._replace(reason="no\x00way")).reason == "no\ufffdway"


def test_times_are_utc_in_any_session(connection: Connection) -> None:
    connection.execute("SET timezone = 'Asia/Tokyo'")
    berlin = datetime(2026, 7, 1, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    loaded = there_and_back(connection, ROW._replace(created_at=berlin))
    assert (loaded.created_at, loaded.created_at.tzinfo) == (berlin, UTC)


def test_words_come_back_as_what_they_mean(connection: Connection) -> None:
    loaded = there_and_back(connection, ROW._replace(flags=(Flag.LATE_FILL,)))
    assert (loaded.status, loaded.side, loaded.flags[0]) == (Status.PENDING, ROW.side, Flag.LATE_FILL)
    assert {type(loaded.status), type(loaded.side), type(loaded.flags[0])} == {Status, type(ROW.side), Flag}


def test_writing_a_row_again_replaces_it(connection: Connection) -> None:
    there_and_back(connection, ROW)
    assert there_and_back(connection, ROW._replace(version=2, status=Status.FILLED)).version == 2


def test_a_rebuild_has_tables_of_the_same_name_in_a_schema_of_its_own(connection: Connection) -> None:
    connection.execute("CREATE SCHEMA rebuilt")
    connection.execute("CREATE TABLE rebuilt.orders (LIKE orders INCLUDING ALL)")
    assert there_and_back(connection, ROW, Table(ORDERS, schema="rebuilt")) == ROW
    assert connection.execute("SELECT count(*) FROM public.orders").fetchone() == (0,)
