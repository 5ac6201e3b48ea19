"""What is wrong between this machine and a Sentry account: named checks, each with what to do about it."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable, Container, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial

from sentry_connector.errors import (
    AccessDenied,
    ConnectorError,
    CredentialError,
    HostUnknown,
    MalformedAnswer,
    NotFound,
    NotSentry,
    RateLimited,
    ScopeMissing,
    SentryUnavailable,
    TokenRejected,
    UsageError,
)
from sentry_connector.sentry.address import ALLOW, may_reach, normalise_url, origin
from sentry_connector.sentry.client import Connection, SentryClient
from sentry_connector.sentry.directory import Directory, Identity
from sentry_connector.sentry.server_clock import Clock, SystemClock
from sentry_connector.sentry.wire import clean

LARGEST_SKEW = 60.0
"""Seconds by which clocks may differ before windows that end "now" lose or miss events."""
LONGEST_WAIT = 10.0
"""Seconds that a check waits for a rate limit."""
TOKEN_ERRORS = (TokenRejected, AccessDenied, ScopeMissing)
"""Answers that only Sentry's API gives, so that it is there; the token is what is wrong."""
_COVERS = {"read": ("read", "write", "admin"), "write": ("write", "admin"), "admin": ("admin",)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: of the check, stable.
        ok: it is as it must be. With a `remedy` it is a warning: it works, and something should be done.
        error: stable name of the error (`tls.failed`); None when ok, and for checks that an earlier failure prevented.
        message: one sentence: what was found.
        remedy: what to do; empty where there is nothing to do.
        seconds: how long the check took.
    """

    name: str
    ok: bool
    error: str | None = None
    message: str
    remedy: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check that did not fail found; with a remedy it is a warning."""

    message: str
    remedy: str = ""


async def examine(
    connection: Connection,
    reports_scopes: Mapping[str, str],
    *,
    clock: Clock | None = None,
    rng: random.Random | None = None,
) -> list[Check]:
    """Look at everything that a run needs, in the order in which one thing depends on another; a failure is a result.

    Args:
        connection: what is examined. Each request is tried once.
        reports_scopes: the scope that each report needs, by the report's name.
        clock: time; also what the server's clock is compared with.
        rng: randomness of the client.

    Returns:
        The checks `url`, `dns`, `connection`, `api`, `token`, `scopes`, `scope <report>` for each report,
        `organizations`, `limits`, `clock`. Those that an earlier failure prevents are there too: not ok, no error.
    """
    connection = replace(connection, attempts=1, max_wait=min(connection.max_wait, LONGEST_WAIT))
    async with AsyncExitStack() as stack:
        examination = _Examination(connection, clock or SystemClock(), rng, stack)
        await examination.run(reports_scopes)
        return examination.checks


class _Examination:
    """The checks of one connection, with what the earlier ones found for the later ones."""

    def __init__(self, connection: Connection, clock: Clock, rng: random.Random | None, stack: AsyncExitStack) -> None:
        self.checks: list[Check] = []
        self._connection = connection
        self._clock = clock
        self._rng = rng
        self._stack = stack
        self._client: SentryClient
        self._directory: Directory
        self._root: Identity | ConnectorError

    async def run(self, reports_scopes: Mapping[str, str]) -> None:
        """All checks, in their order."""
        await self._check("url", self._url)
        await self._check("dns", self._dns, after=("url",))
        await self._check("connection", self._connect, after=("url", "dns"))
        await self._check("api", self._api, after=("connection",))
        await self._check("token", self._token, after=("connection", "api"))
        await self._check("scopes", self._scopes, after=("token",))
        for report, scope in reports_scopes.items():
            await self._check(f"scope {report}", partial(self._scope, report, scope), after=("token",))
        await self._check("organizations", self._organizations, after=("token",))
        await self._check("limits", self._limits, after=("api",))
        await self._check("clock", self._skew, after=("api",))

    async def _check(self, name: str, look: Callable[[], Awaitable[Finding]], after: tuple[str, ...] = ()) -> None:
        """Look, unless a check that this one depends on is not ok."""
        missing = next((check.name for check in self.checks if check.name in after and not check.ok), None)
        if missing:
            self.checks.append(Check(name=name, ok=False, message=f"Not checked, since {missing} is not in order."))
            return
        start = self._clock.monotonic()
        try:
            finding = await look()
        except ConnectorError as error:
            check = Check(name=name, ok=False, error=error.name, message=error.message, remedy=error.remedy)
        else:
            check = Check(name=name, ok=True, message=finding.message, remedy=finding.remedy)
        self.checks.append(replace(check, seconds=self._clock.monotonic() - start))

    async def _url(self) -> Finding:
        return Finding(f"Sentry is asked at {normalise_url(self._connection.url)}.")

    async def _dns(self) -> Finding:
        _, host, port = origin(normalise_url(self._connection.url))
        if self._connection.proxy:
            return Finding("The proxy looks up the name.")
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            raise HostUnknown(f"{host} has no address.", host=host) from None
        if not all(may_reach(str(one[4][0]), host, port, self._connection.reach) for one in found):
            raise UsageError(f"{host} has an address that requests must not be led to.", remedy=ALLOW)
        return Finding(f"{host} has the address {found[0][4][0]}.")

    async def _connect(self) -> Finding:
        """Ask for the root of the API once; the later checks read the same answer."""
        client = SentryClient(self._connection, clock=self._clock, rng=self._rng)
        self._client = await self._stack.enter_async_context(client)
        self._directory = Directory(self._client)
        try:
            self._root = await self._directory.who_am_i()
        except (SentryUnavailable, CredentialError, MalformedAnswer, RateLimited) as error:
            self._root = error  # the connection stands; what was said over it is for the next checks
        return Finding(f"Connected{' through the proxy' if self._connection.proxy else ''}.")

    async def _api(self) -> Finding:
        if isinstance(self._root, NotFound):
            raise NotSentry("There is no Sentry API at this URL.")
        if isinstance(self._root, ConnectorError) and not isinstance(self._root, TOKEN_ERRORS):
            raise self._root
        return Finding("Sentry's API answers.")

    async def _token(self) -> Finding:
        identity = self._identity()
        if identity.scopes is None and identity.user_id is None:
            raise TokenRejected(
                "Sentry sees no token.", remedy="See whether a proxy before Sentry removes the Authorization header."
            )
        return Finding(f"The token is {clean(identity.name) + chr(39) + 's' if identity.name else 'good'}.")

    async def _scopes(self) -> Finding:
        scopes = self._identity().scopes
        if scopes is None:
            return Finding("This server does not tell the scopes of a token.")
        beyond = [clean(scope, 60) for scope in scopes if not scope.endswith(":read")]
        if beyond:
            return Finding(
                f"The token may do more than read: {', '.join(beyond)}.",
                "Make a token with org:read, project:read, team:read and event:read only.",
            )
        return Finding(f"The token has {', '.join(clean(scope, 60) for scope in scopes) or 'no scopes'}.")

    async def _scope(self, report: str, scope: str) -> Finding:
        held = self._identity().scopes
        if held is not None and not covers(held, scope):
            raise ScopeMissing(f"The report {report} needs the scope {scope}.", scope=scope, report=report)
        return Finding(f"The report {report} needs {scope}{'' if held is not None else ', which will show'}.")

    async def _organizations(self) -> Finding:
        found = await self._directory.organizations()
        if not found:
            return Finding(
                "The token lists no organizations.",
                "Name the organization yourself: tokens of an integration read theirs without listing it.",
            )
        return Finding(f"The token sees {len(found)}: {', '.join(clean(row.slug, 60) for row in found[:10])}.")

    async def _limits(self) -> Finding:
        enforced = self._client.budget(self._client.base_url).enforced
        return Finding("Sentry limits the rate of requests." if enforced else "The server tells no rate limits.")

    async def _skew(self) -> Finding:
        skew = self._client.budget(self._client.base_url).server_clock.skew()
        if skew is None:
            return Finding("The server does not tell its time.")
        if abs(skew) > LARGEST_SKEW:
            return Finding(
                f"The server's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this machine's.",
                "Set the clock that is wrong; until then days and windows that end now are off by as much.",
            )
        return Finding("The server's clock and this machine's agree within a minute.")

    def _identity(self) -> Identity:
        """Who the token is, or the error that asking gave."""
        if isinstance(self._root, ConnectorError):
            raise self._root
        return self._root


def covers(held: Container[str], scope: str) -> bool:
    """Whether a token with these scopes may do what `scope` allows: write includes read, admin includes both."""
    family, _, action = scope.partition(":")
    return any(f"{family}:{enough}" in held for enough in _COVERS.get(action, (action,)))
