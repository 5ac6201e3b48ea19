"""Everything that is known before the first row is read: scopes, windows, slices."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from sentry_connector.extraction.incomplete import ONE_SCOPE_ONLY, Incomplete
from sentry_connector.extraction.late import Closed, Lookout, missed, whole_hour
from sentry_connector.extraction.lists import together
from sentry_connector.extraction.plan import RESOLUTIONS, Slice, plan, request_for_figures
from sentry_connector.extraction.scopes import Memory
from sentry_connector.extraction.scopes import resolve as resolve_scopes
from sentry_connector.extraction.series import points_of
from sentry_connector.extraction.survey import Survey, hours_of
from sentry_connector.reports import windows
from sentry_connector.reports.details import Details, SinceLastRun, Window
from sentry_connector.reports.model import Report, Shape
from sentry_connector.reports.scopes import Scope
from sentry_connector.sentry.client import SentryClient
from sentry_connector.sentry.directory import Directory

FIRST_RUN_DAYS_OF_COUNTS = 30
"""How far back the first Since Last Successful Run of a counts report goes."""

Watermark = Callable[[str], dt.datetime | None]
"""Scope id → end of its last committed window."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """What a run is going to read.

    Attributes:
        scopes: what the details stand for.
        spans: scope id → window; empty where the report has no dates.
        slices: the units of reading, in order.
        surveys: scope id → where its rows lie in time, as far as Sentry tells it.
        again: scope id → windows before its own that are read again, for events that arrived late.
        looked_through: ids of the scopes that were looked through for such events.
        incomplete: choices that stand for nothing (any more), while others do.
        named: what single choices stand for, to be remembered.
    """

    scopes: tuple[Scope, ...]
    spans: Mapping[str, Window]
    slices: tuple[Slice, ...]
    surveys: Mapping[str, Survey] = field(default_factory=dict)
    again: Mapping[str, Sequence[Window]] = field(default_factory=dict)
    looked_through: frozenset[str] = frozenset()
    incomplete: tuple[Incomplete, ...] = ()
    named: Mapping[str, Scope] = field(default_factory=dict)

    @property
    def key_spans_hosts(self) -> bool:
        """Whether ids may collide because the scopes lie on several hosts."""
        return len({scope.url for scope in self.scopes}) > 1


async def prepare(
    report: Report,
    details: Details,
    client: SentryClient,
    *,
    now: dt.datetime,
    settle: dt.timedelta,
    watermark: Watermark = lambda _scope: None,
    lookout: Lookout | None = None,
    whole_days: bool = False,
    whole_buckets: bool = False,
    strict: bool = False,
    surveys: Mapping[str, Survey] | None = None,
    memory: Memory | None = None,
) -> Prepared:
    """Resolve the details and plan the run; Sentry is asked only for the lists that the menus need.

    Args:
        report, details: what is wanted; the details are checked.
        client: asks Sentry.
        now: the instant that relative dates count from: the slot, or the start of a manual run.
        settle: reading stops this long before now.
        watermark: where the last run ended, for Since Last Successful Run.
        lookout: for events that arrived late; None does not look for them.
        whole_days: one window for all scopes, starting at the start of a day, since days are replaced whole.
        whole_buckets: counts stop at the last bucket that is over, since none of them is corrected later.
        surveys: what an earlier attempt found out, so that the slices are the same; None asks Sentry.
        memory: what single choices stood for in earlier runs.
        strict: one of several named choices that stands for nothing is an error, as somebody is there to correct it.

    Raises:
        DatesError: the dates make no window at this instant.
        NotFound, ScopeMissing, DetailsError: as `scopes.resolve`.
    """
    if report.time_column is not None:
        window_of(report, details, now=now, settle=settle, watermark=None)  # wrong dates cost no request
    directory = Directory(client, report=report.name)
    resolved = await resolve_scopes(report, details, directory, client.base_url, memory)
    if strict:
        for one in resolved.unresolved:
            if one.named:
                raise one.error
    spans = _spans(report, details, resolved.scopes, now=now, settle=settle, watermark=watermark)
    if whole_buckets and report.shape is Shape.POINTS:
        width = RESOLUTIONS[details.resolution or "1h"]
        spans = {scope: windows.whole_buckets(window, width) for scope, window in spans.items()}
    before = lookout.spans(report, details, resolved.scopes, spans) if lookout else {}
    if surveys is None:
        surveys = await _surveyed(report, details, client, resolved.scopes, spans, before)
    late = await _late(report, before, surveys, lookout) if lookout else {}
    again: dict[str, Sequence[Window]] = {}
    if whole_days and isinstance(details.duration, SinceLastRun):
        spans = _from_one_day(_reaching_back(spans, late), details.timezone)
    else:
        again = {scope: [windows.of_span(*one, details.timezone) for one in found] for scope, found in late.items()}
    slices = plan(report, details, resolved.scopes, spans, surveys, again)
    gone = tuple(
        Incomplete(scope=None, label=one.label, reason=one.error.message, error=one.error.name)
        for one in resolved.unresolved
    )
    return Prepared(
        scopes=resolved.scopes,
        spans=spans,
        slices=slices,
        surveys=surveys,
        again=again,
        looked_through=frozenset(scope.id for scope in before),
        incomplete=gone,
        named=resolved.named,
    )


async def _surveyed(
    report: Report,
    details: Details,
    client: SentryClient,
    scopes: Sequence[Scope],
    spans: Mapping[str, Window],
    before: Mapping[Scope, Closed],
) -> dict[str, Survey]:
    """Where the rows of each scope lie in time; a scope of which Sentry does not tell is left out.

    What came since the last run is mostly a page or two: nothing is asked about it beforehand, unless what lies `before` it is
    looked through for late events.
    """
    if report.figures is None:
        return {}
    wanted = {
        scope: spans[scope.id] for scope in scopes if scope.id in spans and not _goes_on(details, spans[scope.id])
    }
    wanted |= {scope: msgspec.structs.replace(spans[scope.id], start=start) for scope, (start, _) in before.items()}
    found = await together(_survey(report, details, client, scope, window) for scope, window in wanted.items())
    return {scope.id: survey for scope, survey in zip(wanted, found, strict=True) if survey is not None}


async def _late(
    report: Report, before: Mapping[Scope, Closed], surveys: Mapping[str, Survey], lookout: Lookout
) -> dict[str, Sequence[Closed]]:
    """What of the spans before the scopes' windows is to be read again: all of it where no figure tells."""

    async def of(scope: Scope, span: Closed) -> Sequence[Closed]:
        survey = surveys.get(scope.id)
        if report.figures is None or survey is None:
            return [span]
        start, end = span
        return missed(survey, await lookout.held(scope, whole_hour(start), end), end)

    found = await together(of(scope, span) for scope, span in before.items())
    return {scope.id: late for scope, late in zip(before, found, strict=True) if late}


