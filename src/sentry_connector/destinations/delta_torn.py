"""What a loss of power leaves at the end of a log: the newest entry, or the newest checkpoint, cut short.

A commit is told to nobody before it is on the disk, so an entry that is torn was told to nobody: the table is what it was
before. A checkpoint repeats what entries say, and those are deleted only when it is on the disk. So both can be put aside, where
no reader looks. Object stores take a file whole or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sentry_connector.destinations import delta_log
from sentry_connector.destinations.delta_files import Folder

ASIDE = "_torn"
"""The folder beside the log where that goes."""

_HINT = f"{delta_log.LOG}/_last_checkpoint"


def torn_entry(folder: Folder) -> int | None:
    """The version of the newest entry, where it is certain that it was never written to its end; None mostly."""
    newest = max(delta_log.entries(folder), default=-1) if folder.is_local else -1
    if newest < 0 or newest <= max(delta_log.checkpoints(folder), default=-1):
        return None
    return None if delta_log.is_whole(folder.read(delta_log.entry(newest))) else newest


def torn_checkpoint(folder: Folder) -> int | None:
    """The version of the newest checkpoint, where it has no end and the entries that it repeats are all there; None mostly."""
    found = delta_log.checkpoints(folder) if folder.is_local else []
    if not found or _has_an_end(Path(folder.absolute(delta_log.checkpoint(found[-1])))):
        return None
    before = found[-2] if len(found) > 1 else -1
    return found[-1] if set(range(before + 1, found[-1] + 1)) <= set(delta_log.entries(folder)) else None


def mend(folder: Folder) -> None:
    """Put aside what is torn at the end of the log. To be called under the lease.

    Raises:
        OSError: the disk refuses.
    """
    while (version := torn_checkpoint(folder)) is not None:
        _put_aside(folder, delta_log.checkpoint(version), _has_an_end)
        with suppress(FileNotFoundError):  # it leads readers to that checkpoint; without it they look for themselves
            Path(folder.absolute(_HINT)).unlink()
    version = torn_entry(folder)
    if version is not None:
        _put_aside(folder, delta_log.entry(version), lambda path: delta_log.is_whole(path.read_bytes()))


def _has_an_end(path: Path) -> bool:
    """Whether a Parquet file was written to its end, where its footer is."""
    try:
        pq.read_metadata(path)
    except pa.ArrowInvalid:
        return False
    return True


def _put_aside(folder: Folder, path: str, is_whole: Callable[[Path], bool]) -> None:
    """Move a torn file to where no reader looks.

    Somebody who lost the lease without knowing it could do so just when another one, who mended before, commits under the
    same name. So what was moved is looked at once more, and goes back where it is whole.
    """
    source, names = Path(folder.absolute(path)), Path(path).name
    aside = Path(folder.absolute(ASIDE))
    aside.mkdir(exist_ok=True)
    target = aside / f"{len(list(aside.iterdir())):04}-{names}"
    source.rename(target)
    if is_whole(target):
        os.link(target, source)
        target.unlink()
    folder.sync([path, target.relative_to(folder.root).as_posix()])
