"""What machines that share a store must agree about: the first settles it, and whoever differs is refused."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sentry_connector.errors import DestinationError, StorageDiffers, VaultUnusable
from sentry_connector.store.sharing import (
    MARK,
    agree_about_key,
    agree_about_storage,
    insist_on_storage,
    move_storage,
)
from sentry_connector.store.store import Store
from sentry_connector.store.vault import Vault


@pytest.fixture
def new_mark() -> Callable[[], str]:
    numbers = itertools.count()
    return lambda: f"mark-{next(numbers)}"


def test_the_first_folder_is_the_one_for_all_by_whatever_path(
    store: Store, tmp_path: Path, new_mark: Callable[[], str]
) -> None:
    known = agree_about_storage(store.facts, str(tmp_path / "tables"), new_mark)
    (tmp_path / "mounted elsewhere").symlink_to(tmp_path / "tables")
    assert agree_about_storage(store.facts, str(tmp_path / "mounted elsewhere"), new_mark) == known
    with pytest.raises(StorageDiffers, match="has none"):
        agree_about_storage(store.facts, str(tmp_path / "other"), new_mark)
    assert not (tmp_path / "other").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / MARK).write_text("of another store")
    with pytest.raises(StorageDiffers, match="has of another store"):
        agree_about_storage(store.facts, str(tmp_path / "other"), new_mark)


def test_who_died_between_the_mark_and_the_store_has_settled_nothing(
    store: Store, tmp_path: Path, new_mark: Callable[[], str]
) -> None:
    (tmp_path / MARK).write_text("left by it\n")
    assert agree_about_storage(store.facts, str(tmp_path), new_mark) == "left by it"


def test_a_place_that_changes_while_it_is_in_use_is_noticed(
    store: Store, tmp_path: Path, new_mark: Callable[[], str]
) -> None:
    known = agree_about_storage(store.facts, str(tmp_path), new_mark)
    insist_on_storage(str(tmp_path), known)
    (tmp_path / MARK).unlink()
    with pytest.raises(StorageDiffers):
        insist_on_storage(str(tmp_path), known)
    (tmp_path / MARK).mkdir()
    with pytest.raises(DestinationError):
        insist_on_storage(str(tmp_path), known)


def test_a_store_of_objects_is_known_by_its_address(store: Store, new_mark: Callable[[], str]) -> None:
    agree_about_storage(store.facts, "s3://bucket/tables/", new_mark)
    agree_about_storage(store.facts, "s3://bucket/tables", new_mark)
    with pytest.raises(StorageDiffers, match="s3://bucket/tables") as caught:
        agree_about_storage(store.facts, "s3://key:s3cr3t@other/tables", new_mark)
    assert "s3cr3t" not in str(caught.value) + caught.value.message + caught.value.remedy
    move_storage(store.facts, "s3://key:s3cr3t@other/tables", new_mark)
    assert "s3cr3t" not in agree_about_storage(store.facts, "s3://key:s3cr3t@other/tables", new_mark)
    with pytest.raises(StorageDiffers):
        agree_about_storage(store.facts, "s3://bucket/tables", new_mark)


def test_the_first_key_is_the_one_for_all(store: Store) -> None:
    ours, theirs = os.urandom(32), os.urandom(32)
    assert store.sealed.is_empty()
    agree_about_key(store.facts, Vault(ours))
    assert not store.sealed.is_empty(), "no other key is made any more"
    agree_about_key(store.facts, Vault(theirs, ours))
    with pytest.raises(VaultUnusable, match="of this machine"):
        agree_about_key(store.facts, Vault(theirs))
    both = Vault(theirs, ours)
    assert store.sealed.change(lambda sealed, owner, url: both.seal(both.open(sealed, owner, url), owner, url)) == 0
    agree_about_key(store.facts, Vault(theirs))
    with pytest.raises(VaultUnusable):
        agree_about_key(store.facts, Vault(ours))


def test_of_two_who_settle_a_fact_one_is_right(store: Store) -> None:
    assert store.facts.get("a") is None
    assert store.facts.settle("a", "first") == "first"
    assert store.facts.settle("a", "second") == "first"
    store.facts.change("a", "third")
    assert store.facts.get("a") == "third"
