"""Events Counts Project: how many events a project sent, bucket by bucket."""

from __future__ import annotations

from dataclasses import replace

from sentry_connector.reports.charts import counts_by
from sentry_connector.reports.model import Endpoint, Grain, Menu, Need, Paging, Report, Shape, WindowParams
from sentry_connector.reports.shared_columns import ORGANIZATION, OUTCOMES_NOTE, POINT, POINT_NOTES, PROJECT

STATS = (
    "received", "rejected", "blacklisted", "generated",
    "ip-address", "release-version", "error-message", "browser-extensions", "legacy-browsers", "localhost",
    "web-crawlers", "invalid-csp", "cors", "discarded-hash", "filtered-transaction",
)  # fmt: skip
"""What a project's endpoint counts: the four outcomes, then the reasons for which events are filtered."""

STAT_NOTES = (
    OUTCOMES_NOTE,
    "generated = events that are stored.",
    "The other stats count the events that one inbound filter dropped, such as web-crawlers.",
)

ENDPOINT = Endpoint(
    path="/projects/{organization}/{project}/stats/",
    params=(("stat", "{stat}"), ("resolution", "{resolution}")),
    paging=Paging.NONE,
    window=WindowParams.SINCE_UNTIL,
    family="project-stats",
)

STORED_BY_HOUR = replace(ENDPOINT, params=(("stat", "generated"), ("resolution", "1h")))
"""How many events of a project are stored, hour by hour: what the lists of events should give."""

REPORT = Report(
    slug="events-counts-project",
    name="Events Counts Project",
    about="Number of events of a project, one row per bucket of time.",
    scope="project:read",
    grain=Grain.PROJECT,
    shape=Shape.POINTS,
    endpoints=(ENDPOINT,),
    menus={Menu.PROJECTS: Need.REQUIRED, Menu.STAT: Need.REQUIRED, Menu.DATES: Need.REQUIRED},
    stats=STATS,
    all_available=False,
    columns=(*ORGANIZATION, *PROJECT, *POINT),
    key=("project_id", "stat", "resolution", "timestamp_epoch"),
    time_column="timestamp",
    immutable_time=True,
    unchecked="The counts are Sentry's own figures: there is no second one to hold them against.",
    left_out={},
    charts=counts_by("project"),
    notes=(*STAT_NOTES, *POINT_NOTES),
    docs="https://docs.sentry.io/api/projects/retrieve-event-counts-for-a-project/",
)
