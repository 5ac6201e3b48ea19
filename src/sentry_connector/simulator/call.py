"""One request as the simulated Sentry's endpoints see it: who asks, for what, when."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from sentry_connector.simulator.model import Issue, Organization, Project, Team
from sentry_connector.simulator.pages import Page, parse_cursor
from sentry_connector.simulator.pages import per_page as parse_per_page
from sentry_connector.simulator.refusals import Refusal, refuse
from sentry_connector.simulator.tokens import Access
from sentry_connector.simulator.world import World

Era = Literal["new", "old"]
Row = TypeVar("Row")
RETENTION = 90 * 86400
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(slots=True)
class Answer:
    """A 200: a JSON value and further headers."""

    body: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request.

    Attributes:
        world: what there is.
        access: whose token it bears.
        region: the region that this host serves.
        control: whether this host is the first one, which lists the organizations of all regions.
        era: `old` answers as a server of 2019.
        now: the server's clock, unix seconds.
        path: the path with its leading `/api/0/`.
        segments: the values in the path, by name.
        query: the query's pairs in their order.
        urls: base URLs by region.
        link_url: what Link headers give as base URL.
        shift: how many rows early a page of row numbers begins (a fault).
    """

    world: World
    access: Access
    region: str
    control: bool
    era: Era
    now: float
    path: str
    segments: Mapping[str, str]
    query: Sequence[tuple[str, str]]
    urls: Mapping[str, str]
    link_url: str
    shift: int = 0

    # ---- parameters

    def get(self, name: str) -> str | None:
        """The last value of a parameter, as Django reads it; None where it is missing."""
        return next((value for key, value in reversed(self.query) if key == name), None)

    def all(self, name: str) -> list[str]:
        """All values of a parameter that may be repeated."""
        return [value for key, value in self.query if key == name]

    def flag(self, name: str) -> bool:
        """Whether a parameter says yes."""
        return (self.get(name) or "").lower() in ("1", "true")

    def window(self) -> tuple[float | None, float | None]:
        """The span asked for, [start, end) in unix seconds, cut at the retention; None = no end.

        Raises:
            Refusal: 400, only one end is given, the ends are the wrong way round, or all of it is too old.
        """
        start, end = self._span()
        oldest = self.now - RETENTION
        if end is not None and end <= oldest:
            raise refuse(400, "Invalid date range. Please try a more recent date range.")
        return max(start or oldest, oldest), end

    @property
    def has_window(self) -> bool:
        """Whether a span is asked for at all."""
        return bool(self.get("statsPeriod") or self.get("start") or self.get("end"))

    def _span(self) -> tuple[float | None, float | None]:
        period, start, end = self.get("statsPeriod"), self.get("start"), self.get("end")
        if period:
            return self.now - seconds(period), self.now
        if bool(start) != bool(end):
            raise refuse(400, "start and end are both required")
        if not start or not end:
            return None, None
        first, last = instant(start), instant(end)
        if first > last:
            raise refuse(400, "start must be before end")
        return first, last

    # ---- what the path names

    def organization(self) -> Organization:
        """The organization of the path.

        Raises:
            Refusal: 404 there is none here; 403 the token does not see it.
        """
        organization = self._found(self.world.organization, self.segments["organization"])
        if organization.region != self.region:
            raise refuse(404)
        if not self.access.sees(organization):
            raise refuse(403)
        return organization

    def project(self) -> Project:
        """The project of the path.

        Raises:
            Refusal: 404 there is none; 302 it has another slug now.
        """
        organization, slug = self.organization(), self.segments["project"]
        for project in organization.projects:
            if slug in project.former_slugs and slug != project.slug:
                rest = self.path.split(f"/{slug}/", maxsplit=1)[1]
                raise Refusal.moved(f"/api/0/projects/{organization.slug}/{project.slug}/{rest}", project.slug)
        return self._found(lambda name: self.world.project(organization.slug, name), slug)

    def team(self) -> Team:
        """The team of the path.

        Raises:
            Refusal: 404 there is none.
        """
        slug = self.segments["team"]
        for team in self.organization().teams:
            if slug in (team.slug, team.id):
                return team
        raise refuse(404)

    def issue(self) -> Issue:
        """The issue of the path, or the one that it was merged into.

        Raises:
            Refusal: 404 there is none in this region, or not in the organization of the path.
        """
        issue = self._found(lambda name: self.world.issue(name, self.region), self.segments["issue"])
        if "organization" in self.segments and issue.project.organization is not self.organization():
            raise refuse(404)
        if not self.access.sees(issue.project.organization):
            raise refuse(403)
        return issue

    def _found(self, find: Callable[[str], Row], name: str) -> Row:
        try:
            return find(name)
        except KeyError:
            raise refuse(404) from None

    # ---- pages

    def paged(
        self, paginate: Callable[..., Page[Row]], rows: Any, *args: Any, size: int | None = None, **more: Any
    ) -> Page[Row]:
        """The page that the request's cursor means.

        Args:
            paginate: one of the functions of `pages.py`.
            rows: its first argument.
            *args: what stands between the rows and the cursor.
            size: rows a page; default what `per_page` says.
            **more: its further arguments.

        Raises:
            Refusal: 400, cursor or page size is not one.
        """
        try:
            cursor, size = parse_cursor(self.get("cursor")), size or parse_per_page(self.get("per_page"))
        except Refusal as refusal:
            raise Refusal.internal_error() if self.era == "old" else refusal from None
        return paginate(rows, *args, cursor, size, **more)

    def answer(self, page: Page[Row], tell: Callable[[Row], Any]) -> Answer:
        """A page as an answer, its Link header included."""
        headers = {"Link": page.link(self.link_url + self.path, self.query)}
        if page.hits is not None:
            headers |= {"X-Hits": str(min(page.hits, 1000)), "X-Max-Hits": "1000"}
        return Answer([tell(row) for row in page.rows], headers)


def instant(text: str) -> float:
    """ISO 8601 as unix seconds; without a zone it is UTC.

    Raises:
        Refusal: 400, it is no such thing.
    """
    try:
        time = dt.datetime.fromisoformat(text)
    except ValueError:
        raise refuse(400, f"Invalid date: {text}") from None
    return (time if time.tzinfo else time.replace(tzinfo=dt.UTC)).timestamp()


def seconds(period: str) -> int:
    """`14d` in seconds.

    Raises:
        Refusal: 400, it is no such thing.
    """
    match = re.fullmatch(r"(\d{1,6})([smhdw])", period)
    if match is None:
        raise refuse(400, f"Invalid statsPeriod: {period!r}")
    return int(match[1]) * UNITS[match[2]]
