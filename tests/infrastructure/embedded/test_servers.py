import contextlib
import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import psycopg
import pytest
import redis

from infrastructure.embedded import servers
from infrastructure.embedded.guard import Reply, Request
from infrastructure.embedded.home import open_home
from infrastructure.embedded.paper_venue import PaperVenue
from infrastructure.embedded.postgres import Postgres
from infrastructure.embedded.server import Server
from infrastructure.embedded.servers import Addresses, EmbeddedServerError, embedded_servers, wanted_servers
from infrastructure.embedded.tether import tethered
from infrastructure.embedded.valkey import Valkey
from infrastructure.settings import load_settings
from tests.infrastructure.embedded.conftest import USER, User
from tests.infrastructure.embedded.traces import eventually, guard_of, postmaster_of, processes, traces

StartUser = Callable[..., User]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def stand_in(behaviour: str) -> PaperVenue:
    return PaperVenue(program=(sys.executable, str(Path(__file__).with_name("stand_in.py")), behaviour))


def query(database_url: str | None, statement: str) -> object:
    assert database_url
    with psycopg.connect(database_url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return (cursor.fetchone() or [None])[0] if cursor.description else None


def answers(database_url: str | None) -> bool:
    with contextlib.suppress(psycopg.OperationalError):
        return query(database_url, "SELECT 1") == 1
    return False


def connected(home: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(open_home(home).guard_socket))
    connection.settimeout(15)
    return connection


def unread_bytes(connection: socket.socket) -> int:
    """Return how much of what we have sent the other side has not received yet."""
    return int.from_bytes(fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)), sys.byteorder)


