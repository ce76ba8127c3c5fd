"""What limits over time count, beside the plainest way to count it."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import activity as module
from domain.activity import NO_ACTIVITY, TERMS_KEPT_MAX, Activity, Asked
from domain.values import exactly
from tests.domain.orders import NOON, dollars

SECOND = timedelta(seconds=1)
WINDOW = timedelta(seconds=30)


def asked(at: datetime, notional: int = 0, terms: str | None = None) -> Asked:
    return Asked(at, dollars(notional), terms)


def after(*requests: Asked) -> Activity:
    activity = NO_ACTIVITY
    with exactly():
        for each in requests:
            activity = activity.after(each)
    return activity


def at(milliseconds: int) -> datetime:
    return NOON + timedelta(milliseconds=milliseconds)


@given(st.lists(st.integers(0, 400), max_size=60), st.integers(1, 5))
def test_no_second_sees_more_requests_than_allowed_and_whoever_waits_as_told_is_let_through(
    gaps: list[int], per_second: int
) -> None:
    activity, now, let_through = NO_ACTIVITY, 0, list[int]()
    for gap in gaps:
        now += gap
        wait = activity.seconds_to_wait(at(now), per_second)
        if wait:
            assert activity.seconds_to_wait(at(now + 1000 * wait), per_second) == 0
            assert len([each for each in let_through if now - each <= 1010]) >= per_second
            continue
        activity = after_one(activity, asked(at(now)))
        let_through.append(now)
        assert len([each for each in let_through if now - each < 1000]) <= per_second


@given(st.lists(st.integers(-1500, 1500), max_size=60))
def test_requests_are_counted_by_hundredths_of_a_second_whatever_the_clocks_say(gaps: list[int]) -> None:
    activity, now, ticks = NO_ACTIVITY, 0, dict[int, int]()
    noon = int(NOON.timestamp()) * 100
    for gap in gaps:
        now += gap
        tick = noon + now // 10
        ticks = {each: count for each, count in ticks.items() if abs(each - tick) <= 100}
        ticks[tick] = ticks.get(tick, 0) + 1
        activity = after_one(activity, asked(at(now)))
        assert activity.ticks == tuple(sorted(ticks.items()))


def after_one(activity: Activity, request: Asked) -> Activity:
    with exactly():
        return activity.after(request)


def test_one_more_is_let_through_a_second_after_the_first_one() -> None:
    activity = after(asked(at(0)), asked(at(500)))
    assert activity.seconds_to_wait(at(600), 3) == 0
    assert activity.seconds_to_wait(at(600), 2) == 1
    assert activity.seconds_to_wait(at(600), 1) == 1
    assert activity.seconds_to_wait(at(500), 1) == 2
    assert activity.seconds_to_wait(at(1010), 2) == 0


def test_what_is_remembered_of_the_orders_of_a_second_is_bounded() -> None:
    activity = after(*(asked(at(milliseconds)) for milliseconds in range(3000)))
    assert len(activity.ticks) == 101
    assert activity.seconds_to_wait(at(3000), 1010) == 0
    assert activity.seconds_to_wait(at(3000), 1000) == 1


def test_a_clock_that_is_wrong_by_a_day_locks_nobody_out() -> None:
    tomorrow = NOON + timedelta(days=1)
    activity = after(asked(tomorrow, 70), asked(tomorrow, 20))
    assert activity.seconds_to_wait(NOON, 1) == 0
    assert after_one(activity, asked(NOON)).seconds_to_wait(NOON, 1) == 2
    # But what was asked for counts, today or tomorrow.
    assert activity.notional_on(NOON) == activity.notional_on(tomorrow) == 90


def test_clocks_that_differ_a_little_count_together() -> None:
    activity = after(asked(at(300)), asked(at(0)), asked(at(200)))
    assert activity.seconds_to_wait(at(100), 3) == 1
    assert activity.seconds_to_wait(at(100), 4) == 0


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 1000)), max_size=30))
def test_the_notional_of_a_day_is_the_sum_of_what_was_asked_for_on_it(requests: list[tuple[int, int]]) -> None:
    hours = 0
    activity, of_day = NO_ACTIVITY, dict[date, int]()
    for gap, notional in requests:
        hours += gap
        now = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(hours=hours)
        assert activity.notional_on(now) == of_day.get(now.date(), 0)
        activity = after_one(activity, asked(now, notional))
        of_day[now.date()] = of_day.get(now.date(), 0) + notional


def test_the_same_terms_are_known_for_as_long_as_the_window() -> None:
    activity = after(asked(NOON, terms="a"), asked(NOON + SECOND, terms="b"), asked(NOON + 2 * SECOND))
    assert activity.was_asked("a", NOON + WINDOW - SECOND, WINDOW)
    assert not activity.was_asked("a", NOON + WINDOW, WINDOW)
    assert activity.was_asked("b", NOON + WINDOW, WINDOW)
    assert not activity.was_asked("c", NOON, WINDOW)
    again = after_one(activity, asked(NOON + WINDOW, terms="a"))
    assert again.was_asked("a", NOON + WINDOW + SECOND, WINDOW)


def test_what_is_remembered_of_terms_is_bounded_by_time_and_number() -> None:
    hour = timedelta(hours=1)
    activity = after(asked(NOON, terms="a"), asked(NOON + SECOND, terms="b"), asked(NOON + hour + SECOND, terms="c"))
    assert list(activity.terms) == ["b", "c"]
    assert TERMS_KEPT_MAX == 10_000


def test_the_newest_terms_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TERMS_KEPT_MAX", 3)
    activity = after(*(asked(NOON, terms=name) for name in "abcab"))
    assert list(activity.terms) == ["c", "a", "b"]
    assert list(after_one(activity, asked(NOON, terms="d")).terms) == ["a", "b", "d"]
