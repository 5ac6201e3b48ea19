"""Reading a Delta log where delta-rs has no word for it: all transaction ids at once, what entries say, which are old or torn.

The log's files: https://github.com/delta-io/delta/blob/master/PROTOCOL.md#delta-log-entries
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import msgspec
import pyarrow.parquet as pq

from sentry_connector.destinations.delta_files import Folder

LOG = "_delta_log"
OURS = "sentry_connector"
"""Our part of a commit's metadata. It goes when its log entry goes."""

_ENTRY = re.compile(rf"{LOG}/(\d{{20}})\.json")
_CHECKPOINT = re.compile(rf"{LOG}/(\d{{20}})\.checkpoint\.parquet")
_NUMBERED = re.compile(rf"{LOG}/(\d{{20}})\.")


class _Txn(msgspec.Struct):
    app_id: str = msgspec.field(name="appId")
    version: int


class _File(msgspec.Struct):
    path: str

    @property
    def plain(self) -> str:
        """The path as it is below the table's root; the log has it as part of an address."""
        return unquote(self.path)


class _Metadata(msgspec.Struct):
    """Only that it is there."""


class _Action(msgspec.Struct):
    txn: _Txn | None = None
    add: _File | None = None
    remove: _File | None = None
    metadata: _Metadata | None = msgspec.field(name="metaData", default=None)
    info: dict[str, Any] = msgspec.field(name="commitInfo", default_factory=dict)


def entry(version: int) -> str:
    """Where the entry of a version lies below the table's root."""
    return f"{LOG}/{version:020}.json"


def checkpoint(version: int) -> str:
    """Where the checkpoint of a version lies below the table's root."""
    return f"{LOG}/{version:020}.checkpoint.parquet"


def transactions(folder: Folder, version: int) -> dict[str, int]:
    """Every transaction id of the table at that version, by its application's id.

    delta-rs answers one id at a time, each with a pass over the log; a DataSet of 5,000 projects has 5,001.
    """
    start = max((number for number in checkpoints(folder) if number <= version), default=-1)
    found = _of_checkpoint(folder, start) if start >= 0 else {}
    for number in range(start + 1, version + 1):
        found |= {one.txn.app_id: one.txn.version for one in _actions(folder, number) if one.txn is not None}
    return found


def _of_checkpoint(folder: Folder, version: int) -> dict[str, int]:
    path = folder.absolute(checkpoint(version))
    rows = pq.read_table(path, filesystem=folder.filesystem, columns=["txn"])["txn"].to_pylist()
    return {row["appId"]: row["version"] for row in rows if row is not None and row["appId"] is not None}


def infos(folder: Folder, version: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """What the entries up to that version say of themselves, by version, newest first.

    delta-rs answers with all of them at once, and not at all where a later one is torn.
    """
    for number in sorted((number for number in entries(folder) if number <= version), reverse=True):
        yield number, _info(_actions(folder, number))


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """A version of a table.

    Attributes:
        version: its number.
        info: what its entry says of itself.
        files: paths of its files below the table's root.
        changes_shape: whether its entry says which columns there are, so that the versions before may have had others.
    """

    version: int
    info: dict[str, Any]
    files: frozenset[str]
    changes_shape: bool


def pasts(folder: Folder, version: int, files: Iterable[str]) -> Iterator[Past]:
    """The versions up to that one, newest first, as far back as they can be read.

    From the files of the newest the entries lead back to those of each version before; to open them one by one costs
    delta-rs a pass over the log each.
    """
    held = frozenset(files)
    for number in _readable(folder, version):
        actions = _actions(folder, number)
        shape = any(one.metadata for one in actions)
        yield Past(version=number, info=_info(actions), files=held, changes_shape=shape)
        added = {one.add.plain for one in actions if one.add is not None}
        held = (held - added) | {one.remove.plain for one in actions if one.remove is not None}


def _readable(folder: Folder, version: int) -> list[int]:
    """The versions up to that one, falling: as far as there is no gap, and a checkpoint or the first entry to begin from."""
    there = set(entries(folder))
    found = list(itertools.takewhile(there.__contains__, range(version, -1, -1)))
    if not found or found[-1] == 0:
        return found
    base = min((one for one in checkpoints(folder) if one >= found[-1] - 1), default=version + 1)
    return [one for one in found if one >= base]


def _actions(folder: Folder, version: int) -> list[_Action]:
    return msgspec.json.Decoder(_Action).decode_lines(folder.read(entry(version)))


def _info(actions: list[_Action]) -> dict[str, Any]:
    return next((one.info for one in actions if one.info), {})


def is_whole(content: bytes) -> bool:
    """Whether an entry was written to its end.

    An entry that was cut between two lines reads well and lacks files or ids. Ours say how many of these they have, in their
    first line: they come last.
    """
    try:
        actions = msgspec.json.Decoder(_Action).decode_lines(content)
    except msgspec.ValidationError:  # it says something else than is known here
        return True
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    promised = _info(actions).get(OURS, {}).get("actions")
    return bool(actions) and promised in {None, sum(bool(one.txn or one.add) for one in actions)}


def entries(folder: Folder) -> list[int]:
    """The versions that have an entry, rising."""
    return _numbers(folder, _ENTRY)


def checkpoints(folder: Folder) -> list[int]:
    """The versions that have a checkpoint, rising."""
    return _numbers(folder, _CHECKPOINT)


def _numbers(folder: Folder, pattern: re.Pattern[str]) -> list[int]:
    matches = map(pattern.fullmatch, folder.listing(LOG))
    return sorted(int(match[1]) for match in matches if match)


def entries_since_checkpoint(folder: Folder) -> int:
    """How many entries a reader must read one by one."""
    last = max(checkpoints(folder), default=-1)
    return sum(number > last for number in entries(folder))


def forget_before(folder: Folder, version: int) -> None:
    """Delete the entries that no version from `version` on needs: those before the last checkpoint up to it."""
    start = max((number for number in checkpoints(folder) if number <= version), default=0)
    numbered = ((path, _NUMBERED.match(path)) for path in folder.listing(LOG))
    folder.delete(*(path for path, match in numbered if match and int(match[1]) < start))
