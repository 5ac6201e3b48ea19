"""A way to a PostgreSQL server that is cut at the n-th message of the client.

The messages: https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum


class Cut(StrEnum):
    """Where the way ends."""

    BEFORE = "before it reaches the server"
    AFTER = "after the server has done it, before the client is told"


@dataclass
class Proxy:
    """The way. Each cut is made once; who connects afterwards is let through.

    Attributes:
        server: its port on this machine.
        at: the message at which it is cut, counted over all connections; 0 = never.
        cut: where.
        messages: what passed: the type of each message, and the words of a query.
    """

    server: int
    at: int = 0
    cut: Cut = Cut.BEFORE
    messages: list[str] = field(default_factory=list)
    port: int = 0

    def url(self, address: str) -> str:
        """The database's address by this way, without the questions whether it is encrypted."""
        return f"{address.replace(str(self.server), str(self.port))}?sslmode=disable&gssencmode=disable"

    def serve(self, listener: socket.socket) -> None:
        with suppress(OSError):  # it is closed: nobody comes any more
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._connected, args=(client,), daemon=True).start()

    def _connected(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self.server)) as server:
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            mute = threading.Event()
            answers = threading.Thread(target=_pass_on, args=(server, client, mute), daemon=True)
            with suppress(OSError, EOFError):
                length = _exactly(client, 4)
                server.sendall(length + _exactly(client, struct.unpack("!I", length)[0] - 4))
                answers.start()
                while self._next(client, server, mute, answers):
                    pass
            for one in (client, server):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            if answers.ident is not None:
                answers.join()

    def _next(
        self, client: socket.socket, server: socket.socket, mute: threading.Event, answers: threading.Thread
    ) -> bool:
        """Pass one message on; whether there is more to come."""
        head = _exactly(client, 5)
        body = _exactly(client, struct.unpack("!I", head[1:])[0] - 4)
        self.messages.append(f"{head[:1].decode()} {' '.join(body.decode(errors='replace').split()[:2])}".strip("\0"))
        if len(self.messages) != self.at:
            server.sendall(head + body)
            return True
        if self.cut is Cut.AFTER:
            mute.set()
            server.sendall(head + body)
            server.shutdown(socket.SHUT_WR)  # it does what it was told, then finds that nobody is there, and ends
            answers.join()
        return False


def _pass_on(source: socket.socket, target: socket.socket, mute: threading.Event) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            if not mute.is_set():
                target.sendall(data)


def _exactly(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = source.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


@contextmanager
def way_to(server: int) -> Iterator[Proxy]:
    """A way to the server at that port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(server=server, port=listener.getsockname()[1])
        thread = threading.Thread(target=proxy.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
