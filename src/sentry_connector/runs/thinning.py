"""Old history goes, with the logs of its runs, so that neither the store nor the disk grows for ever."""

from __future__ import annotations

import contextlib
import datetime as dt
from pathlib import Path

from sentry_connector.runs.house import House
from sentry_connector.runs.log import log_path

KEEP = 100
"""Runs of each DataSet that stay, however old they are."""

SHORTEST_ID = 20
"""Characters of a run's id at least; the logs of processes have shorter names."""


def thin(house: House, now: dt.datetime) -> int:
    """Forget what is older than the setting says.

    Returns:
        How many runs went.
    """
    before, gone = now - dt.timedelta(days=house.settings.history_days), 0
    while ids := house.store.thinning.runs(before, KEEP):
        for id_ in ids:
            with contextlib.suppress(OSError):  # a log that cannot be removed is no reason to keep the run
                log_path(house.logs, id_).unlink(missing_ok=True)
        gone += len(ids)
    if house.settings.is_shared:
        _thin_logs(house, before)
    house.store.thinning.slots(before)
    house.store.thinning.notices(before)
    return gone


def _thin_logs(house: House, before: dt.datetime) -> None:
    """Remove this machine's logs of runs that another machine has forgotten."""
    for path in house.logs.glob(log_path(Path(), "?" * SHORTEST_ID + "*").name):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < before.timestamp() and house.store.runs.get(path.stem) is None:
                path.unlink(missing_ok=True)
