"""What holds guessing up: after each wrong password the next try has to wait, longer each time, and nobody is locked out.

It is counted for each pair of a name and an address, in this process's memory: whoever guesses from elsewhere keeps nobody out.
"""

from __future__ import annotations

import ipaddress
import math
import threading
from collections import OrderedDict, deque

LONGEST_WAIT = 60.0
"""Seconds between two tries at most, until an hour's tries are used up."""

HOUR = 3600.0
TRIES_AN_HOUR = 20
"""Wrong passwords for one name from one address."""

SPRAYED_AN_HOUR = 100
"""Wrong passwords for any names from one address."""

MOST = 20_000
"""Pairs that are remembered; the one longest unused is forgotten first."""


class Throttle:
    """Counts wrong tries. Safe to use from several threads."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[tuple[str | None, str], deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, name: str, address: str, now: float) -> float:
        """Begin a try, which counts as a wrong one until it was `right`: many at once are many.

        Args:
            name: that is to be signed in with, folded.
            address: the network address that it comes from.
            now: seconds of a clock that only goes on.

        Returns:
            0 where it may be tried; else the seconds until the next try, and this one does not count.
        """
        keys = (name, network_of(address)), (None, network_of(address))
        with self._lock:
            wait = max(
                self._wait(keys[0], now, TRIES_AN_HOUR, growing=True),
                self._wait(keys[1], now, SPRAYED_AN_HOUR, growing=False),
            )
            if wait:
                return wait
            for key in keys:
                self._wrong.setdefault(key, deque(maxlen=SPRAYED_AN_HOUR)).append(now)
                self._wrong.move_to_end(key)
            while len(self._wrong) > MOST:
                self._wrong.popitem(last=False)
        return 0.0

    def right(self, name: str, address: str) -> None:
        """Forget the wrong tries of a pair whose password was right; those of its address for other names stay."""
        place = network_of(address)
        with self._lock:
            gone = self._wrong.pop((name, place), deque())
            rest = [at for at in self._wrong.pop((None, place), deque()) if at not in gone]
            if rest:
                self._wrong[None, place] = deque(rest, maxlen=SPRAYED_AN_HOUR)

    def _wait(self, key: tuple[str | None, str], now: float, most: int, *, growing: bool) -> float:
        tries = [at for at in self._wrong.get(key, ()) if now - at < HOUR]
        if len(tries) >= most:
            return max(0.0, tries[-most] + HOUR - now)
        if not tries or not growing:
            return 0.0
        return max(0.0, tries[-1] + min(LONGEST_WAIT, 2.0 ** (len(tries) - 1)) - now)


def network_of(address: str) -> str:
    """What counts as one address: of IPv6 the /64 that one customer has."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is None:
        return str(ipaddress.ip_network(f"{ip}/64", strict=False))
    return str(getattr(ip, "ipv4_mapped", None) or ip)


def in_seconds(wait: float) -> int:
    """A wait as `Retry-After` has it."""
    return math.ceil(wait)
