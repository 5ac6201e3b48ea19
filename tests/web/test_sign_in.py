"""Signing in and out: what begins a session, what ends it, and what holds guessing up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from sentry_connector.errors import NotAllowed
from sentry_connector.operations import people
from sentry_connector.people.claim import Claim
from sentry_connector.people.throttle import Throttle
from sentry_connector.store.people import IDLE, LONGEST
from sentry_connector.store.rights import Right, Role
from sentry_connector.web.place import Place
from tests.parts import HastyClock
from tests.web.town import PASSWORD, Town, Visitor

LOGIN = "/api/v1/login"
OTHER_PASSWORD = "nine loud geese over the weir"


@pytest.fixture
def clock(town: Town) -> HastyClock:
    town.house.clock = HastyClock()
    return town.house.clock


async def test_a_session_is_a_cookie_that_no_script_reads_and_whose_secret_is_nowhere(town: Town) -> None:
    town.person("Ada", Role.EDITOR)
    answer = await town.nobody("POST", LOGIN, {"name": "ada", "password": PASSWORD})
    (cookie,) = answer.all("set-cookie")
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    secret = answer.cookies["session"]
    assert len(secret) >= 43, "256 bits"
    assert (answer.json["user"]["name"], answer.json["via"]) == ("Ada", "session")
    assert "password" not in answer.body.decode()
    found = b"".join(path.read_bytes() for path in town.house.settings.home.rglob("*") if path.is_file())
    assert secret.encode() not in found
    assert PASSWORD.encode() not in found
    assert b"$argon2id$v=19$m=47104,t=1,p=1$" in found


async def test_over_tls_no_other_host_can_set_the_cookie(tmp_path: Path) -> None:
    town = Town(tmp_path / "home", Place(people=True, secure=True))
    town.person("Ada", Role.EDITOR)
    answer = await town.nobody("POST", LOGIN, {"name": "Ada", "password": PASSWORD})
    (cookie,) = answer.all("set-cookie")
    assert cookie.startswith("__Host-session=")
    assert {"Secure", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert answer.all("strict-transport-security") == ["max-age=31536000; includeSubDomains"]
    town.close()


async def test_over_tls_theme_and_language_are_cookies_that_no_other_host_can_set(tmp_path: Path) -> None:
    """The page names the cookies that it is asked with."""
    town = Town(tmp_path / "home", Place(people=True, secure=True))
    town.person("Ada", Role.EDITOR)
    heads = []
    for cookies in ("__Host-theme=dark; __Host-language=de", "theme=dark; language=de"):
        answer = await Visitor(town.app, {"cookie": cookies})("GET", "/sign-in")
        heads.append(next(line for line in answer.body.decode().splitlines() if line.startswith("<html")))
    assert heads == ['<html lang="de" data-theme="dark">', '<html lang="en">']
    ada = await town.signed_in("Ada")
    shown = (await ada("GET", "/")).body.decode()
    assert {'data-cookie="__Host-theme"', 'data-cookie="__Host-language"'} <= set(shown.split())
    town.close()


async def test_each_login_makes_another_session_and_ends_the_one_before(town: Town) -> None:
    town.person("Ada", Role.EDITOR)
    first = await town.signed_in("Ada")
    answer = await first("POST", LOGIN, {"name": "Ada", "password": PASSWORD})
    assert answer.cookies["session"] not in first.headers["cookie"]
    assert (await first("GET", "/api/v1/me")).status == 401
    chosen = Visitor(town.app, {"cookie": "session=chosen-by-somebody-else"})
    assert (await chosen("POST", LOGIN, {"name": "Ada", "password": PASSWORD})).cookies[
        "session"
    ] != "chosen-by-somebody-else"


async def test_a_session_ends_when_nobody_asks_and_in_any_case_after_twelve_hours(town: Town) -> None:
    town.person("Ada", Role.EDITOR)
    ada, begun = await town.signed_in("Ada"), town.house.moment

    async def status(after: dt.timedelta) -> int:
        town.house.moment = begun + after
        return (await ada("GET", "/api/v1/me")).status

    quarter = dt.timedelta(minutes=15)
    asked = [await status(quarter * number) for number in range(1, 48)]
    assert set(asked) == {200}, "as long as somebody asks"
    assert await status(LONGEST) == 401
    ada, begun = await town.signed_in("Ada"), town.house.moment
    assert await status(IDLE) == 401


@pytest.mark.parametrize(
    "change",
    [
        lambda town: people.set_password(town.house, "Ada", OTHER_PASSWORD),
        lambda town: people.set_role(town.house, "Ada", Role.VIEWER),
        lambda town: people.deactivate(town.house, "Ada"),
        lambda town: people.delete(town.house, "Ada"),
        lambda town: people.sign_out_all(town.house),
    ],
    ids=["password", "role", "deactivation", "deletion", "sign-out-all"],
)
async def test_what_changes_a_person_ends_their_sessions_and_keys(town: Town, change: Callable[[Town], object]) -> None:
    town.person("root", Role.ADMIN)
    user = town.person("Ada", Role.EDITOR)
    visitors = [await town.signed_in("Ada"), await town.signed_in("Ada"), town.with_key(user, Right.READ)]
    assert {(await one("GET", "/api/v1/me")).status for one in visitors} == {200}
    change(town)
    assert {(await one("GET", "/api/v1/me")).status for one in visitors} == {401}


async def test_signing_out_ends_the_session(town: Town) -> None:
    town.person("Ada", Role.EDITOR)
    ada, other = await town.signed_in("Ada"), await town.signed_in("Ada")
    answer = await ada("POST", "/api/v1/logout")
    assert (answer.status, answer.all("clear-site-data")) == (204, ['"cache", "storage"'])
    assert (await ada("GET", "/api/v1/me")).status == 401
    assert (await other("GET", "/api/v1/me")).status == 200


async def test_nobody_learns_why_they_were_not_let_in(town: Town) -> None:
    town.person("root", Role.ADMIN)
    town.person("Ada", Role.EDITOR)
    town.person("Bob", Role.EDITOR)
    people.deactivate(town.house, "Bob")
    people.add_known_elsewhere(town.house, "Cy", Role.EDITOR, "https://id.example", "7")
    tries = [("Ada", "wrong"), ("nobody", PASSWORD), ("Bob", PASSWORD), ("Cy", PASSWORD), ("Cy", "")]
    answers = [await town.nobody("POST", LOGIN, {"name": name, "password": password}) for name, password in tries]
    assert {answer.status for answer in answers[:4]} == {401}
    assert len({answer.body for answer in answers[:4]}) == 1
    assert answers[4].status == 422


async def test_a_hash_is_reckoned_for_nobody_too(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the time does not tell which names there are."""
    town.person("Ada", Role.EDITOR)
    reckoned = []
    real = PasswordHasher.verify

    def verify(self: PasswordHasher, kept: str, given: str) -> bool:
        reckoned.append(kept[:30])
        return real(self, kept, given)

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    for name in ("Ada", "nobody"):
        await town.nobody("POST", LOGIN, {"name": name, "password": "wrong"})
    assert reckoned == ["$argon2id$v=19$m=47104,t=1,p=1"] * 2


