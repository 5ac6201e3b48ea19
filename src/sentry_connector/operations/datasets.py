"""DataSets: made, changed, run, looked at, reverted, deleted, restored.

Arrow and DuckDB are loaded where rows are asked for: most of these commands need neither.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import zoneinfo
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from sentry_connector.datasets import schedule as schedules
from sentry_connector.datasets.definition import Definition, check
from sentry_connector.datasets.schedule import Say, Schedule
from sentry_connector.destinations.model import Committed, Table, Version
from sentry_connector.errors import ConnectorError, Locked, UnknownName
from sentry_connector.extraction.progress import Progress
from sentry_connector.operations import drafts
from sentry_connector.operations.audited import audited
from sentry_connector.operations.days import days_now
from sentry_connector.operations.edits import check_edit, definition_of, server_of, with_destination
from sentry_connector.operations.pull import OnWindows
from sentry_connector.operations.running import is_served, to_its_end
from sentry_connector.reports import catalogue, windows
from sentry_connector.runs import queue
from sentry_connector.runs.due import due_slots, tick
from sentry_connector.runs.expired import drop_expired
from sentry_connector.runs.house import House
from sentry_connector.runs.lease import held
from sentry_connector.runs.slots import passed_over
from sentry_connector.runs.work import account_of
from sentry_connector.store.ids import new_id
from sentry_connector.store.records import (
    Account,
    DataSet,
    Passed,
    Problem,
    Run,
    RunState,
    Scheduled,
    Trigger,
)

if TYPE_CHECKING:
    import pyarrow as pa

DELETED = "the DataSet was deleted"
"""Why slots have no run that come due until a DataSet is restored."""

READ_BY_RUNS = frozenset(
    {
        "report",
        "account_id",
        "details",
        "update_method",
        "key",
        "keep_days",
        "keep_when_empty",
        "accept_loss",
        "destination",
    }
)
"""What a run goes by: an attempt after a change of it would go on with something else."""

Changes = dict[str, object]
"""Field of `Definition` → new value."""


@audited("datasets create", "account")
def create(
    house: House,
    definition: Definition,
    account: str | None,
    id: str | None = None,  # noqa: A002  # the field's name
) -> DataSet:
    """Store a new DataSet. Nothing is asked of Sentry and no table is made before its first run.

    Args:
        house: the parts.
        definition: what it is; checked here.
        account: name of the account; None = the environment's token.
        id: its id, where that was chosen before: a DataSet that is there already is that one.

    Raises:
        UsageError: something does not fit; nothing is stored.
    """
    definition = with_destination(house, check(definition))
    days_now(house, definition)  # dates without a window are refused here, where somebody is there to correct them
    now = house.now()
    return house.store.datasets.add(
        DataSet(
            id=id or new_id(now, house.rng),
            slug="",
            account_id=_account_id(house, account),
            created_at=now,
            updated_at=now,
            **{name: getattr(definition, name) for name in Definition.__struct_fields__},
        )
    )


@audited("datasets edit", "changes", "account")
def edit(
    house: House,
    name: str,
    changes: Changes,
    account: str | None = None,
    *,
    no_account: bool = False,
    as_of: dt.datetime | None = None,
) -> DataSet:
    """Change a DataSet; a run that is under way keeps what it began with.

    Args:
        house: the parts.
        name: the DataSet's.
        changes: fields of `Definition` with their new values.
        account: name of another account.
        no_account: from now on it asks with the environment's token.
        as_of: the `updated_at` of the DataSet that the changes were made for; None = whatever it is now.

    Raises:
        UnknownName: there is no such DataSet or account.
        EditedMeanwhile: somebody else has changed it since then; nothing is changed.
        UsageError: the changed definition does not fit, or its rows would not fit those in the table: they would have other
            columns, other days, or come from another server.
        LossNotAccepted: its next run would drop rows, and nobody has consented to that.
    """
    dataset = house.store.datasets.find(name)
    account_id = None if no_account else _account_id(house, account) if account else dataset.account_id
    changed_definition = msgspec.structs.replace(definition_of(dataset), **changes)
    definition = check_edit(house, dataset, changed_definition, server_of(house, account_id))
    wanted = msgspec.structs.asdict(definition) | {"account_id": account_id}
    changed = {name: value for name, value in wanted.items() if value != getattr(dataset, name)}
    now = house.now()
    passed = _passed_over(now, "the schedule was changed")
    edited = house.store.datasets.change(dataset.id, changed | {"updated_at": now}, passed, as_of=as_of)
    if changed.keys() & READ_BY_RUNS or definition.retry is None:
        retrying = [run for run in house.store.runs.unfinished(dataset.id) if run.state is RunState.RETRYING]
        queue.drop_waiting(house, retrying, "The DataSet was changed.")
    return edited


def _passed_over(now: dt.datetime, why: str) -> Callable[[Scheduled], tuple[Passed, ...]]:
    """What is stored of the slots of a schedule that is no more, those that have come due up to now."""

    def passed(one: Scheduled) -> tuple[Passed, ...]:
        try:
            return passed_over(one, due_slots(one, now), why)
        except ConnectorError:  # nobody can tell any more when they were
            return ()

    return passed


def _account_id(house: House, account: str | None) -> str | None:
    return house.store.accounts.find(account).id if account else None


def find(house: House, name: str) -> DataSet:
    """The DataSet of that name or slug.

    Raises:
        UnknownName: there is none; the nearest names are given.
    """
    return house.store.datasets.find(name)


def everything(house: House, *, deleted: bool = False) -> Sequence[DataSet]:
    """All DataSets, by name; or those that were deleted and can be restored."""
    return house.store.datasets.deleted() if deleted else house.store.datasets.list()


@contextlib.contextmanager
def rows(house: House, name: str, version: int | None = None) -> Iterator[pa.RecordBatchReader]:
    """The rows of a DataSet, streamed; of the newest version where none is named.

    Raises:
        UnknownName: there is no such DataSet or version.
    """
    from sentry_connector.destinations.query import Snapshot, read
    from sentry_connector.extraction.schema import arrow_schema

    dataset = house.store.datasets.find(name)
    stored = table_of(house, dataset).snapshot(version)
    with read(stored or Snapshot(files=(), schema=arrow_schema(catalogue.find(dataset.report)))) as reader:
        yield reader


@audited("datasets delete")
def delete(house: House, name: str) -> DataSet:
    """Put a DataSet out of sight; table and history stay for 30 days. A run that is under way stops, none begins any more.

    Raises:
        UnknownName: there is no such DataSet.
    """
    dataset, now = house.store.datasets.find(name), house.now()
    out_of_sight = {"deleted_at": now, "updated_at": now}
    house.store.datasets.change(dataset.id, out_of_sight, _passed_over(now, DELETED))
    unfinished = house.store.runs.unfinished(dataset.id)
    queue.drop_waiting(house, unfinished, "The DataSet was deleted.")
    for run in unfinished:
        house.store.runs.ask_to_stop(run.id, now)
    if not is_served(house):  # an engine does it by itself
        drop_expired(house, now)
    return dataset


@audited("datasets restore")
def restore(house: House, name: str) -> DataSet:
    """Bring a deleted DataSet back, with its table and history.

    Raises:
        UnknownName: no deleted DataSet has that name.
        UsageError: another one has taken the name meanwhile.
    """
    now = house.now()
    return house.store.datasets.restore(name, now, _passed_over(now, DELETED))


async def run(house: House, name: str, *, progress: Progress, wait_lock: float = 0.0) -> Run:
    """Run a DataSet now and wait for its end; a run that was interrupted, or waits, is gone on with instead.

    Raises:
        UnknownName: there is no such DataSet.
        Locked: another process works on it (for longer than `wait_lock` seconds).
    """
    asked, is_new = ask(house, name)
    patience = wait_lock if asked.state is RunState.RUNNING else None
    try:
        return await to_its_end(house, asked, progress=progress, wait_lock=wait_lock, patience=patience)
    except Locked as error:
        if is_new:
            _refused(house, asked.id, error)
        raise


@audited("datasets run")
def ask(house: House, name: str, id: str | None = None) -> tuple[Run, bool]:  # noqa: A002  # the field's name
    """Store that a DataSet is to be run.

    Args:
        house: the parts.
        name: the DataSet's.
        id: of the run, where it was chosen before: one that is there already is that run.

    Returns:
        The run, and whether it is new and stored: where one is not done, or waits, it is that one. One that waits for its next
        attempt waits no longer.

    Raises:
        UnknownName: there is no such DataSet.
    """
    dataset, now = house.store.datasets.find(name), house.now()
    run_id = id or new_id(now, house.rng)
    fresh = Run(id=run_id, dataset_id=dataset.id, trigger=Trigger.MANUAL, queued_at=now)
    stored = house.store.runs.add_unless(fresh, queue.interrupted)
    if stored is not fresh and stored.not_before is not None:
        house.store.runs.hurry(stored.id)
        stored = msgspec.structs.replace(stored, not_before=None)
    return stored, stored.id == fresh.id


@audited("datasets pause")
def pause(house: House, name: str) -> DataSet:
    """Put a DataSet's schedule at rest; a run that waits for its slot or its next attempt is over.

    Raises:
        UnknownName: there is no such DataSet.
    """
    paused = house.store.datasets.change(house.store.datasets.find(name).id, {"paused": True})
    queue.drop_scheduled(house, paused.id, "The DataSet was paused.")
    return paused


@audited("datasets resume")
def resume(house: House, name: str) -> DataSet:
    """Let a DataSet's schedule go on; the slots of the pause are passed over.

    Raises:
        UnknownName: there is no such DataSet.
    """
    dataset = house.store.datasets.find(name)
    tick(house, house.now(), dataset.id)
    return house.store.datasets.change(dataset.id, {"paused": False})


@audited("datasets mute", "muted")
def mute(house: House, name: str, *, muted: bool) -> DataSet:
    """Keep a DataSet's notices from being sent, or let them be sent again; those of the time between are not sent later.

    What waits to be sent is dropped when its turn comes; that something is over is told where it was told to have begun.

    Raises:
        UnknownName: there is no such DataSet.
    """
    return house.store.datasets.change(house.store.datasets.find(name).id, {"muted": muted})


def schedule_of(dataset: DataSet, say: Say = str) -> tuple[Schedule, zoneinfo.ZoneInfo]:
    """What a DataSet's schedule means, in words of that language, and the zone of its times."""
    return schedules.parse(dataset.schedule, say), windows.zone(dataset.details.timezone)


