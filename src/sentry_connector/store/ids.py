"""Names for new records: short text that sorts by the time of making."""

from __future__ import annotations

import datetime as dt
import random

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no i, l, o, u, so that an id can be read aloud; in the order of ASCII, so that ids sort."""

_TIME_DIGITS = 10  # 50 bits: milliseconds since 1970 until the year 37648
_RANDOM_DIGITS = 10  # 50 bits: for two ids of the same millisecond


def new_id(now: dt.datetime, rng: random.Random) -> str:
    """Twenty lower-case letters and digits: the time `now` to the millisecond, then chance."""
    milliseconds = int(now.timestamp() * 1000)
    return _digits(milliseconds, _TIME_DIGITS) + _digits(rng.getrandbits(5 * _RANDOM_DIGITS), _RANDOM_DIGITS)


def _digits(number: int, count: int) -> str:
    """The lowest `count` base-32 digits of a number."""
    return "".join(_DIGITS[number >> (5 * place) & 31] for place in reversed(range(count)))
