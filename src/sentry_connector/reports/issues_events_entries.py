"""Issues Events Entries: the parts of the events of one issue."""

from __future__ import annotations

from sentry_connector.reports.charts import ENTRY_CHARTS
from sentry_connector.reports.event_lists import OF_ISSUE, full
from sentry_connector.reports.model import Grain, Menu, Need, Report, Shape
from sentry_connector.reports.project_events_entries import ENTRIES_NOTES
from sentry_connector.reports.shared_columns import ENTRIES, entries_left_out

REPORT = Report(
    slug="issues-events-entries",
    name="Issues Events Entries",
    about="Entries of the events of an issue (exception, request, breadcrumbs …), one row per entry.",
    scope="event:read",
    grain=Grain.ISSUE,
    shape=Shape.ENTRIES,
    endpoints=tuple(full(endpoint) for endpoint in OF_ISSUE),
    menus={Menu.ISSUE: Need.REQUIRED, Menu.DATES: Need.OPTIONAL},
    columns=ENTRIES,
    key=("project_id", "event_id", "entry_index"),
    time_column="date_created",
    immutable_time=True,
    replace_together=("project_id", "event_id"),
    unchecked="Sentry counts events by project and hour, not by issue.",
    left_out=entries_left_out(),
    notes=ENTRIES_NOTES,
    charts=ENTRY_CHARTS,
    docs="https://docs.sentry.io/api/events/list-an-issues-events/",
)
