"""The files of a deployment say what the program understands: no daemon of Docker or systemd is needed to see that."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cli.main import app
from infrastructure.settings import Settings, load_settings
from tests.deployment.compose import ROOT, SECRETS, image_command, image_environment, instructions, services

SETTINGS = {str(field.validation_alias) for field in Settings.model_fields.values()}
SERVICES = services(SECRETS)
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
UNITS = sorted((ROOT / "docs" / "deployment").glob("*.service"))

IMPORT_ALL = """
import importlib, pkgutil, sys
from pathlib import Path
here = Path.cwd()
for package in sys.argv[1:]:
    for module in pkgutil.walk_packages([str(here / package)], package + "."):
        if not module.name.endswith("__main__") and not module.name.startswith("migrations."):
            importlib.import_module(module.name)
ours = {name: Path(str(module.__file__)) for name, module in sys.modules.items() if name.partition(".")[0] in sys.argv[1:]}
assert len(ours) > 100
print(*[name for name, file in ours.items() if not file.is_relative_to(here)])
"""


def understood(command: list[str]) -> None:
    """See that the command line takes the words."""
    program, name, *words = command
    assert program == "orderlog"
    group: Any = typer.main.get_command(app)
    found = group.get_command(None, name)
    if hasattr(found, "commands") and words and words[0] in found.commands:
        found, words = found.commands[words[0]], words[1:]
    found.make_context(name, words)


@pytest.mark.parametrize("name", OURS)
def test_a_service_runs_a_command_that_there_is(name: str) -> None:
    understood(OURS[name]["command"])
    test = OURS[name].get("healthcheck", {}).get("test", ["CMD", "python"])
    assert test[0] == "CMD"
    if test[1] == "orderlog":
        understood(test[1:])
    else:
        assert test[1] == "python"


def test_the_image_runs_a_command_that_there_is() -> None:
    understood(image_command())
    assert image_command("HEALTHCHECK")[0] == "python"


@pytest.mark.parametrize("name", OURS)
def test_a_service_sets_what_the_program_reads(name: str) -> None:
    variables = {**image_environment(), **OURS[name]["environment"]}
    assert {name for name in variables if not name.startswith("PYTHON")} <= SETTINGS
    settings = load_settings(variables)
    if "DATABASE_URL" in variables:
        assert settings.alpaca_stream_url == "ws://venue:8010/stream"
        assert settings.database_url == "postgresql://orderlog:a-password@postgres:5432/orderlog"


def test_every_service_that_is_waited_for_says_whether_it_is_well() -> None:
    for service in SERVICES.values():
        for name, how in service.get("depends_on", {}).items():
            assert SERVICES[name]
            if how["condition"] == "service_healthy":
                assert SERVICES[name]["healthcheck"]["test"]


def test_secrets_have_to_be_set_and_the_example_names_them() -> None:
    for name in SECRETS:
        with pytest.raises(KeyError, match=name):
            services({other: value for other, value in SECRETS.items() if other != name})
    example = (ROOT / "docs" / "deployment" / "compose.env.example").read_text()
    assert set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE)) == set(SECRETS)
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_an_image_is_named_without_a_host() -> None:
    images = [service["image"] for service in SERVICES.values()]
    images += [
        rest.split()[0] for stage in ("page", "packages", "") for word, rest in instructions(stage) if word == "FROM"
    ]
    assert all(
        ("." not in image.partition("/")[0] and ":" not in image.partition("/")[0]) or "/" not in image
        for image in images
    )


def test_the_image_runs_as_nobody_in_particular_and_writes_only_to_its_home() -> None:
    said = dict(instructions(""))
    assert said["USER"].split(":")[0] != "0"
    assert said["VOLUME"] == image_environment()["ORDERLOG_HOME"]
    assert all(service["read_only"] and service["cap_drop"] == ["ALL"] for service in OURS.values())


def sources(stage: str) -> list[tuple[list[str], str]]:
    """What is copied from the context, and where to."""
    copies = [rest.split() for word, rest in instructions(stage) if word == "COPY" and not rest.startswith("--from")]
    return [(words[:-1], words[-1]) for words in copies]


def test_what_the_image_is_made_of_is_there_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    wanted = [source for stage in ("page", "packages") for names, _ in sources(stage) for source in names]
    assert wanted
    for source in wanted:
        assert (ROOT / source).exists()
        assert f"!{source}" in ignored
    assert ignored[1] == "*"
    assert sorted(line[1:] for line in ignored if line.startswith("!")) == sorted(wanted)


def test_what_the_image_has_is_all_that_the_program_needs(tmp_path: Path) -> None:
    for names, target in sources("packages"):
        for name in names:
            there = tmp_path / target / ("" if target != "./" else name)
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, there, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, tmp_path / name)
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert (tmp_path / project["project"]["readme"]).exists()
    assert list((tmp_path / "migrations" / "versions").glob("0*.py"))
    done = subprocess.run(
        [sys.executable, "-B", "-c", IMPORT_ALL, *packages],
        cwd=tmp_path,
        env={"PATH": "/usr/bin", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def unit(file: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in file.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_a_unit_runs_a_command_that_there_is_with_settings_that_there_are(file: Path) -> None:
    said = unit(file)
    program, *words = said["ExecStart"][0].split()
    understood([Path(program).name, *words])
    variables = dict(pair.split("=", 1) for line in said["Environment"] for pair in line.replace("%i", "8000").split())
    example = (ROOT / "docs" / "deployment" / "orderlog.env.example").read_text()
    variables |= dict(line.split("=", 1) for line in example.splitlines() if line and not line.startswith("#"))
    assert {name for name in variables if not name.startswith("PYTHON")} <= SETTINGS
    load_settings(variables)
    assert said["NoNewPrivileges"] == ["yes"]
    assert said["User"] != ["root"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd that could say")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    for file in UNITS:
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", file.read_text(), flags=re.MULTILINE)
        (tmp_path / file.name.replace("@", "@8000")).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "orderlog" in line]
    assert ours == []
