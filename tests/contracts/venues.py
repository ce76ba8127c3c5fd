"""How the contract of the Venue port is tried: on a real venue, the paper venue, over real HTTP and a real stream."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import httpx2

from application.venue import Sought, Venue, VenueFill, VenueOrder, VenueReport
from domain.values import OrderType, Price, TimeInForce
from infrastructure.exchanges.alpaca import AlpacaVenue
from tests.plain_http import PLAIN
from tests.venue_server import VenueAddress

NewOrder = Callable[..., VenueOrder]
Control = Callable[[str, str, Any], Awaitable[None]]
RESTING = {"order_type": OrderType.LIMIT, "price": Price(Decimal("1.5")), "time_in_force": TimeInForce.GTC}


def alpaca_at(address: VenueAddress) -> AlpacaVenue:
    return AlpacaVenue(
        base_url=address.url,
        stream_url=address.stream_url,
        data_url=address.url,
        key_id="any",
        secret="any",
        timeout_seconds=5,
    )


def control_of(address: VenueAddress) -> Control:
    """What only the operator of the venue can do."""

    async def act(method: str, path: str, body: Any) -> None:
        async with httpx2.AsyncClient(**PLAIN) as client:
            answer = await client.request(method, f"{address.url}/control/{path}", json=body)
        assert answer.is_success, answer.text

    return act


def sought(order: VenueOrder, **more: Any) -> Sought:
    """How to ask for the order."""
    leg = None if order.leg is None else order.leg.client_order_id
    return Sought(client_order_id=order.client_order_id, leg=leg, **more)


@asynccontextmanager
async def listening(venue: Venue) -> AsyncIterator[list[VenueReport]]:
    """What the stream says, from the moment in which it is live."""
    said: list[VenueReport] = []
    live = asyncio.Event()

    async def listen() -> None:
        async for report in venue.reports():
            if report.status == "listening":
                assert (report.client_order_id, report.venue_order_id) == ("", "")
                live.set()
            else:
                said.append(report)

    listener = asyncio.create_task(listen())
    try:
        async with asyncio.timeout(5):
            await live.wait()
        yield said
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)


async def eventually(ask: Callable[[], Awaitable[list[VenueReport]]], status: str) -> list[VenueReport]:
    """Ask until a report has this status."""
    async with asyncio.timeout(5):
        while True:
            reports = await ask()
            if any(report.status == status for report in reports):
                return reports
            await asyncio.sleep(0.01)


async def streamed(said: list[VenueReport], venue_order_id: str, status: str) -> list[VenueReport]:
    """What the stream said of an order at the venue, as soon as it has said this."""

    async def ask() -> list[VenueReport]:
        return [report for report in said if report.venue_order_id == venue_order_id]

    return await eventually(ask, status)


def about(order: VenueOrder, reports: Sequence[VenueReport]) -> list[VenueReport]:
    return [report for report in reports if report.client_order_id == order.client_order_id]


def fills(reports: Sequence[VenueReport]) -> list[VenueFill]:
    return [report.fill for report in reports if report.fill is not None]


def statuses(reports: Sequence[VenueReport]) -> list[str]:
    return [report.status for report in reports]
