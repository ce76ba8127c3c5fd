"""``orderlog orders``: place, list, show, cancel and replace orders of a running engine."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli.engine import EngineClient, engine_url, settings, token_of
from cli.options import AsOf, AtPosition, Json, Token, Trader, Url, commands
from cli.output import wants_json, write_json, write_record, write_table

_PAGE_MAX = 100
_COLUMNS = {
    "id": "id",
    "symbol": "symbol",
    "side": "side",
    "quantity": "quantity",
    "type": "order_type",
    "price": "price",
    "status": "status",
    "filled": "filled_quantity",
    "average": "average_fill_price",
    "created at": "created_at",
}

OrderId = Annotated[str, typer.Argument(metavar="ID", help="The order's id.")]

app = commands("Place, list, show, cancel and replace orders.")


@app.command()
def place(
    *,
    symbol: Annotated[str, typer.Option(help="What to trade, such as AAPL.")],
    quantity: Annotated[str, typer.Option(help="How many units.")],
    order_type: Annotated[str, typer.Option(metavar="TYPE", help="MARKET, LIMIT, STOP or STOP_LIMIT.")],
    side: Annotated[str, typer.Option(help="BUY or SELL.")] = "BUY",
    price: Annotated[str | None, typer.Option(help="The limit price, in dollars a unit.")] = None,
    stop_price: Annotated[str | None, typer.Option(help="The stop price, in dollars a unit.")] = None,
    time_in_force: Annotated[str, typer.Option(metavar="TIF", help="DAY, GTC, IOC or FOK.")] = "DAY",
    stop_loss: Annotated[str | None, typer.Option(help="Sell what is filled when the price falls to this.")] = None,
    take_profit: Annotated[str | None, typer.Option(help="Sell what is filled at this price or better.")] = None,
    client_order_id: Annotated[
        str | None, typer.Option(metavar="NAME", help="Your own name for the order; the same again places nothing.")
    ] = None,
    trader: Trader = None,
    token: Token = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Place an order. The options are the fields of the request."""
    request = {
        "symbol": symbol,
        "side": side,
        "quantity": quantity,
        "order_type": order_type,
        "price": price,
        "stop_price": stop_price,
        "time_in_force": time_in_force,
        "stop_loss": stop_loss,
        "take_profit": take_profit,
        "client_order_id": client_order_id,
    }
    with _client(trader, token, url) as client:
        _show(client.post("/api/v1/orders", request), as_json=as_json)


@app.command("list")
def list_orders(
    *,
    status: Annotated[str | None, typer.Option(help="Only orders with this status.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Only orders of this symbol.")] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many, newest first.")] = 20,
    as_of: AsOf = None,
    position: AtPosition = None,
    trader: Trader = None,
    token: Token = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List orders, newest first, as they are or as they were; as JSON, one order on each line."""
    chosen = {"status": status, "symbol": symbol, "as_of": as_of, "position": position}
    orders: list[dict[str, Any]] = []
    cursor = None
    with _client(trader, token, url) as client:
        while len(orders) < limit:
            wanted = min(_PAGE_MAX, limit - len(orders))
            page = client.get("/api/v1/orders", {**chosen, "limit": wanted, "cursor": cursor})
            orders += page["orders"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
    if wants_json(as_json):
        for order in orders:
            write_json(order)
    else:
        write_table(list(_COLUMNS), [[order[field] for field in _COLUMNS.values()] for order in orders])


@app.command()
def show(
    order_id: OrderId,
    *,
    as_of: AsOf = None,
    position: AtPosition = None,
    version: Annotated[int | None, typer.Option(metavar="N", help="As it was after its first N events.")] = None,
    trader: Trader = None,
    token: Token = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Show one order with its fills, now or as it was."""
    with _client(trader, token, url) as client:
        _show(client.get(_path(order_id), {"as_of": as_of, "position": position, "version": version}), as_json=as_json)


@app.command()
def cancel(
    order_id: OrderId,
    *,
    trader: Trader = None,
    token: Token = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Cancel what is not filled of an order."""
    with _client(trader, token, url) as client:
        _show(client.post(f"{_path(order_id)}/cancel"), as_json=as_json)


@app.command()
def replace(
    order_id: OrderId,
    *,
    quantity: Annotated[str | None, typer.Option(help="The new total, fills included.")] = None,
    price: Annotated[str | None, typer.Option(help="The new limit price.")] = None,
    stop_price: Annotated[str | None, typer.Option(help="The new stop price.")] = None,
    trader: Trader = None,
    token: Token = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Go on with other terms; what is left out stays as it is."""
    request = {"quantity": quantity, "price": price, "stop_price": stop_price}
    with _client(trader, token, url) as client:
        _show(client.post(f"{_path(order_id)}/replace", request), as_json=as_json)


def _client(trader: str | None, token: str | None, url: str | None) -> EngineClient:
    known = settings()
    return EngineClient(engine_url(known, url), token_of(known, trader, token))


def _path(order_id: str) -> str:
    return f"/api/v1/orders/{quote(order_id, safe='')}"


def _show(order: dict[str, Any], *, as_json: bool) -> None:
    if wants_json(as_json):
        write_json(order)
    else:
        write_record(order)
