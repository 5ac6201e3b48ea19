"""The simulated Sentry's web server: routes, and what every request passes on its way to its endpoint."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Literal, Protocol

import msgspec
from aiohttp import web
from yarl import URL

from sentry_connector.simulator import counts, directory, issues, streams
from sentry_connector.simulator.call import Answer, Call, Era
from sentry_connector.simulator.faults import Fault, Faults
from sentry_connector.simulator.limits import Limits
from sentry_connector.simulator.misfortune import SHIFT, Reply, befall
from sentry_connector.simulator.refusals import Refusal
from sentry_connector.simulator.tokens import ANYBODY, TOKENS, Access, authenticate
from sentry_connector.simulator.world import World

API = "/api/0/"
WORTH_COMPRESSING = 500
Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """A path below `/api/0/`, its endpoint, one of the scopes it wants, and the family whose limit it draws from."""

    path: str
    handler: Handler
    scopes: tuple[str, ...] = ()
    family: str = "default"


ORG_PATH = "organizations/{organization}"
PROJECT_PATH = "projects/{organization}/{project}"
TEAM_PATH = "teams/{organization}/{team}"
ORG, PROJECT, TEAM, EVENT = ("org:read",), ("project:read",), ("team:read",), ("event:read",)
COMMON = (
    Route("", directory.index),
    Route("organizations/", directory.organizations, ORG),
    Route(f"{ORG_PATH}/", directory.organization, ORG),
    Route(f"{ORG_PATH}/projects/", directory.organization_projects, ORG),
    Route(f"{ORG_PATH}/repos/", directory.repositories, ("org:read", "org:integrations", "org:ci")),
    Route(f"{ORG_PATH}/teams/", directory.teams, ORG),
    Route(f"{ORG_PATH}/stats/", counts.organization_stats, ORG),
    Route(f"{ORG_PATH}/shortids/{{short}}/", issues.short_id, EVENT),
    Route("issues/{issue}/", issues.issue, EVENT, "issue-detail"),
    Route("issues/{issue}/events/", streams.issue_events, EVENT),
    Route("issues/{issue}/events/{event}/", streams.issue_event, EVENT, "event-detail"),
    Route("groups/{issue}/", issues.issue, EVENT, "issue-detail"),
    Route("groups/{issue}/events/", streams.issue_events, EVENT),
    Route("projects/", directory.projects, PROJECT),
    Route(f"{PROJECT_PATH}/", directory.project, PROJECT),
    Route(f"{PROJECT_PATH}/stats/", counts.project_stats, PROJECT, "project-stats"),
    Route(f"{PROJECT_PATH}/events/", streams.project_events, PROJECT, "project-events"),
    Route(f"{PROJECT_PATH}/events/{{event}}/", streams.project_event, PROJECT),
    Route(f"{PROJECT_PATH}/issues/", issues.project_issues, EVENT, "project-issues"),
    Route(f"{PROJECT_PATH}/groups/", issues.project_issues, EVENT, "project-issues"),
    Route(f"{PROJECT_PATH}/users/", streams.project_users, PROJECT, "project-users"),
    Route(f"{PROJECT_PATH}/user-feedback/", streams.project_feedback, PROJECT),
    Route(f"{PROJECT_PATH}/user-reports/", streams.project_feedback, PROJECT),
    Route(f"{TEAM_PATH}/projects/", directory.team_projects, PROJECT),
    Route(f"{TEAM_PATH}/stats/", counts.team_stats, TEAM),
)
YOUNG = (
    Route(f"{ORG_PATH}/issues/", issues.organization_issues, EVENT, "issues"),
    Route(f"{ORG_PATH}/issues/{{issue}}/", issues.issue, EVENT, "issue-detail"),
    Route(f"{ORG_PATH}/issues/{{issue}}/events/", streams.issue_events, EVENT),
    Route(f"{ORG_PATH}/issues/{{issue}}/events/{{event}}/", streams.issue_event, EVENT, "event-detail"),
    Route(f"{ORG_PATH}/groups/{{issue}}/events/", streams.issue_events, EVENT),
)
OLD = (Route(f"{ORG_PATH}/issues/", issues.multi_project_refusal, EVENT),)
ROUTES: Mapping[Era, tuple[Route, ...]] = {"new": COMMON + YOUNG, "old": COMMON + OLD}


class Asked(Protocol):
    """What the server looks at in a request; one of aiohttp's is such a thing."""

    @property
    def url(self) -> URL:
        """The whole address."""

    @property
    def path(self) -> str:
        """The address without host and query."""

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers."""

    @property
    def match_info(self) -> Mapping[str, str]:
        """What the route's placeholders stand for."""


def ticking(world: World, tick: Callable[[], float] = time.monotonic) -> Callable[[], float]:
    """A clock in unix seconds that, whenever it is read, moves the world's instant on as far as `tick` has gone."""
    last = tick()

    def clock() -> float:
        nonlocal last
        before, last = last, tick()
        world.advance(last - before)
        return world.time

    return clock


