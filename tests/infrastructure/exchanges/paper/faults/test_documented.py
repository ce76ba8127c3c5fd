"""Every fault can be rehearsed from the guide: its examples work, and it leaves nothing out."""

import re
from pathlib import Path
from typing import get_args
from uuid import UUID

import pytest

from infrastructure.exchanges.paper.bodies import BustBody, CorrectBody
from infrastructure.exchanges.paper.faults.reading import FAULTS, parse_faults
from infrastructure.exchanges.paper.faults.rules import Fault, On
from infrastructure.exchanges.paper.requests import body
from tests.infrastructure.exchanges.paper.floor import OPENING

GUIDE = (Path(__file__).parents[5] / "docs" / "how-to" / "rehearse-disasters.md").read_text()
BUSTS = re.findall(r"^bust '(.*?)'$", GUIDE, re.MULTILINE)
CORRECTIONS = re.findall(r"^correct '(.*?)'$", GUIDE, re.MULTILINE)
EXAMPLES = re.findall(r"^faults '(.*?)'$", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_list_of_rules(example: str) -> None:
    assert parse_faults(example.encode())


@pytest.mark.parametrize(
    ("example", "form"), [*((text, BustBody) for text in BUSTS), *((text, CorrectBody) for text in CORRECTIONS)]
)
def test_an_example_of_a_bust_or_a_correction_is_one(example: str, form: type[BustBody | CorrectBody]) -> None:
    made = body(example.encode(), form).command(OPENING)
    assert str(UUID(made.execution_id)) == made.execution_id
    assert f"/control/{'busts' if form is BustBody else 'corrections'}" in GUIDE


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_has_an_example(fault: str) -> None:
    rules = [rule for example in EXAMPLES for rule in parse_faults(example.encode())]
    assert fault in {rule.__struct_config__.tag for rule in rules}


@pytest.mark.parametrize(
    "word", sorted({*On, *(field for rule in get_args(Fault) for field in rule.__struct_fields__)})
)
def test_a_word_of_the_language_is_explained(word: str) -> None:
    assert f"`{word}`" in GUIDE
