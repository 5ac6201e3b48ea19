"""Asks Sentry's API, within the budget: each GET is answered by a whole page or by an error of `errors.py`.

The token is bound to an origin (scheme, host, port). Redirects are never followed, links are never followed (only their
cursor is read), and a request to an origin that is not trusted ends before anything is sent. Trusted are the account's
own origin and the regions that Sentry named for it; see `SentryClient.trust`.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from sentry_connector import __version__
from sentry_connector.errors import (
    ConnectorError,
    HostUnknown,
    NotSentry,
    RateLimited,
    SentryUnreachable,
    TokenMissing,
    TokenNotForHost,
    UsageError,
)
from sentry_connector.sentry.address import Origin, Reach, is_loopback, normalise_url, origin
from sentry_connector.sentry.budget import Budget, Budgets, Observer, Place, check_patience
from sentry_connector.sentry.inflate import ACCEPTED
from sentry_connector.sentry.reply import Reply, Transport
from sentry_connector.sentry.server_clock import Clock, SystemClock
from sentry_connector.sentry.wire import Request, Walk, error_for, next_cursor
from sentry_connector.tracing import Quiet, Tracer

USER_AGENT = f"sentry-connector/{__version__}"
LONGEST_BACKOFF = 10.0
"""Seconds; the cap that Sentry's own command line uses."""
FEW_ATTEMPTS = 2
"""Old servers answer 500, and always will, where an endpoint needs a service that they do not have."""
FREE_RETRIES = 100
"""Retries of a client beyond one to every two requests."""
SHORT = 64
"""Bytes that an empty list may take; longer pages are not looked through."""
_BOM = b"\xef\xbb\xbf"
_WHITE_SPACE = b" \t\r\n"
_CLOSING = {b"[": b"]", b"{": b"}", b'"': b'"'}


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """Where and as whom Sentry is asked.

    Attributes:
        url: the server, as a person typed it.
        token: the API auth token. Never shown.
        ca_file: PEM file of authorities that are trusted beside the system's.
        proxy: URL of an HTTP proxy, with user and password where it wants them. Never shown.
        max_answer_bytes: cap on one answer, after decompression.
        total_timeout: seconds for one attempt, from connecting to the last byte.
        attempts: tries of one request; waits that Sentry's rate limit tells do not count.
        max_wait: seconds that one request may wait for rate limits.
        identity: the user or the integration behind the token, by which Sentry counts; None where it is not known.
        reach: what of private networks may be asked; None = all.
    """

    url: str
    token: str = field(repr=False)
    identity: str | None = None
    ca_file: str | None = None
    proxy: str | None = field(default=None, repr=False)
    max_answer_bytes: int = 64 * 2**20
    total_timeout: float = 60.0
    attempts: int = 6
    max_wait: float = 900.0
    reach: Reach | None = None

    def for_an_onlooker(self) -> Connection:
        """The same for somebody who waits for the answer and can ask again: they are told soon that there is none."""
        return replace(self, attempts=min(self.attempts, 2), max_wait=min(self.max_wait, 60.0))


