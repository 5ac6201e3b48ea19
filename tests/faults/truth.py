"""What must hold after a run and at the end, whatever happened: each check tells the differences that it finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sentry_connector.destinations.model import UpdateMethod
from sentry_connector.errors import DiskFull
from sentry_connector.extraction.retention import RETENTION_EDGE, SHORTEST_RETENTION
from sentry_connector.reports import catalogue
from sentry_connector.reports.details import AllAvailable, DateRange, SinceLastRun
from sentry_connector.reports.model import DELETED_AT, Report
from sentry_connector.reports.windows import SETTLE
from sentry_connector.simulator.call import RETENTION
from sentry_connector.store.records import Run, Verdict
from tests.faults import subjects
from tests.faults.kinds import OF_FULL_DISKS, Fault
from tests.faults.life import Known, Life
from tests.faults.scenario import REPLACE
from tests.faults.subjects import BUCKET, FEEDBACK, ISSUES, Key

INSTANT = 0.001
"""Seconds by which times that are the same may differ, by how they are written."""

Row = dict[str, Any]
Differences = Iterator[str]


@dataclass(frozen=True)
class Truth:
    """Holds rows against the world that they are to tell of."""

    life: Life

    @property
    def report(self) -> Report:
        return catalogue.find(self.life.scenario.report)

    @property
    def is_timed(self) -> bool:
        return self.report.time_column is not None

    @property
    def is_of_snapshots(self) -> bool:
        """Whether each run adds all rows anew."""
        scenario = self.life.scenario
        return scenario.method is UpdateMethod.APPEND and not isinstance(scenario.details.duration, SinceLastRun)

    def keys(self, rows: Iterable[Row]) -> set[Key]:
        """The things that the rows tell of."""
        return {self._key(row) for row in rows}

    # ---- after a run

    def of_complete(self, run: Run, known: Known, rows: list[Row]) -> Differences:
        """What there was when the run began is in the table, as it was then or later."""
        if not run.windows and self.is_timed:
            return  # the store was put back to before the run knew its dates: it only noted a commit that the table has
        if self.life.subject.counts is not None:
            yield from self._of_counts(run, known, rows)
            return
        start, end = self._bounds(run)
        wanted = {key: at for key, at in known.things.items() if start <= at < end}
        still = self.life.known().things
        gone = {key for key, at in self.life.absent.items() if at >= known.time} | (known.things.keys() - still.keys())
        missing = wanted.keys() - gone - self.keys(rows)
        if missing:
            yield f"COMPLETE, and {len(missing)} rows are missing, such as {min(missing)}"
        times = self._times(rows)
        stale = {key for key, at in wanted.items() if times.get(key, at) < at - INSTANT}
        if stale:
            yield f"COMPLETE, and {len(stale)} rows are as they were before, such as {min(stale)}"

    def of_retention(self, run: Run, known: Known, rows: list[Row], had: set[Key]) -> Differences:
        """A run whose dates all lie beyond what Sentry keeps says so, and takes nothing away."""
        if not self.begins_before_retention(run, known) or run.windows[0].end.timestamp() > known.time - RETENTION:
            return
        if not any("keeps nothing" in text for text in run.warnings):
            yield "nothing of its dates is kept any more, and it does not say so"
        if had - self.keys(rows):
            yield "nothing of its dates is kept any more, and the table has lost rows"

    def begins_before_retention(self, run: Run, known: Known) -> bool:
        """Whether dates of the run lie beyond what Sentry keeps."""
        if not self.life.scenario.aged or not run.windows:
            return False
        start = run.windows[0].start
        return start is None or start.timestamp() < known.time - RETENTION

    def of_full_disks(self, run: Run, met: set[Fault]) -> Differences:
        """Where the disk is full, the run fails, and says why; only a commit that got through all the same is one."""
        full = met.intersection(OF_FULL_DISKS)
        is_told = run.error is not None and run.error.name == DiskFull.name
        if full and not is_told and not (run.verdict is Verdict.COMPLETE and full == {Fault.FULL_IN_COMMIT}):
            yield f"{run.verdict} on a full disk: {run.error}"

    def of_keys(self, rows: list[Row]) -> Differences:
        """No key stands twice in the table."""
        key = (*self.report.key, "_run_id") if self.is_of_snapshots else self.report.key
        doubled = [one for one, count in Counter(tuple(row[part] for part in key) for row in rows).items() if count > 1]
        if doubled:
            yield f"{len(doubled)} keys are doubled, such as {doubled[0]}"

    def of_kept(self, rows: list[Row], had: set[Key]) -> Differences:
        """What a table had it has: nothing that Sentry forgets is taken out of it. Else Replace keeps what its last run read."""
        scenario, gone = self.life.scenario, had - self.keys(rows)
        if gone and (scenario.method is not REPLACE or scenario.aged):
            yield f"{len(gone)} rows are gone, such as {min(gone)}"

    # ---- at the end

    def of_all(self, last: Run, rows: list[Row]) -> Differences:
        """The table holds what there is in the world, and no more."""
        if self.life.subject.counts is not None:
            yield from self._of_all_counts(last, rows)
            return
        here = self.keys(row for row in self.of_last(last, rows) if not row.get(DELETED_AT))
        start, end = self._bounds(last)
        things = self.life.known().things
        lost = {key for key, at in things.items() if start <= at < end} - here
        many = here - self._may_be_there(things, end) - self._may_be_forgotten(rows)
        if lost or many:
            yield f"{len(lost)} rows lost, {len(many)} too many"

    def of_last(self, last: Run, rows: list[Row]) -> list[Row]:
        """The rows that the last run answers for."""
        return [row for row in rows if row["_run_id"] == last.id] if self.is_of_snapshots else rows

    def of_contents(self, rows: list[Row], oracle: list[Row]) -> Differences:
        """The rows are those that one reading of everything brings."""
        key, names = self.report.key, [column.name for column in self.report.columns if not column.noise]
        wanted = {tuple(row[part] for part in key): [row[name] for name in names] for row in oracle}
        for row in rows:
            other, mine = wanted.get(tuple(row[part] for part in key)), [row[name] for name in names]
            if other is not None and other != mine:
                changed = [name for name, one, two in zip(names, mine, other, strict=True) if one != two]
                yield f"{[row[name] for name in key]} differs in {changed}"
                return

    @property
    def has_an_oracle(self) -> bool:
        """Whether contents can be held against one reading of everything."""
        scenario = self.life.scenario
        if self.life.subject.counts is not None:
            return False
        reads_all = isinstance(scenario.details.duration, AllAvailable) and not scenario.aged
        if self.life.renamed and not reads_all:
            return False  # rows that were read before the project was renamed keep its old slug
        # nor is feedback read again when its issue gets another status
        return scenario.report != FEEDBACK or not isinstance(scenario.details.duration, SinceLastRun)

    # ---- parts

    def _key(self, row: Row) -> Key:
        return tuple(row[name] for name in self.life.subject.columns)

    def _bounds(self, run: Run) -> tuple[float, float]:
        """The times that a run was to read, as far as Sentry kept them to its end."""
        if not run.windows:
            return subjects.ALWAYS, float("inf")
        window, scenario = run.windows[0], self.life.scenario
        dated = window.start if isinstance(scenario.details.duration, DateRange) else None
        start = subjects.ALWAYS if dated is None else dated.timestamp()
        edge = self.life.world.time - RETENTION if scenario.aged else subjects.ALWAYS
        return max(start, edge), window.read_end.timestamp()

    def _times(self, rows: list[Row]) -> dict[Key, float]:
        """The latest time of each thing in the table; those without one are left out."""
        column, times = self.report.time_column, dict[Key, float]()
        for row in rows:
            if column is not None and row[column] is not None:
                times[self._key(row)] = max(row[column].timestamp(), times.get(self._key(row), 0.0))
        return times

    def _of_counts(self, run: Run, known: Known, rows: list[Row]) -> Differences:
        """No bucket that was over when the run read it has fewer than there were when the run began.

        Append leaves out what was over for less than the settle time, by Sentry's clock.
        """
        found, appends = self._counted(rows), self.life.scenario.method is UpdateMethod.APPEND
        start = max(window.start.timestamp() for window in run.windows if window.start is not None)
        end = min(run.windows[0].read_end.timestamp(), known.time - (SETTLE.total_seconds() if appends else 0))
        for (scope, bucket), count in known.counts.items():
            if start <= bucket <= end - BUCKET and found.get((scope, bucket), -1) < count:
                yield f"COMPLETE, and {found.get((scope, bucket))} of {count} in {bucket} of {scope}"
                return

    def _of_all_counts(self, last: Run, rows: list[Row]) -> Differences:
        """Every bucket from the first to the last is there, with what there is in it."""
        found, wanted, window = self._counted(rows), self.life.counts(), last.windows[0]
        end = int(window.read_end.timestamp())
        for scope in {key[0] for key in wanted}:
            first = min(bucket for one, bucket in [*found, (scope, end)] if one == scope)
            if window.start is not None:
                first = min(first, int(window.start.timestamp()))
            for bucket in range(first, end, BUCKET):
                if found.get((scope, bucket)) != wanted.get((scope, bucket), 0):
                    yield f"{found.get((scope, bucket))} of {wanted.get((scope, bucket), 0)} in {bucket} of {scope}"
                    return

    def _counted(self, rows: list[Row]) -> dict[Key, int]:
        (scope,) = self.life.subject.columns
        return {(row[scope], row["timestamp_epoch"]): row["events"] for row in rows}

    def _may_be_there(self, things: dict[Key, float], end: float) -> set[Key]:
        """What a table may hold: what there is and, where nothing tells that something is gone, what there was."""
        there = {key for key, at in things.items() if at < end}
        is_kept = self.life.scenario.method is UpdateMethod.UPSERT and not self.is_timed
        return there | self.life.ever if is_kept else there

    def _may_be_forgotten(self, rows: list[Row]) -> set[Key]:
        """Issues so old that a list which does not show them says nothing of them: Sentry may keep no more than 30 days."""
        if self.life.scenario.report != ISSUES:
            return set()
        edge = self.life.world.now - SHORTEST_RETENTION + RETENTION_EDGE
        return self.keys(row for row in rows if row["last_seen"] < edge)
