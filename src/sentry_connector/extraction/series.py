"""A series of counts as Sentry sends it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import dropwhile

from sentry_connector.errors import MalformedAnswer
from sentry_connector.extraction.lenient import parse


def points_of(body: bytes) -> list[tuple[int, int]]:
    """`[[unix seconds, count], …]`; old servers write the seconds as a float.

    Raises:
        MalformedAnswer: it is no such series.
    """
    series = parse(body)
    try:
        return [(int(moment), int(count)) for moment, count in series]
    except (TypeError, ValueError) as error:
        raise MalformedAnswer("A series of [unix seconds, count] was expected.") from error


def without_forgotten(counts: Mapping[int, int], before: float) -> dict[int, int]:
    """The series from its first count on, or from `before`: Sentry counts as 0 what it has forgotten.

    Args:
        counts: unix seconds → number of events, oldest first.
        before: unix seconds before which nothing is kept any more.
    """
    return dict(dropwhile(lambda point: point[0] < before and not point[1], counts.items()))


def until(counts: Mapping[int, int], end: float, width: int) -> dict[int, int]:
    """The buckets of `width` seconds that are over at `end`, in unix seconds."""
    return {moment: count for moment, count in counts.items() if moment + width <= end}
