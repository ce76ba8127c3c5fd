"""HTTP whose answers go out in one piece: their head waits for the beginning of their body.

uvicorn writes the head of an answer, and then its body: two calls of the system, two packets, and two of each for whoever
waits for the answer.
"""

from asyncio import AbstractEventLoop, Transport

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class JoinedWrites(Transport):
    """A transport of which every other write goes out together with the one before it.

    One that nothing follows goes out as soon as the event loop is free, so that a stream is told its head at once, and no
    more than one write waits.

    Args:
        wire: what is really written to.
        loop: its event loop.
    """

    def __init__(self, wire: Transport, loop: AbstractEventLoop) -> None:
        super().__init__()
        self._wire = wire
        self._loop = loop
        self._waiting: bytes | None = None

    def write(self, data: bytes) -> None:  # type: ignore[override] # bytes are what HTTP writes
        """Write behind what waits, or wait."""
        if self._waiting is None:
            self._waiting = data
            self._loop.call_soon(self._flush)
        else:
            data, self._waiting = self._waiting + data, None
            self._wire.write(data)

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._wire.is_closing()

    def close(self) -> None:
        """Write what waits, and hang up."""
        self._flush()
        self._wire.close()

    def abort(self) -> None:
        """Hang up at once."""
        self._waiting = None
        self._wire.abort()

    def _flush(self) -> None:
        data, self._waiting = self._waiting, None
        if data is not None and not self._wire.is_closing():
            self._wire.write(data)


class JoiningHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol on such a transport; WebSockets get the transport itself."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begin."""
        super().connection_made(transport)
        self._wire = transport
        self.transport = JoinedWrites(transport, self.loop)

    def handle_websocket_upgrade(self) -> None:
        """Go on as a WebSocket, and leave nothing behind that only the collector of garbage would find."""
        self.transport = self._wire
        super().handle_websocket_upgrade()
        self.parser = None  # type: ignore[assignment] # as uvicorn does at the end
