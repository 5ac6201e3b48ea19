"""A disk that is full under the connector's own folder is told as such, and all is there again once there is room."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

FULL = """
mount -t tmpfs -o size=2m tmpfs "$SENTRY_CONNECTOR_HOME"
"$@" datasets create --name Shop --report projects --json > /dev/null
dd if=/dev/zero of="$SENTRY_CONNECTOR_HOME/fill" bs=4k 2> /dev/null
"$@" datasets list --json
echo "exit $?"
rm "$SENTRY_CONNECTOR_HOME/fill"
"$@" datasets list --json
"""


def test_without_room_for_the_store_the_disk_is_said_to_be_full(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    assert unshare, "This test mounts a small tmpfs: install util-linux (`apt-get install util-linux`)."
    as_root = ["--map-root-user"] if os.getuid() else []
    module = [sys.executable, "-m", "sentry_connector"]
    done = subprocess.run(
        [unshare, *as_root, "--mount", "sh", "-c", FULL, "sh", *module],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SENTRY_CONNECTOR_HOME": str(tmp_path)},
    )
    full, _, after = done.stdout.partition("exit ")
    assert '"name": "disk.full"' in full, done.stderr
    assert after.startswith("31\n")
    assert '"name": "Shop"' in after
