"""Whose turn it is to ask a family of Sentry's endpoints, between processes that share a store, by two leases.

Who holds the lease asks; who holds its second one, `…/next`, has the lease when it is free, so that nobody takes his turn twice
while another one waits. Both leases lapse when their holder dies. An attempt of this sort is never worth a run: a store that is
missing, locked or broken makes a process ask alone, and Sentry's own answers then keep it within the limits.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from sentry_connector.errors import ConnectorError, LeaseLost
from sentry_connector.sentry.address import Origin
from sentry_connector.sentry.server_clock import Clock

if TYPE_CHECKING:  # a process that shares nothing does without the store's library
    from sentry_connector.store.leases import Leases
    from sentry_connector.store.records import Lease

QUANTUM = 2.0
"""Seconds for which a process asks before it looks whether somebody else wants to."""

TTL = 5.0
"""Seconds after which the turn of a process that died is free; more than a quantum and the end of what is under way."""

POLL = 0.1
"""Seconds between two looks at a turn that somebody else has."""

PATIENCE = 2.0
"""Seconds that the store may take for an answer."""

OPENING = 10.0
"""Seconds that it may take for the first one: libraries are loaded for it, and on a busy machine that is long."""

LONGEST_WAIT = 180.0
"""Seconds after which a turn is waited for no more: three of Sentry's longest windows."""

ALONE = 30.0
"""Seconds for which a process asks alone before it tries again to come to terms with the others."""

WAIT_FOR_LOCK = 0.5
"""Seconds that a statement about turns waits for another process's transaction."""

Answer = TypeVar("Answer")


class Aside(Protocol):
    """Does blocking work while others go on."""

    def __call__(self, work: Callable[[], Answer]) -> Awaitable[Answer]:
        """Come back with what the work gives."""


