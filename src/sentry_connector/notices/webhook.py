"""A webhook: the notice as JSON, signed as https://www.standardwebhooks.com says, so that who gets it can trust and count it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

import msgspec

from sentry_connector.errors import NotDelivered, NoticeRefused, UsageError
from sentry_connector.notices.message import Message
from sentry_connector.sentry.address import ALLOW, Reach

SECRET_PREFIX = "whsec_"  # noqa: S105  # how such secrets begin
SHORTEST_KEY = 24
"""Bytes, as Standard Webhooks asks for."""
PATIENCE = 15.0
"""Seconds that a webhook may take."""

_TAKEN = range(200, 300)
_REFUSED = frozenset(range(400, 500)) - {401, 403, 404, 405, 407, 408, 410, 425, 429}
"""Answers that are about what was posted, and neither about the address nor about the moment."""


async def post(url: str, secret: str, message: Message, at: float, reach: Reach | None = None) -> None:
    """Post a message at a time (Unix seconds). What is not answered with 2xx is not delivered; redirects are not followed.

    Raises:
        NoticeRefused: the webhook does not want this one.
        NotDelivered: nobody took it.
    """
    import aiohttp  # noqa: PLC0415  # slow to import, and most commands tell nobody
    from yarl import URL  # noqa: PLC0415

    from sentry_connector.sentry.transport import GuardedResolver, refuse_address  # noqa: PLC0415

    body = msgspec.json.encode(message.facts)
    headers = {**signed(secret, message.id, int(at), body), "Content-Type": "application/json"}
    patience = aiohttp.ClientTimeout(total=PATIENCE)
    try:
        refuse_address(URL(url), reach)
        connector = aiohttp.TCPConnector(resolver=GuardedResolver(reach))
        async with (
            aiohttp.ClientSession(timeout=patience, connector=connector) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            if answer.status in _REFUSED:
                raise NoticeRefused(f"The webhook refuses this notice: it answered {answer.status}.")
            if answer.status not in _TAKEN:
                raise NotDelivered(f"The webhook answered {answer.status}.")
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise NotDelivered(f"The webhook cannot be reached: {type(error).__name__}.") from error
    except UsageError as error:
        raise NotDelivered("The webhook has an address that requests must not be led to.", remedy=ALLOW) from error


def is_secret(text: str) -> bool:
    """Whether notices can be signed with that: `whsec_` and base64 of at least 24 bytes (https://www.standardwebhooks.com)."""
    try:
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        return False
    return text.startswith(SECRET_PREFIX) and len(key) >= SHORTEST_KEY


def signed(secret: str, id_: str, at: int, body: bytes) -> dict[str, str]:
    """The headers that prove who sent a body: its id, when it was sent (Unix seconds), and the signature of both and it."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    mac = hmac.new(key, f"{id_}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }
