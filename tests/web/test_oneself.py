"""Where one is signed in, and the second factor: who has one is asked for it, whoever does not may be made to have one."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest

from sentry_connector.operations import factors, people
from sentry_connector.people.totp import STEP, code_of
from sentry_connector.store.rights import Right, Role
from sentry_connector.store.vault import Vault
from tests.parts import HastyClock
from tests.web.town import PASSWORD, Answer, Town, Visitor

LOGIN = "/api/v1/login"
FACTOR = "/api/v1/me/factor"
AGAIN = {"password": PASSWORD}


@pytest.fixture(autouse=True)
def clock(town: Town) -> HastyClock:
    made = HastyClock()
    town.house.clock = made
    return made


async def login(town: Town, code: str | None = None, **more: str) -> Answer:
    given = {"name": "Ada", "password": PASSWORD, **({} if code is None else {"code": code}), **more}
    return await town.nobody("POST", LOGIN, given)


def code_at(town: Town, seed: str, steps: int = 0) -> str:
    return code_of(seed, town.house.now().timestamp() + steps * STEP)


def pass_on(town: Town, seconds: float) -> None:
    town.house.moment += dt.timedelta(seconds=seconds)
    clock = town.house.clock
    assert isinstance(clock, HastyClock)
    clock.passed += seconds


async def enrolled(town: Town) -> tuple[Visitor, str, list[str]]:
    """Ada's session, her seed and her recovery codes; the code of the moment is used."""
    ada = await town.signed_in("Ada")
    made = await ada("POST", FACTOR, AGAIN)
    assert made.status == 201, made.body
    seed = made.json["seed"]
    confirmed = await ada("POST", f"{FACTOR}/confirm", {"code": code_at(town, seed)})
    assert confirmed.status == 200, confirmed.body
    return ada, seed, confirmed.json["recovery_codes"]


# ---- sessions


async def test_one_sees_where_one_is_signed_in_and_ends_it(town: Town) -> None:
    town.person("Ada", Role.VIEWER)
    town.person("Bob", Role.VIEWER)
    bob, here = await town.signed_in("Bob"), await town.signed_in("Ada")
    pass_on(town, 60)
    answer = await Visitor(town.app, address="192.0.2.7")("POST", LOGIN, {"name": "Ada", "password": PASSWORD})
    there = Visitor(town.app, {"cookie": f"session={answer.cookies['session']}"})
    listed = (await here("GET", "/api/v1/me/sessions")).json
    assert [(one["address"], one["current"]) for one in listed] == [("192.0.2.7", False), ("127.0.0.1", True)]
    assert all(answer.cookies["session"] not in str(one) for one in listed)
    assert (await bob("DELETE", f"/api/v1/me/sessions/{listed[0]['id']}")).status == 404, "others' are not there"
    assert (await here("DELETE", f"/api/v1/me/sessions/{listed[0]['id']}")).status == 204
    assert (await here("DELETE", f"/api/v1/me/sessions/{listed[0]['id']}")).status == 404
    assert [(await one("GET", "/api/v1/me")).status for one in (here, there, bob)] == [200, 401, 200]
    more = await town.signed_in("Ada")
    assert (await here("DELETE", "/api/v1/me/sessions")).status == 204
    assert [(await one("GET", "/api/v1/me")).status for one in (here, more, bob)] == [200, 401, 200]
    town.person("Root", Role.ADMIN)
    assert (await (await town.signed_in("Root"))("POST", "/api/v1/users/Ada/sign-out")).status == 204
    assert (await here("GET", "/api/v1/me")).status == 401


async def test_a_session_that_is_over_is_not_listed(town: Town) -> None:
    user = town.person("Ada", Role.VIEWER)
    await town.signed_in("Ada")
    pass_on(town, 1800)
    assert people.sessions(town.house, user) == []


# ---- the second factor


