"""Runs a DataSet whose tables lie on a small file system, with ever more room left, until there is enough.

    python -m tests.runs.full_disk HOME FILE_SYSTEM METHOD

To be run in a mount namespace of its own, with a tmpfs at FILE_SYSTEM. Prints the errors of the runs that failed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import datasets
from sentry_connector.simulator import running
from sentry_connector.store.records import Verdict
from tests.parts import NOW
from tests.runs.acme import HOUR, app_in, column, events_in, made, small_world, state

STEP = 4096
"""A tmpfs gives room by pages."""


async def main(home: Path, place: Path, method: str) -> None:
    world = small_world()
    async with running(world, clock=lambda: world.time) as sentry:
        app = app_in(home, sentry, SENTRY_CONNECTOR_STORAGE=str(place / "tables"))
        dataset = made(app, method)
        await datasets.run(app, dataset.name, progress=Progress())
        world.add_events("acme", "shop", 150)
        world.advance(3600)
        app.moment = NOW + HOUR
        before, left, verdict = state(app, dataset), 0, Verdict.FAILED
        shutil.copytree(place / "tables", home / "copy")
        while verdict is Verdict.FAILED:
            _fill(place, left)
            run = await datasets.run(app, dataset.name, progress=Progress())
            verdict = run.verdict or Verdict.FAILED
            (place / "fill").unlink()
            if run.error is not None:
                assert state(app, dataset) == before, "the table is as it was"
                sys.stdout.write(f"{run.error.name} {run.error.code}\n")
                shutil.rmtree(place / "tables")
                shutil.copytree(home / "copy", place / "tables")
            left += STEP
        assert verdict is Verdict.COMPLETE
        assert column(app, dataset) == events_in(world, until=app.moment)
        app.close()


def _fill(place: Path, left: int) -> None:
    """Fill the file system up to that many bytes."""
    space = os.statvfs(place)
    (place / "fill").write_bytes(bytes(max(0, space.f_bavail * space.f_frsize - left)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
