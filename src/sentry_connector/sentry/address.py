"""Addresses of Sentry servers, as people type them and as servers name them. No I/O."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from urllib.parse import SplitResult, quote, urlsplit

from sentry_connector.errors import UsageError

DEFAULT_PORTS = {"http": 80, "https": 443}
Origin = tuple[str, str, int]
"""Scheme, host in lower case, port: what a token is bound to."""

_BLOCKED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # "this host": reaches local services on Linux
        "169.254.0.0/16",  # link-local, and the metadata service of most clouds
        "100.100.100.200/32",  # Alibaba Cloud's metadata service
        "224.0.0.0/3",  # multicast, reserved, broadcast
        "::/128",
        "fe80::/10",
        "fd00:ec2::254/128",  # AWS's metadata service
        "ff00::/8",
    )
)
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_NUMERIC_HOST = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*")


def normalise_url(text: str) -> str:
    """Turn what a person typed into a base URL: scheme, host, port unless it is the usual one, path prefix.

    `sentry.io`, `https://sentry.io/` and `https://sentry.io/api/0/` are all `https://sentry.io`.

    Raises:
        UsageError: another scheme than http and https, no host, a user, a query, a fragment, or an address that is
            never a Sentry server (link-local, metadata services, 0.0.0.0).
    """
    text = text.strip()
    if has_control(text) or re.search(r"[\s\\]", text):
        raise UsageError("The Sentry URL holds white space, a backslash or a control character.")
    parts = _split(text if "://" in text else f"https://{text}")
    if "?" in text or "#" in text:
        raise UsageError("The Sentry URL must not hold a query or a fragment.")
    host = _host(parts)
    return f"{parts.scheme}://{host}{_port(parts)}{_prefix(parts.path)}"


def origin(url: str) -> Origin:
    """Scheme, host and port of an absolute http or https URL.

    Raises:
        UsageError: the URL is not such a one.
    """
    parts = _split(url)
    return parts.scheme, (parts.hostname or "").lower(), _port_number(parts) or DEFAULT_PORTS[parts.scheme]


def server(url: str) -> Origin:
    """What the ids in a server's answers are unique in: its origin; sentry.io and its regions, such as us.sentry.io, are one.

    Raises:
        UsageError: as `origin` does.
    """
    scheme, host, port = origin(url)
    return scheme, "sentry.io" if host.endswith(".sentry.io") else host, port


def is_blocked(address: str) -> bool:
    """Whether an IP address is one that requests must not be led to; False for what is no IP address.

    Private and loopback addresses are allowed: self-hosted servers have them.
    """
    ip = _ip(address.partition("%")[0])
    return ip is not None and any(one in network for one in (_embedded(ip) or ip,) for network in _BLOCKED)


Reach = frozenset[tuple[str, int]]
"""Hosts with their ports that may be asked although their addresses are private: what an admin has allowed."""


ALLOW = "If it is a server of yours in a private network, an admin allows it: `sentry-connector origins add URL`."
"""What to do where a connection may not be made."""


def may_reach(address: str, host: str, port: int, reach: Reach | None) -> bool:
    """Whether a connection may be made to an IP address.

    Args:
        address: the IP address, which the host's name was resolved to or which stands in its place.
        host, port: what is asked, as the URL names it.
        reach: what was allowed; None where only one person gives URLs, who can reach all of it anyway.
    """
    if is_blocked(address):
        return False
    if reach is None or (host.lower().strip("[]").rstrip("."), port) in reach:
        return True
    ip = _ip(address.partition("%")[0])
    return ip is not None and _is_public(_embedded(ip) or ip)


def _is_public(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is one of the public Internet's."""
    return ip.is_global and not ip.is_multicast


def _embedded(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to, by translation (NAT64) or a tunnel; None where it is none of these."""
    if isinstance(ip, ipaddress.IPv4Address):
        return None
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_loopback(host: str) -> bool:
    """Whether a host is an IP address of this machine itself; names are not looked up."""
    ip = _ip(host)
    return ip is not None and ip.is_loopback


def is_address(host: str) -> bool:
    """Whether a host is an IP address and no name."""
    return _ip(host.strip("[]").partition("%")[0]) is not None


def has_control(text: str) -> bool:
    """Whether a text holds a control character or half of a surrogate pair."""
    return any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)


def _split(url: str) -> SplitResult:
    """Split an absolute URL that has nothing which would hide where it leads."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UsageError("The Sentry URL is not a URL.") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise UsageError("The Sentry URL must begin with https:// or http://.")
    if "@" in parts.netloc:
        raise UsageError("The Sentry URL must not hold a user or a password; the token is given by itself.")
    return parts


def _host(parts: SplitResult) -> str:
    """The host as it stands in a URL: ASCII, lower case, IPv6 in brackets."""
    try:
        host = (parts.hostname or "").rstrip(".").encode("idna").decode("ascii").lower() if parts.hostname else ""
    except UnicodeError:
        host = ""
    if ip := _ip(host):
        if is_blocked(str(ip)):
            raise UsageError(f"{ip} is an address that no Sentry server has.")
        return f"[{ip}]" if ip.version == 6 else str(ip)  # noqa: PLR2004  # the version of the protocol
    if not _HOST.fullmatch(host) or _NUMERIC_HOST.fullmatch(host):
        raise UsageError("The Sentry URL names no valid host.")
    return host


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _port_number(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        raise UsageError("The port in the Sentry URL is not a number from 1 to 65535.") from None


def _port(parts: SplitResult) -> str:
    number = _port_number(parts)
    if number == 0:
        raise UsageError("The port in the Sentry URL is not a number from 1 to 65535.")
    return "" if number in {None, DEFAULT_PORTS[parts.scheme]} else f":{number}"


def _prefix(path: str) -> str:
    """The path below which the API stands, without `/api/0`."""
    if {".", ".."} & set(path.split("/")):
        raise UsageError("The path of the Sentry URL must not hold . or .. .")
    path = path.rstrip("/")
    while path.endswith("/api/0"):
        path = path.removesuffix("/api/0").rstrip("/")
    return quote(path, safe="/%~:@!$&'()*+,;=-._")