@dataclass(frozen=True, slots=True)
class Answer:
    """One page.

    Attributes:
        body: decompressed; JSON by its first and last byte.
        next_cursor: None at a list's end.
        request: what was asked.
        coding, packed: the body as it came over the line, and how it is compressed.
        asked: unix time that the server's clock showed at least when this was asked; None where it never told.
    """

    body: bytes
    next_cursor: str | None
    request: Request
    coding: str = ""
    packed: bytes = field(default=b"", repr=False)
    asked: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the page is an empty list."""
        return b"".join(self.body[:SHORT].split()) == b"[]" and len(self.body) < SHORT


@dataclass(slots=True)
class Usage:
    """What a client has used up so far.

    Attributes:
        requests: attempts sent. retries: those after the first. rate_limited: answers 429.
        waited_seconds: before retries and for rate limits. bytes: decompressed bodies.
        answering_seconds: from sending to the last byte, over all attempts that were answered.
    """

    requests: int = 0
    retries: int = 0
    rate_limited: int = 0
    waited_seconds: float = 0.0
    bytes: int = 0
    answered: int = 0
    answering_seconds: float = 0.0

    @property
    def latency(self) -> float | None:
        """Mean seconds that an answer took; None before the first one."""
        return self.answering_seconds / self.answered if self.answered else None


class SentryClient:
    """Asks one Sentry account. Use it as an async context manager.

    Args:
        connection: where and as whom.
        clock: time; waits go through it.
        rng: randomness of the back-off.
        observer: told of every wait: reason, seconds.
        budgets: those of the process; None = budgets of this client alone.
        transport: how requests travel; None = by HTTP.
        tracer: hears of each request; None = nobody does.

    Raises:
        UsageError: the URL, the proxy or the CA file cannot be used.
        TokenMissing: the token is empty.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        observer: Observer | None = None,
        budgets: Budgets | None = None,
        transport: Transport | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self.tracer = tracer or Quiet()
        self.base_url = normalise_url(connection.url)
        self.usage = Usage()
        self._connection = connection
        self._identity = connection.identity or hashlib.sha256(connection.token.strip().encode()).hexdigest()
        self._headers = _headers(connection.token)
        self._clock = clock or SystemClock()
        self._rng = rng or random.Random()  # noqa: S311  # spreads retries, guards nothing
        self._observer = observer
        self._budgets = budgets or Budgets(self._clock)
        self._trusted: set[Origin] = {origin(self.base_url)}
        self._spoke_json: set[Origin] = set()
        self._transport = transport or _over_http(connection)

    async def __aenter__(self) -> Self:
        await self._transport.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.close()

    def trust(self, url: str | None) -> str:
        """The base URL to use for a region that Sentry itself named (`links.regionUrl`), which is trusted from now on.

        A region is accepted where it has the scheme and port of the account's URL, and its host lies below the
        account's, or both lie below sentry.io (us.sentry.io, de.sentry.io). Sharing less than that is not enough, since
        two hosts below co.uk have different owners. A server on a loopback address (the simulator) may name other ports
        of it. Everything else is ignored and the account's own URL is used: self-hosted servers often name themselves by
        another name.
        """
        try:
            region = normalise_url(url or "")
        except UsageError:
            return self.base_url
        if origin(region) == origin(self.base_url) or not _is_region(origin(self.base_url), origin(region)):
            return self.base_url
        self._trusted.add(origin(region))
        return region

    def budget(self, url: str) -> Budget:
        """The budget of the host that a base URL names."""
        return self._budgets.of(origin(url), self._identity)

    async def get(self, request: Request) -> Answer:
        """Ask until there is an answer, or an error that asking again does not cure.

        Retried are broken connections, 408, 429, 5xx, and pages that are not Sentry's from a host that has answered
        well before, with full-jitter back-off.

        Raises:
            TokenNotForHost: the request's origin is not trusted (nothing was sent), or the answer leads elsewhere.
            CredentialError: 401, 403, 404.
            ConnectionFailed: no answer after all attempts.
            MalformedAnswer: not Sentry's API, too large, or a refused request.
            RateLimited: Sentry's rate limit lasts longer than `max_wait`.
        """
        if origin(request.base_url) not in self._trusted:
            raise TokenNotForHost(
                f"{origin(request.base_url)[1]} is not the account's host; the token was not sent there."
            )
        budget = self.budget(request.base_url)
        failures, limited_seconds = 0, 0.0
        while True:
            try:
                return await self._attempt(request, budget)
            except ConnectorError as error:
                told = error.data.get("closed_for") if isinstance(error, RateLimited) else None
                if told is not None:
                    limited_seconds += told
                    if limited_seconds > self._connection.max_wait:
                        raise
                else:
                    failures += 1
                    if failures >= self._attempts(error, request) or not self._may_help(error, request):
                        raise
                    await self._pause(self._backoff(failures, error))
                self.usage.retries += 1

    async def pages(self, request: Request) -> AsyncIterator[Answer]:
        """The pages of a list until Sentry says that there is no next one; empty ones too.

        Raises:
            CursorLoop: there is no end.
            ConnectorError: as `get`.
        """
        walk, cursor = Walk(request.about), None
        while True:
            answer = await self.get(request if cursor is None else request.with_cursor(cursor))
            yield answer
            cursor = walk.next(answer.next_cursor, is_empty=answer.is_empty)
            if cursor is None:
                return

    async def _attempt(self, request: Request, budget: Budget) -> Answer:
        """One request, within the budget."""
        async with budget.slot(request.family, max_wait=self._connection.max_wait, observer=self._waits) as place:
            self.usage.requests += 1
            reply = await self._exchange(request, budget)
            closed_for = place.learn(reply.status, reply.headers)
            self._measure(reply, place)
        await asyncio.sleep(0)  # whoever waits for the place asks now, and not when this answer has been made use of
        if reply.status == 200:  # noqa: PLR2004  # HTTP's own number
            return self._answer(request, reply, budget.server_clock.at(place.sent))
        error = error_for(
            reply.status, _without(self._connection.token, reply.headers), self._redacted(reply.body), request
        )
        if isinstance(error, RateLimited):
            self.usage.rate_limited += 1
            error.data["closed_for"] = closed_for
        raise error

    async def _exchange(self, request: Request, budget: Budget) -> Reply:
        """Send the request; what comes of it says how the host is."""
        try:
            _, host, port = origin(request.base_url)
            with self.tracer.span("GET", method="GET", host=host, port=port, path=request.path) as span:
                reply = await self._transport.get(request.url, self._headers)
                span.note(status=reply.status, bytes=len(reply.packed))
                if reply.status >= 400:  # noqa: PLR2004  # HTTP's own number
                    span.failed(str(reply.status))
        except (ConnectorError, OSError):
            budget.breaker.failed()
            raise
        if reply.status >= 500:  # noqa: PLR2004  # HTTP's own number
            budget.breaker.failed()
        else:
            budget.breaker.answered()
        return reply

    def _measure(self, reply: Reply, place: Place) -> None:
        self.usage.bytes += len(reply.body)
        self.usage.answered += 1
        self.usage.answering_seconds += self._clock.monotonic() - place.sent

    def _answer(self, request: Request, reply: Reply, asked: float | None) -> Answer:
        body = reply.body.removeprefix(_BOM)
        _check_json(body, request)
        self._spoke_json.add(origin(request.base_url))
        return Answer(body, next_cursor(reply.headers.get("link")), request, reply.coding, reply.packed, asked)

    def _attempts(self, error: ConnectorError, request: Request) -> int:
        """How often to try; less where trying again seldom helps.

        That is a name without an address, which mostly is a typing error, and a 500 while another endpoint is left to ask.
        """
        lacks_endpoint = request.alternatives_exist and error.data.get("status") == 500  # noqa: PLR2004  # HTTP's own number
        seldom = lacks_endpoint or isinstance(error, HostUnknown)
        return min(FEW_ATTEMPTS, self._connection.attempts) if seldom else self._connection.attempts

    def _may_help(self, error: ConnectorError, request: Request) -> bool:
        """Whether asking again may help; a page that is not Sentry's is a passing trouble where the host is Sentry.

        A server that fails most of the time is not asked without end: a run has a budget of retries.
        """
        if self.usage.retries > FREE_RETRIES + self.usage.requests // 2:
            return False
        return error.retryable or (isinstance(error, NotSentry) and origin(request.base_url) in self._spoke_json)

    def _backoff(self, failures: int, error: ConnectorError) -> float:
        """Seconds before the next attempt: full jitter under 1, 2, 4 … 10, and never less than the server told."""
        jittered = self._rng.uniform(0, min(LONGEST_BACKOFF, 2.0 ** (failures - 1)))
        return max(jittered, error.data.get("retry_after") or 0.0)

    async def _pause(self, seconds: float) -> None:
        """Wait before the next attempt.

        Raises:
            RateLimited: longer than the run's patience.
        """
        check_patience(seconds, self._connection.max_wait)
        self._waits("retry", seconds)
        await self._clock.sleep(seconds)

    def _waits(self, reason: str, seconds: float) -> None:
        self.usage.waited_seconds += seconds
        if self._observer:
            self._observer(reason, seconds)

    def _redacted(self, body: bytes) -> bytes:
        """An error's body without the token, should a server echo it."""
        return body.replace(self._connection.token.strip().encode(), b"[secret]")


