"""Questions to the venue about orders and executions. They change nothing, and a refused one proves nothing."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from re import compile as pattern
from typing import Final

import structlog

from application.venue import Sought, VenueOutcomeUnknownError, WorkingOrder
from infrastructure.exchanges.alpaca_executions import Execution, net_quantity, read_page
from infrastructure.exchanges.alpaca_http import AlpacaHttp, Answer
from infrastructure.exchanges.alpaca_orders import (
    WireOrder,
    read_order,
    read_order_named,
    read_working_orders,
    replacement_name,
)
from infrastructure.exchanges.alpaca_reading import UnreadableError

EXECUTIONS_PER_PAGE: Final = 100
ORDERS_PER_PAGE: Final = 500
# The clocks of the order desk and of the exchange may differ a little, and a fill must not be missed for that.
_CLOCKS_DIFFER_BY_MAX: Final = timedelta(seconds=1)
# The venue's times are finer than ours.
_TICK: Final = timedelta(microseconds=1)
# An order id goes into a path, where an empty one would mean every order of the account.
_ORDER_ID: Final = pattern(r"[A-Za-z0-9_-]{1,64}")
_NESTED: Final = {"nested": "true"}

log = structlog.get_logger(__name__)


def is_order_id(text: str) -> bool:
    """Whether this may be the venue's id of an order."""
    return _ORDER_ID.fullmatch(text) is not None


