"""What listens on this machine: a web server that takes what is posted to it, and where a process does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Answer = Callable[[str, Message, bytes], int]
"""Path, headers and body → status."""

LISTENS = "0A"
"""As the kernel says it."""


@contextmanager
def listening(answer: Answer) -> Iterator[str]:
    """Serve until the block ends; the value is the server's address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(answer(self.path, self.headers, body))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def port_of(pid: int) -> int:
    """The one port that a process listens on."""
    open_files = [str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()]
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    (port,) = {row[1].rpartition(":")[2] for row in rows if f"socket:[{row[9]}]" in open_files and row[3] == LISTENS}
    return int(port, 16)
