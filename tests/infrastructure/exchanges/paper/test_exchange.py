from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from infrastructure.exchanges.paper.exchange import Exchange
from infrastructure.exchanges.paper.orders import Status
from tests.infrastructure.exchanges.paper.floor import OPENING, Floor, told


@pytest.fixture
def floor() -> Floor:
    return Floor()


def test_a_market_order_of_ordinary_size_fills_at_once(floor: Floor) -> None:
    assert floor.place("buy", "10") == ["new o1", "fill o1 10 @ 190.01"]
    assert floor.order("o1").status is Status.FILLED


def test_a_large_market_order_fills_in_parts_over_several_levels(floor: Floor) -> None:
    assert floor.place("sell", "4000") == [
        "new o1",
        "partial_fill o1 1000 @ 189.99",
        "partial_fill o1 2000 @ 189.98",
        "fill o1 1000 @ 189.97",
    ]
    assert floor.order("o1").average_price == Decimal("189.98")


def test_the_house_has_its_quotes_back_for_the_next_order(floor: Floor) -> None:
    assert floor.place("buy", "1000") == ["new o1", "fill o1 1000 @ 190.01"]
    assert floor.place("buy", "1000") == ["new o2", "fill o2 1000 @ 190.01"]


def test_a_market_order_beyond_all_quotes_is_cancelled_with_what_it_got(floor: Floor) -> None:
    assert floor.place("buy", "20000")[-2:] == ["partial_fill o1 5000 @ 190.05", "canceled o1"]
    order = floor.order("o1")
    assert (order.status, order.filled_quantity, order.leaves) == (Status.CANCELED, Decimal(15_000), Decimal(0))


def test_a_limit_order_away_from_the_price_rests_and_fills_when_the_price_comes(floor: Floor) -> None:
    assert floor.place("buy", "10", limit="185") == ["new o1"]
    assert floor.order("o1").status is Status.NEW
    assert floor.move("186") == []
    assert floor.move("184") == ["fill o1 10 @ 185"]


def test_a_marketable_limit_order_takes_what_is_offered_and_rests_with_the_remainder(floor: Floor) -> None:
    assert floor.place("buy", "4000", limit="190.02") == [
        "new o1",
        "partial_fill o1 1000 @ 190.01",
        "partial_fill o1 2000 @ 190.02",
    ]
    assert floor.order("o1").status is Status.PARTIALLY_FILLED
    assert floor.place("buy", "1000") == ["new o2", "fill o2 1000 @ 190.03"]
    assert floor.move("190.00") == ["fill o1 1000 @ 190.02"]


def test_two_orders_of_the_account_meet(floor: Floor) -> None:
    floor.place("buy", "5", limit="190")
    assert floor.place("sell", "5", limit="190") == ["new o2", "fill o1 5 @ 190", "fill o2 5 @ 190"]
    assert floor.exchange.account.positions == {}


def test_an_ioc_order_away_from_the_price_is_cancelled(floor: Floor) -> None:
    assert floor.place("buy", "5", limit="180", tif="ioc") == ["new o1", "canceled o1"]
    assert floor.order("o1").canceled_at == OPENING.replace(second=1)


def test_an_ioc_order_is_cancelled_with_what_it_got(floor: Floor) -> None:
    assert floor.place("buy", "1500", limit="190.01", tif="ioc") == [
        "new o1",
        "partial_fill o1 1000 @ 190.01",
        "canceled o1",
    ]
    assert floor.order("o1").filled_quantity == 1000


def test_a_gtc_order_outlives_its_day_and_fills_on_another(floor: Floor) -> None:
    floor.place("buy", "5", limit="185", tif="gtc")
    for day in (1, 2, 3):
        assert floor.end_day(day) == []
    assert floor.move("184") == ["fill o1 5 @ 185"]


def test_a_fok_order_that_cannot_be_filled_is_cancelled_without_a_fill(floor: Floor) -> None:
    assert floor.place("buy", "1001", limit="190.01", tif="fok") == ["new o1", "canceled o1"]
    assert floor.place("buy", "1000", limit="190.01", tif="fok") == ["new o2", "fill o2 1000 @ 190.01"]


