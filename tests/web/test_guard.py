"""Where requests come from: behind a proxy nobody else is answered from elsewhere, and it alone says whose requests they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sentry_connector.errors import UsageError
from sentry_connector.operations.sign_in import begin_session
from sentry_connector.store.rights import Role
from sentry_connector.web.envelope import HEADERS
from sentry_connector.web.guard import address_of
from sentry_connector.web.place import Place, place_of
from sentry_connector.web.policy import POLICY
from tests.web.town import PASSWORD, Town, Visitor, path_of

PROXIES = ("10.0.0.0/24", "fd00::/64")
LOGIN = {"name": "Ada", "password": "wrong"}


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[Town]:
    place = place_of("0.0.0.0", public_url="https://c.example", proxies=PROXIES, people=True)  # noqa: S104  # as is meant
    town = Town(tmp_path / "home", place)
    town.person("Ada", Role.ADMIN)
    yield town
    town.close()


def by(town: Town, peer: str, forwarded: str | None = None) -> Visitor:
    headers = {"host": "c.example"} | ({"x-forwarded-for": forwarded} if forwarded else {})
    return Visitor(town.app, headers, address=peer)


async def test_nobody_but_the_proxy_is_answered(behind: Town) -> None:
    assert (await by(behind, "10.0.0.7")("GET", "/livez")).status == 200
    assert (await by(behind, "fd00::7")("GET", "/livez")).status == 200
    assert (await by(behind, "127.0.0.1", "10.0.0.7")("GET", "/livez")).status == 200, "what looks after a container"
    for peer in ("10.0.1.7", "192.0.2.1", "", "unix"):
        assert (await by(behind, peer, "10.0.0.7")("GET", "/livez")).status == 403, peer


async def test_guessing_is_counted_by_the_address_that_the_proxy_tells(behind: Town) -> None:
    assert (await by(behind, "10.0.0.7", "192.0.2.1")("POST", "/api/v1/login", LOGIN)).status == 401
    made_up = by(behind, "10.0.0.7", "198.51.100.9, 192.0.2.1")
    assert (await made_up("POST", "/api/v1/login", LOGIN)).status == 429, "what is before it anybody may have written"
    other = by(behind, "10.0.0.8", "192.0.2.2")
    right = await other("POST", "/api/v1/login", {"name": "Ada", "password": PASSWORD})
    assert right.status == 200
    assert right.cookies.keys() == {"__Host-session"}


async def test_without_a_proxy_what_a_request_says_of_its_origin_is_not_heard(town: Town) -> None:
    town.person("Ada", Role.ADMIN)
    for number in range(2):
        asks = Visitor(town.app, {"x-forwarded-for": f"192.0.2.{number}", "x-real-ip": f"192.0.2.{number}"})
        answer = await asks("POST", "/api/v1/login", LOGIN)
    assert answer.status == 429


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (None, "10.0.0.7"),
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1, 10.0.0.9", "192.0.2.1"),
        ("10.0.0.9, 192.0.2.1", "192.0.2.1"),
        ("10.0.0.9", "10.0.0.7"),
        ("nonsense", "nonsense"),
    ],
)
def test_the_last_address_that_no_proxy_has_counts(forwarded: str | None, address: str) -> None:
    assert address_of("10.0.0.7", forwarded, PROXIES) == address


@pytest.mark.parametrize(
    "host", ["evil.example", "c.example.evil.example", "c.example@evil.example", "", "c.example:x:y"]
)
async def test_another_name_is_not_answered(behind: Town, host: str) -> None:
    asks = Visitor(behind.app, {"host": host}, address="10.0.0.7")
    assert (await asks("GET", "/livez")).status == 421


async def test_pages_from_elsewhere_change_nothing_though_they_bring_the_session(behind: Town) -> None:
    proxy = by(behind, "10.0.0.7", "192.0.2.1")
    cookies = (await proxy("POST", "/api/v1/login", {"name": "Ada", "password": PASSWORD})).cookies
    ada = {"cookie": f"__Host-session={cookies['__Host-session']}"}
    elsewhere = {"origin": ("https://evil.example", "null"), "sec-fetch-site": ("cross-site", "same-site")}
    for name, values in elsewhere.items():
        for value in values:
            told = ada | {name: value}
            assert (await proxy("POST", "/api/v1/logout", headers=told)).status == 403, told
    assert (await proxy("POST", "/api/v1/logout", headers=ada | {"origin": "https://c.example"})).status == 204


ELSEWHERE = (
    {"origin": "https://evil.example", "sec-fetch-site": "cross-site", "sec-fetch-dest": "empty"},
    {"origin": "null", "sec-fetch-site": "cross-site", "sec-fetch-dest": "iframe"},
    {"sec-fetch-site": "same-site", "sec-fetch-dest": "image"},
)
OF_ITS_OWN = {"Content-Security-Policy", "Cache-Control"}
"""What pages and static files say otherwise."""


async def test_no_route_serves_a_page_from_elsewhere_and_every_answer_has_the_headers(behind: Town) -> None:
    """By the policy, so that a new route is held to it by itself."""
    session = begin_session(behind.house, behind.house.store.people.find("Ada"), "192.0.2.1", by="password")
    ada, asks = {"cookie": f"__Host-session={session}"}, by(behind, "10.0.0.7", "192.0.2.1")
    for method, template in sorted(POLICY):
        if template.endswith("/doctor"):
            continue  # it asks Sentry, and has its own test
        refused = [(await asks(method, path_of(template), headers=ada | told)).status for told in ELSEWHERE]
        assert refused == [403] * len(ELSEWHERE), (method, template)
        answer = await asks(method, path_of(template), headers=ada)
        said = {name.lower(): value for name, value in answer.headers}
        for name, value in HEADERS.items():
            assert name in OF_ITS_OWN or said[name.lower()] == value, (method, template, name)
        policy = {one.strip() for one in said["content-security-policy"].split(";")}
        assert {"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} <= policy, (method, template)
        assert said["strict-transport-security"] == "max-age=31536000; includeSubDomains"
        assert not [name for name in said if name.startswith("access-control")]


def test_a_place_that_others_reach_needs_people_even_when_the_last_one_is_gone() -> None:
    assert place_of("127.0.0.1") == Place()
    open_to_others = place_of("0.0.0.0", public_url="https://c.example:8443", proxies=("10.0.0.1",), people=True)  # noqa: S104
    assert (open_to_others.people, open_to_others.url) == (True, "https://c.example:8443")
    for url in (
        "http://c.example",
        "https://c.example/path",
        "https://me@c.example",
        "c.example",
        "https://c.example:x",
    ):
        with pytest.raises(UsageError):
            place_of("0.0.0.0", public_url=url, proxies=("10.0.0.1",), people=True)  # noqa: S104
