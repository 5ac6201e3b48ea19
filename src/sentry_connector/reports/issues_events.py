"""Issues Events: the events of one issue."""

from __future__ import annotations

from sentry_connector.reports.charts import EVENT_CHARTS
from sentry_connector.reports.event_lists import OF_ISSUE, full
from sentry_connector.reports.model import Grain, Menu, Need, Report
from sentry_connector.reports.project_events import BODIES_NOTE
from sentry_connector.reports.shared_columns import EVENT_LEFT_OUT, EVENTS

REPORT = Report(
    slug="issues-events",
    name="Issues Events",
    about="Events of an issue, one row per event.",
    scope="event:read",
    grain=Grain.ISSUE,
    endpoints=OF_ISSUE,
    bodies=tuple(full(endpoint) for endpoint in OF_ISSUE),
    menus={Menu.ISSUE: Need.REQUIRED, Menu.DATES: Need.OPTIONAL},
    columns=EVENTS,
    key=("project_id", "event_id"),
    time_column="date_created",
    immutable_time=True,
    unchecked="Sentry counts events by project and hour, not by issue.",
    left_out=EVENT_LEFT_OUT,
    charts=EVENT_CHARTS,
    notes=(
        BODIES_NOTE,
        "Sentry keeps events for 30 to 90 days, by plan; older ones are gone.",
        "A merged issue answers with the events of the issue that it was merged into.",
    ),
    docs="https://docs.sentry.io/api/events/list-an-issues-events/",
)
