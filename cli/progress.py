"""How far a long piece of work has come: a bar on standard error where somebody watches, and nothing where nobody does."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class Advance(Protocol):
    """Tells the bar of steps that were made.

    ``lag`` is how many are still to be made, for work whose end moves while it goes on: the bar's end moves with it.
    """

    def __call__(self, steps: int, *, lag: int | None = None) -> None:
        """So many more steps."""
        ...


class _Rate(ProgressColumn):
    """Steps a second: over the last half minute, or over everything once it is done. At first nobody knows."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "-/s")


class _Lag(ProgressColumn):
    """How many steps behind an end that moves."""

    def render(self, task: Task) -> Text:
        return Text(f"lag {task.fields['lag']:,}" if task.fields["lag"] is not None else "")


@contextmanager
def progress(title: str, total: int, *, done: int = 0) -> Iterator[Advance]:
    """Show the work of the block with rate and remaining time; what it yields is told of every step that was made.

    Args:
        title: what is done, and in what it is counted: ``Folding the log, events``.
        total: how many steps there are.
        done: how many of them were made before, by work that goes on here.
    """
    if not sys.stderr.isatty():
        yield _unseen
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        _Lag(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total, completed=done, lag=None)

        def advance(steps: int, *, lag: int | None = None) -> None:
            bar.advance(task, steps)
            if lag is not None:
                bar.update(task, lag=lag, total=bar.tasks[0].completed + lag)

        yield advance


def _unseen(steps: int, *, lag: int | None = None) -> None:
    """Nobody watches."""
