"""Place an order once and print its fills until it is over, whatever the network does meanwhile.

    python client.py AAPL 10          # buys at the market
    python client.py AAPL 10 150.00   # buys at 150.00 or less

Needs the packages ``httpx2`` and ``websockets``, and in the environment ORDERLOG_URL (http://127.0.0.1:8000) and ORDERLOG_TOKEN.
"""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx2
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

URL = os.environ.get("ORDERLOG_URL", "http://127.0.0.1:8000")
HEADERS = {"Authorization": f"Bearer {os.environ['ORDERLOG_TOKEN']}"}
OVER = {"FILLED", "CANCELLED", "REJECTED", "EXPIRED"}
TRY_AGAIN = {429, 502, 503, 504}
ASKING_AGAIN_IS_NO_USE = {4400, 4401, 4403, 4410}
PAUSE_SECONDS, PAUSE_SECONDS_MAX = 0.2, 5.0


async def place(order: dict[str, str]) -> dict[str, Any]:
    """The order as it is recorded. It is sent until there is an answer, and is one order however often it arrives."""
    headers = HEADERS | {"Idempotency-Key": secrets.token_hex(16)}  # the same for every attempt
    pause = PAUSE_SECONDS
    async with httpx2.AsyncClient(base_url=URL, timeout=5.0) as http:
        while True:
            try:
                answer = await http.post("/api/v1/orders", json=order, headers=headers)
            except httpx2.TransportError as error:  # it may have arrived or not
                print(f"no answer ({type(error).__name__}), sending it again", file=sys.stderr)
            else:
                if answer.status_code not in TRY_AGAIN:
                    if answer.is_error:
                        sys.exit(answer.json()["detail"])
                    return answer.json()
                print(f"{answer.status_code}, sending it again", file=sys.stderr)
                pause = max(pause, float(answer.headers.get("Retry-After", 0)))
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE_SECONDS_MAX)


async def messages(after: int) -> AsyncIterator[dict[str, Any]]:
    """Every status message behind the position, none missing and none twice, over as many connections as it takes."""
    pause = PAUSE_SECONDS
    while True:
        try:
            address = f"{URL.replace('http', 'ws', 1)}/ws/orders/events?after={after}"
            async with connect(address, additional_headers=HEADERS) as socket:
                async for text in socket:
                    message = json.loads(text)
                    after, pause = message["position"], PAUSE_SECONDS
                    yield message
        except ConnectionClosed as closed:
            if closed.rcvd and closed.rcvd.code in ASKING_AGAIN_IS_NO_USE:
                sys.exit(closed.rcvd.reason)
        except (OSError, WebSocketException):
            pass  # nobody is there, or somebody who is no engine
        print(f"the stream was cut, going on behind {after}", file=sys.stderr)
        await asyncio.sleep(pause)
        pause = min(2 * pause, PAUSE_SECONDS_MAX)


async def main(symbol: str, quantity: str, price: str | None = None) -> None:
    """Buy, and say what comes of it."""
    terms = {"order_type": "MARKET"} if price is None else {"order_type": "LIMIT", "price": price}
    order = await place({"symbol": symbol, "side": "BUY", "quantity": quantity, **terms})
    print(f"placed {order['id']}", flush=True)
    async for message in messages(order["position"]):
        if message.get("order_id") != order["id"]:
            continue  # a heartbeat, or another order
        if message["event"] == "order.filled":
            print(f"filled {message['quantity_filled']} at {message['price_at_fill']}", flush=True)
        if message["status"] in OVER:
            print(f"{message['status']}: {message.get('reason') or 'nothing is left of it'}", flush=True)
            return


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
