from decimal import Decimal

import pytest

from infrastructure.exchanges.paper.book import Book, Dropped, Lifetime, Outcome, Side, Ticket, Trade, Triggered

LAST = Decimal(100)


def order(text: str) -> Ticket:
    """`b1 buy 10 @ 99 stop 98 ioc`: everything after the quantity is optional."""
    words = text.split()
    limit = stop = None
    lifetime = Lifetime.DAY
    rest = iter(words[3:])
    for word in rest:
        if word == "@":
            limit = Decimal(next(rest))
        elif word == "stop":
            stop = Decimal(next(rest))
        else:
            lifetime = Lifetime(word)
    return Ticket(words[0], Side(words[1]), Decimal(words[2]), lifetime, limit, stop)


def given(*resting: str) -> Book:
    book = Book(LAST)
    for text in resting:
        assert book.submit(order(text)) == [], "the given orders must not trade"
    return book


def trade(maker: str, taker: str, price: str, quantity: str) -> Trade:
    return Trade(maker, taker, Decimal(price), Decimal(quantity))


def drop(order_id: str, quantity: str) -> Dropped:
    return Dropped(order_id, Decimal(quantity))


@pytest.mark.parametrize(
    ("resting", "incoming", "outcomes"),
    [
        pytest.param([], "m buy 5", [drop("m", "5")], id="a market order without a counterpart is dropped"),
        pytest.param([], "l buy 5 @ 99", [], id="a limit order without a counterpart rests"),
        pytest.param([], "l buy 5 @ 99 gtc", [], id="a GTC order rests as well"),
        pytest.param(
            ["a sell 5 @ 101"], "m buy 5", [trade("a", "m", "101", "5")], id="a market order takes what is there"
        ),
        pytest.param(
            ["a sell 3 @ 102", "b sell 3 @ 101"],
            "m buy 5",
            [trade("b", "m", "101", "3"), trade("a", "m", "102", "2")],
            id="the better price comes first",
        ),
        pytest.param(
            ["a sell 3 @ 101", "b sell 3 @ 101"],
            "m buy 4",
            [trade("a", "m", "101", "3"), trade("b", "m", "101", "1")],
            id="at one price the earlier order comes first",
        ),
        pytest.param(
            ["a sell 5 @ 101"],
            "l buy 5 @ 103",
            [trade("a", "l", "101", "5")],
            id="a trade happens at the maker's price",
        ),
        pytest.param(
            ["a buy 5 @ 99"], "l sell 5 @ 97", [trade("a", "l", "99", "5")], id="sellers get the maker's price as well"
        ),
        pytest.param(["a sell 5 @ 101"], "l buy 5 @ 100", [], id="a limit that nobody meets rests"),
        pytest.param(
            ["a sell 3 @ 101"],
            "m buy 5",
            [trade("a", "m", "101", "3"), drop("m", "2")],
            id="what a market order cannot get is dropped",
        ),
        pytest.param(
            ["a sell 3 @ 101", "b sell 3 @ 102"],
            "i buy 5 @ 101 ioc",
            [trade("a", "i", "101", "3"), drop("i", "2")],
            id="an IOC order takes what it can and drops the rest",
        ),
        pytest.param([], "i buy 5 @ 101 ioc", [drop("i", "5")], id="an IOC order never rests"),
        pytest.param(
            ["a sell 3 @ 101", "b sell 3 @ 102"],
            "f buy 5 @ 101 fok",
            [drop("f", "5")],
            id="a FOK order that cannot be filled does nothing",
        ),
        pytest.param(
            ["a sell 3 @ 101", "b sell 3 @ 102"],
            "f buy 5 @ 102 fok",
            [trade("a", "f", "101", "3"), trade("b", "f", "102", "2")],
            id="a FOK order that can be filled is filled",
        ),
        pytest.param(
            ["a sell 0.5 @ 101"],
            "m buy 0.000000001",
            [trade("a", "m", "101", "0.000000001")],
            id="fractions trade like anything else",
        ),
        pytest.param([], "s buy 5 stop 101", [], id="a stop order waits"),
        pytest.param(
            ["a sell 5 @ 101"],
            "s buy 5 stop 100",
            [Triggered("s"), trade("a", "s", "101", "5")],
            id="a stop price that is reached already triggers at once",
        ),
        pytest.param([], "s sell 5 @ 99 stop 100", [Triggered("s")], id="a triggered stop limit order rests"),
    ],
)
def test_an_order_meets_the_book(resting: list[str], incoming: str, outcomes: list[Outcome]) -> None:
    assert given(*resting).submit(order(incoming)) == outcomes


