"""A full disk fails a run and harms no table, wherever in the run it becomes full."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("method", ["append", "upsert"])
def test_on_a_full_disk_runs_fail_until_there_is_room_and_the_table_stays(method: str, tmp_path: Path) -> None:
    """Page by page more room: full in the spool, in its manifest, in the commit; then the run ends complete."""
    unshare = shutil.which("unshare")
    assert unshare, "This test mounts a small tmpfs: install util-linux (`apt-get install util-linux`)."
    place = tmp_path / "disk"
    place.mkdir()
    as_root = ["--map-root-user"] if os.getuid() else []
    script = f'mount -t tmpfs -o size=3m tmpfs "{place}" && exec "$@"'
    module = [sys.executable, "-m", "tests.runs.full_disk", str(tmp_path / "home"), str(place), method]
    done = subprocess.run(
        [unshare, *as_root, "--mount", "sh", "-c", script, "sh", *module],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=110,
    )
    assert done.returncode == 0, f"unshare --mount and a tmpfs are needed here.\n{done.stderr}"
    failures = done.stdout.splitlines()
    assert set(failures) == {"disk.full 31"}
    assert len(failures) >= 5
