"""What is to be told: found from what the store knows, to be stored together with that."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sentry_connector.runs import episodes
from sentry_connector.runs.health import HISTORY, Concern, late_run, of_running, unknown_schedule
from sentry_connector.runs.house import House
from sentry_connector.store.ids import new_id
from sentry_connector.store.records import Account, DataSet, Kind, Notice, Run, RunState


def of_run(house: House, dataset: DataSet, run: Run) -> list[Notice]:
    """What is to be told of a run that ends, to be stored with its end."""
    history = house.store.runs.history(dataset.id, limit=HISTORY)
    before = [one for one in history if one.state is RunState.DONE and one.id != run.id]
    return episodes.of_run(dataset, run, before, _going_on(house, dataset.id), house.now(), lambda: _id(house))


def of_account(house: House, account: Account) -> list[Notice]:
    """What is to be told of an account whose token was looked at, to be stored with what was found."""
    users = [one.name for one in house.store.datasets.list() if one.account_id == account.id]
    return episodes.of_account(account, _going_on(house, account.id), users, house.now(), lambda: _id(house))


def look(house: House, now: dt.datetime) -> None:
    """Find and store what shows without a run: runs that are late, schedules that rest, accounts that are gone."""
    going_on, accounts = house.store.notices.open(), {one.id for one in house.store.accounts.list()}
    datasets = house.store.datasets.list()
    unfinished: dict[str, list[Run]] = {}
    for run in house.store.runs.unfinished():
        unfinished.setdefault(run.dataset_id, []).append(run)
    found: list[Notice] = []
    for dataset in datasets:
        concerns = [
            *_concerns(dataset, unfinished.get(dataset.id, []), now),
            *_under_way(house, dataset, unfinished.get(dataset.id, []), now),
        ]
        found += episodes.of_time(dataset, concerns, going_on.get(dataset.id, set()), now, lambda: _id(house))
    without = _without_account(datasets, accounts)
    for account_id in without.keys() | {one for one, kinds in going_on.items() if Kind.ACCOUNT_MISSING in kinds}:
        users, kinds = without.get(account_id, []), going_on.get(account_id, set())
        found += episodes.of_deleted_account(account_id, kinds, users, now, lambda: _id(house))
    if found:
        house.store.notices.add(found)
    for gone in going_on.keys() - accounts - without.keys() - {one.id for one in datasets}:
        house.store.notices.forget(gone)


def _under_way(house: House, dataset: DataSet, unfinished: Sequence[Run], now: dt.datetime) -> list[Concern]:
    """What is wrong with the run that is under way."""
    for run in unfinished:
        if run.state is RunState.RUNNING:
            return of_running(dataset, run, house.store.runs.history(dataset.id, limit=HISTORY), now)
    return []


def _concerns(dataset: DataSet, unfinished: Sequence[Run], now: dt.datetime) -> list[Concern]:
    found = [late_run(unfinished, now)]
    if dataset.paused:
        found.append(Concern(Kind.PAUSED, "Its schedule rests until `sentry-connector datasets resume`."))
    if (why := unknown_schedule(dataset)) is not None:
        words = f"Its schedule, {dataset.schedule!r}, is kept by nobody: {why} `datasets edit --schedule` gives it another one."
        found.append(Concern(Kind.SCHEDULE_UNKNOWN, words))
    return [one for one in found if one is not None]


def _without_account(datasets: Sequence[DataSet], accounts: set[str]) -> dict[str, list[DataSet]]:
    """The ids of the accounts that are gone → the DataSets that still name them."""
    found: dict[str, list[DataSet]] = {}
    for dataset in datasets:
        if dataset.account_id is not None and dataset.account_id not in accounts:
            found.setdefault(dataset.account_id, []).append(dataset)
    return found


def _going_on(house: House, subject_id: str) -> set[Kind]:
    return house.store.notices.open(subject_id).get(subject_id, set())


def _id(house: House) -> str:
    return new_id(house.now(), house.rng)