def test_the_rest_of_a_limit_order_rests() -> None:
    book = given("a sell 3 @ 101")
    book.submit(order("l buy 5 @ 101"))
    assert book.best(Side.BUY) == Decimal(101)
    assert book.best(Side.SELL) is None
    assert book.leaves("l") == Decimal(2)


def test_a_trade_moves_the_last_price() -> None:
    book = given("a sell 3 @ 101", "b sell 3 @ 102")
    book.submit(order("m buy 5"))
    assert book.last_price == Decimal(102)


def test_a_cancelled_order_does_not_trade() -> None:
    book = given("a sell 3 @ 101", "b sell 3 @ 102")
    assert book.cancel("a") == Decimal(3)
    assert "a" not in book
    assert book.leaves("a") == Decimal(0)
    assert book.submit(order("m buy 1")) == [trade("b", "m", "102", "1")]


def test_a_cancelled_stop_order_does_not_wake() -> None:
    book = given("s buy 5 stop 101")
    assert book.cancel("s") == Decimal(5)
    book.last_price = Decimal(110)
    assert book.trigger() == []


def test_an_order_that_is_not_in_the_book_cannot_be_cancelled() -> None:
    book = given("a sell 3 @ 101")
    book.submit(order("m buy 3"))
    with pytest.raises(KeyError):
        book.cancel("a")


def test_stop_orders_wake_one_at_a_time_from_the_price_that_was_reached_first() -> None:
    book = given("a sell 9 @ 103", "later buy 1 stop 102", "first buy 1 stop 101", "also buy 1 stop 101")
    assert book.trigger() == []
    book.last_price = Decimal(102)
    assert book.trigger() == [Triggered("first"), trade("a", "first", "103", "1")]
    assert book.trigger() == [Triggered("also"), trade("a", "also", "103", "1")]
    assert book.trigger() == [Triggered("later"), trade("a", "later", "103", "1")]
    assert book.trigger() == []


def test_a_falling_price_wakes_the_highest_sell_stop_first() -> None:
    book = given("a buy 9 @ 90", "low sell 1 stop 95", "high sell 1 stop 98")
    book.last_price = Decimal(96)
    assert book.trigger() == [Triggered("high"), trade("a", "high", "90", "1")]
    # That trade reached the other one.
    assert book.trigger() == [Triggered("low"), trade("a", "low", "90", "1")]


def test_a_stop_limit_order_respects_its_limit_when_it_wakes() -> None:
    book = given("a sell 5 @ 103", "s buy 5 @ 102 stop 101")
    book.last_price = Decimal(101)
    assert book.trigger() == [Triggered("s")]
    assert book.best(Side.BUY) == Decimal(102)


def test_a_stop_order_that_waits_is_not_offered_to_others() -> None:
    book = given("s buy 5 @ 102 stop 101")
    assert book.best(Side.BUY) is None
    assert book.leaves("s") == Decimal(5)
    assert book.submit(order("i sell 5 @ 90 ioc")) == [drop("i", "5")]


def test_depth_counts_no_further_than_it_is_wanted() -> None:
    book = given("a sell 3 @ 101", "b sell 3 @ 102", "c sell 3 @ 103")
    assert book.depth(order("t buy 5 @ 102")) == Decimal(5)
    assert book.depth(order("t buy 9 @ 102")) == Decimal(6)
    assert book.depth(order("t buy 9 @ 100")) == Decimal(0)


def test_an_order_that_was_resized_trades_what_it_wants_now() -> None:
    book = given("a sell 5 @ 101", "b sell 5 @ 101")
    book.resize("a", Decimal(2))
    book.resize("b", Decimal(9))
    assert book.submit(order("m buy 20")) == [trade("a", "m", "101", "2"), trade("b", "m", "101", "9"), drop("m", "9")]


def test_an_order_that_wants_nothing_any_more_leaves() -> None:
    book = given("a sell 5 @ 101")
    book.resize("a", Decimal(0))
    assert "a" not in book
    with pytest.raises(KeyError):
        book.resize("a", Decimal(1))


def test_a_stop_order_that_was_resized_wakes_with_what_it_wants_now() -> None:
    book = given("a buy 5 @ 97", "s sell 5 stop 98", "t sell 5 @ 97 stop 98")
    book.resize("s", Decimal(2))
    book.resize("t", Decimal(1))
    book.last_price = Decimal(98)
    assert book.trigger() == [Triggered("s"), trade("a", "s", "97", "2")]
    assert book.trigger() == [Triggered("t"), trade("a", "t", "97", "1")]


def test_what_is_not_there_may_be_discarded() -> None:
    book = given("a sell 5 @ 101", "s sell 5 stop 98")
    for order_id in ("a", "s", "none"):
        book.discard(order_id)
        assert order_id not in book
