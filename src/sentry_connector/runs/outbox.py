"""Notices are sent from the store, at least once each, whoever has found them and whoever sends them."""

from __future__ import annotations

import datetime as dt
import itertools

import msgspec

from sentry_connector.errors import ConnectorError, Locked, NotDelivered
from sentry_connector.notices.channels import Address
from sentry_connector.runs.house import House
from sentry_connector.runs.lease import held
from sentry_connector.store.records import Delivery, Notice

FIRST_WAIT = dt.timedelta(seconds=30)
LONGEST_WAIT = dt.timedelta(hours=1)
"""Between two attempts at a channel: at first, and at most; twice as long each time."""

TTL, BEAT = dt.timedelta(seconds=10), 3.0
"""How long whoever died while sending is waited for, and seconds between two heartbeats."""

GIVE_UP = dt.timedelta(days=3)
"""A notice that no attempt got rid of for so long is given up."""


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
