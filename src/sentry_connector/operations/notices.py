"""Notices: the channels that they are sent to, and what was told."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from sentry_connector.datasets.definition import LONGEST_NAME, plain_text
from sentry_connector.notices import channels
from sentry_connector.notices.message import test_of
from sentry_connector.operations.audited import audited
from sentry_connector.operations.vault import sealing
from sentry_connector.runs import outbox
from sentry_connector.runs.house import House, wholly
from sentry_connector.store.ids import new_id
from sentry_connector.store.records import Channel, Delivery, Kind, Notice


@audited("notices add")
async def add(
    house: House,
    name: str,
    url: str,
    *,
    kinds: Collection[Kind] = (),
    datasets: Collection[str] = (),
    secret: str | None = None,
    id: str | None = None,  # noqa: A002  # the field's name
) -> tuple[Channel, str | None]:
    """Store a channel; its address is sealed as tokens are.

    Args:
        house: the parts.
        name: what to call it.
        url: its address, as `channels.address_of` takes it.
        kinds: the kinds of notices that it takes; empty = all.
        datasets: names of the DataSets whose notices it takes; empty = all.
        secret: what a webhook's notices are signed with; None makes one.
        id: its id, where that was chosen before: a channel that is there already is that one.

    Returns:
        The channel, and the secret that a webhook's notices are signed with: shown now, and never again.

    Raises:
        UsageError: the name is empty or taken, or the address is none.
        UnknownName: there is no such DataSet.
    """
    address, service, hint = await house.aside(lambda: channels.address_of(url, secret=secret))
    now = house.now()
    channel = Channel(
        id=id or new_id(now, house.rng),
        name=plain_text("name", name, LONGEST_NAME),
        service=service,
        hint=hint,
        kinds=tuple(kinds),
        dataset_ids=await house.aside(lambda: _ids(house, datasets)),
        created_at=now,
        updated_at=now,
    )
    async with sealing(house):
        is_new = await wholly(house, lambda: house.store.notices.add_channel(channel, _sealed(house, channel, address)))
    return channel, address.secret if is_new else None


@audited("notices edit")
async def edit(
    house: House,
    name: str,
    *,
    new_name: str | None = None,
    url: str | None = None,
    kinds: Collection[Kind] | None = None,
    datasets: Collection[str] | None = None,
    secret: str | None = None,
) -> Channel:
    """Change a channel: what is given changes, the rest stays. A webhook at another address keeps its secret.

    Another secret is given together with the address.

    Raises:
        UnknownName: there is no such channel or DataSet.
        UsageError: as `add`.
    """
    channel = await house.aside(lambda: find(house, name))
    changes: dict[str, object] = {"updated_at": house.now(), "failures": 0, "rests_until": None}  # it is tried at once
    if new_name is not None:
        changes["name"] = plain_text("name", new_name, LONGEST_NAME)
    if kinds is not None:
        changes["kinds"] = tuple(kinds)
    if datasets is not None:
        changes["dataset_ids"] = await house.aside(lambda: _ids(house, datasets))
    if url is None:
        changed = msgspec.structs.replace(channel, **changes)
        await wholly(house, lambda: house.store.notices.save_channel(changed))
        return changed

    def store() -> Channel:
        before = outbox.address(house, channel.id)
        address, service, hint = channels.address_of(url, secret=secret or before.secret)
        changed = msgspec.structs.replace(channel, service=service, hint=hint, **changes)
        house.store.notices.save_channel(changed, _sealed(house, channel, address))
        return changed

    async with sealing(house):
        return await wholly(house, store)


def everything(house: House) -> Sequence[Channel]:
    """All channels, by name."""
    return house.store.notices.channels()


def find(house: House, name: str) -> Channel:
    """The channel of that name or id.

    Raises:
        UnknownName: there is none; the nearest names are given.
    """
    return house.store.notices.find_channel(name)


@audited("notices delete")
def delete(house: House, name: str) -> Channel:
    """Forget a channel and its address; what waits for it is not sent.

    Raises:
        UnknownName: there is no such channel.
    """
    channel = find(house, name)
    house.store.notices.delete_channel(channel.id)
    return channel


@audited("notices test")
async def test(house: House, name: str) -> Channel:
    """Send a message that says it is a test, on the way of every notice.

    Raises:
        UnknownName: there is no such channel.
        NotDelivered: the channel did not take it.
        VaultUnusable: its address cannot be opened.
    """
    channel, now = await house.aside(lambda: find(house, name)), house.now()
    address = await house.aside(lambda: outbox.address(house, channel.id))
    await house.send(address, test_of(channel.name, new_id(now, house.rng), now))
    return channel


def told(
    house: House, dataset: str | None = None, *, before: str | None = None, limit: int = 100, most: int | None = None
) -> list[tuple[Notice, list[Delivery]]]:
    """What was told, newest first, with what became of it on each channel.

    Args:
        house: the parts.
        dataset: only of this DataSet and its account.
        before: the id of a notice: only those that come after it.
        limit: how many notices at most.
        most: how many channels of each at most, those that have not taken it first; None = all.

    Raises:
        UnknownName: there is no such DataSet or notice.
    """
    found = None if dataset is None else house.store.datasets.find(dataset)
    subjects = (found.id, found.account_id) if found else ()
    return house.store.notices.recent(*filter(None, subjects), before=before, limit=limit, most=most)


def names(house: House) -> dict[str, str]:
    """Id → name of all channels."""
    return {one.id: one.name for one in everything(house)}


def _ids(house: House, names: Collection[str]) -> tuple[str, ...]:
    return tuple(house.store.datasets.find(name).id for name in names)


def _sealed(house: House, channel: Channel, address: channels.Address) -> str:
    return house.vault.seal(msgspec.json.encode(address).decode(), channel.id, None)
