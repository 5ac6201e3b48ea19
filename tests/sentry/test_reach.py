"""Where several people give URLs, none leads into the network that the server is in: 300 of them, and a socket that listens."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest
from aiohttp.resolver import ThreadedResolver

from sentry_connector.errors import ConnectorError, NotDelivered, UsageError
from sentry_connector.notices import channels
from sentry_connector.notices.message import Message
from sentry_connector.notices.webhook import post
from sentry_connector.people.oidc import Oidc, Provider
from sentry_connector.sentry.address import may_reach
from sentry_connector.sentry.client import Connection, SentryClient
from sentry_connector.sentry.transport import BlockedAddressError, GuardedResolver
from sentry_connector.sentry.wire import Request
from sentry_connector.simulator import TOKEN

NAMES = {
    "localhost": "127.0.0.1",
    "inside.example": "127.0.0.1",
    "inside6.example": "::1",
    "mapped.example": "::ffff:127.0.0.1",
    "nat64.example": "64:ff9b::7f00:1",
    "metadata.google.internal": "169.254.169.254",
    "router.example": "192.168.0.1",
    "ten.example": "10.0.0.1",
    "carrier.example": "100.64.0.1",
    "local.example": "fd00::1",
    "xn--lcalhost-4ya.example": "127.0.0.1",
}
"""What a name server of somebody else's might say of names of theirs."""

LITERALS = (
    "127.0.0.1", "127.1", "127.0.1", "127.0.0.53", "127.255.255.254", "2130706433", "0x7f000001", "0x7f.0.0.1",
    "0x7f.1", "017700000001", "0177.0.0.1", "0177.1", "127.0.0.1.", "0.0.0" + ".0", "0", "0.0", "0x0", "00000",
    "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "[fe80::1]", "[fd00:ec2::254]", "[fc00::1]", "[ff02::1]", "[::ffff:169.254.169.254]",
    "169.254.169.254", "169.254.170.2", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "100.100.100.200",
    "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "198.18.0.1", "192.0.0.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "\uff11\uff12\uff17.\uff10.\uff10.\uff11", "\u246b\uff17.0.0.1", "127\u30020\u30020\u30021",
    "\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3",
)  # fmt: skip
FORMS = (
    "http://{host}:{port}", "https://{host}:{port}/", "http://sentry.io@{host}:{port}", "http://{host}:{port}#@sentry.io",
    "http://sentry.io\\@{host}:{port}",
)  # fmt: skip
URLS = [form.replace("{host}", host) for form, host in itertools.product(FORMS, (*LITERALS, *NAMES))]