def passed(house: House, dataset: DataSet, *, limit: int = 100) -> list[Passed]:
    """The slots of a DataSet that have no run of their own, newest first."""
    return house.store.slots.passed(dataset.id, limit=limit)


def _refused(house: House, run_id: str, error: Locked) -> None:
    """A run that never began is over: left in the queue, it would run some other day, with the dates of this one."""
    house.store.runs.drop([run_id], Problem(**error.as_dict()), house.now(), for_good=False)


async def preview(house: House, name: str, *, progress: Progress, on_windows: OnWindows | None = None) -> pa.Table:
    """What a run would bring: the first hundred rows, read from Sentry and stored nowhere.

    Raises:
        ConnectorError: nothing could be read.
    """
    dataset = await house.aside(lambda: house.store.datasets.find(name))
    connection = await house.aside(lambda: house.connection(account_of(dataset, house)))
    report = catalogue.find(dataset.report)
    return await drafts.preview(house, report, dataset.details, connection, progress=progress, on_windows=on_windows)


def schema(house: House, name: str) -> pa.Schema:
    """The columns of a DataSet's table; those that it will have where nothing was committed yet.

    Raises:
        UnknownName: there is no such DataSet.
    """
    from sentry_connector.extraction.schema import arrow_schema

    dataset = house.store.datasets.find(name)
    return house.table(dataset).schema() or arrow_schema(catalogue.find(dataset.report))