def _reaching_back(spans: Mapping[str, Window], late: Mapping[str, Sequence[Closed]]) -> dict[str, Window]:
    """The windows with their starts moved back to the earliest time at which something is missing."""
    return {
        scope: msgspec.structs.replace(window, start=late[scope][0][0]) if scope in late else window
        for scope, window in spans.items()
    }


async def _survey(
    report: Report, details: Details, client: SentryClient, scope: Scope, window: Window
) -> Survey | None:
    start, end = hours_of(window)
    if start >= end:
        return None
    try:
        answer = await client.get(request_for_figures(report, details, scope, start, end))
        return Survey.of(dict(points_of(answer.body)), start, end)
    except ONE_SCOPE_ONLY:
        return None


def _goes_on(details: Details, window: Window) -> bool:
    """Whether a window begins where the last run ended."""
    return isinstance(details.duration, SinceLastRun) and window.start is not None


def window_of(
    report: Report, details: Details, *, now: dt.datetime, settle: dt.timedelta, watermark: dt.datetime | None
) -> Window:
    """The window of one scope, grown to bucket edges for counts.

    Raises:
        DatesError: the dates make no window at this instant.
    """
    if details.duration is None:
        raise ValueError(f"{report.slug} has dates, and checked details always say which")
    counts = report.shape is Shape.POINTS
    window = windows.resolve(
        details.duration,
        timezone=details.timezone,
        now=now,
        settle=settle,
        watermark=watermark,
        first_run_days=FIRST_RUN_DAYS_OF_COUNTS if counts else None,
    )
    return windows.align(window, RESOLUTIONS[details.resolution or "1h"]) if counts else window


def _spans(
    report: Report,
    details: Details,
    scopes: tuple[Scope, ...],
    *,
    now: dt.datetime,
    settle: dt.timedelta,
    watermark: Watermark,
) -> dict[str, Window]:
    if report.time_column is None:
        return {}
    incremental = isinstance(details.duration, SinceLastRun)
    return {
        scope.id: window_of(
            report, details, now=now, settle=settle, watermark=watermark(scope.id) if incremental else None
        )
        for scope in scopes
    }


def _from_one_day(spans: dict[str, Window], timezone: str) -> dict[str, Window]:
    """All windows with the earliest start, floored to the start of its day."""
    starts = [window.start for window in spans.values()]
    earliest = None if None in starts else min(start for start in starts if start is not None)
    return {
        scope: windows.with_days(
            windows.floor_to_day(msgspec.structs.replace(window, start=earliest), timezone), timezone
        )
        for scope, window in spans.items()
    }
