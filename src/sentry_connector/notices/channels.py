"""The services that take notices: a webhook of ours, signed; every other one by Apprise."""

from __future__ import annotations

import base64
import importlib.util
import logging
import re
import secrets
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from sentry_connector.errors import NotDelivered, UsageError
from sentry_connector.notices.message import Message
from sentry_connector.notices.webhook import SECRET_PREFIX, post
from sentry_connector.redact import redact_patterns
from sentry_connector.sentry.address import ALLOW, Reach, may_reach

if TYPE_CHECKING:
    import apprise

WEBHOOK = "Webhook"
SECRET_BYTES = 32


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a channel's notices go, as the vault seals it.

    Attributes:
        url: of a webhook, or of Apprise (https://github.com/caronc/apprise/wiki): it may hold passwords.
        secret: what a webhook's notices are signed with; None for every other service.
    """

    url: str
    secret: str | None = None


def address_of(url: str, *, secret: str | None = None) -> tuple[Address, str, str]:
    """What a person gives as an address, and what may be shown of it.

    Args:
        url: `https://…` for a webhook, unless it is the webhook of a service that Apprise knows; else an address of Apprise.
        secret: a webhook's secret; None = a new one.

    Returns:
        The address, the kind of service, and a hint without anything secret.

    Raises:
        UsageError: there is no service with such an address, or Apprise is not installed.
    """
    is_web = re.match(r"https?://", url, re.IGNORECASE) is not None
    if not is_web and not _has_apprise():
        raise UsageError(
            "Other services than webhooks need Apprise, which is not installed.",
            remedy="pip install 'sentry-connector[notify]'",
        )
    service = _service(url) if _has_apprise() else None
    if service is not None:
        name = str(service.service_name)
        host = f" by {service.host}" if getattr(service, "host", None) else ""
        return Address(url=url), name, f"{name}{host}"
    if not is_web:
        raise UsageError(
            "That is no address of a service that can be told.",
            remedy="Give https://… for a webhook, or an address of Apprise, such as "
            "mailtos://USER:PASSWORD@DOMAIN?to=NAME@DOMAIN or slack://TOKEN-A/TOKEN-B/TOKEN-C.",
        )
    place = urlsplit(url)
    if not place.hostname:
        raise UsageError("The webhook's address names no host.", remedy="Give one such as https://example.com/path.")
    made = secret or SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    return Address(url=url, secret=made), WEBHOOK, f"{place.scheme}://{place.hostname}"


async def send(
    address: Address,
    message: Message,
    at: float,
    aside: Callable[[Callable[[], Any]], Any],
    *,
    reach: Reach | None = None,
) -> None:
    """Hand a message to the service.

    Args:
        address: where to.
        message: what.
        at: the present, Unix seconds.
        aside: does blocking work while others go on.
        reach: what of private networks the service may be in; None = all.

    Raises:
        NoticeRefused: the service does not want this one.
        NotDelivered: the service did not take it.
    """
    if address.secret is not None:
        await post(address.url, address.secret, message, at, reach)
    else:
        await aside(lambda: _send_by_apprise(address.url, message, reach))


def _send_by_apprise(url: str, message: Message, reach: Reach | None) -> None:
    import apprise  # noqa: PLC0415  # an extra, and slow to import

    service = _service(url)
    if service is None:
        raise NotDelivered("Apprise does not know the channel's service (any more).")
    service.redirects = False  # whatever the address says: it leads nowhere else
    _refuse_addresses(service, reach)
    mood = apprise.NotifyType.SUCCESS if message.is_good else apprise.NotifyType.WARNING
    with apprise.LogCapture(level=logging.WARNING) as told:  # type: ignore[no-untyped-call]
        taken = service.notify(title=message.title, body=message.text, notify_type=mood)
        if not taken:
            raise NotDelivered(f"{service.service_name} did not take it: {_last_line(told.getvalue(), url)}")


def _refuse_addresses(service: apprise.NotifyBase, reach: Reach | None) -> None:
    """Refuse a service whose own server is where requests may not be led to; those of fixed services are public.

    Apprise looks the name up again: whoever has it answer otherwise then is not held up by this. Only admins add channels.

    Raises:
        NotDelivered: it is.
    """
    port = service.port or (443 if service.secure else 80)
    for host in filter(None, (service.host, getattr(service, "smtp_host", None))):
        if not all(may_reach(one, host, port, reach) for one in _looked_up(host)):
            raise NotDelivered("The channel has an address that requests must not be led to.", remedy=ALLOW)


def _looked_up(host: str) -> set[str]:
    """The addresses of a name; none where it has none, as the first word of a service that has no server of one's own."""
    try:
        return {str(one[4][0]) for one in socket.getaddrinfo(host.strip("[]"), None)}
    except (OSError, UnicodeError):
        return set()


def _service(url: str) -> apprise.NotifyBase | None:
    """The service of an address of Apprise; None where there is none."""
    import apprise  # noqa: PLC0415

    # What it has to say of an address, with all that it holds, would go to standard error.
    with apprise.LogCapture(level=logging.ERROR):  # type: ignore[no-untyped-call]
        found = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    return found if isinstance(found, apprise.NotifyBase) else None


def _has_apprise() -> bool:
    return importlib.util.find_spec("apprise") is not None


def _last_line(told: str, url: str) -> str:
    """The end of what Apprise says, without anything of the address but what is no secret."""
    lines = [re.sub(r"^.*? - (?:WARNING|ERROR) - ", "", line) for line in told.splitlines() if line.strip()]
    said = lines[-1] if lines else "it gave no reason."
    parts = [part for part in re.split(r"[/:@?&=]+", url) if len(part) >= _SECRET_LIKE]
    for part in sorted(parts, key=len, reverse=True):
        said = said.replace(part, "…")
    return redact_patterns(said)


_SECRET_LIKE = 8
"""Parts of an address that are shorter are ports and words."""
