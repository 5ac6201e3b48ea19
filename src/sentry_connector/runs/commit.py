"""From what was read to the one commit: which rows count, which days are whole, which watermarks move."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa

from sentry_connector.destinations.model import (
    NO_WATERMARK,
    Commit,
    Days,
    Forgotten,
    StagedFile,
    UpdateMethod,
)
from sentry_connector.extraction.late import LATEST
from sentry_connector.extraction.parts import SpoolFile
from sentry_connector.extraction.prepare import Prepared
from sentry_connector.extraction.read import Extraction
from sentry_connector.extraction.retention import kept_since
from sentry_connector.extraction.spool import SliceRecord
from sentry_connector.reports import windows
from sentry_connector.reports.details import AllAvailable, Details, SinceLastRun
from sentry_connector.reports.model import Report
from sentry_connector.runs.marks import full_name, late_name, microseconds, watermark_name
from sentry_connector.store.records import DataSet

ALWAYS = dt.datetime.max.replace(tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def commit_of(
    dataset: DataSet,
    report: Report,
    prepared: Prepared,
    extraction: Extraction,
    files: Sequence[SpoolFile],
    *,
    run_id: str,
    epoch: int,
    schema: pa.Schema,
    now: dt.datetime,
    present: dt.datetime,
    retention: dt.timedelta | None,
    skip_stored: bool,
    known: Collection[str],
    latest: Mapping[str, dt.datetime],
    reconciled: Collection[str] = (),
    findings: str,
) -> Commit:
    """The commit of a run. Scopes that are not whole give it neither rows nor watermarks.

    Args:
        dataset, report: what is kept up to date.
        prepared, extraction: what was to be read, and what was.
        files: the rows of the scopes that are whole.
        run_id, epoch: the run.
        schema: of the staged files.
        now: the run's instant.
        present: when it was read, which may be long after: until then Sentry went on forgetting.
        retention: how long Sentry keeps events; None where nobody has said it: then what was read tells how far it reaches.
        skip_stored: Append leaves out rows whose key the table has.
        known: names of the watermarks that the table has.
        latest: scope id → the time up to which the server's own clock says that what happened could be read.
        reconciled: ids of the scopes whose rows were all held against a full read.
        findings: what the run says of what was read.
    """
    incomplete = (*prepared.incomplete, *extraction.incomplete)
    unread = unread_scopes(prepared, extraction)
    method = dataset.update_method
    days, whole = None, [record for record in extraction.records if record.scope_id not in unread]
    kept = _kept_since(prepared, whole, present, retention)
    if method is UpdateMethod.PARTITION:
        zone = windows.zone(dataset.details.timezone)
        since = max(kept.values(), default=present)  # without scopes nothing was read, and no day is whole
        days = _days(
            dataset, prepared, now=now, edge=max([since.astimezone(zone).date(), *_forgotten_days(whole, zone)])
        )
    files = [file for file in files if days is None or days.touches(file.day)]
    key = _with_host(dataset.key or report.key, prepared)
    ends = _ends(dataset.details, prepared, unread, latest)
    return Commit(
        epoch=epoch,
        run_id=run_id,
        method=method,
        files=[_staged(file) for file in files],
        schema=schema,
        key=key,
        replace_together=report.replace_together if not dataset.key else (),
        compared=tuple(column.name for column in report.columns if not column.noise and column.name not in key),
        immutable_time=report.time_column if report.immutable_time else None,
        watermarks=_lost(dataset, prepared, known, rows=bool(files))
        | {watermark_name(scope, dataset.details): microseconds(end) for scope, end in ends.items()}
        | _looks(report, dataset, prepared, ends)
        | {full_name(scope, dataset.details): microseconds(ends[scope]) for scope in reconciled if scope in ends},
        days=days,
        read=[scope.rows for scope in prepared.scopes if scope.id not in unread] if incomplete else None,
        forgotten=_forgotten(report, prepared, whole, kept),
        skip_stored=method is UpdateMethod.APPEND and skip_stored,
        keep_when_empty=dataset.keep_when_empty,
        findings=findings,
    )


def unread_scopes(prepared: Prepared, extraction: Extraction) -> set[str]:
    """Ids of the scopes that are not whole."""
    return {one.scope for one in (*prepared.incomplete, *extraction.incomplete) if one.scope is not None}


def report_key(report: Report, prepared: Prepared) -> tuple[str, ...]:
    """The columns that tell Sentry's own rows apart; ids are unique within one host only."""
    return _with_host(report.key, prepared)


def _with_host(key: tuple[str, ...], prepared: Prepared) -> tuple[str, ...]:
    return (*key, "_host") if prepared.key_spans_hosts else key


def _staged(file: SpoolFile) -> StagedFile:
    return StagedFile(path=file.path, rows=file.rows, bytes=file.bytes, day=file.day)


