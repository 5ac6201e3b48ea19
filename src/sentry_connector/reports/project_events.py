"""Project Events: the error events of a project."""

from __future__ import annotations

from sentry_connector.reports.charts import EVENT_CHARTS
from sentry_connector.reports.event_lists import BODIES_OF_PROJECT, FIGURES, OF_PROJECT
from sentry_connector.reports.model import Grain, Menu, Need, Report
from sentry_connector.reports.shared_columns import EVENT_LEFT_OUT, EVENTS

BODIES_NOTE = (
    "The list form has no bodies; `--with-bodies` fills the columns that are null without them, in pages of ten events."
)

REPORT = Report(
    slug="project-events",
    name="Project Events",
    aliases=("Projects Events",),
    about="Error events of a project, one row per event.",
    scope="project:read",
    grain=Grain.PROJECT,
    endpoints=(OF_PROJECT,),
    bodies=(BODIES_OF_PROJECT,),
    menus={Menu.PROJECTS: Need.REQUIRED, Menu.DATES: Need.OPTIONAL},
    columns=EVENTS,
    key=("project_id", "event_id"),
    time_column="date_created",
    immutable_time=True,
    figures=FIGURES,
    item_owner=("projectID", "project_id"),
    left_out=EVENT_LEFT_OUT,
    charts=EVENT_CHARTS,
    notes=(
        BODIES_NOTE,
        "sentry.io answers 60 pages a minute: 6,000 events, or 600 with bodies.",
        "Bodies are read issue by issue where that is faster; a token without `event:read` has them page by page.",
        "Sentry keeps events for 30 to 90 days, by plan; older ones are gone.",
    ),
    docs="https://docs.sentry.io/api/events/list-a-projects-error-events/",
)
