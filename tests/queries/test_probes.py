"""27 statements that a SQL console has to survive. None of them succeeds, changes a file or reaches another machine."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from sentry_connector.destinations.query import Snapshot
from sentry_connector.errors import QueryTimeout, SqlError
from sentry_connector.queries import confine
from sentry_connector.queries.pool import Queries
from tests.queries.asking import ENDLESS, Tables, pool, rows

SECRET = "a value that only the environment of who asks has"  # no secret

FILES = (
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM '/proc/self/environ'",
    "SELECT * FROM read_csv('{other}')",
    "SELECT * FROM read_parquet('{beside}')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM query('SELECT * FROM read_blob(''/etc/passwd'')')",
)
WRITING = (
    "COPY (SELECT 1) TO '{free}'",
    "COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
    "SELECT 1; COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
    "EXPORT DATABASE '{free}'",
    "ATTACH '{free}' AS other",
    "DROP VIEW shop",
)
NETWORK = (
    "SELECT * FROM read_text('http://127.0.0.1:{port}/')",
    "SELECT * FROM read_parquet('s3://bucket/x')",
    "ATTACH 'host=127.0.0.1 port={port}' AS other (TYPE postgres)",
)
SETTINGS = (
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "PRAGMA memory_limit = '100GB'",
    "CREATE SECRET (TYPE s3)",
)
EXTENSIONS = ("INSTALL httpfs", "LOAD httpfs", "FORCE INSTALL httpfs FROM 'http://127.0.0.1:{port}'")
PYTHON = ("SELECT * FROM python_object", "SELECT getenv('SENTRY_AUTH_TOKEN')")
MEMORY = ("SELECT list(repeat('x', 1000000) || i) FROM range(1000000) t(i)",)
TIME = (ENDLESS,)

QUICK = (*FILES, *WRITING, *NETWORK, *SETTINGS, *EXTENSIONS, *PYTHON, *MEMORY)

python_object = pa.table({"a": [1]})
"""Where the engine finds it, if it looks at Python's variables."""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.setblocking(False)
        yield made


def test_they_are_twenty_seven() -> None:
    assert len({*QUICK, *TIME}) == 27


@pytest.mark.parametrize("probe", QUICK)
def test_no_probe_succeeds(
    queries: Queries,
    tables: Tables,
    snapshot: Snapshot,
    listener: socket.socket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    probe: str,
) -> None:
    """The table's file stays as it was, nothing is written or connected to, and the next statement is answered."""
    monkeypatch.setenv("SENTRY_AUTH_TOKEN", SECRET)
    file, other = Path(snapshot.files[0]), tmp_path / "other.csv"
    beside = file.with_name("beside.parquet")
    before = file.read_bytes()
    other.write_text("a\n1\n")
    beside.write_bytes(before)
    names = {"file": file, "beside": beside, "other": other, "free": tmp_path / "free"}
    with pytest.raises(SqlError) as refused:
        rows(queries, probe.format(**names, port=listener.getsockname()[1]), tables)
    assert SECRET not in refused.value.message
    assert (file.read_bytes(), other.read_text()) == (before, "a\n1\n")
    assert [one.name for one in tmp_path.iterdir()] == ["other.csv"]
    with pytest.raises(BlockingIOError):
        listener.accept()
    assert rows(queries, "SELECT count(*) AS n FROM shop", tables) == [{"n": 10}]


@pytest.mark.parametrize("probe", TIME)
def test_an_endless_statement_is_ended(tables: Tables, probe: str) -> None:
    hasty = pool(seconds=0.5, memory_mib=2048)  # so that it is the time that ends it, however busy the machine is
    try:
        with pytest.raises(QueryTimeout, match=r"stopped after 0\.5 seconds"):
            rows(hasty, probe, tables)
    finally:
        hasty.close()


def test_the_environment_holds_nothing_to_find(queries: Queries) -> None:
    """Should the engine find a way to files after all: its process was given no secret."""
    rows(queries, "SELECT 1")
    (process,) = queries._idle  # what the system knows of it
    held = Path(f"/proc/{process._process.pid}/environ").read_text().rstrip("\0").split("\0")
    assert {one.partition("=")[0] for one in held} == {"PYTHONPATH", "PYTHONUTF8", "PYTHONDONTWRITEBYTECODE"}


def test_the_system_lets_the_process_write_no_file(queries: Queries) -> None:
    """As above: it could not change a table either."""
    rows(queries, "SELECT 1")
    (process,) = queries._idle
    limits = Path(f"/proc/{process._process.pid}/limits").read_text()
    assert any(line.split()[3:5] == ["0", "0"] for line in limits.splitlines() if line.startswith("Max file size"))


TRIES = """
import os, socket, subprocess, sys
from pathlib import Path
from sentry_connector.queries.process import shut_in
folder, outside, port = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
shut_in(256, [folder])
(folder / "table").read_bytes()
for name, does in {
    "outside": outside.read_bytes,
    "listed": lambda: os.listdir(outside.parent),
    "environ": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
    "memory": lambda: Path(f"/proc/{os.getppid()}/mem").open("rb"),
    "written": lambda: (folder / "table").write_bytes(b"x"),
    "made": lambda: (folder / "new").touch(),
    "gone": (folder / "table").unlink,
    "connected": lambda: socket.create_connection(("127.0.0.1", port)),
    "started": lambda: subprocess.run(["/bin/true"]),
}.items():
    try:
        does()
    except PermissionError:
        continue
    print(name)
"""


def test_linux_itself_lets_the_process_read_the_tables_alone(tmp_path: Path, listener: socket.socket) -> None:
    """Whatever becomes of it: this is code that may do anything, in the place of the engine."""
    folder, outside = tmp_path / "tables", tmp_path / "vault.key"
    folder.mkdir()
    for file in (folder / "table", outside):
        file.write_bytes(b"content")
    arguments = [str(folder), str(outside), str(listener.getsockname()[1])]
    done = subprocess.run([sys.executable, "-c", TRIES, *arguments], capture_output=True, text=True, check=True)
    assert (confine.version() > 0) is (done.stdout.split() == [])
    assert (folder / "table").read_bytes() == b"content" or not confine.version()
