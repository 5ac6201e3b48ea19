"""A real PostgreSQL server, started for the tests that need one and gone with them."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tools.machine import postgres_programs

_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=200")
"""No test loses power: what is on its way to the disk may be lost with the machine."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs. Whoever connects from this machine is let in."""

    port: int
    _programs: Path
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def fresh_database(self) -> str:
        """The address of a new, empty database."""
        name = f"t{os.getpid()}_{next(self._numbers)}"
        where = ["--host", "127.0.0.1", "--port", str(self.port), "--username", "postgres"]
        subprocess.run([self._programs / "createdb", *where, name], check=True, capture_output=True)
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"


@contextmanager
def running_postgres() -> Iterator[Server]:
    """A server with its own data in a folder of its own.

    Raises:
        RuntimeError: PostgreSQL is not installed, or does not start.
    """
    programs = postgres_programs()
    if programs is None:
        raise RuntimeError("PostgreSQL is needed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    as_whom = _not_root()
    try:
        if as_whom is not None:
            shutil.chown(folder, user=as_whom)
        data, port = folder / "data", _free_port()
        made = [programs / "initdb", "--pgdata", data, "--username", "postgres", "--auth", "trust", "--no-sync"]
        subprocess.run(
            [*made, "--encoding", "UTF8", "--locale", "C"], check=True, user=as_whom, cwd=folder, capture_output=True
        )
        options = [f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", *_FAST]
        command = [programs / "postgres", "-D", data, *(part for one in options for part in ("-c", one))]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, user=as_whom, cwd=folder, stdout=log, stderr=log)
        try:
            _wait_until_ready(process, programs, port, folder / "log")
            yield Server(port, programs)
        finally:
            process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown: whoever is connected is let go
            process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_ready(process: subprocess.Popen[bytes], programs: Path, port: int, log: Path) -> None:
    """Return once connections are taken: the program that asks waits between its questions."""
    ask = [programs / "pg_isready", "--host", "127.0.0.1", "--port", str(port), "--quiet", "--timeout", "5"]
    while subprocess.run(ask, check=False).returncode != 0:
        if process.poll() is not None:
            raise RuntimeError(f"PostgreSQL does not start: {log.read_text()}")


def _not_root() -> str | None:
    """Whom the server runs as: it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
