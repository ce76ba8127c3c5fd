"""What a command says: data on standard output, everything else on standard error."""

import csv
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import Any

import typer

_LAST_COLUMN_WIDTH_MIN = 28
_WIDTH_MAX = 1000

_CSV_END = "\r\n"
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
_number = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def wants_json(asked: bool) -> bool:  # noqa: FBT001 - the value of the option --json
    """Whether data goes out as JSON: when asked for, and whenever nobody reads it on a terminal."""
    return asked or not sys.stdout.isatty()


def write_json(value: object) -> None:
    """One JSON value on one line of standard output."""
    write_line(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def csv_line(values: Iterable[object]) -> str:
    """One line of CSV (RFC 4180) without its end; what is None is empty.

    A text that a spreadsheet would take for a formula begins with an apostrophe, which says that it is a text.
    """
    text = StringIO()
    # With an end of the line, so that fields with a line break in them are put in quotes.
    csv.writer(text, lineterminator=_CSV_END).writerow([_field(value) for value in values])
    return text.getvalue().removesuffix(_CSV_END)


def _field(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA_SIGNS) and not _number.fullmatch(value):
        return f"'{value}"
    return "" if value is None else value


def write_line(text: str) -> None:
    """One line of data. It is out at once, so that whoever follows a pipe sees it."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def write_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, header: bool = True) -> None:
    """A table for a person: a header, unless it goes on from one before, and one line for each row."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - rich takes longer to import than most commands take
    from rich.console import Console  # noqa: PLC0415 - see above
    from rich.table import Table  # noqa: PLC0415 - see above

    console = Console(file=sys.stdout)
    table = Table(box=SIMPLE_HEAD if header else None, show_header=header, padding=(0, 1))
    cells = [[_cell(value) for value in row] for row in rows]
    for column, *texts in zip(columns[:-1], *cells, strict=False):
        table.add_column(column, no_wrap=True, min_width=max(len(column), *(text.cell_len for text in texts), 0))
    table.add_column(columns[-1], overflow="fold", min_width=_LAST_COLUMN_WIDTH_MIN)
    for row in cells:
        table.add_row(*row)
    # An id that is broken in two cannot be copied, so a table may be wider than the terminal, and only its last column
    # gives way.
    narrowest = console.measure(table, options=console.options.update(width=_WIDTH_MAX)).minimum
    console.width = max(console.width, narrowest)
    console.print(table)


def write_record(record: Mapping[str, Any]) -> None:
    """One thing for a person: its fields below each other."""
    write_table(("field", "value"), [(name, value) for name, value in record.items() if value not in (None, [], "")])


def say(text: str) -> None:
    """A message for a person, on standard error."""
    typer.echo(text, err=True)


def _cell(value: object) -> Any:  # noqa: ANN401 - rich's own type is not worth its import
    from rich.text import Text  # noqa: PLC0415 - see above

    if value is None:
        text = ""
    elif isinstance(value, str):
        text = value
    else:
        text = json.dumps(value, ensure_ascii=False)
    # What came from outside must not drive the terminal.
    return Text("".join(character if character.isprintable() or character == "\n" else "\ufffd" for character in text))
