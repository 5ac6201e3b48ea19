"""Which files a commit adds to a table and which it takes out: the four update methods.

Everything is copy-on-write and goes file by file through DuckDB, under a memory limit, so that the size of the table does not
matter. Nothing here changes the table: files that are written are not part of it until the commit names them.
"""

from __future__ import annotations

import datetime as dt
import tempfile
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from sentry_connector.destinations.delta_files import DataFile, Folder, bounded_columns
from sentry_connector.destinations.model import DAY, RUN_ID, Commit, Forgotten, UpdateMethod
from sentry_connector.destinations.refusals import doubled_key, null_key, refuse_strays
from sentry_connector.destinations.sql_text import listed, literal, quoted, sql_type

MEMORY_LIMIT = "512MB"

ROW_GROUP = 5 * 2048
"""Rows of a group in a file that is written anew. DuckDB holds a group for each thread: of larger ones, a merge of a million
events takes more memory and no less time."""

_Config = dict[str, str | bool | int | float | list[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What a commit does to the list of files, and what that means in rows."""

    add: Sequence[DataFile] = ()
    remove: Sequence[DataFile] = ()
    written: int = 0
    updated: int = 0
    deleted: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Matches:
    """How the staged rows meet the stored ones.

    Attributes:
        known: number of staged rows whose key is stored.
        unchanged: of those, the ones that need not be written; they are marked in the workspace.
        deleted: stored rows of a replaced group that have no staged row.
        gone: stored file → number of its rows that are replaced or deleted.
    """

    known: int = 0
    unchanged: int = 0
    deleted: int = 0
    gone: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Workspace:
    """A DuckDB connection of one commit, with a scratch folder.

    It knows two tables: `staged` (file, row, and the columns asked for) and `hits` (the stored rows that the commit is about,
    each with its staged row, where there is one, and whether that brings nothing new).
    """

    folder: Folder
    connection: duckdb.DuckDBPyConnection
    scratch: Path
    epoch: int
    schema: pa.Schema
    bounded: frozenset[str]

    def name_staged(self, files: Sequence[DataFile], columns: Iterable[str]) -> None:
        """Make `staged` a view of those columns of the staged rows; they are read where they are asked for."""
        names = list(dict.fromkeys(columns))
        there = {name for file in files for name in self.folder.columns(file.path)}
        if files:
            fields = 'file_index AS "#file", file_row_number AS "#row"'
            paths = listed(self._local(file) for file in files)
            rows = f"read_parquet({paths}, file_row_number = true, union_by_name = true, hive_partitioning = false)"
        else:
            fields = 'CAST(NULL AS INTEGER) AS "#file", CAST(NULL AS BIGINT) AS "#row"'
            rows = "range(0)"
        listing = ", ".join([fields, *(self._column(name, there) for name in names)])
        self.connection.execute(f"CREATE VIEW staged AS SELECT {listing} FROM {rows}")

    def _keep_staged(self) -> None:
        """Make `staged` a table, for it is asked once for each stored file."""
        self.connection.execute("CREATE TABLE kept AS FROM staged")
        self.connection.execute("CREATE OR REPLACE VIEW staged AS FROM kept")

    def check_key(self, key: Sequence[str]) -> None:
        """Refuse staged rows that their key does not tell apart.

        Raises:
            KeyViolated: a key column is null or a key is doubled.
        """
        columns = ", ".join(map(quoted, key))
        nulls = ", ".join(f"count(*) FILTER (WHERE {quoted(name)} IS NULL)" for name in key)
        # Equal keys have equal hashes, and a million of these take a third of the keys' memory.
        rows, hashes, *null = self._one(f"SELECT count(*), count(DISTINCT hash({columns})), {nulls} FROM staged")
        for name, count in zip(key, null, strict=True):
            if count:
                raise null_key(name, count)
        if rows == hashes:
            return
        doubled = self._one(f"SELECT {columns} FROM staged GROUP BY ALL HAVING count(*) > 1 LIMIT 1")
        if doubled:
            raise doubled_key(key, doubled)

    def ranges(self, columns: Iterable[str]) -> dict[str, tuple[Any, Any]]:
        """The least and the greatest staged value of each column: a stored file outside them holds no match.

        A column that is null in a staged row is left out: that row's match may have any value there.
        """
        bounds = "min({0}), max({0}), count({0}) = count(*)"
        names = list(dict.fromkeys(columns))
        values = self._one(f"SELECT {', '.join(bounds.format(quoted(name)) for name in names)} FROM staged")
        found = zip(names, values[::3], values[1::3], values[2::3], strict=True)
        return {name: (least, greatest) for name, least, greatest, whole in found if whole and least is not None}

    def match(
        self, stored: Sequence[DataFile], *, key: Sequence[str], group: Sequence[str], compared: Sequence[str] | None
    ) -> Matches:
        """Fill `hits` with the stored rows whose group is staged.

        Args:
            stored: the files to look through.
            key: columns that tell rows apart.
            group: columns whose rows are replaced together; the key where each row is for itself.
            compared: columns whose change makes a row new; None: what is stored stays as it is.
        """
        if stored:
            self._keep_staged()
        self.connection.execute(
            'CREATE TABLE hits (stored INTEGER, stored_row BIGINT, "#file" INTEGER, "#row" BIGINT, same BOOLEAN)'
        )
        for number, file in enumerate(stored):
            self._match_file(number, file, key=key, group=group, compared=compared)
        known, unchanged, deleted = self._one(
            'SELECT count(DISTINCT ("#file", "#row")) FILTER (WHERE "#row" IS NOT NULL),'
            ' count(DISTINCT ("#file", "#row")) FILTER (WHERE same), count(*) FILTER (WHERE "#row" IS NULL) FROM hits'
        )
        gone = self.connection.execute("SELECT stored, count(*) FROM hits WHERE NOT same GROUP BY stored").fetchall()
        return Matches(known=known, unchanged=unchanged, deleted=deleted, gone=dict(gone))

    def _match_file(
        self, number: int, file: DataFile, *, key: Sequence[str], group: Sequence[str], compared: Sequence[str] | None
    ) -> None:
        equal = " AND ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in key)
        grouped = " AND ".join(f"g.{quoted(name)} = s.{quoted(name)}" for name in group)
        same = (
            " AND ".join(f"t.{quoted(name)} IS NOT DISTINCT FROM s.{quoted(name)}" for name in compared or ()) or "true"
        )
        rows = self._rows(file, [*key, *(compared or ())])
        self.connection.execute(
            f'INSERT INTO hits SELECT {number}, s."#row", t."#file", t."#row", t."#row" IS NOT NULL AND ({same})'
            f" FROM {rows} s LEFT JOIN staged t ON {equal} WHERE EXISTS (SELECT 1 FROM staged g WHERE {grouped})"
        )

    def without_hits(self, stored: Sequence[DataFile], gone: Mapping[int, int]) -> list[DataFile]:
        """Stored files written anew without the rows that are replaced or deleted."""
        return self._rewritten(
            stored, gone, lambda number: f"SELECT stored_row FROM hits WHERE stored = {number} AND NOT same"
        )

    def without_unchanged(self, staged: Sequence[DataFile]) -> list[DataFile]:
        """The staged files, those that hold rows which bring nothing new written anew without them."""
        drop = 'SELECT DISTINCT "#file", "#row" FROM hits WHERE same'
        counts = dict(self.connection.execute(f'SELECT "#file", count(*) FROM ({drop}) GROUP BY ALL').fetchall())
        untouched = [file for number, file in enumerate(staged) if number not in counts]
        rewritten = self._rewritten(
            staged, counts, lambda number: f'SELECT "#row" FROM hits WHERE same AND "#file" = {number}'
        )
        return untouched + rewritten

    def _rewritten(
        self, files: Sequence[DataFile], gone: Mapping[int, int], rows: Callable[[int], str]
    ) -> list[DataFile]:
        return [
            self.write(f'SELECT * EXCLUDE ("#row") FROM {self._rows(file)} WHERE "#row" NOT IN ({rows(number)})', file)
            for number, file in enumerate(files)
            if 0 < gone.get(number, 0) < file.rows
        ]

    def holds(self, file: DataFile, mark: Mapping[str, str]) -> bool:
        """Whether a row of a file carries all these values."""
        rows = self._rows(file, _marked_columns([mark]))
        return bool(self._one(f"SELECT 1 FROM {rows} WHERE {_marked([mark])} LIMIT 1"))

    def without(self, file: DataFile, marks: Sequence[Mapping[str, str]]) -> DataFile | None:
        """A file with the rows of another but those that carry all values of one of the marks; None where none is left."""
        kept = f'SELECT "#row" FROM {self._rows(file, _marked_columns(marks))} WHERE NOT ({_marked(marks)})'
        if not self._one(f"SELECT count(*) FROM ({kept})")[0]:
            return None
        return self.write(f'SELECT * EXCLUDE ("#row") FROM {self._rows(file)} WHERE "#row" IN ({kept})', file)

    def forgotten(self, file: DataFile, wanted: Sequence[Forgotten], key: Sequence[str]) -> DataFile | None:
        """A file with those rows of another that Sentry may keep no more and that are not staged.

        It is the same file where all rows are such, and None where none is.
        """
        names = dict.fromkeys(name for one in wanted for name in (*one.marks, one.column))
        condition = " OR ".join(f"(({_marked([one.marks])}) AND coalesce({_is_of_time(one)}, false))" for one in wanted)
        read = " AND ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in key) or "false"
        rows = self._rows(file, [*names, *key])
        kept = f'SELECT "#row" FROM {rows} s WHERE ({condition}) AND NOT EXISTS (SELECT 1 FROM staged t WHERE {read})'
        count = self._one(f"SELECT count(*) FROM ({kept})")[0]
        if count == file.rows and file.day is None:
            return file
        if not count:
            return None
        rows = f'SELECT * EXCLUDE ("#row") FROM {self._rows(file)} WHERE "#row" IN ({kept})'
        return self.write(rows, replace(file, day=None))

    def are_equal(
        self,
        new: Sequence[DataFile],
        old: Sequence[DataFile],
        columns: Sequence[str],
        marks: Sequence[Mapping[str, str]] | None,
    ) -> bool:
        """Whether two groups of files hold the same rows, as far as these columns tell.

        Of the old files only the rows that carry all values of one of the marks count; None counts all.
        """
        names = list(dict.fromkeys([*columns, *_marked_columns(marks or ())]))
        counted = "true" if marks is None else _marked(marks)
        one, other = (
            f"SELECT {', '.join(map(quoted, columns))} FROM ({rows})"
            for rows in (self._together(new, names), f"SELECT * FROM ({self._together(old, names)}) WHERE {counted}")
        )
        if self._one(f"SELECT count(*) FROM ({other})")[0] != sum(file.rows for file in new):
            return False
        return not self._one(f"SELECT 1 FROM (({one}) EXCEPT ALL ({other})) LIMIT 1")

    def _together(self, files: Sequence[DataFile], names: Sequence[str]) -> str:
        return " UNION ALL ".join(f"SELECT * FROM {self._rows(file, names)}" for file in files)

    def merged(self, files: Sequence[DataFile]) -> DataFile:
        """One file with the rows of several of the same day."""
        paths = listed(self._local(file) for file in files)
        self.connection.execute("SET threads = 1")  # nobody waits for it, and each thread holds rows
        rows = f"read_parquet({paths}, union_by_name = true, hive_partitioning = false)"
        return self.write(f"SELECT * FROM {rows}", files[0])

    def write(self, select: str, like: DataFile) -> DataFile:
        """Write rows to a new file of the same day. Its name is new each time: a zombie of this run may write too."""
        name = f"{self.epoch:08d}{'/' if like.day is None else '-'}{uuid.uuid4().hex}.parquet"
        path = f"e{name}" if like.day is None else f"{DAY}={like.day}/e{name}"
        target = self.folder.absolute(path) if self.folder.is_local else str(self.scratch / path)
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        self.connection.execute(
            f"COPY ({select}) TO {literal(target)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
        )
        if not self.folder.is_local:
            self.folder.upload(target, path)
        return self.folder.described(path, columns=self.bounded, day=like.day)

    def _rows(self, file: DataFile, names: Sequence[str] | None = None) -> str:
        """A subquery over one file: the named columns, null where the file is older than they are, and `#row`."""
        source = f"read_parquet({literal(self._local(file))}, file_row_number = true, hive_partitioning = false)"
        if names is None:
            return f'(SELECT * EXCLUDE (file_row_number), file_row_number AS "#row" FROM {source})'
        there = set(self.folder.columns(file.path))
        columns = [self._column(name, there) for name in dict.fromkeys(names)]
        return f'(SELECT {", ".join([*columns, "file_row_number"])} AS "#row" FROM {source})'

    def _column(self, name: str, there: Collection[str]) -> str:
        return quoted(name) if name in there else f"CAST(NULL AS {sql_type(self._type(name))}) AS {quoted(name)}"

    def _local(self, file: DataFile) -> str:
        """Where DuckDB reads the file: its own place, or a copy of it where that is an object store."""
        if self.folder.is_local:
            return self.folder.absolute(file.path)
        copy = self.scratch / "copies" / file.path
        if not copy.exists():
            self.folder.download(file.path, copy)
        return str(copy)

    def _type(self, name: str) -> pa.DataType:
        return self.schema.field(name).type

    def _one(self, sql: str) -> tuple[Any, ...]:
        """The first row, by way of Arrow: DuckDB's own way of giving times to Python needs a package that we do not."""
        rows = self.connection.sql(sql).to_arrow_table()
        return tuple(column[0].as_py() for column in rows.columns) if rows.num_rows else ()


def _marked_columns(marks: Sequence[Mapping[str, str]]) -> list[str]:
    return sorted({name for mark in marks for name in mark})


def _marked(marks: Sequence[Mapping[str, str]]) -> str:
    """The condition that a row carries all values of one of the marks."""
    each = (
        " AND ".join(f"CAST({quoted(name)} AS VARCHAR) = {literal(value)}" for name, value in mark.items())
        for mark in marks
    )
    return " OR ".join(f"coalesce({one}, false)" for one in each) or "false"


def _is_of_time(one: Forgotten) -> str:
    column = quoted(one.column)
    before = f"{column} < {literal(one.before.isoformat())}::TIMESTAMPTZ"
    return before if one.since is None else f"{before} AND {column} >= {literal(one.since.isoformat())}::TIMESTAMPTZ"


@contextmanager
def workspace(
    folder: Folder, *, epoch: int, schema: pa.Schema, bounded: Iterable[str], memory_limit: str = MEMORY_LIMIT
) -> Iterator[Workspace]:
    """A workspace that leaves nothing behind. Sorting and joining beyond the memory limit goes to the scratch folder."""
    with tempfile.TemporaryDirectory(prefix="sentry-connector-") as scratch:
        config: _Config = {
            "memory_limit": memory_limit,
            "temp_directory": f"{scratch}/spill",
            "preserve_insertion_order": "false",
            "python_enable_replacements": "false",
        }
        with duckdb.connect(":memory:", config=config) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            yield Workspace(
                folder=folder,
                connection=connection,
                scratch=Path(scratch),
                epoch=epoch,
                schema=schema,
                bounded=frozenset(bounded),
            )


def change_of(commit: Commit, stored: Sequence[DataFile], folder: Folder) -> Change:
    """The change that a commit means for a table of these files.

    Raises:
        KeyViolated: a key column is null, or a key is doubled within the staged rows.
        DestinationRefused: a staged file is not what was written.
        ValueError: a day of a Partition commit is none that it may touch.
    """
    bounded = bounded_columns(commit.schema, commit.key)
    staged = [
        folder.described(file.path, columns=bounded, day=file.day, size=file.bytes)
        for file in commit.files
        if file.rows
    ]
    with workspace(folder, epoch=commit.epoch, schema=commit.schema, bounded=bounded) as space:
        space.name_staged(staged, [*commit.key, *_needed(commit)])
        if commit.key:
            space.check_key(commit.key)
        return _METHODS[commit.method](commit, staged, stored, space)


def without_run(run_id: str, stored: Sequence[DataFile], folder: Folder, *, epoch: int, schema: pa.Schema) -> Change:
    """The change that takes the rows of a run out of a table; files without any of them stay.

    Raises:
        DestinationRefused: a file cannot be read.
    """
    mark, bounded = {RUN_ID: run_id}, {name for file in stored for name in file.bounds}
    with workspace(folder, epoch=epoch, schema=schema, bounded=bounded) as space:
        touched = [file for file in stored if space.holds(file, mark)]
        kept = [file for one in touched if (file := space.without(one, [mark]))]
    return Change(add=kept, remove=touched, deleted=_count(touched) - _count(kept))


def _needed(commit: Commit) -> Iterator[str]:
    if commit.method is UpdateMethod.UPSERT:
        yield from commit.compared_columns
    if commit.immutable_time is not None:
        yield commit.immutable_time


def _replace(commit: Commit, staged: list[DataFile], stored: Sequence[DataFile], space: Workspace) -> Change:
    if not staged and commit.keep_when_empty:
        return Change()
    if not commit.forgotten:
        return Change(add=staged, remove=stored, written=_count(staged), deleted=_count(stored))
    kept = [file for one in stored if (file := space.forgotten(one, commit.forgotten, commit.key))]
    return Change(
        add=[*staged, *(file for file in kept if file not in stored)],
        remove=[file for file in stored if file not in kept],
        written=_count(staged),
        deleted=_count(stored) - _count(kept),
    )


def _append(commit: Commit, staged: list[DataFile], stored: Sequence[DataFile], space: Workspace) -> Change:
    if not commit.skip_stored:
        return Change(add=staged, written=_count(staged))
    return _gained(commit, staged, stored, space)


def _gained(commit: Commit, staged: list[DataFile], stored: Sequence[DataFile], space: Workspace) -> Change:
    """The staged rows whose key is not stored."""
    candidates = _candidates(commit, stored, space, commit.key)
    found = space.match(candidates, key=commit.key, group=commit.key, compared=None)
    return Change(add=space.without_unchanged(staged), written=_count(staged) - found.unchanged)


def _upsert(commit: Commit, staged: list[DataFile], stored: Sequence[DataFile], space: Workspace) -> Change:
    group = commit.replace_together or commit.key
    candidates = _candidates(commit, stored, space, group)
    found = space.match(candidates, key=commit.key, group=group, compared=commit.compared_columns)
    return Change(
        add=[*space.without_unchanged(staged), *space.without_hits(candidates, found.gone)],
        remove=[candidates[number] for number in sorted(found.gone)],
        written=_count(staged) - found.known,
        updated=found.known - found.unchanged,
        deleted=found.deleted,
    )


def _candidates(commit: Commit, stored: Sequence[DataFile], space: Workspace, columns: Sequence[str]) -> list[DataFile]:
    """The stored files that can hold a row of the staged keys."""
    time = () if commit.immutable_time is None else (commit.immutable_time,)
    ranges = space.ranges([*columns, *time])
    return [file for file in stored if file.may_hold(ranges)]


def _partition(commit: Commit, staged: list[DataFile], stored: Sequence[DataFile], space: Workspace) -> Change:
    if commit.days is None:
        raise ValueError("A Partition commit names its days.")
    days = commit.days
    refuse_strays({file.day for file in staged}, days)
    old = [file for file in stored if days.drops(file.day)]
    read_again = [file for file in stored if file.day in days.whole and not days.drops(file.day)]
    unchanged = _unchanged_days(commit, staged, read_again, space)
    emptied = [file for file in read_again if file.day not in unchanged]
    kept = [] if commit.read is None else [file for one in emptied if (file := space.without(one, commit.read))]
    growing = [file for file in stored if file.day in days.gaining and not days.drops(file.day)]
    gained = _gained(commit, staged, growing, space)
    add = [file for file in gained.add if not days.drops(file.day) and file.day not in unchanged]
    return Change(
        add=[*add, *kept],
        remove=[*old, *emptied],
        written=_count(add),
        deleted=_count(old) + _count(emptied) - _count(kept),
    )


def _unchanged_days(
    commit: Commit, staged: Sequence[DataFile], stored: Sequence[DataFile], space: Workspace
) -> set[dt.date | None]:
    """The days of which the run brings the very rows that the table holds: they need not be written anew."""
    new, old = _by_day(staged), _by_day(stored)
    columns = [*commit.key, *commit.compared_columns]
    return {day for day in new.keys() & old.keys() if space.are_equal(new[day], old[day], columns, commit.read)}


def _by_day(files: Iterable[DataFile]) -> dict[dt.date | None, list[DataFile]]:
    days: dict[dt.date | None, list[DataFile]] = {}
    for file in files:
        days.setdefault(file.day, []).append(file)
    return days


def _count(files: Iterable[DataFile]) -> int:
    return sum(file.rows for file in files)


_METHODS: Mapping[UpdateMethod, Callable[[Commit, list[DataFile], Sequence[DataFile], Workspace], Change]] = {
    UpdateMethod.REPLACE: _replace,
    UpdateMethod.APPEND: _append,
    UpdateMethod.UPSERT: _upsert,
    UpdateMethod.PARTITION: _partition,
}
