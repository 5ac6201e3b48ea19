"""Events Counts Team: how many events the projects of a team sent, bucket by bucket."""

from __future__ import annotations

from sentry_connector.reports.charts import counts_by
from sentry_connector.reports.events_counts_project import ENDPOINT, STAT_NOTES, STATS
from sentry_connector.reports.model import Grain, Menu, Need, Report, Shape
from sentry_connector.reports.shared_columns import ORGANIZATION, POINT, POINT_NOTES, TEAM

REPORT = Report(
    slug="events-counts-team",
    name="Events Counts Team",
    about="Number of events of all projects of a team, one row per bucket of time.",
    scope="project:read",
    grain=Grain.TEAM,
    shape=Shape.POINTS,
    # Sentry's own endpoint for teams ignores `stat` and answers nothing to tokens that belong to no member of the team.
    endpoints=(ENDPOINT,),
    menus={
        Menu.ORGANIZATIONS: Need.REQUIRED,
        Menu.TEAMS: Need.REQUIRED,
        Menu.STAT: Need.REQUIRED,
        Menu.DATES: Need.REQUIRED,
    },
    stats=STATS,
    all_available=False,
    columns=(*ORGANIZATION, *TEAM, *POINT),
    key=("team_id", "stat", "resolution", "timestamp_epoch"),
    time_column="timestamp",
    immutable_time=True,
    unchecked="The counts are Sentry's own figures: there is no second one to hold them against.",
    left_out={},
    charts=counts_by("team"),
    notes=(
        "Each count is the sum over the projects that the team has when the run reads them.",
        *STAT_NOTES,
        *POINT_NOTES,
    ),
)
