"""The venue that the contract of the Venue port is tried on."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from uuid import NAMESPACE_OID, uuid5

import pytest

from application.venue import Venue, VenueOrder
from domain.values import OrderId, OrderType, Quantity, Side, Symbol, TimeInForce
from tests.contracts.venues import Control, alpaca_at, control_of
from tests.venue_server import VenueAddress, running_venue


@pytest.fixture(scope="module")
def address() -> Iterator[VenueAddress]:
    """A venue that is not restarted."""
    with running_venue(commission="0.005") as running:
        yield running


@pytest.fixture
async def venue(address: VenueAddress) -> AsyncIterator[Venue]:
    """The adapter under test; whoever adds another adds it here."""
    async with alpaca_at(address) as adapter:
        yield adapter


@pytest.fixture
def control(address: VenueAddress) -> Control:
    """The operator of the venue."""
    return control_of(address)


@pytest.fixture
def new_order(request: pytest.FixtureRequest) -> Callable[..., VenueOrder]:
    """Market orders for one AAPL under ids that are the test's own, with whatever terms the test changes."""
    placed: list[OrderId] = []

    def build(**terms: object) -> VenueOrder:
        placed.append(OrderId(str(uuid5(NAMESPACE_OID, f"{request.node.nodeid} {len(placed)}"))))
        order = VenueOrder(
            client_order_id=placed[-1],
            symbol=Symbol("AAPL"),
            side=Side.BUY,
            quantity=Quantity(Decimal(1)),
            order_type=OrderType.MARKET,
            price=None,
            stop_price=None,
            time_in_force=TimeInForce.DAY,
        )
        return replace(order, **terms)  # type: ignore[arg-type]  # the tests name real fields

    return build
