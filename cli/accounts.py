"""``orderlog accounts``: move cash, show accounts and set limits of a running engine."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli.engine import EngineClient, engine_url, operator_client, settings, token_of
from cli.exits import CommandError, ExitCode
from cli.options import AsOf, AtPosition, Json, Token, Url, commands
from cli.output import csv_line, say, wants_json, write_json, write_line, write_record, write_table

_COLUMNS = {
    "symbol": "symbol",
    "quantity": "quantity",
    "average": "average_price",
    "price": "reference_price",
    "value": "market_value",
    "unrealised": "unrealised_pnl",
    "realised": "realised_pnl",
    "commission": "commission",
    "price at": "price_at",
}

_STATEMENT = "/api/v1/account/statement"
_PAGE = 500
_MOVEMENT = {
    "time": "timestamp",
    "amount": "amount",
    "balance": "balance",
    "event": "type",
    "position": "position",
    "order": "order_id",
    "fill": "fill_id",
    "what": "description",
}

Owner = Annotated[str, typer.Argument(metavar="TRADER", help="Whose account.")]
Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help="Dollars and cents, such as 10000 or 99.95.")]

app = commands("Move cash, show an account, and set its limits.")


@app.command()
def deposit(
    trader: Owner,
    amount: Amount,
    *,
    token: Token = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Bring cash into an account."""
    _move("deposits", trader, amount, token=token, url=url, as_json=as_json)


@app.command()
def withdraw(
    trader: Owner,
    amount: Amount,
    *,
    token: Token = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Take cash out of an account."""
    _move("withdrawals", trader, amount, token=token, url=url, as_json=as_json)


@app.command()
def show(
    trader: Owner,
    *,
    as_of: AsOf = None,
    position: AtPosition = None,
    token: Token = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Show cash, what of it is reserved, positions, and what all of it is worth, as it is or as it was."""
    known = settings()
    # A token that was given is meant; without one, the trader's own is signed.
    chosen = token or token_of(known, trader, None)
    with EngineClient(engine_url(known, url), chosen) as client:
        account = client.get("/api/v1/account", {"as_of": as_of, "position": position})
    if account["trader_id"] != trader:
        raise CommandError(f"The token is {account['trader_id']}'s, and shows no other account")
    _show(account, as_json=as_json)


@app.command()
def statement(
    trader: Owner,
    *,
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="What moved after this time (RFC 3339); all by default."),
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="What moved up to this time (RFC 3339); now by default.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Write CSV, with a line of names first.")] = False,
    token: Token = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Show every movement of cash with the event behind it: opening balance and movements add up to the closing balance.

    As JSON or CSV, one movement on each line; balances at the ends go to standard error.
    """
    known = settings()
    chosen = token or token_of(known, trader, None)
    span = {"trader_id": trader, "from": from_, "to": to, "limit": _PAGE}
    is_table = not as_csv and not wants_json(as_json)
    with EngineClient(engine_url(known, url), chosen) as client:
        page = client.get(_STATEMENT, span)
        say(f"Opening balance: {page['opening']} {page['currency']}")
        if as_csv:
            write_line(csv_line(_MOVEMENT.values()))
        is_first = True
        while True:
            movements = [{name: each[field] for name, field in _MOVEMENT.items()} for each in page["movements"]]
            if is_table:
                write_table(list(_MOVEMENT), [list(each.values()) for each in movements], header=is_first)
            for each, movement in zip(page["movements"], movements, strict=True):
                if as_csv:
                    write_line(csv_line(movement.values()))
                elif not is_table:
                    write_json(each)
            if page["next_cursor"] is None:
                break
            is_first = False
            page = client.get(_STATEMENT, span | {"cursor": page["next_cursor"]})
    say(f"Closing balance: {page['closing']} {page['currency']}")


@app.command()
def limits(
    trader: Owner,
    *,
    max_position: Annotated[
        str | None, typer.Option(metavar="UNITS", help="Of a symbol, working buys included.")
    ] = None,
    max_order_quantity: Annotated[str | None, typer.Option(metavar="UNITS", help="Of one order.")] = None,
    max_order_notional: Annotated[str | None, typer.Option(metavar="DOLLARS", help="Of one order.")] = None,
    max_open_orders: Annotated[str | None, typer.Option(metavar="COUNT", help="Orders that work at once.")] = None,
    max_orders_per_second: Annotated[
        str | None, typer.Option(metavar="COUNT", help="New orders and replacements in any second.")
    ] = None,
    max_daily_notional: Annotated[
        str | None, typer.Option(metavar="DOLLARS", help="Of all orders of a day (UTC), filled or not.")
    ] = None,
    price_collar_percent: Annotated[
        str | None, typer.Option(metavar="PERCENT", help="How far limit prices may be from the market.")
    ] = None,
    duplicate_window_seconds: Annotated[
        str | None, typer.Option(metavar="SECONDS", help="For how long the same order is refused; 0: never.")
    ] = None,
    restricted_symbols: Annotated[
        str | None, typer.Option(metavar="SYMBOLS", help="Not to be traded, such as AAPL,TSLA; an empty text: none.")
    ] = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why; it is recorded.")] = None,
    token: Token = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Show the limits of a trader, or set some; what is not named stays, and `default` gives one back to the default."""
    asked = {
        "max_position": max_position,
        "max_order_quantity": max_order_quantity,
        "max_order_notional": max_order_notional,
        "max_open_orders": max_open_orders,
        "max_orders_per_second": max_orders_per_second,
        "max_daily_notional": max_daily_notional,
        "price_collar_percent": price_collar_percent,
        "duplicate_window_seconds": duplicate_window_seconds,
        "restricted_symbols": restricted_symbols,
    }
    changes = {name: _limit(name, value) for name, value in asked.items() if value is not None}
    if reason is not None and not changes:
        raise CommandError(
            "--reason says why limits are changed: name one, such as --max-position 100", ExitCode.MISUSE
        )
    path = f"/api/v1/accounts/{quote(trader, safe='')}/limits"
    with operator_client(token, url) as client:
        found = client.put(path, changes | {"reason": reason}) if changes else client.get(path)
    if wants_json(as_json):
        write_json(found)
        return
    rows = [(name, found[name], "default" if name in found["defaults"] else f"set for {trader}") for name in asked]
    write_table(("limit", "value", "which is"), rows)


def _limit(name: str, value: str) -> str | list[str] | None:
    if value == "default":
        return None
    return [each for each in value.split(",") if each] if name == "restricted_symbols" else value


def _move(kind: str, trader: str, amount: str, *, token: str | None, url: str | None, as_json: bool) -> None:
    with operator_client(token, url) as client:
        path = f"/api/v1/accounts/{quote(trader, safe='')}/{kind}"
        _show(client.post(path, {"amount": amount}), as_json=as_json)


def _show(account: dict[str, Any], *, as_json: bool) -> None:
    if wants_json(as_json):
        write_json(account)
        return
    write_record({name: value for name, value in account.items() if name != "positions"})
    write_table(list(_COLUMNS), [[each[field] for field in _COLUMNS.values()] for each in account["positions"]])
