"""Rules are read with suspicion, and what is wrong with them is named."""

import contextlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.exchanges.paper.faults.reading import FAULTS, parse_faults, read_faults
from infrastructure.exchanges.paper.faults.rules import AcceptThenTimeout, Answer, Latency, On
from infrastructure.exchanges.paper.refusals import BadFaults


def parse(*rules: Any) -> Any:
    return parse_faults(msgspec.json.encode(rules))


def test_rules_are_read() -> None:
    assert parse(
        {"on": "any", "fault": "latency", "seconds": [0.1, 2], "probability": 0.5, "seed": 7},
        {"on": "submit", "fault": "answer", "status": 504, "after_acting": True, "times": 2, "symbol": "BTCUSD"},
        {"on": "submit", "fault": "accept_then_timeout", "every": 3, "client_order_id": "mine", "times": None},
    ) == [
        Latency(on=On.ANY, seconds=(0.1, 2), probability=0.5, seed=7),
        Answer(on=On.SUBMIT, status=504, after_acting=True, times=2, symbol="BTCUSD"),
        AcceptThenTimeout(on=On.SUBMIT, every=3, client_order_id="mine"),
    ]


def test_no_rules_are_rules_too() -> None:
    assert parse() == []


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (5, "rule 1: Expected `object`, got `int`"),
        ({}, "rule 1: Object missing required field `on`"),
        ({"on": "submit"}, "rule 1: Object missing required field `fault`"),
        ({"on": "submit", "fault": "answer"}, "rule 1: Object missing required field `status`"),
        ({"on": "submit", "fault": "answer", "status": 418}, "rule 1: Invalid enum value 418 - at `$.status`"),
        ({"on": "any", "fault": "refuse", "status": 500}, "rule 1: Expected `int` <= 499 - at `$.status`"),
        ({"on": "any", "fault": "latency"}, "rule 1: Object missing required field `seconds`"),
        ({"on": "any", "fault": "drop_before_accept", "tmies": 1}, "rule 1: Object contains unknown field `tmies`"),
        ({"on": "any", "fault": "drop_before_accept", "times": 0}, "rule 1: Expected `int` >= 1 - at `$.times`"),
        ({"on": "any", "fault": "drop_before_accept", "every": 0}, "rule 1: Expected `int` >= 1 - at `$.every`"),
        (
            {"on": "any", "fault": "drop_before_accept", "probability": 1.1},
            "rule 1: Expected `float` <= 1.0 - at `$.probability`",
        ),
        (
            {"on": "any", "fault": "drop_before_accept", "symbol": "NONE"},
            "rule 1: nothing called 'NONE' trades here",
        ),
        ({"on": "cancel", "fault": "reject"}, "rule 1: reject goes with submit, not with cancel"),
        ({"on": "replace", "fault": "ignore"}, "rule 1: ignore goes with cancel, not with replace"),
        (
            {"on": "submit", "fault": "refuse_later"},
            "rule 1: refuse_later goes with cancel or replace, not with submit",
        ),
        (
            {"on": "cancel", "fault": "refuse_later", "reason": ""},
            "rule 1: Expected `str` of length >= 1 - at `$.reason`",
        ),
        ({"on": "any", "fault": "keep_predecessor"}, "rule 1: keep_predecessor goes with replace, not with any"),
        (
            {"on": "submit", "fault": "drop_before_accept", "event": "fill"},
            "rule 1: event goes with stream, not with submit",
        ),
        (
            {"on": "stream", "fault": "drop_reports", "event": "party"},
            "rule 1: Invalid enum value 'party' - at `$.event`",
        ),
        ({"on": "submit", "fault": "unknown_for"}, "rule 1: unknown_for goes with find, not with submit"),
        ({"on": "any", "fault": "cut_stream"}, "rule 1: cut_stream goes with stream, not with any"),
        (
            {"on": "sumbit", "fault": "malformed"},
            "rule 1: 'sumbit' is none of submit, cancel, replace, find, fills, assets, prices, stream, any",
        ),
    ],
)
def test_what_is_wrong_with_a_rule_is_named(rule: Any, problem: str) -> None:
    with pytest.raises(BadFaults) as refused:
        parse(rule)
    assert str(refused.value) == problem


@pytest.mark.parametrize("seconds", [-1, 3_601, [2, 1], [-1, 1], [1, 3_601]])
def test_a_wait_is_a_number_or_two_in_order(seconds: Any) -> None:
    with pytest.raises(BadFaults, match=r"^rule 1: seconds must be a number from 0 to 3600"):
        parse({"on": "any", "fault": "latency", "seconds": seconds})


@pytest.mark.parametrize("seconds", ["1", [1], [1, 2, 3], None, True])
def test_a_wait_is_nothing_else(seconds: Any) -> None:
    with pytest.raises(BadFaults, match=r"- at `\$.seconds`"):
        parse({"on": "any", "fault": "latency", "seconds": seconds})


def test_a_fault_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(BadFaults) as refused:
        parse({"on": "any", "fault": "malformed"}, {"on": "any", "fault": "fire"})
    assert str(refused.value) == f"rule 2: 'fire' is none of {', '.join(FAULTS)}"


@pytest.mark.parametrize("raw", [b"", b"{", b"{}", b"[{]", b"\xff", b"[" * 100_000, b"null"])
def test_what_is_no_list_of_rules_is_refused(raw: bytes) -> None:
    with pytest.raises(BadFaults, match=r"^faults are a JSON list of rules: ."):
        parse_faults(raw)


@pytest.mark.parametrize("inside", [b'"\xff"', b"[" * 100_000 + b"]" * 100_000])
def test_a_rule_that_cannot_be_read_is_refused(inside: bytes) -> None:
    with pytest.raises(BadFaults):
        parse_faults(b'[{"on": "any", "fault": "latency", "seconds": ' + inside + b"}]")


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())
RULES = st.fixed_dictionaries(
    {"on": st.sampled_from([*On, "nowhere"]), "fault": st.sampled_from([*FAULTS, "fire"])},
    optional={
        name: VALUES | st.lists(VALUES, max_size=3) | st.sampled_from([1, 0.5, 503, "AAPL", [0, 1]])
        for name in (
            "seconds",
            "times",
            "every",
            "probability",
            "seed",
            "symbol",
            "status",
            "after_acting",
            "reason",
            "event",
        )
    },
)


@given(st.lists(RULES, max_size=2))
def test_whatever_is_written_is_read_or_refused(rules: Any) -> None:
    with contextlib.suppress(BadFaults):
        read = parse(*rules)
        assert parse(*map(msgspec.to_builtins, read)) == read


def test_a_file_of_rules_is_read(tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text('[{"on": "find", "fault": "malformed"}]')
    assert [rule.on for rule in read_faults(tmp_path / "faults.json")] == [On.FIND]


def test_a_file_that_is_wrong_is_named(tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text("[5]")
    with pytest.raises(BadFaults) as refused:
        read_faults(tmp_path / "faults.json")
    assert str(refused.value) == f"{tmp_path / 'faults.json'}: rule 1: Expected `object`, got `int`"