async def test_wrong_passwords_make_the_next_try_wait_and_lock_nobody_out(town: Town, clock: HastyClock) -> None:
    town.person("Ada", Role.EDITOR)

    async def wrong() -> tuple[int, int]:
        answer = await town.nobody("POST", LOGIN, {"name": "ADA ", "password": "wrong"})
        return answer.status, int(next(iter(answer.all("retry-after")), 0))

    waits = []
    for _ in range(8):
        assert (await wrong())[0] == 401
        status, wait = await wrong()
        assert status == 429, "the next one is not looked at"
        waits.append(wait)
        clock.passed += wait
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    await wrong()
    right = {"name": "Ada", "password": PASSWORD}
    assert (await town.nobody("POST", LOGIN, right)).status == 429, "not even with the right one: it was not looked at"
    elsewhere = Visitor(town.app, address="192.0.2.7")
    assert (await elsewhere("POST", LOGIN, right)).status == 200, "who guesses keeps nobody else out"


async def test_a_thousand_tries_in_an_hour_are_twenty(town: Town, clock: HastyClock) -> None:
    throttle, looked_at = Throttle(), 0
    for number in range(1000):
        looked_at += throttle.begin("ada", "192.0.2.7", number * 3.6) == 0
    assert looked_at <= 20
    names = sum(throttle.begin(f"name {number}", "192.0.2.8", number * 3.6) == 0 for number in range(1000))
    assert names <= 100, "many names from one address"
    same = [throttle.begin("ada", f"2001:db8::{number}", 0.0) for number in (1, 2)]
    assert same == [0, 1], "a customer's IPv6 addresses are one"


async def test_the_first_admin_is_made_with_the_consoles_code_and_from_this_machine_alone(tmp_path: Path) -> None:
    asked = {"code": "right-code", "name": "Root", "password": PASSWORD}
    town = Town(tmp_path / "home", Place(people=True), Claim("right-code", 0.0))
    town.house.clock = HastyClock()
    everything = [("GET", "/api/v1/me"), ("GET", "/api/v1/runs"), ("GET", "/api/v1/users"), ("POST", "/api/v1/users")]
    assert {(await town.nobody(*one)).status for one in everything} == {401}, "nobody yet, and no way in"
    elsewhere = Visitor(town.app, address="192.0.2.7")
    assert (await elsewhere("POST", "/api/v1/first-admin", asked)).status == 403
    assert (await town.nobody("POST", "/api/v1/first-admin", asked | {"code": "wrong"})).status == 403
    assert (await town.nobody("POST", "/api/v1/first-admin", asked | {"password": "password1234"})).status == 422
    late = Town(tmp_path / "late", Place(people=True), Claim("right-code", -900.0))
    late.house.clock = HastyClock()
    assert (await late.nobody("POST", "/api/v1/first-admin", asked)).status == 403, "a quarter of an hour"
    none = Town(tmp_path / "none", Place(people=True))
    assert (await none.nobody("POST", "/api/v1/first-admin", asked)).status == 403
    fresh = Town(tmp_path / "fresh", Place(people=True), Claim("right-code", 0.0))
    fresh.house.clock = HastyClock()
    answer = await fresh.nobody("POST", "/api/v1/first-admin", asked)
    assert (answer.status, answer.json["user"]["role"]) == (200, "admin")
    again = await fresh.nobody("POST", "/api/v1/first-admin", asked | {"name": "Other"})
    assert again.status == 403, "once"
    assert [user.name for user in fresh.house.store.people.list()] == ["Root"]
    entries = [(one.actor, one.via, one.action) for one in fresh.house.store.audit.everything()]
    assert entries == [("Root", "console code", "users add"), ("Root", "session", "sign in")]
    for one in (town, late, none, fresh):
        one.close()


