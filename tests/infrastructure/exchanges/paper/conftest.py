"""A venue to trade on, and the words to talk to it."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.venue_server import VenueAddress, running_venue

KEYS = {"APCA-API-KEY-ID": "any", "APCA-API-SECRET-KEY": "thing"}


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
    with httpx2.Client(base_url=paper_venue.url, headers=KEYS) as client:
        yield client


@pytest.fixture(scope="module")
def shared_http(shared_venue: VenueAddress) -> Iterator[httpx2.Client]:
    """A client of `shared_venue` with keys."""
    with httpx2.Client(base_url=shared_venue.url, headers=KEYS) as client:
        yield client
