"""What has to hold whichever API process a request reaches: keys, tickets, quotas. And that no token is written anywhere."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import jwt
import pytest
import redis
from httpx2 import AsyncClient, Response
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from api.listening import listen
from infrastructure.clock import SystemClock
from tests.api.clients import SECRET, token_of
from tests.api.conftest import list_instruments
from tests.conftest import fresh_database
from tests.plain_http import PLAIN

PATIENCE_SECONDS = 90
"""A process that starts on a busy machine takes its time, and whoever asks it first waits for it."""

ORDER = {"symbol": "AAPL", "quantity": "1", "order_type": "LIMIT", "price": "100"}

# An API process that ends, as by a power cut, when it is about to answer an order that it has recorded.
_DIES_BEFORE_IT_ANSWERS = """
import os, signal, sys
from api import __main__, commands
commands.order_answer = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
__main__.main(int(sys.argv[1]))
"""


@dataclass(slots=True)
class Processes:
    """API processes on one database and one Redis."""

    variables: Mapping[str, str]
    logs: Path
    urls: list[str] = field(default_factory=list)

    @contextmanager
    def started(self, *command: str, **settings: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
        """One more process, and where it listens."""
        with listen("127.0.0.1", 0) as listening, (self.logs / f"{len(self.urls)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *(command or ("-m", "api")), str(listening.fileno())],
                env=os.environ | self.variables | settings,
                pass_fds=[listening.fileno()],
                stdout=log,
                stderr=log,
            )
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self.urls.append(url)
        try:
            yield process, url
        finally:
            self.urls.remove(url)
            process.terminate()
            process.wait(PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def processes(
    postgres: str, migrated_template: str, valkey: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Processes]:
    """Two of them, and nothing else."""
    with redis.Redis.from_url(valkey) as client:
        client.flushall()
    home = tmp_path_factory.mktemp("processes")
    (home / "logs").mkdir()
    with fresh_database(postgres, template=migrated_template) as database_url, ExitStack() as stack:
        asyncio.run(list_instruments(database_url))
        variables = {
            "DATABASE_URL": database_url,
            "REDIS_URL": valkey,
            "ORDERLOG_HOME": str(home),
            "ORDERLOG_JWT_SECRET": SECRET,
        }
        processes = Processes(variables, home / "logs")
        for _ in range(2):
            stack.enter_context(processes.started())
        for trader in ("alice", "bob", "carol"):
            post(processes.urls[0], f"/api/v1/accounts/{trader}/deposits", "olga", {"amount": "100000"}, roles=("ops",))
        yield processes


def post(url: str, path: str, trader: str, body: Any, roles: tuple[str, ...] = ("trader",), **headers: str) -> Response:
    headers = {"Authorization": f"Bearer {token_of(trader, roles)}", **headers}
    return httpx2.post(url + path, json=body, headers=headers, **PLAIN, timeout=PATIENCE_SECONDS)


async def at_once(urls: list[str], count: int, path: str, token: str, *, body: Any, key: str) -> list[Response]:
    """The same request so many times, to each process in turn."""
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    async with AsyncClient(**PLAIN, timeout=PATIENCE_SECONDS, headers=headers) as client:
        asked = [client.post(urls[number % len(urls)] + path, json=body) for number in range(count)]
        return list(await asyncio.gather(*asked))


def orders_of(url: str, trader: str) -> list[Any]:
    """Their ids, from the log."""
    headers = {"Authorization": f"Bearer {token_of('auditor', ('auditor',))}", "Accept": "application/x-ndjson"}
    query = f"/api/v1/events?trader_id={trader}&type=OrderPlaced"
    lines = httpx2.get(url + query, headers=headers, **PLAIN, timeout=PATIENCE_SECONDS).text.splitlines()
    return [json.loads(line)["data"]["order_id"] for line in lines]


# ── Idempotency ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_hundred_identical_requests_to_two_processes_are_one_order_and_one_answer(processes: Processes) -> None:
    answers = asyncio.run(at_once(processes.urls, 100, "/api/v1/orders", token_of("alice"), body=ORDER, key="once"))
    replayed = [answer for answer in answers if answer.headers.get("idempotent-replayed") == "true"]
    assert sorted(answer.status_code for answer in answers) == [200] * 99 + [201]
    assert len(replayed) == 99
    assert len({answer.content for answer in answers}) == 1
    assert len({(answer.headers["etag"], answer.headers["location"]) for answer in answers}) == 1
    assert orders_of(processes.urls[0], "alice") == [answers[0].json()["id"]]


def test_the_same_key_is_another_trader_s_own_and_no_other_order_s(processes: Processes) -> None:
    one, other = processes.urls
    mine = post(one, "/api/v1/orders", "alice", ORDER, **{"Idempotency-Key": "shared"})
    theirs = post(other, "/api/v1/orders", "bob", ORDER | {"quantity": "2"}, **{"Idempotency-Key": "shared"})
    assert (mine.status_code, theirs.status_code) == (201, 201)
    for url in processes.urls:
        response = post(url, "/api/v1/orders", "alice", ORDER | {"quantity": "2"}, **{"Idempotency-Key": "shared"})
        assert (response.status_code, response.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
        assert theirs.json()["id"] not in response.text


def test_an_order_whose_process_died_before_it_answered_is_replayed_and_not_placed_again(processes: Processes) -> None:
    one, other = processes.urls
    with processes.started("-c", _DIES_BEFORE_IT_ANSWERS) as (process, url):
        with pytest.raises(httpx2.TransportError):
            post(url, "/api/v1/orders", "carol", ORDER, **{"Idempotency-Key": "lost"})
        assert process.wait(PATIENCE_SECONDS) == -signal.SIGKILL
    again = [post(each, "/api/v1/orders", "carol", ORDER, **{"Idempotency-Key": "lost"}) for each in (one, other)]
    assert [(answer.status_code, answer.headers["idempotent-replayed"]) for answer in again] == [(200, "true")] * 2
    assert again[0].content == again[1].content
    assert (again[0].json()["status"], again[0].json()["version"]) == ("PENDING", 1)
    assert orders_of(one, "carol") == [again[0].json()["id"]]


def test_cash_moves_once_however_often_and_wherever_it_is_asked_for(processes: Processes) -> None:
    ops = token_of("olga", ("ops",))
    for path, amount, cash in (("deposits", "100.00", "100.00"), ("withdrawals", "30.00", "70.00")):
        path = f"/api/v1/accounts/dora/{path}"  # noqa: PLW2901 - the whole of it
        answers = asyncio.run(at_once(processes.urls, 20, path, ops, body={"amount": amount}, key=path[-9:]))
        assert {answer.status_code for answer in answers} == {200}
        assert sorted("idempotent-replayed" in answer.headers for answer in answers) == [False] + [True] * 19
        assert {answer.json()["cash"] for answer in answers} == {cash}
        other = post(processes.urls[1], path, "olga", {"amount": "1.00"}, ("ops",), **{"Idempotency-Key": path[-9:]})
        assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


# ── Tickets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_ticket_of_one_process_opens_one_stream_at_another_once(processes: Processes) -> None:
    one, other = processes.urls
    post(one, "/api/v1/orders", "alice", ORDER).raise_for_status()
    ticket = post(one, "/api/v1/stream-tickets", "alice", None).json()["ticket"]
    with connect(f"{other.replace('http', 'ws')}/ws/orders/events?ticket={ticket}&after=0", proxy=None) as socket:
        assert json.loads(socket.recv(timeout=10))["event"] == "order.submitted"
    for url in (one, other):
        response = httpx2.get(f"{url}/api/v1/orders/stream?ticket={ticket}", **PLAIN)
        assert (response.status_code, response.json()["code"]) == (401, "UNAUTHENTICATED")


# ── Quotas ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_trader_s_quota_holds_over_all_processes(processes: Processes) -> None:
    few = {"ORDERLOG_TRADER_REQUESTS_PER_SECOND": "4"}
    with processes.started(**few) as (_, one), processes.started(**few) as (_, other):
        for url in (one, other):
            httpx2.get(f"{url}/readyz", **PLAIN, timeout=PATIENCE_SECONDS)

        async def ask() -> list[int]:
            headers = {"Authorization": f"Bearer {token_of('greedy')}"}
            async with AsyncClient(**PLAIN, timeout=PATIENCE_SECONDS, headers=headers) as client:
                asked = [client.get(f"{(one, other)[number % 2]}/api/v1/features") for number in range(200)]
                began = asyncio.get_running_loop().time()
                statuses = [answer.status_code for answer in await asyncio.gather(*asked)]
                # What comes back meanwhile passes, too.
                allowed = 20 + 4 * (asyncio.get_running_loop().time() - began + 1)
                assert statuses.count(200) <= allowed
                return statuses

        statuses = asyncio.run(ask())
        assert set(statuses) == {200, 429}
        assert statuses.count(200) >= 20


# ── Injection ────────────────────────────────────────────────────────────────────────────────────────────────────────

STATEMENTS = ("'; DROP TABLE orders; --", "x' OR '1'='1", "%s", "%(limit)s", "{0}", "$1", "\\'; SELECT pg_sleep(9); --")


def test_whatever_a_client_writes_is_a_value_and_never_a_statement(processes: Processes) -> None:
    url = processes.urls[0]
    auditor = {"Authorization": f"Bearer {token_of('eve', ('auditor', 'trader', 'ops'))}"}
    with httpx2.Client(base_url=url, headers=auditor, **PLAIN, timeout=PATIENCE_SECONDS) as client:
        before = client.get("/api/v1/events?limit=1").json()["events"]
        for text in STATEMENTS:
            for path, names in (
                ("/api/v1/orders", ("symbol", "status", "cursor")),
                ("/api/v1/events", ("type", "trader_id", "order_id", "until")),
                ("/api/v1/execution-log", ("order_id", "after")),
                ("/api/v1/account/statement", ("trader_id", "cursor", "from")),
            ):
                for name in names:
                    assert client.get(path, params={name: text}).status_code in {200, 400, 404}, (path, name, text)
            for path in (f"/api/v1/orders/{quote(text, safe='')}", f"/api/v1/accounts/{quote(text, safe='')}/limits"):
                assert client.get(path).status_code == 404
            key = {"Idempotency-Key": text}
            assert client.post("/api/v1/orders", json=ORDER, headers=key).status_code == 400  # eve has no money
            assert client.post("/api/v1/halts", json={"scope": "trader:nobody", "reason": text}).status_code == 201
            (halt,) = [each for each in client.get("/api/v1/halts").json()["halts"] if each["scope"] == "trader:nobody"]
            assert halt["reason"] == text
            client.delete("/api/v1/halts/trader:nobody")
        assert client.get("/api/v1/events?limit=1").json()["events"] == before


def test_whatever_a_client_writes_ends_no_header_and_no_line_of_the_log(processes: Processes) -> None:
    ends = "\r\nSet-Cookie: a=b\r\n\r\n"
    with (
        processes.started() as (process, url),
        httpx2.Client(base_url=url, **PLAIN, timeout=PATIENCE_SECONDS) as client,
    ):
        log = processes.logs / f"{len(processes.urls) - 1}.log"
        client.headers["Authorization"] = f"Bearer {token_of('alice')}"
        answers = [
            client.get(f"/api/v1/orders/{quote(ends)}"),
            client.get(f'/{quote(ends)}{{"level":"forged"}}'),
            client.get("/api/v1/orders", params={"symbol": ends, "cursor": ends}),
            client.post("/api/v1/orders", json=ORDER | {"client_order_id": ends, "symbol": ends}),
            client.post("/api/v1/metrics", json={"events": [{"name": ends, "category": ends, "at": ends}]}),
        ]
        for name in ("X-Request-Id", "X-Correlation-Id", "Idempotency-Key", "traceparent", "If-Match", "Last-Event-ID"):
            answers += [
                client.get("/api/v1/features", headers=[(name.encode(), value.encode())])
                for value in ("a\u2028b", "a\x85b", "a\tb", '{"level": "forged"}', "é" * 50)
            ]
        process.terminate()
        process.wait(PATIENCE_SECONDS)
    for answer in answers:
        assert "set-cookie" not in answer.headers
        assert "forged" not in str(answer.headers)
    lines = log.read_text().split("\n")
    assert lines.pop() == ""
    assert len(lines) >= len(answers)
    for line in lines:
        assert json.loads(line)["level"] != "forged"


# ── Secrets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_token_is_in_any_log_or_file(processes: Processes) -> None:
    secret = "s3cr3t-in-the-token"
    expires_at = SystemClock().now().timestamp() + 600
    good = jwt.encode({"sub": "alice", "exp": expires_at, "n": secret}, SECRET, algorithm="HS256")
    forged = jwt.encode({"sub": "alice", "exp": expires_at}, SECRET + "x", algorithm="HS256")
    expired = jwt.encode({"sub": "alice", "exp": 1_000_000_000}, SECRET, algorithm="HS256")
    with (
        processes.started() as (process, url),
        httpx2.Client(base_url=url, **PLAIN, timeout=PATIENCE_SECONDS) as client,
    ):
        ticket = client.post("/api/v1/stream-tickets", headers={"Authorization": f"Bearer {good}"}).json()["ticket"]
        secrets = [*good.split("."), forged.split(".")[2], expired.split(".")[2], ticket.split(".")[0], SECRET]
        for token in (good, forged, expired):
            headers = {"Authorization": f"Bearer {token}", "X-Request-Id": token, "X-Correlation-Id": token}
            client.post("/api/v1/orders", json=ORDER, headers=headers)
            client.post("/api/v1/orders", json=ORDER, headers={"Authorization": token})
            client.post("/api/v1/orders", content=b"{", headers=headers)
            client.get(f"/api/v1/account?token={token}", headers=headers)
            client.get(f"/nowhere?token={token}&access_token={token}")
            client.get(f"/?TOKEN={token}")
            for query in (
                f"token={token}&after=x",
                f"token={token}&ticket=",
                f"after=0&Token={token}",
                f"ticket={token}",
            ):
                with client.stream("GET", f"/api/v1/orders/stream?{query}"):
                    pass
            for query in (f"token={token}", f"ticket={token}", f"token={token}&after=-1", f"%74oken={token}"):
                with connect(f"{url.replace('http', 'ws')}/ws/orders/events?{query}", proxy=None) as socket:
                    with_messages(socket)
        with connect(f"{url.replace('http', 'ws')}/ws/orders/events?ticket={ticket}", proxy=None):
            pass
        # What is no HTTP, what is no WebSocket, and what breaks off.
        client.get(f"/ws/orders/events?token={good}")
        client.get(f"/ws/orders/events?token={good}", headers={"Upgrade": "websocket", "Connection": "upgrade"})
        process.terminate()
        process.wait(PATIENCE_SECONDS)
    written = [file for file in processes.logs.parent.rglob("*") if file.is_file()]
    assert any(file.stat().st_size for file in written)
    for file in written:
        text = file.read_text(errors="replace")
        assert [each for each in secrets if len(each) > 8 and each in text and file.name != "jwt-secret"] == [], file


def with_messages(socket: Any) -> None:
    """Take what comes first, be it the end."""
    with suppress(TimeoutError, ConnectionClosed):
        socket.recv(timeout=0.2)
