"""``orderlog accounts``: move cash and show accounts of a running engine."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli.engine import EngineClient, engine_url, settings, token_of
from cli.exits import CommandError
from cli.options import AsOf, AtPosition, Json, Token, Url, commands
from cli.output import wants_json, write_json, write_record, write_table

_OPERATOR = "ops"
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

Owner = Annotated[str, typer.Argument(metavar="TRADER", help="Whose account.")]
Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help="Dollars and cents, such as 10000 or 99.95.")]

app = commands("Move cash, and show an account.")


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


def _move(kind: str, trader: str, amount: str, *, token: str | None, url: str | None, as_json: bool) -> None:
    known = settings()
    chosen = token or token_of(known, _OPERATOR, None, ("ops",))
    with EngineClient(engine_url(known, url), chosen) as client:
        path = f"/api/v1/accounts/{quote(trader, safe='')}/{kind}"
        _show(client.post(path, {"amount": amount}), as_json=as_json)


def _show(account: dict[str, Any], *, as_json: bool) -> None:
    if wants_json(as_json):
        write_json(account)
        return
    write_record({name: value for name, value in account.items() if name != "positions"})
    write_table(list(_COLUMNS), [[each[field] for field in _COLUMNS.values()] for each in account["positions"]])
