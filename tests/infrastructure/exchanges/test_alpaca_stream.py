"""The stream: what it says, what it skips, and how it ends."""

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest
from structlog.testing import capture_logs
from websockets.asyncio.server import ServerConnection

from application.venue import (
    VenueBusyError,
    VenueOutcomeUnknownError,
    VenueRefusedError,
    VenueReport,
    VenueUnreachableError,
)
from infrastructure.exchanges.alpaca_stream import LISTENING
from tests.infrastructure.exchanges.played_venue import (
    KEY_ID,
    NOBODY,
    SECRET,
    frame,
    greeting,
    played,
    says,
    streaming,
    venue_at,
)

ORDER = {"id": "venue-1", "client_order_id": "ours-1", "status": "new"}


def update(event: str, **fields: Any) -> str:
    """A trade update."""
    return frame("trade_updates", {"event": event, "order": ORDER, **fields})


def fill(execution_id: str = "e-1", event: str = "fill", **fields: Any) -> str:
    """A trade update about an execution."""
    terms = {"execution_id": execution_id, "qty": "2", "price": "190.01", "timestamp": "2026-11-20T15:00:01.5Z"}
    return update(event, **{**terms, **fields})


async def heard(url: str, count: int, timeout_seconds: float = 5) -> list[VenueReport]:
    """The first reports of the stream."""
    reports: list[VenueReport] = []
    async with (
        venue_at(NOBODY, stream_url=url, timeout_seconds=timeout_seconds) as adapter,
        aclosing(adapter.reports()) as stream,  # type: ignore[type-var]  # the iterator is a generator
    ):
        while len(reports) < count:
            reports.append(await anext(stream))
    return reports


async def heard_to_the_end(url: str, timeout_seconds: float = 5) -> list[VenueReport]:
    """All reports until the stream is lost."""
    reports: list[VenueReport] = []
    async with venue_at(NOBODY, stream_url=url, timeout_seconds=timeout_seconds) as adapter:
        stream = adapter.reports()
        try:
            while True:
                reports.append(await anext(stream))
        except VenueOutcomeUnknownError:
            return reports


async def test_the_stream_begins_with_listening_once_the_venue_has_confirmed() -> None:
    asked: list[Any] = []

    async def converse(socket: ServerConnection) -> None:
        asked.append(json.loads(await socket.recv()))
        await socket.send(frame("welcome", {}))
        await socket.send(frame("authorization", {"status": "authorized", "action": "authenticate"}).encode())
        asked.append(json.loads(await socket.recv()))
        await socket.send(frame("listening", {"streams": ["trade_updates"]}).encode())
        await socket.wait_closed()

    async with streaming(converse) as url:
        assert await heard(url, 1) == [LISTENING]
    assert asked == [
        {"action": "authenticate", "data": {"key_id": KEY_ID, "secret_key": SECRET}},
        {"action": "listen", "data": {"streams": ["trade_updates"]}},
    ]


async def test_fills_are_read_from_text_and_binary_frames_under_the_id_of_their_execution() -> None:
    async with streaming(greeting(fill("e-1", "partial_fill"), fill("e-2", commission="0.01").encode())) as url:
        reports = await heard(url, 3)
    fills = [report.fill for report in reports if report.fill is not None]
    assert [(one.fill_id, str(one.quantity), str(one.price), str(one.commission)) for one in fills] == [
        ("e-1", "2", "190.01", "0"),
        ("e-2", "2", "190.01", "0.01"),
    ]
    assert [report.status for report in reports] == ["listening", "filled", "filled"]


async def test_updates_that_come_before_the_confirmation_are_not_lost() -> None:
    async with streaming(greeting(fill("e-2"), early=[fill("e-1")])) as url:
        reports = await heard(url, 3)
    assert [report.fill and report.fill.fill_id for report in reports] == [None, "e-1", "e-2"]


@pytest.mark.parametrize(
    "unreadable",
    [
        "",
        "{",
        b"\x81\xa6stream",
        "[" * 100_000,
        "[]",
        frame("trade_updates", None),
        frame("trade_updates", {"event": "fill"}),
        fill(execution_id=None),  # type: ignore[arg-type]
        fill(qty=None),
        fill(price=None),
        fill(timestamp=None),
        fill(qty="lots"),
        fill(price="-1"),
    ],
)
async def test_what_cannot_be_read_is_logged_with_its_text_and_asked_for(unreadable: str | bytes) -> None:
    with capture_logs() as logs:
        async with streaming(greeting(unreadable, fill("e-2"))) as url:
            reports = await heard(url, 3)
    # Listening again means: ask for what came before. The stream goes on.
    assert [report.status for report in reports] == ["listening", "listening", "filled"]
    text = unreadable if isinstance(unreadable, str) else unreadable.decode(errors="replace")
    assert [(entry["event"], entry["log_level"], entry["raw"]) for entry in logs] == [
        ("venue_update_unreadable", "error", text[:4_000])
    ]


