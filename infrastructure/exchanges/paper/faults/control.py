"""The operator's switches: `/control/faults`, which needs no keys and no restart."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infrastructure.exchanges.paper.dialect import encode
from infrastructure.exchanges.paper.faults.armed import Faults
from infrastructure.exchanges.paper.faults.reading import parse_faults
from infrastructure.exchanges.paper.requests import read


class Switches:
    """The endpoints that show and change the rules in force.

    Args:
        faults: The rules.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def routes(self) -> list[Route]:
        """Every path they serve."""
        return [
            Route("/control/faults", self.show, methods=["GET"]),
            Route("/control/faults", self.change, methods=["PUT"]),
            Route("/control/faults", self.clear, methods=["DELETE"]),
        ]

    async def show(self, _request: Request) -> Response:
        """Every rule in force, and how often it has fired."""
        return Response(encode(self._faults.told()), media_type="application/json")

    async def change(self, request: Request) -> Response:
        """Put other rules in force; those there were are gone, and every count begins again."""
        self._faults.arm(parse_faults(await read(request)))
        return await self.show(request)

    async def clear(self, _request: Request) -> Response:
        """Put no rules in force."""
        self._faults.arm([])
        return Response(status_code=204)
