"""Servers in private networks that may be asked, once several people use the connector.

Otherwise whoever may add an account could look around in the network that the server is in.
"""

from __future__ import annotations

from collections.abc import Sequence

from sentry_connector.errors import UnknownName
from sentry_connector.operations.audited import audited
from sentry_connector.runs.house import House
from sentry_connector.sentry.address import normalise_url, origin


def everything(house: House) -> Sequence[str]:
    """The allowed origins."""
    return house.store.origins.list()


@audited("origins add")
def add(house: House, name: str) -> str:
    """Allow the server of a URL to be asked, wherever it is; addresses that no server has stay refused.

    Raises:
        UsageError: that is no URL of a server.
    """
    allowed = _origin(name)
    house.store.origins.add(allowed, house.now())
    return allowed


@audited("origins remove")
def remove(house: House, name: str) -> str:
    """Allow it no more, where it is in a private network.

    Raises:
        UnknownName: it was not allowed.
    """
    allowed = _origin(name)
    if not house.store.origins.remove(allowed):
        raise UnknownName("allowed origin", allowed, everything(house))
    return allowed


def _origin(url: str) -> str:
    scheme, host, port = origin(normalise_url(url))
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
