"""Which rows a request wants to see, as its query says it.

`?column=title&sort=-date_created&sort=title&where=platform:equals:python&find=timeout&offset=100&limit=50`
"""

from __future__ import annotations

import msgspec
from pydantic import BaseModel, Field

from sentry_connector.destinations.looking import NEEDS, Condition, Look, Operator, Sort
from sentry_connector.errors import UnknownName, UsageError
from sentry_connector.web.schemas import LARGEST

MOST_ROWS = 1000
MOST_WORDS = 100
LONGEST = 1000


class Asked(BaseModel, extra="forbid"):
    """Which rows, in which order."""

    column: list[str] = Field([], max_length=MOST_WORDS, description="Only this column; repeated for several.")
    sort: list[str] = Field(
        [],
        max_length=MOST_WORDS,
        description="A column that rows are sorted by, with `-` in front from the greatest down; repeated for several, "
        "the first of which counts most. Of the texts of a Delta table the first 64 characters count.",
    )
    where: list[str] = Field(
        [],
        max_length=MOST_WORDS,
        description="`COLUMN:OPERATOR:VALUE`, repeated for several, which all hold. The operators are `equals`, "
        "`contains`, `in` (a JSON list of texts), `at_least`, `below`, and without a value `empty` and `filled`.",
    )
    find: str = Field("", max_length=LONGEST, description="A text that one of the text columns holds.")
    offset: int = Field(0, ge=0, le=LARGEST, description="How many rows are passed over.")
    limit: int = Field(100, ge=1, le=MOST_ROWS, description="How many rows at most.")
    version: int | None = Field(None, ge=0, le=LARGEST, description="One that `versions` lists; by default the newest.")


def look_of(asked: Asked) -> Look:
    """What is wanted.

    Raises:
        UsageError: a sort or a condition is not understood.
    """
    return Look(
        columns=tuple(asked.column),
        sort=tuple(_sort(one) for one in asked.sort),
        conditions=tuple(_condition(one) for one in asked.where),
        find=asked.find,
        offset=asked.offset,
        limit=asked.limit,
    )


def _sort(given: str) -> Sort:
    return Sort(given.removeprefix("-"), descending=given.startswith("-"))


def _condition(given: str) -> Condition:
    column, colon, rest = given.partition(":")
    word, _, value = rest.partition(":")
    if not colon:
        raise UsageError(f"{given!r} is no condition.", remedy="Write it as COLUMN:OPERATOR:VALUE.")
    if word not in list(Operator):
        raise UnknownName("operator", word, list(Operator))
    operator = Operator(word)
    if operator is Operator.IN:
        return Condition(column, operator, _listed(value))
    return Condition(column, operator, () if NEEDS.get(operator) == 0 else (value,))


def _listed(value: str) -> tuple[str, ...]:
    try:
        return msgspec.json.decode(value, type=tuple[str, ...])
    except (msgspec.MsgspecError, RecursionError):
        raise UsageError(f"{value!r} is no list.", remedy='Write it as JSON: ["a", "b"].') from None
