"""The kill switch: what is halted after what, and whom that concerns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import halts
from domain.commands import HaltTrading, RecordCancelsRequested, ResumeTrading
from domain.events import HaltEvent, OpenOrdersCancelRequested, TradingHalted, TradingResumed
from domain.halts import NOTHING_HALTED, Halts, parse_reason, parse_scope
from domain.refusals import InvalidRequest, NotHalted, TradingIsHalted
from domain.values import Symbol, TraderId
from tests.domain.orders import ACME, ALICE

BOB = TraderId("bob")
OTHER = Symbol("BTC/USD")


def after(*events: HaltEvent) -> Halts:
    state = NOTHING_HALTED
    for event in events:
        state = halts.evolve(state, event)
    return state


def halted(scope: str, *, cancel_open: bool = False) -> TradingHalted:
    return TradingHalted(scope=scope, reason="a drill", cancel_open=cancel_open)


def resumed(scope: str) -> TradingResumed:
    return TradingResumed(scope=scope, reason=None)


@pytest.mark.parametrize(
    ("scope", "concerned"),
    [
        ("all", {(ALICE, ACME), (ALICE, OTHER), (BOB, ACME), (BOB, OTHER)}),
        ("trader:alice", {(ALICE, ACME), (ALICE, OTHER)}),
        ("symbol:BTC/USD", {(ALICE, OTHER), (BOB, OTHER)}),
        ("trader:carol", set()),
    ],
)
def test_a_halt_concerns_its_scope(scope: str, concerned: set[tuple[TraderId, Symbol]]) -> None:
    state = after(halted(scope))
    found = {(who, what) for who in (ALICE, BOB) for what in (ACME, OTHER) if state.scope_that_halts(who, what)}
    assert found == concerned


@pytest.mark.parametrize(
    ("scope", "message"),
    [
        ("all", "All trading is halted; open orders can still be cancelled"),
        ("trader:alice", "Your trading is halted; open orders can still be cancelled"),
        ("symbol:ACME", "Trading in ACME is halted; open orders can still be cancelled"),
    ],
)
def test_who_is_refused_learns_what_is_halted_and_not_why(scope: str, message: str) -> None:
    with pytest.raises(TradingIsHalted) as caught:
        after(halted(scope)).refuse(ALICE, ACME)
    assert caught.value.message == message
    after(halted(scope), resumed(scope)).refuse(ALICE, ACME)


def test_the_end_of_one_halt_is_not_that_of_another() -> None:
    state = after(halted("all"), halted("symbol:ACME"), resumed("all"))
    assert state.scope_that_halts(ALICE, ACME) == "symbol:ACME"
    assert state.scope_that_halts(ALICE, OTHER) is None
    state.refuse(ALICE, OTHER)


def test_whoever_halts_again_says_why_once_more_and_may_have_more_cancelled() -> None:
    state = after(halted("all"))
    again = HaltTrading("all", "really", cancel_open=True)
    event = TradingHalted(scope="all", reason="really", cancel_open=True)
    assert halts.decide(state, again) == [event]
    assert halts.evolve(state, event).active == {"all": event}


def test_only_what_is_halted_can_be_resumed() -> None:
    with pytest.raises(NotHalted, match="symbol:ACME is not halted"):
        halts.decide(after(halted("all")), ResumeTrading("symbol:ACME"))
    event = TradingResumed(scope="all", reason="over")
    assert halts.decide(after(halted("all")), ResumeTrading("all", "over")) == [event]


def test_each_halt_that_cancels_is_due_until_its_cancels_are_requested() -> None:
    first, second = halted("all", cancel_open=True), halted("symbol:ACME", cancel_open=True)
    state = after(first, halted("trader:bob"), resumed("all"), second)
    assert state.to_cancel == {1: first, 4: second}
    (done,) = halts.decide(state, RecordCancelsRequested(1))
    assert done == OpenOrdersCancelRequested(scope="all", halt_version=1)
    state = halts.evolve(state, done)
    assert state.to_cancel == {4: second}
    assert halts.decide(state, RecordCancelsRequested(1)) == []


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["all", "trader:alice", "symbol:ACME"])), max_size=20))
def test_what_is_halted_is_what_was_halted_last_and_not_resumed(steps: list[tuple[bool, str]]) -> None:
    state, expected = NOTHING_HALTED, set[str]()
    for is_halt, scope in steps:
        command = HaltTrading(scope, "why") if is_halt else ResumeTrading(scope)
        try:
            events = halts.decide(state, command)
        except NotHalted:
            assert not is_halt
            assert scope not in expected
            continue
        for event in events:
            state = halts.evolve(state, event)
        expected = expected | {scope} if is_halt else expected - {scope}
        assert set(state.active) == expected
    assert (state.scope_that_halts(ALICE, ACME) is None) is (not expected)


@pytest.mark.parametrize("scope", ["all", "trader:alice", "trader:a:b@c", "symbol:ACME", "symbol:BTC/USD"])
def test_scopes_are_read(scope: str) -> None:
    assert parse_scope(scope) == scope


@pytest.mark.parametrize(
    ("scope", "message"),
    [
        ("everything", "scope must be all, trader:TRADER or symbol:SYMBOL"),
        ("all:", "scope must be all"),
        ("", "scope must be all"),
        (None, "scope must be all"),
        ("trader:", "scope is of no trader: trader_id must be"),
        ("symbol:acme", "scope is of no symbol: Symbol must look like"),
    ],
)
def test_what_is_no_scope_is_refused(scope: object, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        parse_scope(scope)


@pytest.mark.parametrize("reason", ["", "  ", None, "x" * 501])
def test_a_reason_says_something(reason: object) -> None:
    with pytest.raises(InvalidRequest, match="reason must be a text of 1 to 500 characters"):
        parse_reason(reason)


@pytest.mark.parametrize("reason", ["a\x00b", "a\nb", "\ud800"])
def test_a_reason_can_be_shown(reason: str) -> None:
    with pytest.raises(InvalidRequest, match="reason must be one line"):
        parse_reason(reason)
    assert parse_reason(" news pending: é 漢 ") == "news pending: é 漢"