class Questions:
    """What can be asked. All methods raise what `AlpacaHttp.send` raises.

    Also VenueOutcomeUnknownError where the venue refuses to say, and where its answer cannot be understood.

    Args:
        http: The connections.
        base_url: The Trading API, without ``/v2`` at its end.
    """

    def __init__(self, http: AlpacaHttp, base_url: str) -> None:
        self._http = http
        self._base_url = base_url

    async def order_named(self, client_order_id: str) -> WireOrder | None:
        """The order that we gave this name; None when the venue does not know it."""
        params = {"client_order_id": client_order_id, **_NESTED}
        answer = await self._look_up("/v2/orders:by_client_order_id", params)
        return None if answer is None else read_order_named(answer.body, client_order_id)

    async def order(self, venue_order_id: str) -> WireOrder | None:
        """The order with the venue's own id; None when the venue does not know it."""
        if not is_order_id(venue_order_id):
            return None
        answer = await self._look_up(f"/v2/orders/{venue_order_id}", _NESTED)
        order = None if answer is None else read_order(answer.body)
        if order is not None and order.id != venue_order_id:
            raise UnreadableError(f"asked for order {venue_order_id}, the venue answered {order.id}")
        return order

    async def orders_of(self, sought: Sought) -> list[WireOrder]:
        """What the venue made of the order, each after the one that it replaces. Empty: it does not know it."""
        found: dict[str, WireOrder] = {}
        first = await self.order_named(sought.client_order_id)
        if first is not None:
            await self._add_line(found, first)
        # A replacement may be there without its predecessor saying so.
        if sought.venue_order_id is not None and sought.venue_order_id not in found:
            known = await self.order(sought.venue_order_id)
            if known is not None:
                await self._add_line(found, known)
        name = replacement_name(sought.client_order_id, sought.replacement)
        if sought.replacement and all(order.client_order_id != name for order in found.values()):
            replacement = await self.order_named(name)
            if replacement is not None:
                await self._add_line(found, replacement)
        return list(found.values())

    async def line_of(self, order: WireOrder) -> list[WireOrder]:
        """The order with all that it replaces and is replaced by, each after the one that it replaces."""
        found: dict[str, WireOrder] = {}
        await self._add_line(found, order)
        return list(found.values())

    async def executions_of(self, orders: Sequence[WireOrder]) -> list[Execution]:
        """The executions of these orders, each once.

        Servers older than July 2026 ignore ``order_id`` and list everybody's; there, pages are read, oldest first, until
        just what the orders say they have filled has been found.
        """
        ids = {order.id for order in orders}
        filled = max(order.filled for order in orders)

        def enough(listed: Iterable[Execution]) -> bool:
            ours = [one for one in listed if one.venue_order_id in ids]
            return len(ours) < len(list(listed)) and net_quantity(ours) == filled

        found: dict[object, Execution] = {}
        for order in orders:
            if order.has_executions:
                listed = await self._executions({"order_id": order.id, **_since(order)}, enough)
                found |= {one.key: one for one in listed if one.venue_order_id in ids}
        return list(found.values())

    async def executions(self, after: datetime) -> list[Execution]:
        """Every execution of the account after a moment, oldest first; some from shortly before it may be among them."""
        return sorted(await self._executions({"after": _start(after)}, lambda _: False), key=lambda one: one.at)

    async def working_orders(self) -> list[WorkingOrder]:
        """Every order that works, ours or not, in the order of submission."""
        found: dict[str, WorkingOrder] = {}
        params = {"status": "open", "limit": str(ORDERS_PER_PAGE), "direction": "asc", "nested": "false"}
        while True:
            page, entries = read_working_orders((await self._ask("/v2/orders", params)).body)
            fresh = page.keys() - found.keys()
            found |= page
            if entries < ORDERS_PER_PAGE:
                return list(found.values())
            if not fresh:
                raise VenueOutcomeUnknownError("the venue does not list its working orders beyond the first page")
            # Others may have been submitted at the same time as the last one of this page.
            last = max(order.submitted_at for order in page.values()) - _TICK
            params["after"] = _timestamp(last)

    async def _add_line(self, found: dict[str, WireOrder], order: WireOrder) -> None:
        """Add the order, before it what it replaces, and behind it what replaces it."""
        line = [order]
        while (before := line[0].replaces) and all(before != each.id for each in line):
            earlier = await self.order(before)
            if earlier is None:
                log.warning("venue_order_missing", replaced_by=line[0].id, venue_order_id=before)
                break
            if before in found:
                found[before] = earlier  # what was read before its replacement was may have been outdated
                break
            line.insert(0, earlier)
        found |= {each.id: each for each in line}
        while (after := order.replaced_by) and after not in found:
            later = await self.order(after)
            if later is None:
                log.warning("venue_order_missing", replaces=order.id, venue_order_id=after)
                break
            found[after] = order = later

    async def _executions(
        self, params: dict[str, str], enough: Callable[[Iterable[Execution]], bool]
    ) -> list[Execution]:
        """What the account's activities list, oldest first, page by page until it is enough."""
        found: dict[object, Execution] = {}
        params = {**params, "direction": "asc", "page_size": str(EXECUTIONS_PER_PAGE)}
        while True:
            page = read_page((await self._ask("/v2/account/activities/FILL", params)).body)
            found |= {one.key: one for one in page.executions}
            is_last = page.entries < EXECUTIONS_PER_PAGE or page.last_id == params.get("page_token", "")
            if is_last or enough(found.values()):
                return list(found.values())
            params["page_token"] = page.last_id

    async def _look_up(self, path: str, params: dict[str, str]) -> Answer | None:
        """The answer; None where the venue says that there is no such thing."""
        answer = await self._http.send("GET", f"{self._base_url}{path}", params=params)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.refused:
            raise VenueOutcomeUnknownError(f"the venue refuses to say: GET {path}: {answer.refusal()}")
        return answer

    async def _ask(self, path: str, params: dict[str, str]) -> Answer:
        answer = await self._look_up(path, params)
        if answer is None:
            raise VenueOutcomeUnknownError(f"the venue does not say: GET {path} is not there")
        return answer


def _since(order: WireOrder) -> dict[str, str]:
    """The parameter that leaves out activities from before the order, where the venue says when that was."""
    if order.created_at is None:
        return {}
    try:
        return {"after": _start(order.created_at)}
    except OverflowError:  # a venue written in Go says year 1 where it means nothing
        return {}


def _start(moment: datetime) -> str:
    start = moment.astimezone(UTC) - _CLOCKS_DIFFER_BY_MAX
    return start.strftime("%Y-%m-%dT%H:%M:%SZ")


def _timestamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
