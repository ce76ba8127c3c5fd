"""What a document says to type, and a terminal to type it into."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LINE_ENDS = re.compile(r"\r+\n")
_MARK = re.compile(r"\x1e(\d+)\x1e")
_ROWS, _COLUMNS = 50, 132
_ANYTHING = "…"


@dataclass(frozen=True, slots=True)
class Step:
    """Commands, what they print where the document shows it, and the exit code that it names (```sh exit=28)."""

    commands: str
    shown: str | None
    exit_code: int

    @property
    def name(self) -> str:
        return self.commands.strip().splitlines()[0]


def steps_of(document: Path) -> list[Step]:
    """Every ``sh`` block of the document, with the ``text`` block that follows it."""
    steps: list[Step] = []
    for kind, options, content in _FENCE.findall(document.read_text()):
        if kind == "sh":
            exit_code = re.search(r"exit=(\d+)", options)
            steps.append(Step(content, None, int(exit_code[1]) if exit_code else 0))
        elif kind == "text" and steps:
            steps[-1] = Step(steps[-1].commands, content, steps[-1].exit_code)
    return steps


def is_shown(shown: str, printed: str) -> bool:
    """Whether this was printed: line by line, ``…`` standing for anything, and alone for any number of lines.

    Spaces between columns, the rules of tables and bars of progress are left to the terminal.
    """
    pattern = "".join(
        "(?:.*\n)*" if line == _ANYTHING else ".*".join(map(re.escape, line.split(_ANYTHING))) + "\n"
        for line in _lines(shown)
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _lines(printed))) is not None


def _lines(text: str) -> list[str]:
    plain = _LINE_ENDS.sub("\n", _ESCAPES.sub("", text))
    # What was written over is not seen any more.
    seen = (" ".join(line.rpartition("\r")[2].split()) for line in plain.split("\n"))
    return [line for line in seen if line.strip("─ ") and "━" not in line]


class Terminal:
    """A shell whose output is a terminal."""

    def __init__(self, shell: subprocess.Popen[bytes], screen: int) -> None:
        self._shell = shell
        self._screen = screen

    def type(self, commands: str) -> tuple[str, int]:
        """What the commands print, and the exit code of the last."""
        keyboard: IO[bytes] | None = self._shell.stdin
        assert keyboard is not None
        keyboard.write(f"{{ {commands.strip()}\n}} </dev/null; printf '\\036%d\\036' $?\n".encode())
        keyboard.flush()
        printed = b""
        while not (mark := _MARK.search(printed.decode(errors="replace"))):
            printed += os.read(self._screen, 65_536)
        return printed.decode()[: mark.start()], int(mark[1])


@contextmanager
def terminal(directory: Path, environment: Mapping[str, str]) -> Iterator[Terminal]:
    """A new terminal in the directory."""
    screen, its_end = pty.openpty()
    fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
    shell = subprocess.Popen(
        ["bash", "--noprofile", "--norc"],
        cwd=directory,
        env={**environment, "TERM": "xterm", "NO_COLOR": "1"},
        stdin=subprocess.PIPE,
        stdout=its_end,
        stderr=its_end,
    )
    os.close(its_end)
    try:
        yield Terminal(shell, screen)
    finally:
        shell.kill()
        shell.communicate()
        os.close(screen)
