"""Every role does what it is for, and nothing else: tried as somebody who logs in with that role alone."""
# ruff: noqa: S608 - the names in the statements are literals of this file

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import errors, sql

from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.migrating import current, downgrade, head, upgrade
from infrastructure.postgres.roles import APP, as_app, rights, with_role
from tests.cli.logs import a_short_history, project, record
from tests.conftest import execute, fresh_database

ROLES = ("orderlog_owner", "orderlog_app", "orderlog_auditor", "orderlog_trader")
READ_TABLES = ("orders", "fills", "accounts", "positions", "execution_log")


def url_as(url: str, user: str) -> str:
    return url.replace("postgres@", f"{user}@", 1)


def execute_as(url: str, user: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url_as(url, user), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


@contextmanager
def login(postgres: str, user: str, attributes: str) -> Iterator[str]:
    """Somebody who can log in; he leaves nothing behind."""
    execute(postgres, f'CREATE ROLE "{user}" LOGIN {attributes}')
    yield user
    execute(postgres, f'REASSIGN OWNED BY "{user}" TO postgres; DROP OWNED BY "{user}"; DROP ROLE "{user}"')


@pytest.fixture(scope="module")
def recorded(postgres: str, migrated_template: str) -> Iterator[str]:
    """A database with a short history, and somebody for each role."""
    with fresh_database(postgres, template=migrated_template) as url:
        project(url, asyncio.run(record(url, a_short_history().log)))
        execute(url, "INSERT INTO keys VALUES ('alice', 'idempotency', 'used', 'f', 'account-alice', 1)")
        for role in ROLES:
            execute(postgres, f"CREATE ROLE a_member_of_{role} LOGIN IN ROLE {role}")
        execute(postgres, "CREATE ROLE alice LOGIN IN ROLE orderlog_trader")
        yield url
        for role in ROLES:
            execute(postgres, f"DROP ROLE a_member_of_{role}")
        execute(postgres, "DROP ROLE alice")


ALLOWED = {
    "orderlog_app": (
        "INSERT INTO events SELECT position + 1000, 'other', 1, type, data, metadata, recorded_at, hash FROM events WHERE position = 1",
        "INSERT INTO keys VALUES ('alice', 'k', 'v', 'f', 's', 1)",
        "UPDATE log_head SET position = position + 1",
        "UPDATE checkpoints SET position = position",
        "INSERT INTO checkpoints (name, position) VALUES ('reader', 1)",
        "INSERT INTO heartbeats VALUES ('a', true, '', now())",
        "DELETE FROM stream_tickets",
        "SELECT extend_events(50000000, 10000000)",
        "SELECT * FROM building.progress",
        "SELECT to_regclass('previous.orders')",
        *(f"UPDATE {table} SET trader_id = trader_id" for table in READ_TABLES),
        *(f"DELETE FROM {table}" for table in READ_TABLES),
    ),
    "orderlog_auditor": (
        *(
            f"SELECT * FROM {table}"
            for table in (*READ_TABLES, "events", "event_log", "log_head", "keys", "checkpoints", "alembic_version")
        ),
    ),
    "orderlog_trader": tuple(f"SELECT * FROM {table}" for table in (*READ_TABLES, "instruments")),
    "orderlog_owner": ("ALTER TABLE orders ADD COLUMN note text", "CREATE TABLE another (id int)"),
}

_CHANGES = tuple(
    statement
    for table in ("events", "events_from_1", "keys")
    for statement in (f"UPDATE {table} SET stream_id = 'x'", f"DELETE FROM {table}", f"TRUNCATE {table}")
)
_OWNERS_WORK = (
    "DROP TABLE events CASCADE",
    "ALTER TABLE events DISABLE TRIGGER ALL",
    "ALTER TABLE events DROP COLUMN hash",
    "DROP TRIGGER only_grows ON events",
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE TABLE another (id int)",
    "SET session_replication_role = replica",
    "SET ROLE orderlog_owner",
    "ALTER TABLE orders DISABLE ROW LEVEL SECURITY",
)
REFUSED = {
    "orderlog_app": (
        *_CHANGES,
        *_OWNERS_WORK,
        "DELETE FROM log_head",
        "TRUNCATE log_head",
        "INSERT INTO log_head VALUES (false, 1, '', now())",
    ),
    "orderlog_auditor": (
        *_CHANGES,
        *_OWNERS_WORK,
        "INSERT INTO events SELECT * FROM events",
        "UPDATE log_head SET position = position + 1",
        "INSERT INTO keys VALUES ('alice', 'k', 'v', 'f', 's', 1)",
        "SELECT extend_events(50000000, 10000000)",
        "SELECT * FROM stream_tickets",
        *(f"DELETE FROM {table}" for table in (*READ_TABLES, "checkpoints")),
        "SET ROLE orderlog_app",
    ),
    "orderlog_trader": (
        *_CHANGES,
        *_OWNERS_WORK,
        *(f"DELETE FROM {table}" for table in (*READ_TABLES, "checkpoints")),
        *(
            f"SELECT * FROM {table}"
            for table in ("events", "event_log", "log_head", "keys", "checkpoints", "stream_tickets")
        ),
        "SET ROLE orderlog_app",
        "SET ROLE orderlog_auditor",
    ),
}


def cases(statements: dict[str, Sequence[str]]) -> list[tuple[str, str]]:
    return [(role, statement) for role, all_of_role in statements.items() for statement in all_of_role]


@pytest.mark.parametrize(("role", "statement"), cases(ALLOWED))
def test_a_role_may(recorded: str, role: str, statement: str) -> None:
    with psycopg.connect(url_as(recorded, f"a_member_of_{role}"), autocommit=True) as connection:
        connection.execute("BEGIN")
        connection.execute(statement.encode())
        connection.execute("ROLLBACK")


@pytest.mark.parametrize(("role", "statement"), cases(REFUSED))
def test_a_role_may_not(recorded: str, role: str, statement: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        execute_as(recorded, f"a_member_of_{role}", statement)


# ── The owner, and the superuser ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("user", ["postgres", "a_member_of_orderlog_owner"])
@pytest.mark.parametrize(
    "statement",
    [
        *_CHANGES,
        "TRUNCATE log_head",
        "DELETE FROM log_head",
        "UPDATE log_head SET position = 1",
        "UPDATE log_head SET hash = ''",
    ],
)
def test_whoever_owns_the_log_cannot_change_it_by_accident(recorded: str, user: str, statement: str) -> None:
    with pytest.raises(errors.RaiseException, match=r"\w+ only grows: (UPDATE|DELETE|TRUNCATE) is refused"):
        execute_as(recorded, user, statement)


def test_a_partition_that_is_made_later_is_protected_like_the_first(database_url: str) -> None:
    with psycopg.connect(with_role(database_url, APP), autocommit=True) as connection:
        connection.execute("SELECT extend_events(25000000, 10000000)")
    names = [name for (name,) in execute_as(database_url, "postgres", "SELECT name FROM event_partitions")]
    assert len(names) > 1
    for name in names:
        with pytest.raises(errors.RaiseException):
            execute(database_url, f"TRUNCATE {name}")
        with pytest.raises(errors.InsufficientPrivilege), psycopg.connect(with_role(database_url, APP)) as connection:
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))


