"""Connections are bounded in time, and opened again when they break."""

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow

from infrastructure.postgres.connecting import Session, conninfo, longer


@pytest.fixture
def session(postgres: str) -> Iterator[Session]:
    session = Session(postgres, 5.0)
    yield session
    session.close()


def process(connection: Connection[TupleRow]) -> int:
    return connection.info.backend_pid


def test_a_url_gets_the_timeouts_that_it_does_not_have() -> None:
    parameters = conninfo_to_dict(conninfo("postgresql://u@h/d?connect_timeout=77&application_name=mine"))
    assert (parameters["connect_timeout"], parameters["application_name"]) == ("77", "mine")
    assert (parameters["tcp_user_timeout"], parameters["keepalives_idle"]) == ("10000", "5")
    assert (parameters["user"], parameters["host"], parameters["dbname"]) == ("u", "h", "d")


def test_settings_of_the_server_come_before_those_of_the_url() -> None:
    assert "options" not in conninfo_to_dict(conninfo("postgresql://h/d"))
    assert conninfo_to_dict(conninfo("postgresql://h/d", "-c a=b"))["options"] == "-c a=b"
    url = "postgresql://h/d?options=-c%20a%3Dc"
    assert conninfo_to_dict(conninfo(url, "-c a=b"))["options"] == "-c a=b -c a=c"


def test_a_pooler_is_given_no_settings(postgres: str) -> None:
    for pooled, work_mem in ((False, "77MB"), (True, "4MB")):
        session = Session(postgres, 5.0, "-c work_mem=77MB", pooled=pooled)
        assert session.run(lambda connection: connection.execute("SHOW work_mem").fetchone()) == (work_mem,)
        session.close()


def test_pauses_grow_up_to_half_a_second() -> None:
    pauses = [0.0]
    while pauses[-1] < 0.5:
        pauses.append(longer(pauses[-1]))
    assert pauses == sorted(pauses)
    assert longer(pauses[-1]) == 0.5


def test_one_connection_serves_as_long_as_it_works(session: Session) -> None:
    assert session.run(process) == session.run(process)


def test_work_begins_anew_when_the_connection_is_lost(session: Session, postgres: str) -> None:
    processes = []

    def work(connection: Connection[TupleRow]) -> int:
        processes.append(process(connection))
        if len(processes) == 1:
            with psycopg.connect(postgres, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (processes[0],))
        connection.execute("SELECT 1")
        return processes[-1]

    assert session.run(work) == processes[1]
    assert len(set(processes)) == 2


def test_work_that_fails_by_itself_is_not_repeated(session: Session) -> None:
    first = session.run(process)
    with pytest.raises(psycopg.errors.UndefinedTable):
        session.run(lambda connection: connection.execute("SELECT * FROM no_such_table"))
    assert session.run(process) != first


def test_patience_ends(tmp_path: object) -> None:
    session = Session(f"postgresql://nobody@/nothing?host={tmp_path}", 0.1)
    started = time.monotonic()
    with pytest.raises(psycopg.OperationalError):
        session.run(process)
    assert time.monotonic() - started >= 0.1
    session.interrupt()
    session.close()


def test_work_that_waits_can_be_interrupted_from_outside(session: Session) -> None:
    slept: list[int] = []

    def work(connection: Connection[TupleRow]) -> str:
        if not slept:
            slept.append(1)
            threading.Timer(0.1, session.interrupt).start()
            connection.execute("SELECT pg_sleep(60)")
        return "again"

    assert session.run(work) == "again"


def test_an_interrupt_between_works_costs_nothing(session: Session) -> None:
    session.run(process)
    session.close()
    session.interrupt()
    assert session.run(process)
