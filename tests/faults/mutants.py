"""Mistakes that one could make in the connector, as data: each must be found by some seed."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

import msgspec

from sentry_connector.destinations import delta_merge
from sentry_connector.destinations.delta import Delta
from sentry_connector.destinations.delta_commits import Log, Note
from sentry_connector.destinations.delta_files import files_of
from sentry_connector.destinations.delta_merge import Change
from sentry_connector.errors import ConnectorError, DiskFull, LeaseLost, RateLimited
from sentry_connector.extraction import journal, lists, plan, spool
from sentry_connector.extraction.incomplete import ONE_SCOPE_ONLY
from sentry_connector.extraction.journal import Journal
from sentry_connector.extraction.read import Reader
from sentry_connector.extraction.spool import SliceRecord, SliceWriter, Spool
from sentry_connector.reports import windows
from sentry_connector.runs import commit as commits
from sentry_connector.runs import execute, gather
from sentry_connector.runs.lease import Holding
from sentry_connector.runs.outcome import Outcome
from sentry_connector.sentry import client
from sentry_connector.sentry.client import Answer, SentryClient
from sentry_connector.sentry.wire import Walk
from sentry_connector.store.datasets import DataSets
from sentry_connector.store.leases import Leases
from tests.faults.ground import Ground
from tests.faults.kinds import Fault
from tests.faults.process import PassingLog
from tests.faults.scenario import REPLACE, Scenario, scenario_of
from tests.faults.simulation import play
from tests.faults.subjects import ISSUES, TEAM_PROJECTS, TEAMS

MOST_SEEDS = 1000
Make = Callable[[Any], Any]
"""From what is there to what stands in its place."""


@dataclass(frozen=True)
class Mutant:
    """One mistake: what it is, where it is made, and in which kind of table and of seeds it can show."""

    name: str
    changes: tuple[tuple[object, str, Make], ...]
    delta: bool = False
    where: Callable[[Scenario], bool] = lambda _: True


def found_by(mutant: Mutant, place: Ground, seeds: range = range(MOST_SEEDS)) -> int | None:
    """The first seed whose table is not what it should be with this mistake; None where all are."""
    able = (seed for seed in seeds if mutant.where(scenario_of(seed)))
    return next((seed for seed in able if is_found_by(mutant, seed, place)), None)


def is_found_by(mutant: Mutant, seed: int, place: Ground) -> bool:
    with made(mutant):
        return bool(play(seed, place, delta=mutant.delta).differences)


@contextlib.contextmanager
def made(mutant: Mutant) -> Iterator[None]:
    """The mistake is made inside the block."""
    with contextlib.ExitStack() as stack:
        for target, name, make in mutant.changes:
            stack.enter_context(mock.patch.object(target, name, make(getattr(target, name))))
        yield


def _of(reports: set[str]) -> Callable[[Scenario], bool]:
    return lambda scenario: scenario.report in reports


def _struck_by(*points: str) -> Callable[[Scenario], bool]:
    return lambda scenario: any(strike.point in points for one in scenario.rounds for strike in one.strikes)


def _overtaken(scenario: Scenario) -> bool:
    strikes = [strike for one in scenario.rounds for strike in one.strikes]
    return any(strike.fault in {Fault.OVERTAKEN, Fault.OVERTAKEN_BY_FAILURE} for strike in strikes)


def _damaged(scenario: Scenario) -> bool:
    return any(one.flipped and one.strikes for one in scenario.rounds)


def always(value: Any) -> Make:
    return lambda _: lambda *_args, **_more: value


def _one_row_on(next_cursor: Any) -> Any:
    def moved(header: str | None) -> str | None:
        cursor: str | None = next_cursor(header)
        if cursor is None:
            return None
        value, offset, previous = cursor.split(":")
        return f"{value}:{int(offset) + 1}:{previous}"

    return moved


def _later(by: dt.timedelta) -> Make:
    def make(ends: Any) -> Any:
        return lambda *args: {scope: end + by for scope, end in ends(*args).items()}

    return make


def _ending_early(start_and_end: Any) -> Any:
    def moved(endpoint: Any, span: Any) -> Any:
        return start_and_end(endpoint, (span[0], span[1] - dt.timedelta(hours=1)))

    return moved


def _cut_is_the_end(answer: Any) -> Any:
    def taken(self: SentryClient, request: Any, reply: Any) -> Answer:
        whole = reply.body.rstrip()[-1:] in (b"]", b"}")
        return answer(self, request, reply) if whole else Answer(b"[]", None, request, "", b"[]")

    return taken


def _last_page(recall: Any) -> Any:
    def recalled(self: Journal, slice_id: str, key: str) -> Any:
        kept = recall(self, slice_id, key)
        return kept and type(kept)(msgspec.structs.replace(kept.note, next_cursor=None), kept.packed)

    return recalled


def _any_answer(recall: Any) -> Any:
    def recalled(self: Journal, slice_id: str, key: str) -> Any:
        return recall(self, slice_id, next((k for s, k in self._places if s == slice_id), key))

    return recalled


def _nothing_when_limited(get: Any) -> Any:
    async def taken(self: SentryClient, request: Any, budget: Any) -> Answer:
        try:
            answer: Answer = await get(self, request, budget)
        except RateLimited:
            return Answer(b"[]", None, request, "", b"[]")
        return answer

    return taken


def _failure_is_empty(read_slice: Any) -> Any:
    async def read(self: Reader, one: Any, gate: asyncio.Semaphore) -> SliceRecord | ConnectorError:
        found: SliceRecord | ConnectorError = await read_slice(self, one, gate)
        return SliceRecord(slice_id=one.id, scope_id=one.scope.id) if isinstance(found, ONE_SCOPE_ONLY) else found

    return read


def _without_overlap(resolve: Any) -> Any:
    def resolved(duration: Any, **more: Any) -> Any:
        has = hasattr(duration, "overlap")
        return resolve(msgspec.structs.replace(duration, overlap=0) if has else duration, **more)

    return resolved


def _sealed_first(flush: Any) -> Any:
    async def flushed(self: Spool) -> None:
        await self._seal(self._unsealed)
        await flush(self)

    return flushed


def _untold(of_reading: Any) -> Any:
    return lambda _incomplete, **more: of_reading((), **more)


def _appending_all(commit_of: Any) -> Any:
    def made_of(*args: Any, **more: Any) -> Any:
        commit = commit_of(*args, **more)
        return type(commit)(**{name: getattr(commit, name) for name in commit.__slots__} | {"skip_stored": False})

    return made_of


def _empty_is_the_end(following: Any) -> Any:
    def walked(self: Walk, cursor: str | None, *, is_empty: bool) -> Any:
        return None if is_empty else following(self, cursor, is_empty=is_empty)

    return walked


def _loop_is_the_end(following: Any) -> Any:
    def walked(self: Walk, cursor: str | None, *, is_empty: bool) -> Any:
        return None if cursor in self._seen else following(self, cursor, is_empty=is_empty)

    return walked


def _of_the_store_alone(next_epoch: Any) -> Any:
    return lambda self, dataset_id, _at_least: next_epoch(self, dataset_id, 0)


def _without_a_look_at_the_lease(_aside: Any) -> Any:
    async def aside(self: Holding, work: Any) -> Any:
        return await self.house.aside(work)

    return aside


def _lost_and_kept(renew: Any) -> Any:
    def renewed(self: Leases, lease: Any, *more: Any) -> Any:
        try:
            return renew(self, lease, *more)
        except LeaseLost:
            return lease

    return renewed


def _as_if_there_were_room(keep: Any) -> Any:
    def kept(self: Journal, *answer: Any) -> None:
        with contextlib.suppress(DiskFull):
            keep(self, *answer)

    return kept


def _watermarks_first(commit: Any) -> Any:
    def done(self: Delta, wanted: Any) -> Any:
        table = self.log.open()
        if table is not None:
            note = Note.of(Change(), files_of(table), operation="marks", epoch=None, changed=False)
            with mock.patch.object(PassingLog, "_surely", Log._surely):
                self.log.write(table, Change(), note, watermarks=wanted.watermarks)
        return commit(self, wanted)

    return done


def _nothing_again(_again: Any) -> Any:
    async def pages(*_: Any) -> Any:
        for page in list[Any]():
            yield page

    return pages


MUTANTS = (
    Mutant(
        "no dedupe",
        (
            (SliceWriter, "_last_of_each", lambda _: lambda _self, batch, keys: (batch, keys)),
            (SliceWriter, "_supersede", always(None)),
        ),
    ),
    Mutant("cursor off by one", ((client, "next_cursor", _one_row_on),)),
    Mutant(
        "no epoch check",
        ((Delta, "_done", always(None)), (execute._Attempt, "_committed_before", always(None))),
        delta=True,
    ),
    Mutant("watermark too far", ((commits, "_ends", _later(dt.timedelta(hours=3))),)),
    Mutant("watermark by a clock that is ahead", ((execute._Attempt, "_latest", always({})),)),
    Mutant("watermarks of scopes that failed", ((commits, "unread_scopes", always(set())),)),
    Mutant("spool hash unchecked", ((Spool, "_is_whole", always(True)),), where=_damaged),
    Mutant("journal checksum unchecked", ((journal, "_checksum", always(0)),), where=_damaged),
    Mutant("window ends an hour early", ((plan, "_start_and_end", _ending_early),)),
    Mutant("overlap of zero", ((windows, "resolve", _without_overlap),)),
    Mutant("a cut page is the last", ((SentryClient, "_answer", _cut_is_the_end),)),
    Mutant("a resumed list ends with its first kept page", ((Journal, "recall", _last_page),)),
    Mutant("a kept answer to another question", ((Journal, "recall", _any_answer),)),
    Mutant("a 429 is an empty page", ((SentryClient, "_attempt", _nothing_when_limited),)),
    Mutant("a scope that fails is complete", ((Reader, "_slice", _failure_is_empty),)),
    Mutant("no key", ((commits, "_with_host", always(())),)),
    Mutant("slices are finished before their rows are written", ((Spool, "flush", _sealed_first),)),
    Mutant("rows of unfinished slices count", ((spool, "_voided", lambda _: lambda file, _finished: file),)),
    Mutant("scopes that are missing are not told", ((Outcome, "of_reading", _untold),)),
    Mutant("append of what is stored", ((execute, "commit_of", _appending_all),)),
    Mutant("an empty page is the end", ((Walk, "next", _empty_is_the_end),)),
    Mutant("a loop is the end", ((Walk, "next", _loop_is_the_end),)),
    Mutant("epochs of the store alone", ((DataSets, "next_epoch", _of_the_store_alone),)),
    Mutant(
        "a forgotten run's answers are a new one's",
        ((Delta, "highest_epoch", lambda _: Delta.epoch),),
        delta=True,
        where=lambda scenario: any(one.restored for one in scenario.rounds),
    ),
    Mutant(
        "lease not looked at before the commit", ((Holding, "aside", _without_a_look_at_the_lease),), where=_overtaken
    ),
    Mutant("a lost lease is kept", ((Leases, "renew", _lost_and_kept),), where=_overtaken),
    Mutant("an older row wins", ((delta_merge, "_compared", always([])),), delta=True),
    Mutant("watermarks first", ((Delta, "commit", _watermarks_first),), delta=True),
    Mutant("a full disk goes unnoticed", ((Journal, "keep", _as_if_there_were_room),), where=_struck_by("journal")),
    Mutant("scopes are held against a part of them", ((gather, "unread_scopes", always(set())),), where=_of({ISSUES})),
    Mutant("a list of pages is read once", ((lists, "MOST_READINGS", lambda _: 1),), where=_of({TEAMS, TEAM_PROJECTS})),
    Mutant(
        "what moved while it was read is not read again",
        ((lists, "_newest_again", _nothing_again),),
        where=_of({ISSUES}),
    ),
    Mutant(
        "what Sentry forgot is gone",
        ((commits, "_forgotten", always([])),),
        where=lambda scenario: scenario.aged and scenario.method is REPLACE,
    ),
    Mutant(
        "days that are half forgotten are whole",
        ((commits, "kept_since", always(dt.datetime(2000, 1, 1, tzinfo=dt.UTC))),),
        where=lambda scenario: scenario.aged,
    ),
)