class Says(ThreadedResolver):
    """A name server that says what it wants to, and of a name that is asked for again something else."""

    asked: ClassVar[list[str]] = []

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_UNSPEC) -> Any:
        self.asked.append(host)
        address = NAMES.get(host)
        if host == "rebinding.example":
            address = "93.184.216.34" if self.asked.count(host) == 1 else "127.0.0.1"
        if address is None:
            return await super().resolve(host, port, family)
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [{"hostname": host, "host": address, "port": port, "family": kind, "proto": 0, "flags": 0}]


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, list[object]]]:
    """A port of this machine, IPv4's and IPv6's, and who has connected to it."""
    came: list[object] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer.get_extra_info("peername"))
        writer.close()

    first = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = first.sockets[0].getsockname()[1]
    second = await asyncio.start_server(answer, "::1", port) if socket.has_dualstack_ipv6() else first
    try:
        yield port, came
    finally:
        for server in {first, second}:
            server.close()
            await server.wait_closed()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of others lead where they want them to."""
    monkeypatch.setattr("sentry_connector.sentry.transport.ThreadedResolver", Says)
    Says.asked.clear()


async def asked(url: str, reach: frozenset[tuple[str, int]] | None) -> ConnectorError | None:
    try:
        async with SentryClient(Connection(url=url, token=TOKEN, attempts=1, total_timeout=5, reach=reach)) as client:
            await client.get(Request(base_url=client.base_url, path="/organizations/"))
    except ConnectorError as error:
        return error
    return None


async def test_no_url_of_a_person_leads_into_the_network(names: None) -> None:
    assert len(URLS) >= 300
    async with listening() as (port, came):
        for url in URLS:
            assert await asked(url.replace("{port}", str(port)), frozenset()) is not None, url
        assert came == []
        await asked(f"http://127.0.0.1:{port}", None)
        assert came, "the socket does listen"


async def test_webhooks_and_identity_providers_are_held_to_the_same(names: None) -> None:
    message = Message(id="1", title="t", text="t", is_good=False, facts={})
    hosts = [*LITERALS[::3], *NAMES]
    async with listening() as (port, came):
        for host in hosts:
            with pytest.raises(NotDelivered):
                await post(f"http://{host}:{port}/hook", "whsec_c2VjcmV0", message, 0.0, frozenset())
            provider = Provider(
                issuer=f"https://{host}:{port}",
                client_id="c",
                client_secret=None,
                redirect_uri="https://c.example/back",
            )
            with pytest.raises(ConnectorError):
                await Oidc(provider).leave(0.0, frozenset())
        assert came == []


async def test_other_services_are_held_to_the_same(names: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Apprise connects by itself: what its addresses name as servers is looked at before."""
    look_up = socket.getaddrinfo

    def say(host: Any, *args: Any, **options: Any) -> Any:
        return look_up(NAMES.get(host, host), *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", say)
    message = Message(id="1", title="t", text="t", is_good=False, facts={})

    async def is_taken_to(url: str, reach: frozenset[tuple[str, int]]) -> bool:
        """Whether the address was one of a service, and nothing came of it."""
        try:
            address, _, _ = channels.address_of(url)
        except UsageError:
            return False
        assert address.secret is None, "it is none of our own webhooks"
        with pytest.raises(NotDelivered):
            await channels.send(address, message, 0.0, asyncio.to_thread, reach=reach)
        return True

    forms = (
        "json://{host}:{port}/x",
        "gotify://{host}:{port}/abcdefghijklmno",
        "mailto://93.184.216.34:{port}?smtp={host}&from=a@e.example&to=b@e.example",
    )
    urls = [form.replace("{host}", host) for form, host in itertools.product(forms, (*LITERALS, *NAMES))]
    async with listening() as (port, came):
        tried = [await is_taken_to(url.replace("{port}", str(port)), frozenset()) for url in urls]
        assert sum(tried) >= 100
        assert came == []
        await is_taken_to(f"json://inside.example:{port}/x", frozenset({("inside.example", port)}))
        assert came, "where an admin allows it"


async def test_a_name_is_looked_up_once_and_the_connection_is_made_to_what_was_checked(names: None) -> None:
    """Otherwise it could mean something else when it is looked up again."""
    resolver = GuardedResolver(frozenset())
    assert [one["host"] for one in await resolver.resolve("rebinding.example", 443)] == ["93.184.216.34"]
    with pytest.raises(BlockedAddressError):
        await resolver.resolve("rebinding.example", 443)
    assert Says.asked == ["rebinding.example"] * 2, "each answer was that of one look"


async def test_what_an_admin_allows_is_asked_and_nothing_beside_it(names: None) -> None:
    async with listening() as (port, came):
        await asked(f"http://inside.example:{port}", frozenset({("inside.example", port)}))
        assert came
        came.clear()
        for reach in ({("inside.example", port + 1)}, {("other.example", port)}):
            await asked(f"http://inside.example:{port}", frozenset(reach))
        assert came == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1::1", True), ("64:ff9b::5db8:d822", True), ("::ffff:8.8.8.8", True),
        ("64:ff9b::a00:1", False), ("2002:a00:1::", False), ("::ffff:10.0.0.1", False), ("fd12::1", False),
        ("2001:db8::1", False), ("192.0.2.1", False), ("100.64.0.1", False), ("nonsense", False),
    ],
)  # fmt: skip
def test_only_addresses_of_the_public_internet_are_reached_unasked(address: str, *, public: bool) -> None:
    assert may_reach(address, "host.example", 443, frozenset()) is public
    assert may_reach("169.254.169.254", "host.example", 443, frozenset({("host.example", 443)})) is False
