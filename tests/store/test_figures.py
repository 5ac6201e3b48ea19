"""What a monitor counts in the store."""

from __future__ import annotations

import datetime as dt

from msgspec.structs import replace

from sentry_connector.store.notices import DeliveryState
from sentry_connector.store.records import Channel, Kind, Notice, Verdict
from sentry_connector.store.store import Store
from tests.store.examples import LATER, NOW, dataset, run


def test_the_last_complete_run_of_each_dataset(store: Store) -> None:
    one, other = store.datasets.add(dataset("One")), store.datasets.add(dataset("Other"))
    for id_, of, verdict, ended in (
        ("a", one, Verdict.COMPLETE, NOW),
        ("b", one, Verdict.COMPLETE, LATER),
        ("c", one, Verdict.INCOMPLETE, LATER + dt.timedelta(hours=1)),
        ("d", other, Verdict.FAILED, LATER),
    ):
        store.runs.add(run(of.id, id_, verdict=verdict, finished_at=ended))
    found = {each.dataset.id: each.fresh_at for each in store.datasets.outlines()}
    assert found == {one.id: LATER, other.id: None}


def test_what_became_of_notices(store: Store) -> None:
    store.notices.add_channel(
        Channel(id="c", name="c", service="Webhook", hint="h", created_at=NOW, updated_at=NOW), "v1.sealed"
    )
    for number in range(4):
        told = Notice(
            id=f"n{number}", kind=Kind.FAILED, recovered=False, subject_id=f"s{number}", subject="S", message="m",
            since=NOW, at=NOW + dt.timedelta(minutes=number),
        )  # fmt: skip
        store.notices.add([told])
    sent, lost, tried, _ = [replace(delivery, attempts=1) for _, (delivery,) in store.notices.recent()]
    store.notices.sent(sent, LATER)
    store.notices.give_up(lost, "gone", LATER)
    store.notices.failed(tried, "busy", LATER)
    assert store.notices.states() == dict.fromkeys(DeliveryState, 1)
