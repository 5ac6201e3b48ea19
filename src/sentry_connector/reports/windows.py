"""Dates become windows: calendar days in a zone → half-open spans of instants in UTC. Pure arithmetic, no clock.

Every window follows from (duration, zone, the run's instant, watermark), so that a retry after midnight that brings the
same instant gets the same days.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo

import msgspec

from sentry_connector.errors import DatesError, nearest
from sentry_connector.reports.details import AllAvailable, DateRange, Day, Duration, SinceLastRun, SingleDate, Window

MAX_DAYS_BACK = 3650
"""How far back a relative date may reach, in days."""

SETTLE = dt.timedelta(seconds=60)
"""Reading stops this long before the run's instant: what Sentry is just storing is left to the next run."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_TICK = dt.timedelta.resolution
_ONE_DAY = dt.timedelta(days=1)


def zone(name: str) -> zoneinfo.ZoneInfo:
    """The IANA time zone of that name.

    Raises:
        DatesError: there is no such zone; the nearest names are in the remedy.
    """
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder such as `America`
        close = nearest(name, sorted(zoneinfo.available_timezones()))
        remedy = f"Did you mean: {', '.join(close)}?" if close else "Zones are named like `UTC` or `Europe/Berlin`."
        raise DatesError(f"There is no time zone named {name!r}.", remedy=remedy, field="timezone") from error


def check_duration(duration: Duration) -> None:
    """Refuses what can be known to be wrong without a clock.

    Raises:
        DatesError: a day back is not in 0..3650, a date lies before 1970, the start comes after the end, or the overlap
            is negative or longer than 3650 days.
    """
    match duration:
        case SingleDate(day=day):
            _check_day(day)
        case DateRange(start=start, end=end):
            _check_day(start)
            _check_day(end)
            _check_order(start, end)
        case SinceLastRun(overlap=overlap):
            if not 0 <= overlap <= MAX_DAYS_BACK * 86_400:
                raise DatesError(f"The overlap is a time from 0 s to {MAX_DAYS_BACK} days, not {overlap} s.")
        case AllAvailable():
            pass


def resolve(
    duration: Duration,
    *,
    timezone: str,
    now: dt.datetime,
    settle: dt.timedelta = SETTLE,
    watermark: dt.datetime | None = None,
    first_run_days: int | None = None,
) -> Window:
    """The window that the dates mean for a run at the instant `now`.

    Days go from 00:00 of the first to 00:00 after the last, in the zone; a day has 23 or 25 hours where its clocks
    change. A window can be empty only where the last run ended after `now` (Since Last Successful Run).

    Args:
        duration: the chosen dates.
        timezone: the IANA zone that days are counted in.
        now: the run's instant, aware: a scheduled run's slot, or when a manual run started.
        settle: how long before `now` reading stops.
        watermark: where the last committed window ended; None for a first run.
        first_run_days: how many days a first Since Last Successful Run goes back, from 00:00; None = all available.

    Raises:
        DatesError: the zone is unknown, a date lies in the future, the start comes after the end, or the zone skipped
            the day (Pacific/Apia has no 2011-12-30).
    """
    check_duration(duration)
    tz = zone(timezone)
    now = now.astimezone(dt.UTC)
    start: dt.datetime | None
    match duration:
        case SingleDate(day=day):
            start, end = _day_span(day, day, tz, now)
        case DateRange(start=first, end=last):
            start, end = _day_span(first, last, tz, now)
        case AllAvailable():
            start, end = None, now
        case SinceLastRun(overlap=overlap):
            start = _resume_at(watermark, overlap, first_run_days, tz, now)
            end = max(now, start) if start else now
    return _window(start, end, now - settle, tz)


def align(window: Window, seconds: int) -> Window:
    """The window grown to the edges of the buckets that it touches; buckets of `seconds` are counted from 1970.

    The days stay as chosen, and `read_end` stays too: a bucket that it cuts may not be over yet, and a watermark there
    has it read again, since the next window is aligned too.

    Raises:
        ValueError: `seconds` is not positive.
    """
    step = _bucket(seconds)
    start = None if window.start is None else _floor(window.start, step)
    return msgspec.structs.replace(window, start=start, end=_ceiling(window.end, step))


def whole_buckets(window: Window, seconds: int) -> Window:
    """The window up to the last bucket of `seconds` that is over when reading stops.

    Raises:
        ValueError: `seconds` is not positive.
    """
    end = _floor(window.read_end, _bucket(seconds))
    return msgspec.structs.replace(window, end=end, read_end=end)


