"""The rules in force: how often each has met its occasion, and which one decides now."""

from collections.abc import Iterable, Sequence
from random import Random  # noqa: TID251 - its seed is an argument, so a run can be repeated
from typing import Any, Generic, TypeVar

import msgspec

from infrastructure.exchanges.paper.faults.rules import (
    CutStream,
    DelayReports,
    DropReports,
    DuplicateReports,
    Fault,
    Latency,
    Malformed,
    Occasion,
    On,
    ReorderReports,
    ReportFault,
    RequestFault,
    Rule,
    WaitingRule,
)

_Rule = TypeVar("_Rule", bound=Rule)
_WaitingRule = TypeVar("_WaitingRule", bound=WaitingRule)


class Armed(Generic[_Rule]):
    """A rule in force.

    Attributes:
        fired: How often it has fired.
        random: Its own source of chance.
    """

    def __init__(self, rule: _Rule) -> None:
        self.rule = rule
        self.fired = 0
        self.random = Random(rule.seed)  # noqa: S311 - a rehearsal is meant to be foreseeable
        self._met = 0

    def fires(self, occasion: Occasion) -> bool:
        """Whether it fires now, which uses the occasion up."""
        rule = self.rule
        if self.fired == rule.times or not rule.covers(occasion):
            return False
        self._met += 1
        if self._met % rule.every or self.random.random() >= rule.probability:
            return False
        self.fired += 1
        return True


class Faults:
    """All rules in force. Waits add up; of the other rules for an occasion, the first that fires decides alone."""

    def __init__(self) -> None:
        self.arm([])

    def __bool__(self) -> bool:
        return bool(self._all)

    def arm(self, rules: Iterable[Fault]) -> None:
        """Put these rules in the place of all others."""
        self._latencies: list[Armed[Latency]] = []
        self._requests: list[Armed[RequestFault]] = []
        self._delays: list[Armed[DelayReports]] = []
        self._reports: list[Armed[ReportFault]] = []
        self._all: list[Armed[Any]] = []
        for rule in rules:
            match rule:
                case Latency():
                    self._enlist(rule, self._latencies)
                case DelayReports():
                    self._enlist(rule, self._delays)
                case DuplicateReports() | ReorderReports() | DropReports() | CutStream() | Malformed(on=On.STREAM):
                    self._enlist(rule, self._reports)
                case _:
                    self._enlist(rule, self._requests)

    def told(self) -> list[dict[str, Any]]:
        """Every rule as it was written, with the number of times it has `fired`."""
        return [{**msgspec.to_builtins(armed.rule), "fired": armed.fired} for armed in self._all]

    def on_request(self, occasion: Occasion) -> tuple[float, RequestFault | None]:
        """How many seconds this request waits, and what else befalls it."""
        return _wait(self._latencies, occasion), _first(self._requests, occasion)

    def on_report(self, occasion: Occasion) -> tuple[float, ReportFault | None]:
        """How many seconds this report waits, and what else befalls it."""
        return _wait(self._delays, occasion), _first(self._reports, occasion)

    def _enlist(self, rule: _Rule, among: list[Armed[_Rule]]) -> None:
        armed = Armed(rule)
        among.append(armed)
        self._all.append(armed)


def _wait(among: Sequence[Armed[_WaitingRule]], occasion: Occasion) -> float:
    return sum(armed.random.uniform(*armed.rule.bounds) for armed in among if armed.fires(occasion))


def _first(among: Sequence[Armed[_Rule]], occasion: Occasion) -> _Rule | None:
    return next((armed.rule for armed in among if armed.fires(occasion)), None)