async def test_one_changes_ones_own_password_with_the_old_one(town: Town, clock: HastyClock) -> None:
    user = town.person("Ada", Role.EDITOR)
    ada, key = await town.signed_in("Ada"), town.with_key(user, Right.READ)
    change = {"old": PASSWORD, "new": OTHER_PASSWORD}
    assert (await key("POST", "/api/v1/me/password", change)).status == 403
    assert (await ada("POST", "/api/v1/me/password", change | {"old": "wrong"})).status == 401
    clock.passed += 1
    assert (await ada("POST", "/api/v1/me/password", change)).status == 204
    assert (await ada("GET", "/api/v1/me")).status == 401
    assert (await town.nobody("POST", LOGIN, {"name": "Ada", "password": OTHER_PASSWORD})).status == 200


async def test_an_api_key_is_shown_once_does_what_its_scopes_say_and_expires(town: Town) -> None:
    town.person("Ada", Role.EDITOR)
    ada = await town.signed_in("Ada")
    made = await ada("POST", "/api/v1/api-keys", {"name": "ci", "scopes": ["read", "edit"], "days": 2})
    assert made.status == 201
    key = made.json["key"]
    assert key.startswith("sck_")
    files = b"".join(path.read_bytes() for path in town.house.settings.home.rglob("*") if path.is_file())
    assert key.encode() not in files
    assert key[4:].encode() not in files
    assert key not in (await ada("GET", "/api/v1/api-keys")).body.decode()
    assert made.json["hint"] == f"{key[:8]}…"
    program = Visitor(town.app, {"authorization": f"Bearer {key}"})
    assert (await program("GET", "/api/v1/me")).json["scopes"] == ["edit", "read"]
    more = await program("POST", "/api/v1/api-keys", {"name": "more", "scopes": ["admin"]})
    assert more.status == 403, "a key makes none that may do more"
    assert (await program("POST", "/api/v1/api-keys", {"name": "less", "scopes": ["read"]})).status == 201
    town.house.moment += dt.timedelta(days=2)
    assert (await program("GET", "/api/v1/me")).status == 401
    ada = await town.signed_in("Ada")
    assert (await ada("DELETE", "/api/v1/api-keys/ci")).status == 204
    assert [one["name"] for one in (await ada("GET", "/api/v1/api-keys")).json] == ["less"]


async def test_a_person_has_only_their_own_keys(town: Town) -> None:
    ada, bob = town.person("Ada", Role.EDITOR), town.person("Bob", Role.EDITOR)
    town.with_key(ada, Right.READ)
    assert (await (await town.signed_in("Bob"))("GET", "/api/v1/api-keys")).json == []
    (key,) = town.house.store.people.keys(ada.id)
    assert (await (await town.signed_in("Bob"))("DELETE", f"/api/v1/api-keys/{key.id}")).status == 404
    assert town.house.store.people.keys(bob.id) == []


async def test_what_people_do_is_written_down_under_their_names(town: Town) -> None:
    town.person("Root", Role.ADMIN)
    root = await town.signed_in("Root")
    await root("POST", "/api/v1/users", {"name": "Ada", "role": "viewer", "password": OTHER_PASSWORD})
    await root("PATCH", "/api/v1/users/Ada", {"role": "editor"})
    await town.nobody("POST", LOGIN, {"name": "Ada", "password": "wrong"})
    entries = (await root("GET", "/api/v1/audit")).json
    told = [(one["actor"], one["action"], one["object"], one["outcome"]) for one in entries]
    assert told == [
        ("Ada", "sign in", None, "refused"),
        ("Root", "users set-role", "Ada", "done"),
        ("Root", "users add", "Ada", "done"),
        ("Root", "sign in", None, "done"),
    ]
    assert town.house.store.audit.verify()[0] == 4
    assert OTHER_PASSWORD not in str(entries)
    page = await root("GET", "/api/v1/audit?limit=3")
    (link,) = page.all("link")
    assert "before=2" in link


def test_ten_wrong_codes_end_the_right_one() -> None:
    claim = Claim("right-code", 0.0)
    for number in range(10):
        with pytest.raises(NotAllowed):
            claim.take(f"wrong-{number}", 1.0)
    with pytest.raises(NotAllowed):
        claim.take("right-code", 1.0)