def _looks(report: Report, dataset: DataSet, prepared: Prepared, ends: Mapping[str, dt.datetime]) -> dict[str, int]:
    """The scopes that were looked through for late events, or read so far back that none can be missing."""
    if not report.immutable_time:
        return {}
    far = {
        scope
        for scope, window in prepared.spans.items()
        if window.start is None or window.start <= window.read_end - LATEST
    }
    done = prepared.looked_through | far
    return {late_name(scope, dataset.details): microseconds(end) for scope, end in ends.items() if scope in done}


def _ends(
    details: Details, prepared: Prepared, unread: set[str], latest: Mapping[str, dt.datetime]
) -> dict[str, dt.datetime]:
    """Up to where each scope was read: to the window's `read_end`, where the next run begins.

    Events bear the time of Sentry's clocks. Where this machine's is ahead of them, nothing was read of what comes until then.
    Days that somebody chose move no watermark, since what lies between it and them was not read.
    """
    if not isinstance(details.duration, AllAvailable | SinceLastRun):
        return {}
    return {
        scope.id: min(prepared.spans[scope.id].read_end, latest.get(scope.id, ALWAYS))
        for scope in prepared.scopes
        if scope.id in prepared.spans and scope.id not in unread
    }


def _lost(dataset: DataSet, prepared: Prepared, known: Collection[str], *, rows: bool) -> dict[str, int]:
    """The watermarks that the commit takes back, because it drops rows that they vouch for.

    Replace drops all rows, Partition those of scopes that are not chosen (any more): where they are chosen again, they are
    read from the beginning.
    """
    if dataset.update_method is UpdateMethod.REPLACE and (rows or not dataset.keep_when_empty):
        return dict.fromkeys(known, NO_WATERMARK)
    if dataset.update_method is UpdateMethod.PARTITION:
        chosen = {name(scope, dataset.details) for scope in prepared.spans for name in (watermark_name, late_name)}
        return dict.fromkeys(set(known) - chosen, NO_WATERMARK)
    return {}


def _kept_since(
    prepared: Prepared, records: Sequence[SliceRecord], now: dt.datetime, retention: dt.timedelta | None
) -> dict[str, dt.datetime]:
    """Scope id → since when Sentry keeps all that happened, for certain.

    How long it does depends on the plan of the organization. What lies before an organization's oldest row may just as well be
    forgotten as empty.
    """
    organization = {scope.id: (scope.url, scope.organization) for scope in prepared.scopes}
    oldest: dict[tuple[str, str | None], dt.datetime] = {}
    for record in records:
        if record.oldest is not None:
            one = organization[record.scope_id]
            oldest[one] = min(record.oldest, oldest.get(one, record.oldest))
    return {scope: kept_since(now, retention, oldest.get(one)) for scope, one in organization.items()}


def _forgotten_days(records: Sequence[SliceRecord], zone: dt.tzinfo) -> list[dt.date]:
    """The last days of which Sentry said that it keeps nothing any more."""
    return [(one.forgotten - _MICROSECOND).astimezone(zone).date() for one in records if one.forgotten is not None]


def _forgotten(
    report: Report, prepared: Prepared, records: Sequence[SliceRecord], kept: Mapping[str, dt.datetime]
) -> list[Forgotten]:
    """The rows within the dates that Sentry may keep no more: because it says so, or because they are so old."""
    if report.time_column is None:
        return []
    ends = {
        scope: min(kept[scope], window.end)
        for scope, window in prepared.spans.items()
        if window.start is not None and window.start < kept[scope]
    }
    for one in records:
        if one.forgotten is not None:
            ends[one.scope_id] = max(one.forgotten, ends.get(one.scope_id, one.forgotten))
    return [
        Forgotten(
            marks=scope.rows,
            column=report.time_column,
            since=prepared.spans[scope.id].start,
            before=ends[scope.id],
        )
        for scope in prepared.scopes
        if scope.id in ends
    ]


def _days(dataset: DataSet, prepared: Prepared, *, now: dt.datetime, edge: dt.date) -> Days:
    """Which days the run read whole. Up to the retention's edge nothing can be whole, and what the table has stays."""
    zone = dataset.details.timezone
    today = now.astimezone(windows.zone(zone)).date()
    whole: set[dt.date] = set()
    for number, window in enumerate(prepared.spans.values()):
        days = windows.whole_days(window, zone) if window.start else _between(edge, today)
        whole = set(days) if number == 0 else whole & set(days)
    gaining = frozenset(_between(edge - dt.timedelta(days=windows.MAX_DAYS_BACK), edge))
    return Days(
        whole=frozenset(whole - gaining),
        gaining=gaining,
        drop_before=today - dt.timedelta(days=dataset.keep_days - 1) if dataset.keep_days else None,
    )


def _between(first: dt.date, last: dt.date) -> set[dt.date]:
    return {first + dt.timedelta(days=number) for number in range((last - first).days + 1)}
