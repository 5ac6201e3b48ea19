"""What runs stage beside a table until they commit: which run each file is of, and how it is cleared away."""

from __future__ import annotations

import re
from collections.abc import Collection

from sentry_connector.destinations.delta_files import Folder

SPOOL = "_spool"
"""The folder of what runs keep until they commit, below the table's root."""

_STAGED = re.compile(r"(?:_day=[^/]+/)?e(\d{8,})[/-][^/]+\.parquet|_spool/(\d{8,})/[^/]+")


def epoch_of(path: str) -> int | None:
    """The epoch that a file was written for; None for a file that is none of ours."""
    match = _STAGED.fullmatch(path)
    return int(match[1] or match[2]) if match else None


def highest_epoch(folder: Folder) -> int:
    """The highest epoch that anything is staged for; 0 for none."""
    return max((epoch for epoch in map(epoch_of, folder.listing(SPOOL)) if epoch is not None), default=0)


def delete_staged(folder: Folder, epochs: range, needed: Collection[str] = ()) -> None:
    """Delete the files of these epochs that are not needed, their manifests, and on a disk the folders that become empty."""
    staged = ((epoch_of(path), path) for path in folder.listing())
    # What is no number is looked for in a range number by number.
    unneeded = [path for epoch, path in staged if epoch is not None and epoch in epochs and path not in needed]
    folder.delete(*unneeded)
    folder.delete_emptied(unneeded)
