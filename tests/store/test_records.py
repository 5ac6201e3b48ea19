"""Accounts, DataSets and runs: what is stored is what comes back, and names are unique."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from sentry_connector.errors import StoreUnusable, UnknownName, UsageError
from sentry_connector.reports.model import Grain
from sentry_connector.reports.scopes import Scope
from sentry_connector.store.datasets import LONGEST_SLUG, slug_of
from sentry_connector.store.ids import new_id
from sentry_connector.store.records import Run, RunState
from sentry_connector.store.store import Store
from tests.store.examples import LATER, NOW, account, dataset, run

replace = msgspec.structs.replace


def delete(store: Store, dataset_id: str, at: dt.datetime) -> None:
    store.datasets.change(dataset_id, {"deleted_at": at, "updated_at": at})


def test_an_account_comes_back_as_it_was_stored(store: Store) -> None:
    store.accounts.add(account(), "v1.sealed")
    assert store.accounts.get(account().id) == account()
    assert store.accounts.list() == [account()]
    assert store.accounts.sealed_token(account().id) == "v1.sealed"


def test_an_account_record_has_no_place_for_a_token() -> None:
    assert not {"token", "sealed_token"} & set(account().__struct_fields__)


def test_account_names_are_unique_without_case(store: Store) -> None:
    store.accounts.add(account("Straße"), "v1.a")
    with pytest.raises(UsageError, match="already an account named 'Straße'"):
        store.accounts.add(account(" STRASSE "), "v1.b")
    assert store.accounts.find("strasse").name == "Straße"


def test_an_unknown_account_is_told_with_the_nearest_names(store: Store) -> None:
    store.accounts.add(account("Production"), "v1.a")
    with pytest.raises(UnknownName) as caught:
        store.accounts.find("prodction")
    assert caught.value.nearest == ["Production"]


def test_renaming_an_account_keeps_all_but_its_name(store: Store) -> None:
    store.accounts.add(account(), "v1.sealed")
    renamed = store.accounts.rename(account(), "MAIN", LATER)
    assert renamed == store.accounts.find("main") == replace(account(), name="MAIN", updated_at=LATER)
    assert store.accounts.sealed_token(account().id) == "v1.sealed"


def test_renaming_an_account_to_a_taken_name_is_refused(store: Store) -> None:
    store.accounts.add(account("One"), "v1.a")
    store.accounts.add(account("Two"), "v1.b")
    with pytest.raises(UsageError):
        store.accounts.rename(account("Two"), "one", LATER)
    assert store.accounts.get(account("Two").id) == account("Two")


def test_replacing_a_token_changes_token_and_record_together(store: Store) -> None:
    store.accounts.add(account(), "v1.old")
    changed = replace(account(), token_hint="sntrys_xy…", token_since=LATER)
    assert store.accounts.replace_token(account(), changed, "v1.new") == changed
    assert store.accounts.get(account().id) == changed
    assert store.accounts.sealed_token(account().id) == "v1.new"


def test_a_token_whose_age_is_not_known_is_replaced_and_checked_too(store: Store) -> None:
    """Earlier versions did not note it."""
    old = account(token_since=None)
    store.accounts.add(old, "v1.old")
    store.accounts.save_check(replace(old, message="checked"))
    assert store.accounts.get(old.id) == replace(old, message="checked")
    store.accounts.replace_token(old, account(), "v1.new")
    assert store.accounts.get(old.id) == account()


def test_resealing_changes_all_tokens_or_none(store: Store) -> None:
    for name in ("a", "b", "c"):
        store.accounts.add(account(name), f"v1.{name}")

    def fails_at_the_last(sealed: str, _id: str, _url: str | None) -> str:
        if sealed == "v1.c":
            raise LookupError
        return sealed.upper()

    with pytest.raises(LookupError):
        store.sealed.change(fails_at_the_last)
    assert [store.accounts.sealed_token(each.id) for each in store.accounts.list()] == ["v1.a", "v1.b", "v1.c"]
    assert store.sealed.change(lambda sealed, id_, url: f"{sealed}|{id_}|{url}") == 3
    assert store.accounts.sealed_token("account-a") == "v1.a|account-a|https://sentry.io"


def test_deleting_an_account_leaves_its_datasets_with_the_name_of_an_account_that_is_no_more(store: Store) -> None:
    """Not without one: that would mean the environment's token."""
    store.accounts.add(account(), "v1.sealed")
    store.datasets.add(dataset(account_id=account().id))
    store.accounts.delete(account().id)
    assert store.accounts.get(account().id) is None
    assert store.datasets.find("shop events").account_id == account().id


