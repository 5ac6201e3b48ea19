"""Events Counts Organization: how many events an organization sent, bucket by bucket."""

from __future__ import annotations

from sentry_connector.reports.charts import counts_by
from sentry_connector.reports.model import Endpoint, Grain, Menu, Need, Paging, Report, Shape, WindowParams
from sentry_connector.reports.shared_columns import ORGANIZATION, OUTCOMES_NOTE, POINT, POINT_NOTES

REPORT = Report(
    slug="events-counts-organization",
    name="Events Counts Organization",
    about="Number of events of an organization, one row per bucket of time.",
    scope="org:read",
    grain=Grain.ORGANIZATION,
    shape=Shape.POINTS,
    endpoints=(
        Endpoint(
            path="/organizations/{organization}/stats/",
            params=(("stat", "{stat}"), ("resolution", "{resolution}")),
            paging=Paging.NONE,
            window=WindowParams.SINCE_UNTIL,
        ),
    ),
    menus={Menu.ORGANIZATIONS: Need.REQUIRED, Menu.STAT: Need.REQUIRED, Menu.DATES: Need.REQUIRED},
    # The organization's endpoint answers `generated` and the filter reasons with a server error.
    stats=("received", "rejected", "blacklisted"),
    all_available=False,
    columns=(*ORGANIZATION, *POINT),
    key=("organization_id", "stat", "resolution", "timestamp_epoch"),
    time_column="timestamp",
    immutable_time=True,
    unchecked="The counts are Sentry's own figures: there is no second one to hold them against.",
    left_out={},
    charts=counts_by("organization"),
    notes=(
        OUTCOMES_NOTE,
        *POINT_NOTES,
        "Sentry calls this endpoint deprecated but names no end for it.",
    ),
)