@dataclass(kw_only=True, slots=True)
class Server:
    """One host of a simulated Sentry; the arguments are those of `create_app`.

    Attributes:
        requests: how many have come in.
        first_request: when the first of them did, by the clock; None = there was none.
    """

    world: World
    tokens: Mapping[str, Access]
    limits: Limits | None
    latency: float
    faults: Faults | None
    clock: Callable[[], float]
    era: Era
    region: str
    urls: Mapping[str, str]
    link_url: str | None
    drift: int
    compress: bool
    requests: int = 0
    first_request: float | None = None

    def forget(self) -> None:
        """Be as if nothing had been asked yet: the counters begin anew, and so do the limits' windows."""
        self.requests, self.first_request = 0, None
        if self.limits is not None:
            self.limits = Limits(self.limits.window_divisor)

    def routed(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The web handler of a route."""

        async def answer(request: web.Request) -> web.StreamResponse:
            self.requests += 1
            if self.first_request is None:
                self.first_request = self.clock()
            fault = self.faults.strike(request.path_qs) if self.faults else None
            reply = await self.reply(request, route, fault)
            return await befall(request, reply, fault, now=self.clock())

        return answer

    async def reply(self, request: Asked, route: Route, fault: Fault | None = None) -> Reply:
        """What the server answers, before anything befalls it on its way."""
        reply = await self._reply(request, route, fault)
        reply.headers["Date"] = formatdate(self.clock(), usegmt=True)
        return reply

    async def _reply(self, request: Asked, route: Route, fault: Fault | None) -> Reply:
        headers: dict[str, str] = {}
        try:
            access = self._access(request, route)
            with self._admitted(route, access) as headers:
                await asyncio.sleep(self.latency)
                access.check(*route.scopes)
                self._drift(request)
                answer = route.handler(self._call(request, access, fault))
        except Refusal as refusal:
            return self._packed(request, refusal.status, refusal.body, headers | refusal.headers)
        return self._packed(request, 200, answer.body, headers | answer.headers)

    def _access(self, request: Asked, route: Route) -> Access:
        header = request.headers.get("Authorization")
        return ANYBODY if header is None and not route.scopes else authenticate(header, self.tokens)

    def _admitted(self, route: Route, access: Access) -> contextlib.AbstractContextManager[dict[str, str]]:
        if self.limits is None or self.era == "old":
            return contextlib.nullcontext({})
        return self.limits.admitted(route.family, access.category, access.caller, self.clock())

    def _drift(self, request: Asked) -> None:
        """Between the pages of a list the world goes on."""
        if self.drift and "cursor" in request.query:
            self.world.drift(self.drift)

    def _call(self, request: Asked, access: Access, fault: Fault | None) -> Call:
        origin = str(request.url.origin())
        return Call(
            world=self.world,
            access=access,
            region=self.region,
            control=self.region == self.world.regions[0],
            era=self.era,
            now=self.clock(),
            path=request.path,
            segments=dict(request.match_info),
            query=list(request.query.items()),
            urls={region: self.urls.get(region, origin) for region in self.world.regions},
            link_url=self.link_url or origin,
            shift=SHIFT if fault is Fault.SHIFTED else 0,
        )

    def _packed(self, request: Asked, status: int, body: Any, headers: dict[str, str]) -> Reply:
        """The answer as bytes, compressed where the client asks for it."""
        headers = {"Content-Type": "application/json", "Vary": "Accept-Encoding"} | headers
        content = msgspec.json.encode(body)
        wanted = self.compress and "gzip" in request.headers.get("Accept-Encoding", "")
        if wanted and len(content) > WORTH_COMPRESSING:
            return Reply(status, gzip.compress(content, compresslevel=1), headers | {"Content-Encoding": "gzip"})
        return Reply(status, content, headers)


SERVER = web.AppKey("server", Server)


def create_app(
    world: World,
    *,
    tokens: Mapping[str, Access] = TOKENS,
    limits: Literal["sentry.io", "none"] = "none",
    window_divisor: int = 1,
    latency_ms: float = 0,
    faults: Faults | None = None,
    clock: Callable[[], float] | None = None,
    era: Era = "new",
    region: str | None = None,
    urls: Mapping[str, str] | None = None,
    link_url: str | None = None,
    drift: int = 0,
    compress: bool = True,
) -> web.Application:
    """A simulated Sentry as a web application.

    Args:
        world: what there is.
        tokens: which tokens are known, and what they may.
        limits: `sentry.io` counts requests and answers 429 as sentry.io does; `none`, as self-hosted: no headers.
        window_divisor: how many times shorter than sentry.io's the windows of the limits are, for tests that cannot wait.
        latency_ms: how long each request takes, milliseconds.
        faults: what goes wrong; None = nothing.
        clock: gives unix seconds for the Date header, the limits and default windows; default `ticking(world)`.
        era: `old` behaves as the self-hosted release of 2019 does.
        region: which region this host serves; default the world's first, whose host lists the organizations of all.
        urls: base URLs of the regions' hosts; default this very host.
        link_url: base URL in Link headers, where another than this host's is wanted.
        drift: how many events arrive before each further page of any list.
        compress: whether answers are compressed for clients that ask for it.
    """
    server = Server(
        world=world,
        tokens=tokens,
        limits=Limits(window_divisor) if limits == "sentry.io" else None,
        latency=latency_ms / 1000,
        faults=faults,
        clock=clock or ticking(world),
        era=era,
        region=region or world.regions[0],
        urls={} if urls is None else urls,
        link_url=link_url,
        drift=drift,
        compress=compress,
    )
    app = web.Application()
    app[SERVER] = server
    app.add_routes(_routes(server))
    return app


def _routes(server: Server) -> Iterator[web.RouteDef]:
    for route in ROUTES[server.era]:
        yield web.get(API + route.path, server.routed(route), allow_head=False)
    if server.era == "old":
        yield web.get(f"{API}{{rest:.*}}", _unknown_route, allow_head=False)


async def _unknown_route(_request: web.Request) -> web.Response:
    """What a server of 2019 says about a path that it does not have: nothing at all, and calls it HTML (9.1.2, seen)."""
    return web.Response(status=404, content_type="text/html")
