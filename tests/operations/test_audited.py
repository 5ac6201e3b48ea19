"""Whatever a person changes is written down: each operation either is, or is named below with the reason why not."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

from sentry_connector import operations

LOOK = """
accounts.connection accounts.everything accounts.find accounts.refuse_strange_server accounts.used_by
accounts.with_old_tokens accounts.with_users audit.everything audit.recent audit.verify choices.choices coming.coming
config.export config.plan datasets.account datasets.everything datasets.find datasets.passed datasets.preview
datasets.rows datasets.schema datasets.table_of datasets.versions days.days_now days.window_now
destinations.everything destinations.find destinations.offered destinations.password_of destinations.tried
destinations.used_by destinations.with_users doctor.doctor doctor.doctor_of_storage doctor.of_connection drafts.days
drafts.plan drafts.preview edits.check_edit edits.refuse_loss edits.refuse_strange_place edits.server_of
edits.with_destination factors.codes_left glance.deleted glance.everything glance.lines glance.measured
glance.with_rows lineage.lineage notices.everything notices.find notices.names notices.told origins.everything
overview.overview people.everybody people.exist people.find people.find_key people.keys people.sessions
planning.planned purging.find purging.left_behind
queries.everything queries.find query.cancel query.first_rows query.names query.run_query
records.tables_of_records running.is_served runs.figures runs.find runs.find_by_id runs.follow runs.history runs.log
search.search sharing.find sharing.shares sign_in.person_of tables.chart tables.column_figures tables.drift
tables.most_common tables.page tables.page_at_hand tables.source_of views.columns_view views.dataset_view views.dataset_views
views.keeping_of views.next_slot views.rests views.saved_view views.saved_views workers.living
"""
"""They only look."""

BY_OTHERS = """
backfill.go_through config.apply datasets.run factors.show running.do_here running.tell_others running.to_its_end
runs.start sharing.share vault.sealing
"""
"""What they change is written down where others do it for them, or is no person's affair."""

BY_THEMSELVES = """
audited.write sign_in.begin_session sign_in.come_in sign_in.first_admin
sign_in.prove sign_in.refused sign_in.sign_in sign_in.sign_out
"""
"""They write to the log themselves, under the name of whoever comes."""

OF_THE_MACHINE = "workers.enter workers.work"
"""What a process does."""


def public() -> Iterator[tuple[str, bool]]:
    """Every operation, which is what takes a house first, and whether it is written down."""
    for module in pkgutil.iter_modules(operations.__path__):
        found = importlib.import_module(f"{operations.__name__}.{module.name}")
        for name, function in inspect.getmembers(found, inspect.isfunction):
            own = inspect.unwrap(function).__module__ == found.__name__
            if own and not name.startswith("_") and next(iter(inspect.signature(function).parameters), "") == "house":
                yield f"{module.name}.{name}", hasattr(function, "action")


def test_every_operation_that_changes_something_is_written_down() -> None:
    known = {name for group in (LOOK, BY_OTHERS, BY_THEMSELVES, OF_THE_MACHINE) for name in group.split()}
    found = dict(public())
    assert {name for name, is_written in found.items() if not is_written} == known
    assert sum(found.values()) >= 35
