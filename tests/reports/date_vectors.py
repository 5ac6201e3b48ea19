"""Dates with the windows that they mean: the truth that `windows.resolve` is held against."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sentry_connector.reports.details import DateRange, Duration, SinceLastRun, SingleDate


@dataclass(frozen=True, kw_only=True, slots=True)
class DateVector:
    """A duration at an instant in a zone, and the window to expect. `hours` is the length of the whole window."""

    case: str
    duration: Duration
    now: dt.datetime
    timezone: str = "UTC"
    watermark: dt.datetime | None = None
    days: tuple[dt.date, dt.date]
    start: dt.datetime
    end: dt.datetime
    read_end: dt.datetime
    hours: float
    epochs: tuple[int, int]


def utc(month: int, day: int, hour: int = 0, minute: int = 0, *, year: int = 2026) -> dt.datetime:
    """An instant in UTC."""
    return dt.datetime(year, month, day, hour, minute, tzinfo=dt.UTC)


def date(month: int, day: int, *, year: int = 2026) -> dt.date:
    """A calendar day."""
    return dt.date(year, month, day)


NOON = utc(3, 10, 12)
TWO_HOURS = 7200

VECTORS = (
    DateVector(
        case="range 10 to 5 days back holds both days",
        duration=DateRange(10, 5),
        now=NOON,
        days=(date(2, 28), date(3, 5)),
        start=utc(2, 28),
        end=utc(3, 6),
        read_end=utc(3, 6),
        hours=144,
        epochs=(1772236800, 1772755200),
    ),
    DateVector(
        case="0 days back is today so far",
        duration=SingleDate(0),
        now=NOON,
        days=(date(3, 10), date(3, 10)),
        start=utc(3, 10),
        end=utc(3, 11),
        read_end=NOON,
        hours=24,
        epochs=(1773100800, 1773187200),
    ),
    DateVector(
        case="1 day back is yesterday whole",
        duration=SingleDate(1),
        now=NOON,
        days=(date(3, 9), date(3, 9)),
        start=utc(3, 9),
        end=utc(3, 10),
        read_end=utc(3, 10),
        hours=24,
        epochs=(1773014400, 1773100800),
    ),
    DateVector(
        case="range 7 to 0 days back is eight days",
        duration=DateRange(7, 0),
        now=NOON,
        days=(date(3, 3), date(3, 10)),
        start=utc(3, 3),
        end=utc(3, 11),
        read_end=NOON,
        hours=192,
        epochs=(1772496000, 1773187200),
    ),
    DateVector(
        case="range 0 to 0 days back is today",
        duration=DateRange(0, 0),
        now=NOON,
        days=(date(3, 10), date(3, 10)),
        start=utc(3, 10),
        end=utc(3, 11),
        read_end=NOON,
        hours=24,
        epochs=(1773100800, 1773187200),
    ),
    DateVector(
        case="specific day",
        duration=SingleDate(date(2, 28)),
        now=NOON,
        days=(date(2, 28), date(2, 28)),
        start=utc(2, 28),
        end=utc(3, 1),
        read_end=utc(3, 1),
        hours=24,
        epochs=(1772236800, 1772323200),
    ),
    DateVector(
        case="specific range over the end of February",
        duration=DateRange(date(2, 27), date(3, 1)),
        now=NOON,
        days=(date(2, 27), date(3, 1)),
        start=utc(2, 27),
        end=utc(3, 2),
        read_end=utc(3, 2),
        hours=72,
        epochs=(1772150400, 1772409600),
    ),
    DateVector(
        case="specific start, end 2 days back",
        duration=DateRange(date(3, 1), 2),
        now=NOON,
        days=(date(3, 1), date(3, 8)),
        start=utc(3, 1),
        end=utc(3, 9),
        read_end=utc(3, 9),
        hours=192,
        epochs=(1772323200, 1773014400),
    ),
    DateVector(
        case="0 days back shortly before midnight",
        duration=SingleDate(0),
        now=utc(3, 10, 23, 30),
        days=(date(3, 10), date(3, 10)),
        start=utc(3, 10),
        end=utc(3, 11),
        read_end=utc(3, 10, 23, 30),
        hours=24,
        epochs=(1773100800, 1773187200),
    ),
    DateVector(
        case="1 day back shortly after midnight",
        duration=SingleDate(1),
        now=utc(3, 11, 0, 10),
        days=(date(3, 10), date(3, 10)),
        start=utc(3, 10),
        end=utc(3, 11),
        read_end=utc(3, 11),
        hours=24,
        epochs=(1773100800, 1773187200),
    ),
    DateVector(
        case="the day on which New York's clocks go forward has 23 hours",
        duration=SingleDate(date(3, 8)),
        now=NOON,
        timezone="America/New_York",
        days=(date(3, 8), date(3, 8)),
        start=utc(3, 8, 5),
        end=utc(3, 9, 4),
        read_end=utc(3, 9, 4),
        hours=23,
        epochs=(1772946000, 1773028800),
    ),
    DateVector(
        case="today in New York is still yesterday's date of UTC",
        duration=SingleDate(0),
        now=utc(3, 11, 2),
        timezone="America/New_York",
        days=(date(3, 10), date(3, 10)),
        start=utc(3, 10, 4),
        end=utc(3, 11, 4),
        read_end=utc(3, 11, 2),
        hours=24,
        epochs=(1773115200, 1773201600),
    ),
    DateVector(
        case="the day before 1 March of a leap year",
        duration=SingleDate(1),
        now=utc(3, 1, 5, year=2028),
        days=(date(2, 29, year=2028), date(2, 29, year=2028)),
        start=utc(2, 29, year=2028),
        end=utc(3, 1, year=2028),
        read_end=utc(3, 1, year=2028),
        hours=24,
        epochs=(1835395200, 1835481600),
    ),
    DateVector(
        case="since the last run, less an overlap of 2 h",
        duration=SinceLastRun(TWO_HOURS),
        now=NOON,
        watermark=utc(3, 10, 11),
        days=(date(3, 10), date(3, 10)),
        start=utc(3, 10, 9),
        end=NOON,
        read_end=NOON,
        hours=3,
        epochs=(1773133200, 1773144000),
    ),
    DateVector(
        case="since the last run, the overlap reaches over midnight",
        duration=SinceLastRun(TWO_HOURS),
        now=utc(3, 10, 0, 30),
        watermark=utc(3, 9, 23, 30),
        days=(date(3, 9), date(3, 10)),
        start=utc(3, 9, 21, 30),
        end=utc(3, 10, 0, 30),
        read_end=utc(3, 10, 0, 30),
        hours=3,
        epochs=(1773091800, 1773102600),
    ),
    DateVector(
        case="since the last run without an overlap",
        duration=SinceLastRun(0),
        now=NOON,
        watermark=utc(3, 9, 12),
        days=(date(3, 9), date(3, 10)),
        start=utc(3, 9, 12),
        end=NOON,
        read_end=NOON,
        hours=24,
        epochs=(1773057600, 1773144000),
    ),
)
