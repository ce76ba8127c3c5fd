from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import rollout
from domain.commands import ChangeRollout
from domain.events import RolloutChanged
from domain.refusals import InvalidRequest
from domain.rollout import ALL_ON, NOTHING_SET, Rollout, Switches, is_in_ramp, parse_ramp
from domain.values import TraderId

TRADERS = [TraderId(f"trader-{number}") for number in range(1_000)]

percents = st.integers(0, 100)
set_by_operators = st.builds(Rollout, st.none() | st.booleans(), st.none() | percents)


def changed(
    state: Rollout, *, enabled: bool | None = None, ramp_percent: int | None = None, reason: str = "a step"
) -> list[RolloutChanged]:
    return rollout.decide(state, ChangeRollout(reason, enabled=enabled, ramp_percent=ramp_percent))


@given(st.text(min_size=1, max_size=64).map(TraderId), percents, percents)
def test_who_is_in_a_share_is_in_every_larger_one(trader_id: TraderId, one: int, other: int) -> None:
    smaller, larger = sorted((one, other))
    assert is_in_ramp(trader_id, smaller) <= is_in_ramp(trader_id, larger)
    assert not is_in_ramp(trader_id, 0)
    assert is_in_ramp(trader_id, 100)


@pytest.mark.parametrize(("percent", "in_ramp"), [(0, 0), (5, 52), (25, 255), (50, 517), (100, 1_000)])
def test_a_share_is_about_that_share_of_traders_and_the_same_ones_for_ever(percent: int, in_ramp: int) -> None:
    assert sum(is_in_ramp(trader_id, percent) for trader_id in TRADERS) == in_ramp
    # A hash that changed would throw out traders who were in.
    assert [is_in_ramp(TraderId("alice"), percent) for percent in (7, 8)] == [False, True]


@given(state=set_by_operators, enabled=st.booleans(), ramp_percent=percents)
def test_a_zero_in_the_environment_is_the_last_word(state: Rollout, *, enabled: bool, ramp_percent: int) -> None:
    assert not state.within(Switches(enabled=False, ramp_percent=ramp_percent)).enabled
    assert state.within(Switches(enabled, 0)).ramp_percent == 0


@given(enabled=st.booleans(), ramp_percent=percents)
def test_what_nobody_has_set_is_as_the_environment_says(*, enabled: bool, ramp_percent: int) -> None:
    environment = Switches(enabled, ramp_percent)
    assert NOTHING_SET.within(environment) == environment


@given(set_by_operators, st.integers(1, 100))
def test_what_is_set_holds_whatever_else_the_environment_says(state: Rollout, ramp_percent: int) -> None:
    now = state.within(Switches(ramp_percent=ramp_percent))
    assert now.enabled is (state.enabled is not False)
    assert now.ramp_percent == (ramp_percent if state.ramp_percent is None else state.ramp_percent)


def test_nobody_is_served_by_what_is_off() -> None:
    assert not any(Switches(enabled=False).serve(trader_id) for trader_id in TRADERS)
    assert all(ALL_ON.serve(trader_id) for trader_id in TRADERS)


def test_what_is_not_named_stays() -> None:
    (first,) = changed(NOTHING_SET, ramp_percent=5)
    assert first == RolloutChanged(enabled=None, ramp_percent=5, reason="a step")
    state = rollout.evolve(NOTHING_SET, first)
    (second,) = changed(state, enabled=False)
    assert second == RolloutChanged(enabled=False, ramp_percent=5, reason="a step")


@given(state=set_by_operators, enabled=st.none() | st.booleans(), ramp_percent=percents)
def test_setting_the_same_again_is_nothing_new(state: Rollout, *, enabled: bool | None, ramp_percent: int) -> None:
    for event in changed(state, enabled=enabled, ramp_percent=ramp_percent):
        state = rollout.evolve(state, event)
    assert changed(state, enabled=enabled, ramp_percent=ramp_percent) == []


def test_whoever_changes_nothing_is_asked_what() -> None:
    with pytest.raises(InvalidRequest, match="ramp_percent or enabled is needed: say what to change"):
        changed(NOTHING_SET)


@pytest.mark.parametrize("wrong", [Decimal("0.5"), Decimal(-1), Decimal(101), Decimal("NaN"), True, "25", None])
def test_a_share_that_is_none_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidRequest, match="must be a whole number from 0 to 100"):
        parse_ramp(wrong)


def test_a_share_may_be_written_in_any_way() -> None:
    assert parse_ramp(Decimal("25.0")) == parse_ramp(Decimal("2.5e1")) == parse_ramp(25) == 25
