"""People, what shows who they are, and what they were given: on either database."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from sentry_connector.errors import EditedMeanwhile, SignInNeeded, UsageError
from sentry_connector.store.people import IDLE, LONGEST, MARKED
from sentry_connector.store.rights import ApiKey, Grant, Level, Right, Role, Thing, User
from sentry_connector.store.store import Store
from tests.store.examples import NOW, account, dataset

MINUTE = dt.timedelta(minutes=1)


def user(name: str = "Ada", role: Role = Role.ADMIN, **changes: Any) -> User:
    return User(id=f"user-{name}", name=name, role=role, created_at=NOW, updated_at=NOW, **changes)


def key(name: str = "ci", owner: str = "user-Ada") -> ApiKey:
    return ApiKey(
        id=f"key-{name}", name=name, user_id=owner, hint="sck_…", rights=(Right.READ, Right.RUN),
        created_at=NOW, expires_at=NOW + dt.timedelta(days=1),
    )  # fmt: skip


def grant(name: str, level: Level, minutes: int = 0, thing: Thing = Thing.DATASET) -> Grant:
    return Grant(
        user_id=f"user-{name}", thing=thing, object_id="one", level=level, granted_at=NOW + minutes * MINUTE
    )  # fmt: skip


def test_people_come_back_as_they_were_stored_and_names_are_unique_without_case(store: Store) -> None:
    assert not store.people.exist()
    known_elsewhere = user("Bob", Role.EDITOR, issuer="https://id.example", subject="7")
    store.people.add(user(), "hash")
    store.people.add(known_elsewhere, None)
    assert store.people.exist()
    assert store.people.list() == [user(), known_elsewhere]
    assert store.people.find("ADA") == store.people.get("user-Ada") == user()
    assert store.people.password(" ada ") == (user(), "hash")
    assert store.people.password("nobody") is None
    assert store.people.by_subject("https://id.example", "7") == known_elsewhere
    assert store.people.by_subject("https://id.example/", "7") is None
    with pytest.raises(UsageError, match="already somebody named 'Ada'"):
        store.people.add(user("aDA"), "x")


def test_of_two_first_admins_at_once_one_is_made(store: Store, database_url: str) -> None:
    refused = []

    def add(name: str) -> None:
        with Store(database_url) as other:
            try:
                other.people.add(user(name), "hash", first=True)
            except UsageError:
                refused.append(name)

    threads = [threading.Thread(target=add, args=(name,)) for name in ("One", "Two", "Three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(store.people.list()), len(refused)) == (1, 2)


def test_a_session_lives_while_it_is_used_and_not_longer_than_its_day(store: Store) -> None:
    store.people.add(user(), "hash")
    store.people.sign_in(user(), "digest", NOW)
    found = store.people.of_session("digest", NOW + IDLE - MINUTE)
    assert found == msgspec.structs.replace(user(), signed_in_at=NOW)
    assert store.people.of_session("digest", NOW + IDLE + MARKED) is not None, "it was used meanwhile"
    assert store.people.of_session("digest", NOW + LONGEST) is None
    assert store.people.of_session("other", NOW) is None
    store.people.sign_out("digest")
    assert store.people.of_session("digest", NOW) is None


def test_looking_does_not_keep_a_session_alive(store: Store) -> None:
    store.people.add(user(), "hash")
    store.people.sign_in(user(), "digest", NOW)
    assert store.people.of_session("digest", NOW + IDLE - MINUTE, used=False) is not None
    assert store.people.of_session("digest", NOW + IDLE) is None


def test_a_key_is_found_by_its_digest_until_it_expires(store: Store) -> None:
    store.people.add(user(), "hash")
    store.people.add_key(key(), "digest")
    assert store.people.of_key("digest", NOW) == (user(), key())
    (kept,) = store.people.keys("user-Ada")
    assert kept.used_at == NOW
    assert store.people.of_key("digest", NOW + dt.timedelta(days=1)) is None
    with pytest.raises(UsageError, match="already"):
        store.people.add_key(msgspec.structs.replace(key(), id="other"), "other")


def test_with_a_person_goes_all_that_shows_who_they_are_and_what_they_were_given(store: Store) -> None:
    store.people.add(user(), "hash")
    store.people.add(user("Bob", Role.EDITOR), "hash")
    store.people.sign_in(user("Bob", Role.EDITOR), "digest", NOW)
    store.people.add_key(key(owner="user-Bob"), "digest")
    store.grants.give(grant("Bob", Level.EDIT))
    store.people.delete("user-Bob")
    assert store.people.of_session("digest", NOW) is None
    assert store.people.keys() == []
    assert store.grants.of_object(Thing.DATASET, "one") == []


def test_somebody_stays_who_may_administer(store: Store) -> None:
    store.people.add(user(), "hash")
    store.people.add(user("Bob", Role.EDITOR), "hash")
    for change in ({"role": Role.VIEWER}, {"active": False}):
        with pytest.raises(UsageError, match="last admin"):
            store.people.change("user-Ada", change)
    with pytest.raises(UsageError, match="last admin"):
        store.people.delete("user-Ada")
    assert store.people.get("user-Ada") == user(), "what was refused was not done"
    store.people.change("user-Bob", {"role": Role.ADMIN})
    assert store.people.change("user-Ada", {"active": False}).active is False


def test_a_thing_keeps_an_owner(store: Store) -> None:
    store.people.add(user(), "hash")
    store.people.add(user("Bob", Role.EDITOR), "hash")
    assert store.grants.owners(Thing.DATASET, "one") == []
    store.grants.give(grant("Bob", Level.USE))
    store.grants.give(grant("Ada", Level.OWNER, 1))
    for level in (None, Level.EDIT):
        with pytest.raises(UsageError, match="last owner"):
            store.grants.give(grant("Ada", level)) if level else store.grants.take("user-Ada", Thing.DATASET, "one")
    store.grants.give(grant("Bob", Level.OWNER, 2))
    assert store.grants.owners(Thing.DATASET, "one") == ["Bob", "Ada"]
    store.grants.take("user-Ada", Thing.DATASET, "one")
    assert store.grants.level("user-Ada", Thing.DATASET, "one") is None
    assert store.grants.of_user("user-Bob", Thing.DATASET) == {"one": Level.OWNER}
    assert store.grants.level("user-Bob", Thing.ACCOUNT, "one") is None, "ids of other things are others"


def test_whoever_makes_a_thing_owns_it_until_it_is_forgotten(store: Store) -> None:
    store.people.add(user(), "hash")
    made = store.datasets.add(dataset(), owner="user-Ada")
    kept = store.accounts.add(account(), "v1.sealed", owner="user-Ada")
    assert store.grants.owners(Thing.DATASET, made.id) == store.grants.owners(Thing.ACCOUNT, kept.id) == ["Ada"]
    store.datasets.forget(made.id)
    store.accounts.delete(kept.id)
    assert store.grants.of_user("user-Ada", Thing.DATASET) == store.grants.of_user("user-Ada", Thing.ACCOUNT) == {}


def test_all_sessions_and_keys_end_at_once(store: Store) -> None:
    store.people.add(user(), "hash")
    store.people.sign_in(user(), "digest", NOW)
    store.people.add_key(key(), "digest")
    assert store.people.revoke_all() == 2
    assert store.people.of_session("digest", NOW) is None
    assert store.people.of_key("digest", NOW) is None


def test_a_step_of_time_and_a_recovery_code_are_used_once(store: Store) -> None:
    store.people.add(user(), "hash")
    store.factors.offer("user-Ada", "v1.seed")
    with pytest.raises(EditedMeanwhile):
        store.factors.take_up("user-Ada", "v1.other", 7, ["a"], NOW, but=None)
    store.factors.take_up("user-Ada", "v1.seed", 7, ["a", "b"], NOW, but=None)
    assert store.people.find("Ada").factor_since == NOW
    with ThreadPoolExecutor(8) as at_once:
        assert sum(at_once.map(lambda _: store.factors.use_step("user-Ada", 8), range(8))) == 1
        assert sum(at_once.map(lambda _: store.factors.use_code("user-Ada", "a"), range(8))) == 1
    assert not store.factors.use_step("user-Ada", 7)
    assert not store.factors.use_code("user-Bob", "b"), "another person's"
    store.people.delete("user-Ada")
    assert store.factors.codes_left("user-Ada") == 0


@pytest.mark.parametrize("change", [{"password": "another"}, {"active": False}, {"role": Role.VIEWER}])
def test_nothing_begins_by_what_was_changed_in_the_moment_before(store: Store, change: dict[str, Any]) -> None:
    """A change ends sessions and keys: none may come after it that was asked for before."""
    store.people.add(user(), "hash")
    bob = store.people.add(user("Bob", Role.EDITOR), "hash")
    store.people.change(bob.id, {**change, "updated_at": NOW + MINUTE})
    store.people.rehash(bob.id, "hash of old times", "hash of an old password")
    with pytest.raises(SignInNeeded):
        store.people.sign_in(bob, "digest", NOW)
    with pytest.raises(UsageError, match="meanwhile"):
        store.people.add_key(key(owner=bob.id), "digest", as_of=bob.updated_at)
    found = store.people.password("Bob")
    assert found is not None
    assert found[1] == change.get("password", "hash")
    assert (store.people.sessions(bob.id, NOW), store.people.keys(bob.id)) == ([], [])


def test_a_session_does_not_begin_without_the_second_factor_of_now(store: Store) -> None:
    store.people.add(user(), "hash")
    store.factors.offer("user-Ada", "sealed")
    store.factors.take_up("user-Ada", "sealed", 1, ["code"], NOW, but=None)
    with pytest.raises(SignInNeeded):
        store.people.sign_in(user(), "digest", NOW)
    store.people.sign_in(store.people.find("Ada"), "digest", NOW)


def test_a_newer_hash_takes_the_place_of_its_own_password_alone(store: Store) -> None:
    store.people.add(user(), "hash")
    store.people.rehash("user-Ada", "hash", "newer hash")
    found = store.people.password("Ada")
    assert found is not None
    assert found[1] == "newer hash"
