"""A list that moves while it is read, behind each of Sentry's ways of paging."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sentry_connector.extraction.decode import Context, Decoded, Values
from sentry_connector.extraction.lists import Listing, Page, whole
from sentry_connector.extraction.plan import within
from sentry_connector.extraction.survey import Span
from sentry_connector.extraction.tree import Path
from sentry_connector.reports.model import Endpoint, WindowParams
from sentry_connector.sentry.client import Answer
from sentry_connector.sentry.wire import Request
from tests.virtual_time import run

SIZE = 5
EPOCH = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
ID, AT = ("id",), ("at",)

Item = tuple[float, str]
"""Seconds after `EPOCH`, and an id."""


def at(seconds: float) -> dt.datetime:
    return EPOCH + dt.timedelta(seconds=seconds)


@dataclass
class Moving:
    """A server with one list, newest first.

    Attributes:
        items: what is in it now.
        counts: what its cursors count: `rows`, `pages` or `keys`.
        reads_windows: whether `start` and `end` mean anything to it.
        between: called before each answer, with the number of the request; may change `items`.
        order: sorts items of equal time, anew for each answer.
        empty_at: number of a request that is answered by an empty page whose next one is what was asked for.
    """

    items: list[Item]
    counts: str
    reads_windows: bool = True
    between: Callable[[Moving, int], None] = lambda _server, _number: None
    order: random.Random | None = None
    empty_at: int | None = None
    asked: list[Request] = field(default_factory=list)
    size: int = SIZE

    async def __call__(self, request: Request) -> Page:
        self.between(self, len(self.asked))
        self.asked.append(request)
        found = self._in_window(dict(request.params))
        cursor = dict(request.params).get("cursor")
        value, offset = (float(part) for part in cursor.split(":")[:2]) if cursor else (0.0, 0.0)
        if self.counts == "keys" and cursor:
            first = sum(-self._key(item) < -value for item in found) + int(offset)
        else:
            first = int(offset) * (self.size if self.counts == "pages" else 1)
        if len(self.asked) - 1 == self.empty_at:
            return Page(Answer(b"[]", f"0:{first}:0", request), decoded([]))
        page, rest = found[first : first + self.size], found[first + self.size :]
        answer = Answer(b"[]" if not page else b"[1]", self._next(found, first, rest), request)
        return Page(answer, decoded(page))

    def _in_window(self, params: dict[str, str]) -> list[Item]:
        shuffled = list(self.items)
        if self.order is not None:
            self.order.shuffle(shuffled)
        if self.reads_windows:
            start, end = (dt.datetime.fromisoformat(params[name]).replace(tzinfo=dt.UTC) for name in ("start", "end"))
            shuffled = [item for item in shuffled if start <= at(int(item[0])) < end]
        if self.order is not None:
            return sorted(shuffled, key=lambda item: -int(item[0]))
        return sorted(shuffled, key=lambda item: (-item[0], item[1]))

    def _next(self, found: list[Item], first: int, rest: list[Item]) -> str | None:
        if not rest:
            return None
        if self.counts == "rows":
            return f"0:{first + self.size}:0"
        if self.counts == "pages":
            return f"{self.size}:{first // self.size + 1}:0"
        key = self._key(rest[0])
        return f"{key}:{sum(self._key(item) == key for item in found[: first + self.size])}:0"

    @staticmethod
    def _key(item: Item) -> int:
        return int(at(item[0]).timestamp() * 1000)


def decoded(items: list[Item]) -> Decoded:
    times = [at(seconds) for seconds, _ in items]
    columns: dict[Path, list[Any]] = {ID: [name for _, name in items], AT: times}
    return Decoded(
        values=Values(len(items), columns.__getitem__),
        context=Context(values={}, host="sentry.example", run_id="run", extracted_at=EPOCH),
        newest=max(times, default=None),
        oldest=min(times, default=None),
    )


@dataclass
class Read:
    """What reading a list brought: ids in the order in which they came, and the sentence about one that never rested."""

    ids: list[str]
    warnings: list[str]
    requests: int

    @property
    def members(self) -> set[str]:
        return set(self.ids)


def read(
    server: Moving, span: Span | None = None, *, steady: bool = True, newest_first: bool = True, now: float = 1e6
) -> Read:
    """Read the list whole, in virtual time."""
    told = WindowParams.START_END if server.reads_windows else WindowParams.NONE
    endpoint = Endpoint(path="/things/", page_size=server.size, window=told, open_start="2008-05-08T00:00:00")
    first = Request(base_url="https://sentry.example", path="/things/")
    span = span or (None, at(now))
    warnings: list[str] = []
    listing = Listing(
        endpoint=endpoint,
        request=within(first, endpoint, span) if server.reads_windows else first,
        span=span,
        newest_first=newest_first,
        steady=steady,
        rows=lambda page: zip(page.values.get(ID), page.values.get(AT), strict=True),
        now=lambda: at(now),
        moved=warnings.append,
    )

    async def work() -> list[str]:
        return [name async for page in whole(listing, server) for name in page.decoded.values.get(ID)]

    return Read(run(work()), warnings, len(server.asked))


def doubled(ids: list[str]) -> Counter[str]:
    return Counter({name: count for name, count in Counter(ids).items() if count > 1})
