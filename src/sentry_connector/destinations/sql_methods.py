"""The four update methods as statements over a table and the staged rows, all within one transaction.

The stored rows that a commit is about are found in one pass over the table, joined to the staged rows and never the other way
round: so a database needs no index of ours, and a key that no index would take is stored like any other.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from sentry_connector.destinations.model import DAY, Commit, Forgotten, UpdateMethod
from sentry_connector.destinations.refusals import doubled_key, null_key, refuse_strays
from sentry_connector.destinations.sql_model import Session, integers, listing, records, text
from sentry_connector.destinations.sql_staged import NUMBER, Staged
from sentry_connector.destinations.sql_text import quoted

STAGED = "_sentry_connector_staged"
HITS = "_sentry_connector_hits"
"""The temporary tables: the staged rows, and the stored rows that a commit is about, each with its staged row."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """What a commit did, in rows."""

    written: int = 0
    updated: int = 0
    deleted: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Space:
    """A commit's rows in a session, beside the table that they change.

    Attributes:
        session: the transaction.
        table: the table's name, quoted and with its schema.
        commit: what is to be done.
        staged: the rows.
    """

    session: Session
    table: str
    commit: Commit
    staged: Staged

    def load(self) -> None:
        """Bring the staged rows into the database."""
        self.session.load(STAGED, self.staged.reader())
        key, group = self.commit.key, self.commit.replace_together
        self.session.ready(STAGED, *filter(None, (key, group)))

    def check_key(self) -> None:
        """Refuse staged rows that their key does not tell apart.

        Raises:
            KeyViolated: a key column is null or a key is doubled.
        """
        key = self.commit.key
        if not key:
            return
        counts = ", ".join(f"count(*) - count({quoted(name)})" for name in key)
        for name, nulls in zip(
            key, integers(self.session, f"SELECT {counts} FROM {quoted(STAGED)}", len(key)), strict=True
        ):
            if nulls:
                raise null_key(name, nulls)
        columns = listing(key)
        sql = f"SELECT {columns} FROM {quoted(STAGED)} GROUP BY {columns} HAVING count(*) > 1 LIMIT 1"
        for doubled in records(self.session, sql, pa.schema([self.staged.schema.field(name) for name in key])):
            raise doubled_key(key, doubled.values())

    def insert(self, condition: str = "true") -> int:
        """Add the staged rows `s` for which that holds; how many."""
        names = self.staged.schema.names
        return self.session.execute(
            f"INSERT INTO {self.table} ({listing(names)})"
            f" SELECT {listing(names, 's')} FROM {quoted(STAGED)} s WHERE {condition}"
        )

    def delete(self, condition: str) -> int:
        """Delete the stored rows `t` for which that holds; how many."""
        return self.session.execute(f"DELETE FROM {self.table} AS t WHERE {condition}")

    def stored(self) -> int:
        """How many rows the table holds."""
        return integers(self.session, f"SELECT count(*) FROM {self.table}")[0]

    def match(self, *, group: Sequence[str], compared: Iterable[str] = (), among: str = "true") -> None:
        """Find the stored rows whose group is staged, each with its staged row, and whether that brings nothing new.

        Args:
            group: columns whose rows are replaced together; the key where each row is for itself.
            compared: columns whose change makes a row new; none: what is stored stays as it is.
            among: the stored rows `t` that are looked at.
        """
        equal = _equal("t", "s", self.commit.key)
        if tuple(group) == tuple(self.commit.key):
            joined, condition = f"JOIN {quoted(STAGED)} s ON {equal}", among
        else:
            in_group = f"SELECT 1 FROM {quoted(STAGED)} g WHERE {_equal('t', 'g', group)}"
            joined, condition = f"LEFT JOIN {quoted(STAGED)} s ON {equal}", f"{among} AND EXISTS ({in_group})"
        number = f"s.{quoted(NUMBER)}"
        self.session.execute(
            f"CREATE TEMPORARY TABLE {quoted(HITS)} AS SELECT t.{self.session.dialect.place} AS stored,"
            f" {number} AS staged, ({number} IS NOT NULL AND {self.same(compared)}) AS same"
            f" FROM {self.table} t {joined} WHERE {condition}"
        )
        self.session.ready(HITS, ("staged",))

    def same(self, compared: Iterable[str]) -> str:
        """That a stored row `t` and a staged row `s` have the same values."""
        same = self.session.dialect.same
        return " AND ".join(f"t.{quoted(name)} {same} s.{quoted(name)}" for name in compared) or "true"

    def unchanged_days(self, days: Collection[dt.date], read: str) -> set[dt.date]:
        """The days of which the run brings the very rows that the table holds: they need not be written anew.

        Args:
            days: which are looked at.
            read: the stored rows `t` that count.
        """
        if not days:
            return set()
        day, number = quoted(DAY), quoted(NUMBER)
        here = f"t.{day} IN ({self.days(days)}) AND ({read})"
        equal = f"{_equal('t', 's', self.commit.key)} AND t.{day} = s.{day}"
        found = self._by_day(f"SELECT s.{day}, count(*) FROM {quoted(STAGED)} s GROUP BY s.{day}")
        there = self._by_day(f"SELECT t.{day}, count(*) FROM {self.table} t WHERE {here} GROUP BY t.{day}")
        alike = self._by_day(
            f"SELECT s.{day}, count(DISTINCT s.{number}) FROM {self.table} t JOIN {quoted(STAGED)} s ON {equal}"
            f" WHERE {here} AND {self.same(self.commit.compared_columns)} GROUP BY s.{day}"
        )
        return {one for one, count in alike.items() if count == found.get(one) == there.get(one)}

    def _by_day(self, sql: str) -> dict[dt.date, int]:
        schema = pa.schema([("day", pa.date32()), ("count", pa.int64())])
        return {one["day"]: one["count"] for one in records(self.session, sql, schema)}

    def days(self, days: Iterable[dt.date]) -> str:
        """Days as literals."""
        return ", ".join(map(self.session.dialect.day, sorted(days)))


def change(space: Space) -> Counts:
    """Do what a commit wants, with its rows loaded and its key checked."""
    return _METHODS[space.commit.method](space)


def _replace(space: Space) -> Counts:
    """Without TRUNCATE, which other sessions see before it is committed."""
    commit = space.commit
    if not space.staged.rows and commit.keep_when_empty:
        return Counts()
    gone = "true" if not commit.forgotten else f"NOT ({_is_kept(space, commit.forgotten)})"
    deleted = space.delete(gone)
    return Counts(written=space.insert(), deleted=deleted)


def _is_kept(space: Space, forgotten: Iterable[Forgotten]) -> str:
    """That a stored row is one that Sentry may keep no more, and that was not read."""
    instant = space.session.dialect.instant

    def of(one: Forgotten) -> str:
        column = f"t.{quoted(one.column)}"
        since = "" if one.since is None else f" AND {column} >= {instant(one.since)}"
        return f"({_marked([one.marks])} AND coalesce({column} < {instant(one.before)}{since}, false))"

    old = " OR ".join(map(of, forgotten))
    if not space.commit.key:
        return f"({old})"
    return f"({old}) AND NOT EXISTS (SELECT 1 FROM {quoted(STAGED)} s WHERE {_equal('t', 's', space.commit.key)})"


def _append(space: Space) -> Counts:
    if not space.commit.skip_stored:
        return Counts(written=space.insert())
    space.match(group=space.commit.key)
    return Counts(written=space.insert(_is_new()))


def _upsert(space: Space) -> Counts:
    commit = space.commit
    space.match(group=commit.replace_together or commit.key, compared=commit.compared_columns)
    known, deleted = integers(
        space.session,
        f"SELECT count(DISTINCT staged), count(*) FILTER (WHERE staged IS NULL) FROM {quoted(HITS)}",
        2,
    )
    place = space.session.dialect.place
    space.delete(f"t.{place} IN (SELECT h.stored FROM {quoted(HITS)} h WHERE NOT h.same)")
    added = space.insert(_is_new("AND h.same"))
    written = space.staged.rows - known
    return Counts(written=written, updated=added - written, deleted=deleted)


def _is_new(besides: str = "") -> str:
    """That a staged row met no stored one, or none of some."""
    return f"NOT EXISTS (SELECT 1 FROM {quoted(HITS)} h WHERE h.staged = s.{quoted(NUMBER)} {besides})"


def _partition(space: Space) -> Counts:
    commit, days, day = space.commit, space.commit.days, quoted(DAY)
    if days is None:
        raise ValueError("A Partition commit names its days.")
    refuse_strays(space.staged.days, days)
    conditions, deleted = [], 0
    if days.drop_before is not None:
        oldest = space.days([days.drop_before])
        deleted += space.delete(f"t.{day} < {oldest}")
        conditions.append(f"s.{day} >= {oldest}")
    whole = {one for one in days.whole if not days.drops(one)}
    read = "true" if commit.read is None else _marked(commit.read)
    unchanged = space.unchanged_days(whole, read)
    if whole - unchanged:
        deleted += space.delete(f"t.{day} IN ({space.days(whole - unchanged)}) AND ({read})")
    if unchanged:
        conditions.append(f"s.{day} NOT IN ({space.days(unchanged)})")
    gaining = {one for one in days.gaining if not days.drops(one)}
    if gaining and commit.key:
        space.match(group=commit.key, among=f"t.{day} IN ({space.days(gaining)})")
        conditions.append(_is_new())
    return Counts(written=space.insert(" AND ".join(conditions) or "true"), deleted=deleted)


def _equal(one: str, other: str, columns: Iterable[str]) -> str:
    return " AND ".join(f"{one}.{quoted(name)} = {other}.{quoted(name)}" for name in columns) or "false"


def _marked(marks: Iterable[Mapping[str, str]]) -> str:
    """That a stored row carries all values of one of the marks."""
    each = (
        " AND ".join(f"CAST(t.{quoted(name)} AS VARCHAR) = {text(value)}" for name, value in mark.items()) or "true"
        for mark in marks
    )
    return "(" + (" OR ".join(f"coalesce({one}, false)" for one in each) or "false") + ")"


_METHODS: Mapping[UpdateMethod, Callable[[Space], Counts]] = {
    UpdateMethod.REPLACE: _replace,
    UpdateMethod.APPEND: _append,
    UpdateMethod.UPSERT: _upsert,
    UpdateMethod.PARTITION: _partition,
}