async def test_other_streams_say_nothing_about_orders() -> None:
    async with streaming(greeting(frame("account_updates", {"id": 1}), update("new"))) as url:
        assert [report.status for report in await heard(url, 2)] == ["listening", "accepted"]


async def test_early_updates_about_nothing_are_skipped() -> None:
    early = [frame("account_updates", {})]
    async with streaming(greeting(update("new"), early=early)) as url:
        assert [report.status for report in await heard(url, 2)] == ["listening", "accepted"]


# ── How it ends ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_stream_that_the_venue_closes_is_lost() -> None:
    async with streaming(greeting(update("new"))) as url:
        assert [report.status for report in await heard_to_the_end(url)] == ["listening", "accepted"]


async def test_a_stream_that_is_cut_is_lost() -> None:
    async def converse(socket: ServerConnection) -> None:
        await greeting(update("new"))(socket)
        socket.transport.abort()

    async with streaming(converse) as url:
        assert (await heard_to_the_end(url))[0] == LISTENING


async def test_a_venue_that_dies_in_silence_is_noticed() -> None:
    noticed = asyncio.Event()

    async def converse(socket: ServerConnection) -> None:
        await greeting()(socket)
        socket.transport.pause_reading()  # no ping arrives, and the connection stays
        await noticed.wait()
        socket.transport.resume_reading()

    async with streaming(converse) as url:
        assert await heard_to_the_end(url, timeout_seconds=0.2) == [LISTENING]
        noticed.set()


@pytest.mark.parametrize("status", ["unauthorized", "anything else"])
async def test_a_key_that_is_not_accepted_is_a_refusal(status: str) -> None:
    async def converse(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(frame("authorization", {"status": status, "action": "authenticate"}))

    async with streaming(converse) as url:
        with pytest.raises(VenueRefusedError) as raised:
            await heard(url, 1)
    assert raised.value.code == "UNAUTHORIZED"
    assert SECRET not in str(raised.value)


async def test_a_venue_without_trade_updates_refuses() -> None:
    async def converse(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(frame("authorization", {"status": "authorized"}))
        await socket.recv()
        await socket.send(frame("listening", {"streams": []}))

    async with streaming(converse) as url:
        with pytest.raises(VenueRefusedError) as raised:
            await heard(url, 1)
    assert raised.value.code == "NO_TRADE_UPDATES"


@pytest.mark.parametrize("said", ["?", frame("authorization", {}), frame("authorization", None)])
async def test_a_greeting_that_cannot_be_read_proves_nothing(said: str) -> None:
    async def converse(socket: ServerConnection) -> None:
        await socket.send(said)
        await socket.wait_closed()

    async with streaming(converse) as url:
        with pytest.raises(VenueOutcomeUnknownError):
            await heard(url, 1)


async def test_a_venue_that_never_greets_is_given_up() -> None:
    async def converse(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with streaming(converse) as url:
        with pytest.raises(VenueUnreachableError):
            await heard(url, 1, timeout_seconds=0.2)


async def test_a_venue_that_leaves_before_it_greets_was_not_reached() -> None:
    async def converse(socket: ServerConnection) -> None:
        await socket.recv()

    async with streaming(converse) as url:
        with pytest.raises(VenueUnreachableError):
            await heard(url, 1)


@pytest.mark.parametrize("url", ["ws://127.0.0.1:9/stream", "nonsense"])
async def test_a_stream_that_cannot_be_connected_is_unreachable(url: str) -> None:
    with pytest.raises(VenueUnreachableError):
        await heard(url, 1)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, VenueRefusedError),
        (404, VenueRefusedError),
        (429, VenueBusyError),
        (200, VenueUnreachableError),
        (503, VenueUnreachableError),
    ],
)
async def test_a_venue_may_turn_the_stream_away(status: int, error: type[Exception]) -> None:
    async with played(says(status, "", "Retry-After: 3", "Connection: close")) as venue:
        with pytest.raises(error) as raised:
            await heard(venue.url.replace("http", "ws") + "/stream", 1)
    assert getattr(raised.value, "retry_after_seconds", 3.0) == 3.0