def lease_name(place: Origin, identity: str, family: str) -> str:
    """`budget/<host>/<identity>/<family>`; the identity as a mark, since it may stand for a token."""
    mark = hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()
    return f"budget/{place[1]}:{place[2]}/{mark}/{family}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Where a process stands.

    Attributes:
        turn: its lease, None where it has none.
        place: its lease on the next turn, None where it does not wait or others are before it.
        seconds: for which the turn lasts; without one, after which to look again.
    """

    turn: Lease | None = None
    place: Lease | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """Those who want to ask one family, as the store knows them.

    Each function raises Locked or StoreUnusable where the store cannot be asked.

    Attributes:
        leases: of the store.
        name: of the turn's lease.
        holder: how this process signs.
    """

    leases: Leases
    name: str
    holder: str

    def take(self, place: Lease | None, now: dt.datetime) -> Standing:
        """Have the turn, or a place in the line; whoever has not waited is before nobody."""
        place = self._kept(place, now)
        if place is None and self.is_wanted(now):
            return Standing(seconds=POLL)
        turn = self.leases.try_acquire(self.name, self.holder, now, _seconds(TTL))
        if turn is not None:
            if place is not None:
                self.leases.release(place)
            return Standing(turn=turn, seconds=QUANTUM)
        place = place or self.leases.try_acquire(self._next, self.holder, now, _seconds(TTL))
        return Standing(place=place, seconds=self._until_free(now))

    def keep(self, turn: Lease, most: float, now: dt.datetime) -> Standing:
        """The turn for another quantum; where somebody waits for it, for `most` seconds, or not at all."""
        seconds = min(QUANTUM, most) if self.is_wanted(now) else QUANTUM
        if seconds <= 0:
            return Standing(turn=turn)
        try:
            return Standing(turn=self.leases.renew(turn, now, _seconds(TTL)), seconds=seconds)
        except LeaseLost:
            return Standing()

    def rest(self, turn: Lease, seconds: float, now: dt.datetime) -> Standing:
        """Leave the turn to whoever waits, from the end of a pause on; else see to it that it lasts so long."""
        if self.is_wanted(now):
            self.leases.leave(turn, now, _seconds(seconds))
            return Standing()
        if turn.expires_at >= now + _seconds(seconds):
            return Standing(turn=turn)
        try:
            return Standing(turn=self.leases.renew(turn, now, _seconds(seconds + TTL)))
        except LeaseLost:
            return Standing()

    def give(self, turn: Lease, after: float, now: dt.datetime) -> None:
        """Leave the turn to others, from so many seconds on."""
        self.leases.leave(turn, now, _seconds(after))

    def is_wanted(self, now: dt.datetime) -> bool:
        """Whether somebody waits for the turn."""
        return self.leases.holder_of(self._next, now) is not None

    @property
    def _next(self) -> str:
        return f"{self.name}/next"

    def _kept(self, place: Lease | None, now: dt.datetime) -> Lease | None:
        """The place for longer, written only where much of its time is over; None where it is lost."""
        if place is None or place.expires_at > now + _seconds(TTL / 2):
            return place
        try:
            return self.leases.renew(place, now, _seconds(TTL))
        except LeaseLost:
            return None

    def _until_free(self, now: dt.datetime) -> float:
        """Seconds until the turn is to be looked at again: when it ends, if that is soon."""
        turn = self.leases.holder_of(self.name, now)
        return 0.001 if turn is None else min(POLL, max(0.001, (turn.expires_at - now).total_seconds()))


class LeasedTurn:
    """A process's turn at one family; a `sentry.budget.Turn`.

    Args:
        line: those who want to ask, None where there is no store; called aside, where it may block.
        clock: time.
        aside: does blocking work while others go on.
    """

    def __init__(self, line: Callable[[], Line | None], *, clock: Clock, aside: Aside) -> None:
        self._line = line
        self._clock = clock
        self._aside = aside
        self._standing = Standing()
        self._until = 0.0  # when the turn is over, on the monotonic scale
        self._waits_since: float | None = None
        self._patience = OPENING

    @property
    def is_held(self) -> bool:
        """Whether others have to wait for this process."""
        turn = self._standing.turn
        return turn is not None and turn.expires_at > self._now()

    @property
    def left(self) -> float:
        """Seconds for which requests may start without a look at the others."""
        return max(0.0, self._until - self._clock.monotonic())

    async def keep(self, most: float) -> bool:
        """Have it for longer; where somebody waits for it, `most` seconds longer only. Says whether it is kept."""
        turn = self._standing.turn
        if turn is None:
            return False
        self._stand(await self._asked(lambda line: line.keep(turn, most, self._now())))
        return self.left > 0

    async def rest(self, seconds: float) -> None:
        """Nothing will be asked for so many seconds: whoever waits for the turn has it after them."""
        turn, until = self._standing.turn, self._until
        if turn is None:
            return
        self._stand(await self._asked(lambda line: line.rest(turn, seconds, self._now())))
        if self.is_held:
            self._until = until

    async def give(self, after: float) -> None:
        """Leave it to others, who may begin in so many seconds."""
        turn = self._standing.turn
        if turn is None:
            return
        await self._asked(lambda line: line.give(turn, after, self._now()))
        self._stand(Standing())

    async def take(self) -> float:
        """Try to have it: 0 where this process has it now, else the seconds after which to try again."""
        if self.left > 0:
            return 0.0
        now = self._clock.monotonic()
        self._waits_since = now if self._waits_since is None else self._waits_since
        if now - self._waits_since > LONGEST_WAIT:
            self._go_alone()
            return 0.0
        place = self._standing.place
        self._stand(await self._asked(lambda line: line.take(place, self._now())))
        return 0.0 if self.left > 0 else self._standing.seconds

    def close(self, after: float) -> None:
        """As `give`, at the end of the process; without a word where the store cannot be asked."""
        turn, self._standing = self._standing.turn, Standing()
        if turn is None:
            return
        try:
            line = self._line()
            if line is not None:
                line.give(turn, after, self._now())
        except ConnectorError:
            return  # it lapses by itself

    async def _asked(self, question: Callable[[Line], Answer]) -> Answer | None:
        """What the store says; None where it says nothing, and the process goes on alone."""

        def work() -> Answer | None:
            line = self._line()
            return None if line is None else question(line)

        patience, self._patience = self._patience, PATIENCE
        try:
            return await asyncio.wait_for(self._aside(work), patience)
        except (ConnectorError, TimeoutError):
            return None

    def _stand(self, standing: Standing | None) -> None:
        if standing is None:
            self._go_alone()
            return
        self._standing = standing
        self._until = self._clock.monotonic() + (standing.seconds if standing.turn else 0.0)
        if standing.turn is not None:
            self._waits_since = None

    def _go_alone(self) -> None:
        self._standing = Standing()
        self._until = self._clock.monotonic() + ALONE
        self._waits_since = None

    def _now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._clock.time(), dt.UTC)


def _seconds(number: float) -> dt.timedelta:
    return dt.timedelta(seconds=number)
