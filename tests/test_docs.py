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
from api.endpoints import Endpoint
from api.messages import STATUS_MESSAGES
from api.problems import STATUS_OF
from api.routes import ENDPOINTS
from application.status import MESSAGE_NAMES
from cli.exits import ExitCode
from cli.main import COMMANDS, app
from domain.events import TOPICS
from domain.lifecycle import Flag, Status
from infrastructure.settings import Settings
from infrastructure.version import VERSION
from projections.execution_log import ACTIONS

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"

HEADERS = (
    "Authorization",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "Accept",
    "Idempotent-Replayed",
    "Retry-After",
    "WWW-Authenticate",
    "Allow",
)
"""What the code reads and answers by name; those that the table of endpoints names come on top."""

ELSEWHERE = {"settings": {"ORDERLOG_TOKEN"}}
"""What the command line reads by itself."""


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


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
def test_what_an_endpoint_reads_is_described(endpoint: Endpoint) -> None:
    models = [model for model in (endpoint.query, endpoint.body) if model is not None]
    names = [field.alias or name for model in models for name, field in model.model_fields.items()]
    assert [name for name in names if f"`{name}`" not in text("endpoints")] == []


def test_the_headers_that_are_read_and_answered_are_described() -> None:
    headers = set(HEADERS) | {name for endpoint in ENDPOINTS for name in endpoint.headers}
    section = text("endpoints").partition("## Headers")[2].partition("\n## ")[0]
    assert [name for name in sorted(headers) if not re.search(rf"^\| `{name}` \| ", section, re.MULTILINE)] == []


def test_every_field_of_a_status_message_is_described() -> None:
    section = text("endpoints").partition("## Status messages")[2]
    fields_of_all = {field for model in STATUS_MESSAGES.values() for field in model.model_fields}
    assert [name for name in sorted(fields_of_all) if f"`{name}`" not in section and f'"{name}"' not in section] == []


@pytest.mark.parametrize(
    ("name", "pattern", "there"),
    [
        ("settings", "[A-Z][A-Z0-9_]+", {str(field.validation_alias) for field in Settings.model_fields.values()}),
        ("errors", "[A-Z][A-Z_]+", set(STATUS_OF)),
        ("events", "[A-Z][a-z]+[A-Z][A-Za-z]+", set(TOPICS)),
        (
            "endpoints",
            r"(?:GET|POST|PUT|DELETE|WS) /(?:api|ws)/[^`]+",
            {f"{endpoint.method} {endpoint.path}" for endpoint in ENDPOINTS} | {"WS /ws/orders/events"},
        ),
    ],
)
def test_nothing_is_described_that_does_not_exist(name: str, pattern: str, there: set[str]) -> None:
    described = set(re.findall(rf"^\| `({pattern})` \|", text(name), re.MULTILINE))
    assert described - there == ELSEWHERE.get(name, set())


DOCUMENTS = [
    str(file.relative_to(ROOT))
    for file in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    if file.name != "NOTES.md"
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    """Every relative link leads to a file, and one with an anchor to a heading of it."""
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(ROOT / document)):
        path, _, anchor = link.partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        if not re.match("[a-z]+:", link) and not (target.exists() and (not anchor or anchor in anchors(target))):
            dead.append(link)
    assert dead == []


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link).resolve() for link in re.findall(r"\]\(([^)#:]+)\)", index.read_text())}
    pages = [file for file in (ROOT / "docs").rglob("*.md") if file.parent.name != "decisions" and file != index]
    assert [str(file.relative_to(index.parent)) for file in pages if file not in linked] == []


def prose(file: Path) -> str:
    """The text without its code."""
    return re.sub(r"^```.*?^```$|`[^`\n]*`", "", file.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(file: Path) -> set[str]:
    """What its headings are called in a link."""
    headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", [each for each in DOCUMENTS if "`test_" in (ROOT / each).read_text()])
def test_the_tests_that_prove_what_is_guaranteed_exist(document: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / document).read_text()))
    sources = "\n".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    assert named - set(re.findall(r"def (test_\w+)\(", sources)) == set()


def test_the_changelog_has_the_version() -> None:
    sections = re.findall(r"^## \[(.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert sections[:2] == ["Unreleased", VERSION]
