"""Notices: found from what the store knows, and sent from there, at least once each, whoever finds and whoever sends them."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence

import msgspec

from sentry_connector.errors import ConnectorError, Locked, NotDelivered
from sentry_connector.notices.channels import Address
from sentry_connector.runs import episodes
from sentry_connector.runs.health import HISTORY, Concern, late_run
from sentry_connector.runs.house import House
from sentry_connector.runs.lease import held
from sentry_connector.store.ids import new_id
from sentry_connector.store.records import Account, DataSet, Delivery, Kind, Notice, Run, RunState

FIRST_WAIT = dt.timedelta(seconds=30)
LONGEST_WAIT = dt.timedelta(hours=1)
"""Between two attempts at a channel: at first, and at most; twice as long each time."""

TTL, BEAT = dt.timedelta(seconds=10), 3.0
"""How long whoever died while sending is waited for, and seconds between two heartbeats."""

GIVE_UP = dt.timedelta(days=3)
"""A notice that no attempt got rid of for so long is given up."""


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
        concerns = _concerns(dataset, unfinished.get(dataset.id, []), accounts, now)
        found += episodes.of_time(dataset, concerns, going_on.get(dataset.id, set()), now, lambda: _id(house))
    if found:
        house.store.notices.add(found)
    for gone in going_on.keys() - accounts - {one.id for one in datasets}:
        house.store.notices.forget(gone)


def _concerns(dataset: DataSet, unfinished: Sequence[Run], accounts: set[str], now: dt.datetime) -> list[Concern]:
    found = [late_run(unfinished, now)]
    if dataset.paused:
        found.append(Concern(Kind.PAUSED, "Its schedule rests until `sentry-connector datasets resume`."))
    if dataset.account_id is not None and dataset.account_id not in accounts:
        found.append(Concern(Kind.ACCOUNT_MISSING, "Its account was deleted, so that no run can succeed."))
    return [one for one in found if one is not None]


async def deliver(house: House) -> None:
    """Send what waits, unless another process does. What a channel does not take waits there, and is tried again later.

    Raises:
        StoreUnusable: what waits cannot be read.
    """
    if not house.store.notices.due(house.now()):
        return
    try:
        async with held(house, "notices", ttl=TTL, beat=BEAT):
            due = sorted(house.store.notices.due(house.now()), key=lambda one: one[0].channel_id)
            for channel_id, waiting in itertools.groupby(due, key=lambda one: one[0].channel_id):
                for delivery, notice in waiting:
                    if not await _taken(house, channel_id, delivery, notice):
                        break  # the channel rests, with all that waits for it
    except Locked:
        return


async def _taken(house: House, channel_id: str, delivery: Delivery, notice: Notice) -> bool:
    try:
        await house.send(address(house, channel_id), notice)
    except ConnectorError as error:
        now = house.now()
        wait = min(FIRST_WAIT * 2 ** min(delivery.attempts, 10), LONGEST_WAIT)
        again = None if now - notice.at > GIVE_UP else now + wait
        house.store.notices.failed(delivery, error.message, again, now)
        return again is None
    house.store.notices.sent(delivery, house.now())
    return True


def address(house: House, channel_id: str) -> Address:
    """Where a channel's notices go.

    Raises:
        NotDelivered: there is no such channel (any more).
        VaultUnusable: its address cannot be opened.
    """
    sealed = house.store.notices.sealed_address(channel_id)
    if sealed is None:
        raise NotDelivered("The channel was deleted.")
    return msgspec.json.decode(house.vault.open(sealed, channel_id, None), type=Address)


def _going_on(house: House, subject_id: str) -> set[Kind]:
    return house.store.notices.open(subject_id).get(subject_id, set())


def _id(house: House) -> str:
    return new_id(house.now(), house.rng)
