"""Prints what the destinations hold: `python -m tests.conformance`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from sentry_connector.destinations.model import UpdateMethod
from tests.conformance.grounds import NAMES, ground_of
from tests.conformance.matrix import STORIES, deaths
from tests.object_storage import running_storage
from tests.postgres import running_postgres


def main() -> int:
    """One line for each destination; each cell says how many deaths its tables outlived."""
    print(f"{'':12}" + "".join(f"{method:>22}" for method in UpdateMethod))
    failed = 0
    with tempfile.TemporaryDirectory() as folder, running_postgres() as postgres, running_storage() as storage:
        for name in NAMES:
            cells = []
            for method, story in STORIES.items():
                ground = ground_of(name, Path(folder, name, method), postgres, storage)
                try:
                    found = deaths(ground, story)
                except AssertionError as error:
                    failed += 1
                    cells.append("FAILED")
                    print(error, file=sys.stderr)
                else:
                    made = sum(one.committed for one in found)
                    cells.append(f"{len(found)} held ({made} made)")
            print(f"{name:12}" + "".join(f"{cell:>22}" for cell in cells), flush=True)
    print("\nEach is a process that dies at one point of a commit: 'made' are those after which the commit was there.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