def split(
    start: dt.datetime, end: dt.datetime, *, seconds_per_bucket: int, buckets: int
) -> list[tuple[dt.datetime, dt.datetime]]:
    """Half-open spans that tile [start, end), oldest first, each of at most `buckets` buckets, no bucket in two spans.

    Raises:
        ValueError: `seconds_per_bucket` or `buckets` is not positive.
    """
    step = _bucket(seconds_per_bucket)
    if buckets < 1:
        raise ValueError(f"a span has at least one bucket, not {buckets}")
    spans = []
    edge = _floor(start, step)
    while start < end:
        edge += step * buckets
        spans.append((start, min(edge, end)))
        start = edge
    return spans


def floor_to_day(window: Window, timezone: str) -> Window:
    """The window with its start moved back to 00:00 of its day, as Partition needs: a day is replaced whole.

    Raises:
        DatesError: the zone is unknown.
    """
    if window.start is None:
        return window
    tz = zone(timezone)
    return msgspec.structs.replace(window, start=_midnight(_day_of(window.start, tz), tz))


def of_span(start: dt.datetime, end: dt.datetime, timezone: str) -> Window:
    """The window of a span that lies in the past.

    Raises:
        DatesError: the zone is unknown.
    """
    return with_days(Window(start=start, end=end, read_end=end), timezone)


def with_days(window: Window, timezone: str) -> Window:
    """The window with the days that it touches; one without a start has none.

    Raises:
        DatesError: the zone is unknown.
    """
    if window.start is None:
        return window
    tz = zone(timezone)
    first, last = _day_of(window.start, tz), _day_of(max(window.start, window.end - _TICK), tz)
    return msgspec.structs.replace(window, first_day=first, last_day=last)


def last_day(window: Window, timezone: str) -> dt.date:
    """The last day that the window touches.

    Raises:
        DatesError: the zone is unknown.
    """
    return _day_of(window.end - _TICK, zone(timezone))


def days_of(window: Window, timezone: str) -> list[dt.date]:
    """The calendar days that the window touches, oldest first.

    Raises:
        DatesError: the zone is unknown.
        ValueError: the window has no start, so its days have no end in the past: set one first.
    """
    if window.start is None:
        raise ValueError("a window without a start has no list of days")
    tz = zone(timezone)
    first = _day_of(window.start, tz)
    count = (_day_of(window.end - _TICK, tz) - first).days + 1
    days = [first + _ONE_DAY * n for n in range(count)]
    return [day for day in days if _midnight(day, tz) < _midnight(day + _ONE_DAY, tz)]


def whole_days(window: Window, timezone: str) -> frozenset[dt.date]:
    """The days that a run over the window reads whole, or cut only at the run's instant.

    Raises:
        DatesError: the zone is unknown.
        ValueError: the window has no start, so its days have no end in the past: set one first.
    """
    tz = zone(timezone)
    return frozenset(day for day in days_of(window, timezone) if _is_whole(day, window, tz))


def describe(window: Window, timezone: str) -> str:
    """One line for people: `2026-02-28 to 2026-03-05 (6 days, UTC): 2026-02-28T00:00Z up to 2026-03-06T00:00Z`."""
    line = _days_in_words(window, timezone)
    return line if window.read_end == window.end else f"{line}, read up to {_instant(window.read_end)}"


def dates_in_words(duration: Duration) -> str:
    """The chosen dates for people: `the last 7 days`, `2026-02-28 to yesterday`, `since the last run, and 120 minutes before`."""
    match duration:
        case AllAvailable():
            return "everything that Sentry still has"
        case SinceLastRun(overlap=overlap):
            return f"since the last run, and {overlap // 60} minutes before"
        case SingleDate(day=day):
            return _day_in_words(day)
        case DateRange(start=start, end=end) if start == end:
            return _day_in_words(start)
        case DateRange(start=int(start), end=0):
            return f"the last {start + 1} days"
        case DateRange(start=start, end=end):
            return f"{_day_in_words(start)} to {_day_in_words(end)}"


def _day_in_words(day: Day) -> str:
    if isinstance(day, dt.date):
        return str(day)
    return {0: "today", 1: "yesterday"}.get(day, f"{day} days ago")


def _check_day(day: Day) -> None:
    if isinstance(day, int):
        if not 0 <= day <= MAX_DAYS_BACK:
            raise DatesError(f"Days back are a whole number from 0 to {MAX_DAYS_BACK}, not {day}.")
    elif day < _EPOCH.date():
        raise DatesError(f"{day} is too early: Sentry counts time from {_EPOCH.date()}.")


def _check_order(start: Day, end: Day) -> None:
    """Days of one kind can be compared without a clock; a mix waits for `resolve`."""
    if isinstance(start, int) and isinstance(end, int):
        if start < end:
            raise DatesError(f"The dates run backwards: {start} days back comes after {end} days back.")
    elif isinstance(start, dt.date) and isinstance(end, dt.date):
        _check_forwards(start, end)


