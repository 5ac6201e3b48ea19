"""A very large run becomes a chain of ordinary runs over windows, newest first; each is all or nothing. Arithmetic only."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from sentry_connector.extraction.explain import explained, outlook
from sentry_connector.extraction.prepare import Prepared
from sentry_connector.extraction.survey import Survey
from sentry_connector.extraction.ways import Pace, cheapest
from sentry_connector.reports import windows
from sentry_connector.reports.details import Details
from sentry_connector.reports.model import Report, Shape
from sentry_connector.settings import Settings
from sentry_connector.store.records import Part, Run, Trigger, Verdict

DAYS_AT_A_TIME = 7
"""Days of one run of a backfill, before anything is known of its rows."""

FIRST_DAY = dt.date(2008, 5, 8)
"""No event of Sentry is older: it is as old as Sentry itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Of one run: how long it may take, in seconds, and how many bytes Sentry may answer, by what is expected."""

    seconds: float
    bytes: float

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """As the settings say."""
        return cls(seconds=settings.run_minutes * 60, bytes=settings.run_mib * 2**20)


BYTES_OF_A_ROW = 1_500
BYTES_OF_A_BODY = 12_000
"""What a row of a list of events takes in Sentry's answers, and one with its body."""

FIRST_WAIT = dt.timedelta(minutes=15)
LONGEST_WAIT = dt.timedelta(days=1)
"""Between a backfill's failed run and the next one of the same days: at first, and at most."""

_DAY = dt.timedelta(days=1)


def most_rows(
    report: Report, details: Details, prepared: Prepared, pace: Callable[[str], Pace], limits: Limits
) -> float | None:
    """How many rows a run may have, where its plan is over the limits; None where it is not, or nobody can tell."""
    if not prepared.surveys or any(scope not in prepared.surveys for scope in prepared.spans):
        return None
    rows = sum(one.rows or 0 for one in prepared.slices)
    plans = explained(report, details, prepared.slices, prepared.surveys, pace, cheapest)
    has_bodies = details.bodies or report.shape is Shape.ENTRIES
    size = rows * (BYTES_OF_A_BODY if has_bodies else BYTES_OF_A_ROW)
    over = max(outlook(plans, pace).seconds / limits.seconds, size / limits.bytes)
    return rows / over if over > 1 else None


def parts_of(run: Run, prepared: Prepared, timezone: str, most: float) -> list[Part]:
    """The days of a run's windows, in parts of so many rows, newest first."""
    spans = prepared.spans.values()
    first = min(window.first_day or FIRST_DAY for window in spans)
    last = max(windows.last_day(window, timezone) for window in spans)
    whole = run.part or Part(chain=run.id, start=first, end=last, first=first, last=last)
    parts = by_rows(whole.chain, first, last, rows_by_day(prepared.surveys.values(), timezone), most)
    return [msgspec.structs.replace(one, first=whole.first, last=whole.last) for one in parts]


def weeks(chain: str, first: dt.date, last: dt.date, days: int = DAYS_AT_A_TIME) -> list[Part]:
    """Parts of so many days that tile the days from the first to the last, newest first."""
    parts = []
    end = last
    while end >= first:
        start = max(first, end - _DAY * (days - 1))
        parts.append(Part(chain=chain, start=start, end=end, first=first, last=last))
        end = start - _DAY
    return parts


def by_rows(chain: str, first: dt.date, last: dt.date, rows: Mapping[dt.date, int], most: float) -> list[Part]:
    """Parts that tile the days from the first to the last, newest first, none of more rows than `most` but single days.

    Days without rows cost nothing, so that the parts meet where there are rows.
    """
    ends, gathered = [last], 0
    for day in sorted((day for day in rows if first <= day <= last), reverse=True):
        if gathered and gathered + rows[day] > most and day < ends[-1]:
            ends.append(day)
            gathered = 0
        gathered += rows[day]
    starts = [*(end + _DAY for end in ends[1:]), first]
    return [
        Part(chain=chain, start=start, end=end, first=first, last=last) for start, end in zip(starts, ends, strict=True)
    ]


def rows_by_day(surveys: Iterable[Survey], timezone: str) -> Counter[dt.date]:
    """Rows of all surveys by the day in the zone on which their hours begin."""
    zone = windows.zone(timezone)
    total: Counter[dt.date] = Counter()
    for survey in surveys:
        for hour, rows in survey.hours():
            if rows:
                total[dt.datetime.fromtimestamp(hour, zone).date()] += rows
    return total


def run_of(part: Part, dataset_id: str, queued_at: dt.datetime, number: int = 1) -> Run:
    """The run of a part. Its id follows from the part, so that it is stored once; each further `number` is another run."""
    return Run(
        id=_id_of(part) if number == 1 else f"{_id_of(part)}.{number}",
        dataset_id=dataset_id,
        trigger=Trigger.BACKFILL,
        queued_at=queued_at,
        part=part,
    )


def again(run: Run, now: dt.datetime) -> Run | None:
    """The run that reads the days of a failed one of a backfill once more; None where none is to.

    By itself it waits for a while, each time for twice as long; whoever asks for it need not.
    """
    if run.part is None or run.trigger is not Trigger.BACKFILL or run.verdict is not Verdict.FAILED:
        return None
    number = int(run.id.removeprefix(f"{_id_of(run.part)}.")) if run.id.startswith(f"{_id_of(run.part)}.") else 1
    wait = min(FIRST_WAIT * 2 ** min(number - 1, 10), LONGEST_WAIT)
    return msgspec.structs.replace(run_of(run.part, run.dataset_id, now, number + 1), not_before=now + wait)


def given_up(run: Run) -> str | None:
    """The chain whose further runs will not begin, since this one ended so; None where there is none.

    Where the first run of a chain that a large run became fails, the next run has the same days before it.
    """
    failed_first = run.verdict is Verdict.FAILED and run.trigger is not Trigger.BACKFILL
    return run.part.chain if run.part is not None and (failed_first or run.verdict is Verdict.CANCELLED) else None


def _id_of(part: Part) -> str:
    return f"{part.chain}.{part.start}.{part.end}"
