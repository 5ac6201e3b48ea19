"""What a run has read, lying where the table's files lie, so that a run that was killed goes on where it was.

Rows are gathered into parts, and each part is written as Parquet files, which the commit names as they are. A slice is finished
when all its rows are in parts that are whole; the manifest says which slices are, and with which size and hash a file is whole.
Answers whose rows are not in a part yet are in the journal: whoever goes on with the run asks for none of them again.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.fs as pafs

from sentry_connector.errors import KeyViolated
from sentry_connector.extraction import journal
from sentry_connector.extraction.journal import Journal, Kept, Note, PagesRef
from sentry_connector.extraction.journal_objects import ObjectJournal
from sentry_connector.extraction.parts import Layout, Parts, SpoolFile, disk_errors, write_whole
from sentry_connector.extraction.survey import Survey

PART_ROWS = 50_000
PART_BYTES = 16 * 1024 * 1024
"""A part is written when it has grown to either, so that memory does not grow with the run."""

MOST_RUNS = 20
"""Runs of rows that are copied one by one."""

Value = TypeVar("Value")
Key = tuple[Any, ...]


def spool_folder(epoch: int) -> str:
    """Where manifests and journals lie below the table's root."""
    return f"_spool/{epoch:08d}"


class SliceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a finished slice.

    Attributes:
        slice_id, scope_id: which slice.
        rows: that it gives to the table.
        pages: pages read.
        drift: path → rows with something there that the catalogue does not know or that did not fit.
        warnings: sentences for the run's record.
        limited: reading stopped at the number of rows that was asked for.
        oldest: the earliest time of its rows; None where they have none.
        began: unix time that the server's clock showed at least when the first question was asked, by whichever attempt; None
            where it never told.
        forgotten: up to when Sentry keeps nothing any more of what was asked for; None where it did not say so.
    """

    slice_id: str
    scope_id: str
    rows: int = 0
    pages: int = 0
    drift: dict[str, int] = {}
    warnings: tuple[str, ...] = ()
    limited: bool = False
    oldest: dt.datetime | None = None
    began: float | None = None
    forgotten: dt.datetime | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The record of progress of one attempt; what earlier attempts brought, it has taken over.

    Attributes:
        surveys: scope id → where its rows lie in time; all attempts share it, so that their slices are the same.
        pages: the journal's files.
        files: the parts' files.
        finished: slices of which all rows are in the files.
        superseded: file → keys whose rows in it do not count, since the same row was read again later.
    """

    surveys: dict[str, Survey] = {}
    pages: tuple[PagesRef, ...] = ()
    files: tuple[SpoolFile, ...] = ()
    finished: tuple[SliceRecord, ...] = ()
    superseded: dict[str, list[Key]] = {}


async def at_once(work: Callable[[], Value]) -> Value:
    """Do the work here and now."""
    return work()


Aside = Callable[[Callable[[], Any]], Awaitable[Any]]
"""How blocking work is done while others go on: in a thread, or here and now."""


@dataclass
class Chunk:
    """The rows of a page until they are in a part; afterwards only their keys, and the part's number."""

    slice_id: str
    batch: pa.RecordBatch | None
    keys: list[Key]
    part: int | None = None