def test_a_dataset_comes_back_as_it_was_stored(store: Store) -> None:
    stored = store.datasets.add(dataset())
    assert stored == replace(dataset(), slug="shop_events")
    assert store.datasets.get(stored.id) == stored
    assert store.datasets.find("SHOP EVENTS") == store.datasets.find("shop_events") == stored


def test_times_come_back_in_utc_from_whatever_zone(store: Store) -> None:
    east = dt.timezone(dt.timedelta(hours=9))
    stored = store.datasets.add(dataset(created_at=NOW.astimezone(east)))
    read = store.datasets.get(stored.id)
    assert read is not None
    assert read.created_at == NOW
    assert read.created_at.tzinfo is dt.UTC


def test_slugs_are_made_once_and_never_again(store: Store) -> None:
    first = store.datasets.add(dataset("Events"))
    second = store.datasets.add(dataset("Events!"))
    store.datasets.change(first.id, {"name": "Other"})
    delete(store, second.id, NOW)
    third = store.datasets.add(dataset("events?"))
    assert [first.slug, second.slug, third.slug] == ["events", "events_2", "events_3"]
    assert store.datasets.find("Other").slug == "events"
    assert store.datasets.add(replace(dataset(), id="new", name="New")).slug == "new_2", "an address of its own"


def test_a_change_leaves_what_others_change_meanwhile(store: Store) -> None:
    stored = store.datasets.add(dataset(paused=False))
    store.datasets.remember(stored.id, {"shop": Scope(grain=Grain.PROJECT, url="https://sentry.io")})
    store.datasets.change(stored.id, {"paused": True})
    changed = store.datasets.change(stored.id, {"description": "another", "updated_at": NOW})
    assert (changed.paused, changed.description, list(changed.scopes)) == (True, "another", ["shop"])
    assert changed == store.datasets.get(stored.id)


def test_what_is_deleted_or_never_was_is_not_changed(store: Store) -> None:
    stored = store.datasets.add(dataset())
    delete(store, stored.id, NOW)
    for id_ in (stored.id, "none"):
        with pytest.raises(UnknownName):
            store.datasets.change(id_, {"paused": False})
    assert [one.paused for one in store.datasets.deleted()] == [True]


@given(st.text())
def test_every_slug_is_a_plain_sql_name(name: str) -> None:
    slug = slug_of(name)
    assert slug.isidentifier()
    assert slug.isascii()
    assert slug == slug.lower()
    assert len(slug) <= LONGEST_SLUG + 1


def test_slugs_keep_letters_readable() -> None:
    assert slug_of("Événements 2") == "evenements_2"
    assert slug_of("2026 — week 9") == "_2026_week_9"
    assert slug_of("日本") == "dataset"


def test_a_deleted_dataset_is_out_of_sight_and_its_name_is_free(store: Store) -> None:
    old = store.datasets.add(dataset())
    delete(store, old.id, LATER)
    assert store.datasets.list() == []
    assert [each.deleted_at for each in store.datasets.deleted()] == [LATER]
    new = store.datasets.add(dataset(id="another"))
    assert store.datasets.find("Shop Events").id == new.id


def test_restoring_brings_back_the_one_deleted_last(store: Store) -> None:
    for number in range(2):
        stored = store.datasets.add(dataset(id=f"dataset-{number}"))
        delete(store, stored.id, NOW + dt.timedelta(hours=number))
    restored = store.datasets.restore("shop events", LATER)
    assert restored.id == "dataset-1"
    assert store.datasets.list() == [restored]


def test_restoring_to_a_taken_name_is_refused(store: Store) -> None:
    old = store.datasets.add(dataset())
    delete(store, old.id, NOW)
    store.datasets.add(dataset(id="another"))
    with pytest.raises(UsageError, match="already a DataSet"):
        store.datasets.restore("Shop Events", LATER)


def test_deleted_datasets_can_be_restored_for_thirty_days_and_are_then_forgotten_with_their_runs(store: Store) -> None:
    stored = store.datasets.add(dataset())
    store.runs.add(run(stored.id))
    delete(store, stored.id, NOW)
    assert store.datasets.expired(NOW + dt.timedelta(days=30)) == []
    too_late = NOW + dt.timedelta(days=30, seconds=1)
    assert [each.id for each in store.datasets.expired(too_late)] == [stored.id]
    with pytest.raises(UnknownName):
        store.datasets.restore("Shop Events", too_late)
    store.datasets.forget(stored.id)
    assert store.datasets.get(stored.id) is None
    assert store.runs.get("run-1") is None