def test_everything_belongs_to_the_owner(recorded: str) -> None:
    found = execute_as(
        recorded,
        "postgres",
        """
        SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname IN ('public', 'building', 'previous') AND relkind IN ('r', 'p', 'v')
        """,
    )
    assert found == [("orderlog_owner",)]


# ── Row-level security ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("table", READ_TABLES)
def test_a_trader_who_logs_in_sees_what_is_his_and_nothing_else(recorded: str, table: str) -> None:
    statement = f"SELECT trader_id FROM {table}"
    everything = execute_as(recorded, "a_member_of_orderlog_auditor", statement)
    his = [row for row in everything if row == ("alice",)]
    assert his
    assert execute_as(recorded, "alice", statement) == his
    assert execute_as(recorded, "a_member_of_orderlog_app", statement) == everything
    assert execute_as(recorded, "a_member_of_orderlog_trader", statement) == []
    with psycopg.connect(url_as(recorded, "alice"), autocommit=True) as connection:
        connection.execute("SET orderlog.trader_id = 'bob'")
        assert connection.execute(statement.encode()).fetchall() == his


def test_a_superuser_who_acts_as_a_trader_sees_no_more_than_he_does(recorded: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        execute_as(recorded, "a_member_of_orderlog_app", "SET ROLE orderlog_trader")
    with psycopg.connect(recorded, autocommit=True) as connection:
        connection.execute("SET ROLE orderlog_trader")
        accounts = b"SELECT trader_id FROM accounts"
        assert connection.execute(accounts).fetchall() == []
        connection.execute("SET orderlog.trader_id = 'bob'")
        assert connection.execute(accounts).fetchall() == [("bob",)]


# ── The engine ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_engine_that_could_change_the_log_gives_up_that_right_as_it_connects(recorded: str) -> None:
    url = await as_app(recorded, 1.0)
    assert url == with_role(recorded, APP)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT current_user, session_user").fetchone() == (APP, "postgres")
    async with PostgresEventStore(url) as store:
        assert [raw.position for raw in await store.raw(0, 1)] == [1]


async def test_an_engine_that_logs_in_as_a_member_stays_who_it_is(recorded: str) -> None:
    url = url_as(recorded, "a_member_of_orderlog_app")
    assert await as_app(url, 1.0) == url
    assert rights(url).changes_log is False


async def test_an_engine_on_an_older_database_stays_who_it_is(empty_database_url: str) -> None:
    assert await as_app(empty_database_url, 1.0) == empty_database_url
    upgrade(empty_database_url, "0006")
    assert await as_app(empty_database_url, 1.0) == empty_database_url


def test_what_the_url_says_already_is_kept() -> None:
    url = "postgresql://u:p%40@/orderlog?host=%2Ftmp%2Fx&options=-c%20work_mem%3D8MB"
    assert psycopg.conninfo.conninfo_to_dict(with_role(url, "r")) == {
        "user": "u",
        "password": "p@",
        "dbname": "orderlog",
        "host": "/tmp/x",  # noqa: S108 - nothing is made there
        "options": "-c work_mem=8MB -c role=r",
    }
    assert with_role("postgresql:///orderlog", "r") == "postgresql:///orderlog?options=-c%20role%3Dr"


# ── Migrations by whoever may make roles, and by whoever may not ─────────────────────────────────────────────────────


@pytest.fixture
def without_roles(postgres: str) -> Iterator[None]:
    """A server that has never heard of our roles: they go by other names meanwhile."""
    for role in ROLES:
        execute(postgres, f"ALTER ROLE {role} RENAME TO hidden_{role}")
    yield
    for role in ROLES:
        execute(postgres, f"DROP ROLE IF EXISTS {role}")
        execute(postgres, f"ALTER ROLE hidden_{role} RENAME TO {role}")


@contextmanager
def owned_by(postgres: str, user: str, attributes: str) -> Iterator[str]:
    """An empty database of somebody who is no superuser: his URL."""
    with fresh_database(postgres, template="template0") as url, login(postgres, user, attributes):
        execute(url, f"ALTER DATABASE {url.rpartition('/')[2].partition('?')[0]} OWNER TO {user}")
        yield url_as(url, user)
        execute(url, f"REASSIGN OWNED BY {user} TO postgres")


async def test_who_may_make_roles_becomes_their_member_and_can_go_back(
    postgres: str, migrated_template: str, without_roles: None
) -> None:
    del migrated_template, without_roles
    with owned_by(postgres, "maker", "CREATEROLE") as url:
        upgrade(url)
        assert rights(url) == ("maker", True, True)
        assert await as_app(url, 1.0) == with_role(url, APP)
        with pytest.raises(errors.InsufficientPrivilege):
            execute(with_role(url, APP), "DELETE FROM events")
        there = f"SELECT count(*) FROM pg_roles WHERE rolname IN {ROLES}"
        assert execute_as(url, "maker", there) == [(4,)]
        downgrade(url, "0009")
        assert execute_as(url, "maker", there) == [(0,)]
        assert rights(url) == ("maker", True, False)
        upgrade(url)
        assert current(url) == head()
        downgrade(url, "base")


async def test_who_may_not_make_roles_migrates_all_the_same(
    postgres: str, migrated_template: str, without_roles: None
) -> None:
    del migrated_template, without_roles
    with owned_by(postgres, "modest", "NOCREATEROLE") as url:
        upgrade(url)
        assert current(url) == head()
        assert rights(url) == ("modest", True, False)
        assert await as_app(url, 1.0) == url
        assert execute_as(url, "modest", "SELECT secure_database()") == [(False,)]
        async with PostgresEventStore(url) as store:
            assert await store.position() == 0
        with pytest.raises(errors.RaiseException):
            execute(url, "TRUNCATE events")
        for role in ROLES:  # somebody else makes them later
            execute(postgres, f"CREATE ROLE {role} NOLOGIN")
        execute(postgres, "GRANT orderlog_app TO modest")
        assert execute_as(url, "modest", "SELECT secure_database()") == [(True,)]
        assert await as_app(url, 1.0) == with_role(url, APP)
        execute(postgres, "GRANT orderlog_owner TO modest")
        execute_as(postgres.replace("/orderlog?", f"/{url.rpartition('/')[2].partition('?')[0]}?"), "postgres", "SELECT secure_database()")  # fmt: skip
        downgrade(url, "base")


def test_roles_that_another_database_needs_stay(postgres: str, migrated_template: str, empty_database_url: str) -> None:
    assert migrated_template
    upgrade(empty_database_url)
    downgrade(empty_database_url, "0009")
    found = execute_as(postgres, "postgres", f"SELECT count(*) FROM pg_roles WHERE rolname IN {ROLES}")
    assert found == [(4,)]
