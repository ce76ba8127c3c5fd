"""The command ``orderlog``: finds the asked-for subcommand and ends with an exit code that means something.

A subcommand's module is imported when it is asked for, and only then: ``orderlog --help`` imports none of them.
"""

import os
import sys
from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer
import typer.main
from typer.core import TyperGroup
from typer.exceptions import TyperException

from cli.exits import ExitCode, explained
from cli.options import commands
from cli.output import say, write_line
from infrastructure.version import VERSION


class Entry(NamedTuple):
    """Where a subcommand is, and what it does in one line."""

    module: str
    name: str
    summary: str


COMMANDS = {
    "serve": Entry("cli.serve", "serve", "Run the whole engine: servers, migrations, API, worker, venue."),
    "work": Entry("cli.work", "work", "Run the worker alone: executor, projections, status messages."),
    "venue": Entry("cli.venue", "venue", "Run the paper venue alone."),
    "token": Entry("cli.token", "token", "Print a token for a trader."),
    "db": Entry("cli.database", "app", "Migrate the database, and say where it stands."),
    "accounts": Entry("cli.accounts", "app", "Move cash, show an account, and set its limits."),
    "orders": Entry("cli.orders", "app", "Place, list, show and cancel orders."),
    "projections": Entry("cli.projections", "app", "See how the read models stand; rebuild and verify them."),
    "halt": Entry("cli.halts", "halt", "Halt all trading, a trader, or a symbol."),
    "resume": Entry("cli.halts", "resume", "End a halt."),
    "halts": Entry("cli.halts", "halts", "List what is halted."),
    "rollout": Entry("cli.rollout", "app", "Say whose orders are taken: on, off, and the ramp."),
    "events": Entry("cli.events", "app", "Read the event log, and prove that it is what was recorded."),
    "load": Entry("cli.load", "load", "Send a file of real order flow through the engine."),
    "doctor": Entry("cli.doctor", "doctor", "Find what is wrong, and say what to do about it."),
}


class Commands(TyperGroup):
    """The subcommands by name, each imported when it is asked for; and the one place where errors become sentences."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002 - typer keeps its context type to itself
        """The subcommand, or None when there is none of that name."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        found = getattr(import_module(entry.module), entry.name)
        if not isinstance(found, typer.Typer):
            group = commands()
            group.command()(found)
            found = group
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002 - see above
        """Write the list of subcommands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - see above
        """Run the subcommand.

        A reader that has had enough (``| head``) is no failure. An error is one sentence and its exit code.
        """
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # Python flushes standard output once more at its end, and must find something that takes it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(ExitCode.DONE) from None
        except (TyperException, typer.Exit, typer.Abort):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, a person reads it
            failure = explained(error)
            say(f"orderlog: {failure}")
            raise typer.Exit(failure.exit_code) from None
        return result


app = typer.Typer(
    cls=Commands,
    name="orderlog",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _say_version(*, asked: bool) -> None:
    if asked:
        write_line(f"orderlog {VERSION}")
        raise typer.Exit


@app.callback()
def orderlog(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """An event-sourced order engine.

    Data goes to standard output (as JSON when it is piped, or with --json), messages to standard error.
    Exit codes: 0 done, 1 failed, 2 misuse, 3 verification found a difference, 4 lag over the threshold, 5 already running.
    """


def main() -> None:
    """Run the command line of this process."""
    app(prog_name="orderlog")