def _check_forwards(first: dt.date, last: dt.date) -> None:
    if first > last:
        raise DatesError(f"The dates run backwards: {first} comes after {last}.")


def _day_span(first: Day, last: Day, tz: zoneinfo.ZoneInfo, now: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    """[00:00 of the first day, 00:00 after the last)."""
    today = _day_of(now, tz)
    first, last = _calendar_day(first, today, tz), _calendar_day(last, today, tz)
    _check_forwards(first, last)
    start, end = _midnight(first, tz), _midnight(last + _ONE_DAY, tz)
    if start == end:
        raise DatesError(f"{first} never was in {tz.key}: the zone skipped that day.", remedy="Choose another day.")
    return start, end


def _calendar_day(day: Day, today: dt.date, tz: zoneinfo.ZoneInfo) -> dt.date:
    """The date itself, or the day that many days back."""
    if isinstance(day, int):
        return today - _ONE_DAY * day
    if day > today:
        raise DatesError(
            f"{day} lies in the future: today is {today} in {tz.key}.", remedy=f"Choose {today} or before."
        )
    return day


def _resume_at(
    watermark: dt.datetime | None, overlap: int, first_run_days: int | None, tz: zoneinfo.ZoneInfo, now: dt.datetime
) -> dt.datetime | None:
    """Where Since Last Successful Run begins; None = as far back as Sentry goes."""
    if watermark is not None:
        return watermark.astimezone(dt.UTC) - dt.timedelta(seconds=overlap)
    if first_run_days is not None:
        return _midnight(_day_of(now, tz) - _ONE_DAY * first_run_days, tz)
    return None


def _window(start: dt.datetime | None, end: dt.datetime, latest: dt.datetime, tz: zoneinfo.ZoneInfo) -> Window:
    """The window of that span, read no further than `latest`, with its days in the zone."""
    read_end, cut = min(end, latest), latest <= end
    if start is None:
        return Window(start=None, end=end, read_end=read_end, cut=cut)
    return Window(
        start=start,
        end=end,
        read_end=max(start, read_end),
        cut=cut,
        first_day=_day_of(start, tz),
        last_day=_day_of(max(start, end - _TICK), tz),
    )


def _is_whole(day: dt.date, window: Window, tz: zoneinfo.ZoneInfo) -> bool:
    """Nothing is missing before its first read instant, and after its last only what lies after the run's instant."""
    begins, ends = _midnight(day, tz), _midnight(day + _ONE_DAY, tz)
    from_its_start = window.start is not None and window.start <= begins < window.read_end
    return from_its_start and (window.cut or ends <= window.read_end)


def _midnight(day: dt.date, tz: zoneinfo.ZoneInfo) -> dt.datetime:
    """The first instant of the day, in UTC.

    `fold=0` takes the first of two midnights, and where clocks skip midnight it yields the instant of the skip, which
    is the day's first (in no zone since 1970 does a skip begin before midnight and end after it).
    """
    return dt.datetime.combine(day, dt.time(), tzinfo=tz).astimezone(dt.UTC)


def _day_of(instant: dt.datetime, tz: zoneinfo.ZoneInfo) -> dt.date:
    return instant.astimezone(tz).date()


def _bucket(seconds: int) -> dt.timedelta:
    if seconds < 1:
        raise ValueError(f"a bucket has at least one second, not {seconds}")
    return dt.timedelta(seconds=seconds)


def _floor(instant: dt.datetime, step: dt.timedelta) -> dt.datetime:
    return instant - (instant - _EPOCH) % step


def _ceiling(instant: dt.datetime, step: dt.timedelta) -> dt.datetime:
    return instant + (_EPOCH - instant) % step


def _days_in_words(window: Window, timezone: str) -> str:
    """The line without how far the window is read; each is whole, so that it can be said in another language."""
    end = _instant(window.end)
    if window.start is None or window.first_day is None or window.last_day is None:
        return f"everything ({timezone}) up to {end}"
    first, last, start = window.first_day, window.last_day, _instant(window.start)
    count = (last - first).days + 1
    if count == 1:
        return f"{first} (1 day, {timezone}): {start} up to {end}"
    return f"{first} to {last} ({count} days, {timezone}): {start} up to {end}"


def _instant(instant: dt.datetime) -> str:
    """ISO 8601 in UTC, to the minute where that says all, else to the second."""
    instant = instant.astimezone(dt.UTC).replace(tzinfo=None)
    whole = instant.second == 0 and instant.microsecond == 0
    return f"{instant.isoformat(timespec='minutes' if whole else 'seconds')}Z"