def test_a_stop_order_waits_for_its_price(floor: Floor) -> None:
    assert floor.place("sell", "5", stop="185") == ["new o1"]
    assert floor.move("185.01") == []
    assert floor.move("185") == ["fill o1 5 @ 184.99"]
    assert floor.order("o1").triggered


def test_a_stop_limit_order_rests_at_its_limit_once_it_is_awake(floor: Floor) -> None:
    assert floor.place("buy", "5", stop="195", limit="194") == ["new o1"]
    assert floor.move("195") == []
    assert floor.order("o1").triggered
    assert floor.move("193") == ["fill o1 5 @ 194"]


def test_a_trade_of_the_account_triggers_stops_too(floor: Floor) -> None:
    floor.place("buy", "5", stop="190.03")
    assert floor.place("buy", "6000") == [
        "new o2",
        "partial_fill o2 1000 @ 190.01",
        "partial_fill o2 2000 @ 190.02",
        "fill o2 3000 @ 190.03",
        "fill o1 5 @ 190.01",
    ]


def test_every_stop_order_finds_the_house_with_its_quotes_restored(floor: Floor) -> None:
    for _ in range(3):
        floor.place("sell", "1000", stop="185")
    assert floor.move("184") == ["fill o1 1000 @ 183.99", "fill o2 1000 @ 183.99", "fill o3 1000 @ 183.99"]


def test_an_order_may_be_taken_in_and_then_rejected(floor: Floor) -> None:
    assert floor.place("buy", "4000", limit="190.02", rejected_because="halted") == ["new o1", "rejected o1"]
    order = floor.order("o1")
    assert (order.status, order.rejected_because, order.failed_at) == (Status.REJECTED, "halted", order.submitted_at)
    assert not order.is_open
    assert floor.exchange.account.buying_power == floor.exchange.account.cash
    assert floor.move("180") == []


def test_a_cancelled_order_is_out_of_the_book(floor: Floor) -> None:
    floor.place("buy", "5", limit="185")
    assert floor.cancel("o1") == ["canceled o1"]
    assert floor.move("180") == []


def test_a_replacement_is_a_new_order_in_the_place_of_the_old(floor: Floor) -> None:
    floor.place("buy", "5", limit="185")
    assert floor.replace("o1", quantity="7", limit="186", tif="gtc") == ["replaced o1", "new o2"]
    old, new = floor.order("o1"), floor.order("o2")
    assert (old.status, old.replaced_by, old.replaced_at) == (Status.REPLACED, new.id, OPENING.replace(second=2))
    assert (new.status, new.replaces, new.quantity, new.limit_price) == (Status.NEW, old.id, Decimal(7), Decimal(186))
    assert new.time_in_force == "gtc"
    assert floor.move("185.99") == ["fill o2 7 @ 186"]


def test_a_replacement_carries_the_fills_of_its_predecessor(floor: Floor) -> None:
    floor.place("buy", "4000", limit="190.02")
    assert floor.replace("o1", quantity="3500") == ["replaced o1", "new o2"]
    new = floor.order("o2")
    assert (new.status, new.filled_quantity, new.leaves) == (Status.PARTIALLY_FILLED, Decimal(3000), Decimal(500))
    assert floor.move("190") == ["fill o2 500 @ 190.02"]
    assert floor.order("o2").filled_quantity == Decimal(3500)
    assert floor.exchange.account.quantity("AAPL") == Decimal(3500)


def test_a_replacement_loses_its_place_in_the_queue(floor: Floor) -> None:
    floor.place("buy", "5", limit="185")
    floor.place("buy", "5", limit="185")
    floor.replace("o1", quantity="6")
    assert floor.move("184") == ["fill o2 5 @ 185", "fill o3 6 @ 185"]


def test_a_replacement_may_trade_at_once(floor: Floor) -> None:
    floor.place("buy", "5", limit="185")
    assert floor.replace("o1", limit="191") == ["replaced o1", "new o2", "fill o2 5 @ 190.01"]


def test_a_replaced_stop_order_waits_for_its_new_price(floor: Floor) -> None:
    floor.place("sell", "5", stop="185")
    floor.replace("o1", stop="180")
    assert floor.move("184") == []
    assert floor.move("180") == ["fill o2 5 @ 179.99"]


