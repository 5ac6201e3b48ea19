"""The charts that several reports have in common."""

from __future__ import annotations

from sentry_connector.reports.model import Chart, Ranking, Timeline

EVENT_CHARTS: tuple[Chart, ...] = (
    Timeline(title="Events over time", time="date_created"),
    Ranking(title="Issues with the most events", by="issue_id", label="title"),
    Ranking(title="Events by level", by="tags", tag="level"),
    Ranking(title="Events by platform", by="platform"),
    Ranking(title="Events by release", by="tags", tag="release"),
    Ranking(title="Events by environment", by="tags", tag="environment"),
    Ranking(title="Events by project", by="project"),
)
"""Of one row per event. Level, release and environment are tags, with bodies and without."""

ENTRY_CHARTS: tuple[Chart, ...] = (
    Timeline(title="Entries over time", time="date_created"),
    Ranking(title="Entries by type", by="entry_type"),
    Ranking(title="Entries by platform", by="platform"),
    Ranking(title="Issues with the most entries", by="issue_id", label="title"),
    Ranking(title="Entries by project", by="project"),
)
"""Of one row per entry of an event."""

PROJECT_CHARTS: tuple[Chart, ...] = (
    Ranking(title="Projects by platform", by="platform"),
    Ranking(title="Projects by organization", by="organization"),
    Timeline(title="New projects over time", time="date_created"),
)
"""Of one row per project."""


def counts_by(column: str) -> tuple[Chart, ...]:
    """Of one row per bucket of a count; `column` tells what was counted of."""
    return (
        Timeline(title="Events over time", time="timestamp", sum="events"),
        Ranking(title=f"Events by {column}", by=column, sum="events"),
        Ranking(title="Events by outcome", by="stat", sum="events"),
    )
