"""A failed write leaves the table as it was and says what was in the way."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sentry_connector.destinations.delta_errors import destination_errors
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import DestinationRefused, DiskFull
from tests.destinations.tables import commit_of, row, stored, table_in

ON_A_FULL_DISK = """
import os, sys
from dataclasses import replace
from pathlib import Path
from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import DiskFull
from tests.destinations.tables import commit_of, row, stage, stored, table_in

folder = Path(sys.argv[1])
table = table_in(folder)
rows = [row(number, os.urandom(20).hex()) for number in range(4000)]
table.commit(replace(commit_of(table, 1, UpdateMethod.APPEND, []), files=[stage(table, 1, rows)]))
changed = [{**one, "value": "b"} for one in rows[:50]]
commit = replace(commit_of(table, 2, UpdateMethod.UPSERT, []), files=[stage(table, 2, changed)])
staged = {one.path for one in commit.files}
fill = (folder / "fill").open("wb", buffering=0)
try:
    while True:
        fill.write(b"x" * 4096)
except OSError:
    pass
refused = 0
while True:
    try:
        done = table.commit(commit)
        break
    except DiskFull:
        refused += 1
    assert (table.epoch(), table.rows(), len(stored(table))) == (1, 4000, 4000)
    for path in set(table.log.folder.listing("e00000002")) - staged:
        table.log.folder.delete(path)
    fill.truncate(fill.seek(-4096, os.SEEK_CUR))
print(refused, done.updated, table.epoch(), sum(one["value"] == "b" for one in stored(table)))
"""


def test_on_a_full_disk_the_table_stays_and_takes_the_commit_when_there_is_room(tmp_path: Path) -> None:
    """On a tmpfs of its own, with 4 KiB more at each try: every write of the commit runs out of room once."""
    unshare = shutil.which("unshare")
    assert unshare, "This test mounts a small tmpfs: install util-linux (`apt-get install util-linux`)."
    script = f'mount -t tmpfs -o size=2m tmpfs "{tmp_path}" && exec "$@"'
    command = [sys.executable, "-c", ON_A_FULL_DISK, str(tmp_path)]
    done = subprocess.run(
        [unshare, "--map-root-user", "--mount", "sh", "-c", script, "sh", *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    refused, *after = map(int, done.stdout.split())
    assert refused > 20
    assert after == [50, 2, 50]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_known_by_its_number(tmp_path: Path, number: int) -> None:
    with pytest.raises(DiskFull, match=str(tmp_path)), destination_errors(str(tmp_path), needed=0):
        raise OSError(number, "anything")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EIO])
def test_another_failure_is_a_refusal_in_the_systems_words(tmp_path: Path, number: int) -> None:
    with pytest.raises(DestinationRefused, match="the reason"), destination_errors(str(tmp_path), needed=0):
        raise OSError(number, "the \x1b[31mreason")


def test_a_file_where_the_log_should_be_is_refused(tmp_path: Path) -> None:
    table = table_in(tmp_path)
    commit = commit_of(table, 1, UpdateMethod.APPEND, [row(1)])
    log = Path(table.location()[1], "_delta_log")
    log.write_text("not a folder")
    with pytest.raises(DestinationRefused):
        table.commit(commit)
    log.unlink()
    table.commit(commit)
    assert stored(table) == [row(1)]
