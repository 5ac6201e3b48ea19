"""When a run looks for late events, and what it holds Sentry's counts against: `extraction.late` says what follows.

An hour may count more events than the table can ever hold: events without entries have no row. So what was counted in such an
hour when it was read is remembered beside the table, and the hour is read again only where more is counted than then.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import msgspec

from sentry_connector.destinations.looks import by_hour
from sentry_connector.destinations.model import Selection
from sentry_connector.extraction.late import LATEST, Lookout
from sentry_connector.extraction.parts import write_whole
from sentry_connector.extraction.survey import Survey, fuller_hours
from sentry_connector.reports.scopes import Scope
from sentry_connector.runs.marks import Marks, late_name
from sentry_connector.runs.work import Work

COUNTED = "_spool/counted.json"
"""Where it is remembered, below the table's root. Where the file is lost, such hours are read once more."""


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What Sentry counted in hours of a scope that have more than the table.

    Attributes:
        mark: the scope's late mark of the commit that they were read for. A table with another one, as after a revert, may
            lack their rows.
        hours: unix seconds → items.
    """

    mark: int
    hours: dict[int, int] = {}


@dataclass(kw_only=True)
class LateEvents:
    """One attempt's search for late events."""

    work: Work
    marks: Marks
    _surplus: dict[str, Callable[[Survey], dict[int, int]]] = field(init=False, default_factory=dict)

    def lookout(self) -> Lookout | None:
        """When and by what late events are looked for; None where nobody wants it."""
        now, hours = self.work.instant, self.work.house.settings.late_hours
        if not hours:
            return None

        def since(scope: Scope) -> dt.datetime | None:
            before = self.marks.looked_through(scope.id)
            if before is None:
                return now - LATEST
            return before - LATEST if now - before >= dt.timedelta(hours=hours) else None

        return Lookout(since=since, held=self._held_or_read)

    def remember(self, surveys: Mapping[str, Survey], committed: Mapping[str, int]) -> None:
        """Remember what was counted in the hours that were looked at, now that their rows are committed.

        Args:
            surveys: scope id → what Sentry counted before they were read.
            committed: the marks of the commit.

        Raises:
            OSError: it cannot be written.
        """
        found = {}
        for scope, surplus in self._surplus.items():
            name = late_name(scope, self.work.details)
            if scope in surveys and name in committed:
                found[name] = Counted(mark=committed[name], hours=surplus(surveys[scope]))
        before = self._remembered()
        after = {name: one for name, one in (before | found).items() if one.hours}
        if after != before:
            self._write(msgspec.json.encode(after))

    async def _held_or_read(self, scope: Scope, start: dt.datetime, end: dt.datetime) -> Mapping[int, int]:
        """What the table has of a scope, hour by hour, or what was counted when the hour was read."""
        work = self.work
        column, item = work.report.time_column, work.report.counted_column
        if column is None or item is None:
            raise ValueError(f"{work.report.slug} has nothing that is counted by the hour")
        selection = Selection(marks=scope.rows, time=column, start=start, end=end)

        def look() -> Mapping[int, int]:
            stored = work.table.snapshot()
            return {} if stored is None else by_hour(stored, selection, item)

        held = await work.holding.aside(look)
        self._surplus[scope.id] = partial(_surplus, held=held, until=end)
        name = late_name(scope.id, work.details)
        known = (await work.house.aside(self._remembered)).get(name)
        read = known.hours if known is not None and known.mark == self.marks.known.get(name) else {}
        return {hour: max(held.get(hour, 0), read.get(hour, 0)) for hour in held.keys() | read.keys()}

    def _remembered(self) -> dict[str, Counted]:
        filesystem, root = self.work.table.location()
        try:
            with filesystem.open_input_stream(f"{root}/{COUNTED}") as stream:
                return msgspec.json.decode(stream.read(), type=dict[str, Counted])
        except (OSError, msgspec.DecodeError):  # not there, or torn by a loss of power
            return {}

    def _write(self, content: bytes) -> None:
        filesystem, root = self.work.table.location()
        write_whole(filesystem, f"{root}/{COUNTED}", content)


def _surplus(counted: Survey, *, held: Mapping[int, int], until: dt.datetime) -> dict[int, int]:
    """What was counted in the hours that begin before `until` and of which more was counted than held."""
    items = dict(counted.hours())
    return {hour: items[hour] for hour in fuller_hours(counted, held) if hour < until.timestamp()}
