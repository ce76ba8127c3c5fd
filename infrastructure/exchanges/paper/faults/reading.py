"""Rules as they are written, taken apart with suspicion."""

from pathlib import Path
from typing import Final, get_args

import msgspec

from infrastructure.exchanges.paper.faults.rules import Fault, On
from infrastructure.exchanges.paper.refusals import BadFaults

FAULTS: Final = tuple(str(rule.__struct_config__.tag) for rule in get_args(Fault))
"""The names of all faults."""


class _Words(msgspec.Struct):
    on: str
    fault: str


def parse_faults(raw: bytes) -> list[Fault]:
    """Read a list of rules in JSON.

    Raises:
        BadFaults: It is no such list; the message names the rule and what is wrong with it.
    """
    try:
        rules = msgspec.json.decode(raw, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadFaults(f"faults are a JSON list of rules: {error}") from error
    return [_parse_rule(number, bytes(rule)) for number, rule in enumerate(rules, start=1)]


def read_faults(path: Path) -> list[Fault]:
    """Read a file of rules.

    Raises:
        BadFaults: It is no list of rules.
        OSError: It cannot be read.
    """
    try:
        return parse_faults(path.read_bytes())
    except BadFaults as error:
        raise BadFaults(f"{path}: {error}") from error


def _parse_rule(number: int, raw: bytes) -> Fault:
    try:
        words = msgspec.json.decode(raw, type=_Words)
        for word, known in ((words.fault, FAULTS), (words.on, tuple(On))):
            if word not in known:
                raise BadFaults(f"rule {number}: {word!r} is none of {', '.join(known)}")
        rule: Fault = msgspec.json.decode(raw, type=Fault)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadFaults(f"rule {number}: {error}") from error
    return rule
