"""Every command, option, setting, event, status, flag, error code and endpoint is in the reference, or a test names it."""

import re
from collections.abc import Iterator
from dataclasses import fields
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main

from api.asyncapi import close_codes
from api.problems import STATUS_OF
from api.routes import ENDPOINTS
from application.status import MESSAGE_NAMES
from cli.exits import ExitCode
from cli.main import COMMANDS, app
from domain.events import TOPICS
from domain.lifecycle import Flag, Status
from infrastructure.settings import Settings
from projections.execution_log import ACTIONS

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"


def text(name: str) -> str:
    return (REFERENCE / f"{name}.md").read_text()


def row(name: str, code: str) -> str:
    """The table row that begins with the code."""
    return next((line for line in text(name).splitlines() if line.startswith(f"| `{code}` |")), "")


def leaves(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    subcommands = getattr(command, "commands", {})
    for name, subcommand in subcommands.items():
        yield from leaves(subcommand, (*words, name))
    if not subcommands:
        yield " ".join(words), command


def every_command() -> Iterator[tuple[str, Any]]:
    group: Any = typer.main.get_command(app)
    for name in COMMANDS:
        yield from leaves(group.get_command(None, name), ("orderlog", name))


@pytest.mark.parametrize(("name", "command"), list(every_command()))
def test_a_command_and_its_options_are_described(name: str, command: Any) -> None:
    section = re.search(rf"^## `{re.escape(name)}`\n(.*?)(?=^## |\Z)", text("commands"), re.MULTILINE | re.DOTALL)
    assert section, f"docs/reference/commands.md has no section for {name}"
    for parameter in command.params:
        for spelling in (*parameter.opts, *parameter.secondary_opts):
            if spelling.startswith("--") and spelling != "--help":
                assert f"`{spelling}" in section[1], f"{name} {spelling} is not described"


def test_no_command_is_described_that_does_not_exist() -> None:
    described = re.findall(r"^## `(orderlog .*)`$", text("commands"), re.MULTILINE)
    assert sorted(described) == sorted(name for name, _ in every_command())


@pytest.mark.parametrize("code", list(ExitCode))
def test_an_exit_code_is_described(code: ExitCode) -> None:
    assert f"\n| {code.value} | " in text("commands")


@pytest.mark.parametrize("setting", [str(field.validation_alias) for field in Settings.model_fields.values()])
def test_a_setting_is_described(setting: str) -> None:
    assert row("settings", setting)


@pytest.mark.parametrize("setting", ["ORDERLOG_HOST", "ORDERLOG_PORT", "ORDERLOG_WORKERS", "ORDERLOG_EXCHANGE"])
def test_a_setting_is_described_with_its_default(setting: str) -> None:
    defaults = {str(field.validation_alias): field.default for field in Settings.model_fields.values()}
    assert row("settings", setting).startswith(f"| `{setting}` | `{defaults[setting]}` |")


@pytest.mark.parametrize("topic", TOPICS)
def test_an_event_is_described_with_all_its_fields(topic: str) -> None:
    described = row("events", topic)
    assert described, f"docs/reference/events.md has no row for {topic}"
    for field in fields(TOPICS[topic]):
        assert field.name == "status" or f"`{field.name}`" in described, f"{topic}.{field.name} is not described"


@pytest.mark.parametrize("event", MESSAGE_NAMES)
def test_an_order_event_is_described_with_its_name_on_streams(event: type[Any]) -> None:
    assert f"| `{MESSAGE_NAMES[event]}` |" in row("events", event.__name__)


@pytest.mark.parametrize("event", ACTIONS)
def test_an_order_event_is_described_with_its_action_in_the_execution_log(event: type[Any]) -> None:
    assert f"| `{ACTIONS[event]}` |" in row("events", event.__name__)


def test_an_order_that_never_arrived_is_described_with_its_name_on_streams() -> None:
    assert "`order.error`" in text("endpoints")


@pytest.mark.parametrize("name", [*Status, *Flag])
def test_a_status_or_flag_is_described(name: str) -> None:
    assert row("events", name)


@pytest.mark.parametrize(("code", "status"), STATUS_OF.items())
def test_an_error_code_is_described_with_its_status(code: str, status: HTTPStatus) -> None:
    assert row("errors", code).startswith(f"| `{code}` | {status.value} |")


def test_the_codes_that_a_socket_closes_with_are_described_here_and_in_asyncapi() -> None:
    table = text("errors").partition("## Closed streams")[2]
    described = {int(code) for code in re.findall(r"^\| (\d{4}) \| ", table, re.MULTILINE)}
    assert described == {close["code"] for close in close_codes()} | {1009}  # the server's own


@pytest.mark.parametrize("endpoint", [f"{endpoint.method} {endpoint.path}" for endpoint in ENDPOINTS])
def test_an_endpoint_is_described(endpoint: str) -> None:
    assert row("endpoints", endpoint)


@pytest.mark.parametrize("document", ["README.md", "ARCHITECTURE.md"])
def test_links_lead_somewhere(document: str) -> None:
    root = REFERENCE.parents[1]
    links = re.findall(r"\]\(([^)#:]+)\)", (root / document).read_text())
    assert links
    assert [link for link in links if not (root / link).exists()] == []


@pytest.mark.parametrize(
    "document",
    [
        "ARCHITECTURE.md",
        "docs/how-to/limit-what-traders-may-do.md",
        "docs/how-to/what-happens-when.md",
        "docs/rollback.md",
    ],
)
def test_the_tests_that_prove_what_is_guaranteed_exist(document: str) -> None:
    root = REFERENCE.parents[1]
    named = set(re.findall(r"`(test_\w+)`", (root / document).read_text()))
    sources = "\n".join(file.read_text() for file in (root / "tests").rglob("test_*.py"))
    there = set(re.findall(r"def (test_\w+)\(", sources))
    assert named
    assert named - there == set()
