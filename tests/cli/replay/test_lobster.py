from decimal import Decimal
from pathlib import Path

import pytest

from cli.replay.lobster import Kind, MessageFileError, read_messages
from domain.values import Side


def test_a_line_is_a_message_with_exact_numbers(tmp_path: Path) -> None:
    file = tmp_path / "messages.csv"
    file.write_text("34200.004241176,1,16113575,18,5853300,1\n34200.5,4,16113575,7,5853301,-1\n")
    first, second = read_messages(file)
    assert (first.line, first.seconds, first.kind) == (1, Decimal("34200.004241176"), Kind.NEW)
    assert (first.order_id, first.size, first.price, first.side) == ("16113575", 18, Decimal("585.33"), Side.BUY)
    assert (second.line, second.kind, second.price, second.side) == (2, Kind.EXECUTION, Decimal("585.3301"), Side.SELL)


@pytest.mark.parametrize(
    "line",
    [
        "34200,1,1,18,5853300",
        "34200,1,1,18,5853300,1,0",
        "noon,1,1,18,5853300,1",
        "NaN,1,1,18,5853300,1",
        "34200,9,1,18,5853300,1",
        "34200,1,1,some,5853300,1",
        "34200,1,1,18,585.33,1",
        "34200,1,1,18,5853300,up",
    ],
)
def test_a_line_that_is_no_message_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    file = tmp_path / "messages.csv"
    file.write_text(f"34200,1,1,18,5853300,1\n{line}\n")
    with pytest.raises(MessageFileError, match="line 2"):
        list(read_messages(file))


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(MessageFileError, match=r"missing\.csv cannot be read"):
        list(read_messages(tmp_path / "missing.csv"))


def test_a_file_that_is_not_text_says_so(tmp_path: Path) -> None:
    file = tmp_path / "messages.csv"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MessageFileError, match="cannot be read"):
        list(read_messages(file))
