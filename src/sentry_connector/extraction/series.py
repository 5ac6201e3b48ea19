"""A series of counts as Sentry sends it."""

from __future__ import annotations

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