def has_open(process: int, path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return any(descriptor.readlink() == path for descriptor in Path(f"/proc/{process}/fd").iterdir())
    return False


def request(*wanted: Server) -> bytes:
    return msgspec.json.encode(Request(wanted)) + b"\n"


def test_the_servers_run_for_the_length_of_the_block_and_leave_nothing_but_their_data(fresh_home: Path) -> None:
    home = fresh_home
    with embedded_servers(home, [stand_in("serve"), Valkey(), Postgres()]) as addresses:
        query(addresses.database_url, "CREATE TABLE kept AS SELECT 7 AS number")
        assert (
            query(addresses.database_url, "SELECT current_database() || ' fsync ' || current_setting('fsync')")
            == "orderlog fsync on"
        )
        assert redis.Redis.from_url(str(addresses.redis_url)).ping()
        assert (home / "venue/journal.jsonl").read_text() == "started on 0\n"
        socket.create_connection(("127.0.0.1", urlsplit(str(addresses.venue_url)).port or 0)).close()
        assert {path.name for path in (home / "run").iterdir()} >= {"guard.sock", "valkey.sock", ".s.PGSQL.5432"}
    assert traces(home) == []
    with embedded_servers(home, [Postgres()]) as addresses:
        assert query(addresses.database_url, "SELECT number FROM kept") == 7
        assert addresses.redis_url is None
        assert addresses.venue_url is None
    assert traces(home) == []
    assert (home / "postgres/server.log.1").exists()


def test_without_a_wanted_server_nothing_happens(home: Path) -> None:
    with embedded_servers(home / "never", []) as addresses:
        assert addresses == Addresses()
    assert not (home / "never").exists()


def test_fsync_can_be_switched_off_for_tests(home: Path) -> None:
    with embedded_servers(home, [Postgres(fsync=False)]) as addresses:
        assert query(addresses.database_url, "SELECT current_setting('fsync')") == "off"


def test_servers_are_embedded_when_their_address_is_not_set() -> None:
    remote = {
        "DATABASE_URL": "postgresql://h/d",
        "REDIS_URL": "none",
        "ORDERLOG_EXCHANGE": "alpaca",
        "ALPACA_BASE_URL": "http://h",
    }
    remote |= {"APCA_API_KEY_ID": "k", "APCA_API_SECRET_KEY": "s"}
    assert wanted_servers(load_settings({})) == (PaperVenue(), Valkey(), Postgres())
    assert wanted_servers(load_settings(remote)) == ()


def test_the_engine_s_own_paper_venue_runs_like_the_others(home: Path) -> None:
    with embedded_servers(home, wanted_servers(load_settings({}))) as addresses:
        with socket.create_connection(("127.0.0.1", urlsplit(str(addresses.venue_url)).port or 0)) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: venue\r\nConnection: close\r\n\r\n")
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
        assert addresses.database_url
        assert addresses.redis_url
    assert traces(home) == []


def test_processes_of_one_home_share_its_servers_until_the_last_has_left(home: Path, start_user: StartUser) -> None:
    first, second = start_user("postgres"), start_user("postgres", "valkey")
    addresses = second.addresses()
    assert first.addresses().database_url == addresses.database_url
    postmaster = postmaster_of(home)
    first.leave()
    assert query(addresses.database_url, "SELECT 1") == 1
    assert postmaster_of(home) == postmaster
    second.leave()
    assert traces(home) == []


def test_newcomers_at_the_same_time_start_one_guard(home: Path, start_user: StartUser) -> None:
    users = [start_user("valkey") for _ in range(4)]
    assert len({user.addresses() for user in users}) == 1
    assert sum("embedded.guard" in command for command in processes(home).values()) == 1
    for user in users:
        user.end_with(signal.SIGKILL)
    assert eventually(lambda: not traces(home))


def test_a_newcomer_finds_servers_also_while_the_last_user_is_leaving(home: Path, start_user: StartUser) -> None:
    for _ in range(2):
        with embedded_servers(home, [Valkey()]):
            newcomer = start_user("valkey")
        assert redis.Redis.from_url(str(newcomer.addresses().redis_url)).ping()
        newcomer.end_with(signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_the_only_user_ends_nothing_is_left(home: Path, start_user: StartUser, number: signal.Signals) -> None:
    user = start_user("postgres", "valkey")
    user.addresses()
    assert len(processes(home)) > 3
    user.end_with(number)
    assert eventually(lambda: not traces(home))


def test_ctrl_c_returns_only_after_everything_has_stopped(home: Path, start_user: StartUser) -> None:
    user = start_user("postgres", "valkey")
    user.addresses()
    user.end_with(signal.SIGINT)
    assert user.process.returncode == 130
    assert traces(home) == []


def test_the_servers_end_with_a_killed_guard_and_the_next_start_recovers(home: Path) -> None:
    with embedded_servers(home, [Postgres(), Valkey(), stand_in("serve")]) as addresses:
        query(addresses.database_url, "CREATE TABLE kept_from_guard ()")
        os.kill(guard_of(home), signal.SIGKILL)
        assert eventually(lambda: not processes(home))
        with embedded_servers(home, [Postgres(), Valkey()]) as again:
            assert query(again.database_url, "SELECT count(*) FROM kept_from_guard") == 0
    assert traces(home) == []


def test_a_start_recovers_from_a_kill_of_everything(home: Path) -> None:
    with embedded_servers(home, [Postgres(), Valkey()]) as addresses:
        query(addresses.database_url, "CREATE TABLE kept ()")
        for process in [guard_of(home), *processes(home)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        assert eventually(lambda: not processes(home))
        assert (home / "postgres/data/postmaster.pid").exists()
    with embedded_servers(home, [Postgres(), Valkey()]) as addresses:
        assert query(addresses.database_url, "SELECT count(*) FROM kept") == 0
    assert traces(home) == []


def test_a_server_that_outlived_its_guard_is_stopped_first(home: Path) -> None:
    with embedded_servers(home, [Postgres()]):
        command = Postgres().command(open_home(home), None)
    open_home(home).make_sockets()
    with (home / "orphan.log").open("wb") as log:
        orphan = subprocess.Popen(command, stdout=log, stderr=log)
    assert eventually(lambda: Postgres().address(open_home(home), orphan.pid, "") is not None)
    with embedded_servers(home, [Postgres()]) as addresses:
        assert orphan.wait(10) == 0
        assert postmaster_of(home) != orphan.pid
        assert query(addresses.database_url, "SELECT 1") == 1
    assert traces(home) == []


def test_a_server_that_dies_is_started_again_at_the_same_address(home: Path) -> None:
    with embedded_servers(home, [stand_in("serve"), Postgres()]) as addresses:
        postmaster = postmaster_of(home)
        venue = next(process for process, command in processes(home).items() if "stand_in" in command)
        for process in (postmaster, venue):
            os.kill(process, signal.SIGKILL)
        assert eventually(lambda: answers(addresses.database_url))
        assert postmaster_of(home) != postmaster
        port = urlsplit(str(addresses.venue_url)).port
        assert eventually(lambda: (home / "venue/journal.jsonl").read_text() == f"started on 0\nstarted on {port}\n")
        with embedded_servers(home, [stand_in("serve")]) as later:
            assert later.venue_url == addresses.venue_url
    assert traces(home) == []


def test_a_server_that_does_not_start_says_why_and_may_be_tried_again(home: Path) -> None:
    with embedded_servers(home, [Valkey()]):
        with (
            pytest.raises(
                EmbeddedServerError,
                match=r"(?s)embedded venue did not start: it exited with status 1\..*server.log:\nno luck today",
            ),
            embedded_servers(home, [stand_in("fail"), Valkey()]),
        ):
            pytest.fail("the block must not be entered")
        with embedded_servers(home, [stand_in("serve")]) as addresses:
            assert addresses.venue_url
    assert traces(home) == []


def test_a_guard_that_cannot_run_is_an_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with (
        pytest.raises(EmbeddedServerError, match=r"guards the embedded servers ended.*guard.log is empty"),
        embedded_servers(home, [Valkey()]),
    ):
        pytest.fail("the block must not be entered")


def test_a_guard_that_does_not_answer_is_an_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with embedded_servers(home, [Valkey()]):
        guard = guard_of(home)
        os.kill(guard, signal.SIGSTOP)
        monkeypatch.setattr(servers, "_REPLY_SECONDS_MAX", 0.1)
        monkeypatch.setattr(servers, "_FAREWELL_SECONDS_MAX", 0.1)
        with (
            pytest.raises(EmbeddedServerError, match="did not answer within 0 seconds"),
            embedded_servers(home, [Valkey()]),
        ):
            pytest.fail("the block must not be entered")
        monkeypatch.undo()
        os.kill(guard, signal.SIGCONT)
    # The guard may hear of our end before that of the user it kept waiting, who then counts as another one.
    assert eventually(lambda: not traces(home))


def test_a_terminated_guard_stops_its_servers_under_their_users(home: Path) -> None:
    with embedded_servers(home, [Postgres()]):
        os.kill(guard_of(home), signal.SIGTERM)
        assert eventually(lambda: not traces(home))


def test_a_user_that_dies_before_its_answer_does_not_disturb_the_others(home: Path) -> None:
    with embedded_servers(home, [Valkey()]) as addresses:
        whole = request(stand_in("silent"))
        with connected(home) as dying:
            for part in (whole[:10], whole[10:]):
                dying.sendall(part)
                assert eventually(lambda: unread_bytes(dying) == 0)
        with connected(home) as dying:
            dying.sendall(request(Valkey()))
            select.select([dying], [], [], 15)  # the answer has come and is never read
        assert redis.Redis.from_url(str(addresses.redis_url)).ping()
    assert traces(home) == []


def test_a_user_of_another_version_is_told_so(home: Path) -> None:
    with embedded_servers(home, [Valkey()]), connected(home) as other:
        other.sendall(b'{"wanted": [{"type": "Oracle"}]}\n')
        reply = msgspec.json.decode(other.recv(4096), type=Reply)
        assert "another version" in str(reply.error)


def test_a_newcomer_before_the_decision_to_stop_keeps_the_servers_running(home: Path, start_user: StartUser) -> None:
    first = start_user("valkey")
    first.addresses()
    leaver, guard = connected(home), guard_of(home)
    first.end_with(signal.SIGKILL)
    with leaver, open_home(home).changing():
        leaver.shutdown(socket.SHUT_WR)
        assert eventually(
            lambda: has_open(guard, home)
        )  # it has seen the end of its last user, and waits for the lock to decide
        newcomer = connected(home)
        newcomer.sendall(request(Valkey()))
    with newcomer:
        assert msgspec.json.decode(newcomer.recv(4096), type=Reply).addresses.keys() == {"valkey"}
    assert eventually(lambda: not traces(home))


@pytest.mark.parametrize(("name", "server"), [("deep" * 30, Valkey()), ("comma,comma", Postgres())])
def test_a_home_whose_sockets_would_not_fit_has_them_in_a_temporary_directory(
    fresh_home: Path, name: str, server: Server
) -> None:
    long_home = fresh_home / name
    sockets = open_home(long_home).sockets
    assert not sockets.is_relative_to(fresh_home)
    with embedded_servers(long_home, [server]) as addresses:
        assert sockets.stat().st_mode & 0o777 == 0o700
        if addresses.database_url:
            assert query(addresses.database_url, "SELECT 1") == 1
        else:
            assert redis.Redis.from_url(str(addresses.redis_url)).ping()
    assert traces(long_home) == []
    assert not sockets.exists()


@needs_root
@pytest.mark.parametrize("identity", ["65534", "4321"])
def test_it_all_works_for_somebody_who_is_not_root_even_without_a_name(
    fresh_home: Path, start_user: StartUser, identity: str
) -> None:
    os.chown(fresh_home, int(identity), int(identity))
    user = start_user("postgres", "valkey", home=fresh_home, command=tuple(tethered(USER, identity=identity)))
    assert query(user.addresses().database_url, "SELECT 1") == 1
    user.leave()
    assert traces(fresh_home) == []
