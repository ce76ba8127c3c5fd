"""A venue to trade on, and the words to talk to it."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.plain_http import PLAIN
from tests.venue_server import VenueAddress, running_venue

KEYS = {"APCA-API-KEY-ID": "any", "APCA-API-SECRET-KEY": "thing"}


def client_of(address: VenueAddress, headers: dict[str, str] = KEYS) -> httpx2.Client:
    """A client of a venue, by default with keys."""
    return httpx2.Client(base_url=address.url, headers=headers, **PLAIN)


@pytest.fixture
def paper_venue() -> Iterator[VenueAddress]:
    """A venue of its own for each test."""
    with running_venue() as address:
        yield address


@pytest.fixture(scope="module")
def shared_venue() -> Iterator[VenueAddress]:
    """One venue for all tests of a file that leave nothing behind which the others would notice."""
    with running_venue() as address:
        yield address


@pytest.fixture
def http(paper_venue: VenueAddress) -> Iterator[httpx2.Client]:
    """A client of `paper_venue` with keys."""
    with client_of(paper_venue) as client:
        yield client


@pytest.fixture(scope="module")
def shared_http(shared_venue: VenueAddress) -> Iterator[httpx2.Client]:
    """A client of `shared_venue` with keys."""
    with client_of(shared_venue) as client:
        yield client
