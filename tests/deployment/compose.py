"""compose.yaml and the Dockerfile as data: what would run, with which variables."""

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SECRETS = {"POSTGRES_PASSWORD": "a-password", "ORDERLOG_JWT_SECRET": "a secret that is long enough for HS256"}

_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def services(variables: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The services of compose.yaml, with the variables in place."""
    text = (ROOT / "compose.yaml").read_text()
    found: dict[str, dict[str, Any]] = yaml.safe_load(_VARIABLE.sub(lambda match: _value(match, variables), text))[
        "services"
    ]
    return found


def _value(match: re.Match[str], variables: Mapping[str, str]) -> str:
    name, otherwise, text = match.groups()
    if name in variables:
        return variables[name]
    if otherwise != "-":
        raise KeyError(f"{name}: {text}")
    return str(text)


def instructions(stage: str) -> list[tuple[str, str]]:
    """The instructions of a stage of the Dockerfile, in order; the stage without a name is the last one, ``""``."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] = []
    for line in filter(None, whole.splitlines()):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            current = found.setdefault(rest.partition(" AS ")[2], [])
        current.append((word, rest))
    return found[stage]


def image_environment() -> dict[str, str]:
    """What the image sets, without the path."""
    (text,) = [rest for word, rest in instructions("") if word == "ENV"]
    return {name: value for name, _, value in (pair.partition("=") for pair in shlex.split(text)) if name != "PATH"}


def image_command(word: str = "CMD") -> list[str]:
    (text,) = [rest for each, rest in instructions("") if each == word]
    found: list[str] = json.loads(text[text.index("[") :])
    return found