@dataclass(kw_only=True)
class Spool:
    """The staged rows of one attempt at a run (one epoch) in one table's folder.

    Attributes:
        filesystem: the disk or the object store.
        root: the table's folder there.
        epoch: the run's.
        schema: the columns.
        layout: how rows lie in files.
        attempt: a name that sorts after that of all earlier attempts and that no other one has. It stands in every file's name,
            so that an attempt which was thought dead cannot write over a file that another one has committed.
        aside: how parts are written.
        keeps_answers: whether there is a journal.
    """

    filesystem: pafs.FileSystem
    root: str
    epoch: int
    schema: pa.Schema
    layout: Layout
    attempt: str
    aside: Aside = at_once
    keeps_answers: bool = True
    _manifest: Manifest = field(init=False, default_factory=Manifest)
    _journal: Journal | ObjectJournal | None = field(init=False, default=None)
    _finished: dict[str, SliceRecord] = field(init=False, default_factory=dict)
    _unsealed: list[SliceRecord] = field(init=False, default_factory=list)
    _chunks: list[Chunk] = field(init=False, default_factory=list)
    _rows: int = field(init=False, default=0)
    _bytes: int = field(init=False, default=0)
    _parts: list[list[SpoolFile]] = field(init=False, default_factory=list)
    _superseded: dict[int, set[Key]] = field(init=False, default_factory=dict)
    _voids: list[tuple[str, int]] = field(init=False, default_factory=list)
    _writers: dict[str, SliceWriter] = field(init=False, default_factory=dict)
    _turn: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)

    def open(self) -> None:
        """Take over what earlier attempts have read, as far as it is whole.

        Raises:
            DiskFull, DestinationRefused, DestinationUnavailable: it cannot be read, or nothing can be written there.
        """
        with disk_errors(self.root):
            before = self._latest_manifest()
            whole = tuple(file for file in before.files if self._is_whole(file))
        broken = {segment.slice_id for file in before.files if file not in whole for segment in file.segments}
        finished = {one.slice_id: one for one in before.finished if one.slice_id not in broken}
        files = tuple(_voided(file, finished) for file in whole)
        self._finished = finished
        self._parts = [[file] for file in files]
        numbers = {file.path: number for number, file in enumerate(files)}
        self._superseded = {
            numbers[path]: set(map(tuple, keys)) for path, keys in before.superseded.items() if path in numbers
        }
        if self.keeps_answers:
            folder = self._files.absolute(spool_folder(self.epoch))
            self._journal = (
                Journal(Path(folder), self.attempt, before.pages)
                if self._is_local
                else ObjectJournal(self.filesystem, folder, self.attempt)
            )
        self._manifest = msgspec.structs.replace(before, files=files, finished=tuple(finished.values()))
        self._save_manifest()

    @property
    def _files(self) -> Parts:
        return Parts(
            filesystem=self.filesystem,
            root=self.root,
            epoch=self.epoch,
            attempt=self.attempt,
            schema=self.schema,
        )

    @property
    def _is_local(self) -> bool:
        return isinstance(self.filesystem, pafs.LocalFileSystem)

    @property
    def surveys(self) -> dict[str, Survey]:
        """Scope id → where its rows lie in time, as the first attempt found it."""
        return self._manifest.surveys

    async def keep_surveys(self, surveys: dict[str, Survey]) -> None:
        """All attempts cut the run into slices by these."""
        async with self._turn:
            self._manifest = msgspec.structs.replace(self._manifest, surveys=surveys)
            await self._beside(self._save_manifest)

    def record(self, slice_id: str) -> SliceRecord | None:
        """What is known of a slice that is finished; None where it must be read."""
        return self._finished.get(slice_id)

    # ---- answers

    async def recall(self, slice_id: str, key: str) -> Kept | None:
        """The answer that an earlier attempt got to a question of a slice that it did not finish."""
        kept = self._journal
        return None if kept is None else await self._beside(lambda: kept.recall(slice_id, key))

    async def keep(self, note: Note, packed: bytes) -> None:
        """Keep an answer until its slice is finished."""
        kept = self._journal
        if kept is not None:
            await self._beside(lambda: kept.keep(note, packed))

    async def _beside(self, work: Callable[[], Value]) -> Value:
        """Do what a disk does at once, and a store of objects after a way to it and back."""
        return work() if self._is_local else await self.aside(work)

    def distrust(self) -> bool:
        """Recall no answer of earlier attempts any more; whether any was recalled so far."""
        return self._journal is not None and self._journal.distrust()

    # ---- rows

    def writer(self, slice_id: str, scope_id: str) -> SliceWriter:
        """A writer for one slice; what an earlier writer of the slice was given does not count any more."""
        former = self._writers.pop(slice_id, None)
        if former is not None:
            self._void(slice_id)
        writer = self._writers[slice_id] = SliceWriter(self, slice_id, scope_id)
        return writer

    async def flush(self) -> None:
        """Write the gathered rows as a part; from here on the slices that ended before are finished for other attempts too."""
        async with self._turn:
            chunks, ended = self._chunks, self._unsealed
            if not chunks and not ended:
                return
            self._chunks, self._unsealed, self._rows, self._bytes = [], [], 0, 0
            number = len(self._parts)
            self._parts.append([])
            taken = [(chunk.slice_id, chunk.batch) for chunk in chunks if chunk.batch is not None]
            for chunk in chunks:
                chunk.batch, chunk.part = None, number
            files = await self.aside(lambda: self._files.write(number, taken, self.layout))
            meanwhile = {slice_id for slice_id, parts in self._voids if number < parts}
            self._parts[number] = [_without(file, meanwhile) for file in files]
            await self._seal(ended)

    def close(self) -> None:
        """Leave no file open; what was kept stays for whoever goes on."""
        if self._journal is not None:
            self._journal.close()

    async def staged(self, wanted: Collection[str]) -> tuple[SpoolFile, ...]:
        """The files with the rows of these slices and no others. All slices have ended; the spool takes no more rows."""
        await self.flush()
        self.close()
        kept = []
        for number, part in enumerate(list(self._parts)):
            for file in part:
                superseded = self._superseded.get(number, set())
                kept.append(await self.aside(partial(self._only, file, wanted, superseded)))
        return tuple(file for file in kept if file is not None)

    def batches(self, files: Sequence[SpoolFile]) -> Iterator[pa.RecordBatch]:
        """The rows of files, a batch at a time."""
        return self._files.batches(files)

    # ---- for the writers

    def take(self, chunk: Chunk) -> bool:
        """Gather the rows of a page; whether there are enough for a part."""
        if chunk.batch is not None and chunk.batch.num_rows:
            self._chunks.append(chunk)
            self._rows += chunk.batch.num_rows
            self._bytes += chunk.batch.nbytes
        return self._rows >= PART_ROWS or self._bytes >= PART_BYTES

    def end(self, record: SliceRecord) -> None:
        """A slice has ended; it is finished when all its rows are in parts."""
        del self._writers[record.slice_id]
        self._finished[record.slice_id] = record
        self._unsealed.append(record)

    def supersede(self, part: int, keys: set[Key]) -> None:
        """Rows with these keys in a part do not count any more."""
        self._superseded.setdefault(part, set()).update(keys)

    # ---- inside

    def _void(self, slice_id: str) -> None:
        """Rows of this slice do not count any more."""
        self._chunks = [chunk for chunk in self._chunks if chunk.slice_id != slice_id]
        self._parts = [[_without(file, {slice_id}) for file in part] for part in self._parts]
        self._voids.append((slice_id, len(self._parts)))

    async def _seal(self, ended: list[SliceRecord]) -> None:
        """Write the manifest: from here on these slices are finished for whoever goes on with the run."""
        done = (*self._manifest.finished, *ended)
        self._manifest = msgspec.structs.replace(
            self._manifest,
            files=tuple(file for part in self._parts for file in part),
            finished=done,
            superseded={
                file.path: sorted(keys) for number, keys in self._superseded.items() for file in self._parts[number]
            },
        )
        if self._journal is not None:
            self._journal.forget(record.slice_id for record in ended)
        await self._beside(self._save_manifest)

    def _save_manifest(self) -> None:
        pages = self._journal.files if self._journal is not None else ()
        content = msgspec.json.encode(msgspec.structs.replace(self._manifest, pages=pages))
        path = self._files.absolute(f"{spool_folder(self.epoch)}/{self.attempt}.json")
        with disk_errors(self.root):
            write_whole(self.filesystem, path, content)

    def _latest_manifest(self) -> Manifest:
        """The manifest of the latest attempt before this one, with the answers that it got after it was written."""
        folder = self._files.absolute(spool_folder(self.epoch))
        selector = pafs.FileSelector(folder, allow_not_found=True)
        names = [info.base_name for info in self.filesystem.get_file_info(selector)]
        earlier = sorted(
            (name.removesuffix(".json") for name in names if name.endswith(".json") and name < f"{self.attempt}.json"),
            reverse=True,
        )
        for attempt in earlier:
            try:
                with self.filesystem.open_input_stream(f"{folder}/{attempt}.json") as stream:
                    found = msgspec.json.decode(stream.read(), type=Manifest)
            except ConnectionError:  # a store that does not answer says nothing about what was read
                raise
            except (msgspec.DecodeError, OSError):  # cut off by a loss of power
                continue
            return msgspec.structs.replace(found, pages=self._pages_of(folder, attempt, found))
        return Manifest()

    def _pages_of(self, folder: str, attempt: str, manifest: Manifest) -> tuple[PagesRef, ...]:
        if not self._is_local:
            return ()
        own = journal.files_of(Path(folder), attempt)
        names = {ref.name for ref in own}
        return (*(ref for ref in manifest.pages if ref.name not in names), *own)

    def _only(self, file: SpoolFile, wanted: Collection[str], superseded: Collection[Key]) -> SpoolFile | None:
        """A file with the rows of these slices alone; the file itself where it holds no others."""
        counted = [not segment.void and segment.slice_id in wanted for segment in file.segments]
        if all(counted) and not superseded:
            return file
        if not any(counted):
            return None
        table = self._files.read(file)
        mask = list(
            itertools.chain.from_iterable(
                [keep] * segment.rows for keep, segment in zip(counted, file.segments, strict=True)
            )
        )
        if superseded:
            keys = keys_of(table, self.layout.key)
            mask = [keep and key not in superseded for keep, key in zip(mask, keys, strict=True)]
        kept = table.filter(pa.array(mask, pa.bool_()))
        if not kept.num_rows:
            return None
        return self._files.rewrite(file, kept)

    def _is_whole(self, file: SpoolFile) -> bool:
        return self._files.is_whole(file)