def versions(house: House, name: str) -> list[Version]:
    """The states that the table can be reverted to, newest first.

    Raises:
        UnknownName: there is no such DataSet.
    """
    return house.table(house.store.datasets.find(name)).versions()


@audited("datasets revert", "version")
async def revert(house: House, name: str, version: int, *, wait_lock: float = 0.0) -> Committed:
    """Make the table what it was at that version, with the watermarks of that time; itself a new version.

    Raises:
        UnknownName: there is no such DataSet or version.
        UsageError: its destination keeps no versions.
        Locked: a run is at work on the DataSet.
    """
    dataset = await house.aside(lambda: house.store.datasets.find(name))

    def go_back() -> Committed:
        table = house.table(dataset)
        if not table.exists():
            raise UnknownName("version", str(version), [], remedy="The DataSet has no version yet: run it first.")
        return table.revert(version, epoch=house.store.datasets.next_epoch(dataset.id, table.epoch()))

    async with held(house, f"dataset/{dataset.id}", wait=wait_lock) as holding:
        return await holding.aside(go_back)


def table_of(house: House, dataset: DataSet) -> Table:
    """The DataSet's table."""
    return house.table(dataset)


def account(house: House, dataset: DataSet) -> Account | None:
    """The account that the DataSet uses; None for the environment's token.

    Raises:
        TokenMissing: the account was deleted.
    """
    return account_of(dataset, house)
