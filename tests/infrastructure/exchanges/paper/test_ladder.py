from decimal import Decimal

import pytest

from infrastructure.exchanges.paper.ladder import Ladder, Rest


def ladder(*rests: tuple[str, str, str], highest_first: bool = True) -> Ladder:
    made = Ladder(highest_first=highest_first)
    for order_id, price, quantity in rests:
        made.add(Decimal(price), order_id, Decimal(quantity))
    return made


def ids(made: Ladder) -> list[str]:
    return [rest.id for rest in made]


def test_the_highest_price_comes_first_among_bids() -> None:
    assert ids(ladder(("a", "1", "1"), ("b", "3", "1"), ("c", "2", "1"))) == ["b", "c", "a"]


def test_the_lowest_price_comes_first_among_asks() -> None:
    assert ids(ladder(("a", "1", "1"), ("b", "3", "1"), ("c", "2", "1"), highest_first=False)) == ["a", "c", "b"]


def test_orders_at_one_price_queue_by_arrival() -> None:
    assert ids(ladder(("a", "1", "1"), ("b", "1", "1"), ("c", "1", "1"))) == ["a", "b", "c"]


def test_an_empty_ladder_has_no_first() -> None:
    assert ladder().first() is None


def test_a_part_of_an_order_keeps_its_place() -> None:
    made = ladder(("a", "1", "5"), ("b", "1", "5"))
    first = made.first()
    assert first is not None
    made.reduce(first, Decimal(2))
    assert list(made) == [Rest("a", Decimal(1), Decimal(3)), Rest("b", Decimal(1), Decimal(5))]


def test_an_order_that_trades_completely_leaves() -> None:
    made = ladder(("a", "1", "5"), ("b", "1", "5"))
    first = made.first()
    assert first is not None
    made.reduce(first, Decimal(5))
    assert ids(made) == ["b"]


def test_a_level_without_orders_is_gone() -> None:
    made = ladder(("a", "2", "5"), ("b", "1", "5"))
    assert made.remove(Decimal(2), "a") == Decimal(5)
    assert made.first() == Rest("b", Decimal(1), Decimal(5))


def test_an_order_that_is_not_there_cannot_be_removed() -> None:
    with pytest.raises(KeyError):
        ladder(("a", "1", "5")).remove(Decimal(1), "b")


def test_an_order_that_wants_less_keeps_its_place_and_one_that_wants_more_loses_it() -> None:
    made = ladder(("a", "1", "5"), ("b", "1", "5"))
    made.resize(Decimal(1), "a", Decimal(4))
    assert list(made) == [Rest("a", Decimal(1), Decimal(4)), Rest("b", Decimal(1), Decimal(5))]
    made.resize(Decimal(1), "a", Decimal(6))
    assert list(made) == [Rest("b", Decimal(1), Decimal(5)), Rest("a", Decimal(1), Decimal(6))]
