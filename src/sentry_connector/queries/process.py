"""The process that runs statements. It can open the files of the tables that it is told of, and hardly anything else.

DuckDB's own locks are in `destinations/query.py`. Around them the system lets it read the folders of tables and of libraries
alone (`confine.py`) and write nothing, gives it no more memory than it needs, and ends it first where the machine has too little.
Its environment is empty (`pool.py`), so that there is no secret to find. It lives no longer than who asks.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
import pyarrow as pa

from sentry_connector.destinations.query import MORE_MEMORY, query
from sentry_connector.errors import SqlError
from sentry_connector.queries.confine import confine
from sentry_connector.queries.messages import LARGEST, Broken, Kind, Refusal, Statement, receive, send
from sentry_connector.queries.views import understood

MOST_BYTES = 16 * 2**20
"""Of the rows of one frame, where a row is no larger."""

LIBRARIES = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", os.devnull)
"""Where the system's own are, some of which are loaded when they are needed."""

FIGURES = ("/proc/self/cgroup", "/proc/stat", "/proc/meminfo", "/sys/fs/cgroup", "/sys/devices/system/cpu")
"""From which the engine learns what the machine has. Not all of `/proc`: the environment of whoever asks is there too."""

BESIDE_MEMORY_MIB = 4096
"""Address space of Python, Arrow and the engine themselves, which reserve more than they use."""


def main(memory_mib: int, threads: int, folders: Iterable[Path]) -> None:
    """Run one statement after the other, until who asks is gone.

    Args:
        memory_mib: what the engine holds at most.
        threads: processors that it uses.
        folders: below them are the files of all tables.
    """
    told, asked = os.fdopen(os.dup(1), "wb"), os.fdopen(os.dup(0), "rb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(nowhere, number)  # whatever a library prints is no frame
    shut_in(memory_mib, folders)
    serve(asked, told, f"{memory_mib}MiB", threads)


def shut_in(memory_mib: int, folders: Iterable[Path]) -> None:
    """Have the system forbid what no statement needs, as far as it is one that can."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415  # which only Unix has

    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # this process rather than another
    most = (BESIDE_MEMORY_MIB + 2 * memory_mib) * 2**20
    for limit, value in ((resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, most)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (value, value))
    confine([*map(Path, (*sys.path, sys.prefix, sys.base_prefix, *LIBRARIES, *FIGURES)), *folders])


def serve(asked: BinaryIO, told: BinaryIO, memory_limit: str, threads: int) -> None:
    """As `main`, over these streams."""
    line = Line(asked, told)
    while True:
        statement = msgspec.msgpack.decode(line.asked(), type=Statement)
        try:
            for frame in _frames(statement, memory_limit, threads):
                line.tell(Kind.ROWS, frame)
        except SqlError as error:
            line.tell(Kind.REFUSED, msgspec.msgpack.encode(_refusal(error)))
        except MemoryError:
            line.tell(Kind.REFUSED, msgspec.msgpack.encode(_refusal(SqlError("Out of memory.", remedy=MORE_MEMORY))))
        else:
            line.tell(Kind.END)


class Line:
    """To who asks: statements come in by a thread of their own, which ends the process with them."""

    def __init__(self, asked: BinaryIO, told: BinaryIO) -> None:
        self._told = told
        self._came: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._listen, args=(asked,), daemon=True).start()

    def _listen(self, stream: BinaryIO) -> None:
        with contextlib.suppress(Broken):
            while True:
                self._came.put(receive(stream)[1])
        os._exit(0)  # whatever the engine is at

    def asked(self) -> bytes:
        """The next statement."""
        return self._came.get()

    def tell(self, kind: Kind, payload: bytes | memoryview = b"") -> None:
        """Send a frame."""
        with contextlib.suppress(Broken):  # then nothing comes in either
            send(self._told, kind, payload)


def _frames(statement: Statement, memory_limit: str, threads: int) -> Iterator[memoryview]:
    """The columns, then the rows, in parts that are no larger than need be."""
    tables = {name: understood(view) for name, view in statement.views.items()}
    records = {name: pa.ipc.open_stream(rows).read_all() for name, rows in statement.records.items()}
    options = {"limit": statement.limit, "memory_limit": memory_limit, "threads": threads}
    with query(statement.sql, tables, records=records, **options) as reader:  # type: ignore[arg-type]
        yield _stream(reader.schema)
        for batch in reader:
            for part in _parts(batch):
                yield _stream(reader.schema, part)


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch, cut in halves until each is small enough."""
    if batch.nbytes <= MOST_BYTES or batch.num_rows == 1:
        if batch.nbytes > LARGEST // 2:
            raise SqlError(f"A row of the result holds {batch.nbytes // 2**20} MiB.", remedy="Select less of it.")
        yield batch
        return
    half = batch.num_rows // 2
    yield from _parts(batch.slice(0, half))
    yield from _parts(batch.slice(half))


def _stream(schema: pa.Schema, batch: pa.RecordBatch | None = None) -> memoryview:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        if batch is not None:
            writer.write_batch(batch)
    return memoryview(sink.getvalue())


def _refusal(error: SqlError) -> Refusal:
    return Refusal(message=error.message, remedy=error.remedy, **error.data)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), map(Path, sys.argv[3:]))
