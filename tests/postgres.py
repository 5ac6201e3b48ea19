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

_FAST = ("fsync=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=200")
"""No test loses power: what is on its way to the disk may be lost with the machine. What was committed survives a kill."""


@dataclass(slots=True)
class Server:
    """A server that runs. Whoever connects from this machine is let in."""

    port: int
    _programs: Path
    _folder: Path
    _as_whom: str | None
    _options: tuple[str, ...] = ()
    _process: subprocess.Popen[bytes] | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def fresh_database(self) -> str:
        """The address of a new, empty database."""
        name = f"t{os.getpid()}_{next(self._numbers)}"
        subprocess.run([self.program("createdb"), *self.where, name], check=True, capture_output=True)
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    @property
    def where(self) -> list[str | Path]:
        """What PostgreSQL's own programs are told to find the server."""
        return ["--host", "127.0.0.1", "--port", str(self.port), "--username", "postgres"]

    def program(self, name: str) -> Path:
        """One of PostgreSQL's own programs."""
        return self._programs / name

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def start(self) -> None:
        """Begin, and return once connections are taken."""
        while True:
            with self._log.open("ab") as log:
                said = log.tell()
                self._process = self._started(log.fileno())
            if self._is_ready(said):
                return

    def _started(self, log: int) -> subprocess.Popen[bytes]:
        options = [f"port={self.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={self._folder}"]
        settings = (part for one in (*options, *_FAST, *self._options) for part in ("-c", one))
        command: list[str | Path] = [self.program("postgres"), "-D", self._folder / "data", *settings]
        return subprocess.Popen(command, user=self._as_whom, cwd=self._folder, stdout=log, stderr=log)

    def _is_ready(self, said: int) -> bool:
        """Wait until connections are taken; false where those of a server that was killed are still on their way out.

        The program that asks waits between its questions.
        """
        assert self._process is not None
        ask: list[str | Path] = [self.program("pg_isready"), *self.where, "--quiet", "--timeout", "5"]
        while subprocess.run(ask, check=False).returncode != 0:
            if self._process.poll() is not None:
                why = self._log.read_bytes()[said:].decode()
                if "still in use" in why:
                    return False
                raise RuntimeError(f"PostgreSQL does not start: {why}")
        return True

    def kill(self) -> None:
        """As a loss of the process: nobody is let go."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """PostgreSQL's immediate shutdown: it writes nothing more, since its data goes with it."""
        self._end(signal.SIGQUIT)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None


@contextmanager
def running_postgres(*options: str) -> Iterator[Server]:
    """A server with its own data in a folder of its own.

    Args:
        options: settings of the server's, as in `postgresql.conf`.

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
        made: list[str | Path] = [
            programs / "initdb",
            "--pgdata",
            folder / "data",
            "--username",
            "postgres",
            "--auth",
            "trust",
            "--no-sync",
        ]
        subprocess.run(
            [*made, "--encoding", "UTF8", "--locale", "C"], check=True, user=as_whom, cwd=folder, capture_output=True
        )
        server = Server(_free_port(), programs, folder, as_whom, options)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
