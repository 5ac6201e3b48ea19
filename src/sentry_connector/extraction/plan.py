"""What to ask Sentry for: details and windows become slices. Arithmetic only: no clock, no network."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import string
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

import msgspec

from sentry_connector.extraction.survey import Span, Survey, split
from sentry_connector.reports import windows
from sentry_connector.reports.details import Details, Window
from sentry_connector.reports.model import Endpoint, Grain, Paging, Report, Shape, Vanishing, WindowParams
from sentry_connector.reports.scopes import Scope
from sentry_connector.sentry.wire import Request, api_path

RESOLUTIONS = {"10s": 10, "1h": 3600, "1d": 86400}
"""Width of a bucket of counts in seconds, by the word that Sentry takes."""

MOST_BUCKETS = 4000
"""Buckets that one request for counts asks for. Above 10,000 the server silently answers zeros."""


SLICE_ROWS = 5_000
"""Rows that a slice is expected to hold at the most, where it is known beforehand.

The keys of a slice's rows are held while it is read, about 400 bytes each, and as many slices are read at once as a host may be
asked requests: with 25 that is 50 MiB. A slice costs a request more than its pages.
"""


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """The unit of extraction: one scope × one window.

    Attributes:
        id: stable name, the same whenever the same run is planned again; safe as a file name.
        scope: what it is about.
        window: which time; None where the report has no dates.
        span: the part of the window that is read.
        rows: expected, by an independent figure; None where there is none.
    """

    id: str
    scope: Scope
    window: Window | None = None
    span: Span | None = None
    rows: int | None = None


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """One way to read a slice: requests whose answers belong together (one, but for a team's counts), and their endpoint.

    Where the endpoint is asked once for each item of a list, the request is the list's.
    """

    endpoint: Endpoint
    requests: tuple[Request, ...]

    @property
    def listed(self) -> Endpoint:
        """The endpoint that the requests are for."""
        return self.endpoint.each.items if self.endpoint.each else self.endpoint

    def on_trial(self, trial: bool) -> Alternative:  # noqa: FBT001  # it reads as a sentence
        """The same way, where another one is left to try if the server does not know it (`trial`), or not."""
        requests = tuple(dataclasses.replace(request, alternatives_exist=trial) for request in self.requests)
        return msgspec.structs.replace(self, requests=requests)


def plan(
    report: Report,
    details: Details,
    scopes: Sequence[Scope],
    spans: Mapping[str, Window],
    surveys: Mapping[str, Survey] | None = None,
    again: Mapping[str, Sequence[Window]] | None = None,
    *,
    most_rows: int = SLICE_ROWS,
) -> tuple[Slice, ...]:
    """The slices of a run, in the order of the scopes, newest windows first.

    Args:
        report: what is pulled.
        details: the chosen values, checked.
        scopes: what the values stand for, resolved.
        spans: scope id → window; empty where the report has no dates.
        surveys: scope id → where its rows lie, for scopes of which that is known.
        again: scope id → windows beside the scope's own that are read too.
        most_rows: rows that a slice is expected to hold at the most, where they are counted beforehand.
    """
    slices: list[Slice] = []
    for scope in scopes:
        survey = (surveys or {}).get(scope.id)
        if scope.id not in spans:
            slices.append(_slice(report, details, scope, None, None))
            continue
        for window in (spans[scope.id], *(again or {}).get(scope.id, ())):
            slices += _slices(report, details, scope, window, survey, most_rows)
    return tuple(slices)


def _slices(
    report: Report, details: Details, scope: Scope, window: Window, survey: Survey | None, most_rows: int
) -> Iterator[Slice]:
    """The slices of a window, newest first where rows are listed."""
    if report.shape is Shape.POINTS:
        aligned, buckets = _buckets(window, RESOLUTIONS[details.resolution or "1h"])
        yield from (_slice(report, details, scope, aligned, span) for span in buckets)
    elif survey is None:
        yield _slice(report, details, scope, window, (window.start, window.read_end))
    else:
        for span in split((window.start, window.read_end), survey, most_rows):
            yield _slice(report, details, scope, window, span, survey.between(span))


def _slice(
    report: Report,
    details: Details,
    scope: Scope,
    window: Window | None,
    span: Span | None,
    rows: int | None = None,
) -> Slice:
    """A slice whose name tells it from those of another window, of other details and of another version of the catalogue.

    So a run that goes on never takes what was read for something else.
    """
    columns = [(column.name, column.type) for column in report.columns]
    content = msgspec.json.encode([report.slug, details, columns, scope.url, span])
    mark = hashlib.blake2b(content, digest_size=6).hexdigest()
    name = scope.id.replace(":", "-").replace("@", "")
    return Slice(id=f"{name}-{mark}", scope=scope, window=window, span=span, rows=rows)


def _buckets(window: Window, width: int) -> tuple[Window, list[Span]]:
    """The window with bucket edges, and spans of at most `MOST_BUCKETS` buckets that tile it up to where reading stops."""
    aligned = windows.align(window, width)
    if aligned.start is None:
        raise ValueError("counts are never read without a start")
    end = windows.align(msgspec.structs.replace(window, end=window.read_end), width).end
    tiles = windows.split(aligned.start, min(end, aligned.end), seconds_per_bucket=width, buckets=MOST_BUCKETS)
    return aligned, list(tiles)


def alternatives(report: Report, details: Details, one: Slice) -> tuple[Alternative, ...]:
    """The ways to read a slice, best first: those endpoints of the report whose placeholders the scope can fill."""
    endpoints = report.bodies if details.bodies and report.bodies else report.endpoints
    usable = [endpoint for endpoint in endpoints if _fillable(endpoint, report, details, one.scope)]
    return tuple(alternative(endpoint, report, details, one) for endpoint in usable)


def alternative(endpoint: Endpoint, report: Report, details: Details, one: Slice) -> Alternative:
    """How a slice is read by an endpoint of its report."""
    asked = endpoint.each.items if endpoint.each else endpoint
    requests = (_request(report, asked, one, values) for values in _request_values(report, details, one.scope))
    return Alternative(endpoint=endpoint, requests=tuple(requests))


def request_for_item(
    endpoint: Endpoint, report: Report, details: Details, one: Slice, item: str, span: Span
) -> Request:
    """The request to an endpoint for one item of the list that fills its placeholder, within a span."""
    if endpoint.each is None:
        raise ValueError(f"{endpoint.path} is not asked for each item of a list")
    values = context_values(details, one.scope) | {endpoint.each.fills: item}
    return _request(report, endpoint, msgspec.structs.replace(one, span=span), values)


def request_for_figures(report: Report, details: Details, scope: Scope, start: int, end: int) -> Request:
    """The request for a scope's hourly counts from `start` to `end`, unix seconds.

    Raises:
        ValueError: the report has no independent figures.
    """
    if report.figures is None:
        raise ValueError(f"{report.slug} has no independent figures")
    span = dt.datetime.fromtimestamp(start, dt.UTC), dt.datetime.fromtimestamp(end, dt.UTC)
    return _request(
        report, report.figures.endpoint, Slice(id="figures", scope=scope, span=span), context_values(details, scope)
    )


def request_for_some(
    vanishing: Vanishing, report: Report, details: Details, scope: Scope, ids: Sequence[str]
) -> Request:
    """The request for those of several items that are there."""
    request = _request(report, vanishing.some, Slice(id="some", scope=scope), context_values(details, scope))
    return dataclasses.replace(request, params=(*request.params, *((vanishing.ids, one) for one in ids)))


def requests_for_one(vanishing: Vanishing, report: Report, details: Details, scope: Scope, id: str) -> list[Request]:  # noqa: A002  # the field's name
    """The requests for one item, to be tried in turn."""
    values = context_values(details, scope) | {"issue": id}
    usable = [endpoint for endpoint in vanishing.one if all(values.get(name) for name in _placeholders(endpoint))]
    requests = [_request(report, endpoint, Slice(id="one", scope=scope), values) for endpoint in usable]
    return [dataclasses.replace(one, alternatives_exist=one is not requests[-1]) for one in requests]


def within(request: Request, endpoint: Endpoint, span: Span) -> Request:
    """The same request for another span."""
    kept = tuple(pair for pair in request.params if pair[0] not in {"start", "end", "cursor"})
    return dataclasses.replace(request, params=(*kept, *_start_and_end(endpoint, span)))


def context_values(details: Details, scope: Scope) -> dict[str, str | None]:
    """What fills placeholders and context columns: the scope's names and ids, the stat, the resolution."""
    return {
        "organization": scope.organization,
        "organization_id": scope.organization_id,
        "project": scope.project,
        "project_id": scope.project_id,
        "team": scope.team,
        "team_id": scope.team_id,
        "issue": scope.issue_id,
        "issue_id": scope.issue_id,
        "stat": details.stat,
        "resolution": details.resolution,
    }


def _request_values(report: Report, details: Details, scope: Scope) -> list[dict[str, str | None]]:
    """One set of values per request: a team's counts are asked for project by project."""
    values = context_values(details, scope)
    if report.shape is Shape.POINTS and scope.grain is Grain.TEAM:
        return [values | {"project": slug, "project_id": project_id} for project_id, slug in scope.members]
    return [values]


def _fillable(endpoint: Endpoint, report: Report, details: Details, scope: Scope) -> bool:
    values = context_values(details, scope)
    if report.shape is Shape.POINTS and scope.grain is Grain.TEAM:
        values |= {"project": "members", "project_id": "members"}
    return all(values.get(name) is not None for name in _placeholders(endpoint))


def _placeholders(endpoint: Endpoint) -> set[str]:
    texts = [endpoint.path, *(value for _, value in endpoint.params)]
    return {name for text in texts for _, name, _, _ in string.Formatter().parse(text) if name}


def _request(report: Report, endpoint: Endpoint, one: Slice, values: Mapping[str, str | None]) -> Request:
    filled = {name: value for name, value in values.items() if value is not None}
    params = [(name, value.format_map(filled)) for name, value in endpoint.params]
    if endpoint.paging is not Paging.NONE:
        params.append((endpoint.paging.value, str(endpoint.page_size)))
    return Request(
        base_url=one.scope.url,
        path=api_path(endpoint.path, **{name: filled[name] for name in filled if f"{{{name}}}" in endpoint.path}),
        params=(*params, *_window_params(endpoint, one)),
        family=endpoint.family,
        subject=_subject(one.scope, values),
        scope=report.scope,
        report=report.name,
    )


def _window_params(endpoint: Endpoint, one: Slice) -> list[tuple[str, str]]:
    if one.span is None or endpoint.window is WindowParams.NONE:
        return []
    if endpoint.window is WindowParams.START_END:
        return _start_and_end(endpoint, one.span)
    # The series contains the bucket of `until`, so that one second less keeps the next bucket out.
    return [("since", str(_seconds(one.span[0]))), ("until", str(_seconds(one.span[1]) - 1))]


def _start_and_end(endpoint: Endpoint, span: Span) -> list[tuple[str, str]]:
    """The window in whole seconds, rounded so that nothing is left out: rows outside are dropped by us.

    It begins a second early: no row depends on whether a server counts the first instant in.
    """
    start, end = span
    first = f"{start - dt.timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}" if start is not None else endpoint.open_start
    if first is None:
        return []
    last = end + dt.timedelta(microseconds=999_999)
    return [("start", first), ("end", f"{last:%Y-%m-%dT%H:%M:%S}")]


def _seconds(moment: dt.datetime | None) -> int:
    if moment is None:
        raise ValueError("counts are never read without a start")
    return int(moment.timestamp())


def _subject(scope: Scope, values: Mapping[str, str | None]) -> str:
    """What a request is about, for error messages; a team's counts are asked for project by project."""
    if scope.grain is Grain.TEAM and values.get("project"):
        return f"project {scope.organization}/{values['project']} of team {scope.team}"
    return scope.label if scope.grain in {Grain.ISSUE, Grain.ACCOUNT} else f"{scope.grain} {scope.label}"


def host(scope: Scope) -> str:
    """The host that answers for the scope, with its port where it has one."""
    return urlsplit(scope.url).netloc
