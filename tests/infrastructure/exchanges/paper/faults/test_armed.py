"""When a rule fires: how often, on what, and which of several decides."""

from itertools import repeat

from infrastructure.exchanges.paper.assets import find_asset
from infrastructure.exchanges.paper.faults.armed import Faults
from infrastructure.exchanges.paper.faults.rules import (
    DelayReports,
    DropBeforeAccept,
    DropReports,
    DuplicateReports,
    Fault,
    Latency,
    Malformed,
    Occasion,
    On,
    UnknownFor,
)
from infrastructure.exchanges.paper.orders import Event


def occasion(
    on: On = On.SUBMIT, symbol: str = "AAPL", client_order_id: str | None = None, age: float | None = None
) -> Occasion:
    asset = find_asset(symbol)
    return Occasion(on, frozenset() if asset is None else frozenset({asset}), client_order_id, age)


def armed(*rules: Fault) -> Faults:
    faults = Faults()
    faults.arm(rules)
    return faults


def fires(rule: Fault, *occasions: Occasion) -> list[bool]:
    """On which of these occasions the rule fires."""
    faults = armed(rule)
    return [faults.on_request(each)[1] is not None for each in occasions]


def test_a_rule_fires_for_ever() -> None:
    assert all(fires(DropBeforeAccept(on=On.SUBMIT), *repeat(occasion(), 100)))


def test_a_rule_fires_so_many_times() -> None:
    assert fires(DropBeforeAccept(on=On.SUBMIT, times=2), *repeat(occasion(), 4)) == [True, True, False, False]


def test_a_rule_fires_on_each_nth_occasion() -> None:
    rule = DropBeforeAccept(on=On.SUBMIT, every=3, times=2)
    assert [number for number, fired in enumerate(fires(rule, *repeat(occasion(), 12)), 1) if fired] == [3, 6]


def test_chance_is_foreseeable_by_its_seed() -> None:
    one, same, other = (
        fires(DropBeforeAccept(on=On.SUBMIT, probability=0.5, seed=seed), *repeat(occasion(), 100))
        for seed in (1, 1, 2)
    )
    assert one == same != other
    assert 25 < sum(one) < 75


def test_a_rule_fires_only_where_it_applies() -> None:
    assert fires(DropBeforeAccept(on=On.CANCEL), occasion(On.SUBMIT), occasion(On.CANCEL)) == [False, True]
    assert fires(DropBeforeAccept(on=On.ANY), *map(occasion, On)) == [True] * len(On)


def test_a_rule_for_a_symbol_fires_only_for_that_by_any_of_its_names() -> None:
    rule = DropBeforeAccept(on=On.SUBMIT, symbol="BTCUSD")
    assert fires(rule, occasion(symbol="BTC/USD"), occasion(symbol="AAPL"), occasion(symbol="")) == [True, False, False]


def test_a_rule_for_an_order_fires_only_for_that() -> None:
    rule = DropBeforeAccept(on=On.SUBMIT, client_order_id="mine")
    assert fires(rule, occasion(client_order_id="mine"), occasion(client_order_id="yours"), occasion()) == [
        True,
        False,
        False,
    ]


def test_a_rule_for_an_event_fires_only_on_reports_of_it() -> None:
    faults = armed(DropReports(on=On.STREAM, event=Event.FILL))
    events = [Event.NEW, Event.FILL, Event.TRADE_BUST, None]
    fired = [faults.on_report(Occasion(On.STREAM, event=event))[1] is not None for event in events]
    assert fired == [False, True, False, False]


def test_an_occasion_of_another_kind_does_not_count() -> None:
    rule = DropBeforeAccept(on=On.SUBMIT, symbol="AAPL", every=2)
    assert fires(rule, occasion(), occasion(symbol="MSFT"), occasion()) == [False, False, True]


def test_an_order_is_unknown_while_it_is_there_and_young() -> None:
    ages = [None, 0.0, 4.9, 5.0]
    occasions = [occasion(On.FIND, age=age) for age in ages]
    assert fires(UnknownFor(on=On.FIND, seconds=5), *occasions) == [False, True, True, False]
    assert fires(UnknownFor(on=On.FIND), *occasions) == [False, True, True, True]
    assert fires(UnknownFor(on=On.FIND, symbol="MSFT"), *occasions) == [False] * 4


def test_waits_add_up_and_the_first_other_rule_decides_alone() -> None:
    malformed = Malformed(on=On.SUBMIT)
    faults = armed(
        malformed, Latency(on=On.ANY, seconds=1), DropBeforeAccept(on=On.SUBMIT), Latency(on=On.SUBMIT, seconds=0.5)
    )
    assert faults.on_request(occasion()) == (1.5, malformed)
    assert [rule["fired"] for rule in faults.told()] == [1, 1, 0, 1]


def test_a_wait_between_two_bounds_is_foreseeable_by_its_seed() -> None:
    one, same, other = (
        [armed_faults.on_request(occasion())[0] for armed_faults in repeat(armed(latency), 20)]
        for latency in (Latency(on=On.ANY, seconds=(1, 2), seed=seed) for seed in (1, 1, 2))
    )
    assert one == same != other
    assert all(1 <= seconds <= 2 for seconds in one)
    assert len(set(one)) > 1


def test_reports_have_rules_of_their_own() -> None:
    drop, malformed = DropReports(on=On.STREAM, times=1), Malformed(on=On.STREAM)
    faults = armed(drop, malformed, DuplicateReports(on=On.STREAM), DelayReports(on=On.STREAM, seconds=2))
    assert faults.on_request(occasion(On.STREAM)) == (0, None)
    assert [faults.on_report(occasion(On.STREAM)) for _ in range(2)] == [(2, drop), (2, malformed)]


def test_rules_for_everything_leave_reports_alone() -> None:
    faults = armed(Malformed(on=On.ANY), Latency(on=On.ANY, seconds=1))
    assert faults.on_report(occasion(On.STREAM)) == (0, None)


def test_new_rules_take_the_place_of_all_others() -> None:
    faults = armed(DropBeforeAccept(on=On.SUBMIT))
    assert faults
    faults.arm([])
    assert not faults
    assert faults.on_request(occasion()) == (0, None)
    assert faults.told() == []


def test_rules_are_told_as_they_were_written() -> None:
    faults = armed(Latency(on=On.ANY, seconds=(1, 2)), UnknownFor(on=On.FIND, times=3))
    faults.on_request(occasion())
    assert faults.told() == [
        {"fault": "latency", "on": "any", "seconds": (1, 2), "fired": 1},
        {"fault": "unknown_for", "on": "find", "times": 3, "fired": 0},
    ]
