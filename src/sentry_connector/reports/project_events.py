"""Project Events: the error events of a project."""

from __future__ import annotations

from dataclasses import replace

from sentry_connector.reports.model import Endpoint, Grain, Menu, Need, Report, WindowParams
from sentry_connector.reports.shared_columns import EVENT_LEFT_OUT, EVENTS

EARLIEST = "2008-05-08T00:00:00"
"""A start before every event. Sentry clamps it to its retention; without a start some lists stop at 90 days."""

PAGE_SIZE_OF_BODIES = 10
"""Sentry silently clamps pages of full events to ten rows, since August 2026."""

BODIES_NOTE = (
    "The list form has no bodies; `--with-bodies` fills the columns that are null without them, in pages of ten events."
)


def full(endpoint: Endpoint) -> Endpoint:
    """The same list of events with their full bodies."""
    return replace(endpoint, params=(*endpoint.params, ("full", "true")), page_size=PAGE_SIZE_OF_BODIES)


ENDPOINT = Endpoint(
    path="/projects/{organization}/{project}/events/",
    window=WindowParams.START_END,
    open_start=EARLIEST,
    family="project-events",
)

REPORT = Report(
    slug="project-events",
    name="Project Events",
    aliases=("Projects Events",),
    about="Error events of a project, one row per event.",
    scope="project:read",
    grain=Grain.PROJECT,
    endpoints=(ENDPOINT,),
    bodies=(full(ENDPOINT),),
    menus={Menu.PROJECTS: Need.REQUIRED, Menu.DATES: Need.OPTIONAL},
    columns=EVENTS,
    key=("project_id", "event_id"),
    time_column="date_created",
    immutable_time=True,
    item_owner=("projectID", "project_id"),
    left_out=EVENT_LEFT_OUT,
    notes=(
        BODIES_NOTE,
        "sentry.io answers 60 pages a minute: 6,000 events, or 600 with bodies.",
        "Sentry keeps events for 30 to 90 days, by plan; older ones are gone.",
    ),
    docs="https://docs.sentry.io/api/events/list-a-projects-error-events/",
)
