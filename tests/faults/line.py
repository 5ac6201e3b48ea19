"""The line between the connector and the simulated Sentry, inside one process: no sockets, and whatever may befall an answer."""
# ruff: noqa: S311  # seeded worlds, not cryptography

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from random import Random

from yarl import URL

from sentry_connector.errors import SentryUnreachable
from sentry_connector.sentry.inflate import Body
from sentry_connector.sentry.reply import Reply
from sentry_connector.simulator import World
from sentry_connector.simulator.misfortune import INTERNAL_ERROR, PAGE, STORM, THROTTLED
from sentry_connector.simulator.misfortune import Reply as Packed
from sentry_connector.simulator.server import API, ROUTES, Route, Server
from sentry_connector.simulator.tokens import TOKENS
from tests.faults.kinds import Fault, Ledger

URL_OF_SENTRY = "https://sentry.example"
MOST_BYTES = 1 << 26
LONGEST_STREAK = 2
SECONDS_OF_A_TIMEOUT = 60.0
RARE: Mapping[Fault, Callable[[str], bool]] = {
    Fault.REPEATED_PAGE: lambda target: "cursor=" in target,
    Fault.DRIFT: lambda target: "cursor=" in target,
    Fault.EMPTY_PAGE: lambda target: "/events/?" in target and "cursor=" not in target,
}
"""Faults that have a hold on few requests, and on which."""