def _check_json(body: bytes, request: Request) -> None:
    """Tell pages that are not Sentry's by their first byte, and pages that broke off unnoticed by their last.

    Raises:
        NotSentry: HTML, text or nothing.
        SentryUnreachable: JSON without its end, as from a connection without a Content-Length.
    """
    start = body.lstrip(_WHITE_SPACE)[:1]
    if not start or start not in b'[{"-0123456789tfn':
        raise NotSentry(f"What {origin(request.base_url)[1]} answers about {request.about} is not Sentry's API.")
    if start in _CLOSING and body.rstrip(_WHITE_SPACE)[-1:] != _CLOSING[start]:
        raise SentryUnreachable(f"The answer about {request.about} broke off.")


def _without(token: str, headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value.replace(token.strip(), "[secret]") for name, value in headers.items()}


def _over_http(connection: Connection) -> Transport:
    from sentry_connector.sentry.transport import HttpTransport  # noqa: PLC0415  # loads aiohttp, which most commands do without

    return HttpTransport(
        ca_file=connection.ca_file,
        proxy=connection.proxy,
        most_bytes=connection.max_answer_bytes,
        total_timeout=connection.total_timeout,
        reach=connection.reach,
    )


def _headers(token: str) -> dict[str, str]:
    """The headers of every request.

    Raises:
        TokenMissing: the token is empty.
        UsageError: it holds what no token holds, and what would break a header.
    """
    token = token.strip()
    if not token:
        raise TokenMissing("No Sentry token was given.")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError("The Sentry token holds characters that no token has; copy it again.")
    return {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json",
        "Accept-Encoding": ACCEPTED,
        "User-Agent": USER_AGENT,
    }


def _is_region(account: Origin, region: Origin) -> bool:
    """Whether a region's origin belongs to an account's; see `SentryClient.trust`."""
    (scheme, host, port), (region_scheme, region_host, region_port) = account, region
    if is_loopback(host):
        return (scheme, host) == (region_scheme, region_host)
    domain = "sentry.io" if host.endswith(".sentry.io") else host
    return (scheme, port) == (region_scheme, region_port) and region_host.endswith(f".{domain}")
