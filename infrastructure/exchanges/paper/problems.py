"""The one table from refusals to what Alpaca answers: an HTTP status and a code."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from infrastructure.exchanges.paper.amounts import plain
from infrastructure.exchanges.paper.dialect import Json, encode
from infrastructure.exchanges.paper.journal import JournalUnwritable
from infrastructure.exchanges.paper.refusals import (
    AssetNotFound,
    AssetNotTradable,
    BadFaults,
    BodyTooLarge,
    ClientOrderIdTaken,
    ExecutionNotFound,
    InsufficientBuyingPower,
    NotAuthorized,
    NotCancelable,
    NotJson,
    NotReplaceable,
    NotRevisable,
    NotUnderstood,
    OrderNotFound,
    PositionNotFound,
    PriceOffIncrement,
    QuantityNotTraded,
)

ANSWERS: Final[dict[type[Exception], tuple[int, int]]] = {
    NotJson: (400, 40010000),
    NotAuthorized: (401, 40110000),
    InsufficientBuyingPower: (403, 40310000),
    AssetNotFound: (404, 40410000),
    ExecutionNotFound: (404, 40410000),
    OrderNotFound: (404, 40410000),
    PositionNotFound: (404, 40410000),
    BodyTooLarge: (413, 41310000),
    BadFaults: (422, 40010001),
    NotUnderstood: (422, 40010001),
    ClientOrderIdTaken: (422, 40010001),
    AssetNotTradable: (422, 42210000),
    PriceOffIncrement: (422, 42210000),
    QuantityNotTraded: (422, 42210000),
    NotCancelable: (422, 42210000),
    NotReplaceable: (422, 42210000),
    NotRevisable: (422, 42210000),
    JournalUnwritable: (503, 50310000),
}


async def answer(_request: Request, error: Exception) -> Response:
    """Answer a request that was refused."""
    status, code = ANSWERS[type(error)]
    problem: Json = {"code": code, "message": str(error)}
    if isinstance(error, InsufficientBuyingPower):
        problem |= {"buying_power": plain(error.buying_power), "cost_basis": plain(error.cost_basis)}
    return Response(encode(problem), status, media_type="application/json")


async def no_such_endpoint(_request: Request, _error: Exception) -> Response:
    """Answer a request for a path that is not served here."""
    return Response(encode({"code": 40410000, "message": "endpoint not found"}), 404, media_type="application/json")


async def no_such_method(_request: Request, _error: Exception) -> Response:
    """Answer a request with a method that its path does not take."""
    return Response(encode({"code": 40510000, "message": "method not allowed"}), 405, media_type="application/json")
