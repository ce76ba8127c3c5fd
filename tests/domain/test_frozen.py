"""Frozen dataclasses that are made about as fast as others, and are like others in everything else."""

import copy
import dataclasses
import inspect
import pickle
from dataclasses import FrozenInstanceError, field, fields, replace
from pathlib import Path
from typing import get_args

import pytest

from domain.commands import OrderCommand
from domain.events import TOPICS
from domain.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Mixed:
    fourth: int = field(default=4, kw_only=True)
    first: int
    second: str = "two"
    third: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Changeable:
    only: int


def test_it_is_made_of_what_is_given_and_of_defaults() -> None:
    made = Mixed(1)
    assert (made.first, made.second, made.third, made.fourth) == (1, "two", [], 4)
    assert made.third is not Mixed(1).third
    assert Mixed(1, "2", [3], fourth=5) == Mixed(first=1, second="2", third=[3], fourth=5)
    assert repr(made) == "Mixed(fourth=4, first=1, second='two', third=[])"


@pytest.mark.parametrize(
    ("arguments", "named"), [((), {}), ((1, "2", [3], 4), {}), ((1,), {"fifth": 5}), ((1,), {"first": 1})]
)
def test_what_does_not_fit_is_refused(arguments: tuple[object, ...], named: dict[str, object]) -> None:
    with pytest.raises(TypeError, match=r"Mixed\.__init__\(\)"):
        Mixed(*arguments, **named)  # type: ignore[arg-type]


def test_it_cannot_be_changed_and_has_nothing_else() -> None:
    made = Mixed(1)
    with pytest.raises(FrozenInstanceError):
        made.first = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del made.first
    with pytest.raises((FrozenInstanceError, TypeError)):
        made.fifth = 5  # type: ignore[attr-defined]
    assert not hasattr(made, "__dict__")


def test_it_can_be_copied_replaced_and_sent_elsewhere() -> None:
    made = Mixed(1, fourth=5)
    assert type(made) is Mixed
    assert replace(made, second="2") == Mixed(1, "2", fourth=5)
    assert copy.deepcopy(made) == pickle.loads(pickle.dumps(made)) == made  # noqa: S301 - our own


def test_it_says_what_it_is_made_of() -> None:
    usual = dataclasses.make_dataclass("Usual", [("first", int), ("second", str, "two")], frozen=True, slots=True)
    quick = dataclass(frozen=True, slots=True)(
        type("Usual", (), {"__annotations__": usual.__annotations__, "second": "two"})
    )
    assert inspect.signature(quick) == inspect.signature(usual)
    assert [each.name for each in fields(quick)] == ["first", "second"]


def test_what_is_not_frozen_stays_so() -> None:
    made = Changeable(1)
    made.only = 2
    assert made == Changeable(2)


@pytest.mark.parametrize("cls", [*TOPICS.values(), *get_args(OrderCommand)])
def test_events_and_commands_cannot_be_changed_and_may_be_looked_up(cls: type) -> None:
    made = cls(**{each.name: each.name for each in fields(cls)})
    assert {made: 1}[replace(made)] == 1
    with pytest.raises(FrozenInstanceError):
        setattr(made, fields(cls)[0].name, None)


@pytest.mark.parametrize("package", ["domain", "application"])
def test_there_is_one_way_to_make_what_is_frozen(package: str) -> None:
    for path in (Path(__file__).parents[2] / package).glob("*.py"):
        text = path.read_text()
        assert "@dataclass(frozen=True" not in text or "from domain.frozen import dataclass\n" in text, path.name
