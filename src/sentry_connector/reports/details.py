"""Details: the values that a person chose in a report's menus. Pure records that go to JSON and back unchanged.

A choice that this version does not know is refused, never dropped: rows would be read that nobody asked for.
"""

from __future__ import annotations

import datetime as dt

import msgspec

ALL = "*"
"""The choice "all, now and later" in Organizations, Projects and Teams."""

Day = dt.date | int
"""A calendar day, or a number of days back from today (0 = today so far)."""


class SingleDate(msgspec.Struct, frozen=True, tag="single_date", tag_field="duration", forbid_unknown_fields=True):
    """One calendar day."""

    day: Day = 1


class DateRange(msgspec.Struct, frozen=True, tag="date_range", tag_field="duration", forbid_unknown_fields=True):
    """All calendar days from `start` to `end`, both included."""

    start: Day = 1
    end: Day = 0


class AllAvailable(msgspec.Struct, frozen=True, tag="all_available", tag_field="duration", forbid_unknown_fields=True):
    """Everything that Sentry still has."""


class SinceLastRun(msgspec.Struct, frozen=True, tag="since_last_run", tag_field="duration", forbid_unknown_fields=True):
    """From the last committed window's end, less an overlap, to now. `overlap` is in seconds."""

    overlap: int = 7200


Duration = SingleDate | DateRange | AllAvailable | SinceLastRun


class Details(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The chosen values. A menu that does not show has its default here, and `menus.check` refuses any other.

    Attributes:
        organizations: slugs or ids, or (`ALL`,). On project and issue reports they narrow `ALL`, tell equal slugs apart
            and name the organization of the issue.
        projects: slugs, ids, `organization/project`, or (`ALL`,).
        teams: slugs or ids, or (`ALL`,).
        issue: an issue's id, short id or address.
        stat: one of the report's stats.
        resolution: `10s`, `1h` or `1d`: the width of a bucket of counts.
        duration: which days; None where the report has no dates.
        timezone: the IANA zone that days are counted in.
        bodies: read events with their full bodies.
    """

    organizations: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    issue: str | None = None
    stat: str | None = None
    resolution: str | None = None
    duration: Duration | None = None
    timezone: str = "UTC"
    bodies: bool = False


class Window(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A half-open time span [start, end) in UTC, resolved from the dates for one run. Made by `windows.resolve`.

    Attributes:
        start: first instant; None = as far back as Sentry goes.
        end: first instant after the span.
        read_end: where reading stops: `end`, or a little before the run's instant where that comes first.
        cut: it is the run's instant that ends the reading, and not the dates.
        first_day, last_day: the calendar days in the DataSet's zone, as people see them; None where `start` is None.
    """

    start: dt.datetime | None
    end: dt.datetime
    read_end: dt.datetime
    cut: bool = False
    first_day: dt.date | None = None
    last_day: dt.date | None = None