async def test_who_has_a_second_factor_is_asked_for_it_and_each_code_is_good_once(town: Town) -> None:
    town.person("Ada", Role.VIEWER)
    ada, seed, codes = await enrolled(town)
    assert (await ada("GET", "/api/v1/me")).json["user"]["factor_since"] is not None
    assert len(codes) == 8
    used = code_at(town, seed)
    asked = await login(town)
    assert (asked.status, asked.json["name"]) == (401, "access.code_needed")
    assert (await login(town, used)).status == 401, "the one that was shown when it was set up"
    pass_on(town, STEP)
    fresh = code_at(town, seed)
    assert (await login(town, fresh)).status == 200
    assert (await login(town, fresh)).status == 401, "used"
    pass_on(town, STEP)
    assert (await login(town, codes[3].upper().replace("-", " "))).status == 200
    assert (await login(town, codes[3])).status == 401
    assert (await ada("GET", FACTOR)).json["recovery_codes_left"] == 7
    assert (await login(town, code_at(town, seed), password="wrong")).json["name"] == "access.sign_in"
    told = [
        (one.outcome, one.facts.get("by")) for one in town.house.store.audit.everything() if one.action == "sign in"
    ]
    assert told[-2:] == [("refused", None), ("refused", None)]
    assert {by for outcome, by in told if outcome == "done"} == {
        "password", "password and code", "password and recovery code",
    }  # fmt: skip


async def test_guessed_codes_have_to_wait_wherever_they_come_from(town: Town) -> None:
    town.person("Ada", Role.VIEWER)
    _, seed, _ = await enrolled(town)
    pass_on(town, STEP)
    waits = []
    for number in range(7):
        elsewhere = Visitor(town.app, address=f"192.0.2.{number}")
        given = {"name": "Ada", "password": PASSWORD, "code": "wrong"}
        assert (await elsewhere("POST", LOGIN, given)).status == 401
        refused = await login(town, code_at(town, seed))
        assert refused.status == 429, "it was not even looked at"
        waits.append(int(refused.all("retry-after")[0]))
        pass_on(town, waits[-1])
    assert waits == [1, 2, 4, 8, 16, 32, 60]
    assert (await login(town, code_at(town, seed))).status == 200


async def test_setting_it_up_needs_the_password_again_and_a_session(town: Town) -> None:
    user = town.person("Ada", Role.VIEWER)
    ada = await town.signed_in("Ada")
    assert (await ada("POST", FACTOR, {"password": "wrong"})).status == 401
    assert (await ada("POST", f"{FACTOR}/confirm", {"code": "123456"})).status == 422, "none was made"
    assert (await town.with_key(user, Right.EDIT)("POST", FACTOR, AGAIN)).status == 403
    pass_on(town, 1)
    seed = (await ada("POST", FACTOR, AGAIN)).json["seed"]
    assert (await login(town)).status == 200, "it is not asked for until its code was shown"
    assert (await ada("POST", f"{FACTOR}/confirm", {"code": "000000"})).status == 422
    other = await town.signed_in("Ada")
    assert (await ada("POST", f"{FACTOR}/confirm", {"code": code_at(town, seed)})).status == 200
    assert (await ada("GET", "/api/v1/me")).status == 200
    assert (await other("GET", "/api/v1/me")).status == 401, "the others end"


async def test_another_one_takes_the_first_ones_place_when_its_code_was_shown(town: Town) -> None:
    town.person("Ada", Role.VIEWER)
    ada, seed, codes = await enrolled(town)
    assert (await ada("POST", FACTOR, AGAIN)).json["name"] == "access.code_needed"
    pass_on(town, STEP)
    again = (await ada("POST", FACTOR, AGAIN | {"code": code_at(town, seed)})).json["seed"]
    pass_on(town, STEP)
    assert (await login(town, code_at(town, seed))).status == 200
    assert (await ada("POST", f"{FACTOR}/confirm", {"code": code_at(town, again)})).status == 200
    pass_on(town, STEP)
    assert (await login(town, codes[0])).status == 401, "the recovery codes are others too"
    pass_on(town, STEP)
    assert (await login(town, code_at(town, seed))).status == 401
    pass_on(town, STEP)
    assert (await login(town, code_at(town, again))).status == 200


