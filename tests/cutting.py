"""A wire to a server that is cut once, at a certain piece of what goes over it: before it arrives, or before its answer does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum


class Way(StrEnum):
    """Which pieces are counted."""

    THERE = "there"
    BACK = "back"


@dataclass
class Wire:
    """Passes pieces on, all connections' together.

    Attributes:
        port: of this machine, where it is connected to.
        passed: pieces that went each way since the last `cut_at`.
    """

    target: int
    port: int = 0
    passed: dict[Way, int] = field(default_factory=lambda: dict.fromkeys(Way, 0))
    _cut: tuple[Way, int] | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut_at(self, way: Way, number: int) -> None:
        """From now on count anew, and cut all connections in the moment when that piece comes; later ones are whole."""
        self.passed = dict.fromkeys(Way, 0)
        self._cut = (way, number)

    @property
    def was_cut(self) -> bool:
        """Whether it came to that."""
        return self._cut is None

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Somebody connects."""
        theirs, ours = await asyncio.open_connection("127.0.0.1", self.target)
        self._open |= {writer, ours}
        with suppress(ConnectionError):
            await asyncio.gather(self._pass(Way.THERE, reader, ours), self._pass(Way.BACK, theirs, writer))
        self._open -= {writer, ours}

    async def _pass(self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65_536):
            self.passed[way] += 1
            if self._cut == (way, self.passed[way]):
                self._cut = None
                for one in self._open:
                    one.transport.abort()
                return
            writer.write(piece)
            await writer.drain()
        with suppress(OSError):
            writer.close()


@contextmanager
def wire_to(port: int) -> Iterator[Wire]:
    """A wire to a port of this machine, in a thread of its own."""
    wire, loop, ready = Wire(port), asyncio.new_event_loop(), threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        server = await asyncio.start_server(wire.connected, "127.0.0.1", 0)
        wire.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()
        for one in set(wire._open):
            one.transport.abort()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait()
    try:
        yield wire
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
