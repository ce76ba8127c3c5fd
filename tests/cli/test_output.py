import csv
from io import StringIO

import pytest

from cli.output import csv_line


def read(line: str) -> list[str]:
    (fields,) = csv.reader(StringIO(line, newline=""), strict=True)
    return fields


@pytest.mark.parametrize(
    "text", ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("//x")', "-1.5e3", "--1"]
)
def test_a_text_that_a_spreadsheet_would_take_for_a_formula_says_that_it_is_a_text(text: str) -> None:
    assert read(csv_line([text, "b"])) == [f"'{text}", "b"]


@pytest.mark.parametrize("text", ["", "AAPL", "-30.00", "10", "it's = 1", "BTC/USD", "a\nb", "a\rb"])
def test_any_other_text_is_as_it_is(text: str) -> None:
    assert read(csv_line([text, None, 7])) == [text, "", "7"]
