"""Notices are sent from the store, at least once each, whoever has found them and whoever sends them."""

from __future__ import annotations

import contextlib
import datetime as dt
from functools import partial

import msgspec

from sentry_connector.errors import ConnectorError, Locked, NotDelivered, NoticeRefused
from sentry_connector.extraction.lists import together
from sentry_connector.notices.channels import Address
from sentry_connector.notices.message import message_of
from sentry_connector.runs.house import House, wholly
from sentry_connector.runs.lease import held
from sentry_connector.store.records import Outgoing

FIRST_WAIT = dt.timedelta(seconds=30)
LONGEST_WAIT = dt.timedelta(hours=1)
"""Between two attempts at a channel: at first, and at most; twice as long each time."""

TTL, BEAT = dt.timedelta(seconds=10), 3.0
"""How long whoever died while sending is waited for, and seconds between two heartbeats."""

GIVE_UP = dt.timedelta(days=3)
"""A notice that no attempt got rid of for so long is given up."""

MOST_REFUSALS = 3
"""Attempts after which a notice is given up that its channel refuses for what it is."""

ROUND = 5.0
"""Seconds after which a channel that takes its time lets the others be looked at again."""


async def deliver(house: House, *, wait: float = 0.0) -> None:
    """Send what waits, until nothing is due, unless another process does.

    What a channel does not take waits there, with all that comes after it, and is tried again later.

    Args:
        house: the parts.
        wait: seconds to wait for another process that sends.

    Raises:
        StoreUnusable: what waits cannot be read.
    """
    if not await house.aside(lambda: house.store.notices.due(house.now())):
        return
    with contextlib.suppress(Locked):
        async with held(house, "notices", wait=wait, ttl=TTL, beat=BEAT):
            while due := await house.aside(lambda: house.store.notices.due(house.now())):
                await together(_serve(house, channel_id) for channel_id in due)


async def _serve(house: House, channel_id: str) -> None:
    """Send one after another what waits for a channel, in its order, for a round."""
    end = house.clock.monotonic() + ROUND
    while (one := await house.aside(lambda: house.store.notices.next(channel_id, house.now()))) is not None:
        why_not = dropped(one)
        if why_not is None:
            await _send(house, one)
        else:
            await wholly(house, partial(house.store.notices.give_up, one.delivery, why_not, house.now()))
        if house.clock.monotonic() >= end:
            return


def dropped(one: Outgoing) -> str | None:
    """Why a notice is not sent after all; None where it is.

    What was told to have begun is told to be over, muted or not: whoever counts episodes would wait for ever.
    """
    if one.notice.recovered:
        return None if one.begun else "The channel was not told that it began."
    return "The DataSet is muted." if one.muted else None


async def _send(house: House, one: Outgoing) -> None:
    tried = msgspec.structs.replace(one.delivery, attempts=one.delivery.attempts + 1)
    try:
        await house.send(await house.aside(lambda: address(house, tried.channel_id)), message_of(one.notice))
    except ConnectorError as error:
        now, why = house.now(), error.message
        refused = isinstance(error, NoticeRefused) and tried.attempts >= MOST_REFUSALS
        if refused or now - one.notice.at > GIVE_UP:
            await wholly(house, lambda: house.store.notices.give_up(tried, why, now))
        else:
            wait = min(FIRST_WAIT * 2 ** min(one.failures, 10), LONGEST_WAIT)
            await wholly(house, lambda: house.store.notices.failed(tried, why, now + wait))
    else:
        await wholly(house, lambda: house.store.notices.sent(tried, house.now()))


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
