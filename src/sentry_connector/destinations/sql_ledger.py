"""The ledger of a SQL destination: which tables are ours, what each commit did, and the watermarks.

It lies in the tables' own schema and is written in the transaction of the rows, so that neither is there without the other.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import pyarrow as pa

from sentry_connector.destinations.model import NO_WATERMARK, Committed, Version
from sentry_connector.destinations.sql_model import (
    Session,
    column_types,
    qualified,
    records,
    text,
)
from sentry_connector.destinations.sql_text import quoted

TABLES = "_sentry_connector_tables"
COMMITS = "_sentry_connector_commits"
WATERMARKS = "_sentry_connector_watermarks"

KEPT_COMMITS = 10_000
"""Epochs that the ledger remembers what they did; the newest of them."""

_AT_ONCE = 500
"""Watermarks of one statement."""

TIMESTAMP = pa.timestamp("us", tz="UTC")

Thing = TypeVar("Thing")

_WORDS = {
    "text": pa.string(),
    "integer": pa.int64(),
    "real": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": TIMESTAMP,
    "date": pa.date32(),
}
_WORD_OF = {kind: word for word, kind in _WORDS.items()}


class _Column(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A column as the ledger keeps it: what the database itself does not tell of it."""

    name: str
    type: str
    metadata: dict[str, str] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What the ledger says of a DataSet's table.

    Attributes:
        table: its name.
        schema: its columns, as the connector made them.
        partitioned: it is updated by days.
        epoch: the highest that was committed.
    """

    table: str
    schema: pa.Schema
    partitioned: bool
    epoch: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """What a commit did; counts are rows, `rows` those of the table after it. It is of a run, or of nobody's run."""

    epoch: int
    run_id: str | None
    operation: str
    at: dt.datetime
    written: int
    updated: int
    deleted: int
    rows: int
    findings: str | None

    def committed(self, *, repeated: bool) -> Committed:
        """It as the answer to who committed."""
        return Committed(
            version=self.epoch,
            written=self.written,
            updated=self.updated,
            deleted=self.deleted,
            repeated=repeated,
            findings=self.findings,
        )

    def version(self) -> Version:
        """It as the table's state."""
        return Version(
            version=self.epoch, at=self.at, operation=self.operation, run_id=self.run_id, rows=self.rows, bytes=None
        )


_TABLES = pa.schema(
    [
        ("dataset_id", pa.string()),
        ("table_name", pa.string()),
        ("columns", pa.string()),
        ("partitioned", pa.bool_()),
        ("epoch", pa.int64()),
    ]
)
_COMMITS = pa.schema(
    [
        ("dataset_id", pa.string()),
        ("epoch", pa.int64()),
        ("run_id", pa.string()),
        ("operation", pa.string()),
        ("at", TIMESTAMP),
        ("written", pa.int64()),
        ("updated", pa.int64()),
        ("deleted", pa.int64()),
        ("rows", pa.int64()),
        ("findings", pa.string()),
    ]
)
_WATERMARKS = pa.schema([("dataset_id", pa.string()), ("scope", pa.string()), ("mark", pa.int64())])
_LEDGER = ((TABLES, _TABLES, 1), (COMMITS, _COMMITS, 2), (WATERMARKS, _WATERMARKS, 2))
"""Table, its columns, and how many of these, from the first on, are its key."""


