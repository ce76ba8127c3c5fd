import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from cli.exits import CommandError
from cli.replay import session as sessions
from cli.replay.session import Session
from cli.replay.tally import Tally
from tests.cli.stand_in import Scripted, stand_in

TOKENS = {"load-1": "a token"}
PLACED = Scripted(201, {"id": "o-1"})
Handler = Callable[[ServerConnection], Awaitable[None]]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "_PAUSE_SECONDS", 0.01)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "PATIENCE_SECONDS", -1.0)


async def test_an_answer_says_how_long_it_took() -> None:
    with stand_in(PLACED) as url:
        async with Session(url, TOKENS, Tally()) as session:
            answer = await session.post("load-1", "/api/v1/orders", {"symbol": "AAPL"}, key="once")
    assert (answer.data, answer.problem, session.retries) == ({"id": "o-1"}, None, 0)
    assert 0 < answer.seconds < answer.at


async def test_a_refused_query_is_an_error() -> None:
    with stand_in(Scripted(403, {"code": "FORBIDDEN", "detail": "No"})) as url:
        async with Session(url, TOKENS, Tally()) as session:
            with pytest.raises(CommandError, match=r"No \(FORBIDDEN\)"):
                await session.get("load-1", "/api/v1/orders")


async def test_a_refused_command_is_an_answer() -> None:
    with stand_in(Scripted(400, {"code": "INVALID_PRICE", "detail": "No"})) as url:
        async with Session(url, TOKENS, Tally()) as session:
            answer = await session.post("load-1", "/api/v1/orders")
    assert answer.problem is not None
    assert (answer.problem.code, answer.data) == ("INVALID_PRICE", None)


async def test_an_engine_that_hangs_up_or_asks_to_wait_is_asked_again() -> None:
    busy = Scripted(503, {"code": "BUSY", "detail": "Wait"}, {"Retry-After": "0"})
    with stand_in(Scripted(0), busy, PLACED) as url:
        async with Session(url, TOKENS, Tally()) as session:
            answer = await session.post("load-1", "/api/v1/orders")
    assert (answer.data, session.retries) == ({"id": "o-1"}, 2)


@pytest.mark.usefixtures("impatient")
async def test_an_engine_that_asks_to_wait_for_too_long_has_refused() -> None:
    with stand_in(Scripted(503, {"code": "BUSY", "detail": "Wait"}, {"Retry-After": "0"})) as url:
        async with Session(url, TOKENS, Tally()) as session:
            answer = await session.post("load-1", "/api/v1/orders")
    assert answer.problem is not None
    assert answer.problem.code == "BUSY"


@pytest.mark.usefixtures("impatient")
async def test_an_engine_that_is_away_for_too_long_is_an_error() -> None:
    async with Session("http://127.0.0.1:1", TOKENS, Tally()) as session:
        with pytest.raises(CommandError, match="does not answer"):
            await session.post("load-1", "/api/v1/orders")


@asynccontextmanager
async def engine_with_streams(handler: Handler) -> AsyncIterator[str]:
    """Answers queries with position 7, and streams as the handler does."""

    async def query(connection: ServerConnection, request: Request) -> Response | None:
        if request.path.startswith("/api/"):
            return connection.respond(200, json.dumps({"position": 7}))
        return None

    async with serve(handler, "127.0.0.1", 0, process_request=query) as server:
        yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


def asked(stream: ServerConnection) -> dict[str, list[str]]:
    assert stream.request is not None
    return parse_qs(urlsplit(stream.request.path).query)


async def test_a_stream_begins_where_the_trader_stands_and_goes_on_behind_what_was_heard() -> None:
    begun: list[dict[str, list[str]]] = []

    async def tell(stream: ServerConnection) -> None:
        begun.append(asked(stream))
        position = 8 if len(begun) == 1 else 9
        status = "ACCEPTED" if len(begun) == 1 else "FILLED"
        await stream.send(json.dumps({"order_id": "o-1", "status": status, "position": position}))
        if len(begun) == 1:
            await stream.close(4408, "too slow")
        await stream.wait_closed()

    tally = Tally()
    async with engine_with_streams(tell) as url, Session(url, TOKENS, tally) as session:
        await session.watch("load-1")
        assert await tally.until(lambda: tally.is_over("o-1"), 5)
        session.check_streams()
    assert begun == [{"token": ["a token"], "after": ["7"]}, {"token": ["a token"], "after": ["8"]}]


async def test_a_stream_that_ends_in_good_order_is_taken_up_again() -> None:
    begun: list[str] = []

    async def tell(stream: ServerConnection) -> None:
        begun.append(asked(stream)["after"][0])
        if len(begun) > 1:
            await stream.send(json.dumps({"order_id": "o-1", "status": "FILLED", "position": 8}))
            await stream.wait_closed()

    tally = Tally()
    async with engine_with_streams(tell) as url, Session(url, TOKENS, tally) as session:
        await session.watch("load-1")
        assert await tally.until(lambda: tally.is_over("o-1"), 5)
    assert begun == ["7", "7"]


async def ended(session: Session) -> None:
    await asyncio.wait(session._watchers, timeout=5)


async def test_a_stream_that_does_not_take_our_token_is_an_error() -> None:
    async def refuse(stream: ServerConnection) -> None:
        await stream.close(4401, "bad token")

    async with engine_with_streams(refuse) as url, Session(url, TOKENS, Tally()) as session:
        await session.watch("load-1")
        await ended(session)
        with pytest.raises(CommandError, match="does not accept our token"):
            session.check_streams()


async def test_a_stream_that_is_away_for_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "PATIENCE_SECONDS", 0.05)
    with stand_in(Scripted(200, {"position": 7})) as url:
        async with Session(url, TOKENS, Tally()) as session:
            await session.watch("load-1")
            await ended(session)
            with pytest.raises(CommandError, match="does not answer"):
                session.check_streams()
