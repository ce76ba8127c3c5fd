"""``orderlog halt``, ``resume`` and ``halts``: the kill switch of a running engine."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli.engine import operator_client
from cli.options import Json, Token, Url
from cli.output import say, wants_json, write_json, write_record, write_table

_PATH = "/api/v1/halts"

Scope = Annotated[str, typer.Argument(metavar="SCOPE", help="all, trader:TRADER or symbol:SYMBOL.")]


def halt(
    scope: Scope,
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is recorded, and traders do not see it.")],
    cancel_open: Annotated[bool, typer.Option("--cancel-open", help="Cancel what works there, too.")] = False,
    token: Token = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Take no new orders and no other terms in a scope, in any process, from now on; cancels pass."""
    with operator_client(token, url) as client:
        made = client.post(_PATH, {"scope": scope, "reason": reason, "cancel_open": cancel_open})
    if wants_json(as_json):
        write_json(made)
    else:
        write_record(made)


def resume(
    scope: Scope,
    *,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why; it is recorded.")] = None,
    token: Token = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """End the halt of a scope, and list what is still halted."""
    with operator_client(token, url) as client:
        left = client.delete(f"{_PATH}/{quote(scope, safe='')}", {"reason": reason})
    say(f"{scope} is no longer halted")
    _list(left, as_json=as_json)


def halts(*, token: Token = None, url: Url = None, as_json: Json = False) -> None:
    """List what is halted, since when, by whom and why; as JSON, one halt on each line."""
    with operator_client(token, url) as client:
        _list(client.get(_PATH), as_json=as_json)


def _list(page: dict[str, Any], *, as_json: bool) -> None:
    found: list[dict[str, Any]] = page["halts"]
    if wants_json(as_json):
        for each in found:
            write_json(each)
        return
    if not found:
        say("Nothing is halted")
        return
    rows = [[each["scope"], each["halted_at"], each["halted_by"], _open_orders(each), each["reason"]] for each in found]
    write_table(("scope", "halted at", "by", "open orders", "reason"), rows)


def _open_orders(halted: dict[str, Any]) -> str:
    if not halted["cancel_open"]:
        return "work on"
    return "cancels are requested" if halted["cancel_requested"] else "are being cancelled"
