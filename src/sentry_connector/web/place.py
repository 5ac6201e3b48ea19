"""Where and how a server is reached, and whether it may listen there."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from sentry_connector.errors import UsageError

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Place(NamedTuple):
    """Where and how a server is reached.

    Attributes:
        hosts: the names that it answers under, in lower case.
        secure: whether browsers reach it by TLS.
        people: whether everything needs a login, even while there is nobody.
        proxies: the networks of its proxies: nobody else beyond this machine is answered, and their word for where requests
            come from is taken.
        url: its address for people, where it has one.
        certificate, key: the files of its own TLS.
    """

    hosts: frozenset[str] = LOOPBACK
    secure: bool = False
    people: bool = False
    proxies: tuple[str, ...] = ()
    url: str | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def cookie(self) -> str:
        """The name of the session's cookie."""
        return self.cookie_of("session")

    def cookie_of(self, name: str) -> str:
        """The name of a cookie; with TLS one that no other host can set."""
        return f"__Host-{name}" if self.secure else name


def place_of(
    host: str,
    *,
    public_url: str | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    proxies: tuple[str, ...] = (),
    people: bool = False,
) -> Place:
    """What a server's options mean, where they are safe together.

    Args:
        host: where it listens.
        public_url: its address for people; it answers under that name alone, and on this machine.
        certificate, key: files for TLS.
        proxies: addresses or networks of proxies that end TLS before it.
        people: whether everything needs a login.

    Raises:
        UsageError: it would listen to others without TLS or without logins, or the options do not fit.
    """
    if (certificate is None) is not (key is None):
        raise UsageError("TLS needs both files.", remedy="Give --tls-cert and --tls-key.")
    if certificate is not None and proxies:
        raise UsageError(
            "Either the server ends TLS or a proxy does.", remedy="Leave --tls-cert or --behind-proxy out."
        )
    nets = tuple(_network(one) for one in proxies)
    url, name = _public(public_url, secure=certificate is not None or bool(nets))
    if host not in LOOPBACK or nets:
        _refuse_open(host, url, certificate, nets, people=people)
    return Place(
        hosts=LOOPBACK | ({name} if name else set()),
        secure=certificate is not None or bool(nets),
        people=people or host not in LOOPBACK or bool(nets),  # also once the last person was deleted
        proxies=nets,
        url=url,
        certificate=certificate,
        key=key,
    )


def _refuse_open(
    host: str, url: str | None, certificate: Path | None, proxies: tuple[str, ...], *, people: bool
) -> None:
    if certificate is None and not proxies:
        raise UsageError(
            f"Without TLS the service listens on this machine alone, and {host!r} is more than that.",
            remedy="Give --tls-cert and --tls-key, or --behind-proxy with the proxy's address; or leave --host out and"
            " reach it through an SSH tunnel.",
        )
    if not people:
        raise UsageError(
            "Others than this machine could ask, and nobody would have to sign in.",
            remedy="Add an admin first: sentry-connector users add NAME --role admin. Or give --people.",
        )
    if url is None:
        raise UsageError(
            "A service for others answers under its own name alone, and it has none.",
            remedy="Give --public-url https://NAME.",
        )


def _public(text: str | None, *, secure: bool) -> tuple[str | None, str | None]:
    if text is None:
        return None, None
    try:
        parts = urlsplit(text)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise UsageError(f"--public-url: {text!r} is no address.") from None
    wanted = "https" if secure else "http"
    if parts.scheme != wanted or not parts.hostname or parts.path.strip("/") or parts.query or "@" in parts.netloc:
        raise UsageError(
            f"--public-url: {text!r} is not the address of this service.",
            remedy=f"Give {wanted}://NAME or {wanted}://NAME:PORT.",
        )
    name = parts.hostname.lower()
    return f"{parts.scheme}://{f'[{name}]' if ':' in name else name}{port}", name


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise UsageError(
            f"--behind-proxy: {text!r} is no network address.", remedy="Give one such as 10.0.0.7 or 10.0.0.0/24."
        ) from None