def test_epochs_rise_above_the_stores_and_the_tables(store: Store) -> None:
    stored = store.datasets.add(dataset())
    assert [store.datasets.next_epoch(stored.id, at_least) for at_least in (0, 0, 10, 3, 12)] == [1, 2, 11, 12, 13]
    store.datasets.change(stored.id, {"description": "another"})
    assert store.datasets.next_epoch(stored.id, 0) == 14
    with pytest.raises(UnknownName):
        store.datasets.next_epoch("none", 0)


def test_a_run_comes_back_as_it_was_stored(store: Store) -> None:
    stored = store.datasets.add(dataset())
    assert store.runs.add(run(stored.id, state=RunState.QUEUED))
    store.runs.save(run(stored.id))
    assert store.runs.get("run-1") == run(stored.id)


def test_a_run_id_is_one_run(store: Store) -> None:
    stored = store.datasets.add(dataset())
    assert store.runs.add(run(stored.id, "x@2026"))
    assert not store.runs.add(run(stored.id, "x@2026", rows_read=0))
    assert store.runs.history(stored.id) == [run(stored.id, "x@2026")]


def test_a_run_of_no_dataset_is_refused(store: Store) -> None:
    with pytest.raises(UnknownName):
        store.runs.add(run("none"))


def test_runs_are_listed_newest_first(store: Store) -> None:
    stored = store.datasets.add(dataset())
    other = store.datasets.add(dataset("Other"))
    for number in range(4):
        at = NOW + dt.timedelta(minutes=number)
        state = RunState.RUNNING if number == 1 else RunState.DONE
        store.runs.add(run(stored.id, f"run-{number}", queued_at=at, state=state))
    store.runs.add(run(other.id, "other", queued_at=NOW, state=RunState.QUEUED))
    assert [each.id for each in store.runs.history(stored.id, limit=2)] == ["run-3", "run-2"]
    assert [each.id for each in store.runs.recent(limit=10)] == ["run-3", "run-2", "run-1", "run-0", "other"]
    assert [each.id for each in store.runs.unfinished()] == ["run-1", "other"]


def test_a_page_of_all_runs_begins_where_the_one_before_ended(store: Store) -> None:
    """Also within runs of one time."""
    stored = store.datasets.add(dataset())
    for number in range(7):
        store.runs.add(run(stored.id, f"run-{number}", queued_at=NOW + dt.timedelta(minutes=number // 3)))
    pages: list[list[Run]] = []
    while not pages or pages[-1]:
        pages.append(store.runs.search(before=pages[-1][-1] if pages else None, limit=2))
    assert [one.id for page in pages for one in page] == [f"run-{number}" for number in range(6, -1, -1)]


def test_a_page_of_all_runs_is_found_by_an_index(tmp_path: Path) -> None:
    """However many runs there are. PostgreSQL would look at a small table as a whole."""
    asked: list[tuple[str, Any]] = []
    with Store(f"sqlite:///{tmp_path / 'connector.db'}") as store:
        engine = store.runs._database.engine
        event.listen(
            engine, "before_cursor_execute", lambda _, __, statement, values, *___: asked.append((statement, values))
        )
        store.runs.search(before=run("none"), limit=2)
        statement, values = asked[-1]
        with engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).scalars("detail").all()
    assert plan == ["SEARCH runs USING INDEX runs_by_time ((queued_at,id)<(?,?))"]


def test_ids_sort_by_time_and_differ(now: dt.datetime) -> None:
    rng = random.Random(1)  # noqa: S311  # a seed for the test
    ids = [new_id(now + dt.timedelta(milliseconds=step // 10), rng) for step in range(1000)]
    assert len(set(ids)) == 1000
    assert [each[:10] for each in ids] == sorted(each[:10] for each in ids)
    assert all(len(each) == 20 and each.isalnum() and each == each.lower() for each in ids)


def test_a_damaged_record_is_told_as_such(store: Store) -> None:
    stored = store.datasets.add(dataset())
    with store.datasets._database.writing() as connection:
        connection.exec_driver_sql("UPDATE datasets SET details = '{\"stat\": 5}'")
    with pytest.raises(StoreUnusable, match="damaged"):
        store.datasets.get(stored.id)
