"""Each destination, each update method, each point at which a process can die: the table is as it was, or as it should be.

`python -m tests.conformance` prints the table of results.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sentry_connector.destinations.model import Commit, Days, Table, UpdateMethod
from tests.conformance.grounds import Died, Fate, Ground
from tests.destinations.tables import Row, commit_of, day_of, ordered, row, stored
from tests.faults.memory import MemoryTable

REPLACE, APPEND, UPSERT, PARTITION = UpdateMethod

State = tuple[Any, ...]


@dataclass(frozen=True)
class Story:
    """Two commits of one update method: what the table holds, and what the second one brings, in which a process dies."""

    method: UpdateMethod
    first: Sequence[Row]
    second: Sequence[Row]
    options: dict[str, Any]

    def commit(self, table: Any, number: int) -> Commit:
        rows = (self.first, self.second)[number - 1]
        marks = {f"project:{scope}": number * 10 + scope for scope in range(number + 1)}
        return commit_of(table, number, self.method, rows, watermarks=marks, findings=f"{{{number}}}", **self.options)


def _rows(run: str, events: Iterable[int], changed: Iterable[int] = ()) -> list[Row]:
    again = set(changed)
    return [
        row(event, "b" if event in again else "a", project=str(event % 3), day=event % 2, run=run) for event in events
    ]


_FIRST, _SECOND = _rows("run1", range(20)), _rows("run2", range(12, 31), changed=(14, 17))
STORIES = {
    method: Story(method, _FIRST, _SECOND, options)
    for method, options in (
        (REPLACE, {}),
        (APPEND, {"skip_stored": True}),
        (UPSERT, {"immutable_time": "at"}),
        (PARTITION, {"days": Days(whole=frozenset({day_of(0)}), gaining=frozenset({day_of(1)}))}),
    )
}


def state(table: Table | MemoryTable) -> State:
    """All that a reader, and the next run, finds."""
    rows = table.state.rows if isinstance(table, MemoryTable) else stored(table)
    return ordered(rows), table.epoch(), table.watermarks()


def wanted(story: Story, folder: Any, number: int) -> State:
    """The same, as plain Python says after so many commits."""
    oracle = MemoryTable(str(folder / f"oracle-{story.method}-{number}"))
    for one in range(1, number + 1):
        oracle.commit(story.commit(oracle, one))
    return state(oracle)


@dataclass(frozen=True)
class Death:
    """One death, and what was found after it."""

    point: str
    committed: bool


def deaths(ground: Ground, story: Story, wanted_points: Callable[[int], Iterable[int]] | None = None) -> list[Death]:
    """Let a process die at points of the second commit, each time on a table of its own; then let the next one go on.

    Args:
        ground: the destination.
        story: the commits.
        wanted_points: given how many points there are: at which of them (counted from 1); None = at all.

    Raises:
        AssertionError: a table was neither as before nor as after, or the next process did not bring it to its end.
    """
    before, after = wanted(story, ground.folder, 1), wanted(story, ground.folder, 2)
    rehearsal = Fate()
    _begun(ground, story, "rehearsal")
    table = ground.table("rehearsal", fate=rehearsal)
    table.commit(story.commit(table, 2))
    points = range(1, rehearsal.count + 1)
    return [
        _death(ground, story, rehearsal.passed[at - 1], at, before, after)
        for at in (points if wanted_points is None else wanted_points(rehearsal.count))
    ]


_numbers = itertools.count()


def _begun(ground: Ground, story: Story, name: str) -> None:
    table = ground.table(name)
    table.commit(story.commit(table, 1))


def _death(ground: Ground, story: Story, point: str, at: int, before: State, after: State) -> Death:
    name = f"table_{next(_numbers)}"
    _begun(ground, story, name)
    dying = ground.table(name, fate=Fate(at=at))
    commit = story.commit(dying, 2)
    try:
        dying.commit(commit)
    except Died:
        pass
    else:
        raise AssertionError(f"nobody died at {point}")
    table = ground.table(name)
    there = table.committed(2)
    found = state(table)
    assert found == (before if there is None else after), f"{ground.name} {story.method}: torn at {point}"
    done = table.commit(commit)
    assert done.repeated is (there is not None), f"{ground.name} {story.method}: done twice at {point}"
    assert state(table) == after, f"{ground.name} {story.method}: not brought to its end after {point}"
    assert done.findings == "{2}"
    return Death(point, there is not None)