async def test_it_is_removed_with_password_and_code_and_by_an_admin(town: Town) -> None:
    town.person("Root", Role.ADMIN)
    town.person("Ada", Role.VIEWER)
    ada, _, codes = await enrolled(town)
    assert (await ada("POST", f"{FACTOR}/remove", AGAIN)).status == 401
    assert (await ada("POST", f"{FACTOR}/remove", AGAIN | {"code": codes[0]})).status == 204
    assert (await ada("GET", "/api/v1/me")).status == 401
    assert (await login(town)).status == 200
    pass_on(town, STEP)
    ada, _, _ = await enrolled(town)
    change = {"old": PASSWORD, "new": "nine loud geese over the weir"}
    assert (await ada("POST", "/api/v1/me/password", change)).json["name"] == "access.code_needed"
    root = await town.signed_in("Root")
    assert (await root("DELETE", "/api/v1/users/Ada/factor")).status == 204
    assert (await ada("GET", "/api/v1/me")).status == 401
    assert (await login(town)).status == 200
    actions = [one.action for one in town.house.store.audit.everything()]
    assert {"users new-factor", "users confirm-factor", "users reset-factor"} <= set(actions)


async def test_where_it_is_required_nothing_else_is_done_before(tmp_path: Path) -> None:
    town = Town(tmp_path / "required", SENTRY_CONNECTOR_REQUIRE_SECOND_FACTOR="1")
    town.house.clock = HastyClock()
    user = town.person("Ada", Role.ADMIN)
    ada = await town.signed_in("Ada")
    refused = await ada("GET", "/api/v1/datasets")
    assert (refused.status, FACTOR in refused.json["remedy"]) == (403, True)
    assert (await ada("POST", "/api/v1/api-keys", {"name": "x", "scopes": ["read"]})).status == 403
    assert (await ada("GET", "/api/v1/me")).status == 200
    assert (await ada("GET", FACTOR)).json == {"since": None, "recovery_codes_left": 0, "required": True}
    assert (await town.with_key(user)("GET", "/api/v1/datasets")).status == 200, "programs have keys"
    ada, _, codes = await enrolled(town)
    assert (await ada("GET", "/api/v1/datasets")).status == 200
    assert (await ada("POST", f"{FACTOR}/remove", AGAIN | {"code": codes[0]})).status == 403
    town.close()


async def test_what_is_kept_of_it_opens_nothing(town: Town) -> None:
    user = town.person("Ada", Role.VIEWER)
    _, seed, codes = await enrolled(town)
    await factors.offer(town.house, "Ada")
    files = b"".join(path.read_bytes() for path in town.house.settings.home.rglob("*") if path.is_file())
    kept = town.house.store.factors.get(user.id)
    assert kept.sealed is not None
    assert town.house.vault.open(kept.sealed, user.id, None) == seed
    assert [one for one in (seed, *codes, *(code.replace("-", "") for code in codes)) if one.encode() in files] == []
    other = Vault(b"k" * 32)
    before = town.house.vault
    assert not town.house.store.sealed.is_empty()
    changed = town.house.store.sealed.change(
        lambda sealed, owner, url: other.seal(before.open(sealed, owner, url), owner, url)
    )
    assert changed == 2, "the one in use and the one that is offered"
    rekeyed = town.house.store.factors.get(user.id).sealed
    assert rekeyed is not None
    assert other.open(rekeyed, user.id, None) == seed


async def test_whom_a_provider_signs_in_has_theirs_there(town: Town) -> None:
    town.person("Root", Role.ADMIN)
    people.add_known_elsewhere(town.house, "Cy", Role.EDITOR, "https://id.example", "7")
    with pytest.raises(Exception, match="has a second factor there"):
        await factors.offer(town.house, "Cy")


async def test_passwords_are_typed_unseen_and_may_come_from_a_manager(town: Town) -> None:
    town.person("Ada", Role.VIEWER)
    page = (await town.nobody("GET", "/sign-in", headers={"accept": "text/html"})).body.decode()
    (field,) = re.findall(r'<input id="password"[^>]*>', page)
    assert {'type="password"', 'autocomplete="current-password"'} <= set(field.split())
    (field,) = re.findall(r'<input id="code"[^>]*>', page)
    assert 'autocomplete="one-time-code"' in field
    assert "required" not in field
