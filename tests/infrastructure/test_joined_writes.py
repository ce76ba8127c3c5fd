"""Writes that go out together."""

import asyncio
from typing import Any

from infrastructure.joined_writes import JoinedWrites


class Wire(asyncio.Transport):
    """Remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.end = ""

    def write(self, data: Any) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return bool(self.end)

    def close(self) -> None:
        self.end = "closed"

    def abort(self) -> None:
        self.end = "aborted"


async def test_a_head_and_its_body_are_one_write() -> None:
    wire = Wire()
    joined = JoinedWrites(wire, asyncio.get_running_loop())
    joined.write(b"head")
    assert wire.written == []
    joined.write(b"body")
    assert wire.written == [b"headbody"]
    await asyncio.sleep(0)
    assert wire.written == [b"headbody"]


async def test_what_nothing_follows_goes_out_by_itself() -> None:
    wire = Wire()
    joined = JoinedWrites(wire, asyncio.get_running_loop())
    for each in (b"head", b"one", b"two"):
        joined.write(each)
    assert wire.written == [b"headone"]
    await asyncio.sleep(0)
    assert wire.written == [b"headone", b"two"]


async def test_what_waits_is_written_before_the_end_unless_it_is_at_once() -> None:
    loop = asyncio.get_running_loop()
    closed, aborted = Wire(), Wire()
    for wire in (closed, aborted):
        joined = JoinedWrites(wire, loop)
        joined.write(b"head")
        assert not joined.is_closing()
        joined.close() if wire is closed else joined.abort()
        assert joined.is_closing()
    await asyncio.sleep(0)
    assert (closed.written, closed.end) == ([b"head"], "closed")
    assert (aborted.written, aborted.end) == ([], "aborted")


async def test_what_waits_is_nothing_to_a_connection_that_is_gone() -> None:
    wire = Wire()
    joined = JoinedWrites(wire, asyncio.get_running_loop())
    joined.write(b"head")
    wire.close()
    await asyncio.sleep(0)
    assert wire.written == []
