from decimal import Decimal

import pytest

from infrastructure.exchanges.paper.assets import Asset, find_asset
from infrastructure.exchanges.paper.book import Book, Lifetime, Side, Ticket, Trade
from infrastructure.exchanges.paper.house import House


def asset(symbol: str = "AAPL") -> Asset:
    found = find_asset(symbol)
    assert found is not None
    return found


@pytest.fixture
def book() -> Book:
    return Book(asset().opening_price)


@pytest.fixture
def house(book: Book) -> House:
    return House(book, asset())


def order(order_id: str, side: Side, quantity: int, limit: str | None = None, stop: str | None = None) -> Ticket:
    return Ticket(
        order_id,
        side,
        Decimal(quantity),
        Lifetime.DAY,
        None if limit is None else Decimal(limit),
        None if stop is None else Decimal(stop),
    )


def bought(book: Book, quantity: int) -> list[tuple[Decimal, int]]:
    """The trades of a market order; its rest, if any, is left out."""
    outcomes = book.submit(order("m", Side.BUY, quantity))
    return [(outcome.price, int(outcome.quantity)) for outcome in outcomes if isinstance(outcome, Trade)]


@pytest.mark.usefixtures("house")
def test_the_house_quotes_around_the_reference_price(book: Book) -> None:
    assert book.best(Side.BUY) == Decimal("189.99")
    assert book.best(Side.SELL) == Decimal("190.01")


@pytest.mark.usefixtures("house")
def test_a_large_order_walks_through_growing_levels(book: Book) -> None:
    assert bought(book, 10_000) == [
        (Decimal("190.01"), 1_000),
        (Decimal("190.02"), 2_000),
        (Decimal("190.03"), 3_000),
        (Decimal("190.04"), 4_000),
    ]


def test_a_hundred_bitcoin_are_an_ordinary_size() -> None:
    bitcoin = asset("BTC/USD")
    book = Book(bitcoin.opening_price)
    House(book, bitcoin)
    assert sum(quantity for _, quantity in bought(book, 100)) == 100


def test_what_was_taken_is_put_back(book: Book, house: House) -> None:
    bought(book, 1_500)
    house.replenish()
    assert bought(book, 1_500) == [(Decimal("190.01"), 1_000), (Decimal("190.02"), 500)]


def test_the_house_does_not_cross_an_order_of_the_account(book: Book, house: House) -> None:
    book.submit(order("big", Side.BUY, 100_000, "190.03"))
    house.replenish()
    assert book.best(Side.BUY) == Decimal("190.03")
    assert book.best(Side.SELL) == Decimal("190.04")
    book.cancel("big")
    house.replenish()
    assert book.best(Side.SELL) == Decimal("190.01")


def test_a_moved_price_takes_every_order_that_the_new_quotes_cross(book: Book, house: House) -> None:
    book.submit(order("high", Side.BUY, 50_000, "189.98"))
    book.submit(order("low", Side.BUY, 7, "185.01"))
    book.submit(order("lower", Side.BUY, 7, "185.00"))
    trades = house.move(Decimal("185.00"))
    # At the prices of the orders that were there first.
    assert trades == [
        Trade("high", "house-sell-1", Decimal("189.98"), Decimal(50_000)),
        Trade("low", "house-sell-1", Decimal("185.01"), Decimal(7)),
    ]
    assert "lower" in book
    assert book.last_price == Decimal("185.00")
    assert (book.best(Side.BUY), book.best(Side.SELL)) == (Decimal("185.00"), Decimal("185.01"))


def test_a_rising_price_takes_the_sell_orders(book: Book, house: House) -> None:
    book.submit(order("s", Side.SELL, 5, "191.00"))
    assert house.move(Decimal("191.01")) == [Trade("s", "house-buy-1", Decimal("191.00"), Decimal(5))]


def test_quotes_under_a_dollar_are_closer_together(book: Book, house: House) -> None:
    house.move(Decimal("0.5"))
    assert (book.best(Side.BUY), book.best(Side.SELL)) == (Decimal("0.4999"), Decimal("0.5001"))


def test_the_house_never_bids_nothing_or_less(book: Book, house: House) -> None:
    house.move(Decimal("0.0001"))
    assert (book.best(Side.BUY), book.best(Side.SELL)) == (None, Decimal("0.0002"))


def test_a_moved_price_leaves_stop_orders_to_be_triggered(book: Book, house: House) -> None:
    book.submit(order("s", Side.SELL, 5, stop="185.00"))
    assert house.move(Decimal("184.00")) == []
    assert book.trigger()[1:] == [Trade("house-buy-1", "s", Decimal("183.99"), Decimal(5))]
