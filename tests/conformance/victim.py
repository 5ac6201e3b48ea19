"""A process that commits to a destination and kills itself at a point of it.

python -m tests.conformance.victim NAME FOLDER URL OPTIONS METHOD TABLE POINT
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from sentry_connector.destinations.model import UpdateMethod
from tests.conformance.grounds import Fate, Ground
from tests.conformance.matrix import STORIES

ROOT = Path(__file__).parents[2]


def killed(ground: Ground, method: UpdateMethod, table: str, at: int) -> int:
    """Let a process make the second commit of a story and die at a point; how it ended."""
    where = [ground.name, str(ground.folder), ground.url or "", json.dumps(ground.options)]
    command = [sys.executable, "-m", "tests.conformance.victim", *where, method.value, table, str(at)]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def main(name: str, folder: str, url: str, options: str, method: str, table: str, at: str) -> None:
    ground = Ground(name=name, folder=Path(folder), url=url or None, options=json.loads(options))
    fate = Fate(at=int(at), die=lambda: os.kill(os.getpid(), signal.SIGKILL))
    mortal = ground.table(table, fate=fate)
    mortal.commit(STORIES[UpdateMethod(method)].commit(mortal, 2))


if __name__ == "__main__":
    main(*sys.argv[1:])