def traces(dataset_id: str, table: str) -> list[str]:
    """The statements that delete what there is of a DataSet in a database, for people who run them there."""
    of_ledger = [f"DELETE FROM {quoted(name)} WHERE dataset_id = {text(dataset_id)}" for name, _, _ in _LEDGER]
    return [f"DROP TABLE {quoted(table)}", *of_ledger]


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger, as far as it is about one DataSet, within one transaction."""

    session: Session
    dataset_id: str

    def is_there(self) -> bool:
        """Whether any DataSet was ever committed to this schema."""
        return bool(column_types(self.session, WATERMARKS))

    def make(self) -> None:
        """Make its tables where they are not there."""
        if self.is_there():
            return
        self.session.lock(TABLES)
        for name, schema, key in _LEDGER:
            columns = [f"{quoted(one.name)} {self.session.dialect.types[one.type]}" for one in schema]
            keyed = ", ".join(_quoted(schema)[:key])
            self.session.execute(
                f"CREATE TABLE IF NOT EXISTS {self._of(name)} ({', '.join(columns)}, PRIMARY KEY ({keyed}))"
            )

    def entry(self) -> Entry | None:
        """What is known of the table; None where nothing was ever committed."""
        if not self.is_there():
            return None
        found = self._select(TABLES, _TABLES)
        if not found:
            return None
        (one,) = found
        return Entry(
            table=one["table_name"],
            schema=_schema_of(one["columns"]),
            partitioned=one["partitioned"],
            epoch=one["epoch"],
        )

    def owner(self, table: str) -> str | None:
        """The DataSet whose table bears that name."""
        found = records(
            self.session,
            f"SELECT {_names(_TABLES)} FROM {self._of(TABLES)} WHERE table_name = {text(table)}",
            _TABLES,
        )
        return found[0]["dataset_id"] if found else None

    def note(self, epoch: int) -> Note | None:
        """What the commit of that epoch did; None where it was not made, or long ago."""
        return self._note(f"epoch = {epoch}")

    def last(self) -> Note | None:
        """What the last commit did."""
        return self._note("true", "ORDER BY epoch DESC LIMIT 1")

    def epoch_of(self, run_id: str) -> int | None:
        """The epoch by which a run committed."""
        note = self._note(f"run_id = {text(run_id)}", "ORDER BY epoch DESC LIMIT 1")
        return None if note is None else note.epoch

    def watermarks(self) -> dict[str, int]:
        """Scope id → watermark."""
        return {one["scope"]: one["mark"] for one in self._select(WATERMARKS, _WATERMARKS)}

    def write(self, entry: Entry, note: Note, watermarks: Mapping[str, int]) -> None:
        """Write down a commit."""
        values = (
            f"{text(self.dataset_id)}, {text(entry.table)}, {text(_columns_of(entry.schema))},"
            f" {self._boolean(entry.partitioned)}, {entry.epoch}"
        )
        self.session.execute(
            f"INSERT INTO {self._of(TABLES)} ({_names(_TABLES)}) VALUES ({values}) ON CONFLICT (dataset_id) DO UPDATE"
            f" SET {', '.join(f'{one} = excluded.{one}' for one in _quoted(_TABLES)[1:])}"
        )
        figures = ", ".join(str(one) for one in (note.written, note.updated, note.deleted, note.rows))
        self.session.execute(
            f"INSERT INTO {self._of(COMMITS)} ({_names(_COMMITS)}) VALUES ({text(self.dataset_id)}, {note.epoch},"
            f" {text(note.run_id)}, {text(note.operation)}, {self.session.dialect.instant(note.at)}, {figures},"
            f" {text(note.findings)})"
        )
        self._mark(watermarks)
        self.session.execute(
            f"DELETE FROM {self._of(COMMITS)} WHERE {self._mine()} AND epoch <= {note.epoch - KEPT_COMMITS}"
        )

    def forget(self) -> None:
        """Forget the DataSet."""
        for name, _, _ in _LEDGER:
            self.session.execute(f"DELETE FROM {self._of(name)} WHERE {self._mine()}")

    def _mark(self, watermarks: Mapping[str, int]) -> None:
        lost = [scope for scope, mark in watermarks.items() if mark == NO_WATERMARK]
        kept = [(scope, mark) for scope, mark in watermarks.items() if mark != NO_WATERMARK]
        for some in _in_groups(lost):
            scopes = ", ".join(map(text, some))
            self.session.execute(f"DELETE FROM {self._of(WATERMARKS)} WHERE {self._mine()} AND scope IN ({scopes})")
        for marks in _in_groups(kept):
            rows = ", ".join(f"({text(self.dataset_id)}, {text(scope)}, {mark})" for scope, mark in marks)
            self.session.execute(
                f"INSERT INTO {self._of(WATERMARKS)} ({_names(_WATERMARKS)}) VALUES {rows}"
                " ON CONFLICT (dataset_id, scope) DO UPDATE SET mark = excluded.mark"
            )

    def _note(self, condition: str, rest: str = "") -> Note | None:
        found = self._select(COMMITS, _COMMITS, f"{self._mine()} AND {condition} {rest}")
        if not found:
            return None
        return Note(**{name: value for name, value in found[0].items() if name != "dataset_id"})

    def _select(self, name: str, schema: pa.Schema, condition: str | None = None) -> list[dict[str, Any]]:
        where = condition or self._mine()
        return records(self.session, f"SELECT {_names(schema)} FROM {self._of(name)} WHERE {where}", schema)

    def _mine(self) -> str:
        return f"dataset_id = {text(self.dataset_id)}"

    def _of(self, name: str) -> str:
        return qualified(self.session, name)

    def _boolean(self, value: bool) -> str:  # noqa: FBT001  # a value as a literal
        return f"CAST({int(value)} AS {self.session.dialect.types[pa.bool_()]})"


def _in_groups(things: Sequence[Thing]) -> Iterator[Sequence[Thing]]:
    return (things[first : first + _AT_ONCE] for first in range(0, len(things), _AT_ONCE))


def _names(schema: pa.Schema) -> str:
    return ", ".join(_quoted(schema))


def _quoted(schema: pa.Schema) -> list[str]:
    return [quoted(name) for name in schema.names]


def _columns_of(schema: pa.Schema) -> str:
    columns = [
        _Column(
            name=one.name,
            type=_WORD_OF[one.type],
            metadata={key.decode(): value.decode() for key, value in (one.metadata or {}).items()},
        )
        for one in schema
    ]
    return msgspec.json.encode(columns).decode()


def _schema_of(columns: str) -> pa.Schema:
    known = msgspec.json.decode(columns, type=list[_Column])
    return pa.schema([pa.field(one.name, _WORDS[one.type], metadata=one.metadata or None) for one in known])