EMPTY_LINK = '<{url}>; rel="next"; results="true"; cursor="0:0:0"'


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the simulated server looks at it."""

    url: URL
    headers: Mapping[str, str]
    match_info: Mapping[str, str]

    @property
    def path(self) -> str:
        return self.url.path

    @property
    def query(self) -> Mapping[str, str]:
        return self.url.query


def clamped(url: URL, rows: int | None) -> URL:
    """The request, for pages of at most so many rows: some servers give less than they are asked for."""
    size = next((name for name in ("per_page", "limit") if name in url.query), None)
    return url if rows is None or size is None else url.update_query({size: str(min(rows, int(url.query[size])))})


def _patterns() -> Iterator[tuple[re.Pattern[str], Route]]:
    for route in ROUTES["new"]:
        yield re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", API + route.path)), route


PATTERNS = tuple(_patterns())


def server_of(world: World, clock: Callable[[], float], *, compress: bool, latency: float) -> Server:
    return Server(
        world=world,
        tokens=TOKENS,
        limits=None,
        latency=latency,
        faults=None,
        clock=clock,
        era="new",
        region=world.regions[0],
        urls={},
        link_url=None,
        drift=0,
        compress=compress,
    )


@dataclass
class Weather:
    """Which requests are struck, and how; the same seed strikes the same requests in the same way.

    Attributes:
        seed: what the choices follow from.
        rate: share of the requests that are struck.
        kinds: with what.
        moving: share of the further pages before which rows arrive.
        refusals: part of a path → what all requests with it meet.
        drift: lets rows arrive.
    """

    seed: str
    ledger: Ledger
    rate: float = 0.0
    kinds: tuple[Fault, ...] = ()
    moving: float = 0.0
    refusals: Mapping[str, Fault] = field(default_factory=dict)
    drift: Callable[[], None] = lambda: None
    _asked: dict[str, int] = field(default_factory=dict)
    _streak: dict[str, int] = field(default_factory=dict)

    def strike(self, target: str) -> Fault | None:
        """What befalls this request. None is struck more often than twice in a row, so that whoever tries on gets through."""
        refusal = next((fault for part, fault in self.refusals.items() if part in target), None)
        if refusal is not None:
            return refusal
        asked = self._asked[target] = self._asked.get(target, 0) + 1
        random = Random(f"{self.seed}:{asked}:{target}")
        kinds = self._kinds(random, target) if self._streak.get(target, 0) < LONGEST_STREAK else ()
        self._streak[target] = self._streak.get(target, 0) + 1 if kinds else 0
        if not kinds and "cursor=" in target and random.random() < self.moving:
            return Fault.DRIFT
        return random.choice(kinds) if kinds else None

    def _kinds(self, random: Random, target: str) -> Sequence[Fault]:
        """With what the request is struck, if it is: that which has a hold on few has one more chance."""
        if random.random() < self.rate:
            return self.kinds
        rare = [fault for fault in self.kinds if fault in RARE and RARE[fault](target)]
        return rare if random.random() < self.rate else ()


@dataclass
class Line:
    """Carries requests to the server and answers back."""

    server: Server
    weather: Weather
    point: Callable[[str], None]
    page_rows: int | None = None
    seen: Callable[[str, int], None] = lambda _target, _status: None
    _last: dict[tuple[str, ...], Packed] = field(default_factory=dict)

    async def open(self) -> None:
        """There is nothing to open."""

    async def close(self) -> None:
        """There is nothing to close."""

    async def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        self.point("request")
        target = URL(url, encoded=True)
        fault = self.weather.strike(target.raw_path_qs)
        packed = await self._answered(target, headers, fault)
        self.point("answer")
        body = Body(packed.headers.get("Content-Encoding", ""), MOST_BYTES)
        body.feed(packed.body)
        lowered = {name.lower(): value for name, value in packed.headers.items()}
        return Reply(packed.status, lowered, body.finish(), body.coding, body.packed())

    async def _answered(self, target: URL, headers: Mapping[str, str], fault: Fault | None) -> Packed:
        if fault is Fault.DRIFT:
            self.weather.drift()
        if fault is Fault.REFUSED:
            self._note(fault, target)
            raise SentryUnreachable("The connection was refused.")
        if fault is Fault.TIMEOUT:
            await asyncio.sleep(SECONDS_OF_A_TIMEOUT)
            self._note(fault, target)
            raise SentryUnreachable("No answer came in time.")
        reply = await self._whole(target, headers)
        self.seen(target.path, reply.status)
        befallen = reply if fault is None else self._befallen(target, reply, fault)
        if reply.status == 200:
            self._last[_list_of(target)] = reply
        if befallen is not reply or fault is Fault.DRIFT:
            self._note(fault, target)
        if fault is Fault.RESET:
            raise SentryUnreachable("The answer broke off.")
        return befallen

    async def _whole(self, target: URL, headers: Mapping[str, str]) -> Packed:
        for pattern, route in PATTERNS:
            match = pattern.fullmatch(target.path)
            if match is not None:
                return await self.server.reply(
                    Asked(clamped(target, self.page_rows), headers, match.groupdict()), route
                )
        return Packed(404, b"{}", {"Content-Type": "application/json"})

    def _note(self, fault: Fault | None, target: URL) -> None:
        if fault is not None:
            self.weather.ledger.note(fault, target.raw_path_qs)

    def _befallen(self, target: URL, reply: Packed, fault: Fault) -> Packed:
        """The answer as the fault lets it through; the very same where it has no hold on it."""
        if fault is Fault.TRUNCATED_GZIP and "Content-Encoding" not in reply.headers:
            headers = reply.headers | {"Content-Encoding": "gzip"}
            reply = Packed(reply.status, gzip.compress(reply.body, mtime=0), headers)
        half, coded = reply.body[: len(reply.body) // 2], "Content-Encoding" in reply.headers
        if fault is Fault.RESET:
            return Packed(reply.status, half, reply.headers)
        if fault in (Fault.TRUNCATED, Fault.TRUNCATED_GZIP):
            return Packed(reply.status, half, reply.headers) if coded is (fault is Fault.TRUNCATED_GZIP) else reply
        if fault is Fault.REPEATED_PAGE:
            return self._last.get(_list_of(target), reply) if "cursor" in target.query else reply
        if fault is Fault.EMPTY_PAGE:
            return self._empty(target, reply)
        instead = _instead(fault, self.server.clock())
        if instead is not None:
            instead.headers["Date"] = reply.headers["Date"]
        return instead or reply

    def _empty(self, target: URL, reply: Packed) -> Packed:
        """An empty page before the first one, as of a list that is filtered after the query."""
        if not target.path.endswith("/events/") or "cursor" in target.query or reply.status != 200:
            return reply
        headers = {name: value for name, value in reply.headers.items() if name != "Content-Encoding"}
        return Packed(200, b"[]", headers | {"Link": EMPTY_LINK.format(url=target)})


def _list_of(target: URL) -> tuple[str, ...]:
    """The request without its cursor: what all pages of a list share."""
    return (target.path, *(f"{name}={value}" for name, value in target.query.items() if name != "cursor"))


def _instead(fault: Fault, now: float) -> Packed | None:
    """What comes in the place of the answer; None where that stays."""
    html, json = {"Content-Type": "text/html"}, {"Content-Type": "application/json"}
    page = PAGE % (b"nginx", b"nginx")
    told = {
        Fault.LIMITED: (
            429,
            STORM,
            html | {"X-Sentry-Rate-Limit-Remaining": "0", "X-Sentry-Rate-Limit-Reset": str(int(now) + 2)},
        ),
        Fault.LIMITED_FOR: (429, THROTTLED, json | {"Retry-After": "7"}),
        Fault.LIMITED_UNTIL: (429, THROTTLED, json | {"Retry-After": formatdate(now + 5, usegmt=True)}),
        Fault.LIMITED_BARE: (429, THROTTLED, json),
        Fault.INTERNAL_ERROR: (500, INTERNAL_ERROR, json),
        Fault.BAD_GATEWAY: (502, page, html),
        Fault.UNAVAILABLE: (503, page, html),
        Fault.GATEWAY_TIMEOUT: (504, page, html),
        Fault.HTML: (200, page, html),
        Fault.ERROR_WITH_200: (200, b'{"detail":"Internal Error"}', json),
        Fault.FORBIDDEN: (403, b'{"detail":"You do not have permission to perform this action."}', json),
        Fault.GONE: (404, b'{"detail":"The requested resource does not exist"}', json),
        Fault.REFUSED_QUERY: (400, b'{"detail":"Invalid parameter."}', json),
        Fault.OUTAGE: (500, INTERNAL_ERROR, json),
    }
    if fault not in told:
        return None
    status, body, headers = told[fault]
    return Packed(status, body, dict(headers))