def _without_keys(batch: pa.RecordBatch, keys: list[Key], dropped: Collection[Key]) -> tuple[pa.RecordBatch, list[Key]]:
    """The rows of a page whose keys are not among those."""
    if not dropped:
        return batch, keys
    return _rows_at(batch, keys, [place for place, key in enumerate(keys) if key not in dropped])


def _rows_at(batch: pa.RecordBatch, keys: list[Key], places: Sequence[int]) -> tuple[pa.RecordBatch, list[Key]]:
    """The rows at these rising places.

    Pages overlap by a row or two, so that the places are long runs: copied run by run they take a third of the time that Arrow
    needs to take rows, or to filter them.
    """
    runs: list[list[int]] = []
    for place in places:
        if runs and runs[-1][1] == place:
            runs[-1][1] += 1
        else:
            runs.append([place, place + 1])
    kept = [keys[place] for place in places]
    if len(runs) > MOST_RUNS or not runs:
        return batch.take(pa.array(places, pa.int64())), kept
    return pa.concat_batches([batch.slice(start, end - start) for start, end in runs]), kept


@dataclass
class SliceWriter:
    """Takes the rows of one slice page by page; of rows with the same key one stays, as the layout says."""

    spool: Spool
    slice_id: str
    scope_id: str
    rows: int = 0
    _seen: set[Key] = field(default_factory=set)
    _chunks: list[Chunk] = field(default_factory=list)

    async def add(self, batch: pa.RecordBatch) -> None:
        """Take the rows of a page.

        Raises:
            KeyViolated: a row of a partitioned table has no time, and so no day.
            DiskFull, DestinationRefused: a part could not be written.
        """
        self._refuse_rows_without_a_day(batch)
        keys: list[Key] = []
        if self.spool.layout.key:
            batch, keys = self._last_of_each(batch, keys_of(batch, self.spool.layout.key))
            doubled = self._seen.intersection(keys)
            if self.spool.layout.first_stays:
                batch, keys = _without_keys(batch, keys, doubled)
            else:
                self._supersede(doubled)
            self._seen.update(key for key in keys if None not in key)
        chunk = Chunk(self.slice_id, batch, keys)
        self._chunks.append(chunk)
        self.rows += batch.num_rows
        if self.spool.take(chunk):
            await self.spool.flush()

    def finish(self, **facts: Any) -> SliceRecord:
        """No more rows come; `facts` are the other fields of `SliceRecord`."""
        record = SliceRecord(slice_id=self.slice_id, scope_id=self.scope_id, rows=self.rows, **facts)
        self.spool.end(record)
        return record

    def _last_of_each(self, batch: pa.RecordBatch, keys: list[Key]) -> tuple[pa.RecordBatch, list[Key]]:
        """The page without the earlier ones of rows that are in it twice; a key with a null is no key."""
        last = {key if None not in key else (place,): place for place, key in enumerate(keys)}
        if len(last) == len(keys):
            return batch, keys
        return _rows_at(batch, keys, sorted(last.values()))

    def _supersede(self, doubled: set[Key]) -> None:
        """Take back the rows with these keys that earlier pages brought; mostly the page just before did."""
        for chunk in reversed(self._chunks):
            if not doubled:
                return
            here = doubled.intersection(chunk.keys)
            if not here:
                continue
            doubled = doubled - here
            self.rows -= len(here)
            if chunk.batch is None:
                self.spool.supersede(chunk.part or 0, here)
            else:
                chunk.batch, _ = _without_keys(chunk.batch, chunk.keys, here)
            chunk.keys = [key for key in chunk.keys if key not in here]

    def _refuse_rows_without_a_day(self, batch: pa.RecordBatch) -> None:
        column = self.spool.layout.day_column
        if column is not None and batch[column].null_count:
            raise KeyViolated(
                f"{batch[column].null_count} rows have no {column}, and so no day to lie in.",
                remedy="Choose another update method: only Partition needs the day.",
                column=column,
            )


def _voided(file: SpoolFile, finished: Collection[str]) -> SpoolFile:
    """The file, where only the rows of finished slices count: what an attempt left unfinished is read from the journal."""
    segments = tuple(
        msgspec.structs.replace(segment, void=segment.void or segment.slice_id not in finished)
        for segment in file.segments
    )
    return msgspec.structs.replace(file, segments=segments)


def _without(file: SpoolFile, slices: Collection[str]) -> SpoolFile:
    """The file, where the rows of these slices do not count."""
    segments = tuple(
        msgspec.structs.replace(segment, void=segment.void or segment.slice_id in slices) for segment in file.segments
    )
    return msgspec.structs.replace(file, segments=segments)


def keys_of(table: pa.Table | pa.RecordBatch, key: Sequence[str]) -> list[Key]:
    """The key of each row."""
    return list(zip(*(table[name].to_pylist() for name in key), strict=True))
