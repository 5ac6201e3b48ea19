"""Spans of time as people write them: `30s`, `15m`, `2h`."""

from __future__ import annotations

import re

from sentry_connector.errors import UsageError

_UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds(option: str, text: str, *, such_as: str = "30s or 5m") -> float:
    """The seconds of a time such as `30s`, `5m` or `1h`.

    Args:
        option: for which it was given.
        text: the time.
        such_as: examples that suit the option.

    Raises:
        UsageError: it is no such time.
    """
    parts = re.fullmatch(r"([0-9]{1,6})([smh])", text.strip())
    if parts is None:
        raise UsageError(f"{option}: {text!r} is not a time.", remedy=f"Give {option} a time such as {such_as}.")
    return float(int(parts[1]) * _UNITS[parts[2]])


def in_words(number: int) -> str:
    """So many seconds in the largest unit that measures them whole: 7200 is `2h`, 90 is `90s`."""
    unit, size = next((unit, size) for unit, size in reversed(_UNITS.items()) if number % size == 0)
    return f"{number // size}{unit}"
