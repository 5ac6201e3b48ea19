"""Issues Events: the events of one issue."""

from __future__ import annotations

from dataclasses import replace

from sentry_connector.reports.model import Endpoint, Grain, Menu, Need, Report, WindowParams
from sentry_connector.reports.project_events import BODIES_NOTE, EARLIEST, full
from sentry_connector.reports.shared_columns import EVENT_LEFT_OUT, EVENTS

_ORGANIZATION_FORM = Endpoint(
    path="/organizations/{organization}/issues/{issue}/events/",
    window=WindowParams.START_END,
    open_start=EARLIEST,
)
# Older servers know only the form without an organization; a region's host of sentry.io may not route it.
ENDPOINTS = (_ORGANIZATION_FORM, replace(_ORGANIZATION_FORM, path="/issues/{issue}/events/"))

REPORT = Report(
    slug="issues-events",
    name="Issues Events",
    about="Events of an issue, one row per event.",
    scope="event:read",
    grain=Grain.ISSUE,
    endpoints=ENDPOINTS,
    bodies=tuple(full(endpoint) for endpoint in ENDPOINTS),
    menus={Menu.ISSUE: Need.REQUIRED, Menu.DATES: Need.OPTIONAL},
    columns=EVENTS,
    key=("project_id", "event_id"),
    time_column="date_created",
    immutable_time=True,
    left_out=EVENT_LEFT_OUT,
    notes=(
        BODIES_NOTE,
        "Sentry keeps events for 30 to 90 days, by plan; older ones are gone.",
        "A merged issue answers with the events of the issue that it was merged into.",
    ),
    docs="https://docs.sentry.io/api/events/list-an-issues-events/",
)
