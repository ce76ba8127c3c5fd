"""Every fault can be rehearsed from the guide: its examples work, and it leaves nothing out."""

import re
from pathlib import Path
from typing import get_args

import pytest

from infrastructure.exchanges.paper.faults.reading import FAULTS, parse_faults
from infrastructure.exchanges.paper.faults.rules import Fault, On

GUIDE = (Path(__file__).parents[5] / "docs" / "how-to" / "rehearse-disasters.md").read_text()
EXAMPLES = re.findall(r"^faults '(.*?)'$", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_list_of_rules(example: str) -> None:
    assert parse_faults(example.encode())


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_has_an_example(fault: str) -> None:
    rules = [rule for example in EXAMPLES for rule in parse_faults(example.encode())]
    assert fault in {rule.__struct_config__.tag for rule in rules}


@pytest.mark.parametrize(
    "word", sorted({*On, *(field for rule in get_args(Fault) for field in rule.__struct_fields__)})
)
def test_a_word_of_the_language_is_explained(word: str) -> None:
    assert f"`{word}`" in GUIDE
