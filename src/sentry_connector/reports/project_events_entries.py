"""Project Events Entries: the parts of the events of a project."""

from __future__ import annotations

from sentry_connector.reports.charts import ENTRY_CHARTS
from sentry_connector.reports.event_lists import BODIES_OF_PROJECT, FIGURES
from sentry_connector.reports.model import Grain, Menu, Need, Report, Shape
from sentry_connector.reports.shared_columns import ENTRIES, entries_left_out

ENTRIES_NOTES = (
    "Entries have no id: their place in the event is part of the key, and an event's entries are replaced together.",
    "Full bodies come in pages of ten events: ten times the requests that the events alone take.",
    "An event without entries has no row.",
)

REPORT = Report(
    slug="project-events-entries",
    name="Project Events Entries",
    about="Entries of the error events of a project (exception, request, breadcrumbs …), one row per entry.",
    scope="project:read",
    grain=Grain.PROJECT,
    shape=Shape.ENTRIES,
    endpoints=(BODIES_OF_PROJECT,),
    menus={Menu.PROJECTS: Need.REQUIRED, Menu.DATES: Need.OPTIONAL},
    columns=ENTRIES,
    key=("project_id", "event_id", "entry_index"),
    time_column="date_created",
    immutable_time=True,
    replace_together=("project_id", "event_id"),
    figures=FIGURES,
    item_owner=("projectID", "project_id"),
    left_out=entries_left_out(),
    notes=ENTRIES_NOTES,
    charts=ENTRY_CHARTS,
    docs="https://docs.sentry.io/api/events/list-a-projects-error-events/",
)