def test_a_stop_limit_order_that_is_awake_stays_awake_when_its_limit_is_replaced(floor: Floor) -> None:
    floor.place("buy", "5", stop="195", limit="194")
    floor.move("195")
    assert floor.replace("o1", limit="196") == ["replaced o1", "new o2", "fill o2 5 @ 195.01"]


def test_a_new_stop_price_puts_a_stop_limit_order_back_to_sleep(floor: Floor) -> None:
    floor.place("buy", "5", stop="195", limit="194")
    floor.move("195")
    assert floor.replace("o1", stop="198", limit="199") == ["replaced o1", "new o2"]
    assert floor.move("198") == ["fill o2 5 @ 198.01"]


def test_day_orders_expire_with_their_day_and_others_do_not(floor: Floor) -> None:
    floor.place("buy", "5", limit="185")
    floor.place("buy", "5", limit="185", tif="gtc")
    floor.place("sell", "5", stop="180")
    assert floor.end_day(days=0) == []
    assert floor.end_day() == ["expired o1", "expired o3"]
    order = floor.order("o1")
    assert (order.status, order.expired_at) == (Status.EXPIRED, datetime(2026, 11, 21, tzinfo=UTC))
    assert floor.move("180") == ["fill o2 5 @ 185"]


def test_an_order_that_leaves_lets_the_house_quote_again(floor: Floor) -> None:
    floor.place("buy", "100000", limit="190.05")
    assert floor.place("buy", "1") == ["new o2", "canceled o2"]
    floor.cancel("o1")
    assert floor.place("buy", "1") == ["new o3", "fill o3 1 @ 190.01"]


def test_commission_is_charged_for_every_share() -> None:
    floor = Floor(commission="0.005")
    cash = floor.exchange.account.cash
    floor.place("buy", "10")
    fill = floor.updates[-1].fill
    assert fill is not None
    assert (fill.commission, fill.position) == (Decimal("0.050"), Decimal(10))
    assert floor.exchange.account.cash == cash - Decimal("1900.10") - Decimal("0.05")


def test_the_latest_trade_is_remembered(floor: Floor) -> None:
    market = floor.exchange.markets["AAPL"]
    assert (market.last_trade.price, market.last_trade.at) == (Decimal("190.00"), OPENING)
    floor.place("buy", "10")
    assert (market.last_trade.price, market.last_trade.quantity) == (Decimal("190.01"), Decimal(10))
    floor.move("195")
    assert (market.last_trade.price, market.last_trade.number) == (Decimal(195), 2)


def test_only_fills_are_kept_as_activities(floor: Floor) -> None:
    floor.place("buy", "10", limit="185")
    floor.place("buy", "10")
    assert [told(update) for update in floor.exchange.fills] == ["fill o2 10 @ 190.01"]


def test_execution_ids_are_unique_uuids_that_sort_like_the_updates(floor: Floor) -> None:
    for _ in range(5):
        floor.place("buy", "4000")
    ids = [update.execution_id for update in floor.updates]
    assert ids == sorted(set(ids))
    assert {UUID(one).version for one in ids} == {8}
    activities = [update.activity_id for update in floor.exchange.fills]
    assert activities == sorted(set(activities))
    assert activities[0] == f"20261120143001000::{floor.exchange.fills[0].execution_id}"


def test_two_venues_never_give_the_same_execution_id_to_different_orders() -> None:
    one, other = Floor(), Floor()
    other.place("buy", "1", limit="1")
    one.place("buy", "1")
    other.place("buy", "1")
    assert one.updates[1].number == other.updates[1].number
    assert one.updates[1].execution_id != other.updates[1].execution_id


def test_the_same_commands_lead_to_the_same_state(floor: Floor) -> None:
    floor.place("buy", "4000", limit="190.02")
    floor.place("sell", "5", stop="185")
    floor.replace("o1", quantity="5000")
    floor.move("184")
    floor.place("sell", "3000")
    floor.cancel("o3") if floor.order("o3").is_open else None
    twin = Exchange()
    updates = [update for command in floor.commands for update in twin.apply(command)]
    assert updates == floor.updates
    assert twin.account.positions == floor.exchange.account.positions
    assert twin.account.cash == floor.exchange.account.cash
