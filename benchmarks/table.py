"""The figures as a table, as JSON and as a picture."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.rounds import Figure

RESULTS = Path(__file__).parent / "results"


def show(figures: Sequence[Figure], machine: Mapping[str, str], pace: str) -> None:
    """Print the table."""
    table = Table(title=f"orderlog, {pace}", caption=", ".join(f"{name} {value}" for name, value in machine.items()))
    for name in ("what", "ours", "unit", "beside", "theirs", "figure", "spread", "at least", "aim"):
        table.add_column(name, justify="left" if name in {"what", "unit", "beside"} else "right")
    for figure in figures:
        ratio = "x" if figure.theirs else ""
        bound = "at most " if figure.goal.at_most else ""
        met = figure.goal.met(figure.value)
        table.add_row(
            figure.name,
            _short(median(figure.ours)),
            figure.unit,
            figure.baseline,
            _short(median(figure.theirs)) if figure.theirs else "",
            f"{_short(figure.value)}{ratio}{'' if met is not False else ' !'}",
            f"{_short(min(figure.values))}-{_short(max(figure.values))}",
            "" if figure.goal.at_least is None else f"{bound}{figure.goal.at_least:g}{ratio}",
            "" if figure.goal.aim is None else f"{figure.goal.aim:g}{ratio}",
        )
    console = Console(width=None if Console().is_terminal else 200)
    console.print(table)
    for figure in figures:
        if figure.note:
            console.print(f"{figure.name}: {figure.note}")


def write(name: str, figures: Sequence[Figure], machine: Mapping[str, str], pace: str) -> Path:
    """Write the figures as JSON and as a picture; returns the JSON's path."""
    RESULTS.mkdir(exist_ok=True)
    found = [asdict(figure) | {"value": figure.value} for figure in figures]
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"pace": pace, "machine": dict(machine), "figures": found}, indent=2))
    _draw(RESULTS / f"{name}.png", figures)
    return path


def _draw(path: Path, figures: Sequence[Figure]) -> None:
    """Each ratio as a bar on a logarithmic scale, with a tick at what it has to be and one at what is aimed for."""
    import matplotlib as mpl  # noqa: PLC0415 - takes a second

    mpl.use("agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - the same

    ratios = [figure for figure in figures if figure.theirs]
    if not ratios:
        return
    drawing, axes = plt.subplots(figsize=(10, 1 + 0.5 * len(ratios)), layout="constrained")
    for row, figure in enumerate(reversed(ratios)):
        low, high = min(figure.values), max(figure.values)
        good = figure.goal.met(figure.value) is not False
        axes.barh(row, figure.value, color="#2f6f4f" if good else "#b3541e", height=0.55)
        axes.plot([low, high], [row, row], color="black", linewidth=1)
        for goal, style in ((figure.goal.at_least, "-"), (figure.goal.aim, ":")):
            if goal is not None:
                axes.plot([goal, goal], [row - 0.4, row + 0.4], color="black", linestyle=style)
    axes.set_yticks(
        range(len(ratios)), [f"{each.name}\nbeside {each.baseline}" for each in reversed(ratios)], fontsize=8
    )
    axes.set_xscale("log")
    axes.set_xlabel("times the baseline (bar: median; line: all rounds; tick: at least; dots: aim)")
    drawing.savefig(path, dpi=120)
    plt.close(drawing)


def _short(value: float) -> str:
    if abs(value) >= 100:  # noqa: PLR2004 - from here on no decimals
        return f"{value:,.0f}"
    return f"{value:.3g}"
