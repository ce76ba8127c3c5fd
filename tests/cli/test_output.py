import csv

import pytest

from cli.output import csv_line


@pytest.mark.parametrize(
    "text", ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("//x")', "-1.5e3", "--1"]
)
def test_a_text_that_a_spreadsheet_would_take_for_a_formula_says_that_it_is_a_text(text: str) -> None:
    assert next(csv.reader([csv_line([text, "b"])], strict=True)) == [f"'{text}", "b"]


@pytest.mark.parametrize("text", ["", "AAPL", "-30.00", "10", "it's = 1", "BTC/USD"])
def test_any_other_text_is_as_it_is(text: str) -> None:
    assert next(csv.reader([csv_line([text, None, 7])])) == [text, "", "7"]
