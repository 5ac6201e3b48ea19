"""The details options: the values of a report's menus, as the command line says them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec
import typer

from sentry_connector.reports import menus
from sentry_connector.reports.details import Details, Duration
from sentry_connector.reports.model import Menu, Report
from sentry_connector.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class DetailsOptions:
    """The details as given: None where an option was left out."""

    organization: Annotated[
        list[str] | None, typer.Option(metavar="SLUG", help="An organization; repeat for several, '*' = all.")
    ] = None
    project: Annotated[
        list[str] | None,
        typer.Option(metavar="SLUG|ID|ORG/PROJECT", help="A project; repeat for several, '*' = all, now and later."),
    ] = None
    team: Annotated[list[str] | None, typer.Option(metavar="SLUG", help="A team; repeat for several, '*' = all.")] = (
        None
    )
    issue: Annotated[str | None, typer.Option(metavar="ID|SHORT-ID|URL", help="An issue: id, short id or address.")] = (
        None
    )
    stat: Annotated[str | None, typer.Option(metavar="NAME", help="What is counted; see `choices stats`.")] = None
    resolution: Annotated[
        str | None, typer.Option(metavar="10s|1h|1d", help="The width of a bucket of counts; by default 1h.")
    ] = None
    date: Annotated[
        str | None, typer.Option(metavar="DAY", help="One day: YYYY-MM-DD, today, yesterday or today-N.")
    ] = None
    days_back: Annotated[str | None, typer.Option(metavar="N", help="The one day N days ago.")] = None
    start: Annotated[str | None, typer.Option(metavar="DAY", help="The first day of a range.")] = None
    end: Annotated[str | None, typer.Option(metavar="DAY", help="The last day of a range, included.")] = None
    start_days_back: Annotated[str | None, typer.Option(metavar="N", help="The first day of a range, as days ago.")] = (
        None
    )
    end_days_back: Annotated[str | None, typer.Option(metavar="N", help="The last day, as days ago.")] = None
    last_days: Annotated[str | None, typer.Option(metavar="N", help="Today and the N-1 days before.")] = None
    all_available: Annotated[bool, typer.Option("--all-available", help="Everything that Sentry still has.")] = False
    since_last_run: Annotated[
        bool, typer.Option("--since-last-run", help="From where the last run ended (DataSets only).")
    ] = False
    overlap: Annotated[
        str | None, typer.Option(metavar="TIME", help="How much --since-last-run reads again; by default 2h.")
    ] = None
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="The zone that days are counted in; by default UTC.")
    ] = None
    with_bodies: Annotated[
        bool | None, typer.Option("--with-bodies/--without-bodies", help="Read events with their full bodies.")
    ] = None

    def applied_to(self, details: Details) -> Details:
        """The details with what was given in place of what they hold.

        Raises:
            DatesError: the dates are wrong or do not go together.
        """
        given = {
            "organizations": tuple(self.organization or ()) or None,
            "projects": tuple(self.project or ()) or None,
            "teams": tuple(self.team or ()) or None,
            "issue": self.issue,
            "stat": self.stat,
            "resolution": self.resolution,
            "duration": self._duration(),
            "timezone": self.timezone,
            "bodies": self.with_bodies,
        }
        return msgspec.structs.replace(details, **{name: value for name, value in given.items() if value is not None})

    def _duration(self) -> Duration | None:
        return menus.duration_from_options(
            date=self.date,
            days_back=self.days_back,
            start=self.start,
            end=self.end,
            start_days_back=self.start_days_back,
            end_days_back=self.end_days_back,
            last_days=self.last_days,
            all_available=self.all_available,
            since_last_run=self.since_last_run,
            overlap=self.overlap,
        )


def filled_from_environment(details: Details, report: Report, settings: Settings) -> Details:
    """The details with SENTRY_ORG and SENTRY_PROJECT in the menus that the report shows and that are still empty.

    Where a report shows Projects and no Organizations, SENTRY_ORG says which organization SENTRY_PROJECT is of, as for
    Sentry's own command line.
    """
    organization, project = settings.organization, settings.project
    shows_organizations = Menu.ORGANIZATIONS in report.menus
    if project and Menu.PROJECTS in report.menus and not details.projects:
        of_organization = organization and not shows_organizations and not details.organizations and "/" not in project
        named = f"{organization}/{project}" if of_organization else project
        details = msgspec.structs.replace(details, projects=(named,))
    if organization and shows_organizations and not details.organizations and "/" not in "".join(details.projects):
        details = msgspec.structs.replace(details, organizations=(organization,))
    return details
